package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/audit"
	"zooraft/server/certs"
	"zooraft/server/client"
	"zooraft/server/console"
	"zooraft/server/quorum"
	"zooraft/server/quorum/store"
	"zooraft/server/session"
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

// leastHeartbeat is the shortest heartbeat.
const leastHeartbeat = 500 * time.Millisecond

// heartbeat is how long a leader may be silent before Raft's timers elect another,
// and be without a majority's answers before it gives up. A dead process is noticed
// at once by its broken connections; this is for hosts that vanish or freeze. It is a
// third of a tick, for tickTime is what an operator whose hosts stall would raise.
func heartbeat(tick time.Duration) time.Duration { return max(tick/3, leastHeartbeat) }

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
	scrapes []*admin.Page  // for Prometheus
	// console is nil without, and before the ports for operators are open.
	console atomic.Pointer[console.Console]
	excess  excessLog
	digests digests
	slow    *slowLog
	audit   *audit.Log     // nil without
	locals  *localLiveness // nil where no session is kept by this server alone

	clientCerts *certs.Certs   // nil without TLS for clients
	pageCerts   []*certs.Certs // what the ports for operators speak TLS with
	quorumTLS   *quorumTLS     // nil without TLS between servers

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
	saslServers, err := cfg.saslServers(log.Named("sasl"))
	if err != nil {
		return nil, fmt.Errorf("java.security.auth.login.config: %w", err)
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
	_, maxFiles := fileDescriptors()
	plain, secure := cfg.clientAddrs()
	s.clients = client.New(client.Config{
		Addr:                   plain,
		SecureAddr:             secure,
		Unified:                cfg.ClientPortUnification,
		BeginsTLS:              certs.BeginsTLS,
		Secure:                 s.secureClient,
		X509SuperUser:          cfg.X509SuperUser,
		SID:                    int64(cfg.SID),
		MinSessionTimeout:      cfg.MinSessionTimeout,
		MaxSessionTimeout:      cfg.MaxSessionTimeout,
		MaxClientCnxns:         cfg.MaxClientCnxns,
		MaxCnxns:               cfg.MaxCnxns,
		MaxFiles:               maxFiles,
		GlobalOutstandingLimit: cfg.GlobalOutstandingLimit,
		JuteMaxBuffer:          cfg.JuteMaxBuffer,
		SuperDigest:            cfg.SuperDigest,
		Digest:                 cfg.digest(),
		EagerACLCheck:          cfg.EagerACLCheck && !cfg.Standalone(),
		Limits:                 cfg.Limits,
		EnforceAuth:            cfg.EnforceAuth,
		Ensemble:               cfg.ensemble(),
		SASL:                   saslServers,
		SASLSuperUsers:         cfg.SASLSuperUsers,
		AllowSASLFailed:        cfg.AllowSASLFailed,
		Options:                cfg.requestOptions(),
		Metrics:                s.metrics,
		LocalSessions:          cfg.keepsLocalSessions(),
		UpgradeLocal:           cfg.LocalSessionsUpgrading,
		Words:                  words.Answer,
		SlowAfter:              cfg.SlowRequest,
		Slow:                   s.noteSlow,
		Audit:                  s.auditor(),
	}, deps, log.Named("client"))

	if err = s.openTLS(); err == nil {
		s.node, err = quorum.New(s.quorumConfig(), s.fsm, events{s})
	}
	if err != nil {
		s.closeTLS()
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
		Heartbeat: heartbeat(s.cfg.TickTime),
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
	cfg.Security = s.quorumTLS.security()
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
	s.wg.Add(3)
	go s.tick()
	go s.reap()
	go s.followMembership()
	return nil
}

// open opens the ports for clients and operators.
func (s *Server) open() error {
	if err := s.clients.Listen(); err != nil {
		return err
	}
	for _, bound := range []net.Addr{s.clients.Addr(), s.clients.SecureAddr()} {
		if bound != nil {
			s.log.Info(fmt.Sprintf("binding to port /%s", bound))
		}
	}
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

// ClientAddr is the address of the client port, once Start has succeeded: the one for
// plain text, or for TLS if there is no other.
func (s *Server) ClientAddr() net.Addr {
	if plain := s.clients.Addr(); plain != nil {
		return plain
	}
	return s.clients.SecureAddr()
}

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
		s.closeTLS()
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
