package client

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"zooraft/protocol"
)

// stats counts what went over the client port. Latencies run from the arrival of
// a request to the making of its reply, in whole ms as in ZooKeeper.
type stats struct {
	received, sent atomic.Int64
	latencyCount   atomic.Int64
	latencySum     atomic.Int64
	latencyMax     atomic.Int64
	latencyMin     atomic.Int64 // plus one; 0 before any
}

func (s *stats) replied(latency time.Duration) {
	s.sent.Add(1)
	ms := max(latency.Milliseconds(), 0)
	s.latencyCount.Add(1)
	if ms > 0 {
		s.latencySum.Add(ms)
	}
	for {
		if old := s.latencyMax.Load(); ms <= old || s.latencyMax.CompareAndSwap(old, ms) {
			break
		}
	}
	for {
		if old := s.latencyMin.Load(); old != 0 && ms+1 >= old || s.latencyMin.CompareAndSwap(old, ms+1) {
			break
		}
	}
}

// Stats are the client port's figures since it was made.
type Stats struct {
	PacketsReceived, PacketsSent int64
	LatencyMin, LatencyMax       int64   // ms
	LatencyAvg                   float64 // ms
	Connections                  int     // open sockets, those without a session included
	Outstanding                  int64   // requests received and not answered
}

// Stats returns the figures as they are now.
func (s *Server) Stats() Stats {
	st := Stats{
		PacketsReceived: s.stats.received.Load(),
		PacketsSent:     s.stats.sent.Load(),
		LatencyMin:      max(s.stats.latencyMin.Load()-1, 0),
		LatencyMax:      s.stats.latencyMax.Load(),
		Outstanding:     max(s.outstanding.Load(), 0),
	}
	if n := s.stats.latencyCount.Load(); n > 0 {
		st.LatencyAvg = float64(s.stats.latencySum.Load()) / float64(n)
	}
	s.mu.Lock()
	st.Connections = len(s.conns)
	s.mu.Unlock()
	return st
}

// ConnInfo describes one connection, for the words stat and cons.
type ConnInfo struct {
	Remote         string // as Java prints it: /127.0.0.1:57482
	Session        protocol.SessionID
	HasSession     bool
	Timeout        time.Duration // negotiated; 0 without a session
	Established    time.Time     // when the socket was accepted
	Queued         int           // requests under way
	Received, Sent int64         // packets
}

// Connections describes all open connections, oldest first.
func (s *Server) Connections() []ConnInfo {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	infos := make([]ConnInfo, len(all))
	for i, c := range all {
		infos[i] = ConnInfo{
			Remote: c.name(), Established: c.since, Queued: int(c.pending.Load()),
			Received: c.received.Load(), Sent: c.sent.Load(),
		}
		if c.settled.Load() == settledOK {
			infos[i].Session, infos[i].HasSession, infos[i].Timeout = c.session, true, c.timeout
		}
	}
	return infos
}
