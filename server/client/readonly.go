package client

import "zooraft/protocol"

// cutOff is how sessions are kept on a server without a quorum: they are local
// ones, for nothing can be ordered, and may only read. It needs no
// localSessionsEnabled, without which ZooKeeper's read-only servers cannot be
// used. What reads show is a prefix of the log, as on any server, but may be as
// old as the partition.
type cutOff struct{ local }

func (k cutOff) open(c *conn) bool { return k.enter(c, true) }

func (k cutOff) attach(c *conn, passwd []byte) bool {
	if !k.renew(c, passwd, true) {
		c.refuseSession(true, k.s.locals.get(c.session) != nil)
		return false
	}
	return true
}

// refuses follows ReadOnlyRequestProcessor.
func (k cutOff) refuses(op protocol.OpCode) bool {
	switch op {
	case protocol.OpSync, protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateTTL, protocol.OpCreateContainer,
		protocol.OpDelete, protocol.OpDeleteContainer, protocol.OpSetData, protocol.OpReconfig, protocol.OpSetACL,
		protocol.OpMulti:
		return true
	}
	return false
}

// elsewhere says whether a session is known as one of the ensemble, which may
// have been attached to another server since: it cannot be taken up without a
// quorum.
func (s *Server) elsewhere(id protocol.SessionID) bool {
	v := s.deps.State.RLock()
	defer s.deps.State.RUnlock()
	_, _, known := v.Session(id)
	return known
}
