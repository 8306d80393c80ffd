package client

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the client has closed its end, although bytes of it may
// still be unread. It does not block. Without raw access it does not know.
func hungUp(raw syscall.RawConn) (gone bool) {
	if raw == nil {
		return false
	}
	err := raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds, 0)
		gone = err == nil && n > 0 && fds[0].Revents != 0
	})
	return gone || err != nil
}
