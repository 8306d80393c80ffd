package client

import (
	"maps"
	"slices"

	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// Load is how many connections are open, and how many requests have been received
// and not answered. It is Stats without the work.
func (s *Server) Load() (connections int, outstanding int64) {
	s.mu.Lock()
	connections = len(s.conns)
	s.mu.Unlock()
	return connections, max(s.outstanding.Load(), 0)
}

// Attached is a session that is connected to this server.
type Attached struct {
	Client  string // address, as Java prints it
	Watches int    // registrations
}

// Attached returns the sessions that are connected here.
func (s *Server) Attached() map[protocol.SessionID]Attached {
	s.mu.Lock()
	conns := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	all := make(map[protocol.SessionID]Attached, len(conns))
	for _, c := range conns {
		if c.settled.Load() == settledOK && c.watcher != nil {
			all[c.session] = Attached{c.name(), c.watcher.Len()}
		}
	}
	return all
}

// Inspect describes the connection of a session, and its watches, max of them at
// most; false if it is not connected here.
func (s *Server) Inspect(id protocol.SessionID, max int) (ConnInfo, []watch.Registration, bool) {
	s.mu.Lock()
	c := s.sessions[id]
	s.mu.Unlock()
	if c == nil || c.settled.Load() != settledOK || c.watcher == nil {
		return ConnInfo{}, nil, false
	}
	return c.info(), c.watcher.Registrations(max), true
}
