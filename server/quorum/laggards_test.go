package quorum

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

func TestLaggards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l laggards
		check := func(floor, want uint64) {
			t.Helper()
			if next, ok := l.least(floor); next != want || ok != (want > 0) {
				t.Errorf("needed from %d on (%v), want %d", next, ok, want)
			}
		}
		check(0, 0)
		l.needs("1", 70, 2*time.Minute)
		l.needs("2", 50, time.Minute)
		check(0, 50)
		check(50, 50)
		check(51, 70) // one that is too far behind does not stand in the way of others
		check(71, 0)
		time.Sleep(time.Minute)
		check(0, 50)
		time.Sleep(time.Nanosecond)
		check(0, 70)
		l.needs("1", 90, time.Minute)
		l.needs("2", 95, time.Hour)
		check(0, 90)
		l.forget("1")
		check(0, 95)
		time.Sleep(time.Hour + 1)
		check(0, 0)
	})
}

// TestLaggardsOfTransport: what a follower needs is known while it gets a snapshot, and
// with each message by which it catches up.
func TestLaggardsOfTransport(t *testing.T) {
	a, b := transports(t)
	l := &a.trans.laggards
	check := func(when string, want uint64) {
		t.Helper()
		if next, ok := l.least(0); next != want || !ok {
			t.Errorf("%s: from %d on (%v), want %d", when, next, ok, want)
		}
	}
	answered := make(chan error, 1)
	go func() {
		req := raft.InstallSnapshotRequest{RPCHeader: header(a), LastLogIndex: 40, Size: 3}
		answered <- a.trans.InstallSnapshot("2", b.trans.LocalAddr(), &req, &raft.InstallSnapshotResponse{}, strings.NewReader("abc"))
	}()
	rpc := testkit.Await(t, b.trans.Consumer(), "snapshot")
	if _, err := io.Copy(io.Discard, rpc.Reader); err != nil {
		t.Error(err)
	}
	check("while a snapshot is installed", 41)
	rpc.Respond(&raft.InstallSnapshotResponse{Success: true}, nil)
	if err := testkit.Await(t, answered, "answer"); err != nil {
		t.Error(err)
	}
	check("when it is", 41)

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
		rpc := testkit.Await(t, b.trans.Consumer(), "entries")
		rpc.Respond(&raft.AppendEntriesResponse{Success: c.success}, nil)
		if err := testkit.Await(t, answered, "answer"); err != nil {
			t.Error(err)
		}
		check(fmt.Sprintf("after %d entries, taken: %v", c.entries, c.success), c.next)
	}

	gone := func(when string) {
		t.Helper()
		if next, ok := l.least(0); ok {
			t.Errorf("%s: %d is needed, by nobody", when, next)
		}
		l.needs("2", 44, time.Hour)
	}
	p, err := a.trans.AppendEntriesPipeline("2", b.trans.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	check("as its stream opens", 44)
	p.Close()
	gone("its stream has ended")
	b.trans.Close()
	if err := a.trans.AppendEntries("2", b.trans.LocalAddr(), &raft.AppendEntriesRequest{RPCHeader: header(a)}, new(raft.AppendEntriesResponse)); err == nil {
		t.Error("entries went to nobody")
	}
	gone("its connection is broken")
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
	sent := sentSnapshots{n.stores.Snapshots, &n.trans.laggards, nil}
	list, err := sent.List()
	if err != nil {
		t.Fatal(err)
	}
	meta, state, err := sent.Open(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	state.Close()
	if next, _ := n.trans.laggards.least(0); next != meta.Index+1 {
		t.Errorf("a snapshot of index %d was opened; needed from %d on", meta.Index, next)
	}
	if first := firstAfter(many); first > meta.Index {
		t.Errorf("a follower gets a snapshot of index %d; the log begins with %d", meta.Index, first)
	}
	last := r.LastIndex()
	for _, c := range []struct{ next, most, have, want uint64 }{
		{last, 1 << 20, 70, 2 + laggardSlack},
		{last - 100, 1 << 20, 70, 102 + laggardSlack},
		{last - 100, 200, 70, 200},
		{last - 100, 101, 70, 70}, // it needs more than may be kept
		{last - 100, 0, 70, 70},
		{last - 100, 1 << 20, 102 + laggardSlack/2, 102 + laggardSlack/2}, // enough for now
		{last - 100, 1 << 20, 101 + laggardSlack/2, 102 + laggardSlack},
	} {
		for _, s := range all {
			want := c.have
			if s == leader {
				want = c.want
			}
			l := &s.node.trans.laggards
			l.mu.Lock()
			clear(l.all)
			l.mu.Unlock()
			l.needs("9", c.next, time.Hour)
			if kept := s.node.keptForLaggards(s.node.raft.Load(), c.most, c.have); kept != want {
				t.Errorf("server %d keeps %d entries of %+v, want %d; the leader is %d", s.cfg.SID, kept, c, want, leader.cfg.SID)
			}
			l.forget("9")
		}
	}
	if first := firstAfter(many); first <= meta.Index {
		t.Errorf("nobody needs it, and the log begins with %d", first)
	}

	// A follower that has missed what the log has no more.
	follower := all[leader.cfg.SID%3]
	if err := follower.node.Close(); err != nil {
		t.Fatal(err)
	}
	for last := r.LastIndex(); firstAfter(many) < last+2*maxAppend; {
	} // more than may be on the way to it in a message
	before := n.cfg.Metrics.SyncsBySnapshot.Value()
	follower.start()
	testkit.Until(t, "the follower has what the leader has", func() bool {
		return follower.node.applied.Load() == n.applied.Load() && follower.fsm.Digest() == leader.fsm.Digest()
	})
	if got := n.cfg.Metrics.SyncsBySnapshot.Value() - before; got == 0 {
		t.Error("it did not take a snapshot")
	}
	testkit.Until(t, "it is known to have caught up", func() bool {
		leader.do(create("/a"))
		n.trans.laggards.mu.Lock()
		defer n.trans.laggards.mu.Unlock()
		_, lags := n.trans.laggards.all[string(serverID(follower.cfg.SID))]
		return !lags
	})
}

// TestLaggardTold: a follower that takes no entries for long is told of once, until it
// has taken some.
func TestLaggardTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l laggards
		told := func() (n int) {
			for range 10 {
				from := time.Now()
				time.Sleep(tellAfter / 5) // an attempt
				if l.failed("2", from) {
					n++
				}
			}
			return n
		}
		if n := told(); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		if n := told(); n != 0 {
			t.Errorf("told %d times more", n)
		}
		for _, over := range []func(){func() { l.took("2") }, l.calm} {
			over()
			if n := told(); n != 1 {
				t.Errorf("told %d times of another time, want once", n)
			}
		}
	})
}

// TestSnapshotDamaged: a leader that cannot send its newest snapshot takes another.
func TestSnapshotDamaged(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	n := leader.node
	leader.do(leader.session(1)("/a"))
	taken, err := n.TakeSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
	sent := sentSnapshots{n.stores.Snapshots, &n.trans.laggards, n.snapshotDamaged}
	list, err := sent.List()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(leader.cfg.Store.DataDir, "raft", "snapshots", list[0].ID, "state.bin")
	if err := os.Truncate(file, 1); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, _, err := sent.Open(list[0].ID); !errors.Is(err, store.ErrCorrupt) || time.Since(begun) < damagedRest/2 {
		t.Errorf("a damaged snapshot: %v after %v", err, time.Since(begun))
	}
	testkit.Until(t, "another snapshot is there", func() bool {
		newest, err := sent.List()
		if err != nil || newest[0].ID == list[0].ID {
			return false
		}
		_, r, err := sent.Open(newest[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.Close() == nil
	})
}

var _ raft.SnapshotStore = sentSnapshots{}
