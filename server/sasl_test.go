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
	m := zabcompat.LoginModule{Class: DigestLogin, Flag: "required", Line: 2}
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

func TestSASLProblem(t *testing.T) {
	for class, want := range map[string]string{
		KerberosLogin: "java.security.auth.login.config: line 2 of the file: Kerberos is not supported",
		"a.B":         `java.security.auth.login.config: line 2 of the file: the class "a.B" cannot be loaded`,
	} {
		cfg := DefaultConfig()
		cfg.SASLLogin = digestSection("user_bob", "hunter2")
		cfg.SASLLogin[0].Class = class
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", class, err)
		}
	}
	cfg := DefaultConfig()
	if servers, err := cfg.saslServers(hclog.NewNullLogger()); servers != nil || err != nil {
		t.Errorf("without a section there is a mechanism, or %v", err)
	}
}
