package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zooraft/protocol"
	"zooraft/protocol/sasl"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

func configFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A login file of the environment counts if it has what a client logs in with; one of
// -client-configuration has to.
func TestLoginFile(t *testing.T) {
	file := configFile(t, "jaas.conf", `// Client {
Server { `+zabcompat.DigestLogin+` required user_Client="} Client {"; };
Other { `+zabcompat.DigestLogin+` required username=bob password="hunter2"; };
Nameless { `+zabcompat.DigestLogin+` required password="hunter2"; };
Ticket { `+zabcompat.KerberosLogin+` required useKeyTab=true keyTab="/none"; };
Custom { org.example.Login required password="hunter2"; };
Two { `+zabcompat.DigestLogin+` required username=bob password="hunter2";
`+zabcompat.DigestLogin+` required username=eve password="hunter2"; };
`)
	broken := configFile(t, "jaas.conf", "Client { x.Y required password=hun ter2; };")
	const section = keySASLSection + "="
	tests := []struct {
		name        string
		environment []string
		properties  string // of -client-configuration
		section     string // of the login, if there is one
		err         string
	}{
		{"none", []string{section + "Other"}, "", "", ""},
		{"a server's", []string{keyLoginFile + "=" + file}, "", "", ""},
		{"a name that is not there", []string{keyLoginFile + "=" + file, section + "None"}, "", "", ""},
		{"not there", []string{keyLoginFile + "=" + file + "x", section + "Other"}, "", "", ""},
		{"by another name", []string{keyLoginFile + "=" + file, section + "Other"}, "", "Other", ""},
		{"a URL, and the only one", []string{keyLoginFile + "==file:" + file, section + "Other"}, "", "Other", ""},
		{"switched on", []string{keyLoginFile + "=" + file, section + "Other", keySASL + "=True"}, "", "Other", ""},
		{"switched off", []string{keyLoginFile + "=" + file, section + "Custom", keySASL + "=FALSE"}, "", "", ""},
		{"switched off by the file", []string{keyLoginFile + "=" + file, section + "Custom"}, keySASL + ": false\n", "", ""},
		{"neither on nor off", []string{keySASL + "=no"}, "", "", "CLIENT_JVMFLAGS: zookeeper.sasl.client=no: give true or false"},
		{"by the file", nil, keyLoginFile + "=" + file + "\n" + section + "Other\n", "Other", ""},
		{"the section by the file", []string{keyLoginFile + "=" + file}, section + "Other\n", "Other", ""},
		{"a server's, by the file", nil, keyLoginFile + "=" + file + "\n", "", file + ": it has no section Client"},
		{"not there, by the file", nil, keyLoginFile + "=" + file + "x\n", "", "client.properties: java.security.auth.login.config: open "},
		{"no file", nil, section + "Other\n", "", "client.properties: zookeeper.sasl.clientconfig=Other: name the file"},
		{"a faulty file", []string{keyLoginFile + "=" + broken}, "", "", broken + ": line 1: = is missing"},
		{"no user", []string{keyLoginFile + "=" + file, section + "Nameless"}, "", "", file + ": line 4: section Nameless: the module wants username and password"},
		{"a server's section", []string{keyLoginFile + "=" + file, section + "Server"}, "", "", "line 2: section Server: the module wants username"},
		{"Kerberos", []string{keyLoginFile + "=" + file, section + "Ticket"}, "", "", "line 5: section Ticket: useKeyTab=true with keyTab and principal, or useTicketCache=true; nobody is asked for a password; zookeeper.sasl.client=false"},
		{"Kerberos, neither on nor off", []string{keyLoginFile + "=" + file, section + "Ticket", keyKerberosCanonic + "=off"}, "", "", "CLIENT_JVMFLAGS: zookeeper.sasl.client.canonicalize.hostname=off: give true or false"},
		{"another class", []string{keyLoginFile + "=" + file, section + "Custom"}, "", "", "line 6: section Custom: org.example.Login: this client does not know"},
		{"two modules", []string{keyLoginFile + "=" + file, section + "Two"}, "", "", "line 8: a second module in the section Two"},
	}
	for _, tt := range tests {
		var environment []Property
		for _, text := range tt.environment {
			environment = append(environment, Property{text, "CLIENT_JVMFLAGS"})
		}
		path := ""
		if tt.properties != "" {
			path = configFile(t, "client.properties", tt.properties)
		}
		var c configured
		err := c.read(environment, path)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: got the error %v, want %q", tt.name, err, tt.err)
			}
		case err != nil || (c.beginLogin() != nil) != (tt.section != "") || tt.section != "" && (c.login.section != tt.section || c.login.file != file):
			t.Errorf("%s: got %+v, %v; want the section %q", tt.name, c.login, err, tt.section)
		}
	}
}

// knowing answers as a server that knows bob; to whom it does not know it says nothing
// else. It is for one connection at a time.
func knowing(password string) answers {
	var negotiation *sasl.DigestServer
	known := false
	return func(op protocol.OpCode, d protocol.Decoder) ([]byte, protocol.ErrCode, bool) {
		if op != protocol.OpSASL {
			if !known {
				return nil, protocol.ErrSessionClosedRequireAuth, true
			}
			return znodes(op, d)
		}
		var packet protocol.SASLPacket
		if packet.Decode(&d); len(packet.Token) == 0 {
			negotiation = sasl.NewDigestServer(func(user string) (string, bool) { return password, user == "bob" })
		}
		reply, user, err := negotiation.Step(packet.Token)
		if err != nil {
			return (&protocol.SASLPacket{}).Append(nil), protocol.ErrAuthFailed, true
		}
		known = user != ""
		return (&protocol.SASLPacket{Token: reply}).Append(nil), protocol.ErrOK, true
	}
}

// A key distribution center that is not there is no refusal: the command is lost as it is without a server, and is told why.
func TestLoginWithoutCenter(t *testing.T) {
	port := testkit.Ports(t, 1)[0]
	conf := configFile(t, "krb5.conf", fmt.Sprintf("[realms]\nTEST.EXAMPLE = {\nkdc = 127.0.0.1:%d\n}\n", port))
	login := configFile(t, "jaas.conf", "Client { "+zabcompat.KerberosLogin+` required useKeyTab=true keyTab="../../server/kerberos/testdata/server.keytab" principal="zookeeper/localhost@TEST.EXAMPLE"; };`)
	path := configFile(t, "client.properties", keyLoginFile+"="+login+"\n"+keyKrb5Config+"="+conf+"\n"+keyKerberosCanonic+"=false\n")
	server := serve(t, znodes)
	var out, complaints bytes.Buffer
	code := Run([]string{"-server", server, "-client-configuration", path, "ls", "/"}, IO{Stdout: &out, Stderr: &complaints})
	want := fmt.Sprintf("KeeperErrorCode = ConnectionLoss for /\nno login to %[1]s: %[1]s: zookeeper/localhost@TEST.EXAMPLE: no key distribution center answers: realm TEST.EXAMPLE: dial tcp 127.0.0.1:%[2]d: connect: connection refused; check the realm's kdc in krb5.conf\n", server, port)
	if code != exitFailed || complaints.String() != want || strings.Contains(out.String(), "AuthFailed") {
		t.Errorf("exit code %d; said %q, complained %q, want %q", code, &out, &complaints, want)
	}
}

func TestLoginSession(t *testing.T) {
	login := configFile(t, "jaas.conf", "Client { "+zabcompat.DigestLogin+" required username=bob password=hunter2; };\n"+
		"Wrong { "+zabcompat.DigestLogin+" required username=bob password=hunter3; };\n")
	const watcher = "\nWATCHER::\n\nWatchedEvent state:"
	tests := []struct {
		name   string
		server answers
		more   string
		words  []string
		script string
		code   int
		stdout []string
		stderr string
	}{
		{"known", knowing("hunter2"), "", []string{"ls", "/"}, "", exitOK,
			[]string{watcher + "SyncConnected type:None", watcher + "SaslAuthenticated type:None", "[]\n"}, ""},
		{"refused", knowing("hunter2"), keySASLSection + "=Wrong\n", []string{"ls", "/"}, "", exitFailed,
			[]string{watcher + "SyncConnected type:None"},
			"\nSERVER: login by SASL: KeeperErrorCode = AuthFailed; see the section Wrong of " + login + "\n"},
		{"refused, and a script", knowing("hunter2"), keySASLSection + "=Wrong\n", []string{"-waitforconnection"}, "ls /\n", exitFailed,
			nil, "KeeperErrorCode = AuthFailed\nSERVER: login by SASL: "},
		{"a server without", func(op protocol.OpCode, d protocol.Decoder) ([]byte, protocol.ErrCode, bool) {
			if op == protocol.OpSASL {
				return (&protocol.SASLPacket{}).Append(nil), protocol.ErrOK, true
			}
			return znodes(op, d)
		}, "", []string{"ls", "/"}, "", exitFailed, nil, "login by SASL: the server offers no DIGEST-MD5; see the section Client of " + login},
		{"no login", knowing("hunter2"), keySASL + "=false\n", []string{"ls", "/"}, "", exitFailed, nil,
			"KeeperErrorCode = Session closed because client failed to authenticate for /\n"},
	}
	for _, tt := range tests {
		server := serve(t, tt.server)
		path := configFile(t, "client.properties", keyLoginFile+"="+login+"\n"+tt.more)
		var out, complaints bytes.Buffer
		code := Run(append([]string{"-server", server, "-client-configuration", path}, tt.words...),
			IO{Stdin: strings.NewReader(tt.script), Stdout: &out, Stderr: &complaints})
		said := strings.ReplaceAll(complaints.String(), server, "SERVER")
		// A session that has ended before the command begins is told of in other words.
		refused := strings.HasPrefix(said, "KeeperErrorCode = AuthFailed for /\n") || strings.HasPrefix(said, "KeeperErrorCode = AuthFailed\n")
		if code != tt.code || refused != strings.Contains(tt.stderr, "login by SASL") || !strings.Contains(said, tt.stderr) {
			t.Errorf("%s: exit code %d, want %d; complained %q, want %q", tt.name, code, tt.code, said, tt.stderr)
		}
		rest := out.String()
		for _, want := range tt.stdout {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s: said %q, want %q", tt.name, &out, want)
			}
			rest = after
		}
		if strings.Contains(said+out.String(), "hunter") {
			t.Errorf("%s: the password is told:\n%s%s", tt.name, said, &out)
		}
	}
}
