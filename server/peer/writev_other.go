//go:build !(darwin || linux || openbsd)

package peer

import "syscall"

// writev writes the first of parts, for want of a call that takes more, and
// returns how many bytes were taken.
func writev(fd int, parts [][]byte) (int, error) { return syscall.Write(fd, parts[0]) }
