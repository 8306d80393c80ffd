package server

import (
	"fmt"
	"slices"

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
		s.log.Info("the membership has changed", "version", version, "changes", differences(before.Servers, now.Servers))
	} else if diff := differences(s.cfg.Servers, now.Servers); len(diff) > 0 {
		s.log.Warn("the server lines of the configuration are not those of the ensemble, which count", "version", version, "differences", diff)
	}
	self, ok := now.Server(int64(s.cfg.SID))
	switch {
	case !ok:
		s.log.Warn("this server is not a member of the ensemble", "sid", s.cfg.SID)
	case self.ClientPort != 0 && self.ClientPort != s.cfg.ClientPort && s.cfg.ClientPort != 0:
		s.log.Warn("the membership gives this server another client port; it takes effect at the next start",
			"now", s.cfg.ClientPort, "then", self.ClientPort)
	}
}

// differences lists the server lines that are in one of two lists only, - before
// the first list's and + before the second's.
func differences(a, b []zabcompat.ServerSpec) (lines []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			lines = append(lines, fmt.Sprintf("-server.%d=%s", s.ID, s))
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			lines = append(lines, fmt.Sprintf("+server.%d=%s", s.ID, s))
		}
	}
	return lines
}
