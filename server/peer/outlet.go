package peer

import (
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
type Outlet struct {
	conn  net.Conn
	raw   syscall.RawConn // nil if conn cannot be written to directly, as under TLS
	limit int

	mu    sync.Mutex
	wake  sync.Cond // on mu
	queue [][]byte  // what the socket has not taken
	tail  bool      // the last of queue is ours to append to
	spare []byte    // a chunk to gather in
	bytes int       // in queue
	busy  bool      // the goroutine writes what it took from queue
	err   error     // why nothing is sent any more
	done  chan struct{}

	// Arguments and results of try, which is made once to spare an allocation for
	// each frame.
	try  func(fd uintptr) bool
	part []byte
	n    int
	fail error
}

// NewOutlet makes an outlet for conn, which nobody else may write to. More than
// limit bytes waiting end it.
func NewOutlet(conn net.Conn, limit int) *Outlet {
	o := &Outlet{conn: conn, limit: limit, done: make(chan struct{})}
	o.wake.L = &o.mu
	if c, ok := conn.(syscall.Conn); ok {
		o.raw, _ = c.SyscallConn()
	}
	o.try = func(fd uintptr) bool {
		o.n, o.fail = syscall.Write(int(fd), o.part)
		return true // never wait
	}
	go o.run()
	return o
}

// Send sends b, or queues what the socket does not take. It does not block. b is
// not to be changed afterwards. An error is for good, and closes the connection.
func (o *Outlet) Send(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.raw != nil && !o.busy && len(o.queue) == 0 {
		n, err := o.tryLocked(b)
		if err != nil {
			return o.failLocked(err)
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if o.bytes+len(b) > o.limit && o.bytes > 0 {
		return o.failLocked(ErrOutletFull)
	}
	o.queue, o.tail = append(o.queue, b), false
	o.bytes += len(b)
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
	if !o.tail || len(o.queue[len(o.queue)-1])+n > outletChunk {
		chunk := o.spare
		if o.spare = nil; cap(chunk) < n {
			chunk = make([]byte, 0, max(n, 4096))
		}
		o.queue, o.tail = append(o.queue, chunk[:0]), true
	}
	last := &o.queue[len(o.queue)-1]
	for _, p := range parts {
		*last = append(*last, p...)
	}
	o.bytes += n
	o.wake.Signal()
	return nil
}

// outletChunk is what is gathered into one buffer.
const outletChunk = 256 << 10

// tryLocked writes what the socket takes without waiting.
func (o *Outlet) tryLocked(b []byte) (int, error) {
	o.part, o.n, o.fail = b, 0, nil
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
		o.queue, o.tail, o.bytes = nil, false, 0
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
		for len(o.queue) == 0 && o.err == nil {
			o.wake.Wait()
		}
		if o.err != nil {
			return
		}
		o.busy = true
		o.mu.Unlock()
		runtime.Gosched() // who is ready to queue more does so first
		o.mu.Lock()
		batch, ours := net.Buffers(o.queue), o.tail
		o.queue, o.tail, o.bytes = nil, false, 0
		if len(batch) == 0 {
			continue // it failed meanwhile
		}
		last := batch[len(batch)-1]
		o.mu.Unlock()
		o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := batch.WriteTo(o.conn)
		o.mu.Lock()
		if o.busy = false; ours && cap(last) <= outletChunk {
			o.spare = last
		}
		if err != nil {
			o.failLocked(err)
		}
	}
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
