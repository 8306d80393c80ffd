package client

import (
	"crypto/rand"

	"zooraft/fsm"
	"zooraft/protocol"
)

// replicated is how the ensemble's sessions are kept: all that happens to one is
// a request in the log, and its owner there is one connection of one server.
type replicated struct{ s *Server }

// open creates a session.
func (k replicated) open(c *conn) bool {
	s := k.s
	passwd := newPassword()
	for range maxIDAttempts {
		c.session = s.ids.next()
		c.settled.Store(settledNot)
		if !s.bindNew(c) {
			s.ids.skip()
			continue
		}
		r := fsm.OpenSession{Session: c.session, Timeout: c.timeoutMillis(), Passwd: passwd, Conn: c.number}
		if !c.settle(r.Append(nil), passwd) {
			return false
		}
		if c.settled.Load() == settledOK {
			c.touch = s.deps.Liveness.Session(c.session)
			return true
		}
		// Ids are made from the clock, which must have gone back: step over
		// what was handed out in that millisecond.
		s.ids.skip()
		s.unbind(c)
	}
	c.kill(causeNotServing)
	return false
}

// attach moves a session to this connection.
func (k replicated) attach(c *conn, passwd []byte) bool {
	p, ok := password(passwd)
	if !ok {
		c.refuseSession(false, k.s.elsewhere(c.session))
		return false
	}
	r := fsm.AttachSession{Session: c.session, Timeout: c.timeoutMillis(), Passwd: p, Conn: c.number}
	if !c.settle(r.Append(nil), p) || c.settled.Load() != settledOK {
		return false
	}
	c.touch = k.s.deps.Liveness.Session(c.session)
	return true
}

func (k replicated) refuses(protocol.OpCode) bool { return false }

func (k replicated) write(c *conn, it item, body []byte) bool {
	return c.write(it, c.clientRequest(it.op, body, 0))
}

func (k replicated) end(c *conn, it item) bool {
	if !k.s.takesSessions() {
		c.kill(causeFull) // the session ends by its timeout
		return false
	}
	it.kind = kindWrite
	r := fsm.CloseSession{Session: c.session, Conn: c.number}
	return c.write(it, r.Append(nil))
}

func newPassword() (p [protocol.PasswdBytes]byte) {
	rand.Read(p[:])
	return p
}

// settle proposes and waits for the outcome; false if the connection died.
func (c *conn) settle(payload []byte, passwd [protocol.PasswdBytes]byte) bool {
	if !c.srv.takesSessions() {
		c.kill(causeFull)
		return false
	}
	if err := c.srv.deps.Proposer.Propose(payload, &settling{c, passwd}); err != nil {
		c.kill(causeNotServing)
		return false
	}
	return c.wait(func() bool { return c.settled.Load() != settledNot })
}

// settling completes a handshake.
type settling struct {
	c      *conn
	passwd [protocol.PasswdBytes]byte
}

// Complete queues the ConnectResponse, which readLoop sends, since it is waiting
// for it. It is called from the apply goroutine.
func (p *settling) Complete(v fsm.View, r *fsm.Result) {
	c := p.c
	switch r.Err {
	case protocol.ErrOK:
		if r.Zxid != 0 { // opened, not attached
			c.seen.opened(r.Zxid, c.srv.now())
		}
		c.grant(p.passwd, false)
	case protocol.ErrSessionMoved:
		c.settled.Store(settledTaken)
	default:
		_, _, known := v.Session(c.session)
		c.refuseSession(false, known)
	}
	c.nudge()
}
