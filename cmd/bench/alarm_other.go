//go:build !linux

package bench

import "time"

// alarm wakes a goroutine as precisely as the runtime's timers do.
type alarm struct{ done chan struct{} }

func newAlarm() *alarm { return &alarm{done: make(chan struct{})} }

func (a *alarm) close() {}

// cancel ends wait now and for ever. For any goroutine, once.
func (a *alarm) cancel() { close(a.done) }

// wait blocks for d and returns false if it was cancelled.
func (a *alarm) wait(d time.Duration) bool {
	select {
	case <-a.done:
		return false
	case <-time.After(d):
		return true
	}
}
