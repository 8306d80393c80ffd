package server

import (
	"fmt"
	"net"
	"strconv"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/certs"
)

// What the keys of TLS begin with: those for clients, for servers among each other and
// the admin server, and for metrics.
const (
	ClientSSL  = "ssl."
	QuorumSSL  = "ssl.quorum."
	MetricsSSL = "metricsProvider.ssl."
)

// What commands need of TLS, whose files the cli names as zoo.cfg does.
type (
	// TLS is what the keys below one of those say.
	TLS = certs.Config
	// TLSStore is one of its files.
	TLSStore = certs.Store
	// Certs is what its files hold.
	Certs = certs.Certs
)

// OpenTLS reads the files that a configuration names: see [certs.Open].
func OpenTLS(cfg TLS, log hclog.Logger) (*Certs, error) { return certs.Open(cfg, log) }

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

// openTLS reads the files for clients and for servers, until closeTLS, which is called
// after an error too. Those of the ports for operators are opened with these.
func (s *Server) openTLS() (err error) {
	if s.cfg.clientTLS() {
		if s.clientCerts, err = certs.Open(s.cfg.ClientTLS, s.log.Named("tls")); err != nil {
			return fmt.Errorf("%s%w", ClientSSL, err)
		}
	}
	s.quorumTLS, err = openQuorumTLS(&s.cfg, s.log.Named("quorum"))
	return err
}

func (s *Server) closeTLS() {
	s.clientCerts.Close()
	s.quorumTLS.close()
}

// secureClient makes TLS of a client's connection (client.Config.Secure).
func (s *Server) secureClient(nc net.Conn) (secured net.Conn, subject string, err error) {
	if secured, err = s.clientCerts.Accept(nc, false); err != nil {
		return nil, "", err
	}
	if leaf := certs.Leaf(secured); leaf != nil {
		subject = certs.Subject(leaf)
	}
	return secured, subject, nil
}
