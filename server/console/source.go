package console

import (
	"context"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// State is the replicated state of this server; *fsm.FSM is one.
type State interface {
	// View calls fn with the state lock held for reading.
	View(fn func(v fsm.View))
	Watches() *watch.Table
}

// Source is the server as the console sees it. Its methods may be called by many
// goroutines at once; each answer is taken anew.
type Source interface {
	// Identity says who this server is.
	Identity() Identity
	// Writable is nil if the server takes writes of the kind of op now, and else says
	// why not.
	Writable(op protocol.OpCode) error
	// Propose has a request of this server committed, for somebody at the address ip.
	// It does not block and retains payload. done is called from the apply goroutine, with the state lock held for
	// writing; never if the server stops first or its state is replaced by a
	// snapshot.
	Propose(ip string, payload []byte, done fsm.Completion) error
	// Sample is what has happened since the call before, and how the server is now.
	// One goroutine calls it, about once a second.
	Sample() Sample
	// Ensemble asks the other members. It blocks for a few seconds at most, less if
	// ctx ends.
	Ensemble(ctx context.Context) Ensemble
	// Sessions lists the sessions that this server knows, by id. It takes the state
	// lock for as long as it copies them.
	Sessions() []Session
	// Session is what is known of one; false if there is none.
	Session(id int64) (SessionDetail, bool)
	// Connections lists the open client connections, oldest first.
	Connections() []Connection
	// Settings are the keys of the configuration that have been set, secrets masked.
	Settings() []Setting
	// Slow are the last slow requests, newest first.
	Slow() SlowRequests
	// Warnings are what somebody should look at in an ensemble as it was last seen, but for what the console finds in
	// the znodes itself.
	Warnings(e *Ensemble) []Warning
}

// Identity is who a server is.
type Identity struct {
	SID     int64  `json:"sid"`
	Version string `json:"version"`
	Cluster string `json:"cluster"` // the ensemble's id, "" before it has one
	// State is what the server does, in ZooKeeper's words: standalone, leader,
	// follower, observer, read-only; "" while it looks for a leader for the first
	// time.
	State   string `json:"state"`
	Serving bool   `json:"serving"`
}

// Sample is one point of the charts. Rates are of the time since the sample before.
type Sample struct {
	Reads, Writes, Syncs       float64 // a second: requests answered, and syncs of the log
	ReadP50, ReadP99, ReadMax  float64 // ms from a request's arrival to its reply
	WriteP50, WriteP99         float64
	WriteMax, SyncAvg, SyncMax float64
	Outstanding                int64 // requests received and not answered
	Connections                int
	Sessions                   int // global ones
	Watches                    int
	Znodes                     int   // as zk_znode_count
	DataBytes                  int64 // of paths and data

	Zxid      int64
	State     string // as Identity's
	Serving   bool
	LeaderSID int64 // 0: none
	Term      uint64
	Since     time.Time // the leader was known, or one was looked for; zero for neither
}

// Vote is a member's standing in an election.
type Vote struct {
	Epoch uint32 `json:"epoch"`
	Zxid  Hex    `json:"zxid"`
	SID   int64  `json:"sid"`
}

// Ensemble is what is known of all members.
type Ensemble struct {
	SID        int64      `json:"sid"`    // of the server that was asked
	Leader     int64      `json:"leader"` // as it knows, 0: none
	Term       uint64     `json:"term"`   // of Raft
	Standalone bool       `json:"standalone"`
	Voters     int        `json:"voters"`
	Quorum     int        `json:"quorum"`    // how many of them decide
	Version    Hex        `json:"version"`   // of the membership
	Since      time.Time  `json:"since"`     // the leader was known
	Members    []Member   `json:"members"`   // in the order in which they would be elected
	Elections  []Election `json:"elections"` // newest first
}

// Member is one server of the ensemble. What only it can know is null if it does not
// answer.
type Member struct {
	SID           int64  `json:"sid"`
	Address       string `json:"address"` // of its quorum port
	Election      string `json:"electionAddress"`
	ClientAddress string `json:"clientAddress"` // "" if it is not known
	Role          string `json:"role"`          // participant or observer
	Self          bool   `json:"self"`
	Leader        bool   `json:"leader"`
	// Connected: the asked server has a stream to it. Problem says why it did not
	// answer now, "" if it did.
	Connected bool   `json:"connected"`
	Problem   string `json:"problem"`
	State     string `json:"state"`  // LOOKING, FOLLOWING, LEADING, OBSERVING
	Rank      int    `json:"rank"`   // 1: would be elected first
	Vote      *Vote  `json:"vote"`   // as last told
	Room      string `json:"room"`   // on its disks, as last told: plenty, scarce or none
	Member    bool   `json:"member"` // else it is heard of but not one of the ensemble

	Zxid *Hex `json:"zxid"` // last applied
	// Lag is how many entries of the log it has not applied that the leader, or who
	// knows most, has committed. One entry may hold many requests.
	Lag         *int64  `json:"lag"`
	Serving     *bool   `json:"serving"`
	ReadOnly    bool    `json:"readOnly"`
	UptimeMs    *int64  `json:"uptimeMs"` // serving
	Version     string  `json:"version"`
	Connections *int    `json:"connections"`
	Outstanding *int64  `json:"outstanding"`
	Watches     *int    `json:"watches"`
	Znodes      *int    `json:"znodes"`
	LatencyAvg  float64 `json:"latencyAvgMs"`
	LatencyMax  int64   `json:"latencyMaxMs"`
}

// Election is an election that has ended, as the asked server saw it.
type Election struct {
	At         time.Time `json:"at"` // when the leader was known
	TookMillis int64     `json:"tookMillis"`
	Leader     int64     `json:"leader"`
	Term       uint64    `json:"term"`
	Epoch      uint32    `json:"epoch"` // of the asked server's vote
	State      string    `json:"state"` // of the asked server from then on
	Vote       Vote      `json:"vote"`
}

// Session is one session.
type Session struct {
	ID         Hex   `json:"id"`
	Local      bool  `json:"local"` // kept by this server alone
	TimeoutMs  int64 `json:"timeoutMs"`
	Server     int64 `json:"server"` // that it is connected to, as far as is known
	Ephemerals int   `json:"ephemerals"`
	// ExpiresMs is in how many ms it ends if nothing is heard of it; null if that is
	// another server's to know.
	ExpiresMs *int64 `json:"expiresMs"`
	// Client and Watches are known if it is connected to this server.
	Client  string `json:"client"` // address, "" if not
	Watches *int   `json:"watches"`
}

// SessionDetail is a session with what it has.
type SessionDetail struct {
	Session
	EphemeralPaths []string      `json:"ephemeralPaths"` // the first of them
	WatchPaths     []WatchedPath `json:"watchPaths"`     // the first of them, null if it is connected elsewhere
	Connection     *Connection   `json:"connection"`
}

// WatchedPath is one watch.
type WatchedPath struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // data, children, persistent or recursive
}

// Connection is one client connection.
type Connection struct {
	Client      string     `json:"client"`
	Session     *Hex       `json:"session"` // null before there is one
	TimeoutMs   int64      `json:"timeoutMs"`
	Established time.Time  `json:"established"`
	Queued      int        `json:"queued"`   // requests under way
	Received    int64      `json:"received"` // packets
	Sent        int64      `json:"sent"`
	LastOp      string     `json:"lastOp"` // "" before any
	LastZxid    *Hex       `json:"lastZxid"`
	LastReply   *time.Time `json:"lastReply"`
	LatencyAvg  float64    `json:"latencyAvgMs"`
	LatencyMin  int64      `json:"latencyMinMs"`
	LatencyMax  int64      `json:"latencyMaxMs"`
}

// Setting is a key of the configuration.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // where it was set; "default" if nowhere
	Effect string `json:"effect"` // what it does here, compared with ZooKeeper
	Note   string `json:"note"`
}

// SlowRequests are requests that took long.
type SlowRequests struct {
	// ThresholdMs is from which time on a request is one; 0 if none are kept.
	ThresholdMs int64         `json:"thresholdMs"`
	Requests    []SlowRequest `json:"requests"`
}

// SlowRequest is one of them.
type SlowRequest struct {
	At      time.Time `json:"at"` // of the reply
	Op      string    `json:"op"`
	Path    string    `json:"path"` // "" where the operation has none, or several
	Session Hex       `json:"session"`
	Client  string    `json:"client"`
	Zxid    Hex       `json:"zxid"` // that the reply carries
	TookMs  float64   `json:"tookMs"`
	// Parts are where the time went, one after the other, those that took any: queue,
	// fsync, replicate, sync, apply.
	Parts map[string]float64 `json:"partsMs"`
}

// Severity says how much a warning matters.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // worth to be known
	Warn     Severity = "warning"  // hurts, or will
	Critical Severity = "critical" // must be acted on
)

// Warning is something that somebody should look at.
type Warning struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // a word for programs
	Text     string   `json:"text"`
	Subject  string   `json:"subject"` // what it is about: a server, a path, a key
	// Link is the view that shows more: ensemble, config, sessions, or znode, whose
	// path is Subject; "" for none.
	Link string `json:"link"`
}
