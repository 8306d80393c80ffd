package quorum

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ownTasks has a directory for each thread of this process.
const ownTasks = "/proc/self/task/"

// runDelay is how long the threads of this process together have been ready to run
// and had no processor, since they began: the second figure of their schedstat
// (Documentation/scheduler/sched-stats.rst). It is false if the kernel does not
// count that. A thread that ends takes its share along.
func runDelay() (time.Duration, bool) {
	tasks, err := os.Open(ownTasks)
	if err != nil {
		return 0, false
	}
	tids, err := tasks.Readdirnames(0)
	tasks.Close()
	if err != nil {
		return 0, false
	}
	var sum time.Duration
	var ok bool
	var buf [128]byte
	for _, tid := range tids {
		// Not by os: it would ask the poller to watch each file, which costs as much again.
		fd, err := unix.Open(ownTasks+tid+"/schedstat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // it has ended, or the kernel has no such file
		}
		n, err := unix.Read(fd, buf[:])
		unix.Close(fd)
		if err != nil {
			continue
		}
		if fields := bytes.Fields(buf[:n]); len(fields) > 1 {
			ns, err := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += time.Duration(ns)
			ok = ok || err == nil && string(fields[0]) != "0" // it has run for some time, if that is counted
		}
	}
	return sum, ok
}
