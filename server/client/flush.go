package client

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"
)

// Connections with something to send pass from the apply goroutine to the
// flushers in bundles, a lock and at most one wake-up for each.
const (
	bundle     = 64 // handed over before the batch ends
	flushShare = 16 // taken by a flusher at a time
	flushSelf  = 2  // sent to by the apply goroutine itself
)

// flushers send what the apply goroutine leaves in outboxes, for it must make no
// system call nor wake a goroutine for each of a thousand connections; the one
// or two of a quiet server it sends to itself. They never wait for a client.
type flushers struct {
	mu     sync.Mutex
	work   sync.Cond // on mu: queue is not empty, or closed
	queue  []*conn   // queue[head:]
	head   int
	idle   int
	closed bool
}

// start begins GOMAXPROCS of them; close ends them.
func (f *flushers) start(wg *sync.WaitGroup) {
	for range runtime.GOMAXPROCS(0) {
		wg.Go(f.run)
	}
}

func (f *flushers) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.work.Broadcast()
}

// add queues connections. It wakes one flusher at most; each that finds more
// than its share wakes the next.
func (f *flushers) add(conns ...*conn) {
	f.mu.Lock()
	if f.head > len(f.queue)/2 {
		n := copy(f.queue, f.queue[f.head:])
		clear(f.queue[n:])
		f.queue, f.head = f.queue[:n], 0
	}
	f.queue = append(f.queue, conns...)
	wake := f.idle > 0
	f.mu.Unlock()
	if wake {
		f.work.Signal()
	}
}

func (f *flushers) run() {
	var share [flushShare]*conn
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.closed {
		n := copy(share[:], f.queue[f.head:])
		if n == 0 {
			f.idle++
			f.work.Wait()
			f.idle--
			continue
		}
		clear(f.queue[f.head : f.head+n])
		if f.head += n; f.head == len(f.queue) {
			f.queue, f.head = f.queue[:0], 0
			if cap(f.queue) > 4096 {
				f.queue = nil // a burst is over
			}
		} else if f.idle > 0 {
			f.work.Signal()
		}
		f.mu.Unlock()
		for i, c := range share[:n] {
			c.listed.Store(false) // before the look at the outbox
			c.flush()
			share[i] = nil
		}
		f.mu.Lock()
	}
}

// touched notes that the apply goroutine has left something in c's outbox. Only
// the apply goroutine calls it.
func (s *Server) touched(c *conn) {
	if c.listed.Load() || c.listed.Swap(true) {
		return
	}
	if s.dirty = append(s.dirty, c); len(s.dirty) >= bundle {
		s.handOver()
	}
}

// Flush tells that the apply goroutine has come to the end of a batch: what it
// has left in outboxes is sent now. The few connections of a quiet server it
// sends to by itself, without a change of goroutines. It does not wait for a
// client; only the apply goroutine calls it, without the state lock.
func (s *Server) Flush() {
	if len(s.dirty) > flushSelf {
		s.handOver()
		return
	}
	for i, c := range s.dirty {
		s.dirty[i] = nil
		c.listed.Store(false) // before the look at the outbox
		c.flush()
	}
	s.dirty = s.dirty[:0]
}

func (s *Server) handOver() {
	s.flushers.add(s.dirty...)
	clear(s.dirty)
	s.dirty = s.dirty[:0]
}

// flush sends what the outbox holds, unless another is at it. It does not block:
// what the socket does not take at once is left to a goroutine that waits.
func (c *conn) flush() {
	b := c.out.begin()
	if b == nil {
		return
	}
	for b != nil {
		if c.raw == nil {
			c.await(b)
			return
		}
		n, err := writeNow(c.raw, b.b[b.off:], b.final && c.closing.Load())
		c.wrote(b, n)
		switch {
		case c.isDead():
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded): // that of an earlier writeLoop
			c.kill(causeIO)
		case b.off < len(b.b):
			c.await(b)
			return
		}
		b = c.next(b)
	}
}

// wrote counts n bytes of b as sent.
func (c *conn) wrote(b *buffer, n int) {
	b.off += n
	if left := c.out.wrote(n); left < softOutboxBytes && left+int64(n) >= softOutboxBytes {
		c.nudge()
	}
}

// next frees what has been sent and gives what is to be sent after it.
func (c *conn) next(sent *buffer) *buffer {
	b, last := c.out.next(sent)
	sent.free()
	if last {
		c.nudge() // readLoop waits for it in end
	}
	return b
}

// await hands the sender's part, and b, to a goroutine that may block.
func (c *conn) await(b *buffer) {
	c.srv.wg.Add(1)
	go c.writeLoop(b)
}

// writeLoop sends b and what comes behind it, until there is nothing. It is
// there only while a client is slow to take what it is sent.
func (c *conn) writeLoop(b *buffer) {
	defer c.srv.wg.Done()
	var deadline time.Time
	for b != nil {
		c.send(b, &deadline)
		b = c.next(b)
	}
}

// What is written at a time.
const (
	plainChunk = 64 << 10
	tlsChunk   = 16 << 10 // a record of TLS
)

// send writes b. A client that takes nothing for its session timeout loses its
// connection. So does, over TLS, one that takes less than a chunk: a write of TLS that
// has timed out is the last, so each has the whole of it.
func (c *conn) send(b *buffer, deadline *time.Time) {
	chunk, least := plainChunk, c.timeout/2
	if c.stream != c.nc {
		chunk, least = tlsChunk, c.timeout
	}
	for b.off < len(b.b) {
		now := time.Now()
		if deadline.Sub(now) < least {
			*deadline = now.Add(c.timeout)
			c.nc.SetWriteDeadline(*deadline)
		}
		if c.isDead() {
			return
		}
		n, err := c.stream.Write(b.b[b.off:min(len(b.b), b.off+chunk)])
		if n > 0 {
			c.lastIO.Store(c.srv.now())
		}
		c.wrote(b, n)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if n == 0 {
				c.kill(causeSlowWrite)
				return
			}
			*deadline = time.Time{}
		default:
			c.kill(causeIO)
			return
		}
	}
}
