//go:build interop

package interop

import (
	"fmt"
	"os/exec"
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
		text := "zookeeper.client.secure=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
			"zookeeper.ssl.keyStore.location=" + own.File + "\nzookeeper.ssl.trustStore.location=" + trust.File + "\n" + more
		return testkit.WriteFile(t, "client.properties", []byte(text))
	}
	own := ca.Issue("client")
	good := properties(own, ca, "")
	for name, client := range map[string]cliCommand{"zkcli": zkCli, "zooraft": zooraftCLI} {
		wantSaid(t, client(t, server, "-client-configuration", good, "create", "/"+name, "secret"), 0, "Created /"+name)
		wantSaid(t, client(t, server, "-client-configuration", good, "get", "/"+name), 0, "secret")
		wantSaid(t, client(t, server, "-client-configuration", good, "whoami"), 0, "x509: CN=client")
	}
	wantSaid(t, zooraftCLI(t, server, "-client-configuration", properties(own, ca, "zookeeper.ssl.enabledProtocols=TLSv1.3\n"), "get", "/zkcli"), 0, "secret")
	// Of which the server speaks that version alone.
	wantSaid(t, zooraftCLI(t, server, "-client-configuration", properties(own, ca, "zookeeper.ssl.protocol=TLSv1.2\n"), "get", "/zkcli"), 1, "protocol version not supported")
	wantSaid(t, zooraftCLI(t, server, "-client-configuration", good, "diff", server, "/zkcli"), 0, "")
	wantSaid(t, zooraftCLI(t, fmt.Sprintf("127.0.0.1:%d", port), "-client-configuration", good, "ls", "/"), 1, "the certificate has to name the host")
	wantSaid(t, zooraftCLI(t, fmt.Sprintf("127.0.0.1:%d", port), "-client-configuration", properties(own, ca, "zookeeper.ssl.hostnameVerification=false\n"), "ls", "/"), 0, "zookeeper")
	wantSaid(t, zooraftCLI(t, server, "-client-configuration", properties(own, other, ""), "ls", "/"), 1, "the certificate has to name the host")
	wantSaid(t, zooraftCLI(t, server, "-client-configuration", properties(other.Issue("client"), ca, ""), "ls", "/"), 1, "certificate")
	wantSaid(t, zooraftCLI(t, server, "ls", "/"), 1, "ConnectionLoss")
	wantSaid(t, exec.CommandContext(withDeadline(t, clientTimeout), harness.ZooraftBinary(t), "4lw", "srvr", server, "--client-configuration", good), 0, "Mode: standalone")
}
