package bench

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"zooraft/protocol"
)

// clock tells nanoseconds since a run began.
type clock struct{ base time.Time }

func (c clock) now() int64 { return int64(time.Since(c.base)) }

// source makes a connection's requests. It is called by one goroutine at a
// time.
type source interface {
	// next appends a request and tells its kind; ok is false when there is none
	// left, and nothing was appended.
	next(out []byte, xid int32) (b []byte, k kind, ok bool)
}

// pending is a request under way.
type pending struct {
	at  int64 // when it was sent or, at a fixed rate, due
	xid int32
	k   kind
}

// conn is one session and its connection. One goroutine runs loop, and with it
// everything here except what is said to be for others; where there is a gate,
// another one may call send.
type conn struct {
	index  int
	nc     net.Conn
	stream stream // of nc
	clock  clock
	session

	src source
	// answered is told each reply to a request, in their order; r is valid
	// until it returns.
	answered func(p pending, r reply, now int64) error
	// unasked is told each watch event; nil if none are expected.
	unasked func(r reply, now int64) error
	// locker guards what answered does; taken once for all that one read has
	// brought.
	locker sync.Locker
	// ponged is told each reply to a ping; nil for most.
	ponged func(now int64)
	// gate guards all between in and dry, where others than loop call send; nil
	// where none does.
	gate *sync.Mutex
	// pace says when requests are due; nil sends as replies come.
	pace *pace
	// lasting keeps loop waiting when src has no more for now.
	lasting bool

	in    []byte // in[from:to] has been read and not been looked at
	from  int
	to    int
	out   []byte
	ring  []pending
	first int // the oldest of ring
	under int // how many are under way
	xid   int32
	dry   bool // src has no more
	up    bool // attached, and no error yet

	// For the keeper, too.
	mu       sync.Mutex   // guards nc against the keeper; loop may read it without
	granted  atomic.Int64 // the session's timeout, ns
	wrote    atomic.Int64 // when the last write ended, inWrite during one
	pinged   atomic.Int64 // when the last ping was sent
	heard    atomic.Int64 // when the last read ended
	reading  atomic.Bool
	stopping atomic.Bool // send nothing more; end when all is answered
}

// inWrite as a time of a write keeps the keeper away.
const inWrite = int64(1) << 62

// Sizes of a read buffer: more than the replies under way take, since only a
// reading that leaves room has taken all there is; and not so much that a thousand
// connections need what the servers could use.
const (
	minReadBytes = 64
	maxReadBytes = 128 << 10
)

// newConn makes a connection with room for window requests whose replies have
// about replyBytes each.
func newConn(index int, cl clock, window, replyBytes int, timeout time.Duration) *conn {
	return &conn{
		index:   index,
		clock:   cl,
		session: session{timeout: timeout},
		in:      make([]byte, min(window*replyBytes+minReadBytes, maxReadBytes)),
		ring:    make([]pending, window),
	}
}

// attach gives the session a connection.
func (c *conn) attach(nc net.Conn) {
	now := c.clock.now()
	c.mu.Lock()
	c.nc = nc
	c.mu.Unlock()
	c.stream.init(nc)
	c.from, c.to = 0, 0
	c.granted.Store(int64(c.timeout))
	c.wrote.Store(now)
	c.heard.Store(now)
}

// loop sends requests as replies make room for them, until there are no more
// and all have been answered. Any error leaves the connection unusable.
func (c *conn) loop() error {
	c.heard.Store(c.clock.now())
	c.reading.Store(true)
	defer c.reading.Store(false)
	c.enter()
	c.up = true
	c.leave()
	ended, err := c.turn()
	if ended || err != nil {
		return err
	}
	return c.stream.follow(c)
}

// turn sends what there is room for, and tells whether all is done.
func (c *conn) turn() (ended bool, err error) {
	c.enter()
	defer c.leave()
	err = c.send()
	return c.under == 0 && (c.dry && !c.lasting || c.stopping.Load()), err
}

// free is the room for what is read next, never empty.
func (c *conn) free() []byte { return c.in[c.to:] }

// arrived handles n bytes that were read into free, and sends what they have
// made room for.
func (c *conn) arrived(n int) (ended bool, err error) {
	if err := c.receive(n); err != nil {
		return false, err
	}
	return c.turn()
}

func (c *conn) enter() {
	if c.gate != nil {
		c.gate.Lock()
	}
}

func (c *conn) leave() {
	if c.gate != nil {
		c.gate.Unlock()
	}
}

// send fills the window with what is due.
//
// REQUIRES: gate is held, if there is one.
func (c *conn) send() error {
	if !c.up || c.under == len(c.ring) || c.dry || c.stopping.Load() {
		return nil
	}
	now := c.clock.now()
	c.out = c.out[:0]
	for c.under < len(c.ring) {
		at := now
		if c.pace != nil {
			if at = c.pace.due(); at > now {
				break
			}
		}
		if !c.next(at) {
			break
		}
		if c.pace != nil {
			c.pace.sent++
		}
	}
	return c.flush()
}

// next puts one request into out that counts from at.
func (c *conn) next(at int64) bool {
	xid := nextXid(c.xid)
	out, k, ok := c.src.next(c.out, xid)
	if !ok {
		c.dry = true
		return false
	}
	c.out, c.xid = out, xid
	i := c.first + c.under
	if i >= len(c.ring) {
		i -= len(c.ring)
	}
	c.ring[i] = pending{at: at, xid: xid, k: k}
	c.under++
	return true
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.wrote.Store(inWrite)
	err := c.stream.write(c.out)
	c.wrote.Store(c.clock.now())
	return err
}

// receive handles all replies that are complete with n bytes more.
func (c *conn) receive(n int) error {
	c.to += n
	now := c.clock.now()
	c.heard.Store(now)
	c.enter()
	defer c.leave()
	if c.locker != nil {
		c.locker.Lock()
		defer c.locker.Unlock()
	}
	return c.consume(now)
}

// consume handles what has been read.
func (c *conn) consume(now int64) error {
	for {
		r, size, ok, err := cutReply(c.in[c.from:c.to])
		if err != nil {
			return err
		}
		if !ok {
			c.room(size)
			return nil
		}
		c.from += size
		if err := c.handle(r, now); err != nil {
			return err
		}
	}
}

// room makes space behind what has been read, for a frame of size bytes.
func (c *conn) room(size int) {
	switch {
	case c.from == c.to:
		c.from, c.to = 0, 0
		return
	case size > len(c.in):
		in := make([]byte, size+minReadBytes)
		c.to = copy(in, c.in[c.from:c.to])
		c.in, c.from = in, 0
	case c.from > 0 && len(c.in)-c.from < max(size, len(c.in)/2):
		c.to = copy(c.in, c.in[c.from:c.to])
		c.from = 0
	}
}

func (c *conn) handle(r reply, now int64) error {
	switch r.xid {
	case protocol.XidPing:
		if c.ponged != nil {
			c.ponged(now)
		}
		return nil
	case protocol.XidNotification:
		if c.unasked == nil {
			return fmt.Errorf("%w: an event that nobody asked for", errMalformed)
		}
		return c.unasked(r, now)
	}
	if c.under == 0 {
		return fmt.Errorf("%w: a reply to %d, nothing is under way", errMalformed, r.xid)
	}
	p := c.ring[c.first]
	if p.xid != r.xid {
		return fmt.Errorf("%w: a reply to %d, the oldest request is %d", errMalformed, r.xid, p.xid)
	}
	c.first++
	if c.first == len(c.ring) {
		c.first = 0
	}
	c.under--
	c.zxid = max(c.zxid, r.zxid)
	return c.answered(p, r, now)
}

// forget drops all requests under way and tells how many there were. Nothing is
// sent until loop runs again.
func (c *conn) forget() int {
	c.enter()
	defer c.leave()
	c.up = false
	n := c.under
	c.under, c.first = 0, 0
	return n
}

// end closes the session, waits for the reply until patience is over, and closes
// the connection.
func (c *conn) end(patience time.Duration) {
	if c.nc != nil {
		_ = closeSession(c.nc, nextXid(c.xid), patience) // it expires otherwise
		c.nc.Close()
	}
}

// closeFrame is the request that closes a session.
func closeFrame(xid int32) []byte {
	b, mark := protocol.BeginFrame(nil)
	return protocol.EndFrame((&protocol.RequestHeader{Xid: xid, Op: protocol.OpCloseSession}).Append(b), mark)
}

// closeSession ends the session of a connection and waits for the reply until
// patience is over. Replies to older requests are dropped.
func closeSession(nc net.Conn, xid int32, patience time.Duration) error {
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(closeFrame(xid)); err != nil {
		return err
	}
	var head [lengthBytes + headerBytes]byte
	for {
		if _, err := io.ReadFull(nc, head[:]); err != nil {
			return err
		}
		r, size, ok, err := cutReply(head[:])
		switch {
		case err != nil:
			return err
		case ok && r.xid == xid && r.code == protocol.ErrOK:
			return nil
		case ok && r.xid == xid:
			return r.code
		case !ok:
			if _, err := io.CopyN(io.Discard, nc, int64(size-len(head))); err != nil {
				return err
			}
		}
	}
}
