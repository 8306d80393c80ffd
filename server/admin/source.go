package admin

import (
	"time"

	"zooraft/zabcompat/metrics"
)

// Source is the server that is asked. Its methods may be called by many
// goroutines at once; each answer is taken anew.
type Source interface {
	Status() Status
	// Serving is what Status says of it, without the work.
	Serving() bool
	// Working says whether it could serve, if only readers, were clients taken: a
	// leader does not take them with leaderServes=no, and answers the admin server's
	// commands all the same, as ZooKeeper's does.
	Working() bool
	// Connections lists the open client connections, oldest first.
	Connections() []ConnInfo
	// Sessions lists the sessions that this server knows. It takes the state lock
	// for as long as it copies them.
	Sessions() Sessions
	// Watches lists the data watches, those of exists included, in no order. It
	// stops writes for as long as it copies them.
	Watches() []Watch
	// WatchSummary counts them without copying.
	WatchSummary() WatchSummary
	// Quotas sums quotas up by namespace, in order.
	Quotas() []Quota
	// Settings are the configuration in effect.
	Settings() Settings
	// DirSizes are the bytes of the snapshots and of the log, files walked.
	DirSizes() (data, log int64)
	// Digest is a hash of the tree as it is, which servers of an ensemble share at
	// the same zxid. It reads the whole tree, but not often: it may be that of a
	// moment ago.
	Digest() (zxid int64, digest uint64)
	// Members lists the ensemble by id; none of a server alone.
	Members() []Member
	// LastSnapshot is the newest snapshot: its zxid and when it was made; -1 and the
	// zero Unix time when there is none.
	LastSnapshot() (zxid int64, at time.Time)
	// SlowRequests are the last requests that took long, the newest first.
	SlowRequests() []SlowRequest
	// Ready is nil if clients should be sent here, SafeToStop if the ensemble keeps its
	// quorum when this server stops; else they say why not.
	Ready() error
	SafeToStop() error
	Metrics() *metrics.Metrics
	// ResetServerStats begins latencies, packet counts and metrics anew,
	// ResetConnectionStats those of each connection.
	ResetServerStats()
	ResetConnectionStats()
}

// ConnInfo is one client connection.
type ConnInfo struct {
	Remote         string // as Java prints it: /127.0.0.1:57482
	Queued         int    // requests under way
	Received, Sent int64  // packets
	Asking         bool   // it has sent the word that is being answered
	Secure         bool   // it has come in by secureClientPort

	HasSession  bool // and with it what follows
	Session     int64
	Timeout     time.Duration // negotiated
	Established time.Time
	Last        string    // the last operation, in four or so letters: GETD
	LastXid     int32     // of the last request; -1: none
	LastZxid    int64     // that a reply carried; -1: none
	LastReply   time.Time // zero before any
	// Latencies in ms.
	LatencyLast, LatencyMin, LatencyMax int64
	LatencyAvg                          float64
	// Expires is when the connection ends if nothing is heard of it.
	Expires time.Time
}

// SlowRequest is a request that took slowRequest.thresholdMs or longer, and where
// the time went.
type SlowRequest struct {
	At      time.Time // of the reply
	Session int64
	Client  string // as Java prints it: /127.0.0.1:57482
	Xid     int32
	Op      string
	Path    string // empty where the operation has none, or several
	Zxid    int64  // that the reply carries

	// Total is from the arrival of the request to the making of the reply; the rest
	// are its parts, one after the other.
	Total time.Duration
	// Queue is until a write came into this server's log, through the leader where
	// that is another server; or until what the connection had asked before a read was
	// answered.
	Queue time.Duration
	// Fsync is until a write was on this server's disk, Replicate until it was known
	// to be on those of a majority. On a server that follows, that is also what the
	// leader's disk took.
	Fsync, Replicate time.Duration
	// Sync is what a sync waited for the leader.
	Sync time.Duration
	// Apply is what is left: the work itself, and the wait for the state.
	Apply time.Duration
}

// Sessions is what a server knows of sessions.
type Sessions struct {
	// Tracked: this server watches over the sessions, being alone or the leader, and
	// knows when they expire.
	Tracked bool
	Global  []SessionInfo // by id
	Local   []SessionInfo // by id
	// LocalEnabled: there may be local sessions.
	LocalEnabled bool
	Ephemerals   []Ephemerals // by session id
}

// SessionInfo is one session.
type SessionInfo struct {
	ID      int64
	Timeout time.Duration
	Expires time.Time // zero if that is another server's to know
}

// Ephemerals are the ephemeral znodes of one session, in order.
type Ephemerals struct {
	Session int64
	Paths   []string
}

// Watch is one session's interest in one path.
type Watch struct {
	Session int64
	Path    string
}

// Quota is what the quotas on a top-level znode and below it add up to: hard
// limits, or soft ones where there is none, -1 for no limit, and what is used.
type Quota struct {
	Namespace                            string
	CountLimit, BytesLimit, Count, Bytes int64
}

// WatchSummary counts data watches.
type WatchSummary struct{ Connections, Paths, Watches int }

// Member is a server of the ensemble. The addresses are host:port.
type Member struct {
	SID                                  int64
	Host                                 string
	QuorumAddr, ElectionAddr, ClientAddr string
	Observer                             bool
}

// Settings are the configuration in effect, as the word conf shows it.
type Settings struct {
	ClientPort, SecureClientPort int // -1: none
	DataDir, DataLogDir          string
	TickTime                     time.Duration
	MaxClientCnxns               int
	MinSessionTimeout            time.Duration
	MaxSessionTimeout            time.Duration
	ListenBacklog                int // -1: the system's
	SID                          int64
	Initial                      string            // the configuration file as it was read
	Properties                   map[string]string // everything that was set, zookeeper.KEY

	// Ensemble: the rest means something.
	Ensemble                 bool
	InitLimit, SyncLimit     int // ticks
	ElectionPort, QuorumPort int
	Observer                 bool
	// Membership is the text of /zookeeper/config, its version included.
	Membership string
}
