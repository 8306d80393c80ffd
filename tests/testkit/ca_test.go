package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestCA(t *testing.T) {
	ca, other := NewCA(t), NewCA(t)
	for _, c := range []struct {
		name, host string
		issuer     *CA
		ok         bool
	}{
		{"a name", "zoo1.example", ca, true},
		{"an address", "127.0.0.1", ca, true},
		{"a name that it is not for", "zoo2.example", ca, false},
		{"of another authority", "zoo1.example", other, false},
		{"of one under it", "zoo1.example", ca.Under("between").Under("lower"), true},
	} {
		cert := c.issuer.Issue("zoo1.example", "127.0.0.1")
		near, far := TCPPair(t)
		server := tls.Server(far, c.issuer.Server(cert, tls.RequireAndVerifyClientCert))
		go server.Handshake()
		err := tls.Client(near, ca.Client(c.host, cert)).Handshake()
		if (err == nil) != c.ok {
			t.Errorf("%s: handshake: %v", c.name, err)
		}
		if stored, err := tls.LoadX509KeyPair(cert.File, cert.File); err != nil || !stored.Leaf.Equal(cert.TLS.Leaf) {
			t.Errorf("%s: key store: %v", c.name, err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(c.issuer.PEM) {
			t.Errorf("%s: trust store cannot be read", c.name)
		}
	}
}
