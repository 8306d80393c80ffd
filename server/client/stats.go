package client

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"zooraft/protocol"
)

// counts are what went over one connection, or several. Each connection has its
// own, for one that all share would be passed from core to core with each
// request.
type counts struct {
	received, sent atomic.Int64 // packets
	replies        atomic.Int64 // those sent that answered a request
}

func (n *counts) add(m *counts) {
	n.received.Add(m.received.Load())
	n.sent.Add(m.sent.Load())
	n.replies.Add(m.replies.Load())
}

// latencies are those of all requests so far, from the arrival of a request to
// the making of its reply, in whole ms as in ZooKeeper: nearly all are 0, and
// add nothing.
type latencies struct {
	sum, max atomic.Int64
	min      atomic.Int64 // plus one; 0 before any
}

// note adds replies whose latencies, in ns, have this sum, maximum and minimum.
func (s *latencies) note(sum, most, least int64) {
	const ms = int64(time.Millisecond)
	if most >= ms {
		s.sum.Add(sum / ms)
	}
	for {
		if old := s.max.Load(); most/ms <= old || s.max.CompareAndSwap(old, most/ms) {
			break
		}
	}
	for {
		if old := s.min.Load(); old != 0 && least/ms+1 >= old || s.min.CompareAndSwap(old, least/ms+1) {
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
		LatencyMin:  max(s.latencies.min.Load()-1, 0),
		LatencyMax:  s.latencies.max.Load(),
		Outstanding: max(s.outstanding.Load(), 0),
	}
	var all counts
	s.mu.Lock()
	st.Connections = len(s.conns)
	all.add(&s.gone)
	for c := range s.conns {
		all.add(&c.counts)
	}
	s.mu.Unlock()
	st.PacketsReceived, st.PacketsSent = all.received.Load(), all.sent.Load()
	if n := all.replies.Load(); n > 0 {
		st.LatencyAvg = float64(s.latencies.sum.Load()) / float64(n)
	}
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
			Received: c.counts.received.Load(), Sent: c.counts.sent.Load(),
		}
		if c.settled.Load() == settledOK {
			infos[i].Session, infos[i].HasSession, infos[i].Timeout = c.session, true, c.timeout
		}
	}
	return infos
}
