package server

import (
	"fmt"
	"net"
	"strconv"

	"zooraft/server/certs"
)

// What commands need of TLS, whose files the cli names as zoo.cfg does.
type (
	// TLS is what the keys below ssl. or ssl.quorum. say.
	TLS = certs.Config
	// TLSStore is one of its files.
	TLSStore = certs.Store
	// Certs is what its files hold.
	Certs = certs.Certs
)

// OpenTLS reads the files that a configuration names: see [certs.Open].
var OpenTLS = certs.Open

// clientTLS says whether clients can speak TLS to this server.
func (c *Config) clientTLS() bool { return c.SecureClientPort != 0 || c.ClientPortUnification }

// clientAddrs are where the client port listens for plain text and for TLS; "" for
// not at all.
func (c *Config) clientAddrs() (plain, secure string) {
	if c.SecureClientPort != 0 {
		secure = net.JoinHostPort(c.SecureClientPortAddress, strconv.Itoa(c.SecureClientPort))
	}
	if c.ClientPort != 0 || secure == "" {
		plain = net.JoinHostPort(c.ClientPortAddress, strconv.Itoa(c.ClientPort))
	}
	return plain, secure
}

// openTLS reads the files for the ports that speak TLS.
func (s *Server) openTLS() (err error) {
	if s.cfg.clientTLS() {
		if s.clientCerts, err = certs.Open(s.cfg.ClientTLS, s.log.Named("tls")); err != nil {
			return fmt.Errorf("ssl.%w", err)
		}
	}
	return nil
}

// secureClient makes TLS of a client's connection (client.Config.Secure).
func (s *Server) secureClient(nc net.Conn, plainToo bool) (secured net.Conn, subject string, err error) {
	if secured, err = s.clientCerts.Accept(nc, plainToo); err != nil {
		return nil, "", err
	}
	if leaf := certs.Leaf(secured); leaf != nil {
		subject = certs.Subject(leaf)
	}
	return secured, subject, nil
}
