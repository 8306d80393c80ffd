package server

import (
	"time"

	"zooraft/fsm"
)

// What one request may remove: its apply holds the state lock, and it is one
// entry of the log.
const (
	maxReapAtOnce = 50       // znodes
	maxReapBytes  = 64 << 10 // of paths, but for the last one
)

// lookStep is how many containers and nodes with a TTL are looked at under one
// hold of the state lock: some 100 µs, if none of them is in the cache.
const lookStep = 1000

// reaper removes, while this server leads, containers whose last child is gone
// or that have never had one for too long, and nodes that have outlived their
// TTL. It looks for them at an interval and removes them bit by bit, as
// ZooKeeper's ContainerManager does; what stands in another takes one round for
// each level. It belongs to one goroutine.
type reaper struct {
	interval time.Duration // between two looks, and before a leader's first
	perTick  int           // znodes removed in one call of tick
	limit    int           // znodes found in one look: what goes until the next

	term  uint64    // in which this server leads; 0 if it does not
	next  time.Time // when to look again
	found []string  // paths still to be removed
}

// newReaper makes a reaper whose tick is called at a period.
func newReaper(interval time.Duration, perMinute int, period time.Duration) reaper {
	return reaper{
		interval: interval,
		perTick:  max(1, int(int64(perMinute)*int64(period)/int64(time.Minute))),
		limit:    max(1, int(float64(perMinute)*interval.Minutes())),
	}
}

// tick notes the term in which this server leads, 0 for none. look lists what
// can be removed, so many at most, and remove has some of it removed in term.
func (r *reaper) tick(now time.Time, term uint64, look func(limit int) []string, remove func(fsm.Reap)) {
	if term != r.term {
		r.term, r.next, r.found = term, now.Add(r.interval), nil
	}
	if term == 0 {
		return
	}
	if len(r.found) == 0 && !now.Before(r.next) {
		r.next = now.Add(r.interval)
		r.found = look(r.limit)
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

// spentNodes looks for what can be removed, limit of it at most. It lets others
// have the state lock again and again.
func (s *Server) spentNodes(limit int) []string {
	var (
		paths []string
		at    fsm.Look
		now   = time.Now().UnixMilli()
		never = s.cfg.ContainerMaxNeverUsed.Milliseconds()
	)
	for more := true; more; {
		select {
		case <-s.stop:
			return nil
		default:
		}
		s.fsm.View(func(v fsm.View) { paths, more = v.Spent(paths, &at, now, never, lookStep, limit) })
	}
	return paths
}

// remove puts the removal of znodes into the log.
func (s *Server) remove(r fsm.Reap) {
	r.NeverUsed = s.cfg.ContainerMaxNeverUsed.Milliseconds()
	s.node.Duty(r.Append(nil))
}
