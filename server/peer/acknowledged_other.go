//go:build !linux

package peer

import (
	"net"
	"syscall"
	"time"
)

// giveUpAfter does nothing where TCP_USER_TIMEOUT is not to be had.
func giveUpAfter(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }

// unacknowledgedFor is 0 where TCP_INFO is not to be had.
func unacknowledgedFor(net.Conn) time.Duration { return 0 }
