package bench

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes a goroutine on time. The runtime's timers do not: an idle
// processor sleeps in whole milliseconds of its poller, which would be most of
// the latency at a low rate. A timer that is a file ends that sleep itself.
type alarm struct {
	file *os.File // nil if the system has none
	done chan struct{}
	buf  [8]byte
}

func newAlarm() *alarm {
	a := &alarm{done: make(chan struct{})}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err == nil {
		a.file = os.NewFile(uintptr(fd), "timerfd")
	}
	return a
}

func (a *alarm) close() {
	if a.file != nil {
		a.file.Close()
	}
}

// cancel ends wait now and for ever. For any goroutine, once.
func (a *alarm) cancel() {
	close(a.done)
	if a.file != nil {
		a.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// wait blocks for d and returns false if it was cancelled.
func (a *alarm) wait(d time.Duration) bool {
	if a.file == nil {
		select {
		case <-a.done:
			return false
		case <-time.After(d):
			return true
		}
	}
	fc, err := a.file.SyscallConn()
	if err != nil {
		return false
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	if cerr := fc.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), 0, &spec, nil) }); cerr != nil || err != nil {
		return false
	}
	_, err = a.file.Read(a.buf[:])
	return err == nil
}
