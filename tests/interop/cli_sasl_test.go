//go:build interop

package interop

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// TestCLIWithSASL has both command lines log in to a stock ZooKeeper by DIGEST-MD5, with one login file.
func TestCLIWithSASL(t *testing.T) {
	jars := zooKeeperJars(t)
	java(t)
	const module = "{ " + digestLogin
	login := writeLogin(t, `
Server `+module+`user_bob="bob's \"secret\"" user_ann="größe"; };
Client `+module+`username="bob" password="bob's \"secret\""; };
Ann `+module+`username=ann password="größe"; };
Wrong `+module+`username="bob" password="hunter2"; };
Stranger `+module+`username="eve" password="hunter2"; };
`)
	e := harness.StartZooKeeper(t, jars, harness.Options{
		Defines: []string{loginProperty + login},
		Lines:   []string{saslProvider, "sessionRequireClientSASLAuth=true"},
	})
	server := e.Connect()
	// Java takes the file from its command line alone, and DIGEST-MD5 only if told so.
	stock := func(t *testing.T, server string, args ...string) *exec.Cmd {
		cmd := zkCli(t, server, args...)
		cmd.Args = slices.Insert(cmd.Args, 1, "-D"+loginProperty+login, "-Dzookeeper.fips-mode=false")
		return cmd
	}
	own := func(t *testing.T, server string, args ...string) *exec.Cmd {
		cmd := zooraftCLI(t, server, args...)
		cmd.Env = append(cmd.Environ(), "CLIENT_JVMFLAGS=-D"+loginProperty+login)
		return cmd
	}
	section := func(name string) []string {
		return []string{"-client-configuration", testkit.WriteFile(t, "client.properties", []byte("zookeeper.sasl.clientconfig="+name+"\n"))}
	}
	want := func(cmd *exec.Cmd, code int, said ...string) {
		t.Helper()
		all := wantSaid(t, cmd, code, said...)
		if strings.Contains(all, "hunter2") || strings.Contains(all, "bob's") {
			t.Errorf("%q: the password is told:\n%s", cmd.Args, all)
		}
	}
	const authenticated = "WatchedEvent state:SaslAuthenticated type:None path:null zxid: -1\n"
	for name, client := range map[string]cliCommand{"zkcli": stock, "zooraft": own} {
		bobs := "/" + name
		want(client(t, server, "whoami"), 0, authenticated, "sasl: bob\n")
		want(client(t, server, "create", bobs, "x", "sasl:bob:cdrwa"), 0, "Created "+bobs)
		want(client(t, server, "get", bobs), 0, "x")
		want(client(t, server, append(section("Ann"), "whoami")...), 0, authenticated, "sasl: ann\n")
		want(client(t, server, append(section("Ann"), "get", bobs)...), 1, "Insufficient permission : "+bobs)
	}

	for _, name := range []string{"Wrong", "Stranger"} {
		refused := []string{"KeeperErrorCode = AuthFailed", "login by SASL: KeeperErrorCode = ", "; see the section " + name + " of " + login}
		want(own(t, server, append(section(name), "get", "/zkcli")...), 1, refused...)
	}
	want(own(t, server, append(section("None"), "ls", "/")...), 2, "it has no section None")
	without := testkit.WriteFile(t, "client.properties", []byte("zookeeper.sasl.client=false\n"))
	want(own(t, server, "-client-configuration", without, "ls", "/"), 1, "KeeperErrorCode = Session closed because client failed to authenticate for /")

	// A script, line for line.
	script := "whoami\nls /\ncreate /script x sasl:bob:cdrwa\ngetAcl /script\nset /script y\ndelete /script\nquit\n"
	var answers [][]string
	for _, client := range []cliCommand{stock, own} {
		cmd := client(t, server, "-waitforconnection")
		cmd.Stdin = strings.NewReader(script)
		stdout, stderr, code := run(t, cmd)
		if code != 0 {
			t.Errorf("%q: exit code %d:\n%s", cmd.Args, code, stderr)
		}
		said, events := answersOf(stdout)
		answers = append(answers, said)
		if !slices.Contains(events, strings.TrimSpace(authenticated)) {
			t.Errorf("%q: got the events %q", cmd.Args, events)
		}
	}
	compareLines(t, "stdout", answers[1], answers[0])
	// A server without a login file.
	plain := start(t, 1)
	want(own(t, plain.Connect(), "ls", "/"), 1, "the server offers no DIGEST-MD5; see the section Client of "+login)
}
