package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

func TestTimeoutNegotiation(t *testing.T) {
	f := start(t, nil)
	for _, tt := range []struct{ ask, want int32 }{
		{0, 4000}, {-1, 4000}, {3999, 4000}, {4001, 4001}, {40001, 40000}, {1<<31 - 1, 40000}, {-1 << 31, 4000},
	} {
		if r := f.dial().handshake(&protocol.ConnectRequest{Timeout: tt.ask}); r.Timeout != tt.want || r.HasReadOnly {
			t.Errorf("asked %d: %d ms, read-only byte %v, want %d ms without", tt.ask, r.Timeout, r.HasReadOnly, tt.want)
		}
	}
}

func TestSessionIDsAndPasswords(t *testing.T) {
	f := start(t, nil)
	a, b := f.connect(), f.connect()
	if a.session == b.session || a.session>>56 != 1 || b.session>>56 != 1 {
		t.Errorf("sessions %v and %v: want two, of server 1", a.session, b.session)
	}
	if bytes.Equal(a.passwd, b.passwd) || bytes.Equal(a.passwd, make([]byte, 16)) {
		t.Errorf("passwords %x and %x: want two, not zero", a.passwd, b.passwd)
	}
}

// Each byte of a password is a guess of its own.
func TestPasswordsAreRandom(t *testing.T) {
	var seen [16]map[byte]bool
	for i := range seen {
		seen[i] = make(map[byte]bool)
	}
	for range 200 {
		for i, b := range newPassword() {
			seen[i][b] = true
		}
	}
	for i, values := range seen {
		if len(values) < 64 { // about 139 are likely
			t.Errorf("byte %d of 200 passwords has %d values", i, len(values))
		}
	}
}

func TestReconnect(t *testing.T) {
	f := start(t, nil)
	for _, tt := range []struct {
		name   string
		change func(*protocol.ConnectRequest)
		ok     bool
	}{
		{"valid", func(*protocol.ConnectRequest) {}, true},
		{"wrong password", func(r *protocol.ConnectRequest) { r.Passwd = make([]byte, 16) }, false},
		{"short password", func(r *protocol.ConnectRequest) { r.Passwd = r.Passwd[:15] }, false},
		{"long password", func(r *protocol.ConnectRequest) { r.Passwd = append(r.Passwd, 0) }, false},
		{"unknown session", func(r *protocol.ConnectRequest) { r.SessionID++ }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := f.connect()
			req := &protocol.ConnectRequest{Timeout: 6000, SessionID: old.session, Passwd: bytes.Clone(old.passwd), HasReadOnly: true}
			tt.change(req)
			p := f.dial()
			r := p.handshake(req)
			if tt.ok {
				if r.SessionID != old.session || r.Timeout != 6000 || !bytes.Equal(r.Passwd, old.passwd) || !r.HasReadOnly {
					t.Errorf("response %+v", r)
				}
				if h, _ := p.call(5, protocol.OpExists, get("/")); h.Err != 0 {
					t.Errorf("after reconnect: %v", h.Err)
				}
			} else {
				if r.SessionID != 0 || r.Timeout != 0 || !bytes.Equal(r.Passwd, make([]byte, 16)) || !r.HasReadOnly {
					t.Errorf("response %+v, want zeros", r)
				}
				p.closed()
			}
			// The old connection dies even of a wrong password.
			if req.SessionID == old.session {
				old.closed()
			} else if h, _ := old.call(1, protocol.OpExists, get("/")); h.Err != 0 {
				t.Errorf("innocent connection: %v", h.Err)
			}
		})
	}
}

// A wrong password is told from an expiry, and, since anybody can send one, not each
// time.
func TestWrongPasswordIsLogged(t *testing.T) {
	const gone = "Invalid session"
	f, _ := startLocal(t, false, false)
	of := func(p *peer) string {
		return "Incorrect password from /" + p.nc.LocalAddr().String() + " for session "
	}
	try := func(req *protocol.ConnectRequest) *peer {
		p := f.dial()
		if r := p.handshake(req); r.SessionID != 0 {
			t.Fatalf("response %+v", r)
		}
		p.closed()
		return p
	}
	again := func() { f.s.warned[warnPassword].Store(0) }
	known, readOnly := f.connect().session, false
	check := func(name string, passwd []byte) {
		t.Helper()
		again()
		req := &protocol.ConnectRequest{SessionID: known, Passwd: passwd, HasReadOnly: true, ReadOnly: readOnly}
		f.logs(of(try(req)) + known.String())
		try(req)
		if text := f.log.String(); strings.Contains(text, gone) {
			t.Errorf("%s: %s", name, text)
		}
	}
	check("wrong", make([]byte, 16))
	check("short", make([]byte, 15))
	if n := strings.Count(f.log.String(), "Incorrect password"); n != 2 {
		t.Errorf("%d lines of 4 tries at 2 times", n)
	}
	f.s.SetService(ReadOnly)
	p := f.dial()
	p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true, ReadOnly: true})
	known, readOnly = p.session, true
	check("cut off", make([]byte, 16))
	f.s.SetService(FullService)

	again()
	p = try(&protocol.ConnectRequest{SessionID: 4711, HasReadOnly: true})
	f.logs("Invalid session 0x1267 for client /" + p.nc.LocalAddr().String() + ", probably expired")
	if strings.Contains(f.log.String(), of(p)) {
		t.Error("a session that does not exist has a wrong password")
	}
}

func (p *peer) mustCall(xid int32, op protocol.OpCode, body appender) {
	p.t.Helper()
	if h, _ := p.call(xid, op, body); h.Err != 0 {
		p.t.Fatalf("%v: %v", op, h.Err)
	}
}

// Watches and identities belong to the connection.
func TestReconnectLosesWatches(t *testing.T) {
	f := start(t, nil)
	old, other := f.connect(), f.connect()
	old.mustCall(1, protocol.OpCreate, create("/a", ""))
	old.mustCall(2, protocol.OpGetData, watched("/a"))
	p := f.dial()
	p.handshake(&protocol.ConnectRequest{SessionID: old.session, Passwd: old.passwd})
	old.closed()
	eventually(t, "watch gone", func() bool { return f.b.Watches().NumWatches() == 0 })
	other.mustCall(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1})
	p.mustCall(3, protocol.OpGetData, get("/a")) // call fails on an event before the reply
}

func TestCloseSession(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, &protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
	p.write(append(request(2, protocol.OpCloseSession, nil), request(3, protocol.OpCreate, create("/late", ""))...))
	if h, body := p.reply(); h.Xid != 2 || h.Err != 0 || len(body) != 0 || h.Zxid == 0 {
		t.Errorf("reply %+v %x", h, body)
	}
	p.closed()
	q := f.connect()
	for _, path := range []string{"/e", "/late"} {
		if h, _ := q.call(1, protocol.OpExists, get(path)); h.Err != protocol.ErrNoNode {
			t.Errorf("%s: %v, want NoNode", path, h.Err)
		}
	}
	if r := f.dial().handshake(&protocol.ConnectRequest{SessionID: p.session, Passwd: p.passwd}); r.SessionID != 0 {
		t.Errorf("closed session taken up again: %+v", r)
	}
}

// TestCloseSessionAtOnce: who closes its session gets all replies and the end of
// the stream without closing its own end first, whatever it has sent behind.
func TestCloseSessionAtOnce(t *testing.T) {
	ask := request(7, protocol.OpGetData, get("/a"))
	for _, tt := range []struct {
		name         string
		reads, bytes int
		behind       []byte
	}{
		{"alone", 0, 0, nil},
		{"behind reads", 10, 100, nil},
		{"behind many", 100, 2000, nil},
		{"before a ping", 0, 0, request(protocol.XidPing, protocol.OpPing, nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, nil)
			p := f.connect()
			p.mustCall(1, protocol.OpCreate, create("/a", string(make([]byte, tt.bytes))))
			f.b.hold(true)
			p.write(bytes.Repeat(ask, tt.reads))
			p.send(2, protocol.OpCloseSession, nil)
			eventually(t, "the end is under way", func() bool { return f.s.outstanding.Load() == 1 })
			p.write(tt.behind) // which nobody reads
			f.b.hold(false)
			for i := range tt.reads {
				if h, body := p.reply(); h.Xid != 7 || h.Err != 0 || len(body) < tt.bytes {
					t.Fatalf("reply %d is %+v with %d bytes", i, h, len(body))
				}
			}
			if h, _ := p.reply(); h.Xid != 2 || h.Err != 0 {
				t.Errorf("got %+v", h)
			}
			p.closed()
			begin := time.Now()
			eventually(t, "it has been forgotten", func() bool { f.s.mu.Lock(); defer f.s.mu.Unlock(); return len(f.s.conns) == 0 })
			if d := time.Since(begin); d > lingerTimeout/2 {
				t.Errorf("forgotten %v after the end", d)
			}
		})
	}
}

// A session that moved to another server: its old connection is closed by its
// next write, without a reply, and the write does nothing.
func TestSessionMoved(t *testing.T) {
	for _, op := range []protocol.OpCode{protocol.OpCreate, protocol.OpMulti, protocol.OpCloseSession} {
		t.Run(op.String(), func(t *testing.T) {
			f := start(t, nil)
			p := f.connect()
			f.b.hold(true)
			r := fsm.AttachSession{Session: p.session, Timeout: 5000, Conn: 77}
			copy(r.Passwd[:], p.passwd)
			f.b.elsewhere(1, r.Append(nil))
			p.mustCall(1, protocol.OpExists, get("/"))
			switch op {
			case protocol.OpCreate:
				p.send(2, op, create("/x", ""))
			case protocol.OpMulti:
				p.write(frameOf(protocol.AppendMultiEnd([]byte{0, 0, 0, 2, 0, 0, 0, byte(op)})))
			default:
				p.send(2, op, nil)
			}
			f.b.hold(false)
			p.closed()
			if h, _ := f.connect().call(1, protocol.OpExists, get("/x")); h.Err != protocol.ErrNoNode {
				t.Errorf("the write took effect: %v", h.Err)
			}
			f.b.View(func(v fsm.View) {
				if _, o, ok := v.Session(p.session); !ok || o.Conn != 77 {
					t.Errorf("owner %+v, %v", o, ok)
				}
			})
		})
	}
}

func TestSessionExpired(t *testing.T) {
	f := start(t, nil)
	p, bystander := f.connect(), f.connect()
	bystander.call(1, protocol.OpExists, watched("/e"))
	p.mustCall(1, protocol.OpCreate, &protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
	if h, _ := bystander.reply(); h.Xid != protocol.XidNotification {
		t.Errorf("got %+v, want an event", h)
	}
	bystander.mustCall(2, protocol.OpExists, watched("/e"))
	f.b.hold(true)
	p.send(2, protocol.OpCreate, create("/queued", "")) // answered -112, but the socket is closed by then
	var owner fsm.Owner
	f.b.View(func(v fsm.View) { _, owner, _ = v.Session(p.session) })
	r := fsm.Expire{Sessions: []fsm.ExpiredSession{{Session: p.session, Owner: owner}}}
	f.b.apply(fsm.Origin{}, []queued{{payload: r.Append(nil)}})
	p.closed()
	f.b.hold(false)
	if h, _ := bystander.reply(); h.Xid != protocol.XidNotification {
		t.Errorf("got %+v, want an event", h)
	}
	if h, _ := bystander.call(3, protocol.OpExists, get("/queued")); h.Err != protocol.ErrNoNode {
		t.Errorf("a write of the expired session took effect: %v", h.Err)
	}
	q := f.dial()
	if r := q.handshake(&protocol.ConnectRequest{SessionID: p.session, Passwd: p.passwd}); r.SessionID != 0 {
		t.Errorf("expired session taken up again: %+v", r)
	}
	q.closed()
	f.logs("Invalid session " + p.session.String() + " for client /127.0.0.1:")
}

// An expiry that reaches the log before a reconnect gives the client its answer.
func TestExpiryBeforeAttach(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	var owner fsm.Owner
	f.b.View(func(v fsm.View) { _, owner, _ = v.Session(p.session) })
	f.b.hold(true)
	q := f.dial()
	req := protocol.ConnectRequest{SessionID: p.session, Passwd: p.passwd}
	q.write(frameOf(req.Append(nil)))
	p.closed() // so the new connection is bound
	r := fsm.Expire{Sessions: []fsm.ExpiredSession{{Session: p.session, Owner: owner}}}
	f.b.apply(fsm.Origin{}, []queued{{payload: r.Append(nil)}})
	f.b.hold(false)
	var resp protocol.ConnectResponse
	d := protocol.NewDecoder(q.frame())
	if resp.Decode(&d); d.Err() != nil || resp.SessionID != 0 || resp.Timeout != 0 {
		t.Errorf("response %+v, want zeros", resp)
	}
	q.closed()
}

// Frames behind the ConnectRequest wait for the session.
func TestPipelinedHandshake(t *testing.T) {
	f := start(t, nil)
	f.b.hold(true)
	p := f.dial()
	req := protocol.ConnectRequest{Timeout: 5000}
	p.write(append(frameOf(req.Append(nil)), request(1, protocol.OpCreate, create("/a", ""))...))
	p.send(2, protocol.OpGetData, get("/a"))
	eventually(t, "session proposed", func() bool {
		f.b.mu.Lock()
		defer f.b.mu.Unlock()
		return len(f.b.queue) == 1
	})
	f.b.hold(false)
	p.frame()
	for xid := int32(1); xid <= 2; xid++ {
		if h, _ := p.reply(); h.Xid != xid || h.Err != 0 {
			t.Errorf("reply %+v, want xid %d", h, xid)
		}
	}
}

// An id that is taken already is not given out twice.
func TestSessionIDTaken(t *testing.T) {
	f := start(t, nil)
	first := f.s.ids.next() + 1
	r := fsm.OpenSession{Session: first, Timeout: 5000}
	f.b.hold(true)
	f.b.elsewhere(1, r.Append(nil))
	f.b.hold(false)
	if p := f.connect(); p.session == first {
		t.Errorf("session %v belongs to somebody else", p.session)
	}
	f.b.View(func(v fsm.View) {
		if _, o, ok := v.Session(first); !ok || o.SID != 2 {
			t.Errorf("owner of the other session: %+v, %v", o, ok)
		}
	})
}

func TestClientAhead(t *testing.T) {
	f := start(t, nil, func(s *Server) { s.catchUpTimeout = 50 * time.Millisecond })
	f.connect().mustCall(1, protocol.OpCreate, create("/a", ""))
	var last int64
	f.b.View(func(v fsm.View) { last = v.LastZxid() })

	t.Run("never there", func(t *testing.T) {
		p := f.dial()
		req := protocol.ConnectRequest{LastZxidSeen: last + 100}
		p.write(frameOf(req.Append(nil)))
		p.closed()
		f.logs("Refusing session(0x0) request for client /127.0.0.1:")
	})
	t.Run("too late", func(t *testing.T) {
		f.b.hold(true)
		p := f.dial()
		req := protocol.ConnectRequest{LastZxidSeen: last + 1}
		p.write(frameOf(req.Append(nil)))
		p.closed()
		f.b.hold(false)
	})
	t.Run("in time", func(t *testing.T) {
		f := start(t, nil)
		f.b.hold(true)
		q := f.dial()
		req := protocol.ConnectRequest{Timeout: 5000}
		q.write(frameOf(req.Append(nil))) // zxid 1
		eventually(t, "proposed", func() bool { f.b.mu.Lock(); defer f.b.mu.Unlock(); return len(f.b.queue) == 1 })
		p := f.dial()
		req.LastZxidSeen = 1
		p.write(frameOf(req.Append(nil)))
		eventually(t, "sync asked for", func() bool { f.b.mu.Lock(); defer f.b.mu.Unlock(); return len(f.b.queue) == 2 })
		f.b.hold(false)
		if b := p.frame(); len(b) < 36 {
			t.Errorf("response %x", b)
		}
	})
	t.Run("no leader", func(t *testing.T) {
		f.b.setRefuse(errTest)
		defer f.b.setRefuse(nil)
		p := f.dial()
		req := protocol.ConnectRequest{LastZxidSeen: last + 100}
		p.write(frameOf(req.Append(nil)))
		p.closed()
	})
}

func TestNotServing(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	f.s.SetService(NoService)
	q := f.dial()
	req := protocol.ConnectRequest{Timeout: 5000}
	q.write(frameOf(req.Append(nil)))
	q.closed()
	w := f.dial()
	w.write([]byte("ruok"))
	if got := readAll(t, w); got != "I am ruok" {
		t.Errorf("ruok while not serving: %q", got)
	}
	p.mustCall(1, protocol.OpExists, get("/")) // keeps its session until dropped
	waiting := f.dial()
	f.s.DropAll("lost the quorum")
	p.closed()
	// One that has not shown a session yet is not in the way.
	waiting.write([]byte("ruok"))
	if got := readAll(t, waiting); got != "I am ruok" {
		t.Errorf("ruok: %q", got)
	}
	f.s.SetService(FullService)
	r := f.dial().handshake(&protocol.ConnectRequest{SessionID: p.session, Passwd: p.passwd})
	if r.SessionID != p.session {
		t.Errorf("session did not survive: %+v", r)
	}
}

func TestProposerFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"write", request(1, protocol.OpCreate, create("/a", ""))},
		{"sync", request(1, protocol.OpSync, &protocol.SyncRequest{Path: "/"})},
		{"write behind sync", append(request(1, protocol.OpSync, &protocol.SyncRequest{Path: "/"}), request(2, protocol.OpCreate, create("/a", ""))...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, nil)
			p := f.connect()
			f.b.setRefuse(errTest)
			p.write(tt.send)
			p.closed()
			q := f.dial()
			req := protocol.ConnectRequest{Timeout: 5000}
			q.write(frameOf(req.Append(nil)))
			q.closed()
		})
	}
}

func TestTouches(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	// The client may have its answer a moment before.
	eventually(t, "the handshake is a sign of life", func() bool { return f.b.touches(p.session) > 0 })
	base := f.b.touches(p.session)
	p.mustCall(1, protocol.OpExists, get("/"))
	p.mustCall(2, protocol.OpCreate, create("/a", ""))
	p.send(3, protocol.OpPing, nil)
	p.reply()
	if got := f.b.touches(p.session) - base; got != 3 {
		t.Errorf("%d touches by three requests", got)
	}
	p.mustCall(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ip"})
	p.mustCall(4, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}})
	if got := f.b.touches(p.session) - base; got != 3 {
		t.Errorf("auth and sasl touched the session")
	}
}

func TestIdle(t *testing.T) {
	const timeout = 2 * time.Second // far more than the pace of who is busy, on a busy machine too
	f := start(t, func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = timeout, timeout },
		func(s *Server) { s.handshakeTimeout = timeout })
	t.Run("no session", func(t *testing.T) {
		p := f.dial()
		p.write([]byte{0, 0})
		p.closed()
	})
	t.Run("silent session", func(t *testing.T) {
		begin := time.Now()
		f.connect().closed()
		if d := time.Since(begin); d < timeout {
			t.Errorf("closed after %v, its timeout is %v", d, timeout)
		}
	})
	t.Run("busy session", func(t *testing.T) {
		p := f.connect()
		for begin := time.Now(); time.Since(begin) < 2*timeout; {
			p.mustCall(1, protocol.OpExists, get("/"))
			time.Sleep(20 * time.Millisecond) // traffic at its own pace is the point
		}
	})
}
