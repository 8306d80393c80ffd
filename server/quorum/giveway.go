package quorum

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// restFactor is how long a catching up follower rests after each message, in
	// parts of the time that the message took: on machines that have nothing to
	// spare it leaves five sixths of the time to the clients.
	restFactor = 5
	// maxRest bounds a rest.
	maxRest = 200 * time.Millisecond

	// waitFactor is how long a server that reads its log at the start rests, in parts of
	// the time that its threads have waited for a processor meanwhile: what they
	// had to wait for others, they made others wait. It takes at most three times
	// as long for it, and no longer where a processor is idle.
	waitFactor = 2
	// maxWaitRest bounds such a rest: what was waited for may have been the next
	// period of a container's share, and that should not be slept through.
	maxWaitRest = 20 * time.Millisecond
	// lookEvery is how long it works between two looks, which take 40 us each.
	lookEvery = 4 * time.Millisecond
	// lookStale is when a look is too old to tell of the work of now.
	lookStale = 100 * time.Millisecond
)

// giveWay rests between two messages by which a follower catches up, if clients
// write meanwhile.
func (t *transport) giveWay(took time.Duration, sent, logged uint64) {
	rest := restAfter(took, sent, logged)
	if rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.layer.ctx.Done():
	}
}

// restAfter is how long to rest after a message of so many entries that took so
// long, while so many others were logged. It is none where nobody writes, and
// never so long that more is logged until the next message than half of what
// this one brought: the follower comes closer with each.
func restAfter(took time.Duration, sent, logged uint64) time.Duration {
	if logged == 0 || sent == 0 {
		return 0
	}
	parts := min(restFactor, float64(sent)/float64(2*logged)-1)
	return min(time.Duration(parts*float64(took)), maxRest)
}

// rests is how a member of an ensemble gives way while it starts: when it verifies
// its log, and when it reads from there what it has to apply. What it takes from
// servers on the same machine, their clients lack. It does not while it takes a
// snapshot from the leader, whose log might be gone before it has done so.
type rests struct {
	delay func() (time.Duration, bool) // runDelay; nil for a server that has no others

	mu     sync.Mutex
	looked time.Time
	waited time.Duration // what delay said then
	left   time.Duration // of all rests
	count  int
	total  time.Duration

	told sync.Once
}

// giveWay is called between two pieces of work, and may rest. Calls at the same
// time rest together.
func (s *rests) giveWay() {
	if s.delay == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	age := now.Sub(s.looked)
	if age < lookEvery {
		return
	}
	waited, known := s.delay()
	if !known {
		return
	}
	// It is the sum of several threads, and has grown since the last rest began.
	rest := min(waitFactor*min(waited-s.waited, age), maxWaitRest, s.left)
	s.looked, s.waited = now, waited
	if age > lookStale || rest <= 0 {
		return
	}
	time.Sleep(rest)
	s.looked = time.Now()
	s.left -= rest
	s.count++
	s.total += rest
}

// spent is how often and how long it has rested.
func (s *rests) spent() (count int, total time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.total
}

// bound has all rests from now on take so long in all.
func (s *rests) bound(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = d
}

// beforeRead gives way before Raft reads an entry that the log held when the server
// started. A leader does not: its clients wait for what it has to apply.
func (n *Node) beforeRead(index uint64) {
	if r := n.raft.Load(); r == nil || n.gone.Load() || r.State() == raft.Leader {
		return
	}
	if index < n.ahead.until {
		n.rests.giveWay()
		return
	}
	n.rests.told.Do(func() {
		if count, total := n.rests.spent(); count > 0 {
			n.log.Info("gave way to others on this machine while it started", "rests", count, "duration", total)
		}
	})
}
