package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/audit"
	"zooraft/server/client"
	"zooraft/server/console"
	"zooraft/server/quorum"
	"zooraft/server/quorum/store"
	"zooraft/server/session"
	"zooraft/zabcompat"
	"zooraft/zabcompat/metrics"
)

// Errors that decide how a process ends.
var (
	// ErrDataDir reports a data directory that this server must not, or cannot,
	// work on.
	ErrDataDir = store.ErrDataDir
	// ErrElectionBind reports that the quorum or election port is not to be had.
	ErrElectionBind = quorum.ErrElectionBind
	// ErrAdminBind reports that the admin server's port is not to be had.
	ErrAdminBind = errors.New("unable to start the admin server")
)

// heartbeat is how long a leader may be silent before Raft's timers elect
// another. A dead process is noticed at once by its broken connections; this is
// for hosts that vanish or freeze.
const heartbeat = 500 * time.Millisecond

// leastReadOnlyDelay is how long a server looks for a leader, or a tick if that is
// longer, before it calls itself cut off (QuorumPeer.run).
const leastReadOnlyDelay = 2 * time.Second

// Server is one Zooraft server: the state machine, its part in the quorum, and
// the client port.
type Server struct {
	cfg Config
	log hclog.Logger

	fsm     *fsm.FSM
	node    *quorum.Node
	clients *client.Server
	expirer *session.Expirer
	touches session.Touches
	metrics *metrics.Metrics
	writes  metrics.Spaces // not recorded yet; of the apply goroutine
	admin   *admin.Page    // nil without
	scrapes *admin.Page    // nil without
	// console is nil without, and before the ports for operators are open.
	console atomic.Pointer[console.Console]
	excess  excessLog
	digests digests
	slow    *slowLog
	audit   *audit.Log     // nil without
	locals  *localLiveness // nil where no session is kept by this server alone

	duty    duty
	serving chan struct{}
	// servingSince is when the server began to serve, in ns since 1970; 0 while
	// it does not. readOnly says that it serves reads alone.
	servingSince atomic.Int64
	readOnly     atomic.Bool

	mu       sync.Mutex
	err      error                            // why the server stops by itself; nil while it does not
	stopped  chan struct{}                    // closed then
	expiring map[protocol.SessionID]time.Time // handed to the log, not yet gone
	overtake chan struct{}                    // closed when a snapshot replaces the state; nil if nobody waits

	unsent map[protocol.SessionID]struct{} // touched, not yet told to the leader; of tick's goroutine

	restoring sync.Mutex    // held by the restore under way
	members   chan struct{} // one slot: the membership has changed

	stop chan struct{}
	wg   sync.WaitGroup
	once sync.Once
}

// New opens the stores and restores the state. It binds the peers' ports, but
// serves nobody before Start. It blocks while a snapshot is read.
func New(cfg Config, log hclog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		log:      log,
		metrics:  new(metrics.Metrics),
		serving:  make(chan struct{}),
		stopped:  make(chan struct{}),
		members:  make(chan struct{}, 1),
		stop:     make(chan struct{}),
		expiring: make(map[protocol.SessionID]time.Time),
		unsent:   make(map[protocol.SessionID]struct{}),
	}
	if err := s.openAudit(); err != nil {
		return nil, err
	}
	s.fsm = fsm.New(int64(cfg.SID), log.Named("fsm"))
	s.fsm.Observe(observer{s})
	s.fsm.Watches().OnTold = s.countTold
	s.excess = newExcessLog(log.Named("fsm"))
	s.expirer = session.New(session.Config{
		TickTime: cfg.TickTime,
		Expire:   s.expire,
		Paused:   s.metrics.Pauses.Time,
		Logger:   log.Named("session"),
	})
	s.duty = duty{leaderServes: cfg.LeaderServes || cfg.Standalone(), tell: s.serve}
	words := admin.New(source{s}, cfg.Words())
	deps := client.Deps{Proposer: proposer{s}, State: s.fsm, Liveness: liveness{s}}
	if cfg.keepsLocalSessions() || cfg.ReadOnlyMode {
		s.locals = newLocalLiveness(s)
		deps.Local = s.locals
	}
	s.clients = client.New(client.Config{
		Addr:                   net.JoinHostPort(cfg.ClientPortAddress, strconv.Itoa(cfg.ClientPort)),
		SID:                    int64(cfg.SID),
		MinSessionTimeout:      cfg.MinSessionTimeout,
		MaxSessionTimeout:      cfg.MaxSessionTimeout,
		MaxClientCnxns:         cfg.MaxClientCnxns,
		MaxCnxns:               cfg.MaxCnxns,
		GlobalOutstandingLimit: cfg.GlobalOutstandingLimit,
		JuteMaxBuffer:          cfg.JuteMaxBuffer,
		SuperDigest:            cfg.SuperDigest,
		Digest:                 cfg.digest(),
		EagerACLCheck:          cfg.EagerACLCheck && !cfg.Standalone(),
		Limits:                 cfg.Limits,
		EnforceAuth:            cfg.EnforceAuth,
		Ensemble:               cfg.ensemble(),
		Options:                cfg.requestOptions(),
		Metrics:                s.metrics,
		LocalSessions:          cfg.keepsLocalSessions(),
		UpgradeLocal:           cfg.LocalSessionsUpgrading,
		Words:                  words.Answer,
		SlowAfter:              cfg.SlowRequest,
		Slow:                   s.noteSlow,
		Audit:                  s.auditor(),
	}, deps, log.Named("client"))

	var err error
	s.node, err = quorum.New(s.quorumConfig(), s.fsm, events{s})
	if err != nil {
		s.auditStart(err)
		return nil, err
	}
	s.slow = newSlowLog(log.Named("client"), s.node.Stages)
	return s, nil
}

// noteSlow is slow.note once that is there.
func (s *Server) noteSlow(w *client.Slow) { s.slow.note(w) }

func (s *Server) quorumConfig() quorum.Config {
	cfg := quorum.Config{
		SID:       int64(s.cfg.SID),
		SyncLimit: time.Duration(s.cfg.SyncLimit) * s.cfg.TickTime,
		InitLimit: time.Duration(s.cfg.InitLimit) * s.cfg.TickTime,
		Heartbeat: heartbeat,
		SnapCount: s.cfg.SnapCount,
		Metrics:   s.metrics,
		Log:       s.log.Named("quorum"),
		Store:     s.cfg.stores(s.log),
	}
	if s.cfg.Standalone() {
		return cfg
	}
	if s.cfg.ReadOnlyMode {
		cfg.ReadOnlyAfter = max(s.cfg.TickTime, leastReadOnlyDelay)
	}
	cfg.BindTries = s.cfg.ElectionPortBindRetry
	if cfg.BindTries == 0 {
		cfg.BindTries = math.MaxInt
	}
	cfg.Members, cfg.Reconfig = s.cfg.Servers, s.cfg.ReconfigEnabled
	if !s.cfg.AutoCreates() {
		for _, dir := range []string{s.cfg.DataDir, s.cfg.LogDir()} {
			cfg.Initialize = append(cfg.Initialize, filepath.Join(dir, "initialize"))
		}
	}
	if self, _ := s.cfg.Self(); !s.cfg.QuorumListenOnAllIPs {
		cfg.BindHost = self.Host
	}
	return cfg
}

func (c *Config) stores(log hclog.Logger) store.Config {
	return store.Config{
		DataDir:    c.DataDir,
		DataLogDir: c.LogDir(),
		Kind:       c.LogStore,
		SID:        int64(c.SID),
		SnapRetain: c.SnapRetainCount,
		SlowSync:   c.SlowSync,
		Log:        log.Named("store"),
	}
}

// Start opens the client port and joins the ensemble in the background.
func (s *Server) Start() error {
	err := s.open()
	s.auditStart(err)
	if err != nil {
		return err
	}
	s.node.Start()
	s.wg.Add(2)
	go s.tick()
	go s.followMembership()
	return nil
}

// open opens the ports for clients and operators.
func (s *Server) open() error {
	if err := s.clients.Listen(); err != nil {
		return err
	}
	s.log.Info(fmt.Sprintf("binding to port /%s", s.clients.Addr()))
	return s.startAdmin()
}

// Serving is closed when the server serves clients for the first time.
func (s *Server) Serving() <-chan struct{} { return s.serving }

// Done is closed when the server has to stop by itself; Err says why. The owner
// still calls Shutdown.
func (s *Server) Done() <-chan struct{} { return s.stopped }

// Err is why the server stopped by itself, or nil.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ClientAddr is the address of the client port, once Start has succeeded.
func (s *Server) ClientAddr() net.Addr { return s.clients.Addr() }

// Shutdown stops from the outside in: no new clients, leadership handed over,
// connections closed (their sessions live on), peers, Raft, stores. It blocks
// until all goroutines have ended; ctx bounds only the hand-over. It may be
// called twice.
func (s *Server) Shutdown(ctx context.Context) error {
	var err error
	s.once.Do(func() {
		if s.audit != nil {
			s.audit.Stopping()
		}
		s.clients.StopAccepting()
		s.node.Retire(ctx)
		s.clients.Close()
		close(s.stop)
		s.wg.Wait()
		s.expirer.Close()
		s.stopAdmin()
		s.locals.close()
		s.slow.close()
		err = s.node.Close()
		if s.audit != nil {
			err = errors.Join(err, s.audit.Close())
		}
	})
	return err
}

// fatal makes the server stop: its owner hears of it by Done.
func (s *Server) fatal(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.metrics.UnrecoverableErrors.Inc()
	s.err = err
	s.log.Error("this server must stop", "error", err)
	close(s.stopped)
}

// frameTouch carries the ids of sessions heard from, to the leader.
const frameTouch = quorum.FrameUser

// tick tells the leader every half tick which sessions this server has heard
// from, as ZooKeeper's followers do with its pings. While this server leads, it
// also removes what has run its course.
func (s *Server) tick() {
	defer s.wg.Done()
	period := s.cfg.TickTime / 2
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	reap := newReaper(s.cfg.ContainerCheckInterval, s.cfg.ContainerMaxPerMinute, period)
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		s.reportTouches()
		s.locals.reportTouches()
		s.retryExpiries()
		s.ageStaged()
		reap.tick(time.Now(), s.node.LeadTerm(), s.spentNodes, s.remove)
	}
}

func (s *Server) reportTouches() {
	s.touches.Drain(func(id protocol.SessionID) { s.unsent[id] = struct{}{} })
	if len(s.unsent) == 0 {
		return
	}
	ids := make([]protocol.SessionID, 0, len(s.unsent))
	for id := range s.unsent {
		ids = append(ids, id)
	}
	leader, _ := s.node.Leader()
	switch {
	case s.node.LeadTerm() != 0:
		s.expirer.Touch(ids...)
	case leader == 0 || leader == int64(s.cfg.SID):
		return // told to the next leader
	default:
		if !s.node.Send(leader, frameTouch, appendIDs(nil, ids)) {
			return
		}
	}
	clear(s.unsent)
}

func appendIDs(b []byte, ids []protocol.SessionID) []byte {
	for _, id := range ids {
		b = protocol.AppendInt64(b, int64(id))
	}
	return b
}

func decodeIDs(b []byte) []protocol.SessionID {
	d := protocol.NewDecoder(b)
	ids := make([]protocol.SessionID, 0, len(b)/8)
	for d.Remaining() >= 8 {
		ids = append(ids, protocol.SessionID(d.Int64()))
	}
	return ids
}

// expire puts the end of silent sessions into the log, each on condition that
// it still belongs to the connection it belongs to now.
func (s *Server) expire(term uint64, ids []protocol.SessionID) {
	r := fsm.Expire{Term: term}
	var timeouts []int32
	now := time.Now()
	s.fsm.View(func(v fsm.View) {
		for _, id := range ids {
			// One that has just moved is closing no more.
			if timeout, owner, ok := v.Session(id); ok && s.expirer.Closing(id) {
				timeouts = append(timeouts, timeout)
				r.Sessions = append(r.Sessions, fsm.ExpiredSession{Session: id, Owner: owner})
			}
		}
	})
	s.mu.Lock()
	for _, e := range r.Sessions {
		s.expiring[e.Session] = now
	}
	s.mu.Unlock() // before a log that may be slow: apply takes it
	for i, e := range r.Sessions {
		s.log.Info(fmt.Sprintf("Expiring session %s, timeout of %dms exceeded", e.Session, timeouts[i]))
	}
	if len(r.Sessions) > 0 {
		s.node.Duty(r.Append(nil))
	}
}

// retryExpiries hands sessions back to the expirer whose end did not come
// through, as when leadership was being transferred.
func (s *Server) retryExpiries() {
	var again []protocol.SessionID
	s.mu.Lock()
	for id, at := range s.expiring {
		if time.Since(at) > 2*s.cfg.TickTime {
			delete(s.expiring, id)
			again = append(again, id)
		}
	}
	s.mu.Unlock()
	for _, id := range again {
		s.expirer.Retry(id)
	}
}

// The adapters below are what the parts of the server see of each other.

type proposer struct{ s *Server }

func (p proposer) Propose(payload []byte, done fsm.Completion) error {
	return p.s.node.Propose(payload, done)
}

func (p proposer) Sync(done func(v fsm.View, err error)) { p.s.node.Sync(done) }

type liveness struct{ s *Server }

func (l liveness) Session(id protocol.SessionID) client.Toucher { return l.s.touches.Session(id) }

// observer hears from the state machine, under the state lock.
type observer struct{ s *Server }

func (o observer) Completed(v fsm.View, seq uint64, r *fsm.Result) { o.s.node.Completed(v, seq, r) }
func (o observer) OutOfSequence(want uint64)                       { o.s.node.OutOfSequence(want) }
func (o observer) Registered(sid int64, incarnation uint64, nonce [16]byte) {
	o.s.node.Registered(sid, incarnation, nonce)
}

func (o observer) Led(term uint64) { o.s.node.Led(term) }

// leads says whether this server is the leader in office, which counts what all
// servers hear of.
func (o observer) leads() bool { return o.s.node != nil && o.s.node.LeadTerm() != 0 }

func (o observer) OverQuota(x *fsm.Excess) {
	if x.Hard {
		o.s.metrics.QuotaExceeded.For(metrics.Namespace(x.Path)).Inc()
	}
	if o.leads() {
		o.s.excess.note(x)
	}
}

func (o observer) Wrote(path string, bytes int) {
	o.s.writes.Note(&o.s.metrics.WritePerNamespace, path, bytes)
}

func (o observer) SessionOpened(id protocol.SessionID, timeout int32, _ fsm.Owner) {
	o.s.expirer.Opened(id, millis(timeout))
}

func (o observer) SessionAttached(id protocol.SessionID, timeout int32, _ fsm.Owner) {
	if o.leads() {
		o.s.metrics.SessionMoves.Inc()
	}
	o.s.expirer.Attached(id, millis(timeout))
}

func (o observer) SessionClosed(id protocol.SessionID, expired bool) {
	if expired && o.leads() {
		o.s.metrics.StaleSessionsExpired.Inc()
	}
	o.s.expirer.Closed(id)
	o.s.clients.SessionClosed(id)
	o.s.mu.Lock()
	delete(o.s.expiring, id)
	o.s.mu.Unlock()
}

// EphemeralsDeleted is for the audit log. A server that starts has the lines of what
// it reads again already, and what happened while it was away stands in the others'.
func (o observer) EphemeralsDeleted(id protocol.SessionID, paths []string) {
	if o.s.audit != nil && o.s.node != nil && o.s.node.CaughtUp() {
		o.s.audit.Ephemerals(id, paths)
	}
}

func (o observer) Reconfigured(v fsm.View, owner fsm.Owner, r *fsm.Result) {
	if owner.SID == int64(o.s.cfg.SID) {
		if o.s.audit != nil {
			o.s.audit.Reconfigured(r)
		}
		o.s.clients.Reconfigured(owner.Conn, v, r)
	}
}
func (o observer) Membership(fsm.View) { o.s.membershipChanged() }
func (o observer) SnapshotInstalled(v fsm.View) {
	if o.s.node == nil {
		return // the start: nobody is here yet
	}
	under := o.s.node.InFlight()
	o.s.node.SnapshotInstalled(v)
	if n := under - o.s.node.InFlight(); n > 0 && o.s.audit != nil {
		o.s.audit.Lost(n)
	}
	o.s.noteOvertaken()
	o.s.membershipChanged()
	o.s.clients.DropAll("the state was replaced by a snapshot")
	if c := o.s.console.Load(); c != nil {
		c.Restored()
	}
}

// EnsembleRestored has every client come again: with it come its watches, and it
// hears of what is different.
func (o observer) EnsembleRestored(v fsm.View) {
	o.s.log.Info("the znodes and sessions of a snapshot have been restored", "zxid", zabcompat.Zxid(v.LastZxid()), "count", v.NodeCount())
	if c := o.s.console.Load(); c != nil {
		c.Restored()
	}
	o.s.clients.DropAll("the state was replaced by a restore")
}

func (o observer) Applied(v fsm.View, index uint64) {
	// The clock is the leader's, and where it differs from this one's, so does the
	// figure, as in ZooKeeper. What a server that comes back catches up with is as
	// old as its absence was long, and says nothing.
	if o.s.servingSince.Load() != 0 {
		o.s.metrics.Propagation.Time(time.Duration(time.Now().UnixMilli()-v.Now()) * time.Millisecond)
	}
	o.s.node.Applied(v, index)
}

func (o observer) Flush() {
	o.s.writes.Fold()
	o.s.clients.Flush()
}

// countTold notes how many watchers have heard of one event.
func (s *Server) countTold(typ protocol.EventType, watchers int) {
	n := int64(watchers)
	switch typ {
	case protocol.EventNodeCreated:
		s.metrics.NodeCreatedWatches.Observe(n)
	case protocol.EventNodeDeleted:
		s.metrics.NodeDeletedWatches.Observe(n)
	case protocol.EventNodeDataChanged:
		s.metrics.NodeChangedWatches.Observe(n)
	case protocol.EventNodeChildrenChanged:
		s.metrics.NodeChildrenWatches.Observe(n)
	}
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

// events hears from the quorum.
type events struct{ s *Server }

func (e events) Serving(now quorum.Service) {
	why := "this server has lost its quorum"
	service := client.NoService
	switch now {
	case quorum.Full:
		service, why = client.FullService, "this server has its quorum back" // said to those who came to read only
	case quorum.Reads:
		service = client.ReadOnly
	}
	e.s.duty.change(why, func(d *duty) { d.quorum = service })
}

// Room passes on how much may be written.
func (e events) Room(now quorum.Room) {
	writes := client.AllWrites
	switch now {
	case quorum.RoomScarce:
		writes = client.FewWrites
	case quorum.RoomNone:
		writes = client.NoWrites
	}
	e.s.clients.SetWrites(writes)
}

func (e events) Leading(term uint64) {
	e.s.expirer.Lead(term, func(yield func(protocol.SessionID, time.Duration)) {
		e.s.fsm.View(func(v fsm.View) {
			for id, timeout := range v.Sessions() {
				yield(id, millis(timeout))
			}
		})
	})
	e.s.duty.change("the leader takes no clients", func(d *duty) { d.leads = true })
}

func (e events) Following() {
	e.s.duty.change("", func(d *duty) { d.leads = false })
	e.s.expirer.Follow()
}

func (e events) Peer(_ int64, kind byte, body []byte) {
	if kind == frameTouch {
		e.s.expirer.Touch(decodeIDs(body)...)
	}
}

func (e events) Status() []byte {
	st := e.s.Status()
	st.Settings = e.s.cfg.shared()
	b, err := json.Marshal(st)
	if err != nil {
		panic(err) // plain fields
	}
	return b
}

func (e events) Fatal(err error) { e.s.fatal(err) }
