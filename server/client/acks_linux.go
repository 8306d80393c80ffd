package client

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// delayAcks has what a client sends first acknowledged by the answer to it, which
// comes at once as a rule: a connection would acknowledge it by a packet of its own
// before it has learned that it answers (tcp(7), TCP_QUICKACK). Connections take that
// over from the listener. A system that does not leaves them as they are.
func delayAcks(ln net.Listener) {
	if sc, ok := ln.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0) })
		}
	}
}
