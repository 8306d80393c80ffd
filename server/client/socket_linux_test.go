package client

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What Go opens without being told otherwise is MPTCP where the kernel has it, and
// accepts connections at a higher price.
func TestClientPortIsTCP(t *testing.T) {
	f := start(t, nil)
	raw, err := f.s.ln.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var protocol int
	if cerr := raw.Control(func(fd uintptr) {
		protocol, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if protocol != unix.IPPROTO_TCP {
		t.Errorf("the client port speaks protocol %d, not %d", protocol, unix.IPPROTO_TCP)
	}
}

// A connection's first bytes are acknowledged by the answer to them: it begins as one
// that answers.
func TestFirstBytesAreAnswered(t *testing.T) {
	f := start(t, func(c *Config) {
		c.Limits = DefaultLimits()
		c.Limits.ListenBacklog = 10
	})
	f.dial()
	var c *conn
	eventually(t, "it is taken", func() bool {
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		for c = range f.s.conns {
		}
		return c != nil
	})
	var quick int
	var err error
	if cerr := c.sock.Control(func(fd uintptr) {
		quick, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if quick != 0 {
		t.Error("it would acknowledge at once")
	}
}
