package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func open(t testing.TB, cfg Config) *Certs {
	t.Helper()
	c, err := Open(cfg, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sockets are the two ends of a connection over loopback.
func sockets(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if dialled, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{dialled, accepted} {
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return dialled, accepted
}

// ends is what a handshake has made of both ends.
type ends struct {
	dialled, accepted       net.Conn
	dialledErr, acceptedErr error
}

// meet has client dial host, where server accepts. What is refused after the dialling
// side is done, as TLSv1.3 has it, is among dialledErr.
func meet(t testing.TB, server, client *Certs, host string) ends {
	t.Helper()
	dialled, accepted := sockets(t)
	var e ends
	done := make(chan struct{})
	go func() {
		defer close(done)
		if e.accepted, e.acceptedErr = server.Accept(accepted, false); e.acceptedErr != nil {
			accepted.Close()
			return
		}
		_, e.acceptedErr = e.accepted.Write([]byte("x"))
	}()
	if e.dialled, e.dialledErr = client.Dial(dialled, host); e.dialledErr == nil {
		_, e.dialledErr = io.ReadFull(e.dialled, make([]byte, 1))
	} else {
		dialled.Close()
	}
	<-done
	return e
}

func TestClientAuth(t *testing.T) {
	root, stranger := newAuthority(t, nil, "root"), newAuthority(t, nil, "stranger")
	between := newAuthority(t, root, "between")
	own := issueFor(t, between, "server", "zk")
	tests := []struct {
		name       string
		clientAuth string
		client     *issued
		shown      bool   // its certificate
		serverErr  string // empty if the handshake comes to its end
	}{
		{"need, shown", "need", issueFor(t, between, "alice"), true, ""},
		{"need, none", "NEED", nil, false, "client didn't provide a certificate"},
		{"need, a stranger's", "", issueFor(t, stranger, "alice"), false, "client didn't provide a certificate"},
		{"want, shown", "Want", issueFor(t, between, "alice"), true, ""},
		{"want, none", "want", nil, false, ""},
		{"want, a stranger's", "want", issueFor(t, stranger, "alice"), false, ""},
		{"none, held", "none", issueFor(t, between, "alice"), false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := open(t, Config{Key: own.keyStore(t), Trust: root.trustStore(t), ClientAuth: tt.clientAuth})
			cfg := Config{Trust: root.trustStore(t), VerifyServer: true}
			if tt.client != nil {
				cfg.Key = tt.client.keyStore(t)
			}
			e := meet(t, server, open(t, cfg), "zk")
			if tt.serverErr != "" {
				if e.acceptedErr == nil || !strings.Contains(e.acceptedErr.Error(), tt.serverErr) {
					t.Errorf("accepted with %v, want %q", e.acceptedErr, tt.serverErr)
				}
				if e.dialledErr == nil {
					t.Error("the dialling side was told of nothing")
				}
				return
			}
			if e.acceptedErr != nil || e.dialledErr != nil {
				t.Fatalf("accepted with %v, dialled with %v", e.acceptedErr, e.dialledErr)
			}
			if got := Leaf(e.dialled); !got.Equal(own.cert) {
				t.Errorf("the server has shown %v, want its own", got.Subject)
			}
			if got := Leaf(e.accepted); (got != nil) != tt.shown || tt.shown && !got.Equal(tt.client.cert) {
				t.Errorf("the client has shown %v, want shown %v", got, tt.shown)
			}
		})
	}
}

// An unknown authority's certificate that is shown nevertheless is refused, with want too.
func TestClientAuthOfStrangers(t *testing.T) {
	root, stranger := newAuthority(t, nil, "root"), newAuthority(t, nil, "stranger")
	server := open(t, Config{Key: issueFor(t, root, "server", "zk").keyStore(t), Trust: root.trustStore(t), ClientAuth: "want"})
	forged, err := readKeyStore(issueFor(t, stranger, "alice").keyStore(t))
	if err != nil {
		t.Fatal(err)
	}
	dialled, accepted := sockets(t)
	go func() {
		tls.Client(dialled, &tls.Config{
			InsecureSkipVerify:   true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return forged, nil },
		}).Handshake()
	}()
	var unknown x509.UnknownAuthorityError
	if _, err := server.Accept(accepted, false); !errors.As(err, &unknown) {
		t.Errorf("accepted with %v, want an unknown authority", err)
	}
}

func TestVerifyServer(t *testing.T) {
	root, stranger := newAuthority(t, nil, "root"), newAuthority(t, nil, "stranger")
	tests := []struct {
		name   string
		server *issued
		host   string
		verify bool
		want   string // of the error, empty for none
	}{
		{"name", issueFor(t, root, "", "zk", "zk2"), "zk2", true, ""},
		{"other name", issueFor(t, root, "", "zk"), "zk2", true, "not zk2"},
		{"other name, not verified", issueFor(t, root, "", "zk"), "zk2", false, ""},
		{"wildcard", issueFor(t, root, "", "*.example.org"), "zk.example.org", true, ""},
		{"address", issueFor(t, root, "", "127.0.0.1"), "127.0.0.1", true, ""},
		{"other address", issueFor(t, root, "", "127.0.0.1"), "127.0.0.2", true, "not 127.0.0.2"},
		{"address of six", issueFor(t, root, "", "::1"), "::1", true, ""},
		{"CN only", issueFor(t, root, "zk"), "zk", true, ""},
		{"CN only, other name", issueFor(t, root, "zk"), "zk2", true, "valid for zk, not zk2"},
		{"CN beside an address", issueFor(t, root, "zk", "127.0.0.1"), "zk", true, ""},
		{"CN beside a name", issueFor(t, root, "zk", "zk2"), "zk", true, "not zk"},
		{"CN that is an address", issueFor(t, root, "127.0.0.1"), "127.0.0.1", true, "legacy Common Name"},
		{"stranger", issueFor(t, stranger, "", "zk"), "zk", true, "unknown authority"},
		{"stranger, name not verified", issueFor(t, stranger, "", "zk"), "zk", false, "unknown authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := open(t, Config{Key: tt.server.keyStore(t), ClientAuth: "none"})
			client := open(t, Config{Trust: root.trustStore(t), VerifyServer: tt.verify})
			e := meet(t, server, client, tt.host)
			if tt.want == "" {
				if e.dialledErr != nil || e.acceptedErr != nil {
					t.Errorf("dialled with %v, accepted with %v", e.dialledErr, e.acceptedErr)
				}
			} else if e.dialledErr == nil || !strings.Contains(e.dialledErr.Error(), tt.want) {
				t.Errorf("dialled with %v, want %q", e.dialledErr, tt.want)
			}
		})
	}
}
