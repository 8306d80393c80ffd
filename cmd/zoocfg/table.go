package zoocfg

import "strings"

// Effect is what a key does here.
type Effect int

// The effects.
const (
	Unknown Effect = iota // no key of ZooKeeper's or of this server's
	Same                  // what it does in ZooKeeper
	Mapped                // something that serves its purpose; see Key.Note
	Inert                 // nothing, and nobody misses it: a detail of ZooKeeper's works
	Missing               // nothing, and it may be missed: said at the start
	Refused               // ends the start, with some values at least
	Own                   // what Key.Note says: ZooKeeper has no such key
)

// String returns the effect in a word.
func (e Effect) String() string {
	return [...]string{"unknown", "same as in ZooKeeper", "mapped", "no effect", "not supported", "refused", "Zooraft's own"}[e]
}

// Source is where ZooKeeper takes a key from.
type Source int

// The sources.
const (
	// File is zoo.cfg alone: the parser knows the key, and a property of the name
	// is not looked at.
	File Source = iota
	// Property is the Java property zookeeper.KEY. A line of zoo.cfg sets it, and
	// so wins over -Dzookeeper.KEY.
	Property
	// Bare is the Java property KEY. In ZooKeeper it cannot be set in zoo.cfg;
	// here it can, and -DKEY wins.
	Bare
)

// Key is what there is to say of one key, or of several whose name begins alike.
type Key struct {
	Name   string // as in zoo.cfg; one that ends in a dot stands for all below it
	Source Source
	Effect Effect
	// Note says what it is mapped to or does, why it has no effect, or why it is
	// refused.
	// Empty for Same.
	Note string
}

// Lookup returns what there is to say of a key, without the prefix "zookeeper.".
// Its Effect is Unknown if that is nothing.
func Lookup(key string) Key {
	if k, ok := table[key]; ok {
		return k
	}
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '.' {
			if k, ok := table[key[:i+1]]; ok {
				return k
			}
		}
	}
	return Key{Name: key, Source: Property}
}

// Keys returns all keys in the order of their subjects.
func Keys() []Key { return append([]Key(nil), rows...) }

var table = func() map[string]Key {
	m := make(map[string]Key, len(rows))
	for _, k := range rows {
		m[k.Name] = k
	}
	return m
}()

// Notes that several keys share.
const (
	zab    = "part of ZooKeeper's own election and synchronization; Raft has its own"
	java   = "a detail of the Java program"
	txnlog = "a detail of ZooKeeper's log and snapshot files"

	storeTypes  = "PEM, PKCS12 or JKS; BCFKS has to be converted"
	tlsVersions = "TLSv1.2 and TLSv1.3, both if nothing is said; older ones beside them are passed over, alone they are refused"
	tlsSuites   = "those of TLSv1.2, while TLSv1.3 has its own; unknown ones beside them are passed over, alone they are refused"

	noPeerSASL = "servers prove to each other who they are by TLS alone (sslQuorum)"

	clients = "of use only to ZooKeeper's clients"
)

// rows follow the sections of the ZooKeeper Administrator's Guide. A key with a
// function in keys is Same, Mapped or Refused, one without is none of the first
// two (a test holds both together).
var rows = []Key{
	// Minimum configuration.
	{"dataDir", File, Same, ""},
	{"dataLogDir", File, Mapped, "the directory of Raft's log"},
	{"clientPort", File, Same, ""},
	{"clientPortAddress", File, Same, ""},
	{"tickTime", File, Same, ""},
	{"secureClientPort", File, Same, ""},
	{"secureClientPortAddress", File, Same, ""},

	// Ensemble.
	{"server.", File, Same, ""},
	{"group.", File, Refused, "Raft decides by a majority of servers"},
	{"weight.", File, Refused, "Raft decides by a majority of servers; only weight 1 is taken"},
	{"initLimit", File, Mapped, "the time a server has to catch up before a change of the membership is given up for it"},
	{"syncLimit", File, Mapped, "the time without a leader that hears it after which a server stops serving"},
	{"connectToLearnerMasterLimit", File, Inert, "servers dial each other with limits of their own"},
	{"quorumCnxnTimeoutMs", File, Inert, "servers dial each other with limits of their own"},
	{"electionAlg", File, Refused, "the only algorithm is 3"},
	{"electionPortBindRetry", File, Same, ""},
	{"peerType", File, Same, ""},
	{"observerMasterPort", File, Missing, "observers follow the leader itself"},
	{"syncEnabled", File, Inert, "observers always keep a log and snapshots"},
	{"quorumListenOnAllIPs", File, Same, ""},
	{"standaloneEnabled", File, Same, ""},
	{"reconfigEnabled", File, Same, ""},
	{"dynamicConfigFile", File, Same, ""},
	{"oraclePath", File, Refused, "an oracle changes what a quorum is"},
	{"multiAddress.enabled", File, Mapped, "nothing: a server line with several addresses is refused yet"},
	{"multiAddress.reachabilityCheckTimeoutMs", File, Inert, "an address that does not answer is left by itself"},
	{"multiAddress.reachabilityCheckEnabled", File, Inert, "an address that does not answer is left by itself"},
	{"leaderServes", Property, Same, ""},
	{"cnxTimeout", Property, Inert, zab},
	{"tcpKeepAlive", Property, Inert, "between servers keep-alive is always on, and broken connections are noticed in seconds besides"},
	{"fastleader.minNotificationInterval", Property, Inert, zab},
	{"fastleader.maxNotificationInterval", Property, Inert, zab},
	{"leader.maxTimeToWaitForEpoch", Property, Inert, zab},
	{"leader.ackLoggingFrequency", Property, Inert, zab},
	{"leader.maxConcurrentSnapSyncs", Property, Inert, zab},
	{"leader.maxConcurrentDiffSyncs", Property, Inert, zab},
	{"leader.maxConcurrentSnapshots", Property, Inert, zab},
	{"leader.maxConcurrentDiffs", Property, Inert, zab},
	{"leaderConnectDelayDuringRetryMs", Property, Inert, zab},
	{"observer.reconnectDelayMs", Property, Inert, zab},
	{"observer.election.DelayMs", Property, Inert, zab},
	{"observer.syncEnabled", Property, Inert, "observers always keep a log and snapshots"},
	{"observerMaster.sizeLimit", Property, Inert, zab},
	{"forceSnapshotSync", Property, Inert, zab},
	{"learner.asyncSending", Property, Inert, zab},
	{"learner.closeSocketAsync", Property, Inert, zab},
	{"leader.closeSocketAsync", Property, Inert, zab},
	{"follower.skipLearnerRequestToNextProcessor", Property, Inert, zab},
	{"forward_learner_requests_to_commit_processor_disabled", Property, Inert, zab},
	{"follower.nodelay", Bare, Inert, "connections between servers never delay what is small"},
	{"leader.nodelay", Bare, Inert, "connections between servers never delay what is small"},

	// Sessions, clients and their limits.
	{"minSessionTimeout", File, Same, ""},
	{"maxSessionTimeout", File, Same, ""},
	{"maxClientCnxns", File, Same, ""},
	{"maxCnxns", Property, Same, ""},
	{"clientPortListenBacklog", File, Same, ""},
	{"clientTcpKeepAlive", Property, Same, ""},
	{"globalOutstandingLimit", Property, Same, ""},
	{"jute.maxbuffer", Bare, Mapped, "the same, up to 48 MiB: a request has to fit into one entry of the log"},
	{"jute.maxbuffer.extrasize", Property, Inert, "what is stored is never read by ZooKeeper's rule of lengths"},
	{"nio.sessionlessCnxnTimeout", Property, Same, ""},
	{"largeRequestThreshold", Property, Same, ""},
	{"largeRequestMaxBytes", Property, Same, ""},
	{"connection_throttle_tokens", Property, Same, ""},
	{"connection_throttle_fill_time", Property, Same, ""},
	{"connection_throttle_fill_count", Property, Same, ""},
	{"connection_throttle_freeze_time", Property, Same, ""},
	{"connection_throttle_drop_increase", Property, Same, ""},
	{"connection_throttle_drop_decrease", Property, Same, ""},
	{"connection_throttle_decrease_ratio", Property, Same, ""},
	{"connection_throttle_weight_enabled", Property, Same, ""},
	{"connection_throttle_global_session_weight", Property, Same, ""},
	{"connection_throttle_local_session_weight", Property, Same, ""},
	{"connection_throttle_renew_session_weight", Property, Same, ""},
	{"request_throttle_max_requests", Property, Same, ""},
	{"request_throttle_stall_time", Property, Same, ""},
	{"request_throttle_drop_stale", Property, Same, ""},
	{"request_stale_connection_check", Property, Same, ""},
	{"request_stale_latency_check", Property, Same, ""},
	{"request_throttler.shutdownTimeout", Property, Inert, "there is no queue to empty at the end"},
	{"throttled_op_wait_time", Property, Same, ""},
	{"localSessionsEnabled", File, Same, ""},
	{"localSessionsUpgradingEnabled", File, Same, ""},
	{"readonlymode.enabled", Bare, Same, ""},
	{"4lw.commands.whitelist", Property, Same, ""},
	{"serverCnxnFactory", Property, Inert, java},
	{"nio.", Property, Inert, java},
	{"netty.server.outstandingHandshake.limit", Property, Same, ""},
	{"netty.", Property, Inert, java},
	{"intBufferStartingSizeBytes", Property, Inert, java},
	{"commitProcessor.", Property, Inert, java},
	{"maxResponseCacheSize", Property, Inert, "replies are made faster than they are found"},
	{"maxGetChildrenResponseCacheSize", Property, Inert, "replies are made faster than they are found"},
	{"watchManagerName", Property, Inert, java},
	{"watcherCleanThreadsNum", Property, Inert, java},
	{"watcherCleanThreshold", Property, Inert, java},
	{"watcherCleanIntervalInSeconds", Property, Inert, java},
	{"maxInProcessingDeadWatchers", Property, Inert, java},
	{"bitHashCacheSize", Property, Inert, java},

	// The data.
	{"skipACL", Property, Same, ""},
	{"extendedTypesEnabled", Property, Same, ""},
	{"emulate353TTLNodes", Property, Mapped, "nothing, with a warning: nothing here stores TTLs as ZooKeeper 3.5.3 did"},
	{"enforceQuota", Property, Same, ""},
	{"enableEagerACLCheck", Property, Same, ""},
	{"closeSessionTxn.enabled", Property, Inert, txnlog},
	{"digest.enabled", Property, Inert, txnlog},
	{"znode.container.checkIntervalMs", Bare, Same, ""},
	{"znode.container.maxPerMinute", Bare, Same, ""},
	{"znode.container.maxNeverUsedIntervalMs", Bare, Same, ""},
	{"pathStats.", Property, Inert, java},

	// Log and snapshots.
	{"snapCount", Property, Mapped, "the number of requests after which, or after half of which, a snapshot is due, unless it would be larger than the log that it saves"},
	{"snapSizeLimitInKb", Property, Inert, "snapshots go by requests and by what they would save"},
	{"commitLogCount", Property, Inert, "how much of the log stays for slow servers follows from snapCount"},
	{"snapshotSizeFactor", Property, Inert, zab},
	{"preAllocSize", Property, Inert, txnlog},
	{"txnLogSizeLimitInKb", Property, Inert, txnlog},
	{"forceSync", Property, Missing, "the log is always synced before an answer"},
	{"fsync.warningthresholdms", Property, Same, ""},
	{"flushDelay", Property, Inert, "what has queued travels together, without waiting"},
	{"maxBatchSize", Property, Inert, "what has queued travels together, without waiting"},
	{"maxWriteQueuePollTime", Property, Inert, "what has queued travels together, without waiting"},
	{"snapshot.compression.method", Property, Inert, txnlog},
	{"snapshot.trust.empty", Property, Inert, txnlog},
	{"serializeLastProcessedZxid.enabled", Property, Mapped, "off, it disables snapshot and restore of the AdminServer; snapshots always hold their zxid"},
	{"autopurge.snapRetainCount", File, Mapped, "the number of Raft's snapshots that are kept"},
	{"autopurge.purgeInterval", File, Inert, "old snapshots go when a new one is there"},
	{"datadir.autocreate", Property, Same, ""},
	{"db.autocreate", Property, Same, ""},
	{"raft.logStore", File, Own, "what the log is kept in: wal, or boltdb"},

	// Authentication.
	{"DigestAuthenticationProvider.superDigest", Property, Same, ""},
	{"DigestAuthenticationProvider.enabled", Property, Same, ""},
	{"DigestAuthenticationProvider.digestAlg", Property, Same, ""},
	{"X509AuthenticationProvider.superUser", Property, Same, ""},
	{"IPAuthenticationProvider.usexforwardedfor", Property, Missing, "the AdminServer goes by the address of the connection"},
	{"authProvider.", Property, Mapped, "ZooKeeper's classes for ip, digest, ensemble, sasl and x509 stand for what is built in; others are refused"},
	{"ensembleAuthName", Property, Same, ""},
	{"enforce.auth.enabled", Property, Same, ""},
	{"enforce.auth.schemes", Property, Same, ""},
	{"sessionRequireClientSASLAuth", Property, Same, ""},
	{"allowSaslFailedClients", Property, Same, ""},
	{"superUser", Property, Same, ""},
	{"superUser.", Property, Same, ""},
	{"letAnySaslUserDoX", Property, Missing, "whom an ACL means does not depend on the server here; give users entries of their own"},
	{"sasl.serverconfig", Property, Same, ""},
	{"sasl.", Property, Inert, clients},
	{"SASLAuthenticationProvider.superPassword", Property, Same, ""},
	{"kerberos.removeHostFromPrincipal", Property, Same, ""},
	{"kerberos.removeRealmFromPrincipal", Property, Same, ""},
	{"kerberos.", Property, Inert, clients},
	{"security.auth_to_local", Property, Same, ""},
	{"requireClientAuthScheme", Property, Missing, "nothing in ZooKeeper asks for it either; sessionRequireClientSASLAuth=true requires SASL"},
	{"jaasLoginRenew", Property, Inert, java},
	{"requireKerberosConfig", Property, Inert, java},
	{"kinit", Property, Inert, java},
	{"server.realm", Property, Inert, clients},
	{"java.security.krb5.conf", Bare, Mapped, "default_realm and clockskew count, where the login file names a keytab; /etc/krb5.conf if nothing is said"},
	{"java.security.krb5.realm", Bare, Mapped, "the default realm, with or without a java.security.krb5.kdc, which servers do not need"},
	{"java.security.auth.login.config", Bare, Mapped, "the section Server, or sasl.serverconfig, with ZooKeeper's DigestLoginModule or a Krb5LoginModule with a keytab; without the section the start ends, where ZooKeeper goes on without SASL"},
	{"quorum.auth.enableSasl", File, Missing, noPeerSASL},
	{"quorum.auth.serverRequireSasl", File, Refused, noPeerSASL + ", so true needs sslQuorum=true without portUnification, and ssl.quorum.clientAuth=need"},
	{"quorum.auth.learnerRequireSasl", File, Refused, noPeerSASL + ", and true is refused without quorum.auth.enableSasl=true"},
	{"quorum.auth.", File, Missing, noPeerSASL},
	{"quorum.cnxn.threads.size", File, Inert, java},

	// TLS.
	{"client.portUnification", Property, Same, ""},
	{"client.certReload", Property, Same, ""},
	{"ssl.keyStore.location", Property, Same, ""},
	{"ssl.keyStore.password", Property, Same, ""},
	{"ssl.keyStore.passwordPath", Property, Same, ""},
	{"ssl.keyStore.type", Property, Mapped, storeTypes},
	{"ssl.trustStore.location", Property, Same, ""},
	{"ssl.trustStore.password", Property, Same, ""},
	{"ssl.trustStore.passwordPath", Property, Same, ""},
	{"ssl.trustStore.type", Property, Mapped, storeTypes},
	{"ssl.clientAuth", Property, Same, ""},
	{"ssl.protocol", Property, Mapped, tlsVersions},
	{"ssl.enabledProtocols", Property, Mapped, tlsVersions},
	{"ssl.ciphersuites", Property, Mapped, tlsSuites},
	{"ssl.hostnameVerification", Property, Same, ""},
	{"ssl.clientHostnameVerification", Property, Mapped, "the client's address has to stand in its certificate; names are not looked up by it. Off with ssl.hostnameVerification=false"},
	{"ssl.authProvider", Property, Refused, "only x509 is taken, the scheme that is built in"},
	{"ssl.allowReverseDnsLookup", Property, Refused, "only false is taken: names are never looked up by the address"},
	{"ssl.crl", Property, Refused, "only false is taken: revoked certificates are not looked up"},
	{"ssl.ocsp", Property, Refused, "only false is taken: revoked certificates are not looked up"},
	{"ssl.context.supplier.class", Property, Refused, "classes cannot be loaded"},
	{"ssl.handshakeDetectionTimeoutMillis", Property, Inert, "nio.sessionlessCnxnTimeout bounds it, too"},
	{"ssl.", Property, Inert, java},
	{"sslQuorum", File, Same, ""},
	{"portUnification", File, Same, ""},
	{"sslQuorumReloadCertFiles", File, Same, ""},
	{"ssl.quorum.keyStore.location", Property, Same, ""},
	{"ssl.quorum.keyStore.password", Property, Same, ""},
	{"ssl.quorum.keyStore.passwordPath", Property, Same, ""},
	{"ssl.quorum.keyStore.type", Property, Mapped, storeTypes},
	{"ssl.quorum.trustStore.location", Property, Same, ""},
	{"ssl.quorum.trustStore.password", Property, Same, ""},
	{"ssl.quorum.trustStore.passwordPath", Property, Same, ""},
	{"ssl.quorum.trustStore.type", Property, Mapped, storeTypes},
	{"ssl.quorum.clientAuth", Property, Same, ""},
	{"ssl.quorum.protocol", Property, Mapped, tlsVersions},
	{"ssl.quorum.enabledProtocols", Property, Mapped, tlsVersions},
	{"ssl.quorum.ciphersuites", Property, Mapped, tlsSuites},
	{"ssl.quorum.hostnameVerification", Property, Same, ""},
	{"ssl.quorum.clientHostnameVerification", Property, Mapped, "a server's certificate has to be valid for the host of its server line, or its address; names are not looked up by that. Off with ssl.quorum.hostnameVerification=false"},
	{"ssl.quorum.allowReverseDnsLookup", Property, Refused, "only false is taken: names are never looked up by the address"},
	{"ssl.quorum.crl", Property, Refused, "only false is taken: revoked certificates are not looked up"},
	{"ssl.quorum.ocsp", Property, Refused, "only false is taken: revoked certificates are not looked up"},
	{"ssl.quorum.context.supplier.class", Property, Refused, "classes cannot be loaded"},
	{"fips-mode", Property, Inert, "what Go speaks is the same in both modes"},

	// Looking after it.
	{"admin.enableServer", Property, Same, ""},
	{"admin.serverAddress", Property, Mapped, "the same, but 127.0.0.1 if it is not given"},
	{"admin.serverPort", Property, Same, ""},
	{"admin.commandURL", Property, Same, ""},
	{"admin.idleTimeout", Property, Same, ""},
	{"admin.snapshot.enabled", Property, Same, ""},
	{"admin.restore.enabled", Property, Same, ""},
	{"admin.rateLimiterIntervalInMS", Property, Mapped, "for snapshot ZooKeeper 3.9 takes it for microseconds, here they are ms"},
	{"admin.pprof", File, Own, "the admin server serves profiles below /debug/pprof/"},
	{"admin.ui", File, Own, "to whom the web console is shown: off, loopback or on"},
	{"admin.uiWrite", File, Own, "the web console may change znodes"},
	{"admin.uiTokenFile", File, Own, "a file with a token to sign in to the web console with"},
	{"admin.uiHosts", File, Own, "names that this server may be called by, besides addresses and those it knows: for the web console, snapshot, restore, PUT /log-level and pprof, and on loopback for everything; others get 421"},
	{"slowRequest.thresholdMs", File, Own, "a request that takes longer is logged, with where the time went; 0: none is"},
	{"admin.forceHttps", Property, Same, ""},
	{"admin.portUnification", Property, Same, ""},
	{"admin.needClientAuth", Property, Same, ""},
	{"admin.", Property, Missing, "the AdminServer of this release does not know it"},
	{"metricsProvider.numWorkerThreads", File, Inert, java},
	{"metricsProvider.maxQueueSize", File, Inert, java},
	{"metricsProvider.workerShutdownTimeoutMs", File, Inert, java},
	{"metricsProvider.prometheusMetricsSummaryRotateIntervalSeconds", File, Inert, java},
	{"metricsProvider.className", File, Mapped, "Prometheus turns the exporter on; ZooKeeper's other providers leave it off"},
	{"metricsProvider.httpHost", File, Same, ""},
	{"metricsProvider.httpPort", File, Same, ""},
	{"metricsProvider.httpsPort", File, Same, ""},
	{"metricsProvider.ssl.keyStore.location", File, Same, ""},
	{"metricsProvider.ssl.keyStore.password", File, Same, ""},
	{"metricsProvider.ssl.keyStore.type", File, Mapped, storeTypes},
	{"metricsProvider.ssl.trustStore.location", File, Same, ""},
	{"metricsProvider.ssl.trustStore.password", File, Same, ""},
	{"metricsProvider.ssl.trustStore.type", File, Mapped, storeTypes},
	{"metricsProvider.ssl.need.client.auth", File, Same, ""},
	{"metricsProvider.ssl.want.client.auth", File, Same, ""},
	{"metricsProvider.ssl.enabledProtocols", File, Mapped, tlsVersions},
	{"metricsProvider.ssl.ciphersuites", File, Mapped, tlsSuites},
	{"metricsProvider.exportJvmInfo", File, Mapped, "the families of the Go process"},
	{"metricsProvider.", File, Missing, "the exporter of this release does not know it"},
	{"audit.enable", Property, Same, ""},
	{"audit.impl.class", Property, Refused, "the audit log is built in; only ZooKeeper's own Slf4jAuditLogger is taken"},
	{"auditlog.file", Property, Mapped, "the name of the audit log, which ZooKeeper leaves to its logback.xml"},
	{"log.dir", Property, Mapped, "the directory of the audit log, by default ZOO_LOG_DIR, else dataLogDir; the server's own log goes to standard error"},
	{"jvm.pause.", File, Inert, java},
	{"messageTracker.", Property, Inert, java},
	{"client.secure", Property, Inert, clients},
	{"server.principal", Property, Inert, clients},
	{"clientCnxnSocket", Property, Inert, clients},
	{"request.timeout", Property, Inert, clients},
	{"disableAutoWatchReset", Property, Inert, clients},
	{"controllerPort", File, Inert, "of use only to ZooKeeper's own tests"},
	{"jmx.", Property, Inert, java},
	{"log.", Property, Inert, "the log goes to standard error; --log-level says how much"},
	{"root.logger", Property, Inert, "the log goes to standard error; --log-level says how much"},
	{"console.", Property, Inert, "the log goes to standard error; --log-level says how much"},
}

// IsProperty reports whether a Java property, by its whole name, concerns the
// server.
func IsProperty(name string) bool {
	return strings.HasPrefix(name, prefix) || isBare(name)
}

// isBare is IsProperty for those without the prefix.
func isBare(name string) bool {
	k, ok := table[name]
	return ok && k.Source == Bare || name == "fsync.warningthresholdms" // that has both names
}
