package admin

import (
	"time"

	"zooraft/zabcompat"
)

// ServerState values, as the Mode line of srvr and zk_server_state print them.
const (
	StateStandalone = "standalone"
	StateLeader     = "leader"
	StateFollower   = "follower"
	StateObserver   = "observer"
	StateReadOnly   = "read-only"
)

// Status is what a server can say of itself, taken at one moment. Whatever
// renders it needs nothing else.
type Status struct {
	// Version as the words print it: "VERSION-COMMIT, built on YYYY-MM-DD HH:MM
	// UTC".
	Version string `json:"version"`
	// Serving says whether sessions are served; while false, ServerState is the
	// last one, or empty.
	Serving     bool   `json:"serving"`
	ReadOnly    bool   `json:"read_only,omitempty"` // serving, without a quorum, those who only read
	ServerState string `json:"server_state"`
	// PeerState is ZooKeeper's finer state, "leading - broadcast"; empty for a
	// standalone server.
	PeerState string `json:"peer_state,omitempty"`
	SID       int64  `json:"sid"`

	LatencyMin      int64   `json:"latency_min_ms"`
	LatencyAvg      float64 `json:"latency_avg_ms"`
	LatencyMax      int64   `json:"latency_max_ms"`
	PacketsReceived int64   `json:"packets_received"`
	PacketsSent     int64   `json:"packets_sent"`
	Connections     int     `json:"connections"`
	Outstanding     int64   `json:"outstanding_requests"`

	// The size of replies in bytes, -1 before any.
	ResponseSizeLast          int64   `json:"response_size_last"`
	ResponseSizeMin           int64   `json:"response_size_min"`
	ResponseSizeMax           int64   `json:"response_size_max"`
	AuthFailures              int64   `json:"auth_failures"`
	RemoteNonMTLS             int64   `json:"remote_connections_without_mtls"` // connections taken from elsewhere
	LocalNonMTLS              int64   `json:"local_connections_without_mtls"`  // and from this host
	TLSHandshakes             int64   `json:"outstanding_tls_handshakes"`
	ConnectionDropProbability float64 `json:"connection_drop_probability"`

	Zxid                zabcompat.Zxid `json:"zxid"` // last applied
	NodeCount           int            `json:"znode_count"`
	WatchCount          int            `json:"watch_count"`
	EphemeralsCount     int            `json:"ephemerals_count"`
	ApproximateDataSize int64          `json:"approximate_data_size"` // bytes
	GlobalSessions      int            `json:"global_sessions"`
	LocalSessions       int            `json:"local_sessions"` // kept by this server alone

	// Room is what the disks can take of this server's writes: 2 plenty, 1 little, 0
	// nothing. The bytes free are those of the snapshots' and the log's file systems.
	Room     int   `json:"disk_room"`
	DataFree int64 `json:"data_free_bytes"`
	LogFree  int64 `json:"log_free_bytes"`

	SlowSyncs    int64 `json:"slow_syncs"` // over fsync.warningthresholdms
	UptimeMillis int64 `json:"uptime_ms"`  // since serving
	OpenFDs      int64 `json:"open_fds"`   // -1 when unknown, and MaxFDs
	MaxFDs       int64 `json:"max_fds"`

	// The ensemble. The figures from Learners to ProposalSizeMax are the
	// leader's.
	QuorumSize int `json:"quorum_size"` // voters
	// Membership is who belongs to it, as the server knows, in the form of
	// /zookeeper/config; empty for a standalone server.
	Membership               string `json:"membership,omitempty"`
	Learners                 int    `json:"learners"`
	SyncedFollowers          int    `json:"synced_followers"`
	SyncedNonVotingFollowers int    `json:"synced_non_voting_followers"`
	SyncedObservers          int    `json:"synced_observers"`
	PendingSyncs             int    `json:"pending_syncs"`
	LeaderUptimeMillis       int64  `json:"leader_uptime_ms"`
	ProposalSizeLast         int64  `json:"proposal_size_last"` // bytes; -1 before any, as the next two
	ProposalSizeMin          int64  `json:"proposal_size_min"`
	ProposalSizeMax          int64  `json:"proposal_size_max"`

	// Vote is this server's standing in an election, Round the Raft term, Since
	// when LeaderSID (0: none) was known to lead.
	Vote      zabcompat.Vote  `json:"vote"`
	State     zabcompat.State `json:"state"`
	LeaderSID int64           `json:"leader_sid"`
	Round     uint64          `json:"round"`
	Since     time.Time       `json:"since"`

	// Elections are the last ten, oldest first, as this server saw them.
	Elections []Election `json:"elections,omitempty"`

	ClusterID        string `json:"cluster_id"`
	RaftTerm         uint64 `json:"raft_term"`
	RaftLastIndex    uint64 `json:"raft_last_index"`
	RaftCommitIndex  uint64 `json:"raft_commit_index"`
	RaftAppliedIndex uint64 `json:"raft_applied_index"`

	Peers []PeerStatus `json:"peers,omitempty"`

	// Settings are those that the members should have in common, in what they say to
	// each other.
	Settings map[string]string `json:"settings,omitempty"`
}

// Election is an election that has ended: when the leader was known, and how long
// this server had looked for one.
type Election struct {
	At         time.Time       `json:"at"`
	TookMillis int64           `json:"took_ms"`
	LeaderSID  int64           `json:"leader_sid"`
	Round      uint64          `json:"round"` // Raft term
	State      zabcompat.State `json:"state"` // this server's from then on
	Vote       zabcompat.Vote  `json:"vote"`  // its own
}

// PeerStatus is what a server knows of another member.
type PeerStatus struct {
	SID       int64           `json:"sid"`
	Addr      string          `json:"addr"` // of its quorum port, from that server; empty if it does not know
	Connected bool            `json:"connected"`
	Observing bool            `json:"observing,omitempty"`
	Vote      zabcompat.Vote  `json:"vote"` // as last told
	State     zabcompat.State `json:"state"`
}
