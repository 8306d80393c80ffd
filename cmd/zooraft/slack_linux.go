package main

import (
	"bytes"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// timerSlack is how late the kernel may wake a thread that sleeps for a time, in
// ns; what it waits for wakes it at once as ever.
const timerSlack = 1_000_000

// slackTried tells what relaxMonitor has executed that it has been tried, and what
// the process was called: scripts know it by that, and the program's file may have
// another name than the link by which it was started.
const slackTried = "ZOORAFT_TIMER_SLACK_TRIED"

// ownName is where the kernel keeps what ps and killall call the process.
const ownName = "/proc/self/comm"

// relaxMonitor has the Go runtime's monitor look once in a millisecond, not every
// 70 µs, for threads that a system call keeps. A log store's sync is such a call,
// and for a tenth of a millisecond it is not worth handing its processor to
// another thread: that costs more than the sync.
//
// The monitor sleeps by the kernel's timers, which have a slack. A thread can set
// it only for itself, and has it from the thread that made it; the monitor is
// made before main runs. So the process sets it, and executes itself. It
// stays the same process, and where any of this does not work it goes on as it is.
//
// With a single processor nothing is done: then it would have to be waited for.
func relaxMonitor() {
	if name, again := os.LookupEnv(slackTried); again {
		os.Unsetenv(slackTried)
		_ = os.WriteFile(ownName, []byte(name), 0)
		return
	}
	if runtime.GOMAXPROCS(0) < 2 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || before >= timerSlack {
		return
	}
	name, err := os.ReadFile(ownName)
	if err != nil {
		return
	}
	path, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(path, os.Args, append(os.Environ(), slackTried+"="+string(bytes.TrimSpace(name))))
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
}
