package server

import (
	"errors"
	"net/http"
	"os"

	"zooraft/server/client"
	"zooraft/server/console"
)

// startConsole makes the web console, unless it is off.
func (s *Server) startConsole() {
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
	s.console = console.New(console.Config{
		LoopbackOnly: c.AdminUI == UILoopback,
		Hosts:        c.ownNames(),
		Write:        c.AdminUIWrite,
		SuperDigest:  super,
		Digest:       c.digest(),
		TokenFile:    c.AdminUITokenFile,
		Options:      c.requestOptions(),
		MaxBuffer:    c.JuteMaxBuffer,
	}, s.fsm, pageSource{s}, log)
}

// consoleHandler is nil without a console.
func (s *Server) consoleHandler() http.Handler {
	if s.console == nil {
		return nil
	}
	return s.console
}

func (s *Server) stopConsole() {
	if s.console != nil {
		s.console.Close()
	}
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
type pageSource struct{ s *Server }

func (p pageSource) Identity() console.Identity {
	st := p.s.Status()
	return console.Identity{SID: st.SID, Version: st.Version, Cluster: st.ClusterID, State: st.ServerState, Serving: st.Serving}
}

// Errors of writes, in words for whoever sees the page.
var (
	errNoQuorum = errors.New("this server is not part of a quorum now")
	errReadOnly = errors.New("this server is cut off from its quorum and serves reads only")
)

// Writable goes by the quorum: a leader that takes no clients can write.
func (p pageSource) Writable() error {
	switch p.s.duty.quorumServes() {
	case client.FullService:
		return nil
	case client.ReadOnly:
		return errReadOnly
	}
	return errNoQuorum
}

func (p pageSource) Propose(payload []byte, done console.Completion) error {
	return p.s.node.Propose(payload, done)
}

var _ console.Source = pageSource{}
