package quorum

import (
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
)

// A follower that gets a snapshot needs the log behind that next. If the leader
// takes a snapshot meanwhile and drops that part, which under load it does every
// few seconds, the follower has to begin anew with the next snapshot: it restores
// one state after the other, and may never catch up. So the leader keeps what they
// need who are catching up.
const (
	// laggardRest is after how long without any progress nothing is kept for a
	// follower any more. It may be restoring a large snapshot.
	laggardRest = 5 * time.Minute
	// openedRest is how long the log behind a snapshot is kept that Raft has opened to
	// send it, and verifies before it does.
	openedRest = 10 * time.Second
	// laggardSnapshots is how many times as large as the snapshot the log may be that is
	// kept for them, or trailingBytes if that is more: to send another snapshot is less
	// then. And no larger than a quarter of what is free on the disk.
	laggardSnapshots = 4
	// laggardSlack is how many entries more are kept, for what is logged until Raft
	// cuts the log.
	laggardSlack = 4096
	// tellAfter is for how long a follower that is connected may take no entries.
	tellAfter = 30 * time.Second
)

// laggards are the followers that catch up. The zero value is ready for use, by any
// goroutine.
type laggards struct {
	mu      sync.Mutex
	all     map[string]laggard          // by who they are: a server's id, or the snapshot that one is to get
	failing map[raft.ServerID]time.Time // since when each takes no entries; zero once that is told
}

type laggard struct {
	next  uint64 // what it needs next
	until time.Time
}

// needs notes what a follower needs next, for so long or until it is called again.
func (l *laggards) needs(who string, next uint64, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[string]laggard)
	}
	l.all[who] = laggard{next, time.Now().Add(d)}
}

// forget is called when a follower keeps up, or is not there any more.
func (l *laggards) forget(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, who)
}

// failed notes that a follower has not taken entries that were sent from a time on, and
// says once whether that is to be told.
func (l *laggards) failed(id raft.ServerID, from time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, failing := l.failing[id]
	switch {
	case !failing:
		if l.failing == nil {
			l.failing = make(map[raft.ServerID]time.Time)
		}
		l.failing[id] = from
		return false
	case since.IsZero() || time.Since(since) < tellAfter:
		return false
	}
	l.failing[id] = time.Time{}
	return true
}

// took notes that it has taken some, or is down, which others tell.
func (l *laggards) took(id raft.ServerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failing, id)
}

// calm forgets who takes none: this server sends no more.
func (l *laggards) calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.failing)
}

// least is the first entry from floor on that one of them needs, false if none needs
// any.
func (l *laggards) least(floor uint64) (next uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for who, g := range l.all {
		switch {
		case time.Now().After(g.until):
			delete(l.all, who)
		case g.next >= floor && (!ok || g.next < next):
			next, ok = g.next, true
		}
	}
	return next, ok
}

// transfer is a snapshot on its way to a follower. What is behind it is needed once
// the follower takes some of it: to one that is down Raft tries to send it all
// the time.
type transfer struct {
	io.Reader
	laggards *laggards
	who      string
	next     uint64
}

func (t transfer) Read(b []byte) (int, error) {
	t.laggards.needs(t.who, t.next, laggardRest)
	return t.Reader.Read(b)
}

// sentSnapshots are the snapshots as Raft sees them, who opens one to send it.
type sentSnapshots struct {
	raft.SnapshotStore
	laggards *laggards
	damaged  func() // is called when one turns out to be
}

// Open implements raft.SnapshotStore.
func (s sentSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	list, err := s.List()
	if i := slices.IndexFunc(list, func(m *raft.SnapshotMeta) bool { return m.ID == id }); err == nil && i >= 0 {
		s.laggards.needs("snapshot "+id, list[i].Index+1, openedRest)
	}
	meta, r, err := s.SnapshotStore.Open(id)
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, syscall.EIO) {
		s.damaged()
	}
	return meta, r, err
}

// damagedRest is how long Raft waits that has found a snapshot to be damaged: it tries
// again at once, and would read all of it several times a second.
const damagedRest = time.Second

// snapshotDamaged has a leader, whose state in memory is whole, take another
// snapshot in the place of one that it cannot send. It blocks.
func (n *Node) snapshotDamaged() {
	if r := n.raft.Load(); r == nil || r.State() != raft.Leader {
		return // it is being restored
	}
	var taken <-chan error
	if !n.snaps.running.Load() {
		n.damaged.Warn(n.log, "", "the newest snapshot is damaged: taking another")
		taken = n.snaps.asked.ask()
		n.poke()
	}
	rest := time.NewTimer(damagedRest)
	defer rest.Stop()
	for {
		select {
		case err := <-taken:
			if taken = nil; err != nil {
				n.damaged.Warn(n.log, err.Error(), "no other snapshot was taken", "error", err)
			}
			continue
		case <-rest.C:
		case <-n.stop:
		}
		return
	}
}

// keptForLaggards is how many entries at the end of the log stay for followers that
// catch up, of most that may: have, if those are enough.
func (n *Node) keptForLaggards(r *raft.Raft, most, have uint64) uint64 {
	last := r.LastIndex()
	next, ok := n.trans.laggards.least(last + 2 - min(last+2, most))
	if !ok || next > last || r.State() != raft.Leader {
		return have
	}
	// The follower's log ends before next, with what Raft compares first.
	needed := last - next + 2
	if needed+laggardSlack/2 <= have {
		return have
	}
	return max(have, min(needed+laggardSlack, most))
}
