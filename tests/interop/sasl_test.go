//go:build interop

package interop

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"zooraft/protocol"
	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

const (
	digestLogin   = "org.apache.zookeeper.server.auth.DigestLoginModule required "
	saslProvider  = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	loginProperty = "java.security.auth.login.config="
)

// loginFile is a login file whose section Server has ZooKeeper's DigestLoginModule with these options.
func loginFile(t *testing.T, options string) string {
	t.Helper()
	return writeLogin(t, "Server { "+digestLogin+options+"; };\n")
}

func writeLogin(t *testing.T, text string) string {
	t.Helper()
	return testkit.WriteFile(t, "jaas.conf", []byte(text))
}

// saslZkCli is a zkCli that logs in as the section Client of a login file says.
func saslZkCli(t *testing.T, server, user, password string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := zkCli(t, server, args...)
	login := writeLogin(t, `Client { `+digestLogin+`username="`+user+`" password="`+password+`"; };`)
	// In that mode, which is on unless it is said, a client does not use DIGEST-MD5.
	cmd.Args = slices.Insert(cmd.Args, 1, "-D"+loginProperty+login, "-Dzookeeper.fips-mode=false")
	return cmd
}

// TestSASLZkCli has stock command lines log in.
func TestSASLZkCli(t *testing.T) {
	zooKeeperJars(t)
	java(t)
	e := startWith(t, harness.Options{
		Size:    3,
		Lines:   []string{saslProvider, "superUser=chief", "sessionRequireClientSASLAuth=true"},
		Defines: []string{loginProperty + loginFile(t, `user_bob="pw" user_alice="pw2" user_chief="pw3"`)},
	})
	for _, tt := range []struct {
		user, password string
		args           []string
		code           int
		said           string
	}{
		{"bob", "pw", []string{"create", "/n", "secret", "sasl:bob:cdrwa"}, 0, "Created /n"},
		{"bob", "pw", []string{"get", "/n"}, 0, "secret"},
		{"bob", "pw", []string{"whoami"}, 0, "sasl: bob"},
		{"alice", "pw2", []string{"get", "/n"}, 1, "Insufficient permission : /n"},
		{"chief", "pw3", []string{"get", "/n"}, 0, "secret"},
		{"alice", "pw", []string{"get", "/n"}, 1, "AuthFailed"},
	} {
		wantSaid(t, saslZkCli(t, e.Connect(), tt.user, tt.password, tt.args...), tt.code, tt.said)
	}
	w := openWire(t, e.Server(1).ClientAddr)
	w.send(1, protocol.OpExists, &protocol.PathWatchRequest{Path: "/"})
	expect(t, "without a login", w.next()+" "+w.next(), "1:-124 closed")
}

// TestSASLKazoo has kazoo log in.
func TestSASLKazoo(t *testing.T) {
	python := filepath.Join(deps(t), kazooDir, "bin", "python")
	if exec.CommandContext(withDeadline(t, clientTimeout), python, "-c", "import kazoo, puresasl").Run() != nil {
		lacking(t, "kazoo with puresasl in "+python)
	}
	e := startWith(t, harness.Options{
		Lines:   []string{saslProvider, "superUser.1=chief"},
		Defines: []string{loginProperty + loginFile(t, `user_bob="pw" user_alice="pw2" user_chief="pw3"`)},
	})
	for _, tt := range []struct {
		args []string
		said string
	}{
		{[]string{"bob", "pw"}, "reads secret\n"},
		{[]string{"bob", "pw", "bob"}, "reads secret\n"},
		{[]string{"alice", "pw2", "bob"}, "may not read\n"},
		{[]string{"chief", "pw3", "bob"}, "reads secret\n"},
		{[]string{"bob", "pw2", "bob"}, "refused\n"},
		{[]string{"joe", "pw", "bob"}, "refused\n"},
	} {
		cmd := exec.CommandContext(withDeadline(t, clientTimeout), python, append([]string{"-B", "kazoo_sasl.py", e.Connect()}, tt.args...)...)
		stdout, stderr, code := run(t, cmd)
		if code != 0 || stdout != tt.said {
			t.Errorf("%q: exit code %d, said\n%s%s\nwant %q", tt.args, code, stdout, stderr, tt.said)
		}
	}
}
