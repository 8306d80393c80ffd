package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/console"
	"zooraft/tests/testkit"
)

// pageConfig is a server alone with ports for operators and for clients.
func pageConfig(t *testing.T) Config {
	t.Helper()
	ports := testkit.Ports(t, 4)
	cfg := DefaultConfig()
	cfg.DataDir, cfg.ClientPort, cfg.ClientPortAddress = t.TempDir(), ports[0], "127.0.0.1"
	cfg.AdminPort, cfg.AdminPortSet, cfg.AdminUI = ports[1], true, UIOff
	cfg.MetricsEnabled, cfg.MetricsHost, cfg.MetricsPort, cfg.MetricsTLSPort = true, "127.0.0.1", ports[2], ports[3]
	cfg.MetricsRuntime = false
	return cfg
}

func startPages(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPagesOverTLS(t *testing.T) {
	ca, scrapers := testkit.NewCA(t), testkit.NewCA(t)
	cfg := pageConfig(t)
	store := func(ca *testkit.CA) TLS {
		return TLS{Key: TLSStore{File: ca.Issue("127.0.0.1").File}, Trust: TLSStore{File: ca.File}}
	}
	cfg.QuorumTLS, cfg.MetricsTLS = store(ca), store(scrapers)
	cfg.MetricsTLS.ClientAuth = "need"
	// What servers ask of each other is not asked of those who call the admin server.
	cfg.QuorumTLS.ClientAuth, cfg.QuorumTLS.VerifyClient = "need", true

	// get asks with a certificate of own, if that is not nil.
	get := func(scheme string, port int, path string, own *testkit.CA) (string, error) {
		web := &tls.Config{RootCAs: x509.NewCertPool()}
		web.RootCAs.AppendCertsFromPEM(ca.PEM)
		web.RootCAs.AppendCertsFromPEM(scrapers.PEM)
		if own != nil {
			web.Certificates = []tls.Certificate{own.Issue("who").TLS}
		}
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: web}, Timeout: time.Minute}
		defer c.CloseIdleConnections()
		resp, err := c.Get(scheme + "://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + path)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	insecure := func() (s string) {
		body, err := get("http", cfg.MetricsPort, "/metrics", nil)
		for line := range strings.SplitSeq(body, "\n") {
			if n, ok := strings.CutPrefix(line, "insecure_admin_count "); ok {
				return n
			}
		}
		t.Fatalf("no count: %v", err)
		return ""
	}
	const ruok = "\"command\" : \"ruok\""

	for _, tt := range []struct {
		name                  string
		force, unified, need  bool
		plain, anybody, known bool // who is answered
		insecure              string
	}{
		{"neither", false, false, false, true, false, false, "0"},
		{"forced", true, false, false, false, true, true, "0"},
		{"forced, with a certificate", true, false, true, false, false, true, "0"},
		{"both", false, true, false, true, true, true, "1"},
		{"both, with a certificate", false, true, true, true, false, true, "1"},
		{"forced wins", true, true, false, false, true, true, "0"},
	} {
		cfg := cfg
		cfg.DataDir = t.TempDir()
		cfg.AdminForceHTTPS, cfg.AdminUnified, cfg.AdminNeedClientAuth = tt.force, tt.unified, tt.need
		s := startPages(t, cfg)
		for _, way := range []struct {
			name, scheme string
			own          *testkit.CA
			want         bool
		}{{"plain text", "http", nil, tt.plain}, {"anybody", "https", nil, tt.anybody}, {"somebody known", "https", ca, tt.known}} {
			body, err := get(way.scheme, cfg.AdminPort, "/commands/ruok", way.own)
			if got := err == nil && strings.Contains(body, ruok); got != way.want {
				t.Errorf("%s: %s is answered: %v, %q, %v", tt.name, way.name, got, body, err)
			}
		}
		if got := insecure(); got != tt.insecure {
			t.Errorf("%s: insecure_admin_count %s, want %s", tt.name, got, tt.insecure)
		}
		if body, err := get("https", cfg.MetricsTLSPort, "/metrics", scrapers); err != nil || !strings.Contains(body, "znode_count") {
			t.Errorf("%s: metrics: %q, %v", tt.name, body, err)
		}
		for _, own := range []*testkit.CA{nil, ca} {
			if body, err := get("https", cfg.MetricsTLSPort, "/metrics", own); err == nil {
				t.Errorf("%s: metrics for another authority's: %q", tt.name, body)
			}
		}
		s.Shutdown(context.Background())
	}
}

func TestPagesOverTLSAlone(t *testing.T) {
	ca := testkit.NewCA(t)
	cfg := pageConfig(t)
	cfg.AdminEnabled, cfg.MetricsPort = false, noPort
	cfg.MetricsTLS = TLS{Key: TLSStore{File: ca.Issue("127.0.0.1").File}, ClientAuth: "none"}
	s := startPages(t, cfg)
	if len(s.scrapes) != 1 || s.scrapes[0].Addr().(*net.TCPAddr).Port != cfg.MetricsTLSPort {
		t.Errorf("%d pages", len(s.scrapes))
	}
}

// A server whose files cannot be read does not start without protection.
func TestPageCertsThatAreMissing(t *testing.T) {
	for _, tt := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.AdminForceHTTPS, c.QuorumTLS.Key.File = true, "/none.pem" }, "ssl.quorum.keyStore.location: open /none.pem"},
		{func(c *Config) { c.MetricsTLS.Key.File = "/none.pem" }, "metricsProvider.ssl.keyStore.location: open /none.pem"},
	} {
		cfg := pageConfig(t)
		cfg.MetricsTLS.Key.File = testkit.NewCA(t).Issue("127.0.0.1").File
		tt.edit(&cfg)
		s, err := New(cfg, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		s.Shutdown(context.Background())
	}
}

func TestPlainConsoleIsWarnedOf(t *testing.T) {
	for _, tt := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) {}, "without TLS:"},
		{func(c *Config) { c.AdminUnified = true }, "without TLS too:"},
		{func(c *Config) { c.AdminForceHTTPS = true }, ""},
		{func(c *Config) { c.AdminUI = UILoopback }, ""},
	} {
		cfg := DefaultConfig()
		cfg.AdminUI = UIOn
		tt.edit(&cfg)
		l := &warnings{}
		(&pageSource{s: &Server{cfg: cfg}}).configWarnings(l, &console.Ensemble{Standalone: true})
		text := ""
		for _, w := range l.all {
			if w.Code == "PlainConsole" {
				text = w.Text
			}
		}
		if (text == "") != (tt.want == "") || !strings.Contains(text, tt.want) {
			t.Errorf("got %q, want %q", text, tt.want)
		}
	}
}
