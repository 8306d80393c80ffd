package client

import (
	"io"
	"net"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/zabcompat/metrics"
)

// Limits that no configuration key governs.
const (
	// maxOutboxBytes is how many bytes of watch events may wait for a
	// client that does not read: some 200,000 events, which no client falls
	// behind by while it is alive, and a sum that a server can spare for a few
	// that are not. Replies do not count here, since a connection whose replies
	// pile up is not read any more (softOutboxBytes).
	maxOutboxBytes = 16 << 20

	// softOutboxBytes is the backlog of unsent bytes at which a connection's
	// requests are no longer read.
	softOutboxBytes = 256 << 10
	// maxPending bounds a connection's requests under way.
	maxPending = 1000
	// maxDeferred bounds the reads among them that wait behind a write. Their
	// replies come all at once when the write completes, so this times the
	// largest reply is the most that one connection can have made for it.
	maxDeferred = 128
	// maxReadBatch bounds the reads answered under one hold of the state lock.
	maxReadBatch = 32
	// maxIdentities bounds what a connection may gather by auth packets: all of
	// it travels with each of its writes.
	maxIdentities = 128
	// maxIdentityBytes bounds their text. ZooKeeper knows no bound, but there the
	// identities stay in the server that the client is connected to.
	maxIdentityBytes = 64 << 10
	// maxIDAttempts bounds how often another id is tried for a new session.
	maxIDAttempts = 16
	// spareFiles are left for the server's own files and its peers, or a quarter if
	// that is less: the log's next file that cannot be opened ends the process.
	spareFiles = 100

	catchUpTimeout = time.Second
	lingerTimeout  = 500 * time.Millisecond
)

// Config says how the client port behaves. The zoo.cfg key is named where there
// is one.
type Config struct {
	// Addr is the host:port to listen on for plain text; port 0 takes any free one
	// (clientPort, clientPortAddress).
	Addr string
	// SecureAddr is the host:port to listen on for clients that speak TLS; empty for
	// none (secureClientPort, secureClientPortAddress). Addr may be empty then.
	SecureAddr string
	// Unified has Addr take TLS and plain text, as a client begins
	// (client.portUnification).
	Unified bool
	// BeginsTLS awaits the first byte of a connection, says whether it is that of TLS,
	// and leaves it there. Required with Unified.
	BeginsTLS func(nc net.Conn) (bool, error)
	// Secure makes TLS of an accepted connection, and tells the subject of the client's
	// certificate as the scheme x509 has it, "" without one. Required with SecureAddr or
	// Unified. Both may block until the connection's deadline, and do not close it.
	Secure func(nc net.Conn) (secured net.Conn, subject string, err error)
	// X509SuperUser is the subject that passes every ACL; empty for nobody
	// (X509AuthenticationProvider.superUser).
	X509SuperUser string
	// SID is this server's id, the top byte of the session ids it makes.
	SID int64
	// MinSessionTimeout and MaxSessionTimeout bound what a client may ask for
	// (minSessionTimeout, maxSessionTimeout).
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// MaxClientCnxns is the number of connections one address may hold, 0 for
	// no limit (maxClientCnxns).
	MaxClientCnxns int
	// MaxCnxns is the number of connections in all, 0 for no limit (maxCnxns).
	MaxCnxns int
	// MaxFiles is how many files this process may have open, 0 or less for what is
	// not known or has no limit (RLIMIT_NOFILE). A connection that would leave too few
	// is refused.
	MaxFiles int64
	// GlobalOutstandingLimit is the number of requests under way in this server
	// beyond which connections that have some are not read; 0 for no limit
	// (globalOutstandingLimit).
	GlobalOutstandingLimit int
	// JuteMaxBuffer is the size in bytes of the largest frame taken; 0 means
	// protocol.DefaultMaxFrameBytes (jute.maxbuffer).
	JuteMaxBuffer int
	// SuperDigest is the digest id that passes every ACL; empty for nobody
	// (DigestAuthenticationProvider.superDigest).
	SuperDigest string
	// Digest makes digest ids (DigestAuthenticationProvider.digestAlg).
	Digest acl.Digest
	// Options are what the configuration says of writes, and of reads and events
	// as far as access goes.
	Options fsm.Options
	// Metrics takes the figures; nil means that nobody looks at them.
	Metrics *metrics.Metrics
	// EagerACLCheck refuses a write that the ACLs forbid as they are here and now,
	// before it is proposed (enableEagerACLCheck).
	EagerACLCheck bool
	// Limits are further bounds. Its zero value means DefaultLimits.
	Limits Limits
	// EnforceAuth names the schemes of which a connection must have proved one
	// before it may ask for anything; nil asks for none (enforce.auth.enabled,
	// enforce.auth.schemes, sessionRequireClientSASLAuth).
	EnforceAuth []string
	// Ensemble turns the scheme "ensemble" on; nil leaves it unknown
	// (authProvider.N naming EnsembleAuthenticationProvider).
	Ensemble *Ensemble
	// SASL makes the server's side of a negotiation for each connection that begins
	// one; nil answers as a ZooKeeper without SASL does (section Server of the file that
	// java.security.auth.login.config names).
	SASL func() SASLServer
	// SASLSuperUsers are the users of SASL that pass every ACL (superUser,
	// superUser.N).
	SASLSuperUsers []string
	// AllowSASLFailed keeps the connection of a client whose negotiation has failed,
	// unless EnforceAuth asks for sasl (allowSaslFailedClients).
	AllowSASLFailed bool
	// LocalSessions says that a new session is kept by this server alone, without
	// a request in the log (localSessionsEnabled).
	LocalSessions bool
	// UpgradeLocal says that such a session becomes one of the ensemble when it
	// is to own an ephemeral znode; else that is refused
	// (localSessionsUpgradingEnabled).
	UpgradeLocal bool
	// SlowAfter is how long a request takes that Slow is told of; 0 for none
	// (slowRequest.thresholdMs).
	SlowAfter time.Duration
	// Slow is told of each. It may be called under any lock and by any goroutine, but
	// by the apply goroutine for what has an Index, and must not block. It may be nil
	// if SlowAfter is 0.
	Slow func(*Slow)
	// Audit is told of each write that is over, and of its client's address, before the
	// client is. r.Request is there, and may be valid during the call only. It is
	// called under any lock, by the apply goroutine but for what is refused without
	// the log, and must not block. nil for nobody.
	Audit func(session protocol.SessionID, ip string, r *fsm.Result)
	// Words answers four-letter words. known is false for what is none, which
	// is then taken for a frame's length; an empty answer closes the
	// connection without a byte. It is called by many goroutines, without
	// locks, and may take the state lock. What the client sends behind the word
	// can be read from behind, for as long as a connection may take to make a
	// session. nil knows no words.
	Words func(word string, behind io.Reader) (answer string, known bool)
}

// Service is what the server can do for its clients.
type Service int32

// The services, from nothing to everything.
const (
	NoService Service = iota // connections are closed
	ReadOnly                 // cut off from the quorum: reads, for clients that take that
	FullService
)

// Proposer numbers a request of this server, keeps it until it is applied here,
// and has it committed.
type Proposer interface {
	// Propose does not block and retains payload. The order of calls is the
	// order of apply. done.Complete is called once, in the order of the calls,
	// from the apply goroutine with the state lock held for writing; never if
	// the process stops first or the state is replaced by a snapshot, which
	// must be followed by DropAll before anything else completes. An error
	// means that this server cannot take writes and done is not called.
	Propose(payload []byte, done fsm.Completion) error
	// Sync calls done once, with the state lock held for reading or writing,
	// when this server has applied all that was committed at the leader at some
	// moment after the call. err is not nil when that cannot be known. It does
	// not block; done may be called before it returns.
	Sync(done func(v fsm.View, err error))
}

// State is the replicated state as reads see it; *fsm.FSM is one.
type State interface {
	// RLock takes the state lock for reading; the view is valid until RUnlock.
	RLock() fsm.View
	RUnlock()
	// Watches is the watch table, always the same.
	Watches() *watch.Table
}

// Toucher is one session's sign of life.
type Toucher interface {
	// Mark notes that the session's client has been heard. It is called for
	// every request and must be cheap.
	Mark()
}

// Liveness is told which sessions are alive on this server.
type Liveness interface {
	// Session returns the session's Toucher. It is called once for each
	// connection that settles a session, and does not block.
	Session(id protocol.SessionID) Toucher
}

// LocalLiveness watches over the sessions that this server keeps alone, and
// hands those that fall silent to [Server.ExpireLocal]. No method blocks.
type LocalLiveness interface {
	// Opened starts a session's time, and Attached starts it anew.
	Opened(id protocol.SessionID, timeout time.Duration)
	Attached(id protocol.SessionID, timeout time.Duration)
	// Closed tells that the session has ended, or is the ensemble's from now on.
	Closed(id protocol.SessionID)
	// Session returns the Toucher of a connection of such a session.
	Session(id protocol.SessionID) Toucher
}

// Deps are what the client port stands on. All are required, but for Local,
// without which the server is never ReadOnly and Config.LocalSessions is off.
type Deps struct {
	Proposer Proposer
	State    State
	Liveness Liveness
	Local    LocalLiveness
}
