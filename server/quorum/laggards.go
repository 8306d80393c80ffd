package quorum

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A follower that gets a snapshot needs the log behind that next. If the leader
// takes a snapshot meanwhile and drops that part, which under load it does every
// few seconds, the follower has to begin anew with the next snapshot: it restores
// one state after the other, and may never catch up. So the leader keeps what they
// need who are catching up.
const (
	// laggardRest is after how long without any progress nothing is kept for a
	// follower any more.
	laggardRest = time.Minute
	// laggardBytes of log are kept for them at most, or four times the snapshot if
	// that is more: to send a snapshot instead is less then.
	laggardBytes = 1 << 30
	// laggardSlack is how many entries more are kept, for what is logged until Raft
	// cuts the log.
	laggardSlack = 4096
)

// laggards are the followers that catch up. The zero value is ready for use, by any
// goroutine.
type laggards struct {
	mu  sync.Mutex
	all map[raft.ServerID]laggard
}

type laggard struct {
	next uint64    // what it needs next
	at   time.Time // when that was found out
	busy bool      // a message is on its way that may take long
}

// needs notes what a follower needs next; busy says that it is taking in what is
// before that, until needs is called again.
func (l *laggards) needs(id raft.ServerID, next uint64, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[raft.ServerID]laggard)
	}
	l.all[id] = laggard{next, time.Now(), busy}
}

// caughtUp forgets a follower.
func (l *laggards) caughtUp(id raft.ServerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, id)
}

// least is the first entry that one of them needs, false if none needs any.
func (l *laggards) least() (next uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, g := range l.all {
		switch {
		case !g.busy && time.Since(g.at) > laggardRest:
			delete(l.all, id)
		case !ok || g.next < next:
			next, ok = g.next, true
		}
	}
	return next, ok
}

// unnamed is a follower to whom a snapshot is about to be sent: Raft opens it first,
// which takes as long as to verify it.
const unnamed raft.ServerID = ""

// sentSnapshots are the snapshots as Raft sees them, who opens one to send it.
type sentSnapshots struct {
	raft.SnapshotStore
	laggards *laggards
}

// Open implements raft.SnapshotStore.
func (s sentSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if list, err := s.List(); err == nil && len(list) > 0 && list[0].ID == id {
		s.laggards.needs(unnamed, list[0].Index+1, false)
	}
	return s.SnapshotStore.Open(id)
}

// keptForLaggards is how many entries at the end of the log stay for followers that
// catch up, of most that may.
func (n *Node) keptForLaggards(r *raft.Raft, most uint64) uint64 {
	next, ok := n.trans.laggards.least()
	last := r.LastIndex()
	if !ok || next > last || r.State() != raft.Leader {
		return 0
	}
	// The follower's log ends before next, with what Raft compares first.
	if kept := last - next + 2 + laggardSlack; kept <= most {
		return kept
	}
	return 0
}
