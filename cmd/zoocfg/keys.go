package zoocfg

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

// onlyElectionAlg is what electionAlg may be.
const onlyElectionAlg = "3"

// keys says what each key does that has a field in server.Config, or a rule of
// its own. Keys stand without the prefix "zookeeper.".
var keys = map[string]func(*loader, setting){
	"tickTime":          func(l *loader, s setting) { l.millis(s, "2000", &l.cfg.TickTime) },
	"initLimit":         func(l *loader, s setting) { l.number(s, "the number of ticks", "10", &l.cfg.InitLimit) },
	"syncLimit":         func(l *loader, s setting) { l.number(s, "the number of ticks", "5", &l.cfg.SyncLimit) },
	"dataDir":           func(l *loader, s setting) { l.directory(s, &l.cfg.DataDir) },
	"dataLogDir":        func(l *loader, s setting) { l.directory(s, &l.cfg.DataLogDir) },
	"clientPort":        func(l *loader, s setting) { l.number(s, "a port", "2181", &l.cfg.ClientPort) },
	"clientPortAddress": func(l *loader, s setting) { l.cfg.ClientPortAddress = s.value },
	"secureClientPort": func(l *loader, s setting) {
		l.number(s, "a port", strconv.Itoa(defaultSecurePort), &l.cfg.SecureClientPort)
	},
	"secureClientPortAddress": func(l *loader, s setting) { l.cfg.SecureClientPortAddress = s.value },
	"client.portUnification":  func(l *loader, s setting) { l.boolean(s, &l.cfg.ClientPortUnification) },
	"client.certReload":       func(l *loader, s setting) { l.flag(s, &l.cfg.ClientTLS.Reload) },
	"sslQuorum":               func(l *loader, s setting) { l.boolean(s, &l.cfg.SSLQuorum) },
	"portUnification":         func(l *loader, s setting) { l.boolean(s, &l.cfg.PortUnification) },
	"sslQuorumReloadCertFiles": func(l *loader, s setting) {
		l.boolean(s, &l.cfg.QuorumTLS.Reload)
	},
	"ssl.authProvider":                     sslAuthProvider,
	"X509AuthenticationProvider.superUser": func(l *loader, s setting) { l.cfg.X509SuperUser = s.value },
	"maxClientCnxns":                       func(l *loader, s setting) { l.limit(s, l.number, "60", &l.cfg.MaxClientCnxns) },
	"maxCnxns":                             func(l *loader, s setting) { l.limit(s, l.count, "1000", &l.cfg.MaxCnxns) },
	"minSessionTimeout":                    func(l *loader, s setting) { l.sessionTimeout(s, &l.cfg.MinSessionTimeout) },
	"maxSessionTimeout":                    func(l *loader, s setting) { l.sessionTimeout(s, &l.cfg.MaxSessionTimeout) },
	"globalOutstandingLimit": func(l *loader, s setting) {
		l.count(s, "the number of requests", "1000", &l.cfg.GlobalOutstandingLimit)
	},
	"jute.maxbuffer":                  juteMaxBuffer,
	"znode.container.checkIntervalMs": func(l *loader, s setting) { l.ms(s, "60000", &l.cfg.ContainerCheckInterval) },
	"znode.container.maxPerMinute": func(l *loader, s setting) {
		l.count(s, "the number of containers", "10000", &l.cfg.ContainerMaxPerMinute)
	},
	"znode.container.maxNeverUsedIntervalMs": func(l *loader, s setting) { l.ms(s, "300000", &l.cfg.ContainerMaxNeverUsed) },
	"extendedTypesEnabled":                   func(l *loader, s setting) { l.flag(s, &l.cfg.ExtendedTypes) },
	"emulate353TTLNodes":                     emulate353TTLNodes,
	"enforceQuota":                           func(l *loader, s setting) { l.flag(s, &l.cfg.EnforceQuota) },
	"enableEagerACLCheck":                    func(l *loader, s setting) { l.flag(s, &l.cfg.EagerACLCheck) },

	"DigestAuthenticationProvider.enabled":   digestEnabled,
	"DigestAuthenticationProvider.digestAlg": func(l *loader, s setting) { l.cfg.DigestAlg = s.value },

	"snapCount":                 snapCount,
	"fsync.warningthresholdms":  func(l *loader, s setting) { l.ms(s, "1000", &l.cfg.SlowSync) },
	"autopurge.snapRetainCount": snapRetainCount,
	"standaloneEnabled":         func(l *loader, s setting) { l.boolean(s, &l.cfg.StandaloneEnabled) },
	"reconfigEnabled":           func(l *loader, s setting) { l.boolean(s, &l.cfg.ReconfigEnabled) },
	"electionPortBindRetry": func(l *loader, s setting) {
		l.count(s, "the number of tries, 0 for no end", "3", &l.cfg.ElectionPortBindRetry)
	},
	"quorumListenOnAllIPs":   func(l *loader, s setting) { l.boolean(s, &l.cfg.QuorumListenOnAllIPs) },
	"peerType":               peerType,
	"4lw.commands.whitelist": fourLetterWords,
	"skipACL":                skipACL,
	"raft.logStore":          func(l *loader, s setting) { l.cfg.LogStore = s.value },
	"multiAddress.enabled":   func(l *loader, s setting) { l.boolean(s, &l.multiAddress) },
	"dynamicConfigFile":      func(*loader, setting) {}, // read before the keys are looked at
	"DigestAuthenticationProvider.superDigest": func(l *loader, s setting) { l.cfg.SuperDigest = s.value },

	"admin.enableServer":  adminEnabled,
	"admin.serverAddress": func(l *loader, s setting) { l.cfg.AdminAddress = s.value },
	"admin.serverPort": func(l *loader, s setting) {
		l.cfg.AdminPortSet = l.count(s, "a port", "8080", &l.cfg.AdminPort)
	},
	"admin.commandURL":              func(l *loader, s setting) { l.cfg.AdminCommandURL = s.value },
	"admin.idleTimeout":             func(l *loader, s setting) { l.ms(s, "30000", &l.cfg.AdminIdleTimeout) },
	"admin.ui":                      func(l *loader, s setting) { l.cfg.AdminUI = s.value },
	"admin.uiWrite":                 func(l *loader, s setting) { l.boolean(s, &l.cfg.AdminUIWrite) },
	"admin.uiTokenFile":             func(l *loader, s setting) { l.cfg.AdminUITokenFile = s.value },
	"admin.uiHosts":                 func(l *loader, s setting) { l.cfg.AdminUIHosts = zabcompat.SplitList(s.value) },
	"admin.pprof":                   func(l *loader, s setting) { l.boolean(s, &l.cfg.AdminProfiling) },
	"metricsProvider.className":     metricsClass,
	"metricsProvider.httpHost":      func(l *loader, s setting) { l.cfg.MetricsHost = s.value },
	"metricsProvider.httpPort":      func(l *loader, s setting) { l.number(s, "a port", "7000", &l.cfg.MetricsPort) },
	"metricsProvider.exportJvmInfo": func(l *loader, s setting) { l.flag(s, &l.cfg.MetricsRuntime) },
	"slowRequest.thresholdMs":       func(l *loader, s setting) { l.millis(s, "1000", &l.cfg.SlowRequest) },
	"audit.enable":                  func(l *loader, s setting) { l.flag(s, &l.cfg.Audit) },
	"audit.impl.class":              auditClass,
	"localSessionsEnabled":          func(l *loader, s setting) { l.boolean(s, &l.cfg.LocalSessions) },
	"localSessionsUpgradingEnabled": func(l *loader, s setting) { l.boolean(s, &l.cfg.LocalSessionsUpgrading) },
	"readonlymode.enabled":          func(l *loader, s setting) { l.flag(s, &l.cfg.ReadOnlyMode) },

	"admin.snapshot.enabled":             func(l *loader, s setting) { l.flag(s, &l.cfg.AdminSnapshot) },
	"admin.restore.enabled":              func(l *loader, s setting) { l.flag(s, &l.cfg.AdminRestore) },
	"admin.rateLimiterIntervalInMS":      func(l *loader, s setting) { l.millis(s, "300000", &l.cfg.AdminRateInterval) },
	"serializeLastProcessedZxid.enabled": func(l *loader, s setting) { l.flag(s, &l.cfg.SerializeZxid) },

	"admin.forceHttps":      func(l *loader, s setting) { l.boolean(s, &l.cfg.AdminForceHTTPS) },
	"admin.portUnification": func(l *loader, s setting) { l.boolean(s, &l.cfg.AdminUnified) },
	"admin.needClientAuth":  func(l *loader, s setting) { l.boolean(s, &l.cfg.AdminNeedClientAuth) },
	"metricsProvider.httpsPort": func(l *loader, s setting) {
		if l.number(s, "a port", "7443", &l.cfg.MetricsTLSPort) && l.cfg.MetricsTLSPort == 0 {
			l.fault(s, "port 0 is out of range; give 1 to 65535")
		}
	},
	"metricsProvider.ssl.need.client.auth": func(l *loader, s setting) { l.boolean(s, &l.scrapers.need) },
	"metricsProvider.ssl.want.client.auth": func(l *loader, s setting) { l.boolean(s, &l.scrapers.want) },

	"electionAlg": func(l *loader, s setting) {
		if s.value != onlyElectionAlg {
			l.fault(s, "%q is not supported; the only election algorithm is %s, so remove the line", s.value, onlyElectionAlg)
		}
	},
	"oraclePath": func(l *loader, s setting) {
		l.fault(s, "an oracle changes what a quorum is, and a majority of the servers cannot be replaced here; use three servers")
	},
}

// properties are the keys that have no field but are read, as zookeeper.KEY,
// from server.Config's Properties. Of other keys it is said that they have no
// effect.
var properties = map[string]bool{
	"datadir.autocreate": true, // cmd/zooraft
	"db.autocreate":      true, // server.Config.AutoCreates
	"auditlog.file":      true, // server.Config.AuditFile
	"log.dir":            true, // server.Config.AuditFile
}

// refuseTrue refuses all but "false", and keeps that as a property.
func refuseTrue(why string) func(*loader, setting) {
	return func(l *loader, s setting) {
		on := false
		if l.boolean(s, &on); on {
			l.fault(s, "%s", why)
		}
		l.property(s)
	}
}

// number reads a 32-bit decimal number, as Integer.parseInt does, with which ZooKeeper
// reads what its parser of zoo.cfg knows. Properties it reads with Integer.getInteger;
// see count.
func (l *loader) number(s setting, what, example string, to *int) bool {
	n, err := strconv.ParseInt(s.value, 10, 32)
	if err != nil {
		l.fault(s, "%q is not a number; give %s, for example %s", s.value, what, example)
		return false
	}
	*to = int(n)
	return true
}

// limit reads a number whose negative values mean no limit, as 0 does.
func (l *loader) limit(s setting, read func(_ setting, what, example string, to *int) bool, example string, to *int) {
	if read(s, "the number of connections, 0 for no limit", example, to) {
		*to = max(*to, 0)
	}
}

// bytes reads a number as Integer.decode does: 0x and 0 are prefixes.
func (l *loader) bytes(s setting, to *int) {
	n, err := strconv.ParseInt(s.value, 0, 32)
	if err != nil || strings.Contains(s.value, "_") {
		l.fault(s, "%q is not a number; give bytes below %d, for example 1048575 or 0xfffff", s.value, math.MaxInt32)
		return
	}
	*to = int(n)
}

// juteMaxBuffer takes the most that there is for more: who sets it that high means
// that it shall not be in the way.
func juteMaxBuffer(l *loader, s setting) {
	l.bytes(s, &l.cfg.JuteMaxBuffer)
	if l.cfg.JuteMaxBuffer > server.MaxJuteBuffer {
		l.warn("%s: jute.maxbuffer: %d is more than a log entry can hold, taking %d", s.where, l.cfg.JuteMaxBuffer, server.MaxJuteBuffer)
		l.cfg.JuteMaxBuffer = server.MaxJuteBuffer
	}
}

// adminEnabled goes by ZooKeeper's rule for this one key: only false turns it off.
func adminEnabled(l *loader, s setting) {
	l.cfg.AdminEnabled = !strings.EqualFold(s.value, "false")
	if l.cfg.AdminEnabled && !strings.EqualFold(s.value, "true") {
		l.warn("%s: admin.enableServer: %q counts as true; only false turns it off", s.where, s.value)
	}
}

func (l *loader) millis(s setting, example string, to *time.Duration) {
	var ms int
	if l.number(s, "milliseconds", example, &ms) {
		*to = time.Duration(ms) * time.Millisecond
	}
}

// sessionTimeout reads milliseconds; -1 stands for the default in ticks, which
// is filled in once the tick is known.
func (l *loader) sessionTimeout(s setting, to *time.Duration) {
	var ms int
	if l.number(s, "milliseconds, or -1 for the default", "4000", &ms) && ms != -1 {
		*to = time.Duration(ms) * time.Millisecond
		l.timeoutSet[s.key] = true
	}
}

// boolean reads one that ZooKeeper's parser of zoo.cfg knows, and takes no third
// value for. Properties are another matter, see flag, but for those that protect:
// what is meant for true must not count as false.
func (l *loader) boolean(s setting, to *bool) {
	switch strings.ToLower(s.value) {
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		l.fault(s, "Invalid option %s for %s. Choose 'true' or 'false.'", s.value, s.key)
	}
}

func (l *loader) directory(s setting, to *string) {
	if s.value == "" {
		l.fault(s, "the directory is missing; give a path, for example /var/lib/zookeeper")
		return
	}
	if relative(s.value) {
		l.warn("%s: %s: %s is relative. Prepend ./ to indicate that you're sure!", s.where, s.key, s.value)
	}
	*to = s.value
}

func snapCount(l *loader, s setting) {
	if l.count(s, "the number of transactions", "100000", &l.cfg.SnapCount) && l.cfg.SnapCount < 2 {
		l.warn("%s: snapCount: %d is too small, taking 2", s.where, l.cfg.SnapCount)
		l.cfg.SnapCount = 2
	}
}

func snapRetainCount(l *loader, s setting) {
	if l.number(s, "the number of snapshots", "3", &l.cfg.SnapRetainCount) && l.cfg.SnapRetainCount < 3 {
		l.warn("%s: autopurge.snapRetainCount: %d is too small, taking 3", s.where, l.cfg.SnapRetainCount)
		l.cfg.SnapRetainCount = 3
	}
}

func peerType(l *loader, s setting) {
	observer, err := zabcompat.ParseRole(s.value)
	switch {
	case err != nil:
		l.fault(s, "%v", err)
	case observer:
		l.cfg.PeerType = zabcompat.Observer
	default:
		l.cfg.PeerType = zabcompat.Participant
	}
}

// fourLetterWords always adds srvr, on which zkServer.sh status depends, as
// FourLetterCommands.isEnabled does.
func fourLetterWords(l *loader, s setting) {
	words := []string{"srvr"}
	for word := range strings.SplitSeq(s.value, ",") {
		if word = strings.TrimSpace(word); word != "" && word != "srvr" {
			words = append(words, word)
		}
	}
	l.cfg.FourLetterWords = words
}

// skipACL takes anything but yes for no, as ZooKeeper does: the safe side.
func skipACL(l *loader, s setting) {
	l.cfg.SkipACL = s.value == "yes"
	if s.value != "yes" && s.value != "no" {
		l.warn("%s: skipACL: %q counts as no; only yes turns the checks off", s.where, s.value)
	}
}

// metricsClass turns the exporter on by the name of ZooKeeper's class.
func metricsClass(l *loader, s setting) {
	switch s.value[strings.LastIndexByte(s.value, '.')+1:] {
	case "PrometheusMetricsProvider":
		l.cfg.MetricsEnabled = true
	case "DefaultMetricsProvider", "NullMetricsProvider":
		l.cfg.MetricsEnabled = false
	default:
		l.fault(s, "%q is no provider that exists here; for Prometheus give org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider", s.value)
	}
}

// auditClass takes the name of the class that is built in.
func auditClass(l *loader, s setting) {
	if s.value[strings.LastIndexByte(s.value, '.')+1:] != "Slf4jAuditLogger" {
		l.fault(s, "%q cannot be loaded; the audit log that is built in is org.apache.zookeeper.audit.Slf4jAuditLogger", s.value)
	}
}

// member takes server.N, group.N and weight.N.
func member(l *loader, s setting) {
	kind, suffix, _ := strings.Cut(s.key, ".")
	switch kind {
	case "group":
		l.fault(s, "hierarchical quorums are not supported: each server has one vote and a majority decides; remove all group lines")
		return
	case "weight":
		switch s.value {
		case "1":
		case "0":
			l.fault(s, "weights are not supported; for a server that never votes write :observer at the end of its server line")
		default:
			l.fault(s, "weights are not supported: each server has one vote; remove the line")
		}
		return
	}
	id, err := strconv.Atoi(suffix)
	if err != nil {
		l.fault(s, "%q is not a server id; write server.N with N from 1 to %d", suffix, zabcompat.MaxSID)
		return
	}
	canonical := fmt.Sprintf("server.%d", id)
	if first, given := l.serverAt[canonical]; given {
		l.fault(s, "server %d is given twice (also at %s); each server needs its own id", id, first)
		return
	}
	l.serverAt[canonical] = s.where
	spec, err := zabcompat.ParseServerSpec(id, s.value, l.multiAddress)
	if err != nil {
		l.fault(s, "%v", err)
		return
	}
	l.cfg.Servers = append(l.cfg.Servers, spec)
}
