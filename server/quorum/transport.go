package quorum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/server/peer"
	"zooraft/zabcompat/metrics"
)

// transport is Raft's transport on the election port, over connections that
// begin with the peers' handshake. What Raft sends rarely goes by its stock
// NetworkTransport; entries go by append streams of our own.
type transport struct {
	*raft.NetworkTransport
	layer   *streamLayer
	metrics *metrics.Metrics
	rpcs    chan raft.RPC // to Raft, from both

	owner    owner
	watching atomic.Bool   // whether owner is to be poked
	silence  time.Duration // snapshotSilence, less in tests

	laggards  laggards
	logged    atomic.Uint64               // the last entry that this leader has logged
	newest    atomic.Uint64               // the highest term that a follower has answered with
	mu        sync.Mutex                  // of who changes appenders
	appenders atomic.Pointer[[]*appender] // that are open; the slice is never changed
}

const (
	raftRPCTimeout = 5 * time.Second
	raftPool       = 4
	// waitForPeer is how long a dial waits for a peer that is down to come up.
	waitForPeer = 30 * time.Second
)

// owner is what the transport needs of its server: Node. Any goroutine calls it.
type owner interface {
	peer.Callee
	// Connected says whether the peer's stream works.
	Connected(sid int64) bool
	// electionAddr is where a server's election port is dialled, "" if that is not
	// known.
	electionAddr(sid int64) string
	// hasRoom says whether entries may be stored here, and awaitRoom blocks until
	// they may, or until done, and then is false.
	hasRoom() bool
	awaitRoom(done <-chan struct{}) bool
	// holds says whether a snapshot brings nothing new.
	holds(q *raft.InstallSnapshotRequest) bool
	// skipApplied takes from a message what is applied here and not in the log.
	skipApplied(q *raft.AppendEntriesRequest)
	// poke says that a follower has answered.
	poke()
}

// newTransport makes a transport, without ln for a standalone server, which speaks
// only to itself.
func newTransport(ln net.Listener, self int64, o owner, m *metrics.Metrics, log hclog.Logger) *transport {
	l := &streamLayer{
		ln:       ln,
		self:     self,
		owner:    o,
		log:      log,
		accepted: make(chan net.Conn),
		cameUp:   make(chan struct{}),
		dialled:  make(map[net.Conn]struct{}),
		incoming: make(map[net.Conn]int64),
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	t := &transport{layer: l, owner: o, metrics: m, rpcs: make(chan raft.RPC, appendAhead), silence: snapshotSilence}
	t.appenders.Store(new([]*appender))
	t.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: labels{},
		Logger:                log,
		Stream:                l,
		MaxPool:               raftPool,
		Timeout:               raftRPCTimeout,
	})
	l.wg.Go(t.relay)
	if ln != nil {
		l.wg.Go(func() { peer.Serve(l.ctx, ln, &l.wg, log, t.admit) })
	}
	return t
}

// InstallSnapshot implements raft.Transport. It returns when the follower has
// restored the snapshot.
func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest,
	resp *raft.InstallSnapshotResponse, data io.Reader) error {
	t.metrics.SyncsBySnapshot.Inc()
	return t.NetworkTransport.InstallSnapshot(id, target, args, resp, transfer{data, &t.laggards, string(id), args.LastLogIndex + 1})
}

// relay passes on what comes by the stock transport, but for what Raft must not see.
func (t *transport) relay() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			if t.refuseFull(rpc) || t.refuseStrange(rpc) {
				continue
			}
			switch q := rpc.Command.(type) {
			case *raft.AppendEntriesRequest:
				t.owner.skipApplied(q)
			case *raft.InstallSnapshotRequest:
				if t.owner.holds(q) {
					t.layer.log.Info("passing over a snapshot: what it holds is here already", "index", q.LastLogIndex, "term", q.LastLogTerm)
					t.answerSnapshot(rpc, raft.InstallSnapshotResponse{Term: q.Term, Success: true}, nil)
					continue
				}
				rpc.Reader = &arriving{
					Reader: rpc.Reader,
					held:   func() bool { return t.owner.holds(q) },
					limit:  t.silence,
					cutOff: func() { t.layer.cutOff(sidOf(raft.ServerID(q.ID))) },
				}
			}
			select {
			case t.rpcs <- rpc:
			case <-t.layer.ctx.Done():
				return
			}
		case <-t.layer.ctx.Done():
			return
		}
	}
}

// refuseStrange answers what would end the process if Raft took it, and says whether
// it has.
func (t *transport) refuseStrange(rpc raft.RPC) bool {
	switch q := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		if !slices.ContainsFunc(q.Entries, func(l *raft.Log) bool { return l == nil || !familiar(l) }) {
			return false
		}
		rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, errStrangeEntry)
	case *raft.InstallSnapshotRequest:
		if q.SnapshotVersion < raft.SnapshotVersionMax || configures(q.Configuration) {
			return false
		}
		t.answerSnapshot(rpc, raft.InstallSnapshotResponse{}, errStrangeEntry)
	default:
		return false
	}
	from := rpc.Command.(raft.WithRPCHeader).GetRPCHeader().ID
	t.layer.log.Warn("refusing what a leader sends", "sid", sidOf(raft.ServerID(from)), "error", errStrangeEntry)
	return true
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.rpcs }

// SetHeartbeatHandler does nothing, so that heartbeats pass Raft's main
// goroutine like any message. The stock fast path changes Raft's state from
// another goroutine, which can break safety (hashicorp/raft issue 695).
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}

// standNow makes a server stand for election at once, by the message that Raft
// uses to hand leadership over, which this one may send to itself. It skips Raft's
// pre-vote, so the caller must know that a majority has lost the leader, or lead.
func (t *transport) standNow(id raft.ServerID) error {
	self := t.LocalAddr()
	req := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax,
		ID:              []byte(self),
		Addr:            []byte(self),
	}}
	return t.TimeoutNow(id, raft.ServerAddress(id), &req, &raft.TimeoutNowResponse{})
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return fresh(func() error { return t.NetworkTransport.RequestVote(id, target, args, resp) })
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return fresh(func() error { return t.NetworkTransport.RequestPreVote(id, target, args, resp) })
}

// fresh repeats a call that met a pooled connection to a process that has gone
// since: Raft asks for a vote once in an election, and a stale connection must
// not cost it. Asking twice is harmless.
func fresh(call func() error) error {
	var err error
	for range raftPool + 1 {
		if err = call(); err == nil || !broken(err) {
			return err
		}
	}
	return err
}

func broken(err error) bool {
	err = cause(err)
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// cause is what is behind an error of the codec's, which do not unwrap.
func cause(err error) error {
	var decoding interface{ Cause() error }
	if errors.As(err, &decoding) {
		return decoding.Cause()
	}
	return err
}

// AppendEntries implements raft.Transport. Of many entries it sends as many as
// are right for one message, and cuts args down to them; Raft, which looks
// there for what it has sent, sends the rest next. It is how a follower catches
// up, and returns after a rest if that gives way to others' writes.
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	args.Entries = args.Entries[:fitting(args.Entries)]
	args.LeaderCommitIndex = commitIn(args.LeaderCommitIndex, args.PrevLogEntry, len(args.Entries))
	start, logged := time.Now(), t.logged.Load()
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if broken(err) {
		t.laggards.forget(string(id))
	}
	switch {
	case len(args.Entries) == 0:
	case err == nil || !t.owner.Connected(sidOf(id)):
		t.laggards.took(id)
	case t.laggards.failed(id, start):
		t.layer.log.Warn("a member is connected, but takes no entries", "sid", sidOf(id), "error", err)
	}
	if err == nil && resp.Success {
		if len(args.Entries) > 0 {
			t.laggards.needs(string(id), args.PrevLogEntry+uint64(len(args.Entries))+1, laggardRest)
		}
		t.giveWay(time.Since(start), uint64(len(args.Entries)), t.logged.Load()-logged)
	}
	return err
}

// AppendEntriesPipeline implements raft.Transport.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, _ raft.ServerAddress) (raft.AppendPipeline, error) {
	conn, err := t.layer.dial(sidOf(id), peer.PurposeAppend)
	if err != nil {
		return nil, err
	}
	t.metrics.SyncsByLog.Inc() // Raft asks for it once a follower is near the end of the log
	t.laggards.took(id)
	p := newAppender(t, id)
	if conn, err = t.layer.keep(conn, p.readAnswers); err != nil {
		return nil, err
	}
	p.begin(conn)
	t.mu.Lock()
	defer t.mu.Unlock()
	open := append(slices.Clone(*t.appenders.Load()), p)
	t.appenders.Store(&open)
	return p, nil
}

// stored returns the last entry that a follower has, by its newest answer to this
// leader. It is false if there is none: the follower's log may not be the leader's
// yet.
func (t *transport) stored(id raft.ServerID) (last uint64, ok bool) {
	for _, p := range *t.appenders.Load() {
		if p.id == id {
			last, ok = p.stored()
			if ok {
				return last, true
			}
		}
	}
	return 0, false
}

// forget takes a closed appender out.
func (t *transport) forget(p *appender) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := slices.DeleteFunc(slices.Clone(*t.appenders.Load()), func(q *appender) bool { return q == p })
	t.appenders.Store(&open)
}

// sendEarly sends entries that the leader is about to store to the followers
// that keep up. It does not block.
func (t *transport) sendEarly(entries []*raft.Log, commit uint64) {
	t.logged.Store(entries[len(entries)-1].Index)
	var shared earlyFrame
	for _, p := range *t.appenders.Load() {
		p.sendEarly(entries, commit, &shared)
	}
}

// endPipelines closes all append streams. Raft has one goroutine that sends and
// one that takes answers; when leadership is lost the latter may go first, and
// the sender then waits for room, and Raft's shutdown for the sender. While
// leading it is harmless: Raft opens a stream again.
func (t *transport) endPipelines() {
	for _, p := range *t.appenders.Load() {
		p.Close()
	}
	t.laggards.calm()
}

// label is what stands for a server's address wherever Raft wants one: its id.
// Where the server is found is decided at each dial. So it may move without a
// change of Raft's configuration, two may exchange their addresses, and those who
// write 0.0.0.0 for themselves are not taken for each other, as in votes, where
// Raft tells candidates apart by their addresses.
func label(sid int64) raft.ServerAddress { return raft.ServerAddress(serverID(sid)) }

// labels gives Raft the label of a server, whatever its configuration says: those
// of earlier releases hold addresses.
type labels struct{}

// ServerAddr implements raft.ServerAddressProvider.
func (labels) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// streamLayer dials and accepts for Raft. A server reaches itself through a
// pipe: its own name may not resolve yet, nor its port be open to itself.
type streamLayer struct {
	ln    net.Listener
	self  int64
	owner owner
	log   hclog.Logger

	refused  peer.Repeats
	accepted chan net.Conn
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	once     sync.Once
	wg       sync.WaitGroup

	mu      sync.Mutex
	cameUp  chan struct{}         // closed, and replaced, when a peer comes up
	dialled map[net.Conn]struct{} // nil once closed
	// incoming are the connections that Raft's transport serves, by who has dialled.
	incoming map[net.Conn]int64
}

// Dial implements raft.StreamLayer.
func (l *streamLayer) Dial(addr raft.ServerAddress, _ time.Duration) (net.Conn, error) {
	sid := sidOf(raft.ServerID(addr))
	if sid == l.self {
		return l.dialSelf()
	}
	conn, err := l.dial(sid, peer.PurposeRaft)
	if err != nil {
		return nil, err
	}
	return l.keep(conn)
}

// dial connects to the election port of another server.
func (l *streamLayer) dial(sid int64, purpose peer.Purpose) (net.Conn, error) {
	if err := l.awaitPeer(sid); err != nil {
		return nil, err
	}
	addr := l.owner.electionAddr(sid)
	if addr == "" {
		return nil, fmt.Errorf("nobody has said where server %d is", sid)
	}
	conn, _, err := peer.Dial(l.ctx, addr, l.owner, sid, purpose)
	return conn, err
}

// keep notes a dialled connection, so that Close can end what is done on it, and
// starts what serves it.
func (l *streamLayer) keep(conn net.Conn, serve ...func(net.Conn)) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialled == nil {
		conn.Close()
		return nil, net.ErrClosed
	}
	l.dialled[conn] = struct{}{}
	kept := &dialledConn{Conn: conn, l: l}
	for _, fn := range serve {
		l.wg.Go(func() { fn(kept) })
	}
	return kept, nil
}

// dialledConn puts a deadline that it is given off by what it has to send: Raft gives
// each message the same time, but for a snapshot, whose time is so doubled, and a follower behind a slow link gets megabytes in
// one, and would never catch up.
type dialledConn struct {
	net.Conn
	l        *streamLayer
	deadline time.Time // zero for none; of the goroutine that makes the call
}

// leastRate is that of a link which Raft can use, in bytes a second: the one by which
// it counts for snapshots.
const leastRate = raft.DefaultTimeoutScale / int64(raftRPCTimeout/time.Second)

// timeFor is how long so many bytes may take.
func timeFor(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / time.Duration(leastRate)
}

// SetDeadline implements net.Conn.
func (c *dialledConn) SetDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

// Write implements net.Conn.
func (c *dialledConn) Write(b []byte) (int, error) {
	if !c.deadline.IsZero() {
		c.deadline = c.deadline.Add(timeFor(len(b)))
		if err := c.Conn.SetDeadline(c.deadline); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *dialledConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.dialled, c.Conn)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// SyscallConn implements syscall.Conn, if the connection has one.
func (c *dialledConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// awaitPeer holds a dial back while the peer's stream says that it is down.
// Raft doubles its pause with each attempt that fails, up to ten seconds, and
// would let a follower that is back wait for as long; an attempt that waits
// instead goes through at once.
func (l *streamLayer) awaitPeer(sid int64) error {
	deadline := time.NewTimer(waitForPeer)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		cameUp := l.cameUp
		l.mu.Unlock()
		if l.owner.Connected(sid) {
			return nil
		}
		select {
		case <-cameUp:
		case <-deadline.C:
			return nil // its quorum port may be all that is out of reach
		case <-l.ctx.Done():
			return net.ErrClosed
		}
	}
}

// peerUp lets the dials go that wait for a peer.
func (l *streamLayer) peerUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.cameUp)
	l.cameUp = make(chan struct{})
}

func (l *streamLayer) dialSelf() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.accepted <- there:
		return l.keep(here) // Raft pools it, and closes no pool when it ends
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// admit answers the handshake of an incoming connection, and serves it or hands
// it to the stock transport.
func (t *transport) admit(raw net.Conn) {
	l := t.layer
	stop := context.AfterFunc(l.ctx, func() { raw.Close() })
	conn, id, purpose, err := peer.Answer(l.ctx, raw, l.owner)
	if err == nil && purpose == peer.PurposeAppend {
		t.serveAppends(conn, id)
		stop()
		return
	}
	if err == nil && purpose != peer.PurposeRaft {
		err = fmt.Errorf("%w: purpose %q on the election port", peer.ErrRefused, purpose)
	}
	if err != nil {
		stop()
		raw.Close()
		if !errors.Is(err, peer.ErrRefused) {
			l.log.Debug("connection to the election port without handshake", "peer", raw.RemoteAddr(), "error", err)
		} else {
			l.refused.Warn(l.log, peer.About(raw, id, err), "refusing a connection on the election port", "peer", raw.RemoteAddr(), "sid", id.SID, "error", err)
		}
		return
	}
	l.mu.Lock()
	l.incoming[conn] = id.SID
	l.mu.Unlock()
	select {
	case l.accepted <- acceptedConn{conn, l, stop}:
	case <-l.ctx.Done():
		conn.Close()
	}
}

// acceptedConn ends with the layer, so that Close does not wait for the rest of a
// snapshot.
type acceptedConn struct {
	net.Conn
	l    *streamLayer
	stop func() bool
}

// Close implements net.Conn.
func (c acceptedConn) Close() error {
	c.stop()
	c.l.mu.Lock()
	delete(c.l.incoming, c.Conn)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// cutOff ends what a peer sends to Raft.
func (l *streamLayer) cutOff(sid int64) {
	l.log.Warn("a snapshot has stopped arriving: closing the connections of its sender", "sid", sid)
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn, from := range l.incoming {
		if from == sid {
			conn.Close()
		}
	}
}

// Accept implements net.Listener for Raft's transport.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *streamLayer) Close() error {
	var err error
	l.once.Do(func() {
		l.stop()
		l.mu.Lock()
		for conn := range l.dialled {
			conn.Close()
		}
		l.dialled = nil
		l.mu.Unlock()
		if l.ln != nil {
			err = l.ln.Close()
		}
	})
	l.wg.Wait()
	return err
}

// Addr implements net.Listener: the label.
func (l *streamLayer) Addr() net.Addr { return labelAddr(label(l.self)) }

type labelAddr string

func (a labelAddr) Network() string { return "tcp" }
func (a labelAddr) String() string  { return string(a) }
