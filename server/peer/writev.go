//go:build darwin || linux || openbsd

package peer

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxParts is how many parts the system takes at a time (IOV_MAX).
const maxParts = 1024

// writev writes parts, one behind the other, with one call, and returns how many
// bytes were taken.
func writev(fd int, parts [][]byte) (int, error) {
	if len(parts) == 1 {
		return syscall.Write(fd, parts[0])
	}
	return unix.Writev(fd, parts[:min(len(parts), maxParts)])
}
