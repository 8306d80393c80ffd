package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zooraft/server"
	"zooraft/tests/testkit"
)

func TestFourLetterWord(t *testing.T) {
	const banner = "Zookeeper version: 3.9.5\nMode: follower\n"
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	tests := []struct {
		name   string
		answer string
		args   []string // before the address
		code   int
		stderr string
	}{
		{"serving", banner, []string{"srvr"}, exitOK, ""},
		{"there", "imok", []string{"ruok"}, exitOK, ""},
		{"not serving", "This ZooKeeper instance is not currently serving requests\n", []string{"srvr"}, exitUnexpected, "does not carry the word out"},
		{"not allowed", "ruok is not executed because it is not in the whitelist.\n", []string{"ruok"}, exitUnexpected, "does not carry the word out"},
		{"unknown", "", []string{"what"}, exitUnexpected, "no server answered"},
		{"no word", banner, nil, exitInvalid, "a word of four letters"},
		{"too much", banner, []string{"srvr", "srvr"}, exitInvalid, "a word of four letters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				conn, err := ln.Accept()
				if err != nil {
					return // nobody has asked
				}
				defer conn.Close()
				if _, err := io.ReadFull(conn, make([]byte, 4)); err == nil {
					_, _ = io.WriteString(conn, tt.answer)
				}
			}()
			var stdout, stderr bytes.Buffer
			code := run(append(append([]string{"4lw"}, tt.args...), ln.Addr().String()), &stdout, &stderr)
			ln.Close()
			<-answered
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", code, &stderr, tt.code, tt.stderr)
			}
			want := tt.answer
			if tt.code == exitInvalid {
				want = ""
			}
			if stdout.String() != want {
				t.Errorf("stdout: got %q, want %q", &stdout, want)
			}
		})
	}
	t.Setenv("ZOO_PORT_NUMBER", strconv.Itoa(nobody.Addr().(*net.TCPAddr).Port))
	var stdout, stderr bytes.Buffer
	if code := run([]string{"4lw", "srvr"}, &stdout, &stderr); code != exitUnexpected || !strings.Contains(stderr.String(), nobody.Addr().String()) {
		t.Errorf("address of the environment: exit code %d, stderr %q", code, &stderr)
	}
	stderr.Reset()
	if code := run([]string{"4lw", "srvr", nobody.Addr().String()}, &stdout, &stderr); code != exitUnexpected || !strings.Contains(stderr.String(), "no server answered") {
		t.Errorf("nobody there: exit code %d, stderr %q", code, &stderr)
	}
}

// answerWords answers each word that a listener is sent.
func answerWords(t *testing.T, ln net.Listener, answer string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := io.ReadFull(conn, make([]byte, 4)); err == nil {
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
}

func listenTLS(t *testing.T, ca *testkit.CA, hosts ...string) (addr string, port int) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", ca.Server(ca.Issue(hosts...), tls.RequireAndVerifyClientCert))
	if err != nil {
		t.Fatal(err)
	}
	answerWords(t, ln, "Mode: standalone\n")
	return ln.Addr().String(), ln.Addr().(*net.TCPAddr).Port
}

// Another host is asked with TLS on request, and its name is looked for.
func TestFourLetterWordByTLS(t *testing.T) {
	ca := testkit.NewCA(t)
	addr, _ := listenTLS(t, ca, "127.0.0.1")
	misnamed, _ := listenTLS(t, ca, "zk1")
	path := filepath.Join(t.TempDir(), "client.properties")
	props := "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=" + ca.Issue("client").File + "\nzookeeper.ssl.trustStore.location=" + ca.File + "\n"
	if err := os.WriteFile(path, []byte(props), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := path + ".missing"
	if err := os.WriteFile(missing, []byte("zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=/nowhere/trust.pem\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"asked for", []string{addr, "--client-configuration", path}, exitOK, "Mode: standalone\n", ""},
		{"another name", []string{misnamed, "--client-configuration", path}, exitUnexpected, "", "certificate for 127.0.0.1"},
		{"no such store", []string{addr, "--client-configuration", missing}, exitInvalid, "", "zookeeper.ssl.trustStore.location: "},
		{"no such file", []string{addr, "--client-configuration", path + "x"}, exitInvalid, "", path + "x"},
		{"for nobody", []string{"--client-configuration", path}, exitInvalid, "", "--client-configuration is for that alone"},
		{"two servers", []string{addr, "--config", path}, exitInvalid, "", "--config stands for HOST:PORT"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"4lw", "srvr"}, tt.args...), &stdout, &stderr)
		if code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", tt.name, code, &stdout, &stderr)
		}
	}
}

// A server without a plain client port is asked at the other, whatever its certificate
// calls it: with its own files, or with those of the environment.
func TestSecureClientPortIsAsked(t *testing.T) {
	ca, other := testkit.NewCA(t), testkit.NewCA(t)
	_, port := listenTLS(t, ca, "zk1")
	store := func(c testkit.Certificate, ca *testkit.CA) server.TLS {
		return server.TLS{Key: server.TLSStore{File: c.File}, Trust: server.TLSStore{File: ca.File}, VerifyServer: true}
	}
	own := server.Config{SecureClientPort: port, ClientTLS: store(ca.Issue("zk1"), ca)}
	stranger := server.Config{SecureClientPort: port, ClientTLS: store(other.Issue("zk1"), other)}
	gone := own
	gone.ClientTLS.Trust.File = "/nowhere/trust.pem"
	both := own
	both.ClientPort, both.ClientPortAddress = 2181, "zk1"
	flags := "-Dzookeeper.client.secure=true -Dzookeeper.ssl.keyStore.location=" + ca.Issue("c").File + " -Dzookeeper.ssl.trustStore.location=" + ca.File
	for _, tt := range []struct {
		name, flags string
		cfg         server.Config
		ok          bool
	}{
		{"its own files", "", own, true},
		{"another authority", "", stranger, false},
		{"the environment's", flags, stranger, true},
		{"the environment is not for TLS", "-Dzookeeper.ssl.trustStore.location=/none", own, true},
	} {
		t.Setenv("CLIENT_JVMFLAGS", tt.flags)
		var out bytes.Buffer
		if err := standaloneStatus(&out, tt.cfg); (err == nil) != tt.ok || tt.ok && out.String() != "Mode: standalone\n" {
			t.Errorf("%s: got %q, %v", tt.name, &out, err)
		}
	}
	t.Setenv("CLIENT_JVMFLAGS", "")
	if err := standaloneStatus(io.Discard, gone); err == nil || !strings.Contains(err.Error(), " ssl.trustStore.location: ") {
		t.Errorf("without its own trust store: %v", err)
	}
	if got, err := clientPortOf(both); err != nil || got != (clientPort{addr: "zk1:2181"}) {
		t.Errorf("with both ports: got %+v, %v", got, err)
	}
}
