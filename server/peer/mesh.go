package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxStatus bounds the answer to a status question.
const maxStatus = 16 << 20

// Member is another server of the ensemble.
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
	// Up reports that this server's stream to the peer works, and the disk that
	// the peer knows this server by ("" if never seen; hex).
	Up(peer Identity, known string)
	// Down reports that the stream broke and could not be opened again at once.
	// gone means that nobody listens there any more: the process has ended.
	Down(sid int64, gone bool)
	// Refused reports that the peer, or this server, refused the handshake.
	Refused(sid int64, err error)
	// Status answers a status question, in JSON.
	Status() []byte
}

// Mesh keeps one outgoing stream to each member and serves the incoming ones.
type Mesh struct {
	log     hclog.Logger
	handler Handler
	ln      net.Listener
	out     map[int64]*stream // immutable after New

	wg   sync.WaitGroup
	ctx  context.Context // ends with Close
	stop context.CancelFunc
}

// New makes a mesh that listens on ln and knows the other members. It does
// nothing before Start.
func New(ln net.Listener, members []Member, h Handler, log hclog.Logger) *Mesh {
	m := &Mesh{
		log:     log,
		handler: h,
		ln:      ln,
		out:     make(map[int64]*stream, len(members)),
	}
	m.ctx, m.stop = context.WithCancel(context.Background())
	for _, p := range members {
		m.out[p.SID] = newStream(m, p)
	}
	return m
}

// Start begins to dial the members and to accept their streams.
func (m *Mesh) Start() {
	m.wg.Go(func() { Serve(m.ctx, m.ln, &m.wg, m.log, m.serve) })
	for _, s := range m.out {
		m.wg.Go(s.run)
	}
}

// Close ends all streams and waits for the goroutines. It may be called twice.
func (m *Mesh) Close() {
	m.stop()
	m.ln.Close()
	for _, s := range m.out {
		s.shut()
	}
	m.wg.Wait()
}

// Send queues a frame for a peer and returns at once. It returns false when
// there is no working stream; true does not mean that the frame arrives.
// The parts of the body are copied, one behind the other.
func (m *Mesh) Send(to int64, kind byte, body ...[]byte) bool {
	s := m.out[to]
	return s != nil && s.send(false, kind, body...)
}

// SendNow is Send for a frame that is not expected to have company: it leaves
// before SendNow returns, unless the socket is full.
func (m *Mesh) SendNow(to int64, kind byte, body ...[]byte) bool {
	s := m.out[to]
	return s != nil && s.send(true, kind, body...)
}

// Reset breaks the stream to a peer, so that it is opened anew: something says
// that what is sent does not arrive.
func (m *Mesh) Reset(sid int64) {
	if s := m.out[sid]; s != nil {
		s.reset()
	}
}

// Connected says whether the stream to a peer works.
func (m *Mesh) Connected(sid int64) bool {
	s := m.out[sid]
	return s != nil && s.up()
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
func (m *Mesh) serve(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(m.ctx, func() { conn.Close() })()
	id, purpose, err := Answer(conn, m.handler)
	switch {
	case errors.Is(err, ErrRefused):
		m.log.Warn("refusing a peer", "peer", conn.RemoteAddr(), "sid", id.SID, "error", err)
		return
	case err != nil:
		m.log.Debug("peer connection without handshake", "peer", conn.RemoteAddr(), "error", err)
		return
	}
	switch purpose {
	case PurposeStatus:
		conn.SetWriteDeadline(time.Now().Add(handshakeTimeout))
		conn.Write(m.handler.Status())
	case PurposeStream:
		m.log.Debug("received connection request", "sid", id.SID, "peer", conn.RemoteAddr())
		if s := m.out[id.SID]; s != nil {
			s.hurry() // it lives: do not wait to dial it
		}
		err := receive(alive{conn}, func(kind byte, body []byte) { m.handler.Receive(id.SID, kind, body) })
		m.log.Debug("peer stream ended", "sid", id.SID, "error", err)
	default:
		m.log.Warn("refusing a peer", "peer", conn.RemoteAddr(), "sid", id.SID, "error", fmt.Sprintf("purpose %q on the quorum port", purpose))
	}
}

// Status asks the server at addr (host:quorumPort) for its status and returns
// the JSON it answers. It blocks for at most a few seconds.
func Status(addr string) ([]byte, error) {
	conn, _, _, err := Dial(context.Background(), addr, Stranger{}, 0, PurposeStatus)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
	return io.ReadAll(io.LimitReader(conn, maxStatus))
}
