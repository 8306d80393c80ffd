package client

import "zooraft/protocol"

// sessionKeeper is a way to keep sessions, and so what becomes of what their clients
// ask for:
//
//   - replicated: in the log, known to every server;
//   - local: by this server alone, while it serves like any other;
//   - cutOff: by this server alone, while it has no quorum and only reads.
//
// The methods are called by a connection's readLoop and may block; they report
// whether the connection goes on. Those that settle a session set c.touch, answer
// with grant or refuseSession, or kill the connection.
type sessionKeeper interface {
	// open gives the connection a new session.
	open(c *conn) bool
	// attach gives it the one whose id is c.session and to which it is bound.
	attach(c *conn, passwd []byte) bool
	// refuses says of an operation that it is answered NotReadOnly, whatever is
	// in it.
	refuses(op protocol.OpCode) bool
	// write starts a write whose body has been checked.
	write(c *conn, it item, body []byte) bool
	// end closes the session at its client's wish.
	end(c *conn, it item) bool
}

// keeperOf is how the session that a connection gets now is kept. One that attaches to
// an older session may find it kept in another way.
func (s *Server) keeperOf(service Service) sessionKeeper {
	switch {
	case service == ReadOnly:
		return cutOff{local{s}}
	case s.cfg.LocalSessions:
		return local{s}
	}
	return replicated{s}
}
