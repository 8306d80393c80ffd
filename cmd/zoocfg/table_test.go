package zoocfg

import (
	"strings"
	"testing"

	"zooraft/server"
)

// All keys that the administrator's guide of ZooKeeper 3.9 and its code know.
const zooKeeperKeys = `
dataDir dataLogDir clientPort clientPortAddress secureClientPort secureClientPortAddress observerMasterPort
clientPortListenBacklog tickTime maxClientCnxns maxCnxns minSessionTimeout maxSessionTimeout initLimit syncLimit
connectToLearnerMasterLimit electionAlg electionPortBindRetry quorumListenOnAllIPs peerType syncEnabled
localSessionsEnabled localSessionsUpgradingEnabled dynamicConfigFile standaloneEnabled reconfigEnabled skipACL
server.1 group.1 weight.1 autopurge.snapRetainCount autopurge.purgeInterval sslQuorum portUnification
sslQuorumReloadCertFiles quorum.auth.enableSasl quorum.auth.learner.saslLoginContext quorum.auth.kerberos.servicePrincipal
quorum.cnxn.threads.size quorumCnxnTimeoutMs jvm.pause.monitor jvm.pause.sleep.time.ms jvm.pause.info-threshold.ms
jvm.pause.warn-threshold.ms metricsProvider.className metricsProvider.httpHost metricsProvider.httpPort
metricsProvider.exportJvmInfo metricsProvider.httpsPort metricsProvider.ssl.keyStore.location metricsProvider.numWorkerThreads
metricsProvider.maxQueueSize metricsProvider.workerShutdownTimeoutMs
metricsProvider.prometheusMetricsSummaryRotateIntervalSeconds multiAddress.enabled multiAddress.reachabilityCheckTimeoutMs
multiAddress.reachabilityCheckEnabled oraclePath admin.enableServer admin.serverPort

globalOutstandingLimit preAllocSize snapCount snapSizeLimitInKb txnLogSizeLimitInKb commitLogCount snapshotSizeFactor
forceSync fsync.warningthresholdms flushDelay maxBatchSize maxWriteQueuePollTime jute.maxbuffer jute.maxbuffer.extrasize
maxResponseCacheSize maxGetChildrenResponseCacheSize extendedTypesEnabled emulate353TTLNodes enforceQuota
enableEagerACLCheck closeSessionTxn.enabled digest.enabled snapshot.compression.method snapshot.trust.empty
serializeLastProcessedZxid.enabled datadir.autocreate db.autocreate znode.container.checkIntervalMs
znode.container.maxPerMinute znode.container.maxNeverUsedIntervalMs watchManagerName watcherCleanThreadsNum
watcherCleanThreshold watcherCleanIntervalInSeconds maxInProcessingDeadWatchers bitHashCacheSize serverCnxnFactory
nio.numSelectorThreads nio.numWorkerThreads nio.directBufferBytes nio.sessionlessCnxnTimeout nio.shutdownTimeout
netty.advancedFlowControl.enabled netty.server.outstandingHandshake.limit netty.server.earlyDropSecureConnectionHandshakes
tcpKeepAlive clientTcpKeepAlive connection_throttle_tokens connection_throttle_fill_time connection_throttle_fill_count
connection_throttle_freeze_time connection_throttle_drop_increase connection_throttle_drop_decrease
connection_throttle_decrease_ratio connection_throttle_weight_enabled connection_throttle_global_session_weight
connection_throttle_local_session_weight connection_throttle_renew_session_weight request_throttle_max_requests
request_throttle_stall_time request_throttle_drop_stale request_stale_latency_check request_stale_connection_check
request_throttler.shutdownTimeout throttled_op_wait_time largeRequestMaxBytes largeRequestThreshold
commitProcessor.numWorkerThreads commitProcessor.maxReadBatchSize commitProcessor.maxCommitBatchSize
commitProcessor.shutdownTimeout leader.ackLoggingFrequency intBufferStartingSizeBytes messageTracker.Enabled
messageTracker.BufferSize pathStats.enabled pathStats.slotCapacity learner.asyncSending learner.closeSocketAsync
leader.closeSocketAsync forward_learner_requests_to_commit_processor_disabled follower.skipLearnerRequestToNextProcessor
fastleader.minNotificationInterval fastleader.maxNotificationInterval cnxTimeout leader.maxTimeToWaitForEpoch
leaderConnectDelayDuringRetryMs observer.reconnectDelayMs observer.election.DelayMs observerMaster.sizeLimit
leader.maxConcurrentSnapSyncs leader.maxConcurrentDiffSyncs forceSnapshotSync follower.nodelay leader.nodelay leaderServes
readonlymode.enabled 4lw.commands.whitelist DigestAuthenticationProvider.enabled DigestAuthenticationProvider.superDigest
DigestAuthenticationProvider.digestAlg X509AuthenticationProvider.superUser IPAuthenticationProvider.usexforwardedfor
superUser superUser.1 authProvider.1 authProvider.sasl ssl.authProvider ensembleAuthName enforce.auth.enabled
enforce.auth.schemes sessionRequireClientSASLAuth allowSaslFailedClients sasl.serverconfig
kerberos.removeHostFromPrincipal security.auth_to_local SASLAuthenticationProvider.superPassword
java.security.auth.login.config audit.enable audit.impl.class fips-mode client.portUnification client.certReload
controllerPort jmx.log4j.disable jmx.log4j.mbean ssl.keyStore.location ssl.quorum.trustStore.password
ssl.keyStore.password ssl.keyStore.passwordPath ssl.keyStore.type ssl.trustStore.location ssl.clientAuth ssl.protocol
ssl.enabledProtocols ssl.ciphersuites ssl.hostnameVerification ssl.clientHostnameVerification ssl.allowReverseDnsLookup
ssl.crl ssl.ocsp ssl.context.supplier.class ssl.handshakeDetectionTimeoutMillis ssl.sslProvider ssl.quorum.clientAuth
quorum.auth.learnerRequireSasl quorum.auth.serverRequireSasl quorum.auth.server.saslLoginContext
kerberos.removeRealmFromPrincipal kerberos.canonicalizeHostNames kerberos.minReLoginTimeMs letAnySaslUserDoX
metricsProvider.ssl.trustStore.location metricsProvider.ssl.need.client.auth pathStats.slotDuration pathStats.maxDepth
pathStats.sampleRate pathStats.initialDelay pathStats.delay pathStats.topPathMax observer.syncEnabled
admin.serverAddress admin.commandURL admin.idleTimeout admin.httpVersion admin.portUnification admin.forceHttps
requireKerberosConfig kinit server.realm server.principal client.secure clientCnxnSocket request.timeout
disableAutoWatchReset admin.needClientAuth admin.snapshot.enabled admin.restore.enabled admin.rateLimiterIntervalInMS`

func TestTableIsComplete(t *testing.T) {
	for key := range strings.FieldsSeq(zooKeeperKeys) {
		if Lookup(key).Effect == Unknown {
			t.Errorf("%s: not in the table", key)
		}
	}
	if k := Lookup("noSuchKey"); k.Effect != Unknown || k.Name != "noSuchKey" {
		t.Errorf("noSuchKey: %+v", k)
	}
	if k := Lookup("nio.sessionlessCnxnTimeout"); k.Effect != Same {
		t.Errorf("a key below a group: %+v", k)
	}
}

// What the table says of a key is what becomes of it.
func TestTableIsTrue(t *testing.T) {
	if len(table) != len(rows) {
		t.Errorf("%d rows for %d keys", len(rows), len(table))
	}
	for _, k := range rows {
		if (k.Note == "") != (k.Effect == Same) {
			t.Errorf("%s: %v with note %q", k.Name, k.Effect, k.Note)
		}
		name := k.Name
		if strings.HasSuffix(name, ".") {
			name += "1"
		}
		_, set := setter(name)
		set = set || isMembership(name) || properties[name]
		if has := k.Effect == Same || k.Effect == Mapped || k.Effect == Own; has && !set || set && !has && k.Effect != Refused {
			t.Errorf("%s: the table says %v; whether there is something that takes it: %v", k.Name, k.Effect, set)
		}
	}
	for _, p := range tlsPrefixes { // which say the same of each port
		for name := range tlsKeys {
			got, want := Lookup(p.prefix+name), Lookup(server.ClientSSL+name)
			if keys[got.Name] != nil && got.Effect != want.Effect {
				t.Errorf("%s: %v, but %s: %v", got.Name, got.Effect, want.Name, want.Effect)
			}
		}
	}
	for key := range keys {
		if Lookup(key).Name != key {
			t.Errorf("%s has an effect and no row of its own in the table", key)
		}
	}
}
