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

const (
	// enoughFor is for how long one look finds enough, at least, however short the
	// interval.
	enoughFor = time.Second
	// gone is how long what a look has found takes to be gone, as a rule: one that comes
	// before would find it again.
	gone = 100 * time.Millisecond
)

// lookStep is how many containers and nodes with a TTL are looked at under one
// hold of the state lock: some 100 µs, if none of them is in the cache.
const lookStep = 1000

// reaper removes, while this server leads, containers whose last child is gone
// or that have never had one for too long, and nodes that have outlived their
// TTL. It looks for them at an interval and removes them at a pace, as
// ZooKeeper's ContainerManager does; what stands in another takes one round for
// each level. It belongs to one goroutine.
type reaper struct {
	interval time.Duration // between two looks, and before a leader's first
	period   time.Duration // between two calls of tick
	pace     time.Duration // for one znode
	limit    int           // znodes found in one look: what goes until the next

	term  uint64    // in which this server leads; 0 if it does not
	next  time.Time // when to look again
	found []string  // paths still to be removed
	due   time.Time // when the next of them may go
}

// newReaper makes a reaper whose tick is to be called at its period: its interval,
// but longest if that is shorter.
func newReaper(interval time.Duration, perMinute int, longest time.Duration) reaper {
	return reaper{
		interval: interval,
		period:   min(interval, longest),
		pace:     max(1, time.Minute/time.Duration(perMinute)),
		limit:    max(1, int(float64(perMinute)*max(interval, enoughFor).Minutes())),
	}
}

// tick notes the term in which this server leads, 0 for none. look lists what
// can be removed, so many at most, and remove has some of it removed in term.
func (r *reaper) tick(now time.Time, term uint64, look func(limit int) []string, remove func(fsm.Reap)) {
	if term != r.term {
		r.term, r.next, r.found = term, now.Add(r.interval), nil
	}
	if term == 0 || now.Before(r.due) {
		return
	}
	if len(r.found) == 0 && !now.Before(r.next) {
		r.next = now.Add(r.interval)
		r.found = look(r.limit)
	}
	if len(r.found) == 0 {
		return
	}
	if next := now.Add(gone); r.next.Before(next) {
		r.next = next
	}
	// What was not removed in an earlier period is not made up for.
	if since := now.Add(min(0, r.pace-r.period)); r.due.Before(since) {
		r.due = since
	}
	for left := min(int(now.Sub(r.due)/r.pace)+1, len(r.found)); left > 0; {
		n := 0
		for bytes := 0; n < min(left, maxReapAtOnce) && bytes < maxReapBytes; n++ {
			bytes += len(r.found[n])
		}
		remove(fsm.Reap{Term: term, Paths: r.found[:n]})
		r.found = r.found[n:]
		r.due = r.due.Add(time.Duration(n) * r.pace)
		left -= n
	}
}

// reap removes what has run its course, in calls of the reaper's tick. Its looks may
// take a while, with many containers or nodes with a TTL.
func (s *Server) reap() {
	defer s.wg.Done()
	r := newReaper(s.cfg.ContainerCheckInterval, s.cfg.ContainerMaxPerMinute, s.cfg.TickTime/2)
	ticker := time.NewTicker(r.period)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C: // when it was due, lest a late one have the next come too early
			r.tick(now, s.node.LeadTerm(), s.spentNodes, s.remove)
		}
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
