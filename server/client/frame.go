package client

import (
	"encoding/binary"
	"net"
	"sync"
	"syscall"
)

// Sizes of receive buffers. A connection borrows one when bytes come and gives
// it back when it has handled them, a big one while more comes at once than a
// small one takes. So an idle connection has none (unless it must hold one to
// wait, see frameReader.raw).
const (
	smallBuffer = 4 << 10
	bigBuffer   = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	bigBuffers   = sync.Pool{New: func() any { return new([bigBuffer]byte) }}
)

// lengthBytes is how long the length before a frame is.
const lengthBytes = 4

// frameReader cuts a byte stream into frames.
type frameReader struct {
	nc    net.Conn
	raw   syscall.RawConn // waits for bytes without a buffer; nil if nc cannot
	try   func(fd uintptr) bool
	limit int

	small *[smallBuffer]byte // borrowed, or nil
	big   *[bigBuffer]byte   // borrowed, or nil
	buf   []byte             // storage in use: small, big, one made for a large frame, or nil
	r, w  int                // buf[r:w] has not been consumed
	full  bool               // the last fill took all there was room for
	burst bool               // lately more came at once than a small buffer takes

	// thorough has a reading end only when nothing is left, not when less came than
	// there was room for: see follow.
	thorough bool

	// What try is to do, and its outcome.
	handle func(n int) bool
	err    error
}

func (f *frameReader) init(nc net.Conn, raw syscall.RawConn, limit int) {
	f.nc, f.raw, f.limit = nc, raw, limit
	f.try = f.tryRead
}

// holds reports whether there are bytes that have not been consumed.
func (f *frameReader) holds() bool { return f.w > f.r }

// word returns the first four bytes of the stream, nil if they have not come.
func (f *frameReader) word() []byte {
	if f.w-f.r < 4 {
		return nil
	}
	return f.buf[f.r : f.r+4]
}

// length returns the length of the next frame; ok is false if it has not come, or is
// bad: negative or over the limit.
func (f *frameReader) length() (n int, ok, bad bool) {
	head := f.word()
	if head == nil {
		return 0, false, false
	}
	n = int(int32(binary.BigEndian.Uint32(head)))
	bad = n < 0 || n > f.limit
	return n, !bad, bad
}

// next consumes and returns the next frame without its length, if all of it is
// there. The frame is valid until fill.
func (f *frameReader) next() (frame []byte, ok, bad bool) {
	n, ok, bad := f.length()
	if !ok || f.w-f.r-4 < n {
		return nil, false, bad
	}
	frame = f.buf[f.r+4 : f.r+4+n : f.r+4+n]
	f.r += 4 + n
	return frame, true, false
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
	held := f.w - f.r
	err := f.follow(once)
	return f.w - f.r - held, err
}

func once(int) bool { return false }

// follow reads whatever comes and has handle take what next gives each time, until
// that returns false. An error is why nothing more can be read; one that is a passed
// deadline leaves all as it was.
//
// All of it is one call of RawConn.Read, for that forgets, when it begins, what the
// poller has told before; so only within one may a reader wait for more without a
// reading that finds nothing. It may after one that took less than it had room for:
// bytes that come later are told anew. But the end of the stream may have come with
// the bytes before it, and then is not told again. It is found by the first reading
// after an error of a deadline, which somebody must see to, or else have the reader
// thorough.
func (f *frameReader) follow(handle func(n int) bool) error {
	if f.raw == nil {
		for {
			f.makeRoom()
			n, err := f.nc.Read(f.buf[f.w:])
			f.took(n)
			if (n > 0 || err == nil) && !handle(n) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	f.handle, f.err = handle, nil
	if err := f.raw.Read(f.try); err != nil {
		return err
	}
	return f.err
}

// tryRead reads and has handled what is there. It lets go of the buffer while
// nothing is.
func (f *frameReader) tryRead(fd uintptr) (done bool) {
	for {
		f.makeRoom()
		n, ok, err := readFD(fd, f.buf[f.w:])
		if ok {
			f.took(n)
			if f.err = err; err != nil || !f.handle(n) {
				return true
			}
			if f.full || f.thorough {
				continue
			}
		}
		if f.r == f.w {
			f.release()
		}
		return false
	}
}

func (f *frameReader) took(n int) {
	f.w += n
	f.full = f.w == len(f.buf)
	f.burst = f.full || f.w > smallBuffer
}

// makeRoom leaves buf with room for more than it holds: it grows while a frame
// is coming that does not fit, by no more than has already come, so that an
// announced length alone costs nothing; and it shrinks when a burst is over.
func (f *frameReader) makeRoom() {
	held := f.w - f.r
	switch {
	case f.buf == nil && f.burst, f.full && f.small != nil:
		b := bigBuffers.Get().(*[bigBuffer]byte)
		f.use(b[:])
		f.big = b
	case f.buf == nil, held == 0 && !f.burst && f.small == nil:
		b := smallBuffers.Get().(*[smallBuffer]byte)
		f.use(b[:])
		f.small = b
	case f.full && f.r == 0:
		need := len(f.buf) + 1
		if n, ok, _ := f.length(); ok {
			need = 4 + n
		}
		f.use(make([]byte, min(max(need, len(f.buf)+1), 2*len(f.buf))))
	case f.r > 0:
		copy(f.buf, f.buf[f.r:f.w])
		f.r, f.w = 0, held
	}
	f.full = false
}

// use moves what has not been consumed into other storage.
func (f *frameReader) use(buf []byte) {
	n := copy(buf, f.buf[f.r:f.w])
	f.release()
	f.buf, f.r, f.w = buf, 0, n
}

// release gives back what was borrowed. What the reader held is lost.
func (f *frameReader) release() {
	switch {
	case f.small != nil:
		smallBuffers.Put(f.small)
	case f.big != nil:
		bigBuffers.Put(f.big)
	}
	f.small, f.big, f.buf, f.r, f.w = nil, nil, nil, 0, 0
}
