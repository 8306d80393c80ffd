//go:build unix

package bench

import (
	"syscall"
	"time"
)

// selfCPU is the processor time, user and system, that this process has taken.
func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
