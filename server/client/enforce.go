package client

import (
	"fmt"
	"slices"
	"strings"

	"zooraft/protocol"
)

// authenticated reports whether the connection has an identity of one of the
// schemes that are asked for (enforce.auth.schemes).
func (c *conn) authenticated() bool {
	return slices.ContainsFunc(c.identities(), func(id protocol.ID) bool {
		return slices.Contains(c.srv.cfg.EnforceAuth, id.Scheme)
	})
}

// unauthenticated answers a request of a connection without the authentication
// asked for, whatever it is, and ends the connection; the session lives on
// (ZooKeeper's AuthenticationHelper).
func (c *conn) unauthenticated(xid int32) bool {
	s := c.srv
	c.outOfBand()
	if s.mayWarn(warnAuth) {
		var have []string
		for _, id := range c.identities() {
			have = append(have, id.Scheme)
		}
		s.log.Error(fmt.Sprintf("Client authentication scheme(s) [%s] does not match with any of the expected authentication scheme [%s], closing session.",
			strings.Join(have, ", "), strings.Join(s.cfg.EnforceAuth, ", ")), "client", c.name(), "session", c.session.String())
	}
	c.replyNow(xid, protocol.ErrSessionClosedRequireAuth, nil)
	c.out.finish()
	return false
}

// Ensemble is the authentication scheme "ensemble", by which a client says whose
// server it means to reach.
type Ensemble struct {
	// Names are those of this ensemble (ensembleAuthName); empty for any.
	Names []string
}

// accepts reports whether a client that means auth has come to the right place.
// One that names nothing means any.
func (e *Ensemble) accepts(auth []byte) bool {
	return len(auth) == 0 || len(e.Names) == 0 || slices.Contains(e.Names, string(auth))
}

// ensemble takes an auth packet of the scheme "ensemble". A client at the wrong
// place loses its connection without an answer, so that it tries another server:
// an error would be the last that it tries.
func (c *conn) ensemble(xid int32, auth []byte) bool {
	s := c.srv
	if !s.cfg.Ensemble.accepts(auth) {
		if s.mayWarn(warnEnsemble) {
			s.log.Warn("Unexpected ensemble name: ensemble name: " + printable(string(auth)) + " client ip: " + c.remote.Addr().String())
		}
		c.kill(causeEnsemble)
		return false
	}
	if len(auth) == 0 || len(s.cfg.Ensemble.Names) == 0 {
		s.cfg.Metrics.EnsembleAuthSkip.Inc()
	} else {
		s.cfg.Metrics.EnsembleAuthSuccess.Inc()
	}
	c.replyNow(xid, protocol.ErrOK, nil)
	return true
}
