package client

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
)

// What a client may send wrong, and what comes of it: an error in its place, or
// the end of that connection. Its neighbour never notices.
func TestMalformedInput(t *testing.T) {
	f := start(t, nil)
	neighbour := f.connect()
	raw := func(n int, b ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(n)), b...) }
	body := func(op protocol.OpCode, b ...byte) []byte {
		return frameOf(append(request(7, op, nil)[4:], b...))
	}
	const closes = protocol.ErrCode(1)        // no reply, the connection ends
	const refused = protocol.ErrUnimplemented // with zxid -1, and the connection ends
	for _, tt := range []struct {
		name string
		send []byte
		want protocol.ErrCode
	}{
		{"negative length", raw(-1), closes},
		{"least length", raw(-1 << 31), closes},
		{"length over the limit", raw(1048576), closes},
		{"empty frame", raw(0), closes},
		{"half a header", raw(4, 0, 0, 0, 1), closes},
		{"malformed auth", body(protocol.OpAuth, 0, 0, 0), closes},
		{"malformed sasl", body(protocol.OpSASL, 0, 0), closes},
		{"create without body", body(protocol.OpCreate), protocol.ErrMarshalling},
		{"create2 without body", body(protocol.OpCreate2), protocol.ErrMarshalling},
		{"createTTL without ttl", request(7, protocol.OpCreateTTL, create("/x", "")), protocol.ErrMarshalling},
		{"createTTL", request(7, protocol.OpCreateTTL, &protocol.CreateTTLRequest{CreateRequest: *create("/x", ""), TTL: 1}), protocol.ErrBadArguments},
		{"delete, null path", body(protocol.OpDelete, 255, 255, 255, 255, 0, 0, 0, 0), protocol.ErrMarshalling},
		{"setData, path longer than frame", body(protocol.OpSetData, 0, 0, 1, 0, 47), protocol.ErrMarshalling},
		{"setACL, a billion entries", body(protocol.OpSetACL, 0, 0, 0, 1, 47, 64, 0, 0, 0), protocol.ErrMarshalling},
		{"createContainer without body", body(protocol.OpCreateContainer), protocol.ErrMarshalling},
		{"createContainer", request(7, protocol.OpCreateContainer, create("/nope/box", "")), protocol.ErrNoNode},
		{"reconfig without body", body(protocol.OpReconfig), protocol.ErrMarshalling},
		{"reconfig", request(7, protocol.OpReconfig, &protocol.ReconfigRequest{ConfigID: -1}), protocol.ErrReconfigDisabled},
		{"multiRead without body", body(protocol.OpMultiRead), protocol.ErrMarshalling},
		{"multiRead of a write", body(protocol.OpMultiRead, protocol.AppendMulti(nil, []protocol.MultiOp{{Type: protocol.OpDelete}})...), protocol.ErrMarshalling},
		{"addWatch of no mode", request(7, protocol.OpAddWatch, &protocol.AddWatchRequest{Path: "/", Mode: 2}), protocol.ErrMarshalling},
		{"checkWatches without watches", request(7, protocol.OpCheckWatches, &protocol.WatchesRequest{Path: "/", Type: 3}), protocol.ErrNoWatcher},
		{"removeWatches of no type", request(7, protocol.OpRemoveWatches, &protocol.WatchesRequest{Path: "/", Type: -1}), protocol.ErrMarshalling},
		{"getEphemerals without body", body(protocol.OpGetEphemerals), protocol.ErrMarshalling},
		{"multi without end", body(protocol.OpMulti, 0, 0, 0, 1), protocol.ErrMarshalling},
		{"multi without body", body(protocol.OpMulti), protocol.ErrMarshalling},
		{"getData, null path", body(protocol.OpGetData, 255, 255, 255, 255, 0), protocol.ErrMarshalling},
		{"getData, negative length", body(protocol.OpGetData, 255, 255, 255, 254, 0), protocol.ErrMarshalling},
		{"setWatches, null lists", body(protocol.OpSetWatches, bytes.Repeat([]byte{255}, 20)...), protocol.ErrMarshalling},
		{"sync without body", body(protocol.OpSync), protocol.ErrMarshalling},
		{"sync, null path", body(protocol.OpSync, 255, 255, 255, 255), protocol.ErrOK},
		{"bytes behind the body", body(protocol.OpExists, 0, 0, 0, 1, 47, 0, 1, 2, 3), protocol.ErrOK},
		{"bad path", request(7, protocol.OpCreate, create("foo", "")), protocol.ErrBadArguments},
		{"unknown operation", body(99), refused},
		{"notification", body(protocol.OpNotify), refused},
		{"check alone", request(7, protocol.OpCheck, &protocol.CheckVersionRequest{Path: "/"}), refused},
		{"createSession", body(protocol.OpCreateSession, bytes.Repeat([]byte{0}, 64)...), refused},
		{"deleteContainer", body(protocol.OpDeleteContainer, 0, 0, 0, 1, 47), refused},
		{"error", body(protocol.OpError), refused},
		{"operation -2^31", body(-1 << 31), refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := f.connect()
			p.write(tt.send)
			switch tt.want {
			case closes:
				p.closed()
			case refused:
				if h, b := p.reply(); h.Xid != 7 || h.Zxid != -1 || h.Err != refused || len(b) != 0 {
					t.Errorf("reply %+v %x", h, b)
				}
				p.closed()
			default:
				h, b := p.reply()
				if tt.name == "multiRead of a write" { // ZooKeeper sends the end mark all the same
					b = bytes.TrimPrefix(b, protocol.AppendMultiEnd(nil))
				}
				if h.Xid != 7 || h.Err != tt.want || h.Zxid <= 0 || h.Err != 0 && len(b) != 0 {
					t.Errorf("reply %+v %x, want %v", h, b, tt.want)
				}
				p.mustCall(8, protocol.OpExists, get("/")) // and it stays open
			}
			neighbour.mustCall(1, protocol.OpExists, get("/"))
		})
	}
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"handshake: empty", raw(0)},
		{"handshake: short", raw(20, make([]byte, 20)...)},
		{"handshake: password longer than frame", append(raw(32, make([]byte, 24)...), 0, 0, 255, 255, 1, 2, 3, 4)},
		{"handshake: length over the limit", raw(1 << 30)},
		{"handshake: negative length", raw(-5)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := f.dial()
			p.write(tt.send)
			p.closed()
			neighbour.mustCall(1, protocol.OpExists, get("/"))
		})
	}
}

// A frame of exactly the limit passes, and what it asks for comes back whole.
func TestLargestFrame(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	overhead := len(request(1, protocol.OpCreate, create("/big", ""))) - 4
	data := strings.Repeat("x", protocol.DefaultMaxFrameBytes-overhead)
	p.mustCall(1, protocol.OpCreate, create("/big", data))
	h, b := p.call(2, protocol.OpGetData, get("/big"))
	d := protocol.NewDecoder(b)
	if got := d.Buffer(); h.Err != 0 || string(got) != data {
		t.Errorf("%v, %d bytes, want %d", h.Err, len(got), len(data))
	}
	p.write(request(3, protocol.OpCreate, create("/big2", data+"x"))[:100])
	p.closed()
}

// An announced length costs nothing until its bytes come.
func TestAnnouncedLength(t *testing.T) {
	f := start(t, func(c *Config) { c.JuteMaxBuffer = 64 << 20 })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 50 {
		p := f.connect()
		p.write(append(binary.BigEndian.AppendUint32(nil, 64<<20), make([]byte, 100)...))
	}
	f.connect().mustCall(1, protocol.OpExists, get("/"))
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("50 announced frames of 64 MiB took %d bytes", grown)
	}
}

// A client that pipelines and does not read its replies is not read any more; it
// loses nothing, and costs a bounded sum.
func TestSlowReader(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", strings.Repeat("x", 100<<10)))
	const n = 500
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range int32(n) {
			p.nc.Write(request(i+2, protocol.OpGetData, get("/a")))
		}
	}()
	var c *conn
	f.s.mu.Lock()
	for c = range f.s.conns {
	}
	f.s.mu.Unlock()
	eventually(t, "backlog at its limit", func() bool { return c.out.size.Load() >= softOutboxBytes })
	f.connect().mustCall(1, protocol.OpExists, get("/"))
	for i := range int32(n) {
		if size := c.out.size.Load(); size > softOutboxBytes+200<<10 {
			t.Fatalf("backlog of %d bytes", size)
		}
		if h, b := p.reply(); h.Xid != i+2 || len(b) < 100<<10 {
			t.Fatalf("reply %+v of %d bytes, want xid %d", h, len(b), i+2)
		}
	}
	<-sent
	eventually(t, "backlog gone", func() bool { return c.out.size.Load() == 0 })
}

// Events that nobody reads end the connection, not the server; the neighbours
// hear all of theirs.
func TestEventsNobodyReads(t *testing.T) {
	f := start(t, nil, func(s *Server) { s.maxOutboxBytes = 64 << 10 })
	lazy, busy := f.connect(), f.connect()
	lazy.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	add := &protocol.SetWatches2{Recursive: []string{"/"}}
	lazy.mustCall(1, protocol.OpSetWatches2, add)
	busy.mustCall(1, protocol.OpCreate, create("/"+strings.Repeat("n", 50<<10), ""))
	begin := time.Now()
	for i := int32(2); f.b.Watches().NumWatches() > 0; i++ {
		busy.mustCall(i, protocol.OpSetData, &protocol.SetDataRequest{Path: "/" + strings.Repeat("n", 50<<10), Version: -1})
		if time.Since(begin) > 15*time.Second {
			t.Fatal("the connection lives on")
		}
	}
	busy.mustCall(1, protocol.OpExists, get("/"))
	f.logs(causeSlowReader.text)
}

// Replies, however many, do not count for events: one event behind them costs
// nobody the connection.
func TestEventBehindReplies(t *testing.T) {
	f := start(t, nil, func(s *Server) { s.maxOutboxBytes = 64 << 10 })
	lazy, busy := f.connect(), f.connect()
	lazy.nc.(*net.TCPConn).SetReadBuffer(64 << 10)
	lazy.mustCall(1, protocol.OpCreate, create("/a", strings.Repeat("x", 1<<20-1000)))
	const n = 8
	for i := range int32(n) {
		lazy.send(i+2, protocol.OpGetData, &protocol.PathWatchRequest{Path: "/a", Watch: true})
	}
	eventually(t, "replies wait", func() bool {
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		for c := range f.s.conns {
			if c.out.size.Load() >= softOutboxBytes {
				return true
			}
		}
		return false
	})
	busy.mustCall(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1})
	for events, replies := 0, 0; events < 1 || replies < n; {
		if h, _ := lazy.reply(); h.Xid == protocol.XidNotification {
			events++
		} else {
			replies++
		}
	}
	lazy.mustCall(n+2, protocol.OpExists, get("/"))
}

// A client that takes its replies slowly, and whose pings cannot be read meanwhile,
// is alive; one that takes nothing is not.
func TestSlowReaderIsAlive(t *testing.T) {
	f := start(t, func(c *Config) {
		c.MinSessionTimeout, c.MaxSessionTimeout = 1500*time.Millisecond, 1500*time.Millisecond
	})
	p := f.connect()
	var c *conn
	f.s.mu.Lock()
	for c = range f.s.conns {
	}
	f.s.mu.Unlock()
	// Else the kernel would have room for a whole reply.
	p.nc.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.nc.(*net.TCPConn).SetWriteBuffer(64 << 10)
	p.mustCall(1, protocol.OpCreate, create("/a", strings.Repeat("x", 1<<20-1000)))
	const n = 16
	for i := range int32(n) {
		p.send(i+2, protocol.OpGetData, get("/a"))
	}
	eventually(t, "its requests wait", func() bool { return c.out.size.Load() >= softOutboxBytes })
	// Each request that is read marks the session, too.
	unasked := func() int { return f.b.touches(p.session) - int(c.counts.received.Load()) }
	begin := unasked()
	buf := make([]byte, 32<<10)
	p.nc.SetReadDeadline(time.Now().Add(time.Minute))
	for unasked() < begin+3 {
		if _, err := p.nc.Read(buf); err != nil {
			t.Fatalf("marked %d times while it was reading: %v", unasked()-begin, err)
		}
		time.Sleep(50 * time.Millisecond) // a slow line
	}
	eventually(t, "connection gone", func() bool { return f.s.Stats().Connections == 0 })
}

// A client that takes nothing at all loses its connection after its timeout.
func TestStuckWriter(t *testing.T) {
	f := start(t, func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = 3*time.Second, 3*time.Second })
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", strings.Repeat("x", 1<<20-1000)))
	for i := range int32(20) {
		p.send(i+2, protocol.OpGetData, get("/a"))
	}
	eventually(t, "connection gone", func() bool { return f.s.Stats().Connections == 0 })
}

func TestAuth(t *testing.T) {
	super := acl.DigestID([]byte("super:secret"))
	f := start(t, func(c *Config) { c.SuperDigest = super })
	digest := func(auth string) *protocol.AuthPacket {
		return &protocol.AuthPacket{Scheme: "digest", Auth: []byte(auth)}
	}
	for _, tt := range []struct {
		name string
		p    *protocol.AuthPacket
		ok   bool
	}{
		{"digest", digest("u:p"), true},
		{"digest without colon", digest("u"), true},
		{"digest, empty", digest(""), true},
		{"digest, null", &protocol.AuthPacket{Scheme: "digest"}, false},
		{"ip", &protocol.AuthPacket{Scheme: "ip"}, true},
		{"world", &protocol.AuthPacket{Scheme: "world", Auth: []byte("anyone")}, false},
		{"auth", &protocol.AuthPacket{Scheme: "auth"}, false},
		{"sasl", &protocol.AuthPacket{Scheme: "sasl", Auth: []byte("x")}, false},
		{"super", &protocol.AuthPacket{Scheme: "super"}, false},
		{"unknown", &protocol.AuthPacket{Scheme: "kerberos"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := f.connect()
			h, b := p.call(protocol.XidAuth, protocol.OpAuth, tt.p)
			if h.Zxid != 0 || len(b) != 0 || (h.Err == 0) != tt.ok || !tt.ok && h.Err != protocol.ErrAuthFailed {
				t.Errorf("reply %+v %x, want ok %v", h, b, tt.ok)
			}
			if tt.ok {
				p.mustCall(1, protocol.OpExists, get("/"))
			} else {
				p.closed()
			}
		})
	}

	secret := create("/secret", "x")
	secret.ACL = []protocol.ACL{{Perms: protocol.PermAll, Scheme: "digest", ID: acl.DigestID([]byte("u:p"))}}
	owner, other, root := f.connect(), f.connect(), f.connect()
	owner.mustCall(protocol.XidAuth, protocol.OpAuth, digest("u:p"))
	owner.mustCall(1, protocol.OpCreate, secret)
	root.mustCall(protocol.XidAuth, protocol.OpAuth, digest("super:secret"))
	for _, tt := range []struct {
		name string
		p    *peer
		want protocol.ErrCode
	}{{"owner", owner, 0}, {"super", root, 0}, {"other", other, protocol.ErrNoAuth}} {
		if h, _ := tt.p.call(2, protocol.OpGetData, get("/secret")); h.Err != tt.want {
			t.Errorf("%s reads: %v, want %v", tt.name, h.Err, tt.want)
		}
		if h, _ := tt.p.call(3, protocol.OpSetData, &protocol.SetDataRequest{Path: "/secret", Version: -1}); h.Err != tt.want {
			t.Errorf("%s writes: %v, want %v", tt.name, h.Err, tt.want)
		}
	}
	// Events are only for those who may read.
	watchAll := &protocol.SetWatches2{SetWatches: protocol.SetWatches{RelativeZxid: 1 << 60, Data: []string{"/secret"}}}
	other.mustCall(4, protocol.OpSetWatches2, watchAll)
	root.mustCall(4, protocol.OpSetWatches2, watchAll)
	owner.mustCall(4, protocol.OpSetData, &protocol.SetDataRequest{Path: "/secret", Version: -1})
	if h, _ := root.reply(); h.Xid != protocol.XidNotification {
		t.Errorf("super got %+v, want an event", h)
	}
	other.mustCall(5, protocol.OpExists, get("/")) // no event before the reply
	// Identities are those of the request's arrival.
	late := f.connect()
	f.b.hold(true)
	late.send(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/secret", Version: -1})
	late.send(2, protocol.OpGetData, get("/secret"))
	late.send(protocol.XidAuth, protocol.OpAuth, digest("u:p"))
	if h, _ := late.reply(); h.Xid != protocol.XidAuth {
		t.Errorf("got %+v, want the reply to auth", h)
	}
	f.b.hold(false)
	for xid := int32(1); xid <= 2; xid++ {
		if h, _ := late.reply(); h.Xid != xid || h.Err != protocol.ErrNoAuth {
			t.Errorf("got %+v, want NoAuth for xid %d", h, xid)
		}
	}
	late.mustCall(3, protocol.OpGetData, get("/secret"))
}

func TestIdentitiesAreBounded(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	for i := range maxIdentities - 1 {
		auth := &protocol.AuthPacket{Scheme: "digest", Auth: fmt.Appendf(nil, "u%d:p", i)}
		p.mustCall(protocol.XidAuth, protocol.OpAuth, auth)
		p.mustCall(protocol.XidAuth, protocol.OpAuth, auth) // a set
	}
	if h, _ := p.call(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "digest", Auth: []byte("x:y")}); h.Err != protocol.ErrAuthFailed {
		t.Errorf("%v, want AuthFailed", h.Err)
	}
	p.closed()
}

func TestSASLNotConfigured(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	if h, b := p.call(9, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}}); h.Err != 0 || h.Zxid != 0 || !bytes.Equal(b, []byte{255, 255, 255, 255}) {
		t.Errorf("reply %+v %x, want a null token", h, b)
	}
	p.mustCall(1, protocol.OpExists, get("/"))
}

// What is proposed is what the state machine takes: one more would stop all
// servers, one less would never be answered.
func TestWritable(t *testing.T) {
	for op := protocol.OpCode(-20); op < 200; op++ {
		d := protocol.NewDecoder(nil)
		if got, want := checkBody(op, &d) != protocol.ErrUnimplemented, fsm.Writable(op); got != want {
			t.Errorf("%v: proposed %v, applied %v", op, got, want)
		}
		if fsm.Writable(op) && fsm.Readable(op) {
			t.Errorf("%v is both a read and a write", op)
		}
	}
}

// TestIdentityBytesAreBounded: all that a connection proves to be travels with each
// of its writes, so it must stay small.
func TestIdentityBytesAreBounded(t *testing.T) {
	c := newConn(&Server{}, nil, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), 1, entryPlain)
	big := protocol.ID{Scheme: "digest", ID: strings.Repeat("x", maxIdentityBytes/2)}
	if !c.addIdentity(big) {
		t.Fatal("an identity of half the bound was refused")
	}
	big.ID = "y" + big.ID
	if c.addIdentity(big) {
		t.Errorf("identities of more than %d bytes were taken", maxIdentityBytes)
	}
}
