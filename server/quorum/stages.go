package quorum

import (
	"sync"
	"time"
)

// Stages is where an entry of the log was when, on this server. A server that
// follows knows only its own part: what the leader's disk took is in what the
// commit took.
type Stages struct {
	Logged  time.Time // its write to the log began
	Stored  time.Time // it was on the disk
	Applied time.Time // it was known as committed, and the batch it was in began to be applied
}

// stages keeps the times that Stages is made of. One batch, one write: nothing is
// kept for a request.
type stages struct {
	writes  logWrites
	applied time.Time // when the batch under way began; of the apply goroutine
	found   logWrite  // the last answer of writes; of the apply goroutine
}

// logWritesKept is how many writes are remembered: more than there are while what
// is on the disk waits for a majority.
const logWritesKept = 2048

// logWrites is when the newest entries were written.
type logWrites struct {
	mu   sync.Mutex
	n    int // so far
	ring [logWritesKept]logWrite
}

type logWrite struct {
	first, last   uint64 // indexes
	began, stored time.Time
}

func (s *logWrites) note(first, last uint64, began, stored time.Time) {
	s.mu.Lock()
	s.ring[s.n%logWritesKept] = logWrite{first, last, began, stored}
	s.n++
	s.mu.Unlock()
}

// of returns the newest write of an entry; an older one may have been of another
// leader's entry in its place.
func (s *logWrites) of(index uint64) (logWrite, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.n - 1; i >= max(s.n-logWritesKept, 0); i-- {
		if w := s.ring[i%logWritesKept]; w.first <= index && index <= w.last {
			return w, true
		}
	}
	return logWrite{}, false
}

// Stages returns the stages of an entry that is just being applied; ok is false if
// its write is not remembered. Only the apply goroutine calls it.
func (n *Node) Stages(index uint64) (st Stages, ok bool) {
	s := &n.stages
	if index < s.found.first || index > s.found.last || index == 0 {
		w, ok := s.writes.of(index)
		if !ok {
			return Stages{}, false
		}
		s.found = w
	}
	return Stages{Logged: s.found.began, Stored: s.found.stored, Applied: s.applied}, true
}
