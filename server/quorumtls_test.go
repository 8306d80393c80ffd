package server

import (
	"context"
	"crypto/x509/pkix"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/server/certs"
	"zooraft/tests/testkit"
)

// secureTrio is server 1 of three that speak TLS with each other.
func secureTrio(ca *testkit.CA, own testkit.Certificate) Config {
	c := trio()
	c.SSLQuorum = true
	c.QuorumTLS = TLS{Key: certs.Store{File: own.File}, Trust: certs.Store{File: ca.File}, VerifyServer: true, VerifyClient: true}
	return c
}

func TestQuorumTLSCheck(t *testing.T) {
	ca := testkit.NewCA(t)
	for _, c := range []struct {
		name  string
		cert  testkit.Certificate // of the caller
		edit  func(*Config)
		plain bool // the caller does not speak TLS
		hosts []string
		want  []string // parts of the error; nil for none
	}{
		{name: "its name", cert: ca.Issue("zoo1"), hosts: []string{"zoo1"}},
		{name: "its name, or where it moves", cert: ca.Issue("zoo1"), hosts: []string{"zoo9", "zoo1"}},
		{name: "its common name", cert: ca.IssueTo(pkix.Name{CommonName: "zoo1"}), hosts: []string{"zoo1"}},
		{name: "its address", cert: ca.Issue("127.0.0.1"), hosts: []string{"127.0.0.1"}},
		{name: "the address of its name", cert: ca.Issue("127.0.0.1"), hosts: []string{"zoo9", "localhost"}},
		{name: "another name", cert: ca.Issue("zoo3"), hosts: []string{"zoo9", "zoo1"},
			want: []string{"that of CN=zoo3, is not for zoo9 or zoo1", "ssl.quorum.clientHostnameVerification"}},
		{name: "its address, that of nobody", cert: ca.Issue("zoo3", "127.0.0.1"), hosts: []string{"127.0.0.9"}, want: []string{"is not for 127.0.0.9"}},
		{name: "another address of the name", cert: ca.Issue("127.0.0.9"), hosts: []string{"localhost"}, want: []string{"is not for localhost"}},
		{name: "nobody", cert: ca.Issue("zoo3"), want: []string{"is not for"}},
		{name: "nobody asks", cert: ca.Issue("zoo3"), edit: func(c *Config) { c.QuorumTLS.VerifyClient = false }, hosts: []string{"zoo1"}},
		{name: "plain text", plain: true, edit: func(c *Config) { c.PortUnification = true }, hosts: []string{"zoo1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := secureTrio(ca, ca.Issue("zoo2"))
			if c.edit != nil {
				c.edit(&here)
			}
			there := secureTrio(ca, c.cert)
			if c.plain {
				there.SSLQuorum, there.PortUnification, there.QuorumTLS = false, true, here.QuorumTLS
			}
			var ends [2]*quorumTLS
			for i, cfg := range []*Config{&here, &there} {
				q, err := openQuorumTLS(cfg, hclog.NewNullLogger())
				if err != nil {
					t.Fatal(err)
				}
				defer q.close()
				ends[i] = q
			}
			near, far := testkit.TCPPair(t)
			accepted := make(chan error, 1)
			var conn net.Conn
			go func() {
				var err error
				conn, err = ends[0].Accept(far)
				accepted <- err
			}()
			called, err := ends[1].Dial(near, "zoo2")
			if err != nil {
				t.Fatal(err)
			}
			if c.plain {
				called.Write([]byte("hello"))
			}
			if err := testkit.Await(t, accepted, "handshake"); err != nil {
				t.Fatal(err)
			}
			err = ends[0].Check(context.Background(), conn, c.hosts...)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestOpenQuorumTLS(t *testing.T) {
	ca := testkit.NewCA(t)
	const encrypted, insecure, unified, only, still = "Using TLS encrypted quorum communication", "Using insecure (non-TLS) quorum communication",
		"Creating TLS-enabled quorum server socket", "Creating TLS-only quorum server socket", "[WARN]  plain text is still taken"
	for _, c := range []struct {
		name         string
		ssl, unified bool
		edit         func(*Config)
		says         []string
		speaks       bool
		want         string // in the error
	}{
		{name: "plain text", says: []string{insecure}},
		{name: "TLS", ssl: true, says: []string{encrypted, only}, speaks: true},
		{name: "both are taken", unified: true, says: []string{insecure, unified}, speaks: true},
		{name: "TLS, and both are taken", ssl: true, unified: true, says: []string{encrypted, unified, still}, speaks: true},
		{name: "nobody to speak to", ssl: true, edit: func(c *Config) { c.Servers = nil }},
		{name: "no file", ssl: true, edit: func(c *Config) { c.QuorumTLS.Key.File = filepath.Join(t.TempDir(), "no.pem") },
			says: []string{encrypted}, want: "ssl.quorum.keyStore.location: "},
		{name: "no trust", unified: true, edit: func(c *Config) { c.QuorumTLS.Trust.File = filepath.Join(t.TempDir(), "no.pem") },
			says: []string{insecure}, want: "ssl.quorum.trustStore.location: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := secureTrio(ca, ca.Issue("zoo2"))
			cfg.SSLQuorum, cfg.PortUnification = c.ssl, c.unified
			if c.edit != nil {
				c.edit(&cfg)
			}
			log := new(testkit.Buffer)
			q, err := openQuorumTLS(&cfg, hclog.New(&hclog.LoggerOptions{Output: log}))
			defer q.close()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want %q in it", err, c.want)
			}
			if err == nil && (q.security() != nil) != c.speaks {
				t.Errorf("speaks TLS: %v", q.security() != nil)
			}
			for _, line := range []string{encrypted, insecure, unified, only, still} {
				if wanted := slices.Contains(c.says, line); strings.Contains(log.String(), line) != wanted {
					t.Errorf("said that %q: %v, want %v", line, !wanted, wanted)
				}
			}
		})
	}
}

// A server whose files cannot be read does not start.
func TestQuorumTLSUnreadable(t *testing.T) {
	ca := testkit.NewCA(t)
	c := secureTrio(ca, ca.Issue("a"))
	c.DataDir, c.QuorumTLS.Key.File = t.TempDir(), ca.File // a certificate, and no key
	c.SID = 1
	s, err := New(c, hclog.NewNullLogger())
	if err == nil {
		s.Shutdown(t.Context())
		t.Fatal("it starts without a key")
	}
	if !strings.Contains(err.Error(), "ssl.quorum.keyStore.location") || !strings.Contains(err.Error(), ca.File) {
		t.Errorf("got error %v, want the key and the file in it", err)
	}
}
