package blackbox

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// connectTLS opens a session over TLS, and returns the certificate that the server has shown.
func connectTLS(addr string, ca *testkit.CA, own ...testkit.Certificate) (*client, *x509.Certificate, error) {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: callTimeout}, "tcp", addr, ca.Client("localhost", own...))
	if err != nil {
		return nil, nil, err
	}
	c := &client{nc: nc, in: nc}
	if err := c.shake(nil); err != nil {
		nc.Close()
		return nil, nil, err
	}
	return c, nc.ConnectionState().PeerCertificates[0], nil
}

// A server with a secureClientPort alone serves over TLS, is found there by status and 4lw, and takes over a new
// certificate without a restart.
func TestClientTLS(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	ca := testkit.NewCA(t)
	first, second, mine := ca.Issue("localhost", "127.0.0.1"), ca.Issue("localhost", "127.0.0.1"), ca.Issue("alice")
	dir := t.TempDir()
	own := filepath.Join(dir, "server.pem")
	must(t, "write the key store", os.WriteFile(own, first.PEM, 0o600))
	port := testkit.Ports(t, 1)[0]
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cfg := filepath.Join(dir, "zoo.cfg")
	must(t, "write zoo.cfg", os.WriteFile(cfg, fmt.Appendf(nil, `dataDir=%s
secureClientPort=%d
secureClientPortAddress=127.0.0.1
admin.enableServer=false
client.certReload=true
ssl.keyStore.location=%s
ssl.trustStore.location=%s
`, filepath.Join(dir, "data"), port, own, ca.File), 0o600))
	launch(t, dir, "server", cfg)
	harness.Eventually(t, startTimeout, "serve over TLS", func() error {
		c, shown, err := connectTLS(addr, ca, mine)
		if err != nil {
			return err
		}
		defer c.nc.Close()
		if !bytes.Equal(shown.Raw, first.TLS.Certificate[0]) {
			t.Fatal("another certificate is shown than that of the key store")
		}
		return nil
	})
	c, _, err := connectTLS(addr, ca, mine)
	must(t, "connect", err)
	defer c.nc.Close()
	must(t, "create", c.create("/a", "over TLS"))

	if _, _, err := connectTLS(addr, ca); err == nil {
		t.Error("a client without a certificate has got a session")
	}
	stranger := testkit.NewCA(t).Issue("alice")
	if _, _, err := connectTLS(addr, ca, stranger); err == nil {
		t.Error("a client with a certificate of another authority has got a session")
	}

	for _, args := range [][]string{{"status", cfg}, {"4lw", "srvr", "--config", cfg}} {
		p := launch(t, dir, args...)
		if code := p.exit(startTimeout); code != 0 || !strings.Contains(p.stdout.String(), "standalone") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, p.stdout.String(), p.stderr.String())
		}
	}

	must(t, "replace the key store", os.WriteFile(own, second.PEM, 0o600))
	harness.Eventually(t, startTimeout, "the new certificate is shown", func() error {
		n, shown, err := connectTLS(addr, ca, mine)
		if err != nil {
			return err
		}
		defer n.nc.Close()
		if !bytes.Equal(shown.Raw, second.TLS.Certificate[0]) {
			return fmt.Errorf("serial number %v is shown", shown.SerialNumber)
		}
		return nil
	})
	c.mustHold(t, "/a", "over TLS") // the connections that were there stay
}

// With client.portUnification one port speaks to each as it begins.
func TestClientPortUnification(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	ca := testkit.NewCA(t)
	e := harness.StartZooraft(t, harness.Options{Lines: []string{
		"client.portUnification=true", "ssl.clientAuth=none",
		"ssl.keyStore.location=" + ca.Issue("localhost").File,
	}})
	addr := e.Server(1).ClientAddr
	secure, _, err := connectTLS(addr, ca)
	must(t, "connect with TLS", err)
	defer secure.nc.Close()
	plain := mustConnect(t, addr)
	must(t, "create", secure.create("/a", "x"))
	plain.mustHold(t, "/a", "x")
	answer, err := harness.FourLetter(addr, "srvr")
	if err != nil || !strings.Contains(answer, "Mode: standalone") {
		t.Errorf("a word in plain text: %q, %v", answer, err)
	}
}
