package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// issued is a certificate with its key and those who vouch for it.
type issued struct {
	key   crypto.Signer
	cert  *x509.Certificate
	above *issued // nil for what vouches for itself
}

var serial atomic.Int64

// issue makes a certificate as template says, signed by above or by itself.
func issue(t testing.TB, above *issued, template x509.Certificate) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(time.Hour)
	parent, signer := &template, crypto.Signer(key)
	if above != nil {
		parent, signer = above.cert, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{key: key, cert: cert, above: above}
}

// newAuthority makes a certificate that others are signed with.
func newAuthority(t testing.TB, above *issued, cn string) *issued {
	t.Helper()
	return issue(t, above, x509.Certificate{
		Subject:               pkix.Name{CommonName: cn},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	})
}

// issueFor makes a certificate for hosts, names or addresses.
func issueFor(t testing.TB, above *issued, cn string, hosts ...string) *issued {
	t.Helper()
	template := x509.Certificate{
		Subject:  pkix.Name{CommonName: cn},
		KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
		},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return issue(t, above, template)
}

// chain is the certificate and those above it.
func (i *issued) chain() []*x509.Certificate {
	var chain []*x509.Certificate
	for ; i != nil; i = i.above {
		chain = append(chain, i.cert)
	}
	return chain
}

func pemCerts(certs ...*x509.Certificate) []byte {
	var b []byte
	for _, cert := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return b
}

func pemKey(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// writeFile writes a file of a directory of the test's own.
func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyStore writes a key store of PEM.
func (i *issued) keyStore(t testing.TB) Store {
	t.Helper()
	return Store{File: writeFile(t, "key.pem", append(pemKey(t, i.key), pemCerts(i.chain()...)...))}
}

// trustStore writes a trust store of PEM.
func (i *issued) trustStore(t testing.TB) Store {
	t.Helper()
	return Store{File: writeFile(t, "trust.pem", pemCerts(i.cert))}
}
