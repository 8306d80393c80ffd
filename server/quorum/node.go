package quorum

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
	"zooraft/server/quorum/store"
	"zooraft/zabcompat"
	"zooraft/zabcompat/metrics"
)

// Errors of the package.
var (
	// ErrNotServing reports that this server cannot take requests now: it has not
	// joined its ensemble, or has lost it.
	ErrNotServing = errors.New("not serving")
	// ErrTooLarge reports a request that no log entry can hold.
	ErrTooLarge = errors.New("request too large for the log")
	// ErrFenced reports that another process has registered under this server's id.
	ErrFenced = errors.New("another process runs under this server's id")
	// ErrElectionBind reports that the election or quorum port is not to be had.
	ErrElectionBind = errors.New("cannot bind a port for the other servers")
)

// Config is what the package needs to know.
type Config struct {
	SID int64
	// Reconfig: the membership may be changed by clients (reconfigEnabled).
	Reconfig bool
	Members  []zabcompat.ServerSpec // with this server; empty for a standalone server
	// Initialize are files without one of which a server with a blank disk begins no
	// ensemble with others, and only joins one. They are removed when it has a Raft.
	// None: it may begin one.
	Initialize []string
	// BindHost is where the quorum and election ports listen, "" for all addresses.
	BindHost string
	// BindTries is how often binding them is tried, a second apart; less than 1 is 1.
	BindTries int
	// Security is what the ports for the other servers speak, both ways; nil for plain
	// text.
	Security peer.Security
	Store    store.Config
	// SyncLimit is how long a server goes on serving without a leader.
	SyncLimit time.Duration
	// ReadOnlyAfter is how long it must have been without one to serve reads; 0
	// means that it never does.
	ReadOnlyAfter time.Duration
	// InitLimit is how long a server may take to catch up before a change of the
	// membership is given up for it, and how long one that is no member may be
	// away.
	InitLimit time.Duration
	// Heartbeat is Raft's heartbeat and election timeout: what it takes to notice
	// a leader that is silent but whose connections stand.
	Heartbeat time.Duration
	SnapCount int // requests between snapshots, as a rule; see snapshot.go
	// Metrics takes the figures; nil means that nobody looks at them.
	Metrics *metrics.Metrics
	Log     hclog.Logger
}

// Service is what a server can do for its clients.
type Service int32

// The services. Full means that the server has joined its ensemble and is in
// touch with a leader; Reads that it has been cut off for Config.ReadOnlyAfter,
// and has a state to show.
const (
	None Service = iota
	Reads
	Full
)

// Events tells the owner of a Node what happens. The methods are called from
// the Node's goroutines and must not block.
type Events interface {
	// Serving reports a change of what the server can do for clients.
	Serving(Service)
	// Leading reports that this server leads from now on in term, everything of
	// earlier terms being applied; Following that it no longer does.
	Leading(term uint64)
	Following()
	// Peer takes a frame that another package's peer sent with Send.
	Peer(from int64, kind byte, body []byte)
	// Status answers a status question of a peer or an operator, in JSON. It may
	// block for a moment.
	Status() []byte
	// Room reports a change of what may be written: all, deletions and the like,
	// nothing.
	Room(Room)
	// Fatal reports that the server must stop, and why.
	Fatal(err error)
}

// Frames on the peer stream. Kinds from frameUser on belong to the owner.
const (
	framePropose byte = iota + 1 // a request on its way to the leader
	frameResend                  // the leader lost requests: send again
	frameVote                    // a notification of the election
	frameAskIndex
	frameIndex
	frameAskTerm
	frameTerm
	frameAlone // as framePropose, with no other request of that server under way
	// FrameUser is the first kind that Send takes.
	FrameUser byte = 64
)

// Node is this server's part in the quorum.
type Node struct {
	cfg    Config
	log    hclog.Logger
	fsm    *fsm.FSM
	events Events

	stores *store.Stores
	diskID [16]byte
	disk   string // diskID in hex
	nonce  [16]byte
	trans  *transport
	mesh   *peer.Mesh
	raft   atomic.Pointer[raft.Raft] // nil until the server has joined
	logs   raft.LogStore             // Log behind a cache; set before raft
	ahead  ahead
	rests  rests
	batch  *batcher

	applied  atomic.Uint64 // index of the last command applied
	leadTerm atomic.Uint64 // the term that this server leads in, everything before being applied; 0 if it does not
	office   atomic.Uint64 // the term whose leader's first entry was applied last, until looked at
	roster   atomic.Pointer[roster]
	seen     seen                                 // of the apply goroutine
	told     atomic.Pointer[zabcompat.Membership] // by peers
	onDisk   *roster                              // published and target as the disk has them, or soon; of the main loop
	saving   atomic.Bool                          // onDisk is being written
	lost     bool                                 // no leader for long when roster was made; of the main loop
	duty     duty                                 // of the main loop
	sought   time.Time                            // when office was last sought; of the main loop
	forgot   time.Time                            // see forgetDeadLeader; of the main loop
	serving  atomic.Int32                         // a Service
	gone     atomic.Bool
	room     room
	takes    atomic.Int32 // the Room that Events was told of
	// downSince is since when there is no leader in office, in ns since 1970; 0 if
	// there is one.
	downSince atomic.Int64
	counted   uint64 // FSM.Work's requests that have been counted; of the apply goroutine

	mu         sync.Mutex // guards what follows
	origin     origin
	leaderSID  int64 // 0: none known
	leaderTerm uint64
	heardAt    time.Time // when a leader that hears this server was last known, see contact
	ledAt      time.Time // when a leader was
	syncs      syncs
	election   election

	snaps   snapshots
	marks   marks
	damaged peer.Repeats // what is said of a snapshot that cannot be sent
	stages  stages
	wake    chan struct{} // something changed for the main loop
	stop    chan struct{}
	loop    sync.WaitGroup // the main loop, and keepMarks
	wg      sync.WaitGroup // the others
	once    sync.Once
}

// New opens the stores, restores the newest snapshot into f and binds the
// ports. It joins nothing before Start.
func New(cfg Config, f *fsm.FSM, ev Events) (*Node, error) {
	if cfg.Metrics == nil {
		cfg.Metrics = new(metrics.Metrics)
	}
	cfg.Store.Metrics = cfg.Metrics
	n := &Node{
		cfg:     cfg,
		log:     cfg.Log,
		fsm:     f,
		events:  ev,
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		heardAt: time.Now(), ledAt: time.Now(),
	}
	n.snaps.roll = mathrand.Float64()
	n.syncs.number = uint64(mathrand.Uint32()) << 16 // unlike those of an earlier process
	n.room.changed = make(chan struct{})
	n.batch = newBatcher(n)
	n.election.init(n)
	if !n.standalone() {
		n.rests.delay = runDelay
		n.rests.bound(math.MaxInt64)
	}

	cfg.Store.OnStall = func(d time.Duration) {
		ev.Fatal(fmt.Errorf("a write to the log has been stuck for %v: leaving, so that another server can lead", d))
	}
	cfg.Store.OnFail = func(err error) {
		ev.Fatal(fmt.Errorf("the disk cannot be written any more: %w", err))
	}
	cfg.Store.OnEntry = n.ahead.note
	cfg.Store.OnRead = n.rests.giveWay
	var err error
	if n.stores, err = store.Open(cfg.Store); err != nil {
		return nil, err
	}
	if last, err := n.stores.Log.LastIndex(); err == nil && last == 0 {
		n.ahead = ahead{} // Open has dropped what it had read
	}
	if err := n.checkAlone(); err != nil {
		return nil, errors.Join(err, n.stores.Close())
	}
	n.diskID = n.stores.Identity().Disk
	n.disk = hex.EncodeToString(n.diskID[:])
	boots, err := boot(n.stores.Stable)
	if err != nil {
		return nil, errors.Join(err, n.stores.Close())
	}
	binary.BigEndian.PutUint64(n.nonce[:], boots)
	rand.Read(n.nonce[8:])
	start := time.Now()
	if _, err = n.stores.Restore(f); err != nil {
		return nil, errors.Join(err, n.stores.Close())
	}
	cfg.Metrics.StartSnapshotTime.Time(time.Since(start))
	cfg.Metrics.InitTime.Time(time.Since(start))
	clock, snapshot := f.Clock()
	if cfg.ReadOnlyAfter > 0 {
		if err = n.replay(); err != nil {
			return nil, errors.Join(err, n.stores.Close())
		}
	}
	_, applied := f.Clock()
	n.applied.Store(applied)
	n.ahead.settle(clock, snapshot, applied)
	n.noteSnapshot()
	n.measure()
	n.look(false)
	if err = n.bind(); err != nil {
		return nil, errors.Join(err, n.stores.Close())
	}
	return n, nil
}

// bind opens the election and quorum ports, or the in-process transport of a
// standalone server.
func (n *Node) bind() error {
	if n.standalone() {
		n.trans = newTransport(nil, n.cfg.SID, n, n.cfg.Metrics, raftLog{n.log.Named("raft")})
		return nil
	}
	self, _ := zabcompat.Membership{Servers: n.cfg.Members}.Server(n.cfg.SID)
	tries := n.cfg.BindTries
	electionLn, err := n.listen(self.ElectionPort, &tries)
	if err != nil {
		return fmt.Errorf("%w: election port: %w", ErrElectionBind, err)
	}
	quorumLn, err := n.listen(self.QuorumPort, &tries)
	if err != nil {
		electionLn.Close()
		return fmt.Errorf("%w: quorum port: %w", ErrElectionBind, err)
	}
	n.log.Info(fmt.Sprintf("%d is accepting connections now, my election bind port: /%s", n.cfg.SID, electionLn.Addr()))
	n.warnOfLoopback(electionLn.Addr())
	n.mesh = peer.New(quorumLn, n.roster.Load().peers, n, n.log.Named("peer"))
	n.trans = newTransport(electionLn, n.cfg.SID, n, n.cfg.Metrics, raftLog{n.log.Named("raft")})
	return nil
}

// Start joins the ensemble in the background.
func (n *Node) Start() {
	n.wg.Add(2)
	go n.measureRoom()
	go n.batch.run()
	go n.batch.drain() // may outlive Close: see drain
	if n.mesh != nil {
		n.mesh.Start()
	}
	n.loop.Add(1)
	go n.run()
	if n.cfg.ReadOnlyAfter > 0 {
		n.loop.Add(1)
		go n.keepMarks()
	}
}

// observeEvery is how often the main loop looks, if nothing has called it.
const observeEvery = 50 * time.Millisecond

// run is the main loop: it joins, then follows Raft's leadership and keeps the
// clocks that are not Raft's.
func (n *Node) run() {
	defer n.loop.Done()
	if !n.join() {
		return
	}
	changes := make(chan raft.Observation, 64)
	n.raft.Load().RegisterObserver(raft.NewObserver(changes, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	}))
	n.mu.Lock()
	n.heardAt, n.ledAt = time.Now(), time.Now() // what took its time until here is no silence
	n.mu.Unlock()
	n.snaps.started = time.Now()
	n.election.begin()
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		n.answerOwn()
		n.observe()
		select {
		case <-n.stop:
			return
		case <-changes:
		case <-n.wake:
		case <-tick.C:
		}
	}
}

// poke makes the main loop look at Raft's state again.
func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// observe takes note of who leads and acts on a change.
func (n *Node) observe() {
	r := n.raft.Load()
	term := r.CurrentTerm()
	_, id := r.LeaderWithID()
	for after := r.CurrentTerm(); after != term; after = r.CurrentTerm() {
		term = after
		_, id = r.LeaderWithID()
	}
	sid := sidOf(id)
	if sid == n.cfg.SID && r.State() != raft.Leader {
		sid = 0
	}
	now := time.Now()
	led := sid == n.cfg.SID || sid != 0 && now.Sub(r.LastContact()) < n.cfg.SyncLimit
	var contact time.Time
	if led {
		contact = n.contact(sid, now)
	}

	n.mu.Lock()
	changed := sid != n.leaderSID || (sid != 0 && term != n.leaderTerm)
	if changed {
		n.leaderSID, n.leaderTerm = sid, term
	}
	if contact.After(n.heardAt) {
		n.heardAt = contact
	}
	if led {
		n.ledAt = now
	}
	lost, leaderless := now.Sub(n.heardAt) > n.cfg.SyncLimit, now.Sub(n.ledAt) > n.cfg.SyncLimit
	n.mu.Unlock()

	if changed {
		n.leaderChanged(sid, term)
	}
	n.look(leaderless)
	n.seekOffice(now)
	n.enterOffice()
	n.noteCluster()
	n.noteRoom()
	n.reconcile(r, now)
	n.snapshotIfDue(r)
	n.batch.askIfDoubtful(now)
	n.resendIfStuck(now)
	n.resyncIfStuck(now)
	n.forgetDeadLeader(r, id, now)
	n.election.tick(now, sid, term, sid == n.cfg.SID || r.LastContact().After(n.Since()))
	n.setServing(n.service(now, lost))
}

// contact is when this server and a leader that it hears last heard each other, as far
// as can be told: the zero time if that cannot be. A leader that hears nothing from here may
// still be heard, where packets get lost in one direction, but neither requests
// nor the signs of life of sessions reach it. And where the own disk hangs, nothing
// comes of what is heard, but on a server by itself, for whose clients there is nobody else.
func (n *Node) contact(sid int64, now time.Time) time.Time {
	switch {
	case n.standalone():
		return now
	case n.diskHangs():
		return time.Time{}
	case sid == n.cfg.SID:
		return now
	}
	silence, up := n.mesh.Silence(sid)
	switch {
	case !up:
		return time.Time{}
	case silence > peerSilence:
		return now.Add(-silence)
	}
	return now
}

// peerSilence is for how long a host that hears this server may acknowledge nothing, as
// something is sent each second.
const peerSilence = 2 * time.Second

// service is what the server can do now. lost says that no leader was known for
// SyncLimit that hears this server.
func (n *Node) service(now time.Time, lost bool) Service {
	if !lost && (n.outOfRoom(now) || n.superseded()) {
		return None
	}
	if !lost && n.registered() {
		return Full
	}
	n.mu.Lock()
	cutOff := now.Sub(n.heardAt)
	n.mu.Unlock()
	if n.cfg.ReadOnlyAfter > 0 && cutOff >= n.cfg.ReadOnlyAfter && n.cluster() != "" {
		return Reads
	}
	return None
}

// forgetDeadLeader mends a state that Raft does not leave by itself. A server
// that stood by TimeoutNow and lost stays a candidate for up to an election
// timeout while it takes the winner's entries. If the winner falls silent just
// then, the candidate goes on knowing it as the leader and refuses its vote to
// everybody. TimeoutNow again only clears the leader: in a candidate it starts
// nothing.
func (n *Node) forgetDeadLeader(r *raft.Raft, leader raft.ServerID, now time.Time) {
	if leader == "" || r.State() != raft.Candidate || now.Sub(r.LastContact()) < n.cfg.Heartbeat || now.Sub(n.forgot) < n.cfg.Heartbeat {
		return
	}
	n.forgot = now
	n.log.Warn("a candidate still knows a leader that has fallen silent: forgetting it", "leader-sid", leader)
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		if r.State() != raft.Candidate || time.Since(r.LastContact()) < n.cfg.Heartbeat {
			return
		}
		if err := n.trans.standNow(serverID(n.cfg.SID)); err != nil {
			n.log.Debug("cannot send to itself", "error", err)
		}
	}()
}

// leaderChanged reacts to a new leader, or to there being none (sid 0).
func (n *Node) leaderChanged(sid int64, term uint64) {
	if sid != n.cfg.SID {
		n.trans.endPipelines() // of a leadership that is over
	}
	if n.leadTerm.Swap(0) != 0 {
		if !n.gone.Load() {
			n.cfg.Metrics.LeaderStepDowns.Inc()
		}
		n.events.Following()
	}
	n.election.leaderChanged(sid, term)
	n.batch.reset()
	n.reroute()
	n.sought = time.Time{}
	n.restartSync()
}

// seekOffice proposes a leader's first entry. Once it is applied here, all of
// earlier terms is. Called again while that has not come off, as when
// leadership is being handed over; twice is harmless.
func (n *Node) seekOffice(now time.Time) {
	sid, term := n.Leader()
	if sid != n.cfg.SID || n.leadTerm.Load() == term || now.Sub(n.sought) < seekAgain {
		return
	}
	n.sought = now
	lead := fsm.Lead{Cluster: newClusterID(), Servers: n.cfg.Members, Versioned: n.cfg.Reconfig}
	n.batch.add(fsm.Origin{}, 0, lead.Append(nil), false)
}

// enterOffice tells the owner that this server leads, once its first entry is
// applied. Like leaderChanged it runs in the main loop, so that Leading and
// Following alternate.
func (n *Node) enterOffice() {
	term := n.office.Swap(0)
	if term == 0 {
		return
	}
	if sid, now := n.Leader(); sid != n.cfg.SID || now != term || n.leadTerm.Load() == term {
		return
	}
	n.leadTerm.Store(term)
	n.election.tell()
	n.events.Leading(term)
	n.restartSync()
}

// noteCluster puts the ensemble's id on the disk, once the log has brought it.
func (n *Node) noteCluster() {
	if n.stores.Identity().Cluster != "" {
		return
	}
	if c := n.cluster(); c != "" {
		if err := n.stores.SetCluster(c); err != nil {
			n.events.Fatal(fmt.Errorf("note the ensemble's id: %w", err))
		}
	}
}

func newClusterID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// seekAgain is how long a leader waits for its first entry before it proposes it
// again.
const seekAgain = 500 * time.Millisecond

// setServing tells the owner when what the server can do changes.
func (n *Node) setServing(now Service) {
	if n.gone.Load() {
		now = None
	}
	before := Service(n.serving.Swap(int32(now)))
	if now == before {
		return
	}
	if before == Full {
		leader, _ := n.Leader()
		switch {
		case n.gone.Load():
		case !n.hasRoom():
			n.log.Warn("no room on the disk: closing client connections, other servers have room")
		case n.diskHangs():
			n.log.Warn("the disk does not answer: closing client connections", "duration", n.stores.Writing())
		case leader != 0 && leader != n.cfg.SID:
			n.log.Warn("the leader does not hear this server: closing client connections", "leader-sid", leader, "sync-limit", n.cfg.SyncLimit)
		default:
			n.log.Warn("lost the quorum: closing client connections", "sync-limit", n.cfg.SyncLimit)
		}
		n.failSyncs()
	}
	if now == Reads {
		n.log.Warn("cut off from the quorum: serving read-only clients")
	}
	n.events.Serving(now)
}

// Send queues a frame for the same package of a peer (kind >= FrameUser). It
// does not block; false means that the peer is not connected.
func (n *Node) Send(to int64, kind byte, body []byte) bool {
	return n.mesh != nil && n.mesh.Send(to, kind, body)
}

// Leader returns who leads and in which term; sid is 0 when nobody is known to.
func (n *Node) Leader() (sid int64, term uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaderSID, n.leaderTerm
}

// LeadTerm is the term that this server leads in and has taken office, else 0.
func (n *Node) LeadTerm() uint64 { return n.leadTerm.Load() }

// Duty proposes a request of the leader's own, outside any sequence, such as an
// expiry. It does not block, and says nothing of the outcome.
func (n *Node) Duty(payload []byte) { n.batch.add(fsm.Origin{}, 0, payload, false) }

// Close stops everything and closes the stores. It may be called twice.
func (n *Node) Close() error {
	var err error
	n.once.Do(func() {
		n.gone.Store(true)
		close(n.stop)
		n.batch.close()
		n.trans.layer.Close() // what waits for a peer waits no more
		if n.mesh != nil {
			n.mesh.Close()
		}
		n.loop.Wait()
		if r := n.raft.Load(); r != nil {
			ended := r.Shutdown()
			n.trans.endPipelines()
			err = ended.Error()
		}
		err = errors.Join(err, n.trans.Close())
		n.wg.Wait()
		if n.cfg.ReadOnlyAfter > 0 {
			n.markCommitted()
		}
		err = errors.Join(err, n.stores.Close())
	})
	return err
}

// Progress is how far Raft has come on this server.
type Progress struct{ Term, Last, Committed, Applied uint64 }

// Progress returns zeros before the server has joined its ensemble.
func (n *Node) Progress() Progress {
	r := n.raft.Load()
	if r == nil {
		return Progress{}
	}
	return Progress{Term: r.CurrentTerm(), Last: r.LastIndex(), Committed: r.CommitIndex(), Applied: n.applied.Load()}
}

// SlowSyncs counts the writes of the log that took longer than the threshold.
func (n *Node) SlowSyncs() int64 { return n.stores.SlowWrites() }

// DirSizes returns the bytes of snapshots and log. It walks the files.
func (n *Node) DirSizes() (snapshots, log int64) { return n.stores.Sizes() }

// lastLogged returns Raft's last log position.
func (n *Node) lastLogged() (term, index uint64) {
	index, err := n.stores.Log.LastIndex()
	if err == nil && index > 0 {
		var l raft.Log
		if n.stores.Log.GetLog(index, &l) == nil {
			return l.Term, index
		}
	}
	if list, err := n.stores.Snapshots.List(); err == nil && len(list) > 0 {
		return list[0].Term, list[0].Index
	}
	return 0, 0
}

// loggedZxid is the zxid that the state would have with all of the log applied.
// It counts the requests of what is logged but not yet applied; a resent
// duplicate among them makes it too high by one, which at worst changes who
// stands first, never who may win.
func (n *Node) loggedZxid() (zabcompat.Zxid, uint64, uint64) {
	term, index := n.lastLogged()
	clock, applied := n.fsm.Clock()
	if applied == n.ahead.snapshot && n.ahead.stands(n.stores.Log) {
		clock, applied = n.ahead.clock, n.ahead.until // it has been counted
	}
	for i := applied + 1; i <= index; i++ {
		var l raft.Log
		if err := n.stores.Log.GetLog(i, &l); err != nil {
			break
		}
		if l.Type == raft.LogCommand {
			advance(&clock, l.Term, fsm.CountZxids(l.Data))
		}
	}
	return clock.Last(), term, index
}
