package client

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/tests/testkit"
)

// backend is a log without Raft: a real state machine, applied in this process
// by one goroutine.
type backend struct {
	*fsm.FSM
	now    int64 // ms, of every entry
	origin fsm.Origin

	onClosed       func(id protocol.SessionID)
	onOpened       func(id protocol.SessionID)
	onFlush        func()
	onReconfigured func(conn uint64, v fsm.View, r *fsm.Result)
	syncAside      bool // answer syncs beside the apply goroutine

	applying sync.Mutex // one at a time, as Raft has one goroutine for it

	mu       sync.Mutex
	cond     sync.Cond
	queue    []queued // proposed or to be synced
	inflight []fsm.Completion
	seq      uint64
	held     bool // apply nothing for now
	stopped  bool
	refuse   error
	index    uint64
	done     chan struct{}
	touched  map[protocol.SessionID]int
}

type queued struct {
	payload []byte
	seq     uint64
	sync    func(fsm.View, error)
}

const testNow = 0x000001a2011fb2a7 // of the golden frames

func newBackend(t testing.TB) *backend {
	b := &backend{
		FSM: fsm.New(1, hclog.NewNullLogger()), now: testNow,
		done: make(chan struct{}), touched: make(map[protocol.SessionID]int),
	}
	b.cond.L = &b.mu
	b.Observe(b)
	r := fsm.Register{SID: 1, Nonce: [16]byte{1}}
	b.apply(fsm.Origin{}, []queued{{payload: r.Append(nil)}})
	go b.run()
	t.Cleanup(b.stop)
	return b
}

func (b *backend) stop() {
	b.mu.Lock()
	b.stopped = true
	b.cond.Broadcast()
	b.mu.Unlock()
	<-b.done
}

func (b *backend) Propose(payload []byte, done fsm.Completion) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	b.seq++
	b.queue = append(b.queue, queued{payload: payload, seq: b.seq})
	b.inflight = append(b.inflight, done)
	b.cond.Broadcast()
	return nil
}

func (b *backend) Sync(done func(fsm.View, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		go done(fsm.View{}, b.refuse)
		return
	}
	b.queue = append(b.queue, queued{sync: done})
	b.cond.Broadcast()
}

// hold stops or resumes applying.
func (b *backend) hold(on bool) {
	b.mu.Lock()
	b.held = on
	b.cond.Broadcast()
	b.mu.Unlock()
}

// setRefuse makes every proposal and sync fail from now on.
func (b *backend) setRefuse(err error) {
	b.mu.Lock()
	b.refuse = err
	b.mu.Unlock()
}

func (b *backend) run() {
	defer close(b.done)
	for {
		b.mu.Lock()
		for !b.stopped && (b.held || len(b.queue) == 0) {
			b.cond.Wait()
		}
		if b.stopped {
			b.mu.Unlock()
			return
		}
		n := 1 + rand.IntN(len(b.queue))
		batch := append([]queued(nil), b.queue[:n]...)
		b.queue = b.queue[n:]
		b.mu.Unlock()
		for len(batch) > 0 {
			if done := batch[0].sync; done != nil {
				answer := func() { b.View(func(v fsm.View) { done(v, nil) }) }
				if b.syncAside {
					go answer()
				} else {
					answer()
				}
				batch = batch[1:]
				continue
			}
			k := 0
			for k < len(batch) && batch[k].sync == nil {
				k++
			}
			b.apply(b.origin, batch[:k])
			batch = batch[k:]
		}
	}
}

func (b *backend) apply(o fsm.Origin, batch []queued) {
	b.applying.Lock()
	defer b.applying.Unlock()
	e := fsm.AppendEntryHeader(nil, b.now)
	for _, q := range batch {
		e = fsm.AppendRequest(e, o, q.seq, q.payload)
	}
	fsm.SetEntryCount(e, len(batch))
	b.index++
	b.ApplyBatch([]*raft.Log{{Index: b.index, Type: raft.LogCommand, Data: e}})
}

// duty applies a leader's request.
func (b *backend) duty(payload []byte) { b.apply(fsm.Origin{}, []queued{{payload: payload}}) }

// configure applies a configuration of Raft.
func (b *backend) configure(c raft.Configuration) {
	b.applying.Lock()
	defer b.applying.Unlock()
	b.index++
	b.ApplyBatch([]*raft.Log{{Index: b.index, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)}})
}

// elsewhere applies a request as if another server had sent it. REQUIRES: the
// backend is held.
func (b *backend) elsewhere(seq uint64, payload []byte) {
	if seq == 1 {
		r := fsm.Register{SID: 2, Nonce: [16]byte{2}}
		b.apply(fsm.Origin{}, []queued{{payload: r.Append(nil)}})
	}
	b.apply(fsm.Origin{SID: 2, Incarnation: 1}, []queued{{seq: seq, payload: payload}})
}

func (b *backend) Completed(v fsm.View, seq uint64, r *fsm.Result) {
	b.mu.Lock()
	done := b.inflight[0]
	b.inflight = b.inflight[1:]
	b.mu.Unlock()
	done.Complete(v, r)
}

func (b *backend) OutOfSequence(uint64)  { panic("out of sequence") }
func (b *backend) Led(uint64)            {}
func (b *backend) OverQuota(*fsm.Excess) {}

func (b *backend) Wrote(string, int) {}
func (b *backend) Registered(sid int64, inc uint64, _ [16]byte) {
	if sid == 1 {
		b.origin = fsm.Origin{SID: sid, Incarnation: inc}
	}
}
func (b *backend) SessionOpened(id protocol.SessionID, _ int32, _ fsm.Owner) {
	if b.onOpened != nil {
		b.onOpened(id)
	}
}
func (b *backend) SessionAttached(protocol.SessionID, int32, fsm.Owner) {}
func (b *backend) SessionClosed(id protocol.SessionID, _ bool)          { b.onClosed(id) }
func (b *backend) EphemeralsDeleted(protocol.SessionID, []string)       {}
func (b *backend) Membership(fsm.View)                                  {}
func (b *backend) Reconfigured(v fsm.View, o fsm.Owner, r *fsm.Result) {
	if o.SID == b.origin.SID {
		b.onReconfigured(o.Conn, v, r)
	}
}
func (b *backend) SnapshotInstalled(fsm.View) {}
func (b *backend) EnsembleRestored(fsm.View)  {}
func (b *backend) Applied(fsm.View, uint64)   {}
func (b *backend) Flush() {
	if b.onFlush != nil {
		b.onFlush()
	}
}

type toucher func()

func (t toucher) Mark() { t() }

// Session implements Liveness.
func (b *backend) Session(id protocol.SessionID) Toucher {
	return toucher(func() {
		b.mu.Lock()
		b.touched[id]++
		b.mu.Unlock()
	})
}

func (b *backend) touches(id protocol.SessionID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.touched[id]
}

var errTest = errors.New("no quorum")

// fixture is a client port over a backend.
type fixture struct {
	t   testing.TB
	b   *backend
	s   *Server
	log *testkit.Buffer
}

func start(t testing.TB, change func(*Config), prepare ...func(*Server)) *fixture {
	t.Helper()
	before := runtime.NumGoroutine()
	b := newBackend(t)
	cfg := Config{
		Addr: "127.0.0.1:0", SID: 1, MinSessionTimeout: 4 * time.Second, MaxSessionTimeout: 40 * time.Second,
		GlobalOutstandingLimit: 1000, Words: testWords,
	}
	if change != nil {
		change(&cfg)
	}
	f := &fixture{t: t, b: b, log: new(testkit.Buffer)}
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: f.log})
	f.s = New(cfg, Deps{Proposer: b, State: b, Liveness: b}, log)
	for _, p := range prepare {
		p(f.s)
	}
	b.onClosed, b.onFlush, b.onReconfigured = f.s.SessionClosed, f.s.Flush, f.s.Reconfigured
	if err := f.s.Listen(); err != nil {
		t.Fatal(err)
	}
	f.s.SetService(FullService)
	t.Cleanup(func() {
		f.s.Close()
		f.s.Close()
		if n := len(f.s.conns); n != 0 {
			t.Errorf("%d connections left after Close", n)
		}
		if n := f.s.outstanding.Load(); n != 0 {
			t.Errorf("%d requests counted as outstanding after Close", n)
		}
		if n := f.s.busy.Load(); n != 0 {
			t.Errorf("%d connections counted as busy after Close", n)
		}
		if n := b.Watches().NumWatches(); n != 0 {
			t.Errorf("%d watches left after Close", n)
		}
		if _, fuzzing := t.(*testing.F); fuzzing {
			return // the fuzzer has goroutines of its own
		}
		eventually(t, "goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+1 })
	})
	return f
}

// logs checks that a line with text is logged, now or soon: what a client sees
// may come first.
func (f *fixture) logs(text string) {
	f.t.Helper()
	eventually(f.t, "a line: "+text, func() bool { return strings.Contains(f.log.String(), text) })
}

// eventually waits for a state that nobody announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("not in time: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}

// peer is the client's end of a connection.
type peer struct {
	t       testing.TB
	nc      net.Conn
	session protocol.SessionID
	passwd  []byte
	timeout int32
}

func (f *fixture) dial() *peer {
	f.t.Helper()
	nc, err := net.Dial("tcp", f.s.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(2 * time.Minute))
	return &peer{t: f.t, nc: nc}
}

// connect opens a session.
func (f *fixture) connect() *peer {
	f.t.Helper()
	p := f.dial()
	p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true})
	if p.session == 0 {
		f.t.Fatal("session refused")
	}
	return p
}

func (p *peer) handshake(req *protocol.ConnectRequest) protocol.ConnectResponse {
	p.t.Helper()
	if req.Passwd == nil {
		req.Passwd = make([]byte, 16)
	}
	p.write(frameOf(req.Append(nil)))
	var r protocol.ConnectResponse
	d := protocol.NewDecoder(p.frame())
	if r.Decode(&d); d.Err() != nil {
		p.t.Fatal(d.Err())
	}
	p.session, p.passwd, p.timeout = r.SessionID, append([]byte(nil), r.Passwd...), r.Timeout
	return r
}

func frameOf(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

type appender interface{ Append([]byte) []byte }

func request(xid int32, op protocol.OpCode, body appender) []byte {
	h := protocol.RequestHeader{Xid: xid, Op: op}
	b := h.Append(nil)
	if body != nil {
		b = body.Append(b)
	}
	return frameOf(b)
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

func (p *peer) send(xid int32, op protocol.OpCode, body appender) {
	p.t.Helper()
	p.write(request(xid, op, body))
}

// frame reads one frame without its length.
func (p *peer) frame() []byte {
	p.t.Helper()
	b, err := p.tryFrame()
	if err != nil {
		p.t.Fatalf("read frame: %v", err)
	}
	return b
}

func (p *peer) tryFrame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.nc, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p.nc, b)
	return b, err
}

// reply reads a frame with a ReplyHeader.
func (p *peer) reply() (h protocol.ReplyHeader, body []byte) {
	p.t.Helper()
	return splitReply(p.frame())
}

func splitReply(b []byte) (h protocol.ReplyHeader, body []byte) {
	d := protocol.NewDecoder(b)
	h.Decode(&d)
	return h, b[len(b)-d.Remaining():]
}

// call sends a request and reads its reply.
func (p *peer) call(xid int32, op protocol.OpCode, body appender) (protocol.ReplyHeader, []byte) {
	p.t.Helper()
	p.send(xid, op, body)
	h, b := p.reply()
	if h.Xid != xid {
		p.t.Fatalf("reply to xid %d, want %d", h.Xid, xid)
	}
	return h, b
}

// closed checks that the server has closed the connection without another byte.
func (p *peer) closed() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(5 * time.Second)) // before any session timeout
	b, err := io.ReadAll(p.nc)
	var ne net.Error
	if len(b) > 0 || errors.As(err, &ne) && ne.Timeout() {
		p.t.Fatalf("connection not closed: read %x, %v", b, err)
	}
}

func create(path string, data string) *protocol.CreateRequest {
	return &protocol.CreateRequest{Path: path, Data: []byte(data), ACL: protocol.OpenACL}
}

func get(path string) *protocol.PathWatchRequest {
	return &protocol.PathWatchRequest{Path: path}
}

func watched(path string) *protocol.PathWatchRequest {
	return &protocol.PathWatchRequest{Path: path, Watch: true}
}

var _ fsm.Observer = (*backend)(nil)
var _ State = (*fsm.FSM)(nil)
var _ watch.Sink = (*conn)(nil)

// testWords answers ruok, and echo with the four bytes behind it.
func testWords(word string, behind io.Reader) (string, bool) {
	if word == "echo" {
		var b [4]byte
		if _, err := io.ReadFull(behind, b[:]); err != nil {
			return "", true
		}
		return string(b[:]), true
	}
	return "I am " + word, word == "ruok"
}
