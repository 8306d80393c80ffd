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
