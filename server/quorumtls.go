package server

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/certs"
	"zooraft/server/peer"
)

// quorumTLS makes the connections between servers safe, as sslQuorum and portUnification
// say. It implements peer.Security.
type quorumTLS struct {
	certs  *certs.Certs
	dials  bool // with TLS
	plain  bool // is taken too
	verify bool // that callers are who they say
}

// speaksTLS says whether servers dial each other with TLS, or may.
func (c *Config) speaksTLS() bool { return (c.SSLQuorum || c.PortUnification) && !c.Standalone() }

// openQuorumTLS reads what TLS between servers needs, and says in ZooKeeper's words what
// is spoken (QuorumPeer, QuorumCnxManager). It returns nil for plain text.
func openQuorumTLS(cfg *Config, log hclog.Logger) (*quorumTLS, error) {
	if cfg.Standalone() {
		return nil, nil
	}
	if cfg.SSLQuorum {
		log.Info("Using TLS encrypted quorum communication")
	} else {
		log.Info("Using insecure (non-TLS) quorum communication")
	}
	if !cfg.speaksTLS() {
		return nil, nil
	}
	// Who calls is not known by its address, but by the id that it says: see Check.
	files := cfg.QuorumTLS
	files.VerifyClient = false
	opened, err := certs.Open(files, log)
	if err != nil {
		return nil, fmt.Errorf("%s%w", QuorumSSL, err)
	}
	if cfg.PortUnification {
		log.Info("Creating TLS-enabled quorum server socket")
	} else {
		log.Info("Creating TLS-only quorum server socket")
	}
	if cfg.SSLQuorum && cfg.PortUnification {
		log.Warn("plain text is still taken between servers, from anybody; remove portUnification when all of them have sslQuorum=true")
	}
	return &quorumTLS{certs: opened, dials: cfg.SSLQuorum, plain: cfg.PortUnification, verify: cfg.QuorumTLS.VerifyClient}, nil
}

// security is q as those want it who take nil for plain text.
func (q *quorumTLS) security() peer.Security {
	if q == nil {
		return nil
	}
	return q
}

func (q *quorumTLS) close() {
	if q != nil {
		q.certs.Close()
	}
}

// Dial implements peer.Security.
func (q *quorumTLS) Dial(conn net.Conn, host string) (net.Conn, error) {
	if !q.dials {
		return conn, nil
	}
	return q.certs.Dial(conn, host)
}

// Accept implements peer.Security.
func (q *quorumTLS) Accept(conn net.Conn) (net.Conn, error) { return q.certs.Accept(conn, q.plain) }

// Check implements peer.Security. A certificate for the caller's address will do where a
// host's name stands for that address; ZooKeeper is content with the address
// (ZKTrustManager.performHostVerification), by which a server could speak for all.
func (q *quorumTLS) Check(ctx context.Context, conn net.Conn, hosts ...string) error {
	leaf := certs.Leaf(conn) // nil for plain text, and by ssl.quorum.clientAuth
	if leaf == nil || !q.verify {
		return nil
	}
	for _, host := range hosts {
		if certs.VerifyHost(leaf, host) == nil {
			return nil
		}
	}
	from, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err == nil && certs.VerifyHost(leaf, from) == nil {
		for _, host := range hosts {
			if ips, err := net.DefaultResolver.LookupHost(ctx, host); err == nil && slices.Contains(ips, from) {
				return nil
			}
		}
	}
	return fmt.Errorf("the caller's certificate, that of %s, is not for %s: see ssl.quorum.clientHostnameVerification",
		certs.Subject(leaf), strings.Join(hosts, " or "))
}
