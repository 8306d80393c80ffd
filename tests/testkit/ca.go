package testkit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is a certificate authority of a test's own.
type CA struct {
	// PEM is its certificate, and File a trust store with it.
	PEM  []byte
	File string
	// Pool holds it as crypto/tls wants it.
	Pool *x509.CertPool

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Certificate is what a CA has issued, good for servers and for clients.
type Certificate struct {
	// PEM is the certificate, and then the key in PKCS#8; File is a key store with both.
	PEM  []byte
	File string
	// TLS holds both as crypto/tls wants them.
	TLS tls.Certificate
}

// NewCA makes an authority. Its files go with the test.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, Pool: x509.NewCertPool()}
	der, key := ca.sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "test authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	var err error
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.key = key
	ca.Pool.AddCert(ca.cert)
	ca.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	ca.File = ca.write("ca.pem", ca.PEM)
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
	der, key := ca.sign(template)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	c := Certificate{PEM: bytes.Join([][]byte{certPEM, keyPEM}, nil)}
	if c.TLS, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		ca.t.Fatal(err)
	}
	c.File = ca.write("key.pem", c.PEM)
	return c
}

// sign makes a key, and a certificate of the authority for it; of itself while it has
// none.
func (ca *CA) sign(template *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	ca.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		ca.t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
		ca.t.Fatal(err)
	}
	return der, key
}

func (ca *CA) write(name string, b []byte) string {
	ca.t.Helper()
	path := filepath.Join(ca.t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		ca.t.Fatal(err)
	}
	return path
}
