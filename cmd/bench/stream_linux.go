package bench

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// stream is a connection's bytes, both ways, at as few system calls as they take,
// and none that the Go scheduler is told of: the sockets do not block.
type stream struct {
	nc  net.Conn
	raw syscall.RawConn // of nc; nil if it has none

	// For follow.
	f   follower
	err error

	// For write.
	b        []byte
	writeErr error
	tryWrite func(fd uintptr) bool
}

func (s *stream) init(nc net.Conn) {
	*s = stream{nc: nc}
	s.tryWrite = s.writeOnce
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
}

// follow has f take what comes, until it has enough or nothing more can be read.
//
// All of it is one reading to the Go runtime, within which a reading of the socket
// that finds nothing is not needed: its poller tells of bytes that come later anew.
// What it may not tell again is the end of a stream that has come together with the
// last bytes; the next request finds that out, or a ping.
func (s *stream) follow(f follower) error {
	if s.raw == nil {
		return followPlainly(s.nc, f)
	}
	s.f, s.err = f, nil
	if err := s.raw.Read(s.readAll); err != nil {
		return err
	}
	return s.err
}

// readAll takes what is there; with false the runtime waits for more.
func (s *stream) readAll(fd uintptr) (done bool) {
	for {
		room := s.f.free()
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			s.err = errno
			return true
		case n == 0:
			s.err = io.EOF
			return true
		}
		if done, s.err = s.f.arrived(int(n)); done || s.err != nil {
			return true
		}
		if int(n) < len(room) {
			return false
		}
	}
}

// write writes b, and blocks until it is written.
func (s *stream) write(b []byte) error {
	if s.raw != nil {
		s.b, s.writeErr = b, nil
		err := s.raw.Write(s.tryWrite)
		b, s.b = s.b, nil
		if err != nil {
			return err
		}
		if s.writeErr != nil || len(b) == 0 {
			return s.writeErr
		}
	}
	_, err := s.nc.Write(b)
	return err
}

// writeOnce writes what finds room.
func (s *stream) writeOnce(fd uintptr) (done bool) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&s.b[0])), uintptr(len(s.b)))
		switch errno {
		case 0:
			s.b = s.b[n:]
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			s.writeErr = errno
		}
		return true
	}
}
