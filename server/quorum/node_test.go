package quorum

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
	"zooraft/zabcompat"
)

// testServer is a Node with its state machine, as package server wires them.
type testServer struct {
	t    testing.TB
	cfg  Config
	fsm  *fsm.FSM
	node *Node

	serving chan bool // whether the service is Full
	service atomic.Int32
	leading chan uint64
	fatal   chan error
	changed chan fsm.Result // outcomes of reconfigs
}

func (s *testServer) Completed(v fsm.View, seq uint64, r *fsm.Result) { s.node.Completed(v, seq, r) }
func (s *testServer) OutOfSequence(want uint64)                       { s.node.OutOfSequence(want) }
func (s *testServer) Registered(sid int64, inc uint64, nonce [16]byte) {
	s.node.Registered(sid, inc, nonce)
}
func (s *testServer) Led(term uint64)                                      { s.node.Led(term) }
func (s *testServer) OverQuota(*fsm.Excess)                                {}
func (s *testServer) Wrote(string, int)                                    {}
func (s *testServer) SessionOpened(protocol.SessionID, int32, fsm.Owner)   {}
func (s *testServer) SessionAttached(protocol.SessionID, int32, fsm.Owner) {}
func (s *testServer) SessionClosed(protocol.SessionID, bool)               {}
func (s *testServer) EphemeralsDeleted(protocol.SessionID, []string)       {}
func (s *testServer) Membership(fsm.View)                                  {}
func (s *testServer) Reconfigured(_ fsm.View, o fsm.Owner, r *fsm.Result) {
	if o.SID == s.cfg.SID {
		s.changed <- *r
	}
}
func (s *testServer) SnapshotInstalled(v fsm.View) {
	if s.node != nil {
		s.node.SnapshotInstalled(v)
	}
}
func (s *testServer) EnsembleRestored(fsm.View)        {}
func (s *testServer) Applied(v fsm.View, index uint64) { s.node.Applied(v, index) }

func (s *testServer) Flush() {}

func (s *testServer) Serving(now Service) {
	s.serving <- now == Full
	s.service.Store(int32(now))
}
func (s *testServer) Leading(term uint64)      { s.leading <- term }
func (s *testServer) Following()               {}
func (s *testServer) Peer(int64, byte, []byte) {}
func (s *testServer) Room(Room)                {}
func (s *testServer) Status() []byte           { return []byte("{}") }
func (s *testServer) Fatal(err error)          { s.fatal <- err }

// start opens and starts the server; its directories may have been used before.
func (s *testServer) start() {
	s.t.Helper()
	s.open().Start()
}

// open opens the server.
func (s *testServer) open() *Node {
	s.t.Helper()
	s.fsm = fsm.New(s.cfg.SID, hclog.NewNullLogger())
	s.fsm.Observe(s)
	s.serving, s.leading, s.fatal = make(chan bool, 64), make(chan uint64, 64), make(chan error, 64)
	s.changed = make(chan fsm.Result, 64)
	s.node = nil
	n, err := New(s.cfg, s.fsm, s)
	if err != nil {
		s.t.Fatal(err)
	}
	s.node = n
	s.t.Cleanup(func() { n.Close() })
	return n
}

// newEnsemble makes n servers that have not been started.
func newEnsemble(t testing.TB, n int, kind string) []*testServer {
	t.Helper()
	dir := t.TempDir()
	ports := testkit.Ports(t, 2*n)
	var members []zabcompat.ServerSpec
	for i := range n {
		members = append(members, zabcompat.ServerSpec{ID: i + 1, Host: "127.0.0.1", QuorumPort: ports[2*i], ElectionPort: ports[2*i+1]})
	}
	log := hclog.NewNullLogger()
	if testing.Verbose() {
		log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug})
	}
	var all []*testServer
	for i := range n {
		all = append(all, newServer(t, members, i+1, filepath.Join(dir, fmt.Sprint(i+1)), kind, log))
	}
	return all
}

// newStandalone makes a server without an ensemble that has not been started.
func newStandalone(t testing.TB) *testServer {
	t.Helper()
	s := newEnsemble(t, 1, store.KindWAL)[0]
	s.cfg.Members = nil
	return s
}

func newServer(t testing.TB, members []zabcompat.ServerSpec, sid int, dir, kind string, log hclog.Logger) *testServer {
	return &testServer{t: t, cfg: Config{
		SID: int64(sid), Members: members, BindHost: "127.0.0.1", SyncLimit: 5 * time.Second, InitLimit: 10 * time.Second,
		Heartbeat: 500 * time.Millisecond, SnapCount: 10000, Log: log.Named(fmt.Sprint(sid)),
		Store: store.Config{DataDir: dir, Kind: kind, SID: int64(sid), Log: log},
	}}
}

// session opens a session on the server and returns the maker of its requests.
func (s *testServer) session(id protocol.SessionID) func(path string) []byte {
	s.t.Helper()
	s.do((&fsm.OpenSession{Session: id, Timeout: 60000, Conn: 1}).Append(nil))
	return func(path string) []byte {
		body := (&protocol.CreateRequest{Path: path, ACL: protocol.OpenACL, Flags: protocol.CreateModePersistentSequential}).Append(nil)
		return (&fsm.ClientRequest{Session: id, Conn: 1, Op: protocol.OpCreate, Body: body}).Append(nil)
	}
}

type completion func(fsm.View, *fsm.Result)

func (c completion) Complete(v fsm.View, r *fsm.Result) { c(v, r) }

// do proposes and waits.
func (s *testServer) do(payload []byte) fsm.Result {
	s.t.Helper()
	done := make(chan fsm.Result, 1)
	if err := s.node.Propose(payload, completion(func(_ fsm.View, r *fsm.Result) { done <- *r })); err != nil {
		s.t.Fatal(err)
	}
	return testkit.Await(s.t, done, "result")
}

// startAll starts the servers together and waits until all serve.
func startAll(t testing.TB, all []*testServer) {
	t.Helper()
	for _, s := range all {
		s.start()
	}
	for _, s := range all {
		testkit.Await(t, s.serving, "service")
	}
}

func leaderOf(t testing.TB, all []*testServer) *testServer {
	t.Helper()
	var leader *testServer
	testkit.Until(t, "a leader in office", func() bool {
		for _, s := range all {
			if s.node != nil && s.node.LeadTerm() != 0 {
				leader = s
				return true
			}
		}
		return false
	})
	return leader
}

func TestStandalone(t *testing.T) {
	s := newStandalone(t)
	s.start()
	testkit.Await(t, s.serving, "service")
	create := s.session(1)
	if r := s.do(create("/a")); r.Path != "/a0000000000" {
		t.Errorf("result %+v", r)
	}
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	testkit.Await(t, s.serving, "service")
	testkit.Until(t, "the state is back", func() bool { return s.fsm.Digest() != fsm.New(1, nil).Digest() })
	if inc := s.node.origin.incarnation; inc != 2 {
		t.Errorf("incarnation %d after a restart, want 2", inc)
	}
	if r := s.do(create("/a")); r.Err != protocol.ErrSessionMoved {
		t.Errorf("the connection of another process wrote: %+v", r)
	}
}

// TestFirstStartKilled: a kill before Raft's first entry leaves a term, which later
// starts may have raised.
func TestFirstStartKilled(t *testing.T) {
	cut := func(t *testing.T, s *testServer, term uint64) {
		stores, err := store.Open(s.cfg.Store)
		if err == nil {
			err = errors.Join(stores.Stable.SetUint64([]byte("CurrentTerm"), term), stores.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	serves := func(t *testing.T, s *testServer, term uint64) {
		t.Helper()
		testkit.Await(t, s.serving, "service")
		if r := s.do(s.session(protocol.SessionID(s.cfg.SID))("/a")); r.Err != protocol.ErrOK {
			t.Errorf("result %+v", r)
		}
		if now := s.node.raft.Load().CurrentTerm(); now <= term {
			t.Errorf("elected in term %d, was in %d", now, term)
		}
	}
	t.Run("standalone", func(t *testing.T) {
		s := newStandalone(t)
		cut(t, s, 3)
		s.start()
		serves(t, s, 3)
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
		s.start()
		testkit.Await(t, s.serving, "service")
	})
	t.Run("all of three", func(t *testing.T) {
		all := newEnsemble(t, 3, store.KindWAL)
		for i, s := range all {
			cut(t, s, uint64(i+1))
			s.start()
		}
		for _, s := range all {
			serves(t, s, 2) // the first two may have a leader before the third starts
		}
	})
	t.Run("the last of three", func(t *testing.T) {
		all := newEnsemble(t, 3, store.KindWAL)
		startAll(t, all[:2])
		cut(t, all[2], 1)
		all[2].start()
		serves(t, all[2], 0) // the others have a leader of term 1, or of a later one
	})
}

// TestFirstElection: servers started in order elect the one that makes the
// majority, as ZooKeeper's do, and the later ones join it.
func TestFirstElection(t *testing.T) {
	elected := func(n int) int64 {
		all := newEnsemble(t, n, store.KindWAL)
		for i, s := range all {
			s.start()
			if i < n/2 {
				// It must be looking, with all earlier ones, before the next starts.
				testkit.Until(t, "earlier servers connected", func() bool {
					for j := range i {
						if !s.node.mesh.Connected(int64(j+1)) || !all[j].node.mesh.Connected(s.cfg.SID) {
							return false
						}
					}
					return true
				})
			} else {
				testkit.Await(t, s.serving, "service")
			}
		}
		sid := leaderOf(t, all).cfg.SID
		for _, s := range all {
			s.node.Close()
		}
		return sid
	}
	for _, n := range []int{3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			// Where the machine stands still, the next in rank stands, too.
			for try := 1; ; try++ {
				sid := elected(n)
				if sid == int64(n/2+1) {
					return
				}
				if try == 3 {
					t.Fatalf("%d servers started in order elected %d, want %d", n, sid, n/2+1)
				}
			}
		})
	}
}

// TestExactlyOnce has every server write while leaders come and go; each write
// must be applied once, in its server's order, and all states must be equal.
func TestExactlyOnce(t *testing.T) {
	for _, kind := range []string{store.KindWAL, store.KindBoltDB} {
		t.Run(kind, func(t *testing.T) {
			all := newEnsemble(t, 3, kind)
			startAll(t, all)
			const writes = 400
			var wg sync.WaitGroup
			results := make([][]string, len(all))
			for i, s := range all {
				create := s.session(protocol.SessionID(i + 1))
				wg.Add(writes)
				window := make(chan struct{}, 32)
				go func() {
					for range writes {
						window <- struct{}{}
						err := s.node.Propose(create(fmt.Sprintf("/w%d-", i)), completion(func(_ fsm.View, r *fsm.Result) {
							results[i] = append(results[i], r.Path)
							<-window
							wg.Done()
						}))
						if err != nil {
							t.Error(err)
							wg.Done()
						}
					}
				}()
			}
			for range 3 {
				l := leaderOf(t, all)
				l.node.raft.Load().LeadershipTransfer().Error()
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			testkit.Await(t, done, "all writes")
			seen := map[string]bool{}
			for i := range results {
				last := ""
				for _, p := range results[i] {
					if seen[p] || p <= last {
						t.Errorf("server %d: %s after %s", i+1, p, last)
					}
					seen[p], last = true, p
				}
			}
			if len(seen) != writes*len(all) {
				t.Errorf("%d writes applied, want %d", len(seen), writes*len(all))
			}
			testkit.Until(t, "all states equal", func() bool {
				return all[0].fsm.Digest() == all[1].fsm.Digest() && all[1].fsm.Digest() == all[2].fsm.Digest()
			})
			all[0].fsm.View(func(v fsm.View) {
				if got := v.NodeCount(); got != writes*len(all)+4 {
					t.Errorf("%d znodes, want %d", got, writes*len(all)+4)
				}
			})
		})
	}
}

// TestSync: what one server has been answered, another sees after a sync.
func TestSync(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	creates := make([]func(string) []byte, len(all))
	for i, s := range all {
		creates[i] = s.session(protocol.SessionID(i + 1))
	}
	for round := range 60 {
		w, r := all[round%3], all[(round+1)%3]
		path := w.do(creates[round%3]("/s")).Path
		seen := make(chan bool, 1)
		r.node.Sync(func(v fsm.View, err error) {
			_, code := v.Read(nil, protocol.OpExists, (&protocol.PathWatchRequest{Path: path}).Append(nil), &fsm.Reader{Options: fsm.SkipACL})
			seen <- err == nil && code == protocol.ErrOK
		})
		if !testkit.Await(t, seen, "sync") {
			t.Fatalf("round %d: server %d did not see %s after a sync", round, r.cfg.SID, path)
		}
		if round%20 == 10 {
			leaderOf(t, all).node.raft.Load().LeadershipTransfer().Error()
		}
	}
}

// wipe closes the server and gives it an empty disk.
func (s *testServer) wipe() {
	s.t.Helper()
	if err := s.node.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.cfg.Store.DataDir = filepath.Join(s.t.TempDir(), "blank")
}

// votesBy says whether a server has a vote in the state of this one.
func (s *testServer) votesBy(sid int64) bool {
	var has bool
	s.fsm.View(func(v fsm.View) { has = votes(v.Actual(), sid) })
	return has
}

// TestLateVoter: one that was never here joins late.
func TestLateVoter(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	all[0].start()
	all[1].start()
	testkit.Await(t, all[0].serving, "service")
	testkit.Await(t, all[1].serving, "service")
	all[2].start()
	testkit.Await(t, all[2].serving, "service of the late one")
	if !all[2].votesBy(3) {
		t.Error("the late one has no vote")
	}
}

// TestBlankDisk: a server that lost its disk must not vote under its old name, but
// is let in without a vote, and given its vote again when it has all that it had.
func TestBlankDisk(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	create := leader.session(1)
	for range 20 {
		leader.do(create("/a"))
	}
	lost := all[leader.cfg.SID%3]
	lost.wipe()
	lost.start()
	testkit.Await(t, lost.serving, "service on the new disk")
	testkit.Until(t, "its vote is given back", func() bool { return lost.votesBy(lost.cfg.SID) && leader.votesBy(lost.cfg.SID) })
	testkit.Until(t, "equal states", func() bool { return lost.fsm.Digest() == leader.fsm.Digest() })

	// It counts: with it alone the leader goes on.
	third := all[(leader.cfg.SID+1)%3]
	third.node.Close()
	leader.do(create("/b"))
	if len(lost.fatal)+len(leader.fatal) > 0 {
		t.Error("a server stopped")
	}
}

// TestOldDiskReturns: the disk that was taken for lost is put back. It is one that
// has no vote, whatever its own log says, until it has caught up.
func TestOldDiskReturns(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	create := leader.session(1)
	s := all[leader.cfg.SID%3]
	sid, old := s.cfg.SID, s.cfg.Store.DataDir
	s.wipe()
	s.start()
	testkit.Await(t, s.serving, "service on the new disk")
	testkit.Until(t, "it votes", func() bool { return leader.votesBy(sid) && s.votesBy(sid) })
	leader.do(create("/a"))
	term := leader.node.LeadTerm()
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}

	s.cfg.Store.DataDir = old
	s.start()
	testkit.Await(t, s.serving, "service on the old disk")
	testkit.Until(t, "it votes again", func() bool {
		return leader.votesBy(sid) && s.votesBy(sid) && leader.node.KnownDisk(sid) == s.node.disk
	})
	leader.do(create("/b"))
	testkit.Until(t, "equal states", func() bool { return s.fsm.Digest() == leader.fsm.Digest() })
	if got := leader.node.LeadTerm(); got != term {
		t.Errorf("term %d is now %d", term, got)
	}
}

// TestBlankDiskAmongRestarted: when all servers start again, one of them blank, it
// must not help to elect: the leader, who may be without what the lost disk held,
// is made by the others, and none if there are too few of them.
func TestBlankDiskAmongRestarted(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	for _, s := range all[:2] {
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all[2].wipe()
	all[2].start()
	all[0].start()
	testkit.Until(t, "the two see each other", func() bool { return all[0].node.reachable(3) && all[2].node.reachable(1) })
	select {
	case <-all[0].serving:
		t.Error("a blank disk helped to elect")
	case <-time.After(time.Second): // longer than an election takes
	}
	if all[2].node.raft.Load() != nil {
		t.Error("a server with a blank disk takes part in votes")
	}
	all[1].start()
	testkit.Await(t, all[0].serving, "service by the vote of the third")
	testkit.Await(t, all[2].serving, "service on the new disk")
	testkit.Until(t, "its vote is given back", func() bool { return all[0].votesBy(3) })
}

// TestOneElection: servers that start together elect once. A second term means
// that one deposed the leader just elected, or that on a busy machine none was
// elected in time.
func TestOneElection(t *testing.T) {
	const rounds, spoilt = 8, 3
	more := 0
	for round := range rounds {
		all := newEnsemble(t, 3, store.KindWAL)
		startAll(t, all)
		leader := leaderOf(t, all)
		if term := leader.node.LeadTerm(); term != 1 { // as of ZooKeeper's first epoch
			more++
			t.Logf("round %d: server %d leads in term %d, want 1", round, leader.cfg.SID, term)
		}
		for _, s := range all {
			s.node.Close()
		}
	}
	if more > spoilt {
		t.Errorf("%d of %d starts took more than one election", more, rounds)
	}
}

// TestRetire: a leader that leaves hands over, and the others go on at once.
func TestRetire(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	old := leaderOf(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	old.node.Retire(ctx)
	if on := testkit.Await(t, old.serving, "end of service"); on {
		t.Errorf("still serving")
	}
	var rest []*testServer
	for _, s := range all {
		if s != old {
			rest = append(rest, s)
		}
	}
	leaderOf(t, rest)
	if err := old.node.Close(); err != nil {
		t.Error(err)
	}
}

// TestCutOff: a server that has lost the others serves reads after a while, if it
// is told to, and everything again once they are back; one that has never been in
// an ensemble has nothing to show.
func TestCutOff(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	for _, s := range all {
		s.cfg.SyncLimit, s.cfg.ReadOnlyAfter = 200*time.Millisecond, 300*time.Millisecond
	}
	startAll(t, all)
	last := all[2]
	service := func(want Service) {
		t.Helper()
		testkit.Until(t, fmt.Sprintf("service %v", want), func() bool { return Service(last.service.Load()) == want })
	}
	service(Full)
	const path = "/shown"
	body := (&protocol.CreateRequest{Path: path, ACL: protocol.OpenACL}).Append(nil)
	last.session(7)
	if r := last.do((&fsm.ClientRequest{Session: 7, Conn: 1, Op: protocol.OpCreate, Body: body}).Append(nil)); r.Err != protocol.ErrOK {
		t.Fatal(r.Err)
	}
	shows := func() (found bool) {
		last.fsm.View(func(v fsm.View) {
			_, code := v.Read(nil, protocol.OpExists, (&protocol.PathWatchRequest{Path: path}).Append(nil), &fsm.Reader{Options: fsm.SkipACL})
			found = code == protocol.ErrOK
		})
		return found
	}
	stop := func(s *testServer) {
		t.Helper()
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop(all[0])
	stop(all[1])
	service(Reads)
	all[0].start()
	service(Full)

	stop(all[0])
	stop(last)
	last.service.Store(int32(None))
	last.start()
	service(Reads)
	if !shows() {
		t.Error("a server that started without a quorum does not show what it had applied")
	}
	all[0].start()
	service(Full)
	digest := last.fsm.Digest
	testkit.Until(t, "both have the same state", func() bool { return digest() == all[0].fsm.Digest() })
	stop(all[0])
	stop(last)

	last.cfg.ReadOnlyAfter = 0
	last.service.Store(int32(None))
	last.start()
	blank := all[0]
	blank.cfg.Store.DataDir = filepath.Join(t.TempDir(), "blank")
	blank.service.Store(int32(None))
	blank.start()
	time.Sleep(time.Second) // what must not come has no moment
	if now := Service(last.service.Load()); now != None {
		t.Errorf("service %v of a server that is not to serve without a quorum", now)
	}
	if now := Service(blank.service.Load()); now != None {
		t.Errorf("service %v of a server with a blank disk", now)
	}
}
