package client

import (
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// Outcomes of a handshake.
const (
	settledNot   int32 = iota
	settledOK          // the session is this connection's
	settledTaken       // another session has the id
	settledGone        // no such session
	settledWrong       // there is one, and the password is not its
)

// handshake takes a connection from its first frame to a session to serve, and
// reports whether there is one. Checks and actions come in the order of
// ZooKeeper's processConnectRequest: may this connection have a session here,
// who keeps it (sessionKeeper), is it new or known; the keeper answers.
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
	s.cfg.Metrics.ConnectionRequests.Inc()
	if req.SessionID != 0 {
		s.cfg.Metrics.ConnectionsRevalidated.Inc()
	}
	c.shaking.Store(true) // before the look at what is served: see DropAll
	service := Service(s.service.Load())
	if !c.admitted(service, &req) {
		return false
	}
	timeout := min(max(time.Duration(req.Timeout)*time.Millisecond, s.cfg.MinSessionTimeout), s.cfg.MaxSessionTimeout)
	c.timeout = timeout.Truncate(time.Millisecond)
	c.hasRO = req.HasReadOnly
	c.watcher = s.deps.State.Watches().NewWatcher(c)

	c.farewell = true
	c.keeper = s.keeperOf(service)
	if req.SessionID == 0 {
		ok = c.keeper.open(c)
	} else {
		c.session = req.SessionID
		s.bind(c) // before the password is looked at, as in ZooKeeper
		ok = c.keeper.attach(c, req.Passwd)
	}
	switch c.settled.Load() {
	case settledGone:
		s.log.Info("Invalid session " + c.session.String() + " for client " + c.name() + ", probably expired")
	case settledWrong:
		if s.mayWarn(warnPassword) {
			s.log.Warn("Incorrect password from " + c.name() + " for session " + c.session.String())
		}
	}
	if !ok {
		return false
	}
	c.touch.Mark()
	c.lastIO.Store(s.now())
	c.armRead()
	if s.log.IsDebug() {
		s.log.Debug("Established session", "session", c.session.String(), "client", c.name(), "negotiated-timeout", c.timeout)
	}
	return true
}

// admitted says whether this server may give the connection a session. If not it
// is closed without a byte, and its client tries another server.
func (c *conn) admitted(service Service, req *protocol.ConnectRequest) bool {
	switch {
	case service == NoService:
		c.kill(causeNotServing)
	case !c.affordable(req.SessionID):
	case service == ReadOnly && !req.ReadOnly:
		if c.srv.mayWarn(warnReadOnly) { // all clients come by while there is no quorum
			c.srv.log.Info("Refusing session request for not-read-only client " + c.name())
		}
		c.kill(causeReadOnly)
	case service == ReadOnly && req.LastZxidSeen > c.srv.lastZxid():
		c.refuseAhead(req, c.srv.lastZxid())
	case service == FullService && !c.caughtUp(req):
	case service == ReadOnly && c.srv.elsewhere(req.SessionID):
		if c.srv.mayWarn(warnReadOnly) {
			c.srv.log.Info("Refusing global session reconnection in RO mode " + c.name())
		}
		c.kill(causeGlobal)
	default:
		return true
	}
	return false
}

// caughtUp reports whether this server has applied what the client has already
// seen elsewhere. It waits a moment for that: a round of sync gives all that was
// committed when it began, which covers whatever any client has seen.
func (c *conn) caughtUp(req *protocol.ConnectRequest) bool {
	s := c.srv
	last := s.lastZxid()
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
	if !c.isDead() {
		c.refuseAhead(req, last)
	}
	return false
}

func (c *conn) refuseAhead(req *protocol.ConnectRequest, last int64) {
	c.srv.log.Info("Refusing session(" + req.SessionID.String() + ") request for client " + c.name() +
		" as it has seen zxid " + zxidText(req.LastZxidSeen) + " our last zxid is " + zxidText(last) +
		" client must try another server")
	c.kill(causeAhead)
}

// lastZxid is the last zxid applied here.
func (s *Server) lastZxid() int64 {
	v := s.deps.State.RLock()
	defer s.deps.State.RUnlock()
	return v.LastZxid()
}

func (c *conn) timeoutMillis() int32 { return int32(c.timeout / time.Millisecond) }

// grant answers that the session is this connection's.
func (c *conn) grant(passwd [protocol.PasswdBytes]byte, readOnly bool) {
	c.respond(&protocol.ConnectResponse{
		Timeout: c.timeoutMillis(), SessionID: c.session, Passwd: passwd[:], ReadOnly: readOnly, HasReadOnly: c.hasRO,
	})
	c.settled.Store(settledOK)
}

// refuseSession answers with zeros, which clients take for an expired session. known
// says that it has not expired, but is not this client's.
func (c *conn) refuseSession(readOnly, known bool) {
	c.respond(&protocol.ConnectResponse{ReadOnly: readOnly, HasReadOnly: c.hasRO})
	c.out.finish()
	if known {
		c.settled.Store(settledWrong)
	} else {
		c.settled.Store(settledGone)
	}
}

// password copies one that came from a client; ok says that it can be one.
func password(b []byte) (p [protocol.PasswdBytes]byte, ok bool) {
	copy(p[:], b)
	return p, len(b) == len(p)
}

func (c *conn) respond(r *protocol.ConnectResponse) {
	b, mark := protocol.BeginFrame(make([]byte, 0, 48))
	c.out.append(protocol.EndFrame(r.Append(b), mark))
	c.counts.sent.Add(1)
}
