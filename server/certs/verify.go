package certs

import (
	"crypto/x509"
	"net/netip"
)

// verifyServer looks for a chain from the certificate that a server has shown first to
// roots, the system's if nil.
func verifyServer(shown []*x509.Certificate, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, cert := range shown[1:] {
		between.AddCert(cert)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// VerifyHost looks for a host, a name or an address, in a certificate as Java does for
// HTTPS, which is what ZooKeeper goes by in its default mode (fips-mode): among the
// alternative names, and for a name in a certificate without names there, in the CN.
func VerifyHost(cert *x509.Certificate, host string) error {
	err := cert.VerifyHostname(host)
	if err == nil || len(cert.DNSNames) > 0 || cert.Subject.CommonName == "" {
		return err
	}
	if _, notAddress := netip.ParseAddr(host); notAddress == nil {
		return err
	}
	old := &x509.Certificate{DNSNames: []string{cert.Subject.CommonName}}
	return old.VerifyHostname(host)
}
