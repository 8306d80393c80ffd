package server

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/server/certs"
	"zooraft/server/client"
	"zooraft/zabcompat"
)

// DefaultClientPort is the port ZooKeeper's clients try when they are given
// none.
const DefaultClientPort = 2181

// maxExtendedSID is the largest one where nodes may have a TTL: the owner of
// such a node begins with 255, where that of an ephemeral has the server's id.
const maxExtendedSID = 254

// Authentication schemes that are there only on request, the values of
// [Config.AuthProviders].
const (
	SchemeEnsemble = "ensemble" // a client says whose server it means to reach
	SchemeSASL     = "sasl"
	SchemeX509     = "x509"
)

// Log stores, the values of [Config.LogStore].
const (
	LogStoreWAL    = "wal"    // raft-wal: append-only segment files
	LogStoreBoltDB = "boltdb" // raft-boltdb: one B+tree file
)

// To whom the web console is shown, the values of [Config.AdminUI].
const (
	UIOff      = "off"
	UILoopback = "loopback" // peers of this host
	UIOn       = "on"
)

// MaxJuteBuffer is the largest jute.maxbuffer: a request has to fit into one
// entry of the log, with what travels with it.
const MaxJuteBuffer = 48 << 20

// Config says what one server is and how it behaves. It is filled once, before
// [New], and is read-only afterwards. The key named with each field is the one
// in zoo.cfg; keys and defaults follow "ZooKeeper Administrator's Guide,
// Configuration Parameters", and zooraft's own keys begin with "raft.".
//
// A Config that has passed [Config.Validate] is complete: no field waits for a
// default.
type Config struct {
	// SID is this server's id, 1 to [zabcompat.MaxSID]: the first line of the file myid
	// in DataDir. Without that file, which only an ensemble needs, it is the
	// id of the only server line, or 1.
	SID int
	// Servers lists the ensemble as it is first set up, in order of id (keys
	// server.N). It is empty for a server alone. Once the ensemble exists, the
	// membership in its replicated state is the truth, not this list.
	Servers []zabcompat.ServerSpec
	// PeerType is this server's own role, [zabcompat.Participant] (default) or
	// [zabcompat.Observer] (key peerType). Its server line wins over the key.
	PeerType string
	// StandaloneEnabled lets one server line, or none, mean a server without a
	// quorum (default true, key standaloneEnabled). See [Config.Standalone].
	StandaloneEnabled bool
	// ReconfigEnabled lets clients that may write to /zookeeper/config change the
	// membership by reconfig (default false, key reconfigEnabled).
	ReconfigEnabled bool
	// QuorumListenOnAllIPs binds the quorum and election ports on every
	// address and not only on the one its server line names (default false,
	// key quorumListenOnAllIPs).
	QuorumListenOnAllIPs bool

	// ElectionPortBindRetry is how often binding the quorum and election ports is
	// tried, a second apart, before the start ends; 0 for ever (default 3, key
	// electionPortBindRetry).
	ElectionPortBindRetry int

	// TickTime is the unit of InitLimit, SyncLimit and the default session
	// bounds (key tickTime, in ms; default 2 s, but 3 s for a zoo.cfg that
	// does not set it).
	TickTime time.Duration
	// InitLimit is the time, in ticks, that a server has to catch up before a change
	// of the membership is given up for it (key initLimit; 10 here, to be set in an
	// ensemble).
	InitLimit int
	// SyncLimit is the time, in ticks, that a server may be out of touch with
	// the leader before it stops serving (key syncLimit; 5 here, to be set in
	// an ensemble).
	SyncLimit int

	// DataDir holds myid and the snapshots (key dataDir, required in a file;
	// default "data" below the working directory).
	DataDir string
	// DataLogDir holds the log (key dataLogDir). Empty means DataDir; read it
	// through [Config.LogDir].
	DataLogDir string
	// SnapCount is the number of requests after which, or after half of which, a
	// snapshot is due, unless it would be larger than the log that it saves (key
	// snapCount, default 100000, at least 2).
	SnapCount int
	// SnapRetainCount is the number of snapshots kept (key
	// autopurge.snapRetainCount, default 3).
	SnapRetainCount int
	// SlowSync is how long a write of the log may take before it is warned of and
	// counted (key fsync.warningthresholdms, in ms, default 1 s).
	SlowSync time.Duration
	// LogStore names the store of the log, [LogStoreWAL] (default) or
	// [LogStoreBoltDB] (key raft.logStore).
	LogStore string

	// ClientPort is the clients' TCP port (key clientPort, default 2181). 0
	// means any free one, which [Server.ClientAddr] tells.
	ClientPort int
	// ClientPortAddress is the host name or address the client port binds on
	// (key clientPortAddress). Empty (default) means every address.
	ClientPortAddress string
	// MinSessionTimeout and MaxSessionTimeout bound what a client may
	// negotiate (keys minSessionTimeout and maxSessionTimeout, in ms; default
	// 2 and 20 ticks).
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// MaxClientCnxns is the number of connections one client address may hold
	// (key maxClientCnxns, default 60, 0 for no limit).
	MaxClientCnxns int
	// MaxCnxns is the number of client connections in all (key maxCnxns,
	// default 0, no limit).
	MaxCnxns int
	// GlobalOutstandingLimit is the number of requests that may be under way
	// in this server before it pauses reading from its clients (key
	// globalOutstandingLimit, default 1000).
	GlobalOutstandingLimit int
	// JuteMaxBuffer is the size in bytes of the largest request frame taken
	// (key jute.maxbuffer, default 1048575).
	JuteMaxBuffer int

	// Limits are further bounds on what clients may do; each of its fields names
	// its key.
	Limits Limits
	// LeaderServes lets the leader of an ensemble take clients too (key
	// leaderServes, "yes" or "no", default yes). A server that becomes leader
	// without it closes its clients' connections, which go on elsewhere.
	LeaderServes bool

	// LocalSessions keeps a new session on the server that its client is
	// connected to, without a write, until it is to own an ephemeral znode (key
	// localSessionsEnabled, default false). A standalone server takes no notice of
	// it.
	LocalSessions bool
	// LocalSessionsUpgrading lets such a session become one of the ensemble then;
	// without it the znode is refused (key localSessionsUpgradingEnabled, default
	// false).
	LocalSessionsUpgrading bool
	// ReadOnlyMode lets a server without a quorum serve reads to clients that
	// take that (key readonlymode.enabled, default false).
	ReadOnlyMode bool

	// ContainerCheckInterval is how often the leader looks for containers and
	// nodes with a TTL to remove (key znode.container.checkIntervalMs, default
	// one minute).
	ContainerCheckInterval time.Duration
	// ContainerMaxPerMinute is how many of them it removes in a minute at most
	// (key znode.container.maxPerMinute, default 10000).
	ContainerMaxPerMinute int
	// ContainerMaxNeverUsed is how long a container without a child ever may
	// stay (key znode.container.maxNeverUsedIntervalMs, default 0, for ever).
	ContainerMaxNeverUsed time.Duration

	// ExtendedTypes lets clients make nodes with a TTL (key
	// extendedTypesEnabled, default false). No server id may be above 254 then.
	ExtendedTypes bool
	// EnforceQuota refuses what goes beyond a quota's hard limits, and says in
	// the log what goes beyond the soft ones (key enforceQuota, default false).
	EnforceQuota bool
	// EagerACLCheck refuses writes that the ACLs forbid before they go into the
	// log (key enableEagerACLCheck, default false). It has no effect on a
	// server without a quorum, as in ZooKeeper.
	EagerACLCheck bool

	// FourLetterWords lists the four-letter words that are answered; "*"
	// stands for all (key 4lw.commands.whitelist, default "srvr").
	FourLetterWords []string
	// AdminEnabled runs the admin server (key admin.enableServer, default true).
	AdminEnabled bool
	// AdminAddress and AdminPort are where it listens (keys admin.serverAddress and
	// admin.serverPort, default 8080). The default address is the loopback's, where
	// ZooKeeper's is every one: it tells of all sessions and znodes' paths.
	AdminAddress string
	AdminPort    int
	// AdminPortSet says that the port was asked for, so that a server alone ends if
	// it is not to be had, as ZooKeeper's does.
	AdminPortSet bool
	// AdminForceHTTPS has it speak TLS, AdminUnified both TLS and plain text, as a
	// caller begins; the former wins. It does so with [Config.QuorumTLS], and asks
	// callers for a certificate with AdminNeedClientAuth alone (keys admin.forceHttps,
	// admin.portUnification and admin.needClientAuth, default false).
	AdminForceHTTPS, AdminUnified, AdminNeedClientAuth bool
	// AdminCommandURL is the path of its commands (key admin.commandURL, default
	// "/commands").
	AdminCommandURL string
	// AdminIdleTimeout ends its idle connections (key admin.idleTimeout, default 30 s).
	AdminIdleTimeout time.Duration
	// AdminSnapshot and AdminRestore let the admin server take a snapshot and restore
	// one (keys admin.snapshot.enabled and admin.restore.enabled, default true).
	AdminSnapshot, AdminRestore bool
	// AdminRateInterval is how long after a snapshot, or a restore, the admin server
	// refuses another one (key admin.rateLimiterIntervalInMS, default 5 minutes).
	AdminRateInterval time.Duration
	// SerializeZxid has no effect on snapshots, which always hold their zxid; without it
	// the admin server refuses both commands, as in ZooKeeper (key
	// serializeLastProcessedZxid.enabled, default true).
	SerializeZxid bool
	// AdminProfiling serves Go's profiles (key admin.pprof, default false).
	AdminProfiling bool
	// AdminUI says to whom the admin server shows the web console: [UIOff],
	// [UILoopback] (default) or [UIOn] (key admin.ui).
	AdminUI string
	// AdminUIWrite lets those who have signed in to it change znodes, with the super
	// user's rights (key admin.uiWrite, default false).
	AdminUIWrite bool
	// AdminUITokenFile is the path of a file with a token to sign in with, besides
	// the super user's password; empty (default) for none (key admin.uiTokenFile).
	AdminUITokenFile string
	// AdminUIHosts are names, besides addresses and those in the configuration, that
	// this server may be called by, "*" for any (key admin.uiHosts).
	AdminUIHosts []string
	// MetricsEnabled exports metrics for Prometheus (key metricsProvider.className
	// names ZooKeeper's provider for it; default false).
	MetricsEnabled bool
	// MetricsHost and MetricsPort are where (keys metricsProvider.httpHost, default
	// every address, and metricsProvider.httpPort, default 7000; -1 for none, which is
	// what zoo.cfg means by MetricsTLSPort alone).
	MetricsHost string
	MetricsPort int
	// MetricsTLSPort is for scrapers that speak TLS, with MetricsTLS, which by default
	// asks them for a certificate; 0 (default) for none (keys metricsProvider.httpsPort,
	// metricsProvider.ssl.KEY).
	MetricsTLSPort int
	MetricsTLS     TLS
	// MetricsRuntime exports figures of the process and the Go runtime too (key
	// metricsProvider.exportJvmInfo, default true).
	MetricsRuntime bool
	// SlowRequest is how long a request takes that is told of in the log, and kept for
	// the admin server's command slow_requests (key slowRequest.thresholdMs, default
	// 1 s, 0 for none).
	SlowRequest time.Duration
	// Audit logs every write of this server's clients into [Config.AuditFile] (key
	// audit.enable, default false).
	Audit bool
	// SuperDigest is the digest id that passes every ACL, as
	// "super:BASE64(SHA1(super:password))" (key
	// DigestAuthenticationProvider.superDigest). Empty (default): nobody. It
	// is a secret and is never logged.
	SuperDigest string
	// NoDigestAuth takes the scheme digest away (key
	// DigestAuthenticationProvider.enabled, default true, for having it).
	NoDigestAuth bool
	// DigestAlg is the hash function of digest ids, by its name in Java (key
	// DigestAuthenticationProvider.digestAlg, default SHA1).
	DigestAlg string
	// AuthProviders names the authentication schemes that are there besides ip
	// and digest: [SchemeEnsemble], [SchemeSASL], [SchemeX509] (keys authProvider.N, which name
	// ZooKeeper's classes).
	AuthProviders []string
	// SkipACL turns all ACL checks off (key skipACL, "yes" or "no", default
	// no).
	SkipACL bool

	// EnforceAuth names authentication schemes of which each client must prove
	// one before it may ask for anything; empty (default) asks for none (keys
	// enforce.auth.enabled and enforce.auth.schemes, or
	// sessionRequireClientSASLAuth for sasl).
	EnforceAuth []string
	// EnsembleNames are the names that clients may call this ensemble by with
	// the scheme ensemble; empty (default) for any (key ensembleAuthName).
	EnsembleNames []string
	// SecureClientPort is the TCP port for clients that speak TLS, with
	// SecureClientPortAddress as its host, empty for every address; 0 (default) for
	// none (keys secureClientPort, secureClientPortAddress). With it a ClientPort of 0
	// is none.
	SecureClientPort        int
	SecureClientPortAddress string
	// ClientTLS is what it, and ClientPort with ClientPortUnification, speaks TLS with
	// (keys ssl.KEY, client.certReload).
	ClientTLS TLS
	// ClientPortUnification has ClientPort speak both TLS and plain text, as a client
	// begins (key client.portUnification, default false).
	ClientPortUnification bool
	// X509SuperUser is the subject of the certificate that passes every ACL, in the
	// form of RFC 2253; empty (default) for nobody (key
	// X509AuthenticationProvider.superUser).
	X509SuperUser string
	// SASLLogin is the section of a login file of Java's that says how clients log in by
	// SASL; empty (default) for not at all (keys java.security.auth.login.config and
	// sasl.serverconfig). Its options hold secrets and are never logged.
	SASLLogin []zabcompat.LoginModule
	// SASLSuperUsers are the ids of the scheme sasl that pass every ACL (keys superUser
	// and superUser.N).
	SASLSuperUsers []string
	// SASLSuperPassword is the password of the user super, in place of the one in
	// SASLLogin, where it has to stand all the same; empty (default) for that one (key
	// SASLAuthenticationProvider.superPassword).
	SASLSuperPassword string
	// AllowSASLFailed lets a client whose login by SASL has failed go on without, unless
	// EnforceAuth asks for sasl (key allowSaslFailedClients, default false).
	AllowSASLFailed bool
	// KerberosRemoveHost and KerberosRemoveRealm leave a part of a Kerberos principal
	// name/host@REALM out of the id (keys kerberos.removeHostFromPrincipal and
	// kerberos.removeRealmFromPrincipal, default false).
	KerberosRemoveHost, KerberosRemoveRealm bool
	// KerberosRules say what name a principal has here, in the form of Hadoop's rules;
	// empty means DEFAULT (key security.auth_to_local).
	KerberosRules string
	// KerberosRealm is the realm of a principal in SASLLogin that names none, and the one
	// whose users have short names by the rule DEFAULT; empty (default) for that of the
	// principal. KerberosSkew is by how much a client's clock may differ; 0 (default)
	// means 5 minutes. (default_realm and clockskew of krb5.conf, which
	// java.security.krb5.conf may name; key java.security.krb5.realm.)
	KerberosRealm string
	KerberosSkew  time.Duration
	// SSLQuorum has servers dial each other with TLS, and answer nothing else unless
	// PortUnification is set; PortUnification has them answer both TLS and plain text
	// (keys sslQuorum, portUnification, default false).
	SSLQuorum, PortUnification bool
	// QuorumTLS is what servers speak TLS with, and the admin server (keys
	// ssl.quorum.KEY, sslQuorumReloadCertFiles).
	QuorumTLS TLS
	// OnMembership is given the membership once the server serves, and each new one
	// after that, from one goroutine of the server; it may block, and then misses
	// those between. It has no key. May be nil.
	OnMembership func(zabcompat.Membership)

	// Properties holds every other key of the configuration as zookeeper.KEY,
	// whether or not anything reads it. May be nil.
	Properties map[string]string
	// Settings lists every key that is known or was set, with its value and where
	// that comes from. It has no key. May be nil.
	Settings []Setting
	// Version is what the four-letter words print as the server's version, in
	// ZooKeeper's form. It has no key: the program sets it.
	Version string
	// ConfigFile is the path of the zoo.cfg this was read from, as it was
	// given; empty for the built-in defaults.
	ConfigFile string
	// ConfigText is what the file held, empty without one.
	ConfigText string
}

// DefaultConfig returns the configuration of a standalone server on client port
// 2181 with its data in ./data. It passes [Config.Validate].
func DefaultConfig() Config {
	const tick = 2 * time.Second
	return Config{
		SID:                    1,
		PeerType:               zabcompat.Participant,
		StandaloneEnabled:      true,
		TickTime:               tick,
		ElectionPortBindRetry:  3,
		InitLimit:              10,
		SyncLimit:              5,
		DataDir:                "data",
		SnapCount:              100000,
		SnapRetainCount:        3,
		SlowSync:               time.Second,
		LogStore:               LogStoreWAL,
		ClientPort:             DefaultClientPort,
		ClientTLS:              TLS{ClientAuth: certs.NeedClientAuth, VerifyServer: true},
		QuorumTLS:              TLS{ClientAuth: certs.NeedClientAuth, VerifyServer: true, VerifyClient: true},
		MinSessionTimeout:      2 * tick,
		MaxSessionTimeout:      20 * tick,
		MaxClientCnxns:         60,
		GlobalOutstandingLimit: 1000,
		JuteMaxBuffer:          0xfffff,
		Limits:                 client.DefaultLimits(),
		LeaderServes:           true,
		ContainerCheckInterval: time.Minute,
		ContainerMaxPerMinute:  10000,
		FourLetterWords:        []string{"srvr"},
		AdminEnabled:           true,
		AdminAddress:           "127.0.0.1",
		AdminPort:              8080,
		AdminCommandURL:        "/commands",
		AdminIdleTimeout:       30 * time.Second,
		AdminUI:                UILoopback,
		AdminSnapshot:          true,
		AdminRestore:           true,
		AdminRateInterval:      5 * time.Minute,
		SerializeZxid:          true,
		MetricsHost:            "0.0.0.0",
		MetricsPort:            7000,
		MetricsTLS:             TLS{ClientAuth: certs.NeedClientAuth},
		MetricsRuntime:         true,
		DigestAlg:              "SHA1",
		SlowRequest:            time.Second,
	}
}

// AutoCreates says whether a server with a blank disk may be one of those that begin an
// ensemble. Else it takes a file named initialize in one of its data directories, which
// goes when the server has joined (key db.autocreate, default true, as in
// FileTxnSnapLog).
func (c *Config) AutoCreates() bool {
	set := c.Properties["zookeeper.db.autocreate"]
	return set == "" || strings.EqualFold(set, "true")
}

// AuditFile returns the path of the audit log: auditlog.file, by default
// zookeeper_audit.log, in the directory log.dir, by default that of the log.
func (c *Config) AuditFile() string {
	return filepath.Join(cmp.Or(c.Properties["zookeeper.log.dir"], c.LogDir()), cmp.Or(c.Properties["zookeeper.auditlog.file"], "zookeeper_audit.log"))
}

// requestOptions is what travels with the writes of this server's clients.
func (c *Config) requestOptions() (o fsm.Options) {
	for _, set := range [...]struct {
		on     bool
		option fsm.Options
	}{
		{c.SkipACL, fsm.SkipACL},
		{c.ExtendedTypes, fsm.ExtendedTypes},
		{c.EnforceQuota, fsm.EnforceQuota},
		{c.NoDigestAuth, fsm.NoDigest},
		{c.clientTLS() || slices.Contains(c.AuthProviders, SchemeX509), fsm.X509},
		{slices.Contains(c.AuthProviders, SchemeSASL), fsm.SASL},
	} {
		if set.on {
			o |= set.option
		}
	}
	if c.ReconfigEnabled {
		o |= fsm.Reconfig
	}
	if !c.StandaloneEnabled {
		o |= fsm.NoStandalone
	}
	return o
}

// digest is the hash function that DigestAlg names.
func (c *Config) digest() acl.Digest {
	d, _ := acl.NewDigest(c.DigestAlg)
	return d
}

// keepsLocalSessions says whether new sessions are this server's alone.
func (c *Config) keepsLocalSessions() bool { return c.LocalSessions && !c.Standalone() }

// Words lists the four-letter words that are answered. Clients that take a
// read-only server ask isro which servers are not (FourLetterCommands).
func (c *Config) Words() []string {
	if c.ReadOnlyMode {
		return append(slices.Clone(c.FourLetterWords), "isro")
	}
	return c.FourLetterWords
}

// Standalone reports whether the server runs without a quorum: fewer than two
// servers vote, and StandaloneEnabled allows it. With StandaloneEnabled off,
// one server line makes an ensemble of one, which can grow. It follows
// QuorumPeerConfig.isDistributed.
func (c *Config) Standalone() bool {
	return c.StandaloneEnabled && c.Participants() < 2
}

// Participants returns the number of servers listed that vote.
func (c *Config) Participants() int {
	n := 0
	for _, s := range c.Servers {
		if !s.Observer {
			n++
		}
	}
	return n
}

// Self returns this server's own line, and false if it is not listed.
func (c *Config) Self() (zabcompat.ServerSpec, bool) {
	for _, s := range c.Servers {
		if s.ID == c.SID {
			return s, true
		}
	}
	return zabcompat.ServerSpec{}, false
}

// LogDir returns the directory of the log: DataLogDir, or DataDir if that is
// empty.
func (c *Config) LogDir() string {
	if c.DataLogDir == "" {
		return filepath.Clean(c.DataDir)
	}
	return filepath.Clean(c.DataLogDir)
}

// Absolute is a path of a configuration as it is shown: one that does not depend on
// the working directory. "" stays "".
func Absolute(path string) string {
	abs, err := filepath.Abs(path)
	if path == "" || err != nil {
		return path
	}
	return abs
}
