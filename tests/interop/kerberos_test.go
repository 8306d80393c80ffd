//go:build interop

package interop

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	kerberosLogin = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false "
	krb5Property  = "java.security.krb5.conf="
)

// kerberosOptions are for servers whose clients log in with tickets for zookeeper/localhost.
func kerberosOptions(t *testing.T, k *kdc, keytab string, lines ...string) harness.Options {
	t.Helper()
	login := writeLogin(t, `Server { `+kerberosLogin+`keyTab="`+keytab+`" principal="zookeeper/localhost@`+realm+`"; };`)
	return harness.Options{Lines: append(lines, saslProvider), Defines: []string{loginProperty + login, krb5Property + k.config}}
}

// kerberosZkCli is a zkCli that logs in with a keytab.
func kerberosZkCli(t *testing.T, k *kdc, server, keytab, principal string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := zkCli(t, strings.ReplaceAll(server, "127.0.0.1", "localhost"), args...)
	login := writeLogin(t, `Client { `+kerberosLogin+`keyTab="`+keytab+`" principal="`+principal+`"; };`)
	cmd.Args = slices.Insert(cmd.Args, 1, "-D"+loginProperty+login, "-D"+krb5Property+k.config)
	return cmd
}

// TestKerberosZkCli has stock command lines log in with tickets, by several rules for their names.
func TestKerberosZkCli(t *testing.T) {
	zooKeeperJars(t)
	java(t)
	k := startKDC(t, "zookeeper/localhost", "alice", "bob/host.example")
	keytab := k.keytab("server.keytab", "zookeeper/localhost")
	clients := k.keytab("client.keytab", "alice")
	k.keytab("client.keytab", "bob/host.example")
	for _, tt := range []struct {
		name       string
		lines      []string
		alice, bob string
	}{
		{"default", nil, "alice@" + realm, "bob/host.example@" + realm},
		{"removed", []string{"kerberos.removeHostFromPrincipal=true", "kerberos.removeRealmFromPrincipal=true"}, "alice", "bob"},
		{"rules", []string{"kerberos.removeRealmFromPrincipal=true", `security.auth_to_local=RULE:[1:$1_x](a.*)s/_(x)/-$1$1/ RULE:[2:$1.$2]s/o/0/g`}, "alice-xx", "b0b.h0st.example/host.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := kerberosOptions(t, k, keytab)
			// What is no key of zoo.cfg's own in ZooKeeper has to be a property there.
			for _, line := range tt.lines {
				o.Defines = append(o.Defines, "zookeeper."+line)
			}
			e := startWith(t, o)
			for _, step := range []struct {
				principal string
				args      []string
				code      int
				said      string
			}{
				{"alice@" + realm, []string{"whoami"}, 0, "sasl: " + tt.alice + "\n"},
				{"alice@" + realm, []string{"create", "/n", "secret", "sasl:" + tt.alice + ":cdrwa"}, 0, "Created /n"},
				{"alice@" + realm, []string{"get", "/n"}, 0, "secret"},
				{"bob/host.example@" + realm, []string{"get", "/n"}, 1, "Insufficient permission : /n"},
				{"bob/host.example@" + realm, []string{"whoami"}, 0, "sasl: " + tt.bob + "\n"},
			} {
				wantSaid(t, kerberosZkCli(t, k, e.Connect(), clients, step.principal, step.args...), step.code, step.said)
			}
		})
	}
}

// TestKerberosCLI has our command line log in, by a keytab and by a ticket cache, with the same login file as zkCli.
func TestKerberosCLI(t *testing.T) {
	k := startKDC(t, "zookeeper/localhost", "+requires_preauth alice", "bob/host.example", "zookeeper/other")
	keytab := k.keytab("server.keytab", "zookeeper/localhost")
	clients := k.keytab("client.keytab", "alice")
	k.keytab("client.keytab", "bob/host.example")
	wrong := k.keytab("wrong.keytab", "bob/host.example") // which makes the key before it useless
	e := startWith(t, kerberosOptions(t, k, keytab))
	server := e.Server(1).ClientAddr
	fromKeytab := func(file, principal string) string {
		return kerberosLogin + `keyTab="` + file + `" principal="` + principal + `"`
	}
	const fromCache = `com.sun.security.auth.module.Krb5LoginModule required useTicketCache=true doNotPrompt=true ticketCache="`
	k.run("kinit", "-k", "-t", clients, "alice")
	cache := filepath.Join(k.dir, "cache")
	for _, tt := range []struct {
		name, login string
		flags       []string
		code        int
		said        string
	}{
		{"keytab", fromKeytab(clients, "alice"), nil, 0, "sasl: alice@" + realm},
		{"another keytab", fromKeytab(wrong, "bob/host.example@"+realm), nil, 0, "sasl: bob/host.example@" + realm},
		{"cache", fromCache + cache + `"`, nil, 0, "sasl: alice@" + realm},
		{"cache of somebody else, and a keytab", fromKeytab(wrong, "bob/host.example") + ` useTicketCache=true ticketCache="` + cache + `"`, nil, 0, "sasl: bob/host.example@" + realm},
		{"cache of somebody else", fromCache + cache + `" principal="bob"`, nil, 1, "it is alice@" + realm + "'s, not bob@" + realm + "'s"},
		{"no cache", fromCache + cache + `x"`, nil, 1, "ticket cache " + cache + "x: open"},
		{"old key", fromKeytab(clients, "bob/host.example"), nil, 1, "the keytab's keys are not the client's"},
		{"not in the keytab", fromKeytab(clients, "eve"), nil, 1, "no key of eve@" + realm},
		{"no such server", fromKeytab(clients, "alice"), []string{"-Dzookeeper.sasl.client.username=kafka"}, 1, "ticket for kafka/localhost@" + realm + ": the key distribution center refuses: the server is not known there"},
		{"another server", fromKeytab(clients, "alice"), []string{"-Dzookeeper.server.principal=zookeeper/other"}, 1, "AuthFailed"},
		{"the server by its principal", fromKeytab(clients, "alice"), []string{"-Dzookeeper.server.principal=zookeeper/localhost@" + realm}, 0, "sasl: alice@" + realm},
		{"another realm", fromKeytab(clients, "alice"), []string{"-Dzookeeper.server.realm=OTHER"}, 1, "ticket for krbtgt/OTHER@" + realm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			login := writeLogin(t, "Client { "+tt.login+"; };")
			cmd := zooraftCLI(t, strings.ReplaceAll(server, "127.0.0.1", "localhost"), "whoami")
			flags := append([]string{"-D" + loginProperty + login, "-D" + krb5Property + k.config}, tt.flags...)
			cmd.Env = append(os.Environ(), "CLIENT_JVMFLAGS="+strings.Join(flags, " "))
			wantSaid(t, cmd, tt.code, tt.said)
		})
	}
}

// gssClient is gssapi_client.py under way.
type gssClient struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr strings.Builder
}

func openGSSClient(t *testing.T, k *kdc, how string) *gssClient {
	t.Helper()
	const python = "/usr/bin/python3" // for which Debian's package is
	if exec.CommandContext(withDeadline(t, clientTimeout), python, "-c", "import gssapi").Run() != nil {
		lacking(t, "gssapi of "+python)
	}
	cmd := exec.CommandContext(withDeadline(t, clientTimeout), python, "-B", "gssapi_client.py", "zookeeper@localhost", how)
	cmd.Env = k.environment()
	c := &gssClient{t: t, cmd: cmd}
	var err error
	c.in, err = cmd.StdinPipe()
	must(t, "pipe", err)
	out, err := cmd.StdoutPipe()
	must(t, "pipe", err)
	c.out = bufio.NewScanner(out)
	cmd.Stderr = &c.stderr
	must(t, "start "+python, cmd.Start())
	return c
}

// step hands over what the server has sent. At the end there is no more to send.
func (c *gssClient) step(token []byte) (response []byte, end bool) {
	c.t.Helper()
	_, err := fmt.Fprintf(c.in, "%x\n", token)
	must(c.t, "write", err)
	if !c.out.Scan() {
		c.t.Fatalf("gssapi_client.py ends: %v\n%s", c.cmd.Wait(), &c.stderr)
	}
	if c.out.Text() == "end" {
		must(c.t, "gssapi_client.py", c.cmd.Wait())
		return nil, true
	}
	response, err = hex.DecodeString(c.out.Text())
	must(c.t, "decode", err)
	return response, false
}

// token sends one and returns the code and the token that come back.
func (w *wire) token(token []byte) (protocol.ErrCode, []byte) {
	w.t.Helper()
	code, b := w.call(protocol.OpSASL, &protocol.SASLPacket{Token: append([]byte{}, token...)})
	var p protocol.SASLPacket
	d := protocol.NewDecoder(b)
	if p.Decode(&d); code == protocol.ErrOK && d.Err() != nil {
		w.t.Fatal(d.Err())
	}
	return code, p.Token
}

// logIn goes through all of a login, and returns the client's first token.
func (c *gssClient) logIn(w *wire) (first []byte) {
	c.t.Helper()
	var challenge []byte
	for {
		response, end := c.step(challenge)
		if end {
			return first
		}
		if first == nil {
			first = response
		}
		var code protocol.ErrCode
		if code, challenge = w.token(response); code != protocol.ErrOK {
			c.t.Fatalf("a token is answered by %v", code)
		}
	}
}

// sasl is the id by which w is known.
func (w *wire) sasl() string {
	w.t.Helper()
	_, b := w.call(protocol.OpWhoAmI, nil)
	d := protocol.NewDecoder(b)
	for range d.Int32() {
		if scheme, id := d.String(), d.String(); scheme == "sasl" {
			return id
		}
	}
	return ""
}

// TestKerberosMIT has MIT's library log in, which asks for proof of the server if it is told to, with session keys of
// all types; the server's keytab gets new keys meanwhile.
func TestKerberosMIT(t *testing.T) {
	k := startKDC(t, "zookeeper/localhost", "alice")
	keytab := k.keytab("server.keytab", "zookeeper/localhost")
	clients := k.keytab("client.keytab", "alice")
	e := startWith(t, kerberosOptions(t, k, keytab))
	addr := e.Server(1).ClientAddr
	for _, etype := range []string{"aes128-cts", "aes256-cts", "aes128-sha2", "aes256-sha2"} {
		for _, how := range []string{"proof", "trust"} {
			t.Run(etype+", "+how, func(t *testing.T) {
				k.run("kinit", "-k", "-t", clients, "alice")
				k.run("kvno", "-e", etype, "zookeeper/localhost")
				w := open(t, addr, false)
				first := openGSSClient(t, k, how).logIn(w)
				if got := w.sasl(); got != "alice@"+realm {
					t.Errorf("known as %q", got)
				}
				if code, _ := open(t, addr, false).token(first); code != protocol.ErrAuthFailed {
					t.Errorf("the same token once more is answered by %v", code)
				}
			})
		}
	}
	t.Run("new keys", func(t *testing.T) {
		k.run("kinit", "-k", "-t", clients, "alice")
		k.run("kvno", "zookeeper/localhost") // a ticket for the old ones
		k.keytab("server.keytab", "zookeeper/localhost")
		for range 2 {
			w := open(t, addr, false)
			openGSSClient(t, k, "proof").logIn(w)
			if got := w.sasl(); got != "alice@"+realm {
				t.Errorf("known as %q", got)
			}
			k.run("kinit", "-k", "-t", clients, "alice") // and one for the new ones
		}
	})
	// One that no rule is for has its whole name here; there it is whoever it says it wants to be.
	t.Run("no rule", func(t *testing.T) {
		o := kerberosOptions(t, k, keytab)
		o.Defines = append(o.Defines, "zookeeper.security.auth_to_local=RULE:[2:$1]")
		want := "alice@" + realm
		if os.Getenv("ZOORAFT_ORACLE") == "1" {
			want = "whoever"
		}
		k.run("kinit", "-k", "-t", clients, "alice")
		w := open(t, startWith(t, o).Server(1).ClientAddr, false)
		openGSSClient(t, k, "proof").logIn(w)
		if got := w.sasl(); got != want {
			t.Errorf("known as %q, want %q", got, want)
		}
	})
}
