package quorum

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

// joiner makes a server that is to join: its zoo.cfg names the members of another
// one's, and itself.
func joiner(of *testServer, sid int) *testServer {
	of.t.Helper()
	ports := testkit.Ports(of.t, 2)
	self := zabcompat.ServerSpec{ID: sid, Host: "127.0.0.1", QuorumPort: ports[0], ElectionPort: ports[1], ClientHost: "127.0.0.1", ClientPort: 1}
	members := append(slices.Clone(of.cfg.Members), self)
	return newServer(of.t, members, sid, of.t.TempDir(), store.KindWAL, of.cfg.Store.Log)
}

func (s *testServer) spec() zabcompat.ServerSpec {
	spec, _ := zabcompat.Membership{Servers: s.cfg.Members}.Server(s.cfg.SID)
	spec.ClientHost, spec.ClientPort = "127.0.0.1", 1
	return spec
}

// reconfigs numbers the sessions of reconfig, one for each.
var reconfigs atomic.Int64

// reconfig asks for a change through s, and waits for the outcome.
func (s *testServer) reconfig(joining []*testServer, leaving ...int64) fsm.Result {
	s.t.Helper()
	return s.reconfigWith(fsm.Reconfig|fsm.SkipACL, joining, leaving...)
}

func (s *testServer) reconfigWith(o fsm.Options, joining []*testServer, leaving ...int64) fsm.Result {
	s.t.Helper()
	var lines, sids []string
	for _, j := range joining {
		lines = append(lines, fmt.Sprintf("server.%d=%s", j.cfg.SID, j.spec()))
	}
	for _, sid := range leaving {
		sids = append(sids, fmt.Sprint(sid))
	}
	q := protocol.ReconfigRequest{Joining: strings.Join(lines, ","), Leaving: strings.Join(sids, ","), NewMembersNull: true, ConfigID: -1}
	session := protocol.SessionID(1<<40 + reconfigs.Add(1))
	s.do((&fsm.OpenSession{Session: session, Timeout: 60000, Conn: 1}).Append(nil))
	r := s.do((&fsm.ClientRequest{
		Session: session, Conn: 1, Op: protocol.OpReconfig, Body: q.Append(nil), Options: o,
	}).Append(nil))
	if !r.Pending {
		return r
	}
	return testkit.Await(s.t, s.changed, "outcome of the reconfig")
}

// membersBy are the members in the state of s.
func (s *testServer) membersBy() (sids []int) {
	s.fsm.View(func(v fsm.View) {
		for _, m := range v.Membership().Servers {
			sids = append(sids, m.ID)
		}
	})
	return sids
}

func mustChange(t *testing.T, r fsm.Result) {
	t.Helper()
	if r.Err != protocol.ErrOK {
		t.Fatalf("reconfig: %v", r.Err)
	}
}

// TestExchange replaces all members, one by one, the leader wherever it is.
func TestExchange(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	all[0].do(all[0].session(1)("/a"))
	for i := range 3 {
		young := joiner(all[i], i+4)
		young.start()
		testkit.Await(t, young.serving, "service of a learner")
		if young.votesBy(young.cfg.SID) {
			t.Error("a joiner votes before it is a member")
		}
		mustChange(t, all[i+1].reconfig([]*testServer{young}, int64(i+1)))
		all = append(all, young)
		leaver := all[i]
		testkit.Until(t, "the leaver knows", func() bool { return !slices.Contains(leaver.membersBy(), i+1) && !leaver.votesBy(int64(i+1)) })
		if len(leaver.serving) > 0 {
			t.Error("the leaver ceased to serve")
		}
		if err := leaver.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rest := all[3:]
	leaderOf(t, rest)
	rest[0].do(rest[0].session(2)("/b"))
	testkit.Until(t, "equal states", func() bool {
		return rest[0].fsm.Digest() == rest[1].fsm.Digest() && rest[1].fsm.Digest() == rest[2].fsm.Digest()
	})
	if got := rest[0].membersBy(); !slices.Equal(got, []int{4, 5, 6}) {
		t.Errorf("members %v", got)
	}

	// When all start again they find each other, though the zoo.cfg of each names
	// itself and three that are gone.
	for _, s := range rest {
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range rest {
		s.start()
	}
	for _, s := range rest {
		testkit.Await(t, s.serving, "service after a restart")
		if len(s.fatal) > 0 {
			t.Errorf("server %d: %v", s.cfg.SID, <-s.fatal)
		}
	}
}

// TestReconfigNoQuorum: members that are not there do not become members, and what
// had been done for them is taken back.
func TestReconfigNoQuorum(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	for _, s := range all {
		s.cfg.InitLimit = time.Second
	}
	startAll(t, all)
	var absent []*testServer
	for i := range 4 {
		absent = append(absent, joiner(all[0], i+4))
	}
	if r := all[0].reconfig(absent); r.Err != protocol.ErrNewConfigNoQuorum {
		t.Errorf("four of seven are not there: %v", r.Err)
	}
	// With one of four away there is a quorum, but the one does not catch up.
	if r := all[0].reconfig(absent[:1]); r.Err != protocol.ErrNewConfigNoQuorum {
		t.Errorf("one of four is not there: %v", r.Err)
	}
	if got := all[0].membersBy(); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("members %v", got)
	}
	testkit.Until(t, "raft has forgotten them", func() bool {
		n := 0
		all[1].fsm.View(func(v fsm.View) { n = len(v.Actual().Servers) })
		return n == 3
	})
	mustChange(t, all[0].reconfig(nil)) // nothing is left pending
}

// TestRemovedWhileAway: a server that lost its vote while it was away comes back
// with a configuration in which it has one. It must not disturb, nor help to elect.
func TestRemovedWhileAway(t *testing.T) {
	all := newEnsemble(t, 4, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	var rest []*testServer
	for _, s := range all {
		if s != leader {
			rest = append(rest, s)
		}
	}
	away := rest[2]
	away.node.Close()
	mustChange(t, leader.reconfig(nil, away.cfg.SID))
	term := leader.node.LeadTerm()
	away.start()
	testkit.Await(t, away.serving, "service as a learner")
	testkit.Until(t, "it knows", func() bool { return !away.votesBy(away.cfg.SID) })
	if got := leader.node.LeadTerm(); got != term {
		t.Errorf("term %d is now %d", term, got)
	}

	// Again, but it returns when two of the three members are down: it thinks that it
	// votes, and with the one that is left and itself it is still no majority; nor
	// may it raise the term that the members go on from.
	mustChange(t, leader.reconfig([]*testServer{away}))
	testkit.Until(t, "it votes again", func() bool { return away.votesBy(away.cfg.SID) })
	away.node.Close()
	mustChange(t, leader.reconfig(nil, away.cfg.SID))
	rest[0].node.Close() // before the leader, or these two would go on
	leader.node.Close()
	away.start()
	testkit.Until(t, "the two see each other", func() bool { return away.node.reachable(rest[1].cfg.SID) && rest[1].node.reachable(away.cfg.SID) })
	for deadline := time.Now().Add(standAgain + time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if away.node.LeadTerm() != 0 || rest[1].node.LeadTerm() != 0 {
			t.Fatal("a leader without a majority of the members")
		}
	}
	if got, term := away.node.Progress().Term, rest[1].node.Progress().Term; got > term {
		t.Errorf("a server that is no member has gone on to term %d, the members are in %d", got, term)
	}
	leader.start()
	testkit.Await(t, leader.serving, "service")
	leaderOf(t, []*testServer{leader, rest[1]})
	testkit.Await(t, away.serving, "service as a learner")
}

// TestLearnerIsForgotten: a server that only looked in costs nothing once it has
// been gone for a while.
func TestLearnerIsForgotten(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	for _, s := range all {
		s.cfg.InitLimit = time.Second
	}
	startAll(t, all)
	guest := joiner(all[0], 9)
	guest.start()
	testkit.Await(t, guest.serving, "service of a learner")
	servers := func() int {
		n := 0
		all[0].fsm.View(func(v fsm.View) { n = len(v.Actual().Servers) })
		return n
	}
	testkit.Until(t, "four follow", func() bool { return servers() == 4 })
	guest.node.Close()
	testkit.Until(t, "it is forgotten", func() bool { return servers() == 3 })
	testkit.Until(t, "its streams too", func() bool { return !slices.Contains(all[0].node.mesh.Others(), 9) })
	guest.start()
	testkit.Await(t, guest.serving, "service again")
}

// TestObserver: a member without a vote serves, and makes no majority.
func TestObserver(t *testing.T) {
	all := newEnsemble(t, 4, store.KindWAL)
	for _, s := range all {
		s.cfg.Members = slices.Clone(s.cfg.Members)
		s.cfg.Members[3].Observer = true
	}
	startAll(t, all)
	observer := all[3]
	if r := observer.do(observer.session(4)("/o")); r.Err != protocol.ErrOK {
		t.Errorf("a write through an observer: %v", r.Err)
	}
	if n := observer.node.voters(); n != 3 {
		t.Errorf("%d voters", n)
	}
	synced := make(chan error, 1)
	observer.node.Sync(func(_ fsm.View, err error) { synced <- err })
	if err := testkit.Await(t, synced, "sync"); err != nil {
		t.Error(err)
	}
	// A follower becomes an observer and a voter again; the leader, too.
	leader := leaderOf(t, all[:3])
	for _, s := range []*testServer{all[leader.cfg.SID%3], leader} {
		asObserver := &testServer{cfg: s.cfg}
		asObserver.cfg.Members = slices.Clone(s.cfg.Members)
		asObserver.cfg.Members[s.cfg.SID-1].Observer = true
		mustChange(t, observer.reconfig([]*testServer{asObserver}))
		testkit.Until(t, "it has no vote", func() bool { return !s.votesBy(s.cfg.SID) })
		mustChange(t, observer.reconfig([]*testServer{s}))
		testkit.Until(t, "it votes", func() bool { return s.votesBy(s.cfg.SID) })
	}
	leaderOf(t, all[:3])
	for _, s := range all {
		if len(s.serving) > 0 {
			t.Errorf("server %d ceased to serve", s.cfg.SID)
		}
	}
}

// TestJoinBySnapshot: the log that a joiner would need is gone; it is given a
// snapshot, which holds the membership too.
func TestJoinBySnapshot(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	create := leader.session(1)
	for range 50 {
		leader.do(create("/a"))
	}
	r := leader.node.raft.Load()
	leader.node.reload(r, func(c *raft.ReloadableConfig) { c.TrailingLogs = 1 })
	if err := r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if first, err := leader.node.stores.Log.FirstIndex(); err != nil || first < 50 {
		t.Fatalf("the log begins at %d, %v", first, err)
	}
	young := joiner(leader, 4)
	young.start()
	testkit.Await(t, young.serving, "service of a learner")
	mustChange(t, young.reconfig([]*testServer{young}, 1))
	testkit.Until(t, "it votes", func() bool { return young.votesBy(4) })
	if got := young.membersBy(); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("members %v", got)
	}
	testkit.Until(t, "equal states", func() bool { return young.fsm.Digest() == all[1].fsm.Digest() })
}

// TestGrowAndShrink: an ensemble of one becomes one of three, and of one again.
func TestGrowAndShrink(t *testing.T) {
	all := newEnsemble(t, 1, store.KindWAL)
	startAll(t, all)
	for sid := 2; sid <= 3; sid++ {
		s := joiner(all[0], sid)
		s.start()
		testkit.Await(t, s.serving, "service of a learner")
		mustChange(t, all[0].reconfig([]*testServer{s}))
		all = append(all, s)
	}
	last := all[2]
	mustChange(t, last.reconfigWith(fsm.Reconfig|fsm.SkipACL|fsm.NoStandalone, nil, 1, 2))
	testkit.Until(t, "the last one leads", func() bool { return leaderOf(t, all) == last })
	for _, s := range all[:2] {
		s.node.Close()
	}
	last.do(last.session(7)("/alone"))
}

// TestRegistrationOfALostDisk: a leader does not let a disk be registered for a
// vote that another one holds.
func TestRegistrationOfALostDisk(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	other := leader.cfg.SID%3 + 1
	known := leader.node.KnownDisk(other)
	lost := fsm.Register{SID: other, Nonce: [16]byte{15: 1}, Disk: [16]byte{1}}
	body := append([]byte{0, 0}, lost.Append(nil)...) // no incarnation, no number
	leader.node.received(other, body, false)
	leader.node.received(leader.cfg.SID, body, false) // for another
	leader.do(leader.session(1)("/behind"))
	if got := leader.node.KnownDisk(other); got != known {
		t.Errorf("server %d is known by disk %s now, it was %s", other, got, known)
	}
}

// TestReadAhead: a server whose disk was exchanged is known by its new one to those
// who start with the exchange logged, but not applied.
func TestReadAhead(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	all[2].wipe()
	all[2].start()
	testkit.Await(t, all[2].serving, "service on the new disk")
	testkit.Until(t, "it votes", func() bool { return all[0].votesBy(3) && all[2].votesBy(3) })
	leader := leaderOf(t, all)
	leader.do(leader.session(1)("/a"))
	for _, s := range all {
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Without the second there is no majority but the first and the exchanged one.
	all[0].start()
	if got, want := all[0].node.KnownDisk(3), all[2].node.disk; got != want {
		t.Errorf("server 3 is known by disk %s, want %s", got, want)
	}
	all[2].start()
	testkit.Await(t, all[0].serving, "service")
	testkit.Await(t, all[2].serving, "service of the exchanged one")
}

// TestFounders: a joiner that starts with the first servers of an ensemble does not
// count among those who begin it, though its zoo.cfg gives it a vote.
func TestFounders(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	early := joiner(all[0], 4)
	early.start()
	all[0].start()
	testkit.Until(t, "they see each other", func() bool { return all[0].node.reachable(4) && early.node.reachable(1) })
	// Of four voters, as the joiner sees it, two are no majority; with a third they
	// were one, if all agreed on who votes.
	all[1].start()
	testkit.Await(t, all[0].serving, "service")
	testkit.Await(t, early.serving, "service of the joiner")
	for _, s := range []*testServer{all[0], all[1], early} {
		if n := s.node.voters(); n != 3 || s.votesBy(4) {
			t.Errorf("server %d counts %d voters", s.cfg.SID, n)
		}
	}
}

// TestInitialize: where blank servers are not to begin an ensemble by themselves, those do
// that were given leave to, once. If a majority of the disks is lost no other ensemble
// begins, and who alone has lost its disk joins.
func TestInitialize(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	leave := func(s *testServer) string { return filepath.Join(s.cfg.Store.DataDir, "initialize") }
	for _, s := range all {
		s.cfg.Initialize = []string{leave(s) + "d, elsewhere", leave(s)}
		if err := errors.Join(os.MkdirAll(s.cfg.Store.DataDir, 0o755), os.WriteFile(leave(s), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	startAll(t, all)
	leaderOf(t, all)
	for _, s := range all {
		if _, err := os.Stat(leave(s)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("server %d may begin another ensemble: %v", s.cfg.SID, err)
		}
	}
	all[0].wipe()
	all[0].start()
	testkit.Await(t, all[0].serving, "service on a new disk")
	all[2].node.Close()
	for _, s := range all[:2] {
		s.wipe()
		s.start()
	}
	testkit.Until(t, "they see each other", func() bool { return all[0].node.reachable(2) && all[1].node.reachable(1) })
	time.Sleep(20 * settle) // in which they would begin one
	for _, s := range all[:2] {
		if s.node.founded() || s.node.raft.Load() != nil {
			t.Errorf("server %d has begun another ensemble", s.cfg.SID)
		}
	}
}

// TestJoinThroughOthers: the zoo.cfg of a joiner names a member, but not the leader.
func TestJoinThroughOthers(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	late := joiner(all[0], 7)
	late.cfg.Members = slices.DeleteFunc(late.cfg.Members, func(m zabcompat.ServerSpec) bool {
		return int64(m.ID) != leader.cfg.SID%3+1 && m.ID != 7
	})
	late.start()
	testkit.Await(t, late.serving, "service")
	mustChange(t, late.reconfig([]*testServer{late}))
	testkit.Until(t, "it votes", func() bool { return late.votesBy(7) })
}

// anyHost has a server write 0.0.0.0 for itself, as is usual in containers.
func (s *testServer) anyHost() {
	s.cfg.Members = slices.Clone(s.cfg.Members)
	for i := range s.cfg.Members {
		if int64(s.cfg.Members[i].ID) == s.cfg.SID {
			s.cfg.Members[i].Host = "0.0.0.0"
		}
	}
}

// TestAnyHost: servers that write 0.0.0.0 for themselves elect, find each other when
// the membership says so too, and one that does may join.
func TestAnyHost(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	young := joiner(all[0], 4)
	spec := young.spec()
	for _, s := range append(all, young) {
		s.anyHost()
	}
	startAll(t, all)
	old := leaderOf(t, all)
	young.start()
	testkit.Await(t, young.serving, "service of a learner")
	named := &testServer{cfg: young.cfg}
	named.cfg.Members = []zabcompat.ServerSpec{spec}
	mustChange(t, young.reconfig([]*testServer{named}))
	testkit.Until(t, "it votes", func() bool { return young.votesBy(4) })
	if err := old.node.Close(); err != nil {
		t.Fatal(err)
	}
	rest := []*testServer{young}
	for _, s := range all {
		if s != old {
			rest = append(rest, s)
		}
	}
	leaderOf(t, rest).do(rest[1].session(1)("/a"))
	// The membership names the old leader 0.0.0.0, for it was its zoo.cfg that began it.
	old.start()
	testkit.Await(t, old.serving, "service again")
	testkit.Until(t, "equal states", func() bool { return old.fsm.Digest() == young.fsm.Digest() })
}
