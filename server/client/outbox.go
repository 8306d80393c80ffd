package client

import (
	"sync"
	"sync/atomic"
)

// keepBuffer is the capacity beyond which a send buffer is not reused: what a
// burst took is given back after it.
const keepBuffer = 64 << 10

// buffer is a reusable byte slice. Connections hold one only while they have
// something in it.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) free() {
	if cap(b.b) > keepBuffer {
		b.b = nil
	}
	b.b = b.b[:0]
	buffers.Put(b)
}

// outbox is what waits to be sent to one client. Whoever appends never blocks;
// writeLoop takes a buffer at a time, so that many frames share a write.
type outbox struct {
	mu    sync.Mutex
	ready sync.Cond // on mu: the writer has something to do
	bufs  []*buffer // in order; each takes what it has room for, and a frame at least
	last  bool      // nothing more is taken; the writer ends when all is sent
	dead  bool      // the writer ends at once

	size atomic.Int64 // bytes appended and not yet written to the socket
}

func (o *outbox) init() { o.ready.L = &o.mu }

// append adds a frame and returns the backlog in bytes, this frame included, or
// 0 if the outbox takes nothing more. The writer is not told: see kick.
func (o *outbox) append(frame []byte) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last || o.dead {
		return 0
	}
	n := len(o.bufs)
	if n == 0 || len(o.bufs[n-1].b)+len(frame) > keepBuffer {
		o.bufs = append(o.bufs, buffers.Get().(*buffer))
		n++
	}
	last := o.bufs[n-1]
	last.b = append(last.b, frame...)
	return o.size.Add(int64(len(frame)))
}

// kick wakes the writer. It is separate from append so that a batch of replies
// leaves in one write.
func (o *outbox) kick() { o.ready.Signal() }

// finish lets the writer send what there is, and nothing that comes later.
func (o *outbox) finish() {
	o.mu.Lock()
	o.last = true
	o.mu.Unlock()
	o.ready.Signal()
}

// close drops everything and ends the writer.
func (o *outbox) close() {
	o.mu.Lock()
	o.dead = true
	o.drop()
	o.mu.Unlock()
	o.ready.Signal()
}

func (o *outbox) drop() {
	for _, b := range o.bufs {
		b.free()
	}
	o.bufs = nil
}

// take waits for something to send and hands the oldest buffer over; nil means
// that the writer is to end.
func (o *outbox) take() *buffer {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.bufs) == 0 && !o.last && !o.dead {
		o.ready.Wait()
	}
	if len(o.bufs) == 0 {
		return nil
	}
	b := o.bufs[0]
	if n := copy(o.bufs, o.bufs[1:]); n == 0 && cap(o.bufs) > 8 {
		o.bufs = nil // a burst is over
	} else {
		o.bufs[n] = nil
		o.bufs = o.bufs[:n]
	}
	return b
}

// wrote counts off what has left.
func (o *outbox) wrote(n int) int64 { return o.size.Add(int64(-n)) }
