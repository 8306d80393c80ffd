package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/testkit"
)

// secureBy verifies servers by an authority, as callers of this package do.
func secureBy(ca *testkit.CA) func(net.Conn, string) (net.Conn, error) {
	return func(nc net.Conn, host string) (net.Conn, error) {
		t := tls.Client(nc, ca.Client(host))
		return t, t.Handshake()
	}
}

// secured makes a server's connections TLS, with a certificate.
func secured(s *server, cert testkit.Certificate) *server {
	return &server{s.t, tlsListener{s.ln.(*net.TCPListener), &tls.Config{Certificates: []tls.Certificate{cert.TLS}}}}
}

// tlsListener accepts with deadlines, which crypto/tls's listener has not.
type tlsListener struct {
	*net.TCPListener
	cfg *tls.Config
}

func (l tlsListener) Accept() (net.Conn, error) {
	nc, err := l.TCPListener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(nc, l.cfg), nil
}

// A certificate is for the name in the connect string, not for the address behind it.
func TestTheNameIsVerified(t *testing.T) {
	ca := testkit.NewCA(t)
	s := newServer(t)
	n := &network{names: map[string][]string{"zk": {"10.0.0.1"}}, servers: map[string]*server{"10.0.0.1:5": s}}
	c, events := open(t, Config{Servers: "zk:5/app", Dial: n.dial, Lookup: n.lookup, Secure: secureBy(ca)})
	p := secured(s, ca.Issue("zk")).accept(30_000)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	if _, ok := p.nc.(*tls.Conn); !ok || c.Server() != "zk:5" {
		t.Errorf("connected to %q by %T", c.Server(), p.nc)
	}
	done := later(func() error { _, err := c.Exists(t.Context(), "/a", false); return err })
	xid, _ := p.expect(protocol.OpExists)
	p.reply(xid, 1, protocol.ErrNoNode, nil)
	wantResult(t, done, nil)
}

func TestAnotherNameIsRefused(t *testing.T) {
	ca := testkit.NewCA(t)
	for _, tt := range []struct {
		name string
		cert testkit.Certificate
	}{
		{"the address's", ca.Issue("10.0.0.1")},
		{"another host's", ca.Issue("zk2")},
	} {
		s := newServer(t)
		go func() {
			for {
				nc, err := secured(s, tt.cert).ln.Accept()
				if err != nil {
					return
				}
				io.Copy(io.Discard, nc) // which shakes hands
				nc.Close()
			}
		}()
		n := &network{names: map[string][]string{"zk": {"10.0.0.1"}}, servers: map[string]*server{"10.0.0.1:5": s}}
		c, _ := open(t, Config{Servers: "zk:5", Dial: n.dial, Lookup: n.lookup, Secure: secureBy(ca)})
		var why x509.HostnameError
		if err := c.Await(t.Context(), true); !errors.As(err, &why) || why.Host != "zk" {
			t.Errorf("%s certificate: got %v", tt.name, err)
		}
	}
}

// A server that says nothing is given up in time, and at once when the session is closed.
func TestSilentHandshakeEnds(t *testing.T) {
	ca := testkit.NewCA(t)
	s := newServer(t) // the system accepts for it
	c, _ := open(t, Config{Servers: s.addr(), Timeout: time.Second, Secure: secureBy(ca)})
	if err := c.Await(t.Context(), true); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	s = newServer(t)
	c, _ = open(t, Config{Servers: s.addr(), Timeout: time.Hour, Secure: secureBy(ca)})
	nc, err := s.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	closed := make(chan struct{})
	go func() { c.Close(); close(closed) }()
	testkit.Await(t, closed, "end of Close")
}
