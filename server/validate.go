package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"zooraft/fsm/acl"
	"zooraft/server/admin"
	"zooraft/zabcompat"
)

// Fault is one thing wrong with a [Config].
type Fault struct {
	// Key is the zoo.cfg key that is at fault.
	Key string
	// Problem says what is wrong with it and what would be right.
	Problem string
}

// Error returns "key: problem".
func (f Fault) Error() string { return f.Key + ": " + f.Problem }

// Validate reports everything wrong with the configuration at once: nil, or the
// errors.Join of one [Fault] for each. It looks at values only and touches
// neither files nor network.
func (c *Config) Validate() error {
	v := new(validation)
	v.identity(c)
	v.timing(c)
	v.limits(c)
	v.quorumTrust(c)
	v.throttles(&c.Limits)
	v.authentication(c)
	v.durationAtLeast("slowRequest.thresholdMs", 0, c.SlowRequest)
	v.ensemble(c)
	v.data(c)
	return errors.Join(v.faults...)
}

type validation struct{ faults []error }

func (v *validation) fault(key, format string, args ...any) {
	v.faults = append(v.faults, Fault{key, fmt.Sprintf(format, args...)})
}

func (v *validation) atLeast(key string, least, got int) {
	if got < least {
		v.fault(key, "%d is too small; give %d or more", got, least)
	}
}

func (v *validation) oneOf(key, got string, allowed ...string) {
	for _, a := range allowed {
		if got == a {
			return
		}
	}
	v.fault(key, "%q is unknown; choose one of %q", got, allowed)
}

func (v *validation) port(key, name string, least, got int) {
	if got < least || got > 65535 {
		v.fault(key, "%s %d is out of range; give %d to 65535", name, got, least)
	}
}

func (v *validation) identity(c *Config) {
	if c.SID < 1 || c.SID > zabcompat.MaxSID {
		v.fault("myid", "server id %d is out of range; give 1 to %d", c.SID, zabcompat.MaxSID)
	}
	if c.DataDir == "" {
		v.fault("dataDir", "dataDir is not set; give the directory for myid and the data, for example /var/lib/zookeeper")
	}
	v.oneOf("peerType", c.PeerType, zabcompat.Participant, zabcompat.Observer)
	v.oneOf("raft.logStore", c.LogStore, LogStoreWAL, LogStoreBoltDB)
}

func (v *validation) timing(c *Config) {
	if c.TickTime < time.Millisecond {
		v.fault("tickTime", "%d is too small; give the tick in ms, for example 2000", c.TickTime.Milliseconds())
	}
	if c.MinSessionTimeout <= 0 {
		v.fault("minSessionTimeout", "%d is too small; give ms, or -1 for 2 ticks", c.MinSessionTimeout.Milliseconds())
	}
	if c.MaxSessionTimeout <= 0 {
		v.fault("maxSessionTimeout", "%d is too small; give ms, or -1 for 20 ticks", c.MaxSessionTimeout.Milliseconds())
	} else if c.MinSessionTimeout > c.MaxSessionTimeout {
		v.fault("minSessionTimeout", "%d is larger than maxSessionTimeout, %d",
			c.MinSessionTimeout.Milliseconds(), c.MaxSessionTimeout.Milliseconds())
	}
}

func (v *validation) limits(c *Config) {
	v.port("clientPort", "port", 0, c.ClientPort)
	v.port("secureClientPort", "port", 0, c.SecureClientPort)
	if c.SecureClientPort != 0 && c.SecureClientPort == c.ClientPort {
		v.fault("secureClientPort", "%d is the clientPort; give another, or set client.portUnification=true and remove the line", c.SecureClientPort)
	}
	if c.clientTLS() {
		v.tls(ClientSSL, &c.ClientTLS, asking(c.SecureClientPort != 0, "secureClientPort", "client.portUnification"))
	}
	if c.speaksTLS() {
		v.tls(QuorumSSL, &c.QuorumTLS, asking(c.SSLQuorum, "sslQuorum", "portUnification"))
	}
	if c.AdminEnabled {
		v.port("admin.serverPort", "port", 0, c.AdminPort)
		if err := admin.CheckCommandURL(c.AdminCommandURL); err != nil {
			v.fault("admin.commandURL", "%v", err)
		}
		v.oneOf("admin.ui", c.AdminUI, UIOff, UILoopback, UIOn)
		if cfg, on := c.adminTLS(); on && !c.speaksTLS() { // else they are looked at already
			v.tls(QuorumSSL, &cfg, asking(c.AdminForceHTTPS, "admin.forceHttps", "admin.portUnification"))
		}
	}
	if c.MetricsEnabled {
		v.metrics(c)
	}
	v.atLeast("electionPortBindRetry", 0, c.ElectionPortBindRetry)
	v.atLeast("snapCount", 2, c.SnapCount)
	v.durationAtLeast("fsync.warningthresholdms", time.Millisecond, c.SlowSync)
	v.atLeast("autopurge.snapRetainCount", 1, c.SnapRetainCount)
	v.atLeast("maxClientCnxns", 0, c.MaxClientCnxns)
	v.atLeast("maxCnxns", 0, c.MaxCnxns)
	v.atLeast("globalOutstandingLimit", 1, c.GlobalOutstandingLimit)
	v.atLeast("jute.maxbuffer", 1, c.JuteMaxBuffer)
	if c.JuteMaxBuffer > MaxJuteBuffer {
		v.fault("jute.maxbuffer", "%d is more than a log entry can hold; give at most %d", c.JuteMaxBuffer, MaxJuteBuffer)
	}
	v.atLeast("znode.container.checkIntervalMs", 1, int(c.ContainerCheckInterval/time.Millisecond))
	v.atLeast("znode.container.maxPerMinute", 1, c.ContainerMaxPerMinute)
	v.atLeast("znode.container.maxNeverUsedIntervalMs", 0, int(c.ContainerMaxNeverUsed/time.Millisecond))
}

func (v *validation) metrics(c *Config) {
	if c.MetricsPort != noPort || c.MetricsTLSPort == 0 {
		v.port("metricsProvider.httpPort", "port", 0, c.MetricsPort)
	}
	if c.MetricsTLSPort == 0 {
		return
	}
	v.port("metricsProvider.httpsPort", "port", 1, c.MetricsTLSPort)
	if c.MetricsTLSPort == c.MetricsPort {
		v.fault("metricsProvider.httpsPort", "%d is also metricsProvider.httpPort; give another", c.MetricsTLSPort)
	}
	v.tls(MetricsSSL, &c.MetricsTLS, "metricsProvider.httpsPort")
}

// data checks what the data model and access control need.
func (v *validation) data(c *Config) {
	if c.ExtendedTypes {
		highest := c.SID
		for _, s := range c.Servers {
			highest = max(highest, s.ID)
		}
		if highest > maxExtendedSID {
			v.fault("extendedTypesEnabled", "server id %d is too large for nodes with a TTL; give ids up to %d", highest, maxExtendedSID)
		}
	}
	for _, p := range c.AuthProviders {
		v.oneOf("authProvider", p, SchemeEnsemble, SchemeSASL, SchemeX509)
	}
	if _, ok := acl.NewDigest(c.DigestAlg); !ok {
		v.fault("DigestAuthenticationProvider.digestAlg", "%q is unknown; give for example SHA1, SHA-256 or SHA3-256", c.DigestAlg)
	}
}

// ensemble checks the server lines and what an ensemble needs besides.
func (v *validation) ensemble(c *Config) {
	ids := make(map[int]bool)
	owner := make(map[string]int) // host:port of a peer port to the id that has it
	for _, s := range c.Servers {
		key := fmt.Sprintf("server.%d", s.ID)
		if s.ID < 1 || s.ID > zabcompat.MaxSID {
			v.fault(key, "the id is out of range; give 1 to %d", zabcompat.MaxSID)
		}
		if ids[s.ID] {
			v.fault(key, "the id is given twice; each server needs its own")
			continue
		}
		ids[s.ID] = true
		v.server(key, s)
		for _, port := range distinct(s.QuorumPort, s.ElectionPort) {
			addr := net.JoinHostPort(s.Host, strconv.Itoa(port))
			if other, taken := owner[addr]; taken {
				v.fault(key, "%s is taken by server.%d; each server needs its own", addr, other)
			}
			owner[addr] = s.ID
		}
	}

	participants := c.Participants()
	observers := len(c.Servers) - participants
	switch {
	case participants == 0 && observers > 0:
		v.fault("server", "Observers w/o participants is an invalid configuration; at least one server must be a participant")
		return
	case participants == 0 && !c.StandaloneEnabled:
		v.fault("standaloneEnabled", "standaloneEnabled = false then number of participants should be >0; add server.N lines")
		return
	case c.Standalone() && observers > 0:
		v.fault("server", "Observers w/o quorum is an invalid configuration; add participants, or set standaloneEnabled=false")
		return
	case c.Standalone():
		return
	}

	if c.InitLimit < 1 {
		v.fault("initLimit", "initLimit is not set; give the number of ticks, for example 10")
	}
	if c.SyncLimit < 1 {
		v.fault("syncLimit", "syncLimit is not set; give the number of ticks, for example 5")
	}
	self, ok := c.Self()
	if !ok {
		v.fault("myid", "there is no server.%d line for this server's id, %d", c.SID, c.SID)
		return
	}
	for _, own := range []struct {
		key  string
		port int
	}{{"clientPort", c.ClientPort}, {"secureClientPort", c.SecureClientPort}} {
		if own.port != 0 && (own.port == self.QuorumPort || own.port == self.ElectionPort) {
			v.fault(own.key, "%d is also a quorum or election port of server.%d; give another", own.port, self.ID)
		}
	}
}

// tls checks the keys below a prefix, of a port that speaks TLS because the key by
// asks for it.
func (v *validation) tls(prefix string, c *TLS, by string) {
	if c.Key.File == "" {
		v.fault(prefix+"keyStore.location", "it is not set, and %s asks for TLS; give the file with this server's certificate and its key", by)
	}
	for _, f := range c.Validate() {
		v.fault(prefix+f.Key, "%s", f.Problem)
	}
}

// quorumTrust checks that servers trust somebody in particular. By the system's
// authorities anybody can get a certificate.
func (v *validation) quorumTrust(c *Config) {
	if c.speaksTLS() && c.QuorumTLS.Trust.File == "" {
		v.fault(QuorumSSL+"trustStore.location", "it is not set; give the file with the authority of the servers' certificates")
	}
}

func (v *validation) server(key string, s zabcompat.ServerSpec) {
	if s.Host == "" {
		v.fault(key, "the host is missing; give a name or an address")
	}
	v.port(key, "quorum port", 1, s.QuorumPort)
	v.port(key, "election port", 1, s.ElectionPort)
	v.port(key, "client port", 0, s.ClientPort)
	if s.QuorumPort == s.ElectionPort {
		v.fault(key, "quorum and election port must be different, both are %d", s.QuorumPort)
	}
}

func distinct(a, b int) []int {
	if a == b {
		return []int{a}
	}
	return []int{a, b}
}

// asking is the key that asks for TLS: one if that is set, else the other.
func asking(set bool, one, other string) string {
	if set {
		return one
	}
	return other
}
