package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxFrame bounds one frame; a request is bounded by jute.maxbuffer, far below.
	maxFrame = 256 << 20
	// maxQueued bounds what waits for one peer. Over it the stream is broken: the
	// peer does not read, and the layer above sends again once it does.
	maxQueued = 256 << 20

	writeTimeout = 10 * time.Second
	firstRetry   = 20 * time.Millisecond

	// A stream carries a frame at least every pingEvery. Who receives nothing for
	// silence closes it; who sends gives up when nothing was acknowledged for
	// unacknowledged, by the kernel: a peer that is frozen still acknowledges,
	// until its buffers are full.
	pingEvery      = time.Second
	silence        = 10 * time.Second
	unacknowledged = 5 * time.Second
	framePing      = 0

	// unacknowledgedRaft is the same for Raft's connections, which may carry a
	// snapshot to a disk that stalls.
	unacknowledgedRaft = 30 * time.Second
	lastRetry          = time.Second

	// A process that has just died may still have its listening socket for a
	// moment: the kernel takes the redial and then resets it.
	dyingRetries = 20
	dyingPause   = time.Millisecond
)

// stream is this server's direction of the connection to one member.
type stream struct {
	mesh   *Mesh
	member Member
	guest  atomic.Bool   // no member: kept as long as it calls
	kick   chan struct{} // dial now

	mu    sync.Mutex
	conn  net.Conn
	out   *Outlet // to conn; nil while there is none
	ended bool
}

func newStream(m *Mesh, member Member) *stream {
	return &stream{mesh: m, member: member, kick: make(chan struct{}, 1)}
}

func (s *stream) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out != nil
}

// hurry ends the wait before the next dial.
func (s *stream) hurry() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// reset breaks the connection, if there is one; run dials again.
func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

// shut ends the stream for good.
func (s *stream) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.conn != nil {
		s.conn.Close()
	}
	s.hurry()
}

// send queues a frame, or with now sends it at once where the socket takes it.
func (s *stream) send(now bool, kind byte, body ...[]byte) bool {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	if out == nil {
		return false
	}
	n := 1
	for _, p := range body {
		n += len(p)
	}
	var lead [5]byte
	binary.BigEndian.PutUint32(lead[:], uint32(n))
	lead[4] = kind
	if now {
		// What is short is copied: it would cost more as a part of its own.
		b := append(make([]byte, 0, len(lead)+min(n, 128)), lead[:]...)
		for i, p := range body {
			if len(p) > shortPart {
				return out.Send(append([][]byte{b}, body[i:]...)...) == nil
			}
			b = append(b, p...)
		}
		return out.Send(b) == nil
	}
	return out.Queue(append([][]byte{lead[:]}, body...)...) == nil
}

// shortPart is up to what length a part of a frame is rather copied than sent from
// where it is.
const shortPart = 512

// run dials the member, again and again, and keeps the stream.
func (s *stream) run() {
	retry := firstRetry
	wasUp, told, dying := false, new(Repeats), 0
	for {
		conn, id, err := s.dial()
		if err == nil {
			retry, wasUp, told, dying = firstRetry, true, new(Repeats), dyingRetries
			s.mesh.handler.Up(id)
			s.keep(conn)
			continue // redial at once: only a failure to do so is a loss
		}
		if s.over() {
			if wasUp {
				s.mesh.handler.Down(s.member.SID, false)
			}
			return
		}
		if dying > 0 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)) {
			dying--
			s.pause(dyingPause)
			continue
		}
		if wasUp {
			wasUp = false
			s.mesh.log.Warn(fmt.Sprintf("Connection broken for id %d, my id = %d", s.member.SID, s.mesh.handler.Identity().SID), "error", err)
			s.mesh.handler.Down(s.member.SID, errors.Is(err, syscall.ECONNREFUSED))
		}
		if errors.Is(err, ErrRefused) {
			told.Warn(s.mesh.log, err.Error(), "cannot join a peer", "sid", s.member.SID, "peer", s.member.Addr, "error", err)
		} else {
			told.Warn(s.mesh.log, "", fmt.Sprintf("Cannot open channel to %d at quorum address %s", s.member.SID, s.member.Addr), "error", err)
		}
		if s.mesh.leave(s) {
			return // a guest that does not call any more
		}
		// A little disorder, or servers started together would dial in step.
		s.pause(retry + rand.N(retry/4))
		retry = min(2*retry, lastRetry)
	}
}

// over says whether the stream has been shut, or the mesh closed.
func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended || s.mesh.ctx.Err() != nil
}

// pause waits before the next dial, unless the peer is known to live or the mesh
// closes.
func (s *stream) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.mesh.ctx.Done():
	case <-s.kick:
	case <-timer.C:
	}
}

func (s *stream) dial() (net.Conn, Identity, error) {
	conn, id, err := Dial(s.mesh.ctx, s.member.Addr, s.mesh.handler, s.member.SID, PurposeStream)
	if err != nil {
		return nil, Identity{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		conn.Close()
		return nil, Identity{}, net.ErrClosed
	}
	s.conn, s.out = conn, NewOutlet(conn, maxQueued)
	return conn, id, nil
}

// keep sends what is queued until the connection breaks. The peer sends nothing
// back, so a reader only waits for the end.
func (s *stream) keep(conn net.Conn) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ended:
			s.mu.Lock()
			out := s.out
			s.out = nil
			s.mu.Unlock()
			if err := out.Close(); err != nil {
				s.mesh.log.Warn("peer stream broken", "sid", s.member.SID, "error", err)
			}
			return
		case <-ping.C:
			s.send(false, framePing)
		}
	}
}

// alive reads from a connection that must not be silent for long.
type alive struct{ net.Conn }

func (a alive) Read(p []byte) (int, error) {
	if err := a.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return a.Conn.Read(p)
}

// receive reads frames until the connection ends. Pings are not handed on.
func receive(r io.Reader, fn func(kind byte, body []byte)) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var buf []byte
	for {
		var lead [5]byte
		if _, err := io.ReadFull(br, lead[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(lead[:])
		if n == 0 || n > maxFrame {
			return fmt.Errorf("frame of %d bytes", n)
		}
		n--
		if uint32(cap(buf)) < n || cap(buf) > 1<<20 {
			buf = make([]byte, 0, max(n, 4096))
		}
		buf = buf[:n]
		if _, err := io.ReadFull(br, buf); err != nil {
			return err
		}
		if lead[4] != framePing {
			fn(lead[4], buf)
		}
	}
}
