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
type buffer struct {
	b   []byte
	off int // b[:off] has been sent

	watched int  // of these bytes those of events, which nobody has asked for
	final   bool // nothing will ever be sent behind it; known when the sender gets it
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) free() {
	if cap(b.b) > keepBuffer {
		b.b = nil
	}
	b.b, b.off, b.watched, b.final = b.b[:0], 0, 0, false
	buffers.Put(b)
}

// outbox is what waits to be sent to one client. Whoever appends never blocks.
// One goroutine at a time is its sender: the first to call begin while there is
// something, until next has told it that nothing is left. A buffer is taken at a
// time, so that many frames share a write.
type outbox struct {
	mu      sync.Mutex
	bufs    []*buffer // in order; each takes what it has room for, and a frame at least
	sending bool      // there is a sender
	last    bool      // nothing more is taken
	dead    bool      // nothing more is sent

	watched int // bytes of events in bufs, and in the sender's buffer

	size atomic.Int64 // bytes appended and not yet written to the socket
}

// append adds frames, unless the outbox takes nothing more. Sending is another
// matter: see conn.flush.
func (o *outbox) append(frames []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.last && !o.dead {
		o.appendLocked(frames, 0)
	}
}

// event adds an event and returns the bytes of events that wait, this one included,
// or 0 if the outbox takes nothing more.
func (o *outbox) event(frame []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last || o.dead {
		return 0
	}
	o.appendLocked(frame, len(frame))
	return o.watched
}

// appendLocked adds frames, of which watched bytes are those of events.
func (o *outbox) appendLocked(frames []byte, watched int) {
	n := len(o.bufs)
	if n == 0 || len(o.bufs[n-1].b)+len(frames) > keepBuffer {
		o.bufs = append(o.bufs, buffers.Get().(*buffer))
		n++
	}
	last := o.bufs[n-1]
	last.b = append(last.b, frames...)
	last.watched += watched
	o.watched += watched
	o.size.Add(int64(len(frames)))
}

// hand is append that takes b over where that saves copying, or else leaves it to
// the caller. It returns the bytes of events that wait, too. REQUIRES: b holds whole
// frames, at least one.
func (o *outbox) hand(b *buffer) (taken bool, watched int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.last || o.dead:
		return false, 0
	case len(o.bufs) > 0: // not many buffers that are nearly empty
		o.appendLocked(b.b, b.watched)
		return false, o.watched
	}
	o.bufs = append(o.bufs, b)
	o.watched += b.watched
	o.size.Add(int64(len(b.b)))
	return true, o.watched
}

// finish makes what there is the last to be sent.
func (o *outbox) finish() {
	o.mu.Lock()
	o.last = true
	o.mu.Unlock()
}

// close drops everything.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	for _, b := range o.bufs {
		b.free()
	}
	o.bufs = nil
}

// begin makes the caller the sender and gives it the oldest buffer; nil if there is nothing to send, or another sender that will send it.
func (o *outbox) begin() *buffer {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sending || len(o.bufs) == 0 {
		return nil
	}
	o.sending = true
	return o.shiftLocked()
}

// next gives the sender another buffer when it has sent one, which it then frees.
// With nil it is the sender no more; last tells that there will be none again.
func (o *outbox) next(sent *buffer) (b *buffer, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched -= sent.watched
	if len(o.bufs) == 0 {
		o.sending = false
		return nil, o.last
	}
	return o.shiftLocked(), false
}

func (o *outbox) shiftLocked() *buffer {
	b := o.bufs[0]
	if n := copy(o.bufs, o.bufs[1:]); n == 0 && cap(o.bufs) > 8 {
		o.bufs = nil // a burst is over
	} else {
		o.bufs[n] = nil
		o.bufs = o.bufs[:n]
	}
	b.final = o.last && len(o.bufs) == 0
	return b
}

// drained tells whether all has been sent that ever will be.
func (o *outbox) drained() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last && !o.sending && len(o.bufs) == 0
}

// wrote counts off what has left.
func (o *outbox) wrote(n int) int64 { return o.size.Add(int64(-n)) }
