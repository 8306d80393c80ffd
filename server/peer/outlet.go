package peer

import (
	"bufio"
	"cmp"
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrOutletFull reports a peer that takes less than it is sent.
var ErrOutletFull = errors.New("the peer does not read")

// Outlet sends on a connection without ever blocking who sends: it gives the
// socket what that takes at once, and leaves the rest to a goroutine. On a quiet
// connection a frame leaves without a change of goroutines.
//
// Whose a buffer is: what Send is given belongs to nobody any more, and is written
// from where it is; what Queue is given is copied into a chunk. Chunks are the
// outlet's own. One is being filled or waits in queue; once the goroutine has
// written it, and only then, it may be filled again.
type Outlet struct {
	conn  net.Conn
	raw   syscall.RawConn // nil if conn cannot be written to directly, as under TLS
	limit int
	// joined, where there is no raw, makes few records of TLS of many parts. Only the
	// goroutine uses it.
	joined *bufio.Writer

	mu     sync.Mutex
	wake   sync.Cond // on mu
	queue  [][]byte  // what the socket has not taken
	chunks [][]byte  // those in queue that are the outlet's
	chunk  []byte    // the one being filled, behind queue; nil for none
	spares [][]byte  // those that are free
	bytes  int       // in queue and chunk
	busy   bool      // the goroutine writes what it took from queue
	err    error     // why nothing is sent any more
	done   chan struct{}

	// Arguments and results of try, which is made once to spare an allocation for
	// each frame.
	try  func(fd uintptr) bool
	part [][]byte
	n    int
	fail error
}

const (
	// outletChunk is what is gathered into one buffer.
	outletChunk = 256 << 10
	// firstChunk is how large a buffer is that may stay the only one.
	firstChunk = 4 << 10
	// joinedBytes is what is written at a time where there is no raw: a record of TLS.
	joinedBytes = 16 << 10
	// maxSpares bounds the buffers kept for later.
	maxSpares = 4
)

// scribble has what is free overwritten: in tests, so that whoever still reads it
// is found out.
var scribble bool

// NewOutlet makes an outlet for conn, which nobody else may write to. More than
// limit bytes waiting end it.
func NewOutlet(conn net.Conn, limit int) *Outlet {
	o := &Outlet{conn: conn, limit: limit, done: make(chan struct{})}
	o.wake.L = &o.mu
	if c, ok := conn.(syscall.Conn); ok {
		o.raw, _ = c.SyscallConn()
	}
	if o.raw == nil {
		o.joined = bufio.NewWriterSize(conn, joinedBytes)
	}
	o.try = func(fd uintptr) bool {
		o.n, o.fail = writev(int(fd), o.part)
		return true // never wait
	}
	go o.run()
	return o
}

// Send sends the parts, one behind the other, or queues what the socket does not
// take. It does not block. What the parts hold is not to be changed afterwards. An
// error is for good, and closes the connection.
func (o *Outlet) Send(parts ...[]byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	sent := 0
	if o.raw != nil && !o.busy && len(o.queue) == 0 && len(o.chunk) == 0 {
		var err error
		if sent, err = o.tryLocked(parts); err != nil {
			return o.failLocked(err)
		}
	}
	rest := -sent
	for _, p := range parts {
		rest += len(p)
	}
	if rest == 0 {
		return nil
	}
	if o.bytes+rest > o.limit && o.bytes > 0 {
		return o.failLocked(ErrOutletFull)
	}
	o.closeChunkLocked()
	for _, p := range parts {
		if sent < len(p) {
			o.queue = append(o.queue, p[sent:])
		}
		sent = max(sent-len(p), 0)
	}
	o.bytes += rest
	o.wake.Signal()
	return nil
}

// Queue leaves the parts, one behind the other, to the goroutine, which sends
// together what has been queued when it comes to run. It does not block, and
// copies.
func (o *Outlet) Queue(parts ...[]byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if o.bytes+n > o.limit && o.bytes > 0 {
		return o.failLocked(ErrOutletFull)
	}
	if len(o.chunk)+n > outletChunk {
		o.closeChunkLocked()
	}
	if o.chunk == nil {
		o.chunk = o.newChunkLocked(n)
	}
	for _, p := range parts {
		o.chunk = append(o.chunk, p...)
	}
	o.bytes += n
	o.wake.Signal()
	return nil
}

// newChunkLocked is an empty buffer for n bytes, and more if more have come than
// one buffer holds.
func (o *Outlet) newChunkLocked(n int) []byte {
	if last := len(o.spares) - 1; last >= 0 && cap(o.spares[last]) >= n {
		c := o.spares[last]
		o.spares[last] = nil
		o.spares = o.spares[:last]
		return c
	}
	if len(o.queue) > 0 {
		n = max(n, outletChunk)
	}
	return make([]byte, 0, max(n, firstChunk))
}

// closeChunkLocked puts what has been gathered into the queue.
func (o *Outlet) closeChunkLocked() {
	if len(o.chunk) > 0 {
		o.queue, o.chunks = append(o.queue, o.chunk), append(o.chunks, o.chunk)
	}
	o.chunk = nil
}

// freeLocked takes back buffers that have been written.
func (o *Outlet) freeLocked(chunks [][]byte) {
	for _, c := range chunks {
		if scribble {
			for i := range c {
				c[i] = 0xdb
			}
		}
		if cap(c) <= outletChunk && len(o.spares) < maxSpares {
			o.spares = append(o.spares, c[:0])
		}
	}
}

// tryLocked writes what the socket takes without waiting.
func (o *Outlet) tryLocked(parts [][]byte) (int, error) {
	o.part, o.n, o.fail = parts, 0, nil
	err := o.raw.Write(o.try)
	o.part = nil
	switch {
	case err != nil:
		return 0, err
	case o.fail == syscall.EAGAIN || o.fail == syscall.EINTR:
		return 0, nil
	case o.fail != nil:
		return 0, o.fail
	}
	return o.n, nil
}

func (o *Outlet) failLocked(err error) error {
	if o.err == nil {
		o.err = err
		o.queue, o.chunks, o.chunk, o.spares, o.bytes = nil, nil, nil, nil, 0
		o.conn.Close()
		o.wake.Signal()
	}
	return o.err
}

// run writes what was queued, and waits for the peer.
func (o *Outlet) run() {
	defer close(o.done)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.queue) == 0 && len(o.chunk) == 0 && o.err == nil {
			o.wake.Wait()
		}
		if o.err != nil {
			return
		}
		o.busy = true
		o.mu.Unlock()
		runtime.Gosched() // who is ready to queue more does so first
		o.mu.Lock()
		o.closeChunkLocked()
		batch, chunks := o.queue, o.chunks
		o.queue, o.chunks, o.bytes = nil, nil, 0
		if len(batch) == 0 {
			continue // it failed meanwhile
		}
		o.mu.Unlock()
		err := o.write(batch)
		o.mu.Lock()
		o.busy = false
		o.freeLocked(chunks)
		if err != nil {
			o.failLocked(err)
		}
	}
}

// write writes all of batch, and waits for the peer, up to writeTimeout for each part
// that it takes. It changes batch.
func (o *Outlet) write(batch [][]byte) error {
	limited := false
	limit := func() {
		limited = true
		o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	defer func() {
		if limited {
			o.conn.SetWriteDeadline(time.Time{}) // it would fail a Send that comes later
		}
	}()
	if o.raw == nil {
		for _, b := range batch {
			for len(b) > 0 {
				n := min(len(b), joinedBytes)
				limit()
				if _, err := o.joined.Write(b[:n]); err != nil {
					return err
				}
				b = b[n:]
			}
		}
		return o.joined.Flush()
	}
	var fail error
	err := o.raw.Write(func(fd uintptr) bool {
		for len(batch) > 0 {
			n, err := writev(int(fd), batch)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				fail = err
				if err == syscall.EAGAIN { // wait until it takes more
					limit()
					return false
				}
				return true
			}
			for n > 0 || len(batch) > 0 && len(batch[0]) == 0 {
				k := min(n, len(batch[0]))
				n -= k
				if batch[0] = batch[0][k:]; len(batch[0]) == 0 {
					batch[0], batch = nil, batch[1:]
				}
			}
		}
		fail = nil
		return true
	})
	return cmp.Or(err, fail)
}

// Close closes the connection, waits for the goroutine to end and returns what
// sending had failed by, nil if it had not. It may be called twice.
func (o *Outlet) Close() error {
	o.mu.Lock()
	err := o.err
	o.failLocked(net.ErrClosed)
	o.mu.Unlock()
	<-o.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
