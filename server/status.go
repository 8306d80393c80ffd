package server

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"zooraft/fsm"
	"zooraft/server/admin"
	"zooraft/server/quorum"
	"zooraft/zabcompat"
)

// Status is what a server says of itself: the four-letter words, the status
// command and its peers are answered from it.
type Status = admin.Status

// Status describes the server as it is now. It takes the state lock for reading
// for a moment, and does not wait for anybody.
func (s *Server) Status() Status {
	c := s.clients.Stats()
	st := Status{
		Version:          s.cfg.Version,
		SID:              int64(s.cfg.SID),
		LatencyMin:       c.LatencyMin,
		LatencyAvg:       c.LatencyAvg,
		LatencyMax:       c.LatencyMax,
		PacketsReceived:  c.PacketsReceived,
		PacketsSent:      c.PacketsSent,
		Connections:      c.Connections,
		ResponseSizeLast: c.SizeLast, ResponseSizeMin: c.SizeMin, ResponseSizeMax: c.SizeMax,
		ConnectionDropProbability: c.DropProbability,

		AuthFailures: c.AuthFailures, LocalNonMTLS: c.Local, RemoteNonMTLS: c.Remote, TLSHandshakes: c.Handshakes,
		Outstanding: c.Outstanding,
		WatchCount:  s.watchCount(),

		LocalSessions: c.LocalSessions,
	}
	st.SlowSyncs = s.node.SlowSyncs()
	room, data, log := s.node.Space()
	st.Room, st.DataFree, st.LogFree = int(quorum.RoomNone-room), int64(data.Free), int64(log.Free)
	st.OpenFDs, st.MaxFDs = fileDescriptors()
	s.fsm.View(func(v fsm.View) {
		st.Zxid = zabcompat.Zxid(v.LastZxid())
		st.NodeCount = v.NodeCount() + 1 // ZooKeeper's table holds the root twice
		st.EphemeralsCount = v.EphemeralCount()
		st.ApproximateDataSize = v.ApproximateDataSize()
		st.GlobalSessions = v.NumSessions()
		st.ClusterID = v.Cluster()
	})
	if at := s.servingSince.Load(); at != 0 {
		st.Serving = true
		st.UptimeMillis = time.Since(time.Unix(0, at)).Milliseconds()
	}
	s.addQuorum(&st)
	return st
}

// addQuorum fills in what the quorum knows.
func (s *Server) addQuorum(st *Status) {
	q := s.node.Progress()
	st.RaftTerm, st.RaftLastIndex, st.RaftCommitIndex, st.RaftAppliedIndex = q.Term, q.Last, q.Committed, q.Applied
	st.Round = q.Term
	st.PendingSyncs = s.node.PendingSyncs()
	st.ProposalSizeLast, st.ProposalSizeMin, st.ProposalSizeMax = s.node.ProposalSizes()
	st.LeaderSID, _ = s.node.Leader()
	st.Since = s.node.Since()
	for _, e := range s.node.Elections() {
		st.Elections = append(st.Elections, admin.Election{
			At: e.At, TookMillis: e.Took.Milliseconds(), LeaderSID: e.Leader, Round: e.Term, State: e.State, Vote: e.Vote,
		})
	}
	if s.cfg.Standalone() {
		st.ServerState, st.QuorumSize = admin.StateStandalone, 1
		return
	}
	members := s.membership()
	for _, v := range s.node.Votes() {
		if v.SID == st.SID {
			st.Vote, st.State = v.Vote, v.State
			continue
		}
		st.Peers = append(st.Peers, admin.PeerStatus{
			SID: v.SID, Addr: s.node.QuorumAddr(v.SID), Connected: v.Connected, Observing: v.State == zabcompat.Observing, Vote: v.Vote, State: v.State,
		})
		if st.LeaderSID == st.SID && v.Connected && v.Leader == st.SID {
			st.Learners++
			_, member := members.Server(v.SID)
			switch {
			case v.State == zabcompat.Observing:
				st.SyncedObservers++
			case member:
				st.SyncedFollowers++
			default:
				st.SyncedNonVotingFollowers++
			}
		}
	}
	st.QuorumSize, st.Membership = members.Voters(), members.String()
	if s.readOnly.Load() {
		st.ReadOnly, st.ServerState = true, admin.StateReadOnly
		return
	}
	st.ServerState = st.State.Mode()
	if own, member := members.Server(st.SID); st.Serving && st.State == zabcompat.Looking {
		// It goes on without a leader for a while, which ZooKeeper's servers do not and
		// have no mode for.
		st.ServerState = admin.StateFollower
		if !member || own.Observer {
			st.ServerState = admin.StateObserver
		}
	}
	if st.State == zabcompat.Leading {
		st.LeaderUptimeMillis = time.Since(st.Since).Milliseconds()
	}
	st.PeerState = s.peerState(st.State)
}

// peerState is the state in ZooKeeper's finer words.
func (s *Server) peerState(state zabcompat.State) string {
	switch state {
	case zabcompat.Leading:
		if s.node.LeadTerm() == 0 {
			return "leading - synchronization"
		}
		return "leading - broadcast"
	case zabcompat.Following:
		return "following - broadcast"
	case zabcompat.Observing:
		return "observing - broadcast"
	}
	return "looking"
}

// fileDescriptors returns how many this process has open and may open, -1 for
// what cannot be told.
func fileDescriptors() (open, limit int64) {
	open, limit = -1, -1
	if names, err := os.ReadDir("/proc/self/fd"); err == nil {
		open = int64(len(names))
	}
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		limit = int64(r.Cur)
	}
	return open, limit
}
