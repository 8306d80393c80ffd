package peer

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// giveUpEarly has the kernel end a connection whose peer acknowledges nothing
// (TCP_USER_TIMEOUT, RFC 5482); by itself it would try for a quarter of an hour.
func giveUpEarly(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}
