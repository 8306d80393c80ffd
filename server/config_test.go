package server

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/zabcompat"
)

// trio returns a valid configuration of server 1 of three.
func trio() Config {
	c := DefaultConfig()
	c.Servers = []zabcompat.ServerSpec{
		{ID: 1, Host: "a", QuorumPort: 2888, ElectionPort: 3888},
		{ID: 2, Host: "b", QuorumPort: 2888, ElectionPort: 3888},
		{ID: 3, Host: "c", QuorumPort: 2888, ElectionPort: 3888},
	}
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Errorf("default configuration: %v", err)
	}
	if !c.Standalone() {
		t.Error("default configuration is not standalone")
	}
	c = trio()
	if err := c.Validate(); err != nil {
		t.Errorf("three servers: %v", err)
	}
	if c.Standalone() {
		t.Error("three servers are standalone")
	}
	// A port that speaks TLS brings the scheme of certificates along.
	c.EnforceAuth, c.SecureClientPort, c.ClientTLS.Key.File = []string{SchemeX509}, 2281, "key.pem"
	if err := c.Validate(); err != nil {
		t.Errorf("certificates asked for: %v", err)
	}
}

// A line without a client part has that of zoo.cfg, where it is this server's own.
func TestClientAddr(t *testing.T) {
	c := trio()
	c.SID, c.ClientPort, c.ClientPortAddress = 1, 2181, ""
	full := zabcompat.ServerSpec{ID: 2, Host: "b", ClientHost: "10.0.0.2", ClientPort: 2182}
	for _, tt := range []struct {
		spec          zabcompat.ServerSpec
		address, want string
	}{
		{zabcompat.ServerSpec{ID: 1, Host: "a"}, "", "0.0.0.0:2181"},
		{zabcompat.ServerSpec{ID: 1, Host: "a"}, "::1", "[::1]:2181"},
		{zabcompat.ServerSpec{ID: 2, Host: "b"}, "", ""},
		{full, "", "10.0.0.2:2182"},
	} {
		c.ClientPortAddress = tt.address
		if got := c.clientAddr(tt.spec); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.spec, got, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Config)
		want []string // keys at fault, in order
		say  string   // part of the text
	}{
		{"sid zero", func(c *Config) { c.SID = 0 }, []string{"myid", "myid"}, "1 to 255"},
		{"sid too large", func(c *Config) { c.SID = 256 }, []string{"myid", "myid"}, "1 to 255"},
		{"sid not listed", func(c *Config) { c.SID = 7 }, []string{"myid"}, "no server.7 line"},
		{"no data directory", func(c *Config) { c.DataDir = "" }, []string{"dataDir"}, "dataDir is not set"},
		{"id of a TTL node's mark", func(c *Config) { c.ExtendedTypes, c.Servers[2].ID = true, 255 }, []string{"extendedTypesEnabled"}, "ids up to 254"},
		{"digest algorithm", func(c *Config) { c.DigestAlg = "rot13" }, []string{"DigestAuthenticationProvider.digestAlg"}, `"rot13" is unknown`},
		{"authentication provider", func(c *Config) { c.AuthProviders = []string{"key"} }, []string{"authProvider"}, `"key" is unknown`},
		{"TLS between servers without a key", func(c *Config) { c.SSLQuorum, c.QuorumTLS.Trust.File = true, "ca.pem" },
			[]string{"ssl.quorum.keyStore.location"}, "this server's certificate"},
		{"TLS besides without a key", func(c *Config) { c.PortUnification, c.QuorumTLS.Trust.File = true, "ca.pem" },
			[]string{"ssl.quorum.keyStore.location"}, "this server's certificate"},
		{"TLS between servers without an authority", func(c *Config) { c.SSLQuorum, c.QuorumTLS.Key.File = true, "key.pem" },
			[]string{"ssl.quorum.trustStore.location"}, "the authority of the servers' certificates"},
		{"TLS besides without an authority", func(c *Config) { c.PortUnification, c.QuorumTLS.Key.File = true, "key.pem" },
			[]string{"ssl.quorum.trustStore.location"}, "the authority of the servers' certificates"},
		{"client authentication between servers", func(c *Config) {
			c.SSLQuorum, c.QuorumTLS = true, TLS{Key: TLSStore{File: "key.pem"}, Trust: TLSStore{File: "ca.pem"}, ClientAuth: "maybe"}
		}, []string{"ssl.quorum.clientAuth"}, "maybe"},
		{"never used", func(c *Config) { c.ContainerMaxNeverUsed = -time.Second }, []string{"znode.container.maxNeverUsedIntervalMs"}, "0 or more"},
		{"role", func(c *Config) { c.PeerType = "voter" }, []string{"peerType"}, `"voter" is unknown`},
		{"command URL", func(c *Config) { c.AdminCommandURL = "/{x}" }, []string{"admin.commandURL"}, "for example /commands"},
		{"TLS without a certificate", func(c *Config) { c.AdminForceHTTPS = true }, []string{"ssl.quorum.keyStore.location"}, "admin.forceHttps asks for TLS"},
		{"TLS for some without a certificate", func(c *Config) { c.AdminUnified = true }, []string{"ssl.quorum.keyStore.location"}, "admin.portUnification asks for TLS"},
		{"TLS of a server alone in old versions", func(c *Config) {
			c.Servers, c.AdminUnified = nil, true
			c.QuorumTLS.Key.File, c.QuorumTLS.Protocols = "key.pem", []string{"TLSv1.1"}
		}, []string{"ssl.quorum.enabledProtocols"}, "only TLSv1.2 and TLSv1.3"},
		{"TLS of all in old versions", func(c *Config) {
			c.SSLQuorum, c.AdminForceHTTPS = true, true
			c.QuorumTLS.Key.File, c.QuorumTLS.Trust.File, c.QuorumTLS.Protocols = "key.pem", "trust.pem", []string{"TLSv1.1"}
		}, []string{"ssl.quorum.enabledProtocols"}, "only TLSv1.2 and TLSv1.3"},
		{"certificates asked for", func(c *Config) { c.EnforceAuth = []string{"x509"} }, []string{"enforce.auth.schemes"}, "x509 is not available"},
		{"TLS for metrics without a certificate", func(c *Config) {
			c.MetricsEnabled, c.MetricsTLSPort, c.MetricsPort = true, 7443, -1
		}, []string{"metricsProvider.ssl.keyStore.location"}, "metricsProvider.httpsPort asks for TLS"},
		{"metrics ports", func(c *Config) {
			c.MetricsEnabled, c.MetricsTLSPort, c.MetricsPort, c.MetricsTLS = true, 7443, 7443, TLS{Key: TLSStore{File: "/k", Type: "odd"}}
		}, []string{"metricsProvider.httpsPort", "metricsProvider.ssl.keyStore.type"}, "also metricsProvider.httpPort"},
		{"no metrics port", func(c *Config) { c.MetricsEnabled, c.MetricsPort = true, -1 }, []string{"metricsProvider.httpPort"}, "0 to 65535"},
		{"log store", func(c *Config) { c.LogStore = "rocks" }, []string{"raft.logStore"}, `["wal" "boltdb"]`},
		{"tick zero", func(c *Config) { c.TickTime = 0 }, []string{"tickTime"}, "2000"},
		{"timeouts crossed", func(c *Config) { c.MinSessionTimeout = time.Hour }, []string{"minSessionTimeout"}, "larger than maxSessionTimeout, 40000"},
		{"timeouts zero", func(c *Config) { c.MinSessionTimeout, c.MaxSessionTimeout = 0, 0 }, []string{"minSessionTimeout", "maxSessionTimeout"}, "20 ticks"},
		{"client port", func(c *Config) { c.ClientPort = 70000 }, []string{"clientPort"}, "0 to 65535"},
		{"client port is a quorum port", func(c *Config) { c.ClientPort = 2888 }, []string{"clientPort"}, "quorum or election port of server.1"},
		{"counts", func(c *Config) {
			c.SnapCount, c.SnapRetainCount, c.MaxClientCnxns, c.MaxCnxns = 1, 0, -1, -1
			c.GlobalOutstandingLimit, c.JuteMaxBuffer = 0, 0
			c.ContainerCheckInterval, c.ContainerMaxPerMinute = 0, 0
		}, []string{"snapCount", "autopurge.snapRetainCount", "maxClientCnxns", "maxCnxns", "globalOutstandingLimit", "jute.maxbuffer",
			"znode.container.checkIntervalMs", "znode.container.maxPerMinute"}, "give 2 or more"},
		{"limits not set", func(c *Config) { c.InitLimit, c.SyncLimit = 0, 0 }, []string{"initLimit", "syncLimit"}, "initLimit is not set"},
		{"id twice", func(c *Config) { c.Servers[2].ID = 2 }, []string{"server.2"}, "twice"},
		{"server id out of range", func(c *Config) { c.Servers[2].ID = 300 }, []string{"server.300"}, "1 to 255"},
		{"host missing", func(c *Config) { c.Servers[1].Host = "" }, []string{"server.2"}, "host is missing"},
		{"equal ports", func(c *Config) { c.Servers[1].ElectionPort = 2888 }, []string{"server.2"}, "must be different"},
		{"port zero", func(c *Config) { c.Servers[1].QuorumPort = 0 }, []string{"server.2"}, "quorum port 0 is out of range"},
		{"address taken", func(c *Config) { c.Servers[2].Host = "b" }, []string{"server.3", "server.3"}, "b:2888 is taken by server.2"},
		{"only observers", func(c *Config) {
			for i := range c.Servers {
				c.Servers[i].Observer = true
			}
		}, []string{"server"}, "Observers w/o participants"},
		{"one participant with observers", func(c *Config) {
			c.Servers[1].Observer, c.Servers[2].Observer = true, true
		}, []string{"server"}, "Observers w/o quorum"},
		{"no servers where a quorum is asked for", func(c *Config) {
			c.Servers, c.StandaloneEnabled = nil, false
		}, []string{"standaloneEnabled"}, "participants should be >0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := trio()
			tt.edit(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("no fault found")
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok {
				t.Fatalf("got %T, want joined errors", err)
			}
			var keys []string
			for _, e := range joined.Unwrap() {
				var f Fault
				if !errors.As(e, &f) {
					t.Fatalf("got %T, want Fault", e)
				}
				keys = append(keys, f.Key)
			}
			if !slices.Equal(keys, tt.want) {
				t.Errorf("keys at fault: got %q, want %q", keys, tt.want)
			}
			if !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %q, want it to contain %q", err, tt.say)
			}
		})
	}
}

func TestStandalone(t *testing.T) {
	one := zabcompat.ServerSpec{ID: 1, Host: "a", QuorumPort: 2888, ElectionPort: 3888}
	two := zabcompat.ServerSpec{ID: 2, Host: "b", QuorumPort: 2888, ElectionPort: 3888}
	watcher := zabcompat.ServerSpec{ID: 3, Host: "c", QuorumPort: 2888, ElectionPort: 3888, Observer: true}
	tests := []struct {
		name    string
		servers []zabcompat.ServerSpec
		enabled bool
		want    bool
		valid   bool
	}{
		{"no server lines", nil, true, true, true},
		{"one line", []zabcompat.ServerSpec{one}, true, true, true},
		{"one line, quorum asked for", []zabcompat.ServerSpec{one}, false, false, true},
		{"one line and an observer, quorum asked for", []zabcompat.ServerSpec{one, watcher}, false, false, true},
		{"one line and an observer", []zabcompat.ServerSpec{one, watcher}, true, true, false},
		{"two lines", []zabcompat.ServerSpec{one, two}, true, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Servers, c.StandaloneEnabled = tt.servers, tt.enabled
			if got := c.Standalone(); got != tt.want {
				t.Errorf("Standalone: got %v, want %v", got, tt.want)
			}
			if err := c.Validate(); (err == nil) != tt.valid {
				t.Errorf("Validate: got %v, want valid %v", err, tt.valid)
			}
		})
	}
}

func TestLocalSessionsNeedAnEnsemble(t *testing.T) {
	alone, three := DefaultConfig(), trio()
	alone.LocalSessions, three.LocalSessions = true, true
	if alone.keepsLocalSessions() || !three.keepsLocalSessions() {
		t.Errorf("kept by a standalone server: %v, in an ensemble: %v", alone.keepsLocalSessions(), three.keepsLocalSessions())
	}
}

func TestWordsOfReadOnlyMode(t *testing.T) {
	c := DefaultConfig()
	if got := c.Words(); !slices.Equal(got, []string{"srvr"}) {
		t.Errorf("words %q", got)
	}
	c.ReadOnlyMode = true
	if got := c.Words(); !slices.Equal(got, []string{"srvr", "isro"}) {
		t.Errorf("words with read-only mode %q", got)
	}
}

func TestLogDir(t *testing.T) {
	c := DefaultConfig()
	c.DataDir = "/d/"
	if got := c.LogDir(); got != "/d" {
		t.Errorf("without dataLogDir: got %q, want /d", got)
	}
	c.DataLogDir = "/l"
	if got := c.LogDir(); got != "/l" {
		t.Errorf("with dataLogDir: got %q, want /l", got)
	}
}

func TestRequestOptions(t *testing.T) {
	c := DefaultConfig()
	if o := c.requestOptions(); o != 0 {
		t.Errorf("by default: %b", o)
	}
	for name, tt := range map[string]struct {
		edit func(*Config)
		want fsm.Options
	}{
		"skipACL":              {func(c *Config) { c.SkipACL = true }, fsm.SkipACL},
		"extendedTypesEnabled": {func(c *Config) { c.ExtendedTypes = true }, fsm.ExtendedTypes},
		"enforceQuota":         {func(c *Config) { c.EnforceQuota = true }, fsm.EnforceQuota},
		"no digest":            {func(c *Config) { c.NoDigestAuth = true }, fsm.NoDigest},
		"x509 and sasl":        {func(c *Config) { c.AuthProviders = []string{SchemeX509, SchemeSASL} }, fsm.X509 | fsm.SASL},
	} {
		c := DefaultConfig()
		if tt.edit(&c); c.requestOptions() != tt.want {
			t.Errorf("%s: %b, want %b", name, c.requestOptions(), tt.want)
		}
	}
}
