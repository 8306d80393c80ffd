package session

import (
	"slices"
	"time"

	"zooraft/protocol"
)

// run looks at each bucket when it ends. It is the Expirer's only goroutine.
func (e *Expirer) run(term uint64, stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTimer(e.untilNext())
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		ids, again := e.sweep()
		// A Follow that came first wins, for what was found may be stale by now.
		select {
		case <-stop:
			return
		default:
		}
		if n := len(ids) - again; n > 0 {
			e.cfg.Logger.Info("expiring silent sessions", "term", term, "count", n)
		}
		if len(ids) > 0 {
			e.cfg.Expire(term, ids)
		}
		timer.Reset(e.untilNext())
	}
}

// untilNext returns the time to the end of the next bucket, 0 if that is past.
func (e *Expirer) untilNext() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(0, time.Duration(e.next)*e.cfg.TickTime-e.now())
}

// sweep looks at the buckets that have ended and returns the sessions to
// expire, marked as closing, in ascending order, and how many of them have been
// handed to Expire before.
//
// If it comes more than a tick late, this process did not run, or not enough,
// and neither did what takes in touches: those sent meanwhile still lie in
// socket buffers. Then nobody is expired, see grace.
func (e *Expirer) sweep() (ids []protocol.SessionID, again int) {
	e.mu.Lock()
	now := e.now()
	first, last := e.next, e.bucketAt(now)
	late := now - time.Duration(first)*e.cfg.TickTime
	e.next = max(first, last+1)
	e.mu.Unlock()

	if late > e.cfg.TickTime {
		if e.cfg.Paused != nil {
			e.cfg.Paused(late)
		}
		e.grace(first, last, now, late)
		return nil, 0
	}
	for n := first; n <= last; n++ {
		e.empty(n, func(s *session) {
			if s.deadline > last {
				e.enterLocked(s)
				return
			}
			s.closing = true
			ids = append(ids, s.id)
			if s.again {
				again++
			}
		})
	}
	slices.Sort(ids)
	return ids, again
}

// grace moves all deadlines of the near past and future out of reach of what
// was missed in a pause: a session that is overdue gets as long as the pause
// was, at least a tick and at most its timeout, and every other one at least a
// further tick.
func (e *Expirer) grace(first, last int64, now, late time.Duration) {
	overdue := 0
	soonest := e.deadline(now, e.cfg.TickTime)
	for n := first; n < soonest; n++ {
		e.empty(n, func(s *session) {
			if s.deadline <= last {
				overdue++
				s.deadline = e.deadline(now, max(e.cfg.TickTime, min(late, s.timeout)))
			}
			s.deadline = max(s.deadline, soonest)
			e.enterLocked(s)
		})
	}
	e.cfg.Logger.Warn("session expiry is late, overdue sessions are given more time", "duration", late, "count", overdue)
}

// empty takes all sessions out of a bucket and calls do for each, under the
// lock, which it lets go of in between.
//
// REQUIRES: do puts none of them into the same bucket again.
func (e *Expirer) empty(bucket int64, do func(*session)) {
	for {
		e.mu.Lock()
		list := e.buckets[bucket]
		for range min(len(list), sliceLen) {
			s := list[len(list)-1]
			e.leaveLocked(s)
			list = e.buckets[bucket]
			do(s)
		}
		e.mu.Unlock()
		if len(list) == 0 {
			return
		}
	}
}

// armLocked gives a session its full timeout from now.
func (e *Expirer) armLocked(id protocol.SessionID, timeout, now time.Duration) {
	s := e.sessions[id]
	if s == nil {
		s = &session{id: id}
		e.sessions[id] = s
	} else {
		e.leaveLocked(s)
	}
	s.closing, s.touched, s.again = false, false, false
	s.timeout = timeout
	s.deadline = e.deadline(now, timeout)
	e.enterLocked(s)
}

// enterLocked puts a session into the bucket of its deadline.
func (e *Expirer) enterLocked(s *session) {
	// Not into one that is being emptied, or has been: a sweep that is behind
	// its time would be chased by the very short timeouts it has just moved.
	s.deadline = max(s.deadline, e.next)
	s.bucket = s.deadline
	s.at = len(e.buckets[s.bucket])
	e.buckets[s.bucket] = append(e.buckets[s.bucket], s)
}

// leaveLocked takes a session out of its bucket, if it is in one.
func (e *Expirer) leaveLocked(s *session) {
	if s.closing {
		return
	}
	list := e.buckets[s.bucket]
	end := len(list) - 1
	list[s.at] = list[end]
	list[s.at].at = s.at
	list[end] = nil
	if end == 0 {
		delete(e.buckets, s.bucket)
		return
	}
	e.buckets[s.bucket] = list[:end]
}

// now returns the time since the Expirer was made.
func (e *Expirer) now() time.Duration { return e.cfg.Now().Sub(e.start) }

// bucketAt returns the number of the last bucket that has ended at a time.
func (e *Expirer) bucketAt(at time.Duration) int64 { return int64(at / e.cfg.TickTime) }

// deadline returns the number of the bucket at whose end a session expires
// that was heard from at now (ExpiryQueue.roundToNextInterval).
func (e *Expirer) deadline(now, timeout time.Duration) int64 {
	return e.bucketAt(now+timeout) + 1
}
