//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// TestCLIOverTLS has both command lines talk to a stock ZooKeeper's secureClientPort, with one client configuration.
func TestCLIOverTLS(t *testing.T) {
	jars := zooKeeperJars(t)
	java(t)
	ca, other := testkit.NewCA(t), testkit.NewCA(t)
	port := testkit.Ports(t, 1)[0]
	harness.StartZooKeeper(t, jars, harness.Options{Lines: []string{
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		fmt.Sprintf("secureClientPort=%d", port),
		"secureClientPortAddress=127.0.0.1",
		"ssl.keyStore.location=" + ca.Issue("localhost").File,
		"ssl.trustStore.location=" + ca.File,
	}})
	server := fmt.Sprintf("localhost:%d", port)
	properties := func(own testkit.Certificate, trust *testkit.CA, more string) string {
		path := filepath.Join(t.TempDir(), "client.properties")
		text := "zookeeper.client.secure=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
			"zookeeper.ssl.keyStore.location=" + own.File + "\nzookeeper.ssl.trustStore.location=" + trust.File + "\n" + more
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := ca.Issue("client")
	good := properties(own, ca, "")
	want := func(cmd *exec.Cmd, code int, said string) {
		t.Helper()
		stdout, stderr, got := run(t, cmd)
		if got != code || !strings.Contains(stdout+stderr, said) {
			t.Errorf("%q: exit code %d, want %d; said\n%s%s\nwant %q", cmd.Args, got, code, stdout, stderr, said)
		}
	}
	for name, client := range map[string]cliCommand{"zkcli": zkCli, "zooraft": zooraftCLI} {
		want(client(t, server, "-client-configuration", good, "create", "/"+name, "secret"), 0, "Created /"+name)
		want(client(t, server, "-client-configuration", good, "get", "/"+name), 0, "secret")
		want(client(t, server, "-client-configuration", good, "whoami"), 0, "x509: CN=client")
	}
	want(zooraftCLI(t, server, "-client-configuration", properties(own, ca, "zookeeper.ssl.enabledProtocols=TLSv1.3\n"), "get", "/zkcli"), 0, "secret")
	// Of which the server speaks that version alone.
	want(zooraftCLI(t, server, "-client-configuration", properties(own, ca, "zookeeper.ssl.protocol=TLSv1.2\n"), "get", "/zkcli"), 1, "protocol version not supported")
	want(zooraftCLI(t, server, "-client-configuration", good, "diff", server, "/zkcli"), 0, "")
	want(zooraftCLI(t, fmt.Sprintf("127.0.0.1:%d", port), "-client-configuration", good, "ls", "/"), 1, "the certificate has to name the host")
	want(zooraftCLI(t, fmt.Sprintf("127.0.0.1:%d", port), "-client-configuration", properties(own, ca, "zookeeper.ssl.hostnameVerification=false\n"), "ls", "/"), 0, "zookeeper")
	want(zooraftCLI(t, server, "-client-configuration", properties(own, other, ""), "ls", "/"), 1, "the certificate has to name the host")
	want(zooraftCLI(t, server, "-client-configuration", properties(other.Issue("client"), ca, ""), "ls", "/"), 1, "certificate")
	want(zooraftCLI(t, server, "ls", "/"), 1, "ConnectionLoss")
	want(exec.CommandContext(withDeadline(t, clientTimeout), harness.ZooraftBinary(t), "4lw", "srvr", server, "--client-configuration", good), 0, "Mode: standalone")
}
