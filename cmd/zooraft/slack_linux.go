package main

import (
	"bytes"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// How late the kernel may wake a thread that sleeps for a time, in ns; what it waits
// for wakes it at once as ever.
const (
	monitorSlack = 2_000_000 // the Go runtime's monitor, and other threads that it makes before main runs
	mainSlack    = 1_000_000 // main's thread, and those that are made from it
)

// slackTried tells what relaxMonitor has executed that it has been tried, and what
// the process was called: scripts know it by that, and the program's file may have
// another name than the link by which it was started.
const slackTried = "ZOORAFT_TIMER_SLACK_TRIED"

// ownName is where the kernel keeps what ps and killall call the process.
const ownName = "/proc/self/comm"

// relaxMonitor has the Go runtime's monitor look every two milliseconds, not every
// 70 µs, for threads that a system call keeps. A log store's sync is such a call,
// and for a tenth of a millisecond it is not worth handing its processor to
// another thread: that costs more than the sync. Much later would not do: a sync may
// be slow, and requests wait behind it for a processor.
//
// The monitor sleeps by the kernel's timers, which have a slack. A thread can set
// it only for itself, and has it from the thread that made it; the monitor is
// made before main runs. So the process sets it, and executes itself. It
// stays the same process, and where any of this does not work it goes on as it is.
// Then main's thread takes less, and those made from it have that too: a thread that
// looks for goroutines to run sleeps for 3 µs now and then.
//
// With a single processor nothing is done: then it would have to be waited for.
func relaxMonitor() {
	if name, again := os.LookupEnv(slackTried); again {
		os.Unsetenv(slackTried)
		_ = os.WriteFile(ownName, []byte(name), 0)
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, mainSlack, 0, 0, 0)
		return
	}
	if runtime.GOMAXPROCS(0) < 2 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || before >= mainSlack {
		return
	}
	name, err := os.ReadFile(ownName)
	if err != nil {
		return
	}
	path, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, monitorSlack, 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(path, os.Args, append(os.Environ(), slackTried+"="+string(bytes.TrimSpace(name))))
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
}
