package quorum

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/quorum/store"
)

// Raft counts log entries; an entry here carries from one request to hundreds.
// So this file says when a snapshot is due: after snapCount requests, as in
// ZooKeeper, but under a load that does so many in seconds not before the log
// since the last one is as large as that, or a large state would be written
// out all the time; or when the log is larger than the snapshot and than
// leastLog. What a restart has to read, and what a write costs in snapshots, stay
// in proportion. The marks are a little
// different each time, so that the servers do not all write at the same moment
// (ZooKeeper: SyncRequestProcessor, randRoll).
const (
	leastLog = 64 << 20
	// restBetween is after how long a snapshot by count alone may follow another, or
	// the start, when there is other work.
	restBetween = 10 * time.Second
	// trailingBytes of log are kept behind a snapshot for followers that lag, or
	// snapCount requests if that is less.
	trailingBytes = 128 << 20
	leastTrailing = 64 // entries
	// leastScarce is how much log calls for a snapshot where the disk is nearly full,
	// for what is behind it goes; and after scarceRest any does, for what was deleted
	// goes with the older snapshots.
	leastScarce = 16 << 20
	scarceRest  = time.Minute
)

// snapshots is owned by the main loop, but for what is atomic or locked.
type snapshots struct {
	running         atomic.Bool
	size            atomic.Uint64 // of the newest one, in bytes
	restored        atomic.Bool   // one was installed: count from here
	requests, bytes uint64        // FSM.Work when the last one began
	began           time.Time     // when it did
	roll            float64       // from 0 to 1, anew for each snapshot
	started         time.Time     // when the server did
	mostKept        uint64        // entries that may stay in the log for laggards
	perEntry        uint64        // bytes of an entry, as mostKept counts
	reload          sync.Mutex
	asked           asked
}

// asked are those who wait for a snapshot that begins after they asked.
type asked struct {
	mu  sync.Mutex
	all []chan<- error
}

// ask asks for a snapshot; the answer need not be awaited.
func (a *asked) ask() <-chan error {
	done := make(chan error, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, done)
	return done
}

// take takes those who wait by now.
func (a *asked) take() (all []chan<- error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, a.all = a.all, nil
	return all
}

func answer(all []chan<- error, err error) {
	for _, c := range all {
		c <- err // has a slot
	}
}

// TakeSnapshot makes a snapshot of what this server has applied, and opens it. It
// blocks until it is written; the caller closes what it gets.
func (n *Node) TakeSnapshot(ctx context.Context) (store.Snapshot, error) {
	done := n.snaps.asked.ask()
	n.poke()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.stop:
		err = ErrNotServing
	}
	if err != nil {
		return store.Snapshot{}, err
	}
	return n.stores.OpenSnapshot()
}

// snapshotIfDue starts a snapshot in the background when one is due.
func (n *Node) snapshotIfDue(r *raft.Raft) {
	s := &n.snaps
	requests, bytes := n.fsm.Work()
	if s.restored.Swap(false) {
		s.requests, s.bytes = requests, bytes
		n.noteSnapshot()
	}
	requests, bytes = requests-s.requests, bytes-s.bytes
	since := time.Since(s.began)
	room, data, log := n.Space()
	due := s.due(requests, bytes, n.cfg.SnapCount, min(since, time.Since(s.started))) ||
		room != RoomPlenty && dueWhereScarce(requests, bytes, since)
	if s.running.Load() {
		// What has been logged since it began is more to keep, or too much for the disk.
		trailing := r.ReloadableConfig().TrailingLogs
		if room != RoomPlenty {
			trailing, s.mostKept = leastTrailing, 0
		}
		n.trail(r, trailing)
		return
	}
	waiting := s.asked.take()
	switch {
	case !due && len(waiting) == 0:
		return
	case n.fsm.Staging():
		answer(waiting, fsm.ErrStaged)
		return
	}
	if room != RoomPlenty && min(data.Free, log.Free) < s.size.Load()+roomSlack {
		answer(waiting, errNoRoom)
		return // it would fill the disk
	}
	if r.AppliedIndex() < n.marks.replayed {
		answer(waiting, ErrNotServing)
		return // the snapshot would hold more than Raft says
	}
	s.roll, s.began = rand.Float64(), time.Now()
	index := n.noteSnapshot()
	// As many entries stay as hold the trailing requests and bytes on average.
	entries := max(r.AppliedIndex(), index+1) - index
	trailing := min(uint64(n.cfg.SnapCount)*entries/max(requests, 1), trailingBytes*entries/max(bytes, 1))
	s.perEntry = max(bytes/entries, s.perEntry/2, 1) // what is kept is older than a moment with small ones
	s.mostKept = min(max(trailingBytes, laggardSnapshots*s.size.Load()), log.Free/4) / s.perEntry
	if room != RoomPlenty {
		trailing, s.mostKept = leastTrailing, 0
	}
	n.trail(r, max(trailing, leastTrailing))

	s.requests, s.bytes = s.requests+requests, s.bytes+bytes
	s.running.Store(true)
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		defer s.running.Store(false)
		err := r.Snapshot().Error()
		if errors.Is(err, raft.ErrNothingNewToSnapshot) {
			err = nil // the last one holds all
		}
		switch {
		case errors.Is(err, fsm.ErrStaged):
			n.log.Info("no snapshot is taken during a restore")
		case err != nil && !errors.Is(err, raft.ErrRaftShutdown):
			n.log.Error("no snapshot could be taken", "error", err)
		}
		n.noteSnapshot()
		answer(waiting, err)
	}()
}

// trail has Raft keep so many entries behind the snapshot under way, and those
// that laggards need.
func (n *Node) trail(r *raft.Raft, entries uint64) {
	entries = n.keptForLaggards(r, n.snaps.mostKept, entries)
	if r.ReloadableConfig().TrailingLogs != entries {
		n.reload(r, func(c *raft.ReloadableConfig) { c.TrailingLogs = entries })
	}
}

// due says whether so many requests, and bytes of log, since the last snapshot
// call for another, that long after it began.
func (s *snapshots) due(requests, bytes uint64, snapCount int, since time.Duration) bool {
	size := s.size.Load()
	byCount := float64(snapCount) * (1 + s.roll) / 2
	bySize := float64(max(leastLog, size)) * (1 + s.roll/2)
	return float64(requests) >= byCount && (bytes >= size || since >= restBetween) || float64(bytes) >= bySize
}

// dueWhereScarce is what due says besides where the disk is nearly full.
func dueWhereScarce(requests, bytes uint64, since time.Duration) bool {
	return bytes >= leastScarce && since >= restBetween || requests > 0 && since >= scarceRest
}

// noteSnapshot notes the size of the newest snapshot and returns its index, 0 if
// there is none.
func (n *Node) noteSnapshot() (index uint64) {
	if list, err := n.stores.Snapshots.List(); err == nil && len(list) > 0 {
		n.snaps.size.Store(uint64(list[0].Size))
		return list[0].Index
	}
	return 0
}

// reload changes what Raft can change while it runs.
func (n *Node) reload(r *raft.Raft, change func(*raft.ReloadableConfig)) {
	n.snaps.reload.Lock()
	defer n.snaps.reload.Unlock()
	c := r.ReloadableConfig()
	change(&c)
	if err := r.ReloadConfig(c); err != nil {
		n.log.Error("cannot change raft's configuration", "error", err)
	}
}

// LastSnapshot returns the zxid and the time of the newest snapshot, -1 and the
// Unix epoch if there is none.
func (n *Node) LastSnapshot() (zxid int64, at time.Time) {
	list, err := n.stores.Snapshots.List()
	if err != nil || len(list) == 0 {
		return -1, time.Unix(0, 0)
	}
	// Raft's names end in the time, in ms.
	ms, _ := strconv.ParseInt(list[0].ID[strings.LastIndexByte(list[0].ID, '-')+1:], 10, 64)
	return n.fsm.SnapshotZxid(), time.UnixMilli(ms)
}
