//go:build unix

package client

import (
	"io"
	"syscall"
)

// hasRawIO says that readFD and writeFD work here.
const hasRawIO = true

// readFD reads once; ok is false if nothing has come.
func readFD(fd uintptr, b []byte) (n int, ok bool, err error) {
	for {
		n, err := read(fd, b)
		switch {
		case n > 0:
			return n, true, nil
		case err == nil:
			return 0, true, io.EOF
		case err == syscall.EAGAIN:
			return 0, false, nil
		case err != syscall.EINTR:
			return 0, true, err
		}
	}
}

// writeFD writes once; n is less than all if the socket is full. For end see
// writeNow.
func writeFD(fd uintptr, b []byte, end bool) (n int, err error) {
	for {
		n, err := write(fd, b, end)
		switch {
		case err == nil:
			return n, nil
		case err == syscall.EAGAIN:
			return 0, nil
		case err != syscall.EINTR:
			return 0, err
		}
	}
}
