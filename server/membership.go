package server

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"zooraft/fsm"
	"zooraft/zabcompat"
)

// membership is who belongs to the ensemble: what the replicated state says, or
// zoo.cfg as long as that says nothing.
func (s *Server) membership() (m zabcompat.Membership) {
	s.fsm.View(func(v fsm.View) { m = v.Membership() })
	if len(m.Servers) == 0 {
		m.Servers = s.cfg.Servers
	}
	return m
}

// membershipChanged has followMembership look again. It does not block.
func (s *Server) membershipChanged() {
	select {
	case s.members <- struct{}{}:
	default:
	}
}

// followMembership tells of each membership that is new, once this server
// serves: before, it may be reading a log of old ones.
func (s *Server) followMembership() {
	defer s.wg.Done()
	select {
	case <-s.serving:
	case <-s.stop:
		return
	}
	var last zabcompat.Membership
	for {
		var m zabcompat.Membership
		s.fsm.View(func(v fsm.View) { m = v.Membership() })
		if len(m.Servers) > 0 && m.Version != last.Version {
			s.logMembership(last, m)
			s.followClientPort(m)
			if s.cfg.OnMembership != nil {
				s.cfg.OnMembership(m)
			}
			last = m
		}
		select {
		case <-s.members:
		case <-s.stop:
			return
		}
	}
}

// logMembership names what is new, or at the start, with nothing before, what is
// not as zoo.cfg has it.
func (s *Server) logMembership(before, now zabcompat.Membership) {
	version := fmt.Sprintf("%x", now.Version)
	if len(before.Servers) > 0 {
		s.log.Info("the membership has changed", "version", version, "changes", differences(before.Servers, now.Servers, equal))
	} else if diff := differences(s.cfg.Servers, now.Servers, agree); len(diff) > 0 {
		s.log.Warn("the server lines of the configuration are not those of the ensemble"+s.whichCount(), "version", version, "differences", diff)
	}
	if _, ok := now.Server(int64(s.cfg.SID)); !ok {
		s.log.Warn("this server is not a member of the ensemble", "sid", s.cfg.SID)
	}
}

// followClientPort listens where the membership says that clients find this server,
// if that is elsewhere than it listens now, and may be changed by reconfig: else what
// counts is zoo.cfg. An address that cannot be bound is tried again at the next
// membership, or the next start.
func (s *Server) followClientPort(m zabcompat.Membership) {
	self, ok := m.Server(int64(s.cfg.SID))
	if !ok || !s.cfg.ReconfigEnabled || self.ClientPort == 0 || s.cfg.ClientPort == 0 {
		return
	}
	addr := net.JoinHostPort(self.ClientHost, strconv.Itoa(self.ClientPort))
	before := s.clients.Addr()
	switch moved, err := s.clients.Rebind(addr); {
	case errors.Is(err, net.ErrClosed): // stopping
	case err != nil:
		s.log.Error("cannot listen where the membership says that clients find this server", "client", addr, "before", before, "error", err)
	case moved:
		s.log.Info(fmt.Sprintf("binding to port /%s", s.clients.Addr()), "before", before)
	}
}

// clientPort is the port that clients find this server on with plain text: the one that
// is bound, but as it was configured while that says any; -1 for none.
func (s *Server) clientPort() int {
	if plain, _ := s.cfg.clientAddrs(); plain == "" {
		return -1
	}
	if bound, ok := s.clients.Addr().(*net.TCPAddr); ok && s.cfg.ClientPort != 0 {
		return bound.Port
	}
	return s.cfg.ClientPort
}

// whichCount says what differing server lines mean.
func (s *Server) whichCount() string {
	if s.cfg.ReconfigEnabled {
		return ", which count; reconfig changes them"
	}
	return ": servers are dialled by the configuration, but who is a member, and /zookeeper/config, is changed by reconfig"
}

// differences lists the server lines that are in one of two lists only, - before
// the first list's and + before the second's.
func differences(a, b []zabcompat.ServerSpec, same func(a, b zabcompat.ServerSpec) bool) (lines []string) {
	in := func(list []zabcompat.ServerSpec, s zabcompat.ServerSpec) bool {
		return slices.ContainsFunc(list, func(other zabcompat.ServerSpec) bool { return same(s, other) })
	}
	for _, s := range a {
		if !in(b, s) {
			lines = append(lines, fmt.Sprintf("-server.%d=%s", s.ID, s))
		}
	}
	for _, s := range b {
		if !in(a, s) {
			lines = append(lines, fmt.Sprintf("+server.%d=%s", s.ID, s))
		}
	}
	return lines
}

func equal(a, b zabcompat.ServerSpec) bool { return a == b }

// agree says whether two lines may be about a server in the same place: a host that
// means any, as many have it for themselves, says nothing against another.
func agree(a, b zabcompat.ServerSpec) bool {
	if a.AnyHost() || b.AnyHost() {
		a.Host = b.Host
	}
	return a == b
}
