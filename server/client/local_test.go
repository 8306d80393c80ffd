package client

import (
	"bytes"
	"maps"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
)

// localWatch is a LocalLiveness that notes what it hears.
type localWatch struct {
	mu      sync.Mutex
	alive   map[protocol.SessionID]time.Duration
	touched map[protocol.SessionID]int
}

func (l *localWatch) Opened(id protocol.SessionID, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive[id] = timeout
}

func (l *localWatch) Attached(id protocol.SessionID, timeout time.Duration) { l.Opened(id, timeout) }

func (l *localWatch) Closed(id protocol.SessionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.alive, id)
}

func (l *localWatch) Session(id protocol.SessionID) Toucher {
	return toucher(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.touched[id]++
	})
}

func (l *localWatch) all() map[protocol.SessionID]time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.alive)
}

func (l *localWatch) touches(id protocol.SessionID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.touched[id]
}

// startLocal is start with local sessions, or without where only a server that is
// cut off keeps any.
func startLocal(t *testing.T, local, upgrade bool) (*fixture, *localWatch) {
	t.Helper()
	l := &localWatch{alive: make(map[protocol.SessionID]time.Duration), touched: make(map[protocol.SessionID]int)}
	f := start(t, func(c *Config) { c.LocalSessions, c.UpgradeLocal = local, upgrade }, func(s *Server) {
		s.locals.alive = l
	})
	return f, l
}

func (f *fixture) zxid() int64 { return f.s.lastZxid() }

func (f *fixture) global(id protocol.SessionID) bool { return f.s.elsewhere(id) }

func ephemeral(path string) *protocol.CreateRequest {
	return &protocol.CreateRequest{Path: path, ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral}
}

func (p *peer) resume(readOnly bool) *protocol.ConnectRequest {
	return &protocol.ConnectRequest{Timeout: 7000, SessionID: p.session, Passwd: bytes.Clone(p.passwd), ReadOnly: readOnly, HasReadOnly: true}
}

func TestLocalSession(t *testing.T) {
	f, l := startLocal(t, true, false)
	before := f.zxid()
	p := f.connect()
	if c := f.s.Connections()[0]; c.Op != protocol.OpCreateSession || c.LastZxid != before || !c.Replied {
		t.Errorf("before any request: %+v", c)
	}
	if f.zxid() != before || f.global(p.session) {
		t.Errorf("opening it took zxid %#x, after %#x", f.zxid(), before)
	}
	if got := l.all()[p.session]; got != 10*time.Second {
		t.Errorf("watched over with a timeout of %v, want 10s", got)
	}
	if n := f.s.Stats().LocalSessions; n != 1 {
		t.Errorf("%d local sessions, want 1", n)
	}
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	if h, _ := p.call(2, protocol.OpCreate, ephemeral("/e")); h.Err != protocol.ErrEphemeralOnLocalSession || h.Zxid != before+2 {
		t.Errorf("ephemeral: %v with zxid %#x, want %#x", h.Err, h.Zxid, before+2)
	}
	p.mustCall(3, protocol.OpSync, &protocol.SyncRequest{Path: "/a"})
	p.mustCall(4, protocol.OpGetEphemerals, &protocol.SyncRequest{Path: "/"})
	if n := l.touches(p.session); n < 4 || f.b.touches(p.session) != 0 {
		t.Errorf("touched %d times, and %d times as one of the ensemble", n, f.b.touches(p.session))
	}

	// Its end waits its turn, and takes no zxid.
	p.write(append(request(5, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1}), request(6, protocol.OpCloseSession, nil)...))
	if h, _ := p.reply(); h.Xid != 5 || h.Err != protocol.ErrOK {
		t.Errorf("reply %+v", h)
	}
	if h, body := p.reply(); h.Xid != 6 || h.Err != protocol.ErrOK || h.Zxid != before+3 || len(body) != 0 {
		t.Errorf("reply %+v %x, want zxid %#x", h, body, before+3)
	}
	p.closed()
	if len(l.all()) != 0 || f.s.Stats().LocalSessions != 0 {
		t.Errorf("left: %v", l.all())
	}
	if r := f.dial().handshake(p.resume(false)); r.SessionID != 0 {
		t.Errorf("closed session taken up again: %+v", r)
	}
}

func TestLocalSessionReconnect(t *testing.T) {
	f, l := startLocal(t, true, false)
	old := f.connect()
	id := old.session
	wrong := old.resume(false)
	wrong.Passwd[0]++
	if r := f.dial().handshake(wrong); r.SessionID != 0 {
		t.Errorf("wrong password: %+v", r)
	}
	f.logs("Incorrect password from /")
	old.closed()
	p := f.dial()
	if r := p.handshake(old.resume(false)); r.SessionID != id || r.Timeout != 7000 || !bytes.Equal(r.Passwd, old.passwd) || r.ReadOnly {
		t.Errorf("response %+v", r)
	}
	if got := l.all()[id]; got != 7*time.Second {
		t.Errorf("watched over with a timeout of %v, want 7s", got)
	}
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	// One that is none of this server's is looked for in the ensemble.
	if r := f.dial().handshake(&protocol.ConnectRequest{SessionID: id + 99}); r.SessionID != 0 {
		t.Errorf("unknown session: %+v", r)
	}
}

// A write that the dead connection had still to propose must not follow what the
// client has done since.
func TestLocalSessionLateWrite(t *testing.T) {
	f, _ := startLocal(t, true, false)
	old := f.connect()
	f.s.mu.Lock()
	c := f.s.sessions[old.session]
	f.s.mu.Unlock()
	l := f.s.locals.get(old.session)

	l.turn.Lock() // as one that is proposing
	p := f.dial()
	shaken := make(chan protocol.SessionID)
	go func() { shaken <- p.handshake(old.resume(false)).SessionID }()
	eventually(t, "old connection dead", c.isDead)
	select {
	case <-shaken:
		t.Error("taken up while the old connection could still propose")
	default:
	}
	l.turn.Unlock()
	if id := <-shaken; id != old.session {
		t.Errorf("session %v, want %v", id, old.session)
	}
	eventually(t, "old connection gone", func() bool {
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		_, there := f.s.conns[c]
		return !there
	})
	before := f.zxid()
	k := local{f.s}
	if k.write(c, item{kind: kindWrite, op: protocol.OpCreate}, create("/late", "").Append(nil)) || f.zxid() != before {
		t.Error("a dead connection could propose")
	}
}

func TestLocalSessionExpiry(t *testing.T) {
	f, l := startLocal(t, true, false)
	p, q := f.connect(), f.connect()
	f.s.ExpireLocal([]protocol.SessionID{p.session, q.session, 4711}, func(id protocol.SessionID) bool { return id == p.session })
	p.closed()
	q.mustCall(1, protocol.OpExists, get("/"))
	if got := l.all(); len(got) != 1 || got[q.session] == 0 {
		t.Errorf("left: %v, want session %v alone", got, q.session)
	}
	if r := f.dial().handshake(p.resume(false)); r.SessionID != 0 {
		t.Errorf("expired session taken up again: %+v", r)
	}
}

func TestLocalSessionUpgrade(t *testing.T) {
	multi := func(ops ...*protocol.CreateRequest) []byte {
		var b []byte
		for _, r := range ops {
			b = r.Append((&protocol.MultiHeader{Type: protocol.OpCreate, Err: -1}).Append(b))
		}
		return protocol.AppendMultiEnd(b)
	}
	for _, tt := range []struct {
		name  string
		op    protocol.OpCode
		body  []byte
		up    bool
		zxids int64
		err   protocol.ErrCode
	}{
		{"persistent", protocol.OpCreate, create("/a", "").Append(nil), false, 1, protocol.ErrOK},
		{"ephemeral", protocol.OpCreate, ephemeral("/e").Append(nil), true, 2, protocol.ErrOK},
		{"ephemeral with stat", protocol.OpCreate2, ephemeral("/e").Append(nil), true, 2, protocol.ErrOK},
		{"one that fails", protocol.OpCreate, ephemeral("/no/e").Append(nil), true, 2, protocol.ErrNoNode},
		{"multi", protocol.OpMulti, multi(create("/a", ""), ephemeral("/e")), true, 2, protocol.ErrOK},
		{"multi without", protocol.OpMulti, multi(create("/a", "")), false, 1, protocol.ErrOK},
		{"no mode", protocol.OpCreate, (&protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: 99}).Append(nil), false, 1, protocol.ErrBadArguments},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, l := startLocal(t, true, true)
			p := f.connect()
			before := f.zxid()
			h, _ := p.call(1, tt.op, raw(tt.body))
			if h.Err != tt.err || h.Zxid != before+tt.zxids {
				t.Errorf("%v with zxid %#x, want %v and %#x", h.Err, h.Zxid, tt.err, before+tt.zxids)
			}
			if _, here := l.all()[p.session]; here == tt.up || f.global(p.session) != tt.up {
				t.Fatalf("here %v, of the ensemble %v; want upgraded %v", here, f.global(p.session), tt.up)
			}
			if !tt.up {
				return
			}
			// From here on it is like any other.
			before = f.zxid()
			p.mustCall(2, protocol.OpCreate, ephemeral("/e2"))
			if f.zxid() != before+1 {
				t.Errorf("a second ephemeral took %d zxids", f.zxid()-before)
			}
			if f.b.touches(p.session) == 0 {
				t.Error("not touched as one of the ensemble")
			}
			q := f.dial()
			if r := q.handshake(p.resume(false)); r.SessionID != p.session {
				t.Fatalf("reconnect: %+v", r)
			}
			p.closed()
			q.mustCall(3, protocol.OpExists, get("/e2"))
			q.mustCall(4, protocol.OpCloseSession, nil)
			if o := f.connect(); f.global(p.session) {
				t.Error("closed, but still there")
			} else if h, _ := o.call(1, protocol.OpExists, get("/e2")); h.Err != protocol.ErrNoNode {
				t.Errorf("its ephemeral: %v", h.Err)
			}
		})
	}
}

// raw is a request's body as it is.
type raw []byte

func (r raw) Append(b []byte) []byte { return append(b, r...) }

// A client that loses its connection while the session is being upgraded comes
// back to it.
func TestReconnectWhileUpgrading(t *testing.T) {
	f, _ := startLocal(t, true, true)
	p := f.connect()
	f.b.hold(true)
	p.send(1, protocol.OpCreate, ephemeral("/e"))
	eventually(t, "session upgraded", func() bool { return f.s.locals.get(p.session) == nil })
	q := f.dial()
	q.write(frameOf(p.resume(false).Append(nil)))
	p.closed()
	f.b.hold(false)
	var r protocol.ConnectResponse
	d := protocol.NewDecoder(q.frame())
	if r.Decode(&d); r.SessionID != p.session {
		t.Fatalf("response %+v", r)
	}
	q.mustCall(2, protocol.OpExists, get("/e"))
}

func TestReadOnly(t *testing.T) {
	f, l := startLocal(t, false, false)
	g := f.connect()
	g.mustCall(1, protocol.OpCreate, create("/a", "x"))
	f.s.SetService(ReadOnly)
	f.s.DropAll("cut off")
	g.closed()
	f.b.setRefuse(errTest)
	before := f.zxid()

	// Who is let in.
	silent := func(name string, req *protocol.ConnectRequest) {
		t.Helper()
		p := f.dial()
		if req.Passwd == nil {
			req.Passwd = make([]byte, 16)
		}
		p.write(frameOf(req.Append(nil)))
		p.closed()
	}
	silent("no byte", &protocol.ConnectRequest{})
	silent("not read-only", &protocol.ConnectRequest{HasReadOnly: true})
	silent("ahead", &protocol.ConnectRequest{HasReadOnly: true, ReadOnly: true, LastZxidSeen: before + 1})
	silent("session of the ensemble", g.resume(true))
	if r := f.dial().handshake(&protocol.ConnectRequest{SessionID: 4711, HasReadOnly: true, ReadOnly: true}); r.SessionID != 0 || !r.ReadOnly {
		t.Errorf("unknown session: %+v", r)
	}

	p := f.dial()
	if r := p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true, ReadOnly: true, LastZxidSeen: before}); r.SessionID == 0 || !r.ReadOnly || !r.HasReadOnly {
		t.Fatalf("response %+v", r)
	}
	for _, tt := range []struct {
		op   protocol.OpCode
		body appender
		want protocol.ErrCode
	}{
		{protocol.OpGetData, watched("/a"), protocol.ErrOK},
		{protocol.OpExists, get("/b"), protocol.ErrNoNode},
		{protocol.OpMultiRead, raw(protocol.AppendMultiEnd(nil)), protocol.ErrOK},
		{protocol.OpGetEphemerals, &protocol.SyncRequest{Path: "/"}, protocol.ErrOK},
		{protocol.OpCreate, create("/b", ""), protocol.ErrNotReadOnly},
		{protocol.OpCreate2, raw("junk"), protocol.ErrNotReadOnly},
		{protocol.OpDelete, &protocol.DeleteRequest{Path: "/a"}, protocol.ErrNotReadOnly},
		{protocol.OpSetData, &protocol.SetDataRequest{Path: "/a"}, protocol.ErrNotReadOnly},
		{protocol.OpSetACL, raw(nil), protocol.ErrNotReadOnly},
		{protocol.OpMulti, raw(protocol.AppendMultiEnd(nil)), protocol.ErrNotReadOnly},
		{protocol.OpReconfig, raw(nil), protocol.ErrNotReadOnly},
		{protocol.OpSync, &protocol.SyncRequest{Path: "/"}, protocol.ErrNotReadOnly},
	} {
		if h, _ := p.call(3, tt.op, tt.body); h.Err != tt.want || h.Zxid != before {
			t.Errorf("%v: %v with zxid %#x, want %v and %#x", tt.op, h.Err, h.Zxid, tt.want, before)
		}
	}
	q := f.dial()
	if r := q.handshake(p.resume(true)); r.SessionID != p.session || !r.ReadOnly {
		t.Errorf("reconnect: %+v", r)
	}
	p.closed()
	q.mustCall(4, protocol.OpCloseSession, nil)
	q.closed()

	// The quorum comes back: it was a session for the time without.
	p = f.dial()
	p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true, ReadOnly: true})
	f.b.setRefuse(nil)
	f.s.SetService(FullService)
	f.s.DropAll("back")
	p.closed()
	if len(l.all()) != 0 {
		t.Errorf("left: %v", l.all())
	}
	if r := f.dial().handshake(p.resume(true)); r.SessionID != 0 || r.ReadOnly {
		t.Errorf("session of the time without a quorum: %+v", r)
	}
	back := f.dial()
	if r := back.handshake(g.resume(true)); r.SessionID != g.session || r.ReadOnly {
		t.Errorf("session of the ensemble: %+v", r)
	}
	back.mustCall(5, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: 0})
}

// A local session lives through a time without a quorum, and may read in it.
func TestLocalSessionReadOnly(t *testing.T) {
	f, _ := startLocal(t, true, true)
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	for _, step := range []struct {
		now  Service
		want protocol.ErrCode
	}{{ReadOnly, protocol.ErrNotReadOnly}, {FullService, protocol.ErrOK}} {
		f.s.SetService(step.now)
		f.s.DropAll("changed")
		q := f.dial()
		if r := q.handshake(p.resume(true)); r.SessionID != p.session || r.ReadOnly != (step.now == ReadOnly) {
			t.Fatalf("response %+v", r)
		}
		if h, _ := q.call(2, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1}); h.Err != step.want {
			t.Errorf("write: %v, want %v", h.Err, step.want)
		}
	}
}

var _ LocalLiveness = (*localWatch)(nil)
