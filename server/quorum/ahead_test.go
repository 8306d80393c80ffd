package quorum

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

// TestAhead opens a server whose log goes on behind its snapshot, or has none,
// through elections and changes of the membership, and compares what it has
// learnt of that log with the log.
func TestAhead(t *testing.T) {
	for _, kind := range []string{store.KindWAL, store.KindBoltDB} {
		for _, snapshot := range []bool{false, true} {
			name := kind
			if snapshot {
				name += ", behind a snapshot"
			}
			t.Run(name, func(t *testing.T) { testAhead(t, kind, snapshot) })
		}
	}
}

func testAhead(t *testing.T, kind string, snapshot bool) {
	all := newEnsemble(t, 3, kind)
	startAll(t, all)
	closeAll := func() {
		for _, s := range all {
			if err := s.node.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	const rounds = 4
	for round := range rounds {
		if round > 0 {
			startAll(t, all)
		}
		if round == rounds-1 {
			break // whose term has registrations alone
		}
		create := all[0].session(protocol.SessionID(1 + round))
		all[0].do(create("/a"))
		if round == 1 && snapshot {
			if err := all[0].node.raft.Load().Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			all[0].do(create("/a"))
		}
		if round == 0 {
			young := joiner(all[0], 4)
			young.cfg.Store.Kind = kind
			young.start()
			testkit.Await(t, young.serving, "service of a learner")
			mustChange(t, all[0].reconfig([]*testServer{young}))
			all = append(all, young)
		}
		closeAll()
	}
	// All have registered, and applied it.
	testkit.Until(t, "equal states", func() bool {
		return !slices.ContainsFunc(all, func(s *testServer) bool { return s.fsm.Digest() != all[0].fsm.Digest() })
	})
	clock, _ := all[0].fsm.Clock()
	configuration := all[0].node.raft.Load().GetConfiguration()
	closeAll()

	s := all[0]
	n := s.open()
	_, behind := n.fsm.Clock()
	if (behind > 0) != snapshot {
		t.Fatalf("restored to index %d", behind)
	}

	// As read from the log.
	last, err := n.stores.Log.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	var configs []uint64
	disks := map[int64]registered{}
	terms := map[uint64]bool{}
	var announced []uint64
	scan := &scanned{logCache: newLogCache(n.stores.Log, logCacheBytes), ahead: &n.ahead, next: n.ahead.first,
		beforeRead: func(index uint64) { announced = append(announced, index) }}
	var got, want raft.Log
	if err := scan.GetLog(last, &got); err != nil || got.Term == 0 || len(got.Data) == 0 && got.Type == raft.LogCommand {
		t.Errorf("the last entry, before the scan: %+v, %v", got, err)
	}
	for i := behind + 1; i <= last; i++ {
		if err := n.stores.Log.GetLog(i, &want); err != nil {
			t.Fatal(err)
		}
		terms[want.Term] = true
		isConfig := want.Type == raft.LogConfiguration
		if isConfig {
			configs = append(configs, i)
		}
		if want.Type == raft.LogCommand {
			for _, r := range fsm.Registrations(want.Data) {
				disks[r.SID] = registered{r.Disk, i}
			}
		}
		err := scan.GetLog(i, &got)
		if err != nil || got.Index != i || got.Term != want.Term || (got.Type == raft.LogConfiguration) != isConfig {
			t.Errorf("entry %d in the scan: %+v, %v, want %+v", i, got, err, want)
		}
		if (isConfig || i == last) && !bytes.Equal(got.Data, want.Data) {
			t.Errorf("entry %d in the scan has other data", i)
		}
		if read := !isConfig && want.Type == raft.LogCommand && i < last && len(got.Data) > 0; read {
			t.Errorf("entry %d was read for the scan", i)
		}
	}
	if !slices.Equal(announced, []uint64{last, last}) {
		t.Errorf("read in the scan: %v, want only the last entry, %d, before it and at its end", announced, last)
	}
	announced = nil
	for i := behind + 1; i <= last; i++ {
		if err := n.stores.Log.GetLog(i, &want); err != nil {
			t.Fatal(err)
		}
		if err := scan.GetLog(i, &got); err != nil || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("entry %d after the scan: %v, or other data", i, err)
		}
		if len(announced) == 0 || announced[len(announced)-1] != i {
			t.Errorf("entry %d is read and not announced", i)
		}
	}
	announced = nil
	if err := scan.GetLog(last+1, &got); err == nil || len(announced) > 0 {
		t.Errorf("an entry that the log did not hold: %v, announced %v", err, announced)
	}
	if len(terms) < 2 || !snapshot && len(configs) < 2 {
		t.Fatalf("the log says little: %d terms, %d configurations", len(terms), len(configs))
	}
	if n.ahead.first != behind+1 || n.ahead.until != last || !slices.Equal(n.ahead.configs, configs) {
		t.Errorf("entries %d to %d, configurations %v; want %d to %d, %v",
			n.ahead.first, n.ahead.until, n.ahead.configs, behind+1, last, configs)
	}
	if len(n.ahead.disks) != len(disks) || len(disks) == 0 {
		t.Errorf("registered: %v, want %v", n.ahead.disks, disks)
	}
	for sid, r := range disks {
		if n.ahead.disks[sid] != r {
			t.Errorf("server %d registered as %v, want %v", sid, n.ahead.disks[sid], r)
		}
	}
	if zxid, _, index := n.loggedZxid(); zxid != clock.Last() || zxid != clockOf(t, n).Last() || index != last {
		t.Errorf("logged %v at %d, want %v at %d, as the state had it", zxid, index, clock.Last(), last)
	}

	n.Start()
	testkit.Until(t, "Raft has started", func() bool { return n.raft.Load() != nil })
	started := n.raft.Load().GetConfiguration()
	if started.Index() != configuration.Index() || len(started.Configuration().Servers) != 4 {
		t.Errorf("Raft starts with configuration %d of %d servers, want %d of 4",
			started.Index(), len(started.Configuration().Servers), configuration.Index())
	}
}

// clockOf steps the clock of n's state, as it is, through the rest of its log.
func clockOf(t *testing.T, n *Node) *zabcompat.Clock {
	t.Helper()
	clock, applied := n.fsm.Clock()
	last, err := n.stores.Log.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	for i := applied + 1; i <= last; i++ {
		var l raft.Log
		if err := n.stores.Log.GetLog(i, &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == raft.LogCommand {
			clock.Begin(l.Term)
			for range fsm.CountZxids(l.Data) {
				clock.Next(l.Term)
			}
		}
	}
	return &clock
}

// TestAheadReplaced: what a leader has put in the place of what was learnt at the
// start counts, and not that.
func TestAheadReplaced(t *testing.T) {
	s := newStandalone(t)
	s.start()
	testkit.Await(t, s.serving, "service")
	create := s.session(1)
	for range 10 {
		s.do(create("/a"))
	}
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	n := s.open()
	last := n.ahead.until
	check := func(what string) {
		t.Helper()
		if got, want := n.ahead.clock.Last(), clockOf(t, n).Last(); got == want {
			t.Fatalf("%s: it is still %v", what, want)
		}
		if got, _, _ := n.loggedZxid(); got != clockOf(t, n).Last() {
			t.Errorf("%s: logged %v, want %v", what, got, clockOf(t, n).Last())
		}
	}
	var l raft.Log
	if err := n.stores.Log.GetLog(last-2, &l); err != nil {
		t.Fatal(err)
	}
	if err := n.stores.Log.DeleteRange(last-2, last); err != nil {
		t.Fatal(err)
	}
	check("shorter")
	l.Term++
	for ; l.Index <= last+3; l.Index++ {
		if err := n.stores.Log.StoreLog(&l); err != nil {
			t.Fatal(err)
		}
	}
	check("longer")
}

// TestAheadPartlyApplied: once a part of the log is applied, the state's own
// clock counts, which knows also of zxids that no client asked for.
func TestAheadPartlyApplied(t *testing.T) {
	s := newStandalone(t)
	s.cfg.ReadOnlyAfter = time.Hour
	s.start()
	testkit.Await(t, s.serving, "service")
	expire := fsm.Expire{Term: s.node.LeadTerm()}
	var create []byte
	for id := range protocol.SessionID(10) {
		create = s.session(1 + id)("/a")
		s.fsm.View(func(v fsm.View) {
			_, owner, _ := v.Session(1 + id)
			expire.Sessions = append(expire.Sessions, fsm.ExpiredSession{Session: 1 + id, Owner: owner})
		})
	}
	s.node.Duty(expire.Append(nil))
	testkit.Until(t, "the sessions have ended", func() (ended bool) {
		s.fsm.View(func(v fsm.View) { ended = v.NumSessions() == 0 })
		return ended
	})
	s.do(create)
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	// One more entry than is noted as applied.
	cfg := s.cfg.Store
	var last raft.Log
	cfg.OnEntry = func(l *raft.Log) {
		last = *l
		last.Data = bytes.Clone(l.Data)
	}
	stores, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	last.Index++
	if err := errors.Join(stores.Log.StoreLog(&last), stores.Close()); err != nil {
		t.Fatal(err)
	}

	n := s.open()
	if _, applied := n.fsm.Clock(); applied != last.Index-1 {
		t.Fatalf("applied to %d of %d", applied, last.Index)
	}
	if got, want := n.ahead.clock.Last(), clockOf(t, n).Last(); got == want {
		t.Fatalf("counted from the snapshot it is %v as well", got)
	}
	if got, _, _ := n.loggedZxid(); got != clockOf(t, n).Last() {
		t.Errorf("logged %v, want %v", got, clockOf(t, n).Last())
	}
}
