package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Sizes of receive buffers. A connection owns the small one, enough for a
// common request in one read, so that an idle connection costs little (with it
// a conn just fills the allocator's class of 2 KiB); while more than that comes
// at once it borrows a big one.
const (
	smallBuffer = 1536
	bigBuffer   = 32 << 10
)

var bigBuffers = sync.Pool{New: func() any { return new([bigBuffer]byte) }}

// errFrameLength reports a frame length that is negative or over the limit.
var errFrameLength = errors.New("bad frame length")

// frameReader cuts a byte stream into frames.
type frameReader struct {
	nc    net.Conn
	limit int

	small [smallBuffer]byte
	big   *[bigBuffer]byte // borrowed, or nil
	buf   []byte           // storage in use: small, big or one made for a large frame
	r, w  int              // buf[r:w] has not been consumed
	full  bool             // the last fill took all there was room for
}

func (f *frameReader) init(nc net.Conn, limit int) {
	f.nc, f.limit = nc, limit
	f.buf = f.small[:]
}

// word returns the first four bytes of the stream, nil if they have not come.
func (f *frameReader) word() []byte {
	if f.w-f.r < 4 {
		return nil
	}
	return f.buf[f.r : f.r+4]
}

// length returns the length of the next frame; ok is false if it has not come.
func (f *frameReader) length() (n int, ok bool, err error) {
	head := f.word()
	if head == nil {
		return 0, false, nil
	}
	n = int(int32(binary.BigEndian.Uint32(head)))
	if n < 0 || n > f.limit {
		return n, false, fmt.Errorf("%w %d", errFrameLength, n)
	}
	return n, true, nil
}

// next consumes and returns the next frame without its length, if all of it is
// there. The frame is valid until fill.
func (f *frameReader) next() (frame []byte, ok bool, err error) {
	n, ok, err := f.length()
	if !ok || f.w-f.r-4 < n {
		return nil, false, err
	}
	frame = f.buf[f.r+4 : f.r+4+n : f.r+4+n]
	f.r += 4 + n
	return frame, true, nil
}

// peek returns the next frame without consuming it, nil if it is not all there
// or is none; skip consumes it.
func (f *frameReader) peek() []byte {
	n, ok, _ := f.length()
	if !ok || f.w-f.r-4 < n {
		return nil
	}
	return f.buf[f.r+4 : f.r+4+n : f.r+4+n]
}

func (f *frameReader) skip(frame []byte) { f.r += 4 + len(frame) }

// fill reads once, making room first. It blocks as the connection does.
func (f *frameReader) fill() (int, error) {
	f.makeRoom()
	n, err := f.nc.Read(f.buf[f.w:])
	f.w += n
	f.full = f.w == len(f.buf)
	return n, err
}

// makeRoom leaves buf with room for more than it holds: it grows while a frame
// is coming that does not fit, by no more than has already come, so that an
// announced length alone costs nothing; and it shrinks when a burst is over.
func (f *frameReader) makeRoom() {
	held := f.w - f.r
	switch {
	case held == 0 && !f.full && len(f.buf) != smallBuffer:
		f.use(f.small[:], nil)
	case f.full && len(f.buf) == smallBuffer:
		b := bigBuffers.Get().(*[bigBuffer]byte)
		f.use(b[:], b)
	case f.full && f.r == 0:
		need := len(f.buf) + 1
		if n, ok, _ := f.length(); ok {
			need = 4 + n
		}
		f.use(make([]byte, min(max(need, len(f.buf)+1), 2*len(f.buf))), nil)
	case f.r > 0:
		copy(f.buf, f.buf[f.r:f.w])
		f.r, f.w = 0, held
	}
	f.full = false
}

// use moves what has not been consumed into other storage.
func (f *frameReader) use(buf []byte, big *[bigBuffer]byte) {
	n := copy(buf, f.buf[f.r:f.w])
	f.release()
	f.buf, f.big = buf, big
	f.r, f.w = 0, n
}

// release gives back what was borrowed. What the reader held is lost.
func (f *frameReader) release() {
	if f.big != nil {
		bigBuffers.Put(f.big)
		f.big = nil
	}
	f.buf, f.r, f.w = f.small[:], 0, 0
}
