package quorum

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/server/peer"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"

	"zooraft/zabcompat/metrics"
)

// transports makes two servers that have ports and streams, but no Raft.
func transports(t *testing.T) (a, b *Node) {
	t.Helper()
	all := newEnsemble(t, 2, store.KindWAL)
	var nodes []*Node
	for _, s := range all {
		s.fsm = nil
		s.serving, s.leading, s.fatal = make(chan bool, 8), make(chan uint64, 8), make(chan error, 8)
		ln, err := net.Listen("tcp", s.cfg.Members[s.cfg.SID-1].ElectionAddr())
		if err != nil {
			t.Fatal(err)
		}
		n := &Node{cfg: s.cfg, log: hclog.NewNullLogger(), events: s}
		stub := &stubPeer{sid: s.cfg.SID, addrs: []string{s.cfg.Members[0].ElectionAddr(), s.cfg.Members[1].ElectionAddr()}}
		n.trans = newTransport(ln, s.cfg.SID, stub, new(metrics.Metrics), hclog.NewNullLogger())
		t.Cleanup(func() { n.trans.Close() })
		nodes = append(nodes, n)
	}
	return nodes[0], nodes[1]
}

// stubPeer owns a transport without a Node. It answers handshakes and has every peer
// connected, and room.
type stubPeer struct {
	sid   int64
	addrs []string
	held  func(*raft.InstallSnapshotRequest) bool // for holds; nil: none

	security peer.Security
}

func (p *stubPeer) Identity() peer.Identity       { return peer.Identity{SID: p.sid} }
func (p *stubPeer) KnownDisk(int64) string        { return "" }
func (p *stubPeer) Voteless(int64) bool           { return false }
func (p *stubPeer) Taken(int64, string) bool      { return false }
func (p *stubPeer) Security() peer.Security       { return p.security }
func (p *stubPeer) Hosts(int64) []string          { return nil }
func (p *stubPeer) Connected(int64) bool          { return true }
func (p *stubPeer) electionAddr(sid int64) string { return p.addrs[sid-1] }

func (p *stubPeer) hasRoom() bool                          { return true }
func (p *stubPeer) awaitRoom(<-chan struct{}) bool         { return true }
func (p *stubPeer) skipApplied(*raft.AppendEntriesRequest) {}
func (p *stubPeer) poke()                                  {}

func (p *stubPeer) holds(q *raft.InstallSnapshotRequest) bool { return p.held != nil && p.held(q) }

func header(n *Node) raft.RPCHeader {
	id := serverID(n.cfg.SID)
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: n.trans.EncodePeer(id, n.trans.LocalAddr())}
}

// TestCloseEndsOwnConnections: the transport closes with it what a server has
// dialled to itself; whoever serves the other end would wait there for ever.
func TestCloseEndsOwnConnections(t *testing.T) {
	networked, _ := transports(t)
	for name, tr := range map[string]*transport{
		"ensemble": networked.trans, "standalone": newTransport(nil, 1, new(stubPeer), new(metrics.Metrics), hclog.NewNullLogger()),
	} {
		conn, err := tr.layer.Dial(label(1), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: a read after Close gives %v, want %v", name, err, io.ErrClosedPipe)
		}
	}
}

// TestHeartbeatsPassTheMainChannel: the stock transport would hand a heartbeat
// to Raft from another goroutine.
func TestHeartbeatsPassTheMainChannel(t *testing.T) {
	a, b := transports(t)
	b.trans.SetHeartbeatHandler(func(raft.RPC) { t.Error("a heartbeat took the fast path") })
	answered := make(chan error, 1)
	go func() {
		req := raft.AppendEntriesRequest{RPCHeader: header(a), Term: 1}
		answered <- a.trans.AppendEntries("2", b.trans.LocalAddr(), &req, &raft.AppendEntriesResponse{})
	}()
	rpc := testkit.Await(t, b.trans.Consumer(), "heartbeat on the channel")
	rpc.Respond(&raft.AppendEntriesResponse{}, nil)
	if err := testkit.Await(t, answered, "answer"); err != nil {
		t.Error(err)
	}
}

// TestStandNow: a server can send itself the message to stand for election.
func TestStandNow(t *testing.T) {
	a, _ := transports(t)
	sent := make(chan error, 1)
	go func() { sent <- a.trans.standNow("1") }()
	rpc := testkit.Await(t, a.trans.Consumer(), "message to itself")
	if _, ok := rpc.Command.(*raft.TimeoutNowRequest); !ok {
		t.Errorf("got %T", rpc.Command)
	}
	rpc.Respond(&raft.TimeoutNowResponse{}, nil)
	if err := testkit.Await(t, sent, "answer"); err != nil {
		t.Error(err)
	}
}

// TestVoteOverStaleConnection: a pooled connection to a process that has gone
// must not cost a vote.
func TestVoteOverStaleConnection(t *testing.T) {
	a, b := transports(t)
	ask := func() error {
		req := raft.RequestVoteRequest{RPCHeader: header(a), Term: 2}
		return a.trans.RequestVote("2", b.trans.LocalAddr(), &req, &raft.RequestVoteResponse{})
	}
	answer := func() {
		select {
		case rpc := <-b.trans.Consumer():
			rpc.Respond(&raft.RequestVoteResponse{Granted: true}, nil)
		case <-time.After(10 * time.Second):
		}
	}
	go answer()
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	b.trans.CloseStreams() // as its process's end would
	a.trans.layer.mu.Lock()
	for conn := range a.trans.layer.dialled {
		conn.Close()
	}
	a.trans.layer.mu.Unlock()
	go answer()
	if err := ask(); err != nil {
		t.Errorf("a vote over a stale connection: %v", err)
	}
}

// TestStrangeRefused: what Raft would end the process for does not come to it by the
// stock transport either, and the leader hears of it.
func TestStrangeRefused(t *testing.T) {
	a, b := transports(t)
	refused := func(what string, send func() error) {
		t.Helper()
		answered := make(chan error, 1)
		go func() { answered <- send() }()
		select {
		case rpc := <-b.trans.Consumer():
			t.Errorf("%s came to Raft", what)
			rpc.Respond(nil, io.EOF)
			<-answered
		case err := <-answered:
			if err == nil || err.Error() != errStrangeEntry.Error() {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for name, l := range strangeLogs() {
		refused(name, func() error {
			req := raft.AppendEntriesRequest{RPCHeader: header(a), Term: 1, Entries: []*raft.Log{l}}
			return a.trans.AppendEntries("2", "2", &req, &raft.AppendEntriesResponse{})
		})
	}
	refused("no entry", func() error {
		req := raft.AppendEntriesRequest{RPCHeader: header(a), Term: 1, Entries: []*raft.Log{nil}}
		return a.trans.NetworkTransport.AppendEntries("2", "2", &req, &raft.AppendEntriesResponse{})
	})
	refused("a snapshot with a torn configuration", func() error {
		req := raft.InstallSnapshotRequest{RPCHeader: header(a), SnapshotVersion: raft.SnapshotVersionMax, Size: 3, Configuration: []byte{0x81}}
		return a.trans.InstallSnapshot("2", "2", &req, &raft.InstallSnapshotResponse{}, strings.NewReader("abc"))
	})
}

// TestBroken: a connection that ends while an answer is read has ended, too.
func TestBroken(t *testing.T) {
	a, _ := transports(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	// A process that ends with something unread in a connection resets it.
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			peer.Answer(t.Context(), conn, &stubPeer{sid: 2})
			io.ReadFull(conn, make([]byte, 1))
			conn.Close()
		}
	}()
	a.trans.owner.(*stubPeer).addrs[1] = ln.Addr().String()
	req := raft.RequestVoteRequest{RPCHeader: header(a), Term: 2}
	if err := a.trans.NetworkTransport.RequestVote("2", "2", &req, &raft.RequestVoteResponse{}); err == nil || !broken(err) {
		t.Errorf("a broken connection is not seen in %v", err)
	}
}

// TestFollowerHearsOfCommits: a lone write through a follower does not wait for
// Raft's next AppendEntries, one to two commit timeouts of 50 ms away.
func TestFollowerHearsOfCommits(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	follower := all[leader.cfg.SID%3]
	through := func(s *testServer, create func(string) []byte, took *[]time.Duration) {
		start := time.Now()
		s.do(create("/n"))
		*took = append(*took, time.Since(start))
	}
	ofFollower, ofLeader := follower.session(1), leader.session(2)
	for attempt := 1; ; attempt++ { // a busy machine may spoil one
		var took, least []time.Duration // a write through the leader takes what disk and machine take
		for range 41 {
			through(follower, ofFollower, &took)
			through(leader, ofLeader, &least)
		}
		slices.Sort(took)
		slices.Sort(least)
		t.Logf("lone writes through a follower: median %v, most %v; through the leader: %v, %v", took[20], took[40], least[20], least[40])
		if took[20]-least[20] <= 35*time.Millisecond {
			break
		}
		if attempt == 5 {
			t.Fatalf("median %v, and %v through the leader: the follower waits for the commit timeout", took[20], least[20])
		}
	}
}

// TestSlowLink: a message may take as long as its bytes do.
func TestSlowLink(t *testing.T) {
	for _, tt := range []struct {
		name   string
		every  time.Duration // for the reader to take 64 KiB
		failed bool
	}{{"slow", time.Second, false}, {"too slow", time.Minute, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				conn := &dialledConn{Conn: here, l: &streamLayer{}}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					var err error
					for b := make([]byte, 64<<10); err == nil; _, err = io.ReadFull(there, b) {
						time.Sleep(tt.every)
					}
				}()
				if err := conn.SetDeadline(time.Now().Add(raftRPCTimeout)); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Write(make([]byte, maxAppendBytes)); (err != nil) != tt.failed {
					t.Errorf("a message of %d bytes: %v", maxAppendBytes, err)
				}
				conn.Close()
				<-ended
			})
		})
	}
}

// TestCloseCutsSilentCallers: who connects and says nothing must not hold up the
// end of a server.
func TestCloseCutsSilentCallers(t *testing.T) {
	a, b := transports(t)
	silent, err := net.Dial("tcp", a.cfg.Members[0].ElectionAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// Connections are accepted in order: once this one is answered, so is silence.
	answered := make(chan error, 1)
	go func() {
		req := raft.RequestVoteRequest{RPCHeader: header(b), Term: 1}
		answered <- b.trans.RequestVote("1", a.trans.LocalAddr(), &req, &raft.RequestVoteResponse{})
	}()
	rpc := testkit.Await(t, a.trans.Consumer(), "vote request")
	rpc.Respond(&raft.RequestVoteResponse{}, nil)
	if err := testkit.Await(t, answered, "answer"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a.trans.Close()
	if took := time.Since(start); took > 4*time.Second { // the silence ends by itself after 5
		t.Errorf("closing took %v", took)
	}
}
