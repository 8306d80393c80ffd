//go:build unix

package client

import (
	"net"
	"syscall"
)

// setBacklog bounds how many connections the system may hold that have not been
// accepted; n of 0 or less leaves what there is. The system has a bound of its own
// (net.core.somaxconn).
func setBacklog(ln net.Listener, n int) error {
	sc, ok := ln.(syscall.Conn)
	if n <= 0 || !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	// Listening again on a socket that listens changes nothing but this.
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), n) }); err != nil {
		return err
	}
	return failed
}
