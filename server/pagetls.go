package server

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/admin"
	"zooraft/server/certs"
)

// noPort is a port that is not opened, where 0 is any that is free.
const noPort = -1

// adminTLS is what the admin server speaks TLS with, if it does: the servers' own
// files, but other callers. Their names are not looked for, and their certificates on
// request only, as in JettyAdminServer.
func (c *Config) adminTLS() (cfg TLS, on bool) {
	cfg = c.QuorumTLS
	cfg.VerifyClient = false
	cfg.ClientAuth = certs.NoClientAuth
	if c.AdminNeedClientAuth {
		cfg.ClientAuth = certs.NeedClientAuth
	}
	return cfg, c.AdminForceHTTPS || c.AdminUnified
}

// secureAdmin is nil if the admin server speaks plain text alone.
func (s *Server) secureAdmin() (admin.Secure, error) {
	cfg, on := s.cfg.adminTLS()
	if !on {
		return nil, nil
	}
	return s.securePage(cfg, QuorumSSL, !s.cfg.AdminForceHTTPS, s.log.Named("admin"))
}

// securePage opens a page's files, which are named by keys that begin alike, until
// stopAdmin. Plain text that is spoken there too is counted.
func (s *Server) securePage(cfg TLS, prefix string, plainToo bool, log hclog.Logger) (admin.Secure, error) {
	c, err := certs.Open(cfg, log)
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err)
	}
	s.pageCerts = append(s.pageCerts, c)
	return func(conn net.Conn) (net.Conn, error) {
		made, err := c.Accept(conn, plainToo)
		if err != nil {
			log.Debug("no TLS", "client", conn.RemoteAddr(), "error", err)
			return nil, err
		}
		if _, secure := made.(*tls.Conn); !secure {
			s.metrics.InsecureAdmin.Inc()
		}
		return made, nil
	}, nil
}
