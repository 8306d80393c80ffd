package zoocfg

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"zooraft/server"
)

// values writes what is in effect for each key that has an effect, as zoo.cfg
// would have it. Before anything is set that is the key's default: there is no
// other list of defaults than server.DefaultConfig. A test gives each value back
// to its key.
var values = map[string]func(*loader) string{
	"dataDir":           func(l *loader) string { return server.Absolute(l.cfg.DataDir) },
	"dataLogDir":        func(l *loader) string { return server.Absolute(cmp.Or(l.cfg.DataLogDir, l.cfg.DataDir)) },
	"clientPort":        func(l *loader) string { return strconv.Itoa(l.cfg.ClientPort) },
	"clientPortAddress": func(l *loader) string { return l.cfg.ClientPortAddress },
	"tickTime":          func(l *loader) string { return millis(l.cfg.TickTime) },

	"secureClientPort":                        func(l *loader) string { return strconv.Itoa(l.cfg.SecureClientPort) },
	"secureClientPortAddress":                 func(l *loader) string { return l.cfg.SecureClientPortAddress },
	"client.portUnification":                  func(l *loader) string { return strconv.FormatBool(l.cfg.ClientPortUnification) },
	"client.certReload":                       func(l *loader) string { return strconv.FormatBool(l.cfg.ClientTLS.Reload) },
	"netty.server.outstandingHandshake.limit": func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Handshakes) },
	"ssl.authProvider":                        func(*loader) string { return server.SchemeX509 },
	"sslQuorum":                               func(l *loader) string { return strconv.FormatBool(l.cfg.SSLQuorum) },
	"portUnification":                         func(l *loader) string { return strconv.FormatBool(l.cfg.PortUnification) },
	"sslQuorumReloadCertFiles":                func(l *loader) string { return strconv.FormatBool(l.cfg.QuorumTLS.Reload) },
	"X509AuthenticationProvider.superUser":    func(l *loader) string { return l.cfg.X509SuperUser },

	"initLimit":             func(l *loader) string { return strconv.Itoa(l.cfg.InitLimit) },
	"syncLimit":             func(l *loader) string { return strconv.Itoa(l.cfg.SyncLimit) },
	"electionAlg":           func(*loader) string { return onlyElectionAlg },
	"peerType":              func(l *loader) string { return l.cfg.PeerType },
	"electionPortBindRetry": func(l *loader) string { return strconv.Itoa(l.cfg.ElectionPortBindRetry) },
	"quorumListenOnAllIPs":  func(l *loader) string { return strconv.FormatBool(l.cfg.QuorumListenOnAllIPs) },
	"standaloneEnabled":     func(l *loader) string { return strconv.FormatBool(l.cfg.StandaloneEnabled) },
	"reconfigEnabled":       func(l *loader) string { return strconv.FormatBool(l.cfg.ReconfigEnabled) },
	"multiAddress.enabled":  func(l *loader) string { return strconv.FormatBool(l.multiAddress) },
	"leaderServes":          func(l *loader) string { return yesNo(l.cfg.LeaderServes) },

	"minSessionTimeout":             func(l *loader) string { return millis(l.cfg.MinSessionTimeout) },
	"maxSessionTimeout":             func(l *loader) string { return millis(l.cfg.MaxSessionTimeout) },
	"maxClientCnxns":                func(l *loader) string { return strconv.Itoa(l.cfg.MaxClientCnxns) },
	"maxCnxns":                      func(l *loader) string { return strconv.Itoa(l.cfg.MaxCnxns) },
	"clientPortListenBacklog":       func(l *loader) string { return strconv.Itoa(l.cfg.Limits.ListenBacklog) },
	"clientTcpKeepAlive":            func(l *loader) string { return strconv.FormatBool(l.cfg.Limits.KeepAlive) },
	"globalOutstandingLimit":        func(l *loader) string { return strconv.Itoa(l.cfg.GlobalOutstandingLimit) },
	"jute.maxbuffer":                func(l *loader) string { return strconv.Itoa(l.cfg.JuteMaxBuffer) },
	"nio.sessionlessCnxnTimeout":    func(l *loader) string { return millis(l.cfg.Limits.SessionlessTimeout) },
	"largeRequestThreshold":         func(l *loader) string { return strconv.Itoa(l.cfg.Limits.LargeRequestThreshold) },
	"largeRequestMaxBytes":          func(l *loader) string { return strconv.Itoa(l.cfg.Limits.LargeRequestMaxBytes) },
	"localSessionsEnabled":          func(l *loader) string { return strconv.FormatBool(l.cfg.LocalSessions) },
	"localSessionsUpgradingEnabled": func(l *loader) string { return strconv.FormatBool(l.cfg.LocalSessionsUpgrading) },
	"readonlymode.enabled":          func(l *loader) string { return strconv.FormatBool(l.cfg.ReadOnlyMode) },
	"4lw.commands.whitelist":        func(l *loader) string { return strings.Join(l.cfg.Words(), ",") },

	"connection_throttle_tokens":                func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Connects.Tokens) },
	"connection_throttle_fill_time":             func(l *loader) string { return millis(l.cfg.Limits.Connects.FillTime) },
	"connection_throttle_fill_count":            func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Connects.FillCount) },
	"connection_throttle_freeze_time":           func(l *loader) string { return millis(l.cfg.Limits.Connects.FreezeTime) },
	"connection_throttle_drop_increase":         func(l *loader) string { return share(l.cfg.Limits.Connects.DropIncrease) },
	"connection_throttle_drop_decrease":         func(l *loader) string { return share(l.cfg.Limits.Connects.DropDecrease) },
	"connection_throttle_decrease_ratio":        func(l *loader) string { return share(l.cfg.Limits.Connects.DecreaseRatio) },
	"connection_throttle_weight_enabled":        func(l *loader) string { return strconv.FormatBool(l.cfg.Limits.Connects.Weighted) },
	"connection_throttle_global_session_weight": func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Connects.GlobalWeight) },
	"connection_throttle_local_session_weight":  func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Connects.LocalWeight) },
	"connection_throttle_renew_session_weight":  func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Connects.RenewWeight) },
	"request_throttle_max_requests":             func(l *loader) string { return strconv.Itoa(l.cfg.Limits.Requests.MaxRequests) },
	"request_throttle_stall_time":               func(l *loader) string { return millis(l.cfg.Limits.Requests.StallTime) },
	"request_throttle_drop_stale":               func(l *loader) string { return strconv.FormatBool(l.cfg.Limits.Requests.DropStale) },
	"request_stale_connection_check":            func(l *loader) string { return strconv.FormatBool(l.cfg.Limits.Requests.StaleConnection) },
	"request_stale_latency_check":               func(l *loader) string { return strconv.FormatBool(l.cfg.Limits.Requests.StaleLatency) },
	"throttled_op_wait_time":                    func(l *loader) string { return millis(l.cfg.Limits.Requests.OpWaitTime) },

	"SASLAuthenticationProvider.superPassword": func(l *loader) string { return l.cfg.SASLSuperPassword },
	"allowSaslFailedClients":                   func(l *loader) string { return strconv.FormatBool(l.cfg.AllowSASLFailed) },
	"kerberos.removeHostFromPrincipal":         func(l *loader) string { return strconv.FormatBool(l.cfg.KerberosRemoveHost) },
	"kerberos.removeRealmFromPrincipal":        func(l *loader) string { return strconv.FormatBool(l.cfg.KerberosRemoveRealm) },
	"security.auth_to_local":                   func(l *loader) string { return l.cfg.KerberosRules },

	"skipACL":                                func(l *loader) string { return yesNo(l.cfg.SkipACL) },
	"extendedTypesEnabled":                   func(l *loader) string { return strconv.FormatBool(l.cfg.ExtendedTypes) },
	"enforceQuota":                           func(l *loader) string { return strconv.FormatBool(l.cfg.EnforceQuota) },
	"enableEagerACLCheck":                    func(l *loader) string { return strconv.FormatBool(l.cfg.EagerACLCheck) },
	"znode.container.checkIntervalMs":        func(l *loader) string { return millis(l.cfg.ContainerCheckInterval) },
	"znode.container.maxPerMinute":           func(l *loader) string { return strconv.Itoa(l.cfg.ContainerMaxPerMinute) },
	"znode.container.maxNeverUsedIntervalMs": func(l *loader) string { return millis(l.cfg.ContainerMaxNeverUsed) },

	"snapCount":                 func(l *loader) string { return strconv.Itoa(l.cfg.SnapCount) },
	"autopurge.snapRetainCount": func(l *loader) string { return strconv.Itoa(l.cfg.SnapRetainCount) },
	"datadir.autocreate":        func(l *loader) string { return strconv.FormatBool(MakesDirectories(&l.cfg)) },
	"db.autocreate":             func(l *loader) string { return strconv.FormatBool(l.cfg.AutoCreates()) },
	"fsync.warningthresholdms":  func(l *loader) string { return millis(l.cfg.SlowSync) },
	"raft.logStore":             func(l *loader) string { return l.cfg.LogStore },

	"DigestAuthenticationProvider.superDigest": func(l *loader) string { return l.cfg.SuperDigest },
	"DigestAuthenticationProvider.enabled":     func(l *loader) string { return strconv.FormatBool(!l.cfg.NoDigestAuth) },
	"DigestAuthenticationProvider.digestAlg":   func(l *loader) string { return l.cfg.DigestAlg },
	"ensembleAuthName":                         func(l *loader) string { return strings.Join(l.cfg.EnsembleNames, ",") },
	"enforce.auth.enabled":                     func(l *loader) string { return strconv.FormatBool(len(l.cfg.EnforceAuth) > 0) },
	"enforce.auth.schemes":                     func(l *loader) string { return strings.Join(l.enforced(), ",") },
	"sessionRequireClientSASLAuth":             func(l *loader) string { return strconv.FormatBool(l.enforce.sasl) },

	"admin.enableServer":  func(l *loader) string { return strconv.FormatBool(l.cfg.AdminEnabled) },
	"admin.serverAddress": func(l *loader) string { return l.cfg.AdminAddress },
	"admin.serverPort":    func(l *loader) string { return strconv.Itoa(l.cfg.AdminPort) },
	"admin.commandURL":    func(l *loader) string { return l.cfg.AdminCommandURL },
	"admin.idleTimeout":   func(l *loader) string { return millis(l.cfg.AdminIdleTimeout) },
	"admin.ui":            func(l *loader) string { return l.cfg.AdminUI },
	"admin.uiWrite":       func(l *loader) string { return strconv.FormatBool(l.cfg.AdminUIWrite) },
	"admin.uiTokenFile":   func(l *loader) string { return l.cfg.AdminUITokenFile },
	"admin.uiHosts":       func(l *loader) string { return strings.Join(l.cfg.AdminUIHosts, ",") },
	"admin.pprof":         func(l *loader) string { return strconv.FormatBool(l.cfg.AdminProfiling) },

	"admin.snapshot.enabled":             func(l *loader) string { return strconv.FormatBool(l.cfg.AdminSnapshot) },
	"admin.restore.enabled":              func(l *loader) string { return strconv.FormatBool(l.cfg.AdminRestore) },
	"admin.rateLimiterIntervalInMS":      func(l *loader) string { return millis(l.cfg.AdminRateInterval) },
	"serializeLastProcessedZxid.enabled": func(l *loader) string { return strconv.FormatBool(l.cfg.SerializeZxid) },

	"slowRequest.thresholdMs":       func(l *loader) string { return millis(l.cfg.SlowRequest) },
	"audit.enable":                  func(l *loader) string { return strconv.FormatBool(l.cfg.Audit) },
	"metricsProvider.className":     metricsClassName,
	"metricsProvider.httpHost":      func(l *loader) string { return l.cfg.MetricsHost },
	"metricsProvider.httpPort":      func(l *loader) string { return port(l.cfg.MetricsPort, -1) },
	"metricsProvider.httpsPort":     func(l *loader) string { return port(l.cfg.MetricsTLSPort, 0) },
	"metricsProvider.exportJvmInfo": func(l *loader) string { return strconv.FormatBool(l.cfg.MetricsRuntime) },

	"admin.forceHttps":                     func(l *loader) string { return strconv.FormatBool(l.cfg.AdminForceHTTPS) },
	"admin.portUnification":                func(l *loader) string { return strconv.FormatBool(l.cfg.AdminUnified) },
	"admin.needClientAuth":                 func(l *loader) string { return strconv.FormatBool(l.cfg.AdminNeedClientAuth) },
	"metricsProvider.ssl.need.client.auth": func(l *loader) string { return strconv.FormatBool(l.scrapers.need) },
	"metricsProvider.ssl.want.client.auth": func(l *loader) string { return strconv.FormatBool(l.scrapers.want) },
}

// MakesDirectories says whether the data directories are made if they are not
// there (key datadir.autocreate, default true; only false turns it off, as in
// FileTxnSnapLog).
func MakesDirectories(cfg *server.Config) bool {
	return cfg.Properties[prefix+"datadir.autocreate"] != "false"
}

// enforced are the schemes of enforce.auth.schemes: those in force, or, while they
// are not asked for, those that would be.
func (l *loader) enforced() []string {
	if len(l.cfg.EnforceAuth) > 0 {
		return l.cfg.EnforceAuth
	}
	return l.enforce.schemes
}

func metricsClassName(l *loader) string {
	if l.cfg.MetricsEnabled {
		return prometheus
	}
	return noMetrics
}

// derived says what an unset key's value follows from, "" if that is its default.
func (l *loader) derived(key string) string {
	self, listed := l.cfg.Self()
	line := "server." + strconv.Itoa(l.cfg.SID)
	switch {
	case key == "minSessionTimeout" && !l.timeoutSet[key]:
		return "2 ticks"
	case key == "maxSessionTimeout" && !l.timeoutSet[key]:
		return "20 ticks"
	case key == "dataLogDir" && l.settings[key].key == "":
		return "dataDir"
	case key == "metricsProvider.httpPort" && l.cfg.MetricsPort < 0:
		return "metricsProvider.httpsPort"
	case ownLine[key] && listed && (key == "peerType" || self.ClientPort != 0):
		return line
	case strings.HasPrefix(key, "enforce.auth.") && l.enforce.sasl:
		return "sessionRequireClientSASLAuth"
	}
	return l.overruled[key]
}

// port is a port's number, "" for the one that stands for none.
func port(n, none int) string {
	if n == none {
		return ""
	}
	return strconv.Itoa(n)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func share(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

// effective lists the settings of a configuration that was loaded: myid, every key
// that is known in the order of the table, with its value in effect, and then what
// was set and is unknown. A group of keys whose names begin alike is there by its
// members that were set, or by its name.
func (l *loader) effective() []Setting {
	list := []Setting{l.identity()}
	shown := make(map[string]bool)
	set := l.settingsList()
	for _, k := range rows {
		if !strings.HasSuffix(k.Name, ".") {
			list = append(list, l.inEffect(k))
			shown[k.Name] = true
			continue
		}
		n := len(list)
		for _, s := range set {
			if s.Key.Name == k.Name {
				list = append(list, s)
				shown[s.Name] = true
			}
		}
		if n == len(list) {
			list = append(list, Setting{Key: k, Name: k.Name + "*", Origin: OriginNotSet})
		}
	}
	for _, s := range set {
		if !shown[s.Name] && s.Name != idKey {
			list = append(list, s)
		}
	}
	return list
}

// inEffect is one key with its value in effect, whoever set it.
func (l *loader) inEffect(k Key) Setting {
	s := Setting{Key: k, Name: k.Name, Origin: OriginNotSet}
	given, set := l.settings[k.Name]
	if set {
		s.Key = l.with(k, given)
		s.Set, s.Value, s.Origin = true, given.value, given.where
	}
	if value, has := values[k.Name]; has && (set || l.cfg.SID != 0 || !ownLine[k.Name]) {
		s.Value = value(l)
		from := l.derived(k.Name)
		switch {
		case from != "" && (!set || s.Value != given.value):
			s.Origin = OriginDerived + from
			if at := l.serverAt[from]; at != "" {
				s.Origin += " (" + at + ")"
			}
		case !set:
			s.Origin = OriginDefault
		}
	}
	if k.Name == "dynamicConfigFile" {
		s.Value = server.Absolute(s.Value)
	}
	if set && s.Value != given.value {
		s.Given = given.value
	}
	return s.masked()
}

// ownLine are the keys that this server's line may give a value.
var ownLine = map[string]bool{"clientPort": true, "clientPortAddress": true, "peerType": true}

// idKey is what stands for the file myid.
const idKey = "myid"

// identity is the server's id and where it was found.
func (l *loader) identity() Setting {
	s := Setting{
		Key:  Key{Name: idKey, Effect: Same},
		Name: idKey, Value: strconv.Itoa(l.cfg.SID), Origin: cmp.Or(l.idFrom, OriginDefault),
	}
	if l.cfg.SID == 0 {
		s.Value, s.Origin = "", OriginNotSet
	}
	s.Set = l.idFrom != "" && !strings.HasPrefix(l.idFrom, OriginDerived)
	return s
}
