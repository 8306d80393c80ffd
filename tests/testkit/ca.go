package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// CA is a certificate authority of a test's own.
type CA struct {
	// PEM is its certificate, and File a trust store with it.
	PEM  []byte
	File string
	// Cert is the same, and Pool holds it as crypto/tls wants it.
	Cert *x509.Certificate
	Pool *x509.CertPool

	t     testing.TB
	key   *ecdsa.PrivateKey
	above *CA // nil for a root
}

// Certificate is what a CA has issued, good for servers and for clients.
type Certificate struct {
	// PEM is the certificate with those of the authorities up to the root, without that, and
	// then the key in PKCS#8; File is a key store with all.
	PEM  []byte
	File string
	// TLS holds the same as crypto/tls wants it.
	TLS tls.Certificate
}

// NewCA makes an authority, a root. Its files go with the test. All bear the same name, so a
// client shows what one has issued to a server that trusts another.
func NewCA(t testing.TB) *CA {
	t.Helper()
	return NamedCA(t, "test authority")
}

// NamedCA is NewCA with another name.
func NamedCA(t testing.TB, name string) *CA {
	t.Helper()
	return newCA(t, nil, name)
}

// Under makes an authority that ca vouches for.
func (ca *CA) Under(name string) *CA {
	ca.t.Helper()
	return newCA(ca.t, ca, name)
}

func newCA(t testing.TB, above *CA, name string) *CA {
	t.Helper()
	ca := &CA{Pool: x509.NewCertPool(), t: t, above: above}
	der, key := above.sign(t, &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	var err error
	if ca.Cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.key = key
	ca.Pool.AddCert(ca.Cert)
	ca.PEM = pemOf("CERTIFICATE", der)
	ca.File = WriteFile(t, "ca.pem", ca.PEM)
	return ca
}

// Issue makes a certificate for names and addresses, the first of which is also its
// subject's common name.
func (ca *CA) Issue(hosts ...string) Certificate {
	ca.t.Helper()
	return ca.IssueTo(pkix.Name{CommonName: hosts[0]}, hosts...)
}

// IssueTo makes a certificate with a subject, for any number of names and addresses.
func (ca *CA) IssueTo(subject pkix.Name, hosts ...string) Certificate {
	ca.t.Helper()
	template := &x509.Certificate{
		Subject:     subject,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, key := ca.sign(ca.t, template)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	chain := pemOf("CERTIFICATE", der)
	for up := ca; up.above != nil; up = up.above {
		chain = append(chain, up.PEM...)
	}
	keyPEM := pemOf("PRIVATE KEY", pkcs8)
	c := Certificate{PEM: slices.Concat(chain, keyPEM)}
	if c.TLS, err = tls.X509KeyPair(chain, keyPEM); err != nil {
		ca.t.Fatal(err)
	}
	c.File = WriteFile(ca.t, "key.pem", c.PEM)
	return c
}

// Server configures a server that shows own, and trusts clients whom ca vouches for.
func (ca *CA) Server(own Certificate, clients tls.ClientAuthType) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{own.TLS}, ClientCAs: ca.Pool, ClientAuth: clients}
}

// Client configures a client that shows own, if there is one, and expects host of a server for
// whom ca vouches; "" is the host that is dialled.
func (ca *CA) Client(host string, own ...Certificate) *tls.Config {
	cfg := &tls.Config{RootCAs: ca.Pool, ServerName: host}
	for _, c := range own {
		cfg.Certificates = append(cfg.Certificates, c.TLS)
	}
	return cfg
}

// sign makes a key, and a certificate of ca for it; of the key itself if ca is nil.
func (ca *CA) sign(t testing.TB, template *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.Cert, ca.key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
		t.Fatal(err)
	}
	return der, key
}

func pemOf(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}
