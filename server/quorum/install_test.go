package quorum

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
	"zooraft/zabcompat/metrics"
)

// scriptedLeader speaks to server 1 of three as server 2 that leads; nobody else
// is there.
type scriptedLeader struct {
	t     testing.TB
	s     *testServer
	trans *transport
	head  raft.RPCHeader
}

// newScriptedLeader makes server 1 with the entries 1 to n of term 1 in its log,
// none of them committed, but does not start it.
func newScriptedLeader(t testing.TB, kind string, n uint64) *scriptedLeader {
	t.Helper()
	s := newEnsemble(t, 3, kind)[0]
	logs := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration((&Node{cfg: s.cfg}).firstConfiguration())}}
	logs = append(logs, noops(2, n, 1)...)
	s.edit(func(stores *store.Stores) {
		if err := errors.Join(stores.Log.StoreLogs(logs), stores.Stable.SetUint64([]byte("CurrentTerm"), 1)); err != nil {
			t.Fatal(err)
		}
	})
	ln, err := net.Listen("tcp", s.cfg.Members[1].ElectionAddr())
	if err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for _, m := range s.cfg.Members {
		addrs = append(addrs, m.ElectionAddr())
	}
	l := &scriptedLeader{t: t, s: s}
	l.trans = newTransport(ln, 2, &stubPeer{sid: 2, addrs: addrs}, new(metrics.Metrics), hclog.NewNullLogger())
	t.Cleanup(func() { l.trans.Close() })
	l.head = raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("2"), Addr: []byte("2")}
	return l
}

// edit opens the stores of a server that does not run.
func (s *testServer) edit(f func(*store.Stores)) {
	s.t.Helper()
	stores, err := store.Open(s.cfg.Store)
	if err != nil {
		s.t.Fatal(err)
	}
	defer stores.Close()
	f(stores)
}

// noops are the entries from first to last, of one term.
func noops(first, last, term uint64) (logs []*raft.Log) {
	for i := first; i <= last; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Type: raft.LogNoop})
	}
	return logs
}

// start starts the server, and has it follow in a term.
func (l *scriptedLeader) start(term uint64) {
	l.t.Helper()
	l.s.start()
	testkit.Until(l.t, "raft runs", func() bool { return l.s.node.raft.Load() != nil })
	if a := l.append(&raft.AppendEntriesRequest{Term: term}); !a.Success {
		l.t.Fatalf("a heartbeat: %+v", a)
	}
}

func (l *scriptedLeader) append(q *raft.AppendEntriesRequest) (a raft.AppendEntriesResponse) {
	l.t.Helper()
	q.RPCHeader = l.head
	if err := l.trans.NetworkTransport.AppendEntries("1", "1", q, &a); err != nil {
		l.t.Fatal(err)
	}
	return a
}

// install sends a snapshot of an empty state that ends at an entry.
func (l *scriptedLeader) install(term, index, lastTerm uint64) (a raft.InstallSnapshotResponse, err error) {
	l.t.Helper()
	state := emptyState(l.t)
	conf := raft.EncodeConfiguration((&Node{cfg: l.s.cfg}).firstConfiguration())
	err = l.trans.InstallSnapshot("1", "1", &raft.InstallSnapshotRequest{
		RPCHeader: l.head, SnapshotVersion: raft.SnapshotVersionMax, Term: term, LastLogIndex: index, LastLogTerm: lastTerm,
		Configuration: conf, ConfigurationIndex: 1, Size: int64(len(state)),
	}, &a, bytes.NewReader(state))
	return a, err
}

// emptyState is the content of a snapshot.
func emptyState(t testing.TB) []byte {
	t.Helper()
	s, err := fsm.New(2, hclog.NewNullLogger()).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var c content
	if err := s.Persist(&c); err != nil {
		t.Fatal(err)
	}
	return c.Bytes()
}

// content is a snapshot in memory.
type content struct{ bytes.Buffer }

func (*content) ID() string    { return "" }
func (*content) Cancel() error { return nil }
func (*content) Close() error  { return nil }

// TestHolds: what a snapshot brings is here if its last entry is, or is applied.
func TestHolds(t *testing.T) {
	l := newScriptedLeader(t, store.KindWAL, 20)
	check := func(when string, want bool, term, index, lastTerm uint64) {
		t.Helper()
		q := raft.InstallSnapshotRequest{Term: term, LastLogIndex: index, LastLogTerm: lastTerm}
		if got := l.s.node.holds(&q); got != want {
			t.Errorf("%s: holds entry %d of term %d, by a leader of term %d: %v, want %v", when, index, lastTerm, term, got, want)
		}
	}
	l.start(5)
	check("in the log", true, 5, 10, 1)
	check("the last one", true, 5, 20, 1)
	check("another one", false, 5, 10, 2)
	check("behind the log", false, 5, 21, 1)
	check("by an older leader", false, 4, 10, 1)
	check("by a newer leader", false, 6, 10, 1)
	l.append(&raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 20, PrevLogTerm: 1, Entries: noops(21, 21, 5), LeaderCommitIndex: 21})
	l.s.node.stores.Log.DeleteRange(1, 15)
	check("applied and cut off", true, 5, 10, 1)
	check("cut off, by an older leader", false, 4, 10, 1)
}

// TestLateSnapshot: a snapshot that comes when the follower has more costs it
// nothing, and the sender hears what it would have heard in time.
func TestLateSnapshot(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	follower := all[leader.cfg.SID%3]
	create := leader.session(1)
	for range 20 {
		leader.do(create("/a"))
	}
	taken, err := leader.node.TakeSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
	list, err := leader.node.stores.Snapshots.List()
	if err != nil {
		t.Fatal(err)
	}
	meta, file, err := leader.node.stores.Snapshots.Open(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	state, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		leader.do(create("/a"))
	}
	term := leader.node.LeadTerm()
	testkit.Until(t, "the follower has all", func() bool { return follower.fsm.Digest() == leader.fsm.Digest() })
	r, digest := follower.node.raft.Load(), leader.fsm.Digest()
	last := r.LastIndex()
	for _, tt := range []struct {
		name    string
		term    uint64
		success bool
	}{{"of this leader", term, true}, {"of one before", term - 1, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var a raft.InstallSnapshotResponse
			err := leader.node.trans.NetworkTransport.InstallSnapshot(serverID(follower.cfg.SID), label(follower.cfg.SID), &raft.InstallSnapshotRequest{
				RPCHeader: header(leader.node), SnapshotVersion: meta.Version, Term: tt.term, LastLogIndex: meta.Index, LastLogTerm: meta.Term,
				Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: meta.Size,
			}, &a, bytes.NewReader(state))
			if err != nil || a.Success != tt.success || a.Term != term {
				t.Errorf("answer %+v, %v; want success %v in term %d", a, err, tt.success, term)
			}
			kept, err := follower.node.stores.Log.LastIndex()
			if err != nil || kept < last || r.LastIndex() < last || r.AppliedIndex() < last {
				t.Errorf("the log ends with %d (%v), for raft with %d of which %d are applied; it had %d", kept, err, r.LastIndex(), r.AppliedIndex(), last)
			}
			if got := follower.fsm.Digest(); got != digest {
				t.Errorf("the state is %x, and was %x", got, digest)
			}
		})
	}
	leader.do(create("/a"))
	testkit.Until(t, "the follower goes on", func() bool { return follower.fsm.Digest() == leader.fsm.Digest() })
	if now := leader.node.LeadTerm(); now != term {
		t.Errorf("term %d is now %d", term, now)
	}
}

// TestSnapshotPassedOver: its bytes leave the connection, the next message on
// which is understood, and one that brings something comes to Raft whole.
func TestSnapshotPassedOver(t *testing.T) {
	a, b := transports(t)
	b.trans.owner.(*stubPeer).held = func(q *raft.InstallSnapshotRequest) bool { return q.LastLogIndex <= 40 }
	send := func(index uint64) (got raft.InstallSnapshotResponse, err error) {
		const size = 300_000
		err = a.trans.InstallSnapshot("2", b.trans.LocalAddr(), &raft.InstallSnapshotRequest{
			RPCHeader: header(a), Term: 3, LastLogIndex: index, Size: size,
		}, &got, bytes.NewReader(make([]byte, size)))
		return got, err
	}
	if got, err := send(40); err != nil || !got.Success || got.Term != 3 {
		t.Errorf("answer %+v, %v; want success in term 3", got, err)
	}
	answered := make(chan error, 1)
	pass := func(index uint64) raft.RPC {
		go func() {
			_, err := send(index)
			answered <- err
		}()
		return testkit.Await(t, b.trans.Consumer(), "snapshot")
	}
	rpc := pass(41)
	if n, err := io.Copy(io.Discard, rpc.Reader); n != 300_000 || err != nil {
		t.Errorf("%d bytes came to Raft, %v", n, err)
	}
	rpc.Respond(&raft.InstallSnapshotResponse{}, nil)
	if err := testkit.Await(t, answered, "answer"); err != nil {
		t.Error(err)
	}

	// It waited for Raft behind what brought the same.
	rpc = pass(42)
	b.trans.owner.(*stubPeer).held = func(*raft.InstallSnapshotRequest) bool { return true }
	if n, err := io.Copy(io.Discard, rpc.Reader); n != 0 || !errors.Is(err, errHeld) {
		t.Errorf("%d bytes came to Raft, %v", n, err)
	}
	rpc.Respond(&raft.InstallSnapshotResponse{}, errHeld)
	if err := testkit.Await(t, answered, "answer"); err == nil || err.Error() != errHeld.Error() {
		t.Errorf("the leader hears %v", err)
	}
}

// TestSnapshotStops: Raft's goroutine, which reads a snapshot, must not wait for a
// sender that is frozen.
func TestSnapshotStops(t *testing.T) {
	for _, held := range []bool{false, true} {
		a, b := transports(t)
		b.trans.silence = 50 * time.Millisecond
		var looks atomic.Int32
		b.trans.owner.(*stubPeer).held = func(*raft.InstallSnapshotRequest) bool { return looks.Add(1) > 1 && held }
		body, rest := io.Pipe()
		defer rest.Close()
		go a.trans.InstallSnapshot("2", b.trans.LocalAddr(), &raft.InstallSnapshotRequest{RPCHeader: header(a), Size: 300_000},
			&raft.InstallSnapshotResponse{}, body)
		go rest.Write(make([]byte, 200_000))
		rpc := testkit.Await(t, b.trans.Consumer(), "snapshot")
		time.Sleep(3 * b.trans.silence) // Raft may be slow to take it
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, rpc.Reader)
			read <- err
		}()
		if err := testkit.Await(t, read, "end of the read"); err == nil || held != errors.Is(err, errHeld) {
			t.Errorf("held %v: the read ends with %v", held, err)
		}
		rpc.Respond(&raft.InstallSnapshotResponse{}, nil)
	}
}

// TestCloseCutsSnapshot: the rest of a snapshot must not hold up the end of a
// server, nor a leader that is stuck.
func TestCloseCutsSnapshot(t *testing.T) {
	a, b := transports(t)
	looked := make(chan bool, 1)
	b.trans.owner.(*stubPeer).held = func(*raft.InstallSnapshotRequest) bool { looked <- true; return true }
	body, rest := io.Pipe()
	defer rest.Close()
	answered := make(chan error, 1)
	go func() {
		answered <- a.trans.InstallSnapshot("2", b.trans.LocalAddr(), &raft.InstallSnapshotRequest{RPCHeader: header(a), Size: 10},
			&raft.InstallSnapshotResponse{}, body)
	}()
	testkit.Await(t, looked, "snapshot")
	closed := make(chan error, 1)
	go func() { closed <- b.trans.layer.Close() }()
	if err := testkit.Await(t, closed, "end"); err != nil {
		t.Error(err)
	}
	rest.Write([]byte("0123456789"))
	rest.Close()
	if err := testkit.Await(t, answered, "failure"); err == nil {
		t.Error("a server that has ended has answered")
	}
}
