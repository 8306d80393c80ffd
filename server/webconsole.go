package server

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/client"
	"zooraft/server/console"
	"zooraft/zabcompat/metrics"
)

// startConsole makes the web console, unless it is off.
func (s *Server) startConsole(guesses *console.Guesses) {
	c := &s.cfg
	if c.AdminUI == UIOff {
		return
	}
	log := s.log.Named("console")
	if c.AdminUITokenFile != "" {
		if err := console.CheckToken(c.AdminUITokenFile); err != nil {
			log.Warn("nobody can sign in to the web console with the token", "error", err)
		}
	}
	super := c.SuperDigest
	if c.NoDigestAuth {
		super = ""
	}
	page := console.New(console.Config{
		LoopbackOnly: c.AdminUI == UILoopback,
		Knows:        admin.NewHosts(c.ownNames()).Knows,
		Write:        c.AdminUIWrite,
		SuperDigest:  super,
		Digest:       c.digest(),
		Guesses:      guesses,
		TokenFile:    c.AdminUITokenFile,
		Options:      c.requestOptions(),
		MaxBuffer:    c.JuteMaxBuffer,
	}, s.fsm, &pageSource{s: s, began: time.Now()}, log)
	page.Start()
	s.console.Store(page)
}

// consoleHandler is nil without a console.
func (s *Server) consoleHandler() http.Handler {
	if page := s.console.Load(); page != nil {
		return page
	}
	return nil
}

func (s *Server) stopConsole() {
	if page := s.console.Load(); page != nil {
		page.Close()
	}
}

// watchCount is how many watches clients have. Those of the console's pages are
// nobody's business.
func (s *Server) watchCount() int {
	n := s.fsm.Watches().NumWatches()
	if page := s.console.Load(); page != nil {
		n -= page.NumWatches()
	}
	return max(n, 0) // they come and go meanwhile
}

// watchSummary is of the clients' watches of data.
func (s *Server) watchSummary() admin.WatchSummary {
	t := s.fsm.Watches()
	sum := admin.WatchSummary{Connections: t.NumWatchers(), Paths: t.NumPaths(), Watches: t.NumDataWatches()}
	if page := s.console.Load(); page != nil {
		watches, pages, paths := page.Watches()
		sum.Connections, sum.Paths, sum.Watches = max(sum.Connections-pages, 0), max(sum.Paths-paths, 0), max(sum.Watches-watches, 0)
	}
	return sum
}

// ownNames are the names that this server is known by.
func (c *Config) ownNames() []string {
	names := append([]string{c.AdminAddress, c.ClientPortAddress}, c.AdminUIHosts...)
	if self, ok := c.Self(); ok {
		names = append(names, self.Host)
	}
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	return names
}

// pageSource answers for the web console.
type pageSource struct {
	s       *Server
	began   time.Time
	sampler sampler // of the console's own goroutine

	mu      sync.Mutex
	answers map[int64]*Status // what the members said when they were last asked
	syncs   [syncMinute]metrics.Recent
	sampled int // of syncs, so far
}

func (p *pageSource) Identity() console.Identity {
	id := console.Identity{SID: int64(p.s.cfg.SID), Version: p.s.cfg.Version, State: p.s.state(), Serving: p.s.servingSince.Load() != 0}
	p.s.fsm.View(func(v fsm.View) { id.Cluster = v.Cluster() })
	return id
}

// state is what this server does, in ZooKeeper's words.
func (s *Server) state() string {
	switch {
	case s.cfg.Standalone():
		return admin.StateStandalone
	case s.readOnly.Load():
		return admin.StateReadOnly
	}
	return s.node.State().Mode()
}

// Errors of writes, in words for whoever sees the page.
var (
	errNoQuorum = errors.New("this server is not part of a quorum now")
	errReadOnly = errors.New("this server is cut off from its quorum and serves reads only")
	errNoRoom   = errors.New("there is too little room on the disks to write this")
)

// Writable goes by the quorum: a leader that takes no clients can write.
func (p *pageSource) Writable(op protocol.OpCode) error {
	switch p.s.duty.quorumServes() {
	case client.ReadOnly:
		return errReadOnly
	case client.NoService:
		return errNoQuorum
	}
	if !p.s.clients.Takes(op) {
		return errNoRoom
	}
	return nil
}

func (p *pageSource) Propose(ip string, payload []byte, done fsm.Completion) error {
	if p.s.audit != nil {
		done = audited{p.s.audit, ip, done}
	}
	return p.s.node.Propose(payload, done)
}

var _ console.Source = (*pageSource)(nil)
