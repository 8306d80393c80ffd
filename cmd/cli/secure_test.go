package cli

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"zooraft/server"
	"zooraft/tests/testkit"
)

func TestTLSProperties(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	full := "zookeeper.client.secure : TRUE \nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
		"zookeeper.ssl.keyStore.location=/k.p12\nzookeeper.ssl.keyStore.password=hunter2\nzookeeper.ssl.keyStore.type=pkcs12\n" +
		"zookeeper.ssl.trustStore.location=/t.pem\nzookeeper.ssl.trustStore.passwordPath=/pw\nzookeeper.ssl.crl=false\n" +
		"zookeeper.ssl.enabledProtocols=TLSv1.3, TLSv1.2\nzookeeper.ssl.protocol=TLSv1.2\nzookeeper.ssl.hostnameVerification=False\n" +
		"zookeeper.ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
	secure := func(text string) Property { return Property{text, "CLIENT_JVMFLAGS"} }
	on := secure("zookeeper.client.secure=true")
	tests := []struct {
		name        string
		environment []Property
		file        string
		want        *server.TLS
		errs        []string // nil for none
	}{
		{"nothing", nil, "", nil, nil},
		{"stores alone", []Property{secure("zookeeper.ssl.trustStore.location=/t"), secure("zookeeper.ssl.ocsp=true")}, "", nil, nil},
		{"Netty alone", []Property{secure("zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty")}, "", nil, nil},
		{"on, without anything", []Property{on}, "", &server.TLS{VerifyServer: true}, nil},
		{"a file", nil, full, &server.TLS{
			Key:          server.TLSStore{File: "/k.p12", Password: "hunter2", Type: "pkcs12"},
			Trust:        server.TLSStore{File: "/t.pem", PasswordFile: "/pw"},
			Protocols:    []string{"TLSv1.3", "TLSv1.2"},
			CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		}, nil},
		{"one protocol", []Property{on, secure("zookeeper.ssl.protocol=TLSv1.2")}, "", &server.TLS{Protocols: []string{"TLSv1.2"}, VerifyServer: true}, nil},
		{"the file wins", []Property{on}, "zookeeper.client.\\\n  secure\tfalse\n", nil, nil},
		{"neither true nor false", []Property{secure("zookeeper.client.secure=yes")}, "", nil,
			[]string{"CLIENT_JVMFLAGS: zookeeper.client.secure=yes: give true or false"}},
		{"what is not there", []Property{on, secure("zookeeper.ssl.crl=true"), secure("zookeeper.ssl.context.supplier.class=x.Y"), secure("zookeeper.ssl.hostnameVerification=off")},
			"zookeeper.ssl.ocsp=true\n", nil, []string{
				"CLIENT_JVMFLAGS: zookeeper.ssl.hostnameVerification=off: give true or false",
				"CLIENT_JVMFLAGS: zookeeper.ssl.crl: this client does not ask whether a certificate has been revoked",
				"client.properties: zookeeper.ssl.ocsp: this client does not ask",
				"CLIENT_JVMFLAGS: zookeeper.ssl.context.supplier.class: classes of Java cannot be loaded",
			}},
	}
	for _, tt := range tests {
		path := ""
		if tt.file != "" {
			path = file("client.properties", tt.file)
		}
		got, err := TLS(tt.environment, path)
		if len(tt.errs) == 0 && err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
		for i, want := range tt.errs {
			if err == nil || i >= len(strings.Split(err.Error(), "\n")) || !strings.Contains(strings.Split(err.Error(), "\n")[i], want) {
				t.Errorf("%s: got the error\n%v\nwant as line %d %s", tt.name, err, i+1, want)
			}
		}
	}
}

func TestTLSSession(t *testing.T) {
	ca, other := testkit.NewCA(t), testkit.NewCA(t)
	own := ca.Issue("client")
	ln, err := tls.Listen("tcp", "127.0.0.1:0", ca.Server(ca.Issue("localhost"), tls.RequireAndVerifyClientCert))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, znodes)
	_, port, _ := net.SplitHostPort(ln.Addr().String())

	const on = "zookeeper.client.secure=true\n"
	key, trust := "zookeeper.ssl.keyStore.location="+own.File+"\n", "zookeeper.ssl.trustStore.location="+ca.File+"\n"
	tests := []struct {
		name, host, config string
		want               int
		said               string
	}{
		{"both sides known", "localhost", on + key + trust, exitOK, "[]"},
		{"by its address", "127.0.0.1", on + key + trust, exitFailed, "the certificate has to name the host as -server does"},
		{"whatever its name", "127.0.0.1", on + key + trust + "zookeeper.ssl.hostnameVerification=false\n", exitOK, "[]"},
		{"another authority", "localhost", on + key + "zookeeper.ssl.trustStore.location=" + other.File + "\n", exitFailed, "zookeeper.ssl.trustStore.location"},
		{"no certificate", "localhost", on + trust, exitFailed, "certificate required"},
		{"no such file", "localhost", on + "zookeeper.ssl.trustStore.location=/none.pem\n", exitInvalid, "zookeeper.ssl.trustStore.location: open /none.pem"},
		{"plain text", "localhost", key + trust, exitFailed, "is this its client port?"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, complaints bytes.Buffer
		code := Run([]string{"-server", net.JoinHostPort(tt.host, port), "-client-configuration", path, "ls", "/"}, IO{Stdout: &out, Stderr: &complaints})
		if said := out.String() + complaints.String(); code != tt.want || !strings.Contains(said, tt.said) {
			t.Errorf("%s: exit code %d, want %d; said %s, want %s", tt.name, code, tt.want, said, tt.said)
		}
	}
}
