package client

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
)

// limited is start with DefaultLimits changed.
func limited(t testing.TB, change func(*Limits), prepare ...func(*Server)) *fixture {
	t.Helper()
	return start(t, func(c *Config) {
		c.Limits = DefaultLimits()
		change(&c.Limits)
	}, prepare...)
}

// silent checks that the server says nothing more for now, and has not closed.
func (p *peer) silent() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := p.tryFrame(); err == nil || !strings.Contains(err.Error(), "timeout") {
		p.t.Fatalf("got %x, %v, want nothing", b, err)
	}
	p.nc.SetReadDeadline(time.Now().Add(2 * time.Minute))
}

func TestSessionlessTimeout(t *testing.T) {
	const timeout = 2 * time.Second // enough for a handshake on a busy machine
	f := limited(t, func(l *Limits) { l.SessionlessTimeout = timeout })
	whole := append(frameOf((&protocol.ConnectRequest{Timeout: 10000, Passwd: make([]byte, 16)}).Append(nil)), 0)
	var all []*peer
	for _, sent := range []string{"", "ru", "\x00\x00\x00\x2d", string(whole[:20])} {
		p := f.dial()
		p.write([]byte(sent))
		all = append(all, p)
	}
	for _, p := range all {
		p.closed()
	}
	f.logs(causeHandshake.text)
	p := f.connect()            // with a session it is another timeout that counts
	time.Sleep(timeout * 3 / 2) // what is awaited is that time passes
	p.mustCall(1, protocol.OpExists, get("/"))
}

func TestMaxCnxnsLine(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxCnxns = 1 })
	f.connect()
	f.dial().closed()
	f.logs("Error accepting new connection: Too many connections max allowed is 1")
}

// TestMaxFiles: clients leave the server what it needs of file descriptors.
func TestMaxFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no numbers")
	}
	nc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	next := descriptor(nc.(net.Conn))
	nc.Close()
	f := start(t, func(c *Config) { c.MaxFiles = (next + 20) * 4 / 3 }) // of which a quarter is spared
	rejected := &f.s.cfg.Metrics.ConnectionsRejected
	var all []*peer
	for len(all) < 40 && rejected.Value() == 0 {
		all = append(all, f.dial())
	}
	eventually(t, "one is refused", func() bool { return rejected.Value() > 0 })
	f.logs("Error accepting new connection: Too many open files max allowed is")
	for _, p := range all {
		p.nc.Close()
	}
	eventually(t, "all have ended", func() bool {
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		return len(f.s.conns) == 0
	})
	f.connect()
}

func TestConnectThrottle(t *testing.T) {
	f := limited(t, func(l *Limits) { l.Connects.Tokens, l.Connects.FillTime = 2, time.Hour })
	p := f.connect()
	q := f.dial() // renews
	q.handshake(&protocol.ConnectRequest{Timeout: 10000, SessionID: p.session, Passwd: p.passwd})
	p.closed()
	for range 2 {
		r := f.dial()
		r.write(frameOf((&protocol.ConnectRequest{Timeout: 10000, Passwd: make([]byte, 16)}).Append(nil)))
		r.closed()
	}
	r := f.dial() // refused before the connection of the session is cut
	r.write(frameOf((&protocol.ConnectRequest{Timeout: 10000, SessionID: q.session, Passwd: q.passwd}).Append(nil)))
	r.closed()
	q.mustCall(1, protocol.OpExists, get("/"))
	if w := f.dial(); true { // words cost nothing
		w.write([]byte("ruok"))
		if got := readAll(t, w); got != "I am ruok" {
			t.Errorf("ruok: %q", got)
		}
	}
	f.logs("Connection throttle rejected connection")
}

func TestBucket(t *testing.T) {
	const ms = int64(time.Millisecond)
	base := DefaultLimits().Connects
	with := func(change func(*ConnectThrottle)) *bucket {
		cfg := base
		change(&cfg)
		return newBucket(cfg)
	}
	if with(func(*ConnectThrottle) {}) != nil {
		t.Error("without tokens there is a throttle")
	}

	b := with(func(c *ConnectThrottle) { c.Tokens, c.FillTime, c.FillCount = 3, 100*time.Millisecond, 2 })
	for i, tt := range []struct {
		at, n int64
		want  bool
	}{
		{0, 2, true}, {0, 2, false}, {0, 1, true}, {0, 1, false}, // what is refused costs nothing
		{100 * ms, 1, false}, // not more than FillTime yet
		{101 * ms, 2, true}, {101 * ms, 1, false},
		{1 << 60, 3, true}, {1 << 60, 1, false}, // never more than there is room for
	} {
		if got := b.take(tt.n, tt.at); got != tt.want {
			t.Errorf("step %d: %d at %v: %v", i, tt.n, time.Duration(tt.at), got)
		}
	}

	// Weighted, the tokens of the configuration count new global sessions.
	b = with(func(c *ConnectThrottle) { c.Tokens, c.FillTime, c.Weighted = 2, time.Second, true })
	if g, l, r := b.weight(0, false), b.weight(0, true), b.weight(7, true); g != 3 || l != 1 || r != 2 {
		t.Errorf("weights %d, %d, %d, want 3, 1, 2", g, l, r)
	}
	two := b.take(3, 0) && b.take(2, 0) && b.take(1, 0)
	if !two || b.take(1, 0) || !b.take(3, 1001*ms) || b.take(1, 1001*ms) {
		t.Error("weighted: want two sessions at once and one for each refill")
	}
	if w := with(func(c *ConnectThrottle) { c.Tokens = 1 }).weight(7, false); w != 1 {
		t.Errorf("weight %d without weights", w)
	}
}

// While the bucket is empty the share that is refused by chance grows, and it
// shrinks when all tokens are back.
func TestBucketByChance(t *testing.T) {
	cfg := DefaultLimits().Connects
	cfg.Tokens, cfg.FillTime, cfg.FreezeTime, cfg.DropIncrease, cfg.DropDecrease = 1, time.Second, 0, 0.4, 0.3
	b := newBucket(cfg)
	die := 0.5
	b.random = func() float64 { return die }
	second := int64(time.Second)
	b.take(1, 1)
	for i, want := range []float64{0.4, 0.8, 1, 1} {
		b.take(1, int64(2+i))
		if b.drop != want {
			t.Errorf("empty for the %d. time: share %v, want %v", i+1, b.drop, want)
		}
	}
	if die = 0.69; b.take(1, 2*second) || b.tokens != 1 { // 0.7 left
		t.Error("chance was not asked, or took a token")
	}
	if die = 0.71; b.take(1, 4*second) == false {
		t.Error("refused although the die was above the share")
	}
}

// Never more than the bucket holds and what comes back in the time.
func TestBucketBound(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := DefaultLimits().Connects
		cfg.Tokens, cfg.FillCount = 1+r.IntN(20), 1+r.IntN(5)
		cfg.FillTime = time.Duration(1+r.IntN(100)) * time.Millisecond
		b := newBucket(cfg)
		now, taken := int64(0), int64(0)
		for range 1000 {
			now += r.Int64N(int64(20 * time.Millisecond))
			if n := 1 + r.Int64N(3); b.take(n, now) {
				taken += n
			}
			if most := b.capacity + now/int64(cfg.FillTime)*b.fill + b.fill; taken > most {
				t.Fatalf("seed %d: %d tokens taken by %v, want at most %d", seed, taken, time.Duration(now), most)
			}
		}
		if least := b.capacity; taken < least {
			t.Fatalf("seed %d: %d tokens taken of %d", seed, taken, least)
		}
	}
}

func TestLargeRequests(t *testing.T) {
	f := limited(t, func(l *Limits) { l.LargeRequestThreshold, l.LargeRequestMaxBytes = 200, 1000 })
	p, q, r := f.connect(), f.connect(), f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", strings.Repeat("x", 400)))
	held := func(want int64) {
		t.Helper()
		eventually(t, "budget", func() bool { return f.s.large.held.Load() == want })
	}
	held(0)

	f.b.hold(true)
	large := request(2, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Data: make([]byte, 500), Version: -1})
	n := int64(len(large) - 4)
	p.write(large)
	held(n)
	// A large read behind it holds its bytes too, a small one does not.
	read := append(request(3, protocol.OpExists, get("/"))[4:], make([]byte, 250)...)
	p.write(frameOf(read))
	held(n + int64(len(read)))
	q.send(1, protocol.OpExists, get("/"))
	q.reply()
	announced := binary.BigEndian.AppendUint32(nil, 500)
	q.write(announced) // no byte of it has come
	q.closed()
	r.write(large)
	r.closed()
	f.logs("Rejecting large request from /127.0.0.1:")
	held(n + int64(len(read)))
	f.b.hold(false)
	p.reply()
	p.reply()
	held(0)

	r = f.connect()
	f.b.hold(true)
	r.write(large)
	held(n)
	r.nc.Close()
	held(0)
	f.b.hold(false)
	s := f.connect() // alone, but over the sum
	s.write(binary.BigEndian.AppendUint32(nil, 1001))
	s.closed()
	p.mustCall(4, protocol.OpExists, get("/"))
}

func TestEnforcedAuth(t *testing.T) {
	f := start(t, func(c *Config) { c.EnforceAuth, c.Ensemble = []string{"digest"}, &Ensemble{} })
	digest := &protocol.AuthPacket{Scheme: "digest", Auth: []byte("u:p")}
	for _, op := range []protocol.OpCode{protocol.OpPing, protocol.OpExists, protocol.OpCreate, protocol.OpCloseSession,
		protocol.OpSync, protocol.OpSetWatches, protocol.OpWhoAmI, 99} {
		p := f.connect()
		p.write(append(request(9, op, get("/")), request(10, op, get("/"))...))
		if h, b := p.reply(); h != (protocol.ReplyHeader{Xid: 9, Err: protocol.ErrSessionClosedRequireAuth}) || len(b) != 0 {
			t.Errorf("%v: %+v %x", op, h, b)
		}
		p.closed()
	}
	if n := f.log.String(); !strings.Contains(n, "Client authentication scheme(s) [ip] does not match with any of the expected authentication scheme [digest], closing session.") {
		t.Errorf("log: %s", n)
	}
	p := f.connect()
	// Another scheme will not do, nor does one that adds no identity.
	p.mustCall(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ip"})
	p.mustCall(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ensemble"})
	if h, _ := p.call(5, protocol.OpPing, nil); h.Err != protocol.ErrSessionClosedRequireAuth {
		t.Errorf("%+v", h)
	}
	p.closed()
	q := f.connect()
	q.mustCall(3, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}})
	q.mustCall(protocol.XidAuth, protocol.OpAuth, digest)
	q.mustCall(1, protocol.OpCreate, create("/a", ""))
	// The session outlives a connection that was refused, and is touched by none.
	before := f.b.touches(q.session)
	r := f.dial()
	r.handshake(&protocol.ConnectRequest{Timeout: 10000, SessionID: q.session, Passwd: q.passwd})
	r.call(1, protocol.OpExists, get("/"))
	r.closed()
	if n := f.b.touches(q.session) - before; n != 1 {
		t.Errorf("%d touches, want that of the handshake", n)
	}
	s := f.dial()
	s.handshake(&protocol.ConnectRequest{Timeout: 10000, SessionID: q.session, Passwd: q.passwd})
	s.mustCall(protocol.XidAuth, protocol.OpAuth, digest)
	s.mustCall(2, protocol.OpExists, get("/a"))
}

func TestEnsembleScheme(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ensemble *Ensemble
		auth     []byte
		want     string // ok, refused or closed
	}{
		{"off", nil, []byte("a"), "refused"},
		{"any name", &Ensemble{}, []byte("a"), "ok"},
		{"none given", &Ensemble{Names: []string{"a", "b"}}, nil, "ok"},
		{"empty", &Ensemble{Names: []string{"a", "b"}}, []byte{}, "ok"},
		{"ours", &Ensemble{Names: []string{"a", "b"}}, []byte("b"), "ok"},
		{"another's", &Ensemble{Names: []string{"a", "b"}}, []byte("c"), "closed"},
		{"with a blank", &Ensemble{Names: []string{"a", "b"}}, []byte(" b"), "closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, func(c *Config) { c.Ensemble = tt.ensemble })
			p := f.connect()
			p.send(protocol.XidAuth, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ensemble", Auth: tt.auth})
			if tt.want == "closed" {
				p.closed()
				f.logs("Unexpected ensemble name: ensemble name:")
				return
			}
			h, _ := p.reply()
			if (tt.want == "ok") != (h.Err == 0) || h.Err != 0 && h.Err != protocol.ErrAuthFailed {
				t.Errorf("%+v, want %s", h, tt.want)
			}
			if h.Err == 0 {
				_, b := p.call(1, protocol.OpWhoAmI, nil)
				if n := binary.BigEndian.Uint32(b); n != 1 {
					t.Errorf("%d identities, want that of the address alone", n)
				}
			}
		})
	}
}

func TestSASLNullToken(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	p.send(9, protocol.OpSASL, &protocol.SASLPacket{})
	p.closed()
}
