package server

import (
	"time"

	"zooraft/fsm"
)

// What one request may remove: its apply holds the state lock, and it is one
// entry of the log.
const (
	maxReapAtOnce = 50       // containers
	maxReapBytes  = 64 << 10 // of paths, but for the last one
)

// reaper removes, while this server leads, the containers whose last child is
// gone. It looks for them at an interval and removes them bit by bit, as
// ZooKeeper's ContainerManager does. It belongs to one goroutine.
type reaper struct {
	interval time.Duration // between two looks, and before a leader's first
	perTick  int           // containers removed in one call of tick

	term  uint64    // in which this server leads; 0 if it does not
	next  time.Time // when to look again
	found []string  // paths still to be removed
}

// newReaper makes a reaper whose tick is called at a period.
func newReaper(interval time.Duration, perMinute int, period time.Duration) reaper {
	return reaper{interval: interval, perTick: max(1, int(int64(perMinute)*int64(period)/int64(time.Minute)))}
}

// tick notes the term in which this server leads, 0 for none. look lists
// emptied containers, and remove has some of them removed in term.
func (r *reaper) tick(now time.Time, term uint64, look func() []string, remove func(fsm.Reap)) {
	if term != r.term {
		r.term, r.next, r.found = term, now.Add(r.interval), nil
	}
	if term == 0 {
		return
	}
	if len(r.found) == 0 && !now.Before(r.next) {
		r.next = now.Add(r.interval)
		r.found = look()
	}
	for left := min(r.perTick, len(r.found)); left > 0; {
		n := 0
		for bytes := 0; n < min(left, maxReapAtOnce) && bytes < maxReapBytes; n++ {
			bytes += len(r.found[n])
		}
		remove(fsm.Reap{Term: term, Paths: r.found[:n]})
		r.found = r.found[n:]
		left -= n
	}
}
