package zoocfg

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

const jaas = `
Server {
    org.apache.zookeeper.server.auth.DigestLoginModule required user_super="hunter2" user_bob="hunter3";
};
Other { org.apache.zookeeper.server.auth.DigestLoginModule required user_eve="hunter4"; };
Kerberos { com.sun.security.auth.module.Krb5LoginModule required keyTab="/etc/zk.keytab"; };
Strange { com.example.Login required; };
`

// logins lists the users of a configuration.
func logins(cfg *server.Config) string {
	var all []string
	for _, m := range cfg.SASLLogin {
		for _, o := range m.Options {
			all = append(all, o.Key+"="+o.Value)
		}
	}
	return strings.Join(all, " ")
}

func TestLogin(t *testing.T) {
	const file, none = "java.security.auth.login.config=/jaas.conf\n", "No JAAS configuration section named "
	fsys := files{"/jaas.conf": jaas, "/torn.conf": "Server {\n user_bob=\"hunter3\" };", "/peers.conf": "QuorumServer { a.B required; };"}
	for _, tt := range []struct {
		name, text string
		words      []Word
		logins     string
		fault      string // its beginning
		warning    string
	}{
		{name: "none"},
		{name: "file", text: file, logins: "user_super=hunter2 user_bob=hunter3"},
		{name: "property", words: []Word{{"java.security.auth.login.config==/jaas.conf", "SERVER_JVMFLAGS"}}, logins: "user_super=hunter2 user_bob=hunter3"},
		{name: "URL", text: "java.security.auth.login.config==file:/jaas.conf\n", logins: "user_super=hunter2 user_bob=hunter3"},
		{name: "another section", text: file + "sasl.serverconfig=Other\n", logins: "user_eve=hunter4"},
		{name: "another section by a property", text: file, words: []Word{{"zookeeper.sasl.serverconfig=Other", "JVMFLAGS"}}, logins: "user_eve=hunter4"},
		{name: "no such section", text: file + "sasl.serverconfig=Nope\n", fault: "/zoo.cfg:3: java.security.auth.login.config: " + none + "'Nope' was found in '/jaas.conf'."},
		{name: "no section Server", text: "java.security.auth.login.config=/peers.conf\n", fault: "/zoo.cfg:3: java.security.auth.login.config: " + none + "'Server' was found in '/peers.conf'."},
		{name: "a file for peers alone", text: "java.security.auth.login.config=/peers.conf\nquorum.auth.enableSasl=true\n", warning: "there is no section 'Server' in /peers.conf"},
		{name: "a file for peers, and a section", text: "java.security.auth.login.config=/peers.conf\nquorum.auth.enableSasl=true\nsasl.serverconfig=Server\n",
			fault: "/zoo.cfg:3: java.security.auth.login.config: " + none + "'Server' was found in '/peers.conf'."},
		{name: "no file", text: "java.security.auth.login.config=/none\n", fault: "/zoo.cfg:3: java.security.auth.login.config: " + none + "'Server' was found in '/none'.: open /none"},
		{name: "a section without a file", text: "sasl.serverconfig=Other\n", fault: "/zoo.cfg:3: sasl.serverconfig: " + none + "'Other' was found But zookeeper.sasl.serverconfig was set."},
		{name: "torn", text: "java.security.auth.login.config=/torn.conf\n", fault: "/zoo.cfg:3: java.security.auth.login.config: /torn.conf: line 2: "},
		{name: "Kerberos", text: file + "sasl.serverconfig=Kerberos\n", fault: "/zoo.cfg:3: java.security.auth.login.config: line 6 of the file: a server needs useKeyTab=true"},
		{name: "a class of one's own", text: file + "sasl.serverconfig=Strange\n", fault: `/zoo.cfg:3: java.security.auth.login.config: line 7 of the file: the class "com.example.Login" cannot be loaded`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys["/zoo.cfg"] = "dataDir=/d\nclientPort=2181\n" + tt.text
			cfg, warnings, err := loadWith(Sources{Path: "/zoo.cfg", Words: tt.words}, fsys.read)
			switch {
			case tt.fault == "" && err != nil, tt.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.fault) || strings.Contains(err.Error(), "\n")):
				t.Fatalf("got %v, want %q", err, tt.fault)
			case err != nil && strings.Contains(err.Error(), "hunter"):
				t.Errorf("a secret in %q", err)
			case err == nil && logins(&cfg) != tt.logins:
				t.Errorf("got %q, want %q", logins(&cfg), tt.logins)
			}
			if text := strings.Join(warnings, "\n"); tt.warning == "" && strings.Contains(text, "login") || !strings.Contains(text, tt.warning) {
				t.Errorf("warnings %q, want %q", warnings, tt.warning)
			}
		})
	}
}

func TestSASLKeys(t *testing.T) {
	fsys := files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\nsuperUser=root\nsuperUser.1=chief\nsuperUser.ops=\n" +
		"SASLAuthenticationProvider.superPassword=hunter2\nallowSaslFailedClients=true\nkerberos.removeHostFromPrincipal=true\n" +
		"kerberos.removeRealmFromPrincipal=true\nsecurity.auth_to_local=RULE:[1:$1]\n"}
	loaded, err := load(Sources{Path: "/zoo.cfg", Words: []Word{{"zookeeper.superUser.x=third", "JVMFLAGS"}}}, fsys.read)
	cfg := loaded.Config
	slices.Sort(cfg.SASLSuperUsers)
	if err != nil || !slices.Equal(cfg.SASLSuperUsers, []string{"chief", "root", "third"}) || cfg.SASLSuperPassword != "hunter2" || !cfg.AllowSASLFailed ||
		!cfg.KerberosRemoveHost || !cfg.KerberosRemoveRealm || cfg.KerberosRules != "RULE:[1:$1]" {
		t.Errorf("got %+v, %v", cfg, err)
	}
	for _, s := range append(loaded.Settings, loaded.Effective...) {
		if strings.Contains(s.Value+s.Given, "hunter2") {
			t.Errorf("a secret is shown: %+v", s)
		}
	}
}

// What krb5.conf says counts where clients log in with tickets.
func TestKerberosConfig(t *testing.T) {
	const keytab = "java.security.auth.login.config=/keytab.conf\n"
	fsys := files{"/jaas.conf": jaas, "/broken": "word", "/k": "[libdefaults]\ndefault_realm = K\nclockskew = 60\n",
		"/keytab.conf":   `Server { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab="/k" principal="zookeeper/h"; };`,
		"/etc/krb5.conf": "[libdefaults]\ndefault_realm = ETC\n"}
	for _, tt := range []struct {
		name, text, without string // without a file
		krb5                string // the file in /etc, if not the usual one
		realm               string
		skew                time.Duration
		fault               string
	}{
		{name: "no tickets", text: "java.security.auth.login.config=/jaas.conf\njava.security.krb5.conf=/broken\n"},
		{name: "/etc/krb5.conf", text: keytab, realm: "ETC"},
		{name: "none", text: keytab, without: "/etc/krb5.conf"},
		{name: "another", text: keytab + "java.security.krb5.conf=/k\n", realm: "K", skew: time.Minute},
		{name: "another realm", text: keytab + "java.security.krb5.realm=R\n", realm: "R"},
		{name: "not there", text: keytab + "java.security.krb5.conf=/none\n", fault: "/zoo.cfg:4: java.security.krb5.conf: open /none"},
		{name: "including what is not there", text: keytab, krb5: "include /none", fault: "/zoo.cfg:3: java.security.auth.login.config: /etc/krb5.conf: line 1: open /none"},
		{name: "broken", text: keytab + "java.security.krb5.conf=/broken\n", fault: "/zoo.cfg:4: java.security.krb5.conf: /broken: line 1: neither"},
	} {
		fsys := maps.Clone(fsys)
		delete(fsys, tt.without)
		if tt.krb5 != "" {
			fsys["/etc/krb5.conf"] = tt.krb5
		}
		fsys["/zoo.cfg"] = "dataDir=/d\nclientPort=2181\n" + tt.text
		cfg, _, err := loadWith(Sources{Path: "/zoo.cfg"}, fsys.read)
		if (err == nil) != (tt.fault == "") || err != nil && !strings.HasPrefix(err.Error(), tt.fault) || cfg.KerberosRealm != tt.realm || cfg.KerberosSkew != tt.skew {
			t.Errorf("%s: got %q, %v, %v, want %q, %v, %q", tt.name, cfg.KerberosRealm, cfg.KerberosSkew, err, tt.realm, tt.skew, tt.fault)
		}
	}
}

// Between servers there is TLS, and no SASL.
func TestQuorumAuth(t *testing.T) {
	const tls = "sslQuorum=true\nssl.quorum.keyStore.location=/k.pem\nssl.quorum.trustStore.location=/t.pem\n"
	const all = "quorum.auth.enableSasl=true\nquorum.auth.learnerRequireSasl=true\nquorum.auth.serverRequireSasl=true\n"
	for _, tt := range []struct{ text, fault string }{
		{"quorum.auth.enableSasl=true\n", ""},
		{"quorum.auth.enableSasl=true\nquorum.auth.learnerRequireSasl=true\n", ""},
		{all, "/zoo.cfg:5: quorum.auth.serverRequireSasl: there is no SASL between servers, only TLS; set sslQuorum=true"},
		{tls + all, ""},
		{tls + "portUnification=true\n" + all, "/zoo.cfg:9: quorum.auth.serverRequireSasl: with portUnification=true whoever speaks plain text"},
		{tls + "ssl.quorum.clientAuth=want\n" + all, "/zoo.cfg:9: quorum.auth.serverRequireSasl: with ssl.quorum.clientAuth=want whoever shows no certificate"},
		{tls + "ssl.quorum.clientAuth=NEED\n" + all, ""},
		{tls + "quorum.auth.serverRequireSasl=true\n", "/zoo.cfg:6: quorum.auth.serverRequireSasl: quorum.auth.serverRequireSasl=true needs quorum.auth.learnerRequireSasl=true"},
		{tls + "quorum.auth.learnerRequireSasl=true\n", "/zoo.cfg:6: quorum.auth.learnerRequireSasl: quorum.auth.learnerRequireSasl=true needs quorum.auth.enableSasl=true"},
		{"quorum.auth.enableSasl=maybe\n", "/zoo.cfg:3: quorum.auth.enableSasl: Invalid option maybe"},
	} {
		_, warnings, err := loadWords("/zoo.cfg", nil, files{"/zoo.cfg": "dataDir=/d\nclientPort=2181\n" + tt.text}.read)
		if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.fault)) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.fault)
		}
		if err == nil && !strings.Contains(strings.Join(warnings, "\n"), "quorum.auth.enableSasl has no effect: servers prove") {
			t.Errorf("%q: warnings %q", tt.text, warnings)
		}
	}
}

// The users that Bitnami's image makes a login file of.
func TestEnvironmentAuth(t *testing.T) {
	fsys := files{"/run/passwords": "hunter2;hunter3\n", "/jaas.conf": jaas}
	vars := []string{"ZOO_ENABLE_AUTH=yes", "ZOO_SERVER_USERS=bob,alice", "ZOO_SERVER_PASSWORDS_FILE=/run/passwords", "ZOO_CLIENT_USER=bob", "ZOO_CLIENT_PASSWORD=hunter2", "ZOO_TICK_TIME=2000"}
	cfg, warnings, err := inEnvironment("c0ffee", fsys, vars...)
	if err != nil || len(warnings) != 0 || logins(&cfg) != "user_bob=hunter2 user_alice=hunter3" || !slices.Equal(cfg.AuthProviders, []string{server.SchemeSASL}) {
		t.Errorf("got %q, %q, warnings %q, %v", logins(&cfg), cfg.AuthProviders, warnings, err)
	}
	if m := cfg.SASLLogin; len(m) != 1 || m[0].Class != zabcompat.DigestLogin {
		t.Errorf("got %+v", m)
	}
	env := NewEnvironment(vars, "c0ffee")
	_, err = load(Sources{Env: env, Words: []Word{{loginKey + "=/jaas.conf", "JVMFLAGS"}}}, fsys.read)
	if err == nil || !strings.Contains(err.Error(), "differs from $ZOO_SERVER_USERS") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("with a file, too: %v", err)
	}
	// Off, nobody looks at them.
	cfg, _, err = inEnvironment("c0ffee", fsys, "ZOO_ENABLE_AUTH=no", "ZOO_SERVER_USERS=bob", "ZOO_TICK_TIME=2000")
	if err != nil || cfg.SASLLogin != nil || cfg.AuthProviders != nil {
		t.Errorf("off: got %+v, %v", cfg.SASLLogin, err)
	}
}
