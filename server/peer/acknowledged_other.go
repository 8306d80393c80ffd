//go:build !linux

package peer

import (
	"syscall"
	"time"
)

// giveUpAfter does nothing where TCP_USER_TIMEOUT is not to be had.
func giveUpAfter(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
