package client

import (
	"net"
	"sync"
	"syscall"
)

// rawConn gives a connection's way past blocking calls, nil if it has none: on
// a system without it, or under TLS, where bytes on the socket are not those of
// the stream.
func rawConn(nc net.Conn) syscall.RawConn {
	if !hasRawIO {
		return nil
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// descriptor is the number of a connection's file, -1 if it has none.
func descriptor(nc net.Conn) int64 {
	n := int64(-1)
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { n = int64(fd) }) // of one that is closed: none
		}
	}
	return n
}

// attempt is one write that does not wait. It is pooled with its function value,
// so that a write allocates nothing.
type attempt struct {
	b   []byte
	end bool
	n   int
	err error
	do  func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.do = func(fd uintptr) bool {
		a.n, a.err = writeFD(fd, a.b, a.end)
		return true // not to be called again when the socket has room
	}
	return a
}}

// writeNow writes as much of b as raw takes at once: less than all, without an
// error, when it is full. With end, the stream is to be shut down right after, and
// what the socket takes may leave only then.
func writeNow(raw syscall.RawConn, b []byte, end bool) (int, error) {
	a := attempts.Get().(*attempt)
	a.b, a.end, a.n, a.err = b, end, 0, nil
	err := raw.Write(a.do)
	if err == nil {
		err = a.err
	}
	n := a.n
	a.b = nil
	attempts.Put(a)
	return n, err
}
