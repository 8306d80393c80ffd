//go:build unix

package certs

import (
	"fmt"
	"io"
	"net"
	"syscall"
)

// firstByte waits for the first byte of a connection and leaves it there.
func firstByte(conn net.Conn) (byte, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%T is no socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var b [1]byte
	var n int
	var peekErr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			if n, _, peekErr = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK); peekErr != syscall.EINTR {
				return peekErr != syscall.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case peekErr != nil:
		return 0, peekErr
	case n == 0:
		return 0, io.EOF
	}
	return b[0], nil
}
