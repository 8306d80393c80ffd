package client

import (
	"crypto/subtle"
	"sync"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// local is how this server keeps sessions alone (ZooKeeper's
// LocalSessionTracker): opening and closing one is no request in the log. Its
// writes are, without an owner that apply could look at. What the owner is for, that
// a late write of a dead connection cannot follow the client's reconnect, holds
// for another reason: a local session can be taken up here only, and attach waits
// until nothing more can be proposed by the connection before (localSession.turn).
// Writes of one process are applied in the order in which they were proposed.
type local struct{ s *Server }

func (k local) open(c *conn) bool { return k.enter(c, false) }

// attach takes up a session that is here, and else one of the ensemble: it may
// have been upgraded, or opened before local sessions were enabled.
func (k local) attach(c *conn, passwd []byte) bool {
	if k.renew(c, passwd, false) {
		return true
	}
	if k.s.locals.get(c.session) != nil { // a wrong password
		c.refuseSession(false, true)
		return false
	}
	c.keeper = replicated(k)
	return c.keeper.attach(c, passwd)
}

// enter opens a session for c.
func (k local) enter(c *conn, readOnly bool) bool {
	s := k.s
	for range maxIDAttempts {
		c.session = s.ids.next()
		if s.elsewhere(c.session) || !s.bindNew(c) { // see replicated.open
			s.ids.skip()
			continue
		}
		l := &localSession{passwd: newPassword(), timeout: c.timeout}
		s.locals.add(c.session, l)
		c.seen.opened(s.lastZxid(), s.now())
		k.hold(c, l, readOnly)
		return true
	}
	c.kill(causeNotServing)
	return false
}

// renew makes c the connection of its session, if that is here and the password
// is right.
func (k local) renew(c *conn, passwd []byte, readOnly bool) bool {
	l := k.s.locals.get(c.session)
	if l == nil {
		return false
	}
	l.turn.Lock() // the connection before is dead, since c is bound
	defer l.turn.Unlock()
	if !k.s.locals.renew(c.session, l, passwd, c.timeout) {
		return false
	}
	k.hold(c, l, readOnly)
	if k.s.locals.get(c.session) != l { // ended before anybody could know of c
		c.kill(causeClosed)
	}
	return true
}

func (k local) hold(c *conn, l *localSession, readOnly bool) {
	c.local = l
	c.touch = k.s.locals.alive.Session(c.session)
	c.grant(l.passwd, readOnly)
}

func (k local) refuses(protocol.OpCode) bool { return false }

// write is that of a session that no server else knows, unless it is to own a
// znode: that makes it one of the ensemble first, or is refused in apply.
func (k local) write(c *conn, it item, body []byte) bool {
	if k.s.cfg.UpgradeLocal && makesEphemeral(it.op, body) {
		return k.upgrade(c) && c.keeper.write(c, it, body)
	}
	return c.inTurn(func() bool { return c.write(it, c.clientRequest(it.op, body, fsm.LocalSession)) })
}

// upgrade orders the opening of the session, under the same id, before whatever
// follows on c. A client that reconnects meanwhile attaches behind it in the log.
func (k local) upgrade(c *conn) bool {
	l, locals := c.local, &k.s.locals
	return c.inTurn(func() bool {
		r := fsm.OpenSession{Session: c.session, Timeout: c.timeoutMillis(), Passwd: l.passwd, Conn: c.number}
		k.s.log.Info("Upgrading session", "session", c.session.String())
		if err := k.s.deps.Proposer.Propose(r.Append(nil), &upgrade{c}); err != nil {
			c.kill(causeNotServing)
			return false
		}
		locals.end(c.session)
		c.keeper, c.touch = replicated(k), k.s.deps.Liveness.Session(c.session)
		c.touch.Mark()
		return true
	})
}

// end closes the session when all that came before is answered.
func (k local) end(c *conn, it item) bool {
	it.kind = kindEnd
	return c.ordered(it)
}

// upgrade completes the opening of a session that has a connection already.
type upgrade struct{ c *conn }

// Complete is called from the apply goroutine.
func (p *upgrade) Complete(_ fsm.View, r *fsm.Result) {
	if r.Err != protocol.ErrOK {
		p.c.kill(causeClosed)
	}
}

// inTurn calls propose unless another connection has taken c's session.
func (c *conn) inTurn(propose func() bool) bool {
	c.local.turn.Lock()
	defer c.local.turn.Unlock()
	return !c.isDead() && propose()
}

// makesEphemeral says whether a write creates an ephemeral znode, if it succeeds.
// It looks where QuorumZooKeeperServer.checkUpgradeSession does.
func makesEphemeral(op protocol.OpCode, body []byte) bool {
	d := protocol.NewDecoder(body)
	switch op {
	case protocol.OpCreate, protocol.OpCreate2:
		var r protocol.CreateRequest
		r.Decode(&d)
		return d.Err() == nil && protocol.Ephemeral(r.Flags)
	case protocol.OpMulti:
		ops, err := protocol.DecodeMulti(&d)
		if err != nil {
			return false
		}
		for i := range ops {
			if t := ops[i].Type; (t == protocol.OpCreate || t == protocol.OpCreate2) && protocol.Ephemeral(ops[i].Create.Flags) {
				return true
			}
		}
	}
	return false
}

// ExpireLocal ends those of ids for which silent still holds: a client that has
// reconnected meanwhile keeps its session. It does not block.
func (s *Server) ExpireLocal(ids []protocol.SessionID, silent func(protocol.SessionID) bool) {
	for _, id := range ids {
		if s.locals.expire(id, silent) {
			s.log.Info("Expiring session " + id.String() + ", timeout exceeded")
			s.SessionClosed(id)
		}
	}
}

// LocalSessions calls yield for each session that this server keeps alone, in no
// order, and holds up whoever opens or closes one meanwhile.
func (s *Server) LocalSessions(yield func(protocol.SessionID, time.Duration)) {
	s.locals.mu.Lock()
	defer s.locals.mu.Unlock()
	for id, l := range s.locals.all {
		yield(id, l.timeout)
	}
}

// localSession is one session that this server keeps alone.
type localSession struct {
	passwd  [protocol.PasswdBytes]byte
	timeout time.Duration // guarded by localSessions.mu

	// turn is held by whoever proposes for the session, and by who takes it up.
	// The apply goroutine never takes it, for Propose may wait for that.
	turn sync.Mutex
}

// localSessions are all of them. What watches over their lives hears of each
// change under mu.
type localSessions struct {
	alive LocalLiveness

	mu  sync.Mutex
	all map[protocol.SessionID]*localSession
}

func (t *localSessions) add(id protocol.SessionID, l *localSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[id] = l
	t.alive.Opened(id, l.timeout)
}

func (t *localSessions) get(id protocol.SessionID) *localSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[id]
}

func (t *localSessions) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// renew gives l another timeout, and its full time, if it is still here.
func (t *localSessions) renew(id protocol.SessionID, l *localSession, passwd []byte, timeout time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[id] != l || subtle.ConstantTimeCompare(l.passwd[:], passwd) != 1 {
		return false
	}
	l.timeout = timeout
	t.alive.Attached(id, timeout)
	return true
}

// end forgets a session: it is closed, or the ensemble's.
func (t *localSessions) end(id protocol.SessionID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, id)
	t.alive.Closed(id)
}

func (t *localSessions) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.all {
		delete(t.all, id)
		t.alive.Closed(id)
	}
}

// expire forgets a session if silent holds.
func (t *localSessions) expire(id protocol.SessionID, silent func(protocol.SessionID) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[id] == nil || !silent(id) {
		return false
	}
	delete(t.all, id)
	t.alive.Closed(id)
	return true
}
