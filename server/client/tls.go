package client

import (
	"errors"

	"zooraft/protocol"
)

var errSubject = errors.New("the subject of the client's certificate is too long")

// entry is how a connection has come in, and so what it may speak.
type entry int8

const (
	entryPlain entry = iota
	entryUnified
	entryTLS
)

// plain is the entry of the port Addr.
func (s *Server) plain() entry {
	if s.cfg.Unified {
		return entryUnified
	}
	return entryPlain
}

// secure makes TLS of a connection that is to speak it, and takes down who its
// certificate says that the client is. It reports whether to go on. It blocks, for no
// longer than a connection may do without a session.
func (c *conn) secure() bool {
	s := c.srv
	c.stream = c.nc
	speaks := c.entry == entryTLS
	if c.entry == entryUnified {
		var err error
		if speaks, err = s.cfg.BeginsTLS(c.nc); err != nil {
			s.log.Debug("no first byte", "client", c.name(), "error", err)
			c.unread(err)
			return false
		}
	}
	if speaks && !c.shakeHands() {
		return false
	}
	if c.stream == c.nc {
		c.raw = c.sock
	}
	c.in.init(c.stream, c.raw, s.cfg.JuteMaxBuffer)
	c.in.thorough = s.sleepers == nil // else armRead has it read again soon
	switch {
	case c.subject != "":
	case c.remote.Addr().IsLoopback():
		s.fromHere.Add(1)
	default:
		s.fromElsewhere.Add(1)
	}
	return true
}

// shakeHands is secure for those that speak TLS.
func (c *conn) shakeHands() bool {
	s := c.srv
	n, limit := s.shakingHands.Add(1), int64(s.cfg.Limits.Handshakes)
	defer s.shakingHands.Add(-1)
	if limit > 0 && n > limit {
		s.cfg.Metrics.TLSHandshakesExceeded.Inc()
		if s.mayWarn(warnHandshakes) {
			s.log.Warn("too many TLS handshakes under way: closing the connection", "client", c.name(), "limit", limit)
		}
		c.kill(causeHandshakes)
		return false
	}
	stream, subject, err := s.cfg.Secure(c.nc)
	if err == nil && !c.certified(subject) {
		err = errSubject
	}
	if err != nil {
		if !c.isDead() || c.cause.Load() == causeHandshake {
			s.cfg.Metrics.UnsuccessfulHandshakes.Inc()
			if s.mayWarn(warnTLS) {
				s.log.Warn("Unsuccessful handshake", "client", c.name(), "error", err)
			}
		}
		c.kill(causeTLS)
		return false
	}
	c.stream, c.subject = stream, subject
	return true
}

// certified adds who a certificate says that the client is, "" without one. It reports
// whether there is room for that.
func (c *conn) certified(subject string) bool {
	return subject == "" ||
		c.addIdentity(protocol.ID{Scheme: "x509", ID: subject}) && (subject != c.srv.cfg.X509SuperUser || c.addIdentity(superID))
}

// closeWrite tells the client that nothing more will come.
func (c *conn) closeWrite() {
	type half interface{ CloseWrite() error }
	if h, ok := c.stream.(half); ok {
		h.CloseWrite()
	}
	// The end of TLS leaves the socket as it is.
	if h, ok := c.nc.(half); ok && c.stream != c.nc {
		h.CloseWrite()
	}
}
