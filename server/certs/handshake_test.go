package certs

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/tests/testkit"
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

// sockets are the two ends of a connection that is not waited for forever.
func sockets(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	dialled, accepted = testkit.TCPPair(t)
	for _, conn := range []net.Conn{dialled, accepted} {
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
	root, stranger := testkit.NewCA(t), testkit.NamedCA(t, "stranger")
	between := root.Under("between")
	own := between.Issue("zk")
	tests := []struct {
		name       string
		clientAuth string
		client     testkit.Certificate
		shown      bool   // its certificate
		serverErr  string // empty if the handshake comes to its end
	}{
		{"need, shown", "need", between.Issue("alice"), true, ""},
		{"need, none", "NEED", testkit.Certificate{}, false, "client didn't provide a certificate"},
		{"need, a stranger's", "", stranger.Issue("alice"), false, "client didn't provide a certificate"},
		{"want, shown", "Want", between.Issue("alice"), true, ""},
		{"want, none", "want", testkit.Certificate{}, false, ""},
		{"want, a stranger's", "want", stranger.Issue("alice"), false, ""},
		{"none, held", "none", between.Issue("alice"), false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := open(t, Config{Key: Store{File: own.File}, Trust: Store{File: root.File}, ClientAuth: tt.clientAuth})
			client := open(t, Config{Key: Store{File: tt.client.File}, Trust: Store{File: root.File}, VerifyServer: true})
			e := meet(t, server, client, "zk")
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
			if got := Leaf(e.dialled); !got.Equal(own.TLS.Leaf) {
				t.Errorf("the server has shown %v, want its own", got.Subject)
			}
			if got := Leaf(e.accepted); (got != nil) != tt.shown || tt.shown && !got.Equal(tt.client.TLS.Leaf) {
				t.Errorf("the client has shown %v, want shown %v", got, tt.shown)
			}
		})
	}
}

// An unknown authority's certificate that is shown nevertheless is refused, with want too.
func TestClientAuthOfStrangers(t *testing.T) {
	root, stranger := testkit.NewCA(t), testkit.NewCA(t)
	server := open(t, Config{Key: Store{File: root.Issue("zk").File}, Trust: Store{File: root.File}, ClientAuth: "want"})
	forged := stranger.Issue("alice").TLS
	dialled, accepted := sockets(t)
	go func() {
		tls.Client(dialled, &tls.Config{
			InsecureSkipVerify:   true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &forged, nil },
		}).Handshake()
	}()
	var unknown x509.UnknownAuthorityError
	if _, err := server.Accept(accepted, false); !errors.As(err, &unknown) {
		t.Errorf("accepted with %v, want an unknown authority", err)
	}
}

func TestVerifyServer(t *testing.T) {
	root, stranger := testkit.NewCA(t), testkit.NewCA(t)
	cn := func(cn string, hosts ...string) testkit.Certificate {
		return root.IssueTo(pkix.Name{CommonName: cn}, hosts...)
	}
	tests := []struct {
		name   string
		server testkit.Certificate
		host   string
		verify bool
		want   string // of the error, empty for none
	}{
		{"name", root.Issue("zk", "zk2"), "zk2", true, ""},
		{"other name", root.Issue("zk"), "zk2", true, "not zk2"},
		{"other name, not verified", root.Issue("zk"), "zk2", false, ""},
		{"wildcard", root.Issue("*.example.org"), "zk.example.org", true, ""},
		{"address", root.Issue("127.0.0.1"), "127.0.0.1", true, ""},
		{"other address", root.Issue("127.0.0.1"), "127.0.0.2", true, "not 127.0.0.2"},
		{"address of six", root.Issue("::1"), "::1", true, ""},
		{"CN only", cn("zk"), "zk", true, ""},
		{"CN only, other name", cn("zk"), "zk2", true, "valid for zk, not zk2"},
		{"CN beside an address", cn("zk", "127.0.0.1"), "zk", true, ""},
		{"CN beside a name", cn("zk", "zk2"), "zk", true, "not zk"},
		{"CN that is an address", cn("127.0.0.1"), "127.0.0.1", true, "legacy Common Name"},
		{"stranger", stranger.Issue("zk"), "zk", true, "unknown authority"},
		{"stranger, name not verified", stranger.Issue("zk"), "zk", false, "unknown authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := open(t, Config{Key: Store{File: tt.server.File}, ClientAuth: "none"})
			client := open(t, Config{Trust: Store{File: root.File}, VerifyServer: tt.verify})
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
