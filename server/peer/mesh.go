package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxStatus bounds the answer to a status question.
const maxStatus = 16 << 20

// Member is another server, and where it is dialled.
type Member struct {
	SID  int64
	Addr string // host:quorumPort; the host is resolved at every dial
}

// Handler takes what comes from the peers. Its methods may be called
// concurrently.
type Handler interface {
	Callee
	// Receive takes one frame of a kind above 0 from a peer, in the order it was
	// sent. While an old stream drains beside its successor, frames of both may
	// come at the same time. The body is
	// valid during the call only. It must not block for long: it holds up the
	// stream.
	Receive(from int64, kind byte, body []byte)
	// Up reports that this server's stream to the peer works.
	Up(peer Identity)
	// Down reports that the stream broke and could not be opened again at once.
	// gone means that nobody listens there any more: the process has ended.
	Down(sid int64, gone bool)
	// Status answers a status question, in JSON.
	Status() []byte
}

// Mesh keeps one outgoing stream to each member and serves the incoming ones. A
// server that is no member but calls, a guest, is called back where it says that
// it is to be dialled, until it is gone.
type Mesh struct {
	log     hclog.Logger
	handler Handler
	ln      net.Listener
	refused Repeats

	out atomic.Pointer[map[int64]*stream] // the map is never changed

	mu      sync.Mutex // of who changes what follows, and out
	started bool
	closed  bool
	callers map[int64]*caller

	wg   sync.WaitGroup
	ctx  context.Context // ends with Close
	stop context.CancelFunc
}

// caller is a process that has called. It is kept when it has hung up: where it
// was is where it may be again.
type caller struct {
	Identity
	streams int // incoming, now
}

// New makes a mesh that listens on ln and knows the other members. It does
// nothing before Start.
func New(ln net.Listener, members []Member, h Handler, log hclog.Logger) *Mesh {
	m := &Mesh{log: log, handler: h, ln: ln, callers: make(map[int64]*caller)}
	m.out.Store(new(map[int64]*stream))
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.Set(members)
	return m
}

// Set says who the other members are from now on. Streams to members that stay
// where they are go on. Who is a member no more is a guest: its stream lasts as
// long as both sides keep it.
func (m *Mesh) Set(members []Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(*m.out.Load())
	if next == nil {
		next = make(map[int64]*stream)
	}
	for _, s := range next {
		s.guest.Store(true)
	}
	for _, p := range members {
		if s := next[p.SID]; s == nil || s.member.Addr != p.Addr {
			m.replaceLocked(next, p)
		}
		next[p.SID].guest.Store(false)
	}
	m.out.Store(&next)
	for _, s := range next {
		s.hurry() // one that is a guest now may have to end
	}
}

// replaceLocked puts a stream to a member in the place of the one that is there.
func (m *Mesh) replaceLocked(out map[int64]*stream, p Member) {
	if old := out[p.SID]; old != nil {
		old.shut()
	}
	s := newStream(m, p)
	out[p.SID] = s
	if m.started && !m.closed {
		m.wg.Go(s.run)
	}
}

// called takes note of an incoming stream, and sees to it that a guest is called
// back.
func (m *Mesh) called(id Identity, conn net.Conn) {
	id.QuorumAddr, id.ElectionAddr = callBack(id.QuorumAddr, conn), callBack(id.ElectionAddr, conn)
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.callers[id.SID]
	if c == nil {
		c = &caller{}
		m.callers[id.SID] = c
	}
	c.Identity = id
	c.streams++
	s := m.stream(id.SID)
	if s != nil && (!s.guest.Load() || s.member.Addr == id.QuorumAddr) || id.QuorumAddr == "" {
		return
	}
	next := maps.Clone(*m.out.Load())
	m.replaceLocked(next, Member{SID: id.SID, Addr: id.QuorumAddr})
	next[id.SID].guest.Store(true)
	m.out.Store(&next)
}

// callBack is an address that a caller gives, with the one it calls from in the
// place of one that means any.
func callBack(addr string, conn net.Conn) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return addr
	}
	if host, _, err = net.SplitHostPort(conn.RemoteAddr().String()); err != nil {
		return addr
	}
	return net.JoinHostPort(host, port)
}

// hungUp takes note that an incoming stream has ended.
func (m *Mesh) hungUp(sid int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callers[sid].streams--
}

// Caller returns what the process that called last under a server id says of
// itself, with the addresses that it can be dialled at from here, and whether it
// is connected. It returns the zero Identity if none has called.
func (m *Mesh) Caller(sid int64) (id Identity, connected bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.callers[sid]; c != nil {
		return c.Identity, c.streams > 0
	}
	return Identity{}, false
}

// Callers lists the servers that are connected to this one.
func (m *Mesh) Callers() []Identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []Identity
	for _, c := range m.callers {
		if c.streams > 0 {
			ids = append(ids, c.Identity)
		}
	}
	slices.SortFunc(ids, func(a, b Identity) int { return cmp.Compare(a.SID, b.SID) })
	return ids
}

// leave takes a guest's stream out that cannot be kept, unless it calls or has
// become a member.
func (m *Mesh) leave(s *stream) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	sid := s.member.SID
	if c := m.callers[sid]; c != nil && c.streams > 0 || !s.guest.Load() {
		return false
	}
	if out := *m.out.Load(); out[sid] == s {
		next := maps.Clone(out)
		delete(next, sid)
		m.out.Store(&next)
	}
	return true
}

// Start begins to dial the members and to accept their streams.
func (m *Mesh) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = true
	m.wg.Go(func() { Serve(m.ctx, m.ln, &m.wg, m.log, m.serve) })
	for _, s := range *m.out.Load() {
		m.wg.Go(s.run)
	}
}

// Close ends all streams and waits for the goroutines. It may be called twice.
func (m *Mesh) Close() {
	m.stop()
	m.ln.Close()
	m.mu.Lock()
	m.closed = true
	for _, s := range *m.out.Load() {
		s.shut()
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// stream returns the stream to a server, or nil.
func (m *Mesh) stream(sid int64) *stream { return (*m.out.Load())[sid] }

// Others lists the servers that there are streams to, working or not: members
// and guests.
func (m *Mesh) Others() []int64 { return slices.Sorted(maps.Keys(*m.out.Load())) }

// Send queues a frame for a peer and returns at once. It returns false when
// there is no working stream; true does not mean that the frame arrives.
// The parts of the body are copied, one behind the other.
func (m *Mesh) Send(to int64, kind byte, body ...[]byte) bool {
	s := m.stream(to)
	return s != nil && s.send(false, kind, body...)
}

// SendNow is Send for a frame that is not expected to have company: it leaves
// before SendNow returns, unless the socket is full. What the parts hold is not to
// be changed afterwards.
func (m *Mesh) SendNow(to int64, kind byte, body ...[]byte) bool {
	s := m.stream(to)
	return s != nil && s.send(true, kind, body...)
}

// Reset breaks the stream to a peer, so that it is opened anew: something says
// that what is sent does not arrive.
func (m *Mesh) Reset(sid int64) {
	if s := m.stream(sid); s != nil {
		s.reset()
	}
}

// Connected says whether the stream to a peer works.
func (m *Mesh) Connected(sid int64) bool {
	s := m.stream(sid)
	return s != nil && s.up()
}

// Silence returns for how long a peer's host has acknowledged nothing that was sent on
// the stream to it; false if there is no stream. A stream carries a frame each second
// at least, so more than that says that what is sent does not arrive, whatever comes
// from there. Where the system does not tell it is 0.
func (m *Mesh) Silence(sid int64) (d time.Duration, up bool) {
	s := m.stream(sid)
	if s == nil {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return 0, false
	}
	return unacknowledgedFor(s.conn), true
}

// Serve accepts connections on ln until it is closed, and has handle called for
// each in a goroutine that wg counts. It blocks; wg must count the caller as
// well. After a failure to accept it waits a moment, unless ctx ends.
func Serve(ctx context.Context, ln net.Listener, wg *sync.WaitGroup, log hclog.Logger, handle func(net.Conn)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			log.Warn("cannot accept a peer connection", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
				continue
			}
		}
		wg.Go(func() { handle(conn) })
	}
}

// serve answers the handshake of an incoming connection and receives from it.
func (m *Mesh) serve(raw net.Conn) {
	defer raw.Close()
	defer context.AfterFunc(m.ctx, func() { raw.Close() })()
	conn, id, purpose, err := Answer(m.ctx, raw, m.handler)
	switch {
	case errors.Is(err, ErrRefused):
		m.refused.Warn(m.log, About(raw, id, err), "refusing a peer", "peer", raw.RemoteAddr(), "sid", id.SID, "error", err)
		return
	case err != nil:
		m.log.Debug("peer connection without handshake", "peer", raw.RemoteAddr(), "error", err)
		return
	}
	switch purpose {
	case PurposeStatus:
		conn.SetWriteDeadline(time.Now().Add(handshakeTimeout))
		conn.Write(m.handler.Status())
	case PurposeStream:
		m.log.Debug("received connection request", "sid", id.SID, "peer", conn.RemoteAddr())
		m.called(id, conn)
		defer m.hungUp(id.SID)
		if s := m.stream(id.SID); s != nil {
			s.hurry() // it lives: do not wait to dial it
		}
		err := receive(alive{conn}, func(kind byte, body []byte) { m.handler.Receive(id.SID, kind, body) })
		m.log.Debug("peer stream ended", "sid", id.SID, "error", err)
	default:
		m.log.Warn("refusing a peer", "peer", conn.RemoteAddr(), "sid", id.SID, "error", fmt.Sprintf("purpose %q on the quorum port", purpose))
	}
}

// Status asks the server at addr (host:quorumPort) for its status and returns
// the JSON it answers. It blocks as Dial does. s may be nil.
func Status(ctx context.Context, addr string, s Security) ([]byte, error) {
	conn, _, err := Dial(ctx, addr, Stranger{s}, 0, PurposeStatus)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
	return io.ReadAll(io.LimitReader(conn, maxStatus))
}
