package quorum

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
)

func TestLaggards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l laggards
		check := func(want uint64) {
			t.Helper()
			if next, ok := l.least(); next != want || ok != (want > 0) {
				t.Errorf("needed from %d on (%v), want %d", next, ok, want)
			}
		}
		check(0)
		l.needs("1", 70, true)
		l.needs("2", 50, false)
		check(50)
		time.Sleep(laggardRest)
		check(50)
		time.Sleep(time.Nanosecond)
		check(70) // which is busy
		time.Sleep(time.Hour)
		check(70)
		l.needs("1", 90, false)
		l.needs("2", 95, false)
		check(90)
		l.caughtUp("1")
		check(95)
		l.caughtUp("2")
		check(0)
	})
}

// TestLaggardsOfTransport: what a follower needs is known while it gets a snapshot, and
// with each message by which it catches up, until its stream opens.
func TestLaggardsOfTransport(t *testing.T) {
	a, b := transports(t)
	l := &a.trans.laggards
	check := func(when string, next uint64, busy bool) {
		t.Helper()
		l.mu.Lock()
		defer l.mu.Unlock()
		if g := l.all["2"]; g.next != next || g.busy != busy || len(l.all) != 1 {
			t.Errorf("%s: %+v, want %d, busy: %v", when, l.all, next, busy)
		}
	}
	answered := make(chan error, 1)
	l.needs(unnamed, 41, false)
	go func() {
		req := raft.InstallSnapshotRequest{RPCHeader: header(a), LastLogIndex: 40, Size: 3}
		answered <- a.trans.InstallSnapshot("2", b.trans.LocalAddr(), &req, &raft.InstallSnapshotResponse{}, strings.NewReader("abc"))
	}()
	rpc := await(t, b.trans.Consumer(), "snapshot")
	check("while a snapshot is installed", 41, true)
	if _, err := io.Copy(io.Discard, rpc.Reader); err != nil {
		t.Error(err)
	}
	rpc.Respond(&raft.InstallSnapshotResponse{Success: true}, nil)
	if err := await(t, answered, "answer"); err != nil {
		t.Error(err)
	}
	check("when it is", 41, false)

	for _, c := range []struct {
		prev    uint64
		entries int
		success bool
		next    uint64
	}{{0, 0, true, 41}, {40, 3, false, 41}, {40, 3, true, 44}} { // at first a heartbeat
		go func() {
			req := raft.AppendEntriesRequest{RPCHeader: header(a), Term: 1, PrevLogEntry: c.prev, PrevLogTerm: 1}
			for i := range c.entries {
				req.Entries = append(req.Entries, &raft.Log{Index: c.prev + 1 + uint64(i), Term: 1})
			}
			answered <- a.trans.AppendEntries("2", b.trans.LocalAddr(), &req, &raft.AppendEntriesResponse{})
		}()
		rpc := await(t, b.trans.Consumer(), "entries")
		rpc.Respond(&raft.AppendEntriesResponse{Success: c.success}, nil)
		if err := await(t, answered, "answer"); err != nil {
			t.Error(err)
		}
		check(fmt.Sprintf("after %d entries, taken: %v", c.entries, c.success), c.next, false)
	}

	p, err := a.trans.AppendEntriesPipeline("2", b.trans.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if next, ok := l.least(); ok {
		t.Errorf("%d is needed, of one that has caught up", next)
	}
}

// TestKeptForLaggards: what a follower needs next stays in the log through the leader's
// snapshots, and goes with the next one when it has caught up.
func TestKeptForLaggards(t *testing.T) {
	all := newEnsemble(t, 3, store.KindBoltDB) // of which nothing can be read that was cut off
	for _, s := range all {
		s.cfg.SnapCount = leastTrailing
	}
	startAll(t, all)
	leader := leaderOf(t, all)
	create := leader.session(1)
	n := leader.node
	// firstAfter is where the log begins after so many writes more and a snapshot.
	firstAfter := func(writes int) uint64 {
		t.Helper()
		for range writes {
			leader.do(create("/a"))
		}
		s, err := n.TakeSnapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		first, err := n.stores.Log.FirstIndex()
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	const many = 2 * leastTrailing
	r := n.raft.Load()

	// The snapshot that Raft opens to send it, and is about to.
	firstAfter(1)
	sent := sentSnapshots{n.stores.Snapshots, &n.trans.laggards}
	list, err := sent.List()
	if err != nil {
		t.Fatal(err)
	}
	meta, state, err := sent.Open(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	state.Close()
	if next, _ := n.trans.laggards.least(); next != meta.Index+1 {
		t.Errorf("a snapshot of index %d was opened; needed from %d on", meta.Index, next)
	}
	if first := firstAfter(many); first > meta.Index {
		t.Errorf("a follower gets a snapshot of index %d; the log begins with %d", meta.Index, first)
	}
	if kept := n.keptForLaggards(r, laggardSlack); kept != 0 {
		t.Errorf("%d entries are kept, of more than may be", kept)
	}
	for _, s := range all {
		s.node.trans.laggards.needs("9", 1, true)
		if kept := s.node.keptForLaggards(s.node.raft.Load(), 1<<20); (kept > 0) != (s == leader) {
			t.Errorf("server %d keeps %d entries; the leader is %d", s.cfg.SID, kept, leader.cfg.SID)
		}
		s.node.trans.laggards.caughtUp("9")
	}
	n.trans.laggards.caughtUp(unnamed)
	if first := firstAfter(many); first <= meta.Index {
		t.Errorf("nobody needs it, and the log begins with %d", first)
	}

	// A follower that has missed what the log has no more.
	var follower *testServer
	for _, s := range all {
		if s != leader {
			follower = s
		}
	}
	if err := follower.node.Close(); err != nil {
		t.Fatal(err)
	}
	for last := r.LastIndex(); firstAfter(many) < last+2*maxAppend; {
	} // more than may be on the way to it in a message
	before := n.cfg.Metrics.SyncsBySnapshot.Value()
	follower.start()
	until(t, "the follower has what the leader has", func() bool {
		return follower.node.applied.Load() == n.applied.Load() && follower.fsm.Digest() == leader.fsm.Digest()
	})
	if got := n.cfg.Metrics.SyncsBySnapshot.Value() - before; got != 1 {
		t.Errorf("%d snapshots were sent, want 1", got)
	}
	until(t, "nobody lags", func() bool { _, ok := n.trans.laggards.least(); return !ok })
}

var _ raft.SnapshotStore = sentSnapshots{}
