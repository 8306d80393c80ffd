package server

import (
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol/sasl"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

func digestSection(pairs ...string) []zabcompat.LoginModule {
	m := zabcompat.LoginModule{Class: zabcompat.DigestLogin, Line: 2}
	for i := 0; i < len(pairs); i += 2 {
		m.Options = append(m.Options, zabcompat.LoginOption{Key: pairs[i], Value: pairs[i+1]})
	}
	return []zabcompat.LoginModule{m}
}

// Who logs in by which password.
func TestSASLLogin(t *testing.T) {
	two := append(digestSection("user_bob", "pw", "debug", "true"), digestSection("user_alice", "pw2", "user_bob", "pw3")...)
	for _, tt := range []struct {
		name           string
		section        []zabcompat.LoginModule
		super          string
		user, password string
		ok             bool
	}{
		{"bob", digestSection("user_bob", "pw"), "", "bob", "pw", true},
		{"wrong", digestSection("user_bob", "pw"), "", "bob", "pw2", false},
		{"unknown", digestSection("user_bob", "pw"), "", "alice", "pw", false},
		{"no user", digestSection("debug", "true"), "", "debug", "true", false},
		{"two modules", two, "", "alice", "pw2", true},
		{"two modules, the later", two, "", "bob", "pw3", true},
		{"two modules, the earlier", two, "", "bob", "pw", false},
		{"super", digestSection("user_super", "pw"), "", "super", "pw", true},
		{"super by the property", digestSection("user_super", "pw"), "secret", "super", "secret", true},
		{"super by the section, with the property", digestSection("user_super", "pw"), "secret", "super", "pw", false},
		{"super that the section does not have", digestSection("user_bob", "pw"), "secret", "super", "secret", false},
		{"bob with the property", digestSection("user_bob", "pw"), "secret", "bob", "pw", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines testkit.Buffer
			cfg := DefaultConfig()
			cfg.SASLLogin, cfg.SASLSuperPassword = tt.section, tt.super
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			servers, err := cfg.saslServers(hclog.New(&hclog.LoggerOptions{Output: &lines, Level: hclog.Trace}))
			if err != nil {
				t.Fatal(err)
			}
			s, c := servers(), sasl.NewDigestClient(tt.user, tt.password)
			var reply []byte
			user := ""
			for range 2 {
				token, _, failed := c.Step(reply)
				if failed != nil {
					t.Fatal(failed)
				}
				if reply, user, err = s.Step(token); err != nil {
					break
				}
			}
			if (err == nil) != tt.ok || tt.ok && user != tt.user {
				t.Errorf("got %q, %v", user, err)
			}
			if text := lines.String(); !strings.Contains(text, "clients can log in by SASL") || strings.Contains(text, "pw") || strings.Contains(text, "secret") {
				t.Errorf("logged %q", text)
			}
		})
	}
}

func kerberosSection(pairs ...string) []zabcompat.LoginModule {
	section := digestSection(pairs...)
	section[0].Class = zabcompat.KerberosLogin
	return section
}

func TestSASLProblem(t *testing.T) {
	other := digestSection("user_bob", "hunter2")
	other[0].Class = "a.B"
	keytab := []string{"useKeyTab", "True", "keyTab", "/none", "principal", "zookeeper/zk1@HOME"}
	const options = "java.security.auth.login.config: line 2 of the file: a server needs useKeyTab=true, keyTab="
	for _, tt := range []struct {
		name    string
		section []zabcompat.LoginModule
		want    string // "" if only the start finds out
	}{
		{"no class", other, `java.security.auth.login.config: line 2 of the file: the class "a.B" cannot be loaded`},
		{"a ticket of the cache", kerberosSection("useTicketCache", "true"), options},
		{"no use", kerberosSection(append(keytab, "useKeyTab", "false")...), options},
		{"no keytab", kerberosSection(append(keytab, "keyTab", "")...), options},
		{"no principal", kerberosSection(append(keytab, "principal", "")...), options},
		{"two", append(kerberosSection(keytab...), digestSection("user_bob", "hunter2")...), "java.security.auth.login.config: line 2 of the file: a module of Kerberos has to be the only"},
		{"all", kerberosSection(keytab...), ""},
	} {
		cfg := DefaultConfig()
		cfg.SASLLogin = tt.section
		err := cfg.Validate()
		if (err == nil) != (tt.want == "") || err != nil && (!strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	cfg := DefaultConfig()
	if servers, err := cfg.saslServers(hclog.NewNullLogger()); servers != nil || err != nil {
		t.Errorf("without a section there is a mechanism, or %v", err)
	}
}

// With a keytab there is GSSAPI; what is wrong with it ends the start.
func TestSASLKerberos(t *testing.T) {
	var lines testkit.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &lines, Level: hclog.Trace})
	for _, tt := range []struct{ keytab, principal, rules, realm, err string }{
		{"kerberos/testdata/server.keytab", "zookeeper/localhost@TEST.EXAMPLE", "", "", ""},
		{"FILE:kerberos/testdata/server.keytab", "zookeeper/localhost", "DEFAULT", "TEST.EXAMPLE", ""},
		{"/none", "zookeeper/localhost@TEST.EXAMPLE", "", "", "line 2 of the file: keytab: open /none"},
		{"kerberos/testdata/server.keytab", "zookeeper/zk1@TEST.EXAMPLE", "", "", "line 2 of the file: keytab kerberos/testdata/server.keytab: no key of zookeeper/zk1@TEST.EXAMPLE"},
		{"kerberos/testdata/server.keytab", "zookeeper/localhost", "", "", `line 2 of the file: principal "zookeeper/localhost"`},
		{"kerberos/testdata/server.keytab", "zookeeper/localhost@TEST.EXAMPLE", "RULE:[", "", `line 2 of the file: auth_to_local: "RULE:["`},
	} {
		cfg := DefaultConfig()
		cfg.SASLLogin = kerberosSection("useKeyTab", "true", "keyTab", tt.keytab, "principal", tt.principal)
		cfg.KerberosRules, cfg.KerberosRealm = tt.rules, tt.realm
		servers, err := cfg.saslServers(log)
		if (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%+v: got %v", tt, err)
		}
		if err == nil {
			if _, _, err := servers().Step([]byte("n,,n=user")); err == nil || !strings.Contains(err.Error(), "GSSAPI") {
				t.Errorf("%+v: a token of another mechanism gives %v", tt, err)
			}
		}
	}
	if n := strings.Count(lines.String(), "clients can log in by SASL: mechanism=GSSAPI"); n != 2 {
		t.Errorf("said %d times, want 2: %s", n, lines.String())
	}
}
