package client

import (
	"crypto/rand"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// Outcomes of a handshake.
const (
	settledNot   int32 = iota
	settledOK          // the session is this connection's
	settledTaken       // another session has the id
	settledGone        // no such session, or a wrong password
)

// handshake settles a session as ZooKeeper's processConnectRequest and
// PrepRequestProcessor do, in that order of checks. It reports whether
// there is a session to serve.
func (c *conn) handshake() bool {
	frame, ok := c.nextFrame()
	if !ok {
		return false
	}
	s := c.srv
	var req protocol.ConnectRequest
	d := protocol.NewDecoder(frame)
	if req.Decode(&d); d.Err() != nil {
		c.kill(causeMalformed)
		return false
	}
	c.outOfBand()
	c.shaking.Store(true) // before the look at serving: see DropAll
	if !s.serving.Load() {
		c.kill(causeNotServing)
		return false
	}
	if !c.affordable(req.SessionID) || !c.caughtUp(&req) {
		return false
	}
	timeout := min(max(time.Duration(req.Timeout)*time.Millisecond, s.cfg.MinSessionTimeout), s.cfg.MaxSessionTimeout)
	c.timeout = timeout.Truncate(time.Millisecond)
	c.hasRO = req.HasReadOnly
	c.watcher = s.state.Watches().NewWatcher(c)

	c.farewell = true
	if req.SessionID == 0 {
		ok = c.open()
	} else {
		ok = c.attach(&req)
	}
	if !ok {
		return false
	}
	c.touch = s.deps.Liveness.Session(c.session)
	c.touch.Mark()
	c.lastIO.Store(s.now())
	c.armRead()
	if s.log.IsDebug() {
		s.log.Debug("Established session", "session", c.session.String(), "client", c.name(), "negotiated-timeout", c.timeout)
	}
	return true
}

// caughtUp reports whether this server has applied what the client has already
// seen elsewhere. It waits a moment for that: a round of sync gives all that was
// committed when it began, which covers whatever any client has seen.
func (c *conn) caughtUp(req *protocol.ConnectRequest) bool {
	s := c.srv
	v := s.state.RLock()
	last := v.LastZxid()
	s.state.RUnlock()
	if req.LastZxidSeen <= last {
		return true
	}
	reached := make(chan int64, 1)
	s.deps.Proposer.Sync(func(v fsm.View, err error) {
		if err != nil {
			reached <- 0
		} else {
			reached <- v.LastZxid()
		}
	})
	timer := time.NewTimer(s.catchUpTimeout)
	defer timer.Stop()
	for !c.isDead() {
		select {
		case z := <-reached:
			if req.LastZxidSeen <= z {
				return true
			}
			last = max(last, z)
		case <-timer.C:
		case <-c.resume:
			continue
		}
		break
	}
	if c.isDead() {
		return false
	}
	s.log.Info("Refusing session(" + req.SessionID.String() + ") request for client " + c.name() +
		" as it has seen zxid " + zxidText(req.LastZxidSeen) + " our last zxid is " + zxidText(last) +
		" client must try another server")
	c.kill(causeAhead)
	return false
}

// open creates a session.
func (c *conn) open() bool {
	s := c.srv
	var passwd [fsm.PasswdSize]byte
	rand.Read(passwd[:])
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

// attach moves an existing session to this connection. A connection that it had
// here is cut before the password is looked at, as in ZooKeeper.
func (c *conn) attach(req *protocol.ConnectRequest) bool {
	s := c.srv
	c.session = req.SessionID
	s.bind(c)
	r := fsm.AttachSession{Session: c.session, Timeout: c.timeoutMillis(), Conn: c.number}
	if copy(r.Passwd[:], req.Passwd) != len(req.Passwd) || len(req.Passwd) != len(r.Passwd) {
		c.refuseSession()
	} else if !c.settle(r.Append(nil), r.Passwd) {
		return false
	}
	if c.settled.Load() == settledOK {
		return true
	}
	s.log.Info("Invalid session " + c.session.String() + " for client " + c.name() + ", probably expired")
	return false
}

func (c *conn) timeoutMillis() int32 { return int32(c.timeout / time.Millisecond) }

// settle proposes and waits for the outcome; false if the connection died.
func (c *conn) settle(payload []byte, passwd [fsm.PasswdSize]byte) bool {
	if err := c.srv.deps.Proposer.Propose(payload, &settling{c, passwd}); err != nil {
		c.kill(causeNotServing)
		return false
	}
	return c.wait(func() bool { return c.settled.Load() != settledNot })
}

// settling completes a handshake.
type settling struct {
	c      *conn
	passwd [fsm.PasswdSize]byte
}

// Complete queues the ConnectResponse, which readLoop sends, since it is waiting
// for it. It is called from the apply goroutine.
func (p *settling) Complete(_ fsm.View, r *fsm.Result) {
	c := p.c
	switch r.Err {
	case protocol.ErrOK:
		c.respond(&protocol.ConnectResponse{
			Timeout: c.timeoutMillis(), SessionID: c.session, Passwd: p.passwd[:], HasReadOnly: c.hasRO,
		})
		c.settled.Store(settledOK)
	case protocol.ErrSessionMoved:
		c.settled.Store(settledTaken)
	default:
		c.refuseSession()
	}
	c.nudge()
}

// refuseSession answers with zeros, which clients take for an expired session.
func (c *conn) refuseSession() {
	c.respond(&protocol.ConnectResponse{HasReadOnly: c.hasRO})
	c.out.finish()
	c.settled.Store(settledGone)
}

func (c *conn) respond(r *protocol.ConnectResponse) {
	b, mark := protocol.BeginFrame(make([]byte, 0, 48))
	c.out.append(protocol.EndFrame(r.Append(b), mark))
	c.counts.sent.Add(1)
}
