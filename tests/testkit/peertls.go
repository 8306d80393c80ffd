package testkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// PeerTLS secures the connections between servers, for those who cannot know server/certs.
// It implements peer.Security.
type PeerTLS struct {
	Trust *x509.CertPool
	Own   tls.Certificate
	// PlainToo accepts plain text besides, and DialPlain dials with it.
	PlainToo, DialPlain bool
}

// Dial implements peer.Security.
func (s PeerTLS) Dial(conn net.Conn, host string) (net.Conn, error) {
	if s.DialPlain {
		return conn, nil
	}
	t := tls.Client(conn, &tls.Config{RootCAs: s.Trust, Certificates: []tls.Certificate{s.Own}, ServerName: host})
	return t, t.Handshake()
}

// Accept implements peer.Security.
func (s PeerTLS) Accept(conn net.Conn) (net.Conn, error) {
	if s.PlainToo {
		first, unread, err := Peek(conn)
		if err != nil {
			return nil, err
		}
		if conn = unread; first != 0x16 { // a handshake of TLS
			return conn, nil
		}
	}
	t := tls.Server(conn, &tls.Config{ClientCAs: s.Trust, ClientAuth: tls.RequireAndVerifyClientCert, Certificates: []tls.Certificate{s.Own}})
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return t, nil
}

// Check implements peer.Security.
func (s PeerTLS) Check(_ context.Context, conn net.Conn, hosts ...string) error {
	t, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	err := errors.New("no host is known")
	for _, host := range hosts {
		if err = t.ConnectionState().PeerCertificates[0].VerifyHostname(host); err == nil {
			return nil
		}
	}
	return err
}
