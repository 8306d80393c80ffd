package certs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// Store is a file with certificates.
type Store struct {
	// File is its path; empty for none (KEY.location).
	File string
	// Type is PEM, PKCS12 or JKS in any case; empty to go by the end of the file's
	// name (KEY.type).
	Type string
	// Password opens it (KEY.password). It is a secret and is never logged.
	Password string
	// PasswordFile is a file with the password, and wins (KEY.passwordPath).
	PasswordFile string
}

// What is asked of those who dial (ssl.clientAuth).
const (
	NeedClientAuth = "need" // a certificate that the trust store vouches for
	WantClientAuth = "want" // one, or none
	NoClientAuth   = "none" // they are not asked
)

// Config is what the keys below ssl., ssl.quorum. or metricsProvider.ssl. say.
type Config struct {
	// Key holds this side's certificate with its key, Trust the authorities that the
	// other side's must come from; none for those of the system.
	Key, Trust Store
	// ClientAuth is one of the constants (clientAuth, default need).
	ClientAuth string
	// Protocols are the versions that are spoken, by their names in Java; empty for
	// TLSv1.2 and TLSv1.3, and older ones beside these are passed over
	// (enabledProtocols, else protocol).
	Protocols []string
	// CipherSuites are those of TLSv1.2, by their names in Java; empty for what Go
	// takes for safe, and those that Go does not have are passed over beside others
	// (ciphersuites).
	CipherSuites []string
	// VerifyServer has who dials look for the host's name in the certificate of the
	// server (hostnameVerification, default true).
	VerifyServer bool
	// VerifyClient has who accepts look for the caller's name in its certificate
	// (clientHostnameVerification, default false for clients and true for servers).
	VerifyClient bool
	// Reload has changed files taken over while the process runs (client.certReload,
	// sslQuorumReloadCertFiles).
	Reload bool
}

// Fault is one thing wrong with a [Config].
type Fault struct {
	Key     string // behind ssl. and its like, as keyStore.location
	Problem string
}

// Validate reports everything wrong with the configuration, nil if nothing. It looks
// at values only.
func (c *Config) Validate() []Fault {
	var faults []Fault
	for _, store := range []struct {
		key string
		*Store
	}{{keyStore, &c.Key}, {trustStore, &c.Trust}} {
		if store.File == "" {
			continue
		}
		if _, fault := store.typ(store.key); fault != nil {
			faults = append(faults, *fault)
		}
	}
	switch strings.ToLower(c.ClientAuth) {
	case "", NeedClientAuth, WantClientAuth, NoClientAuth:
	default:
		faults = append(faults, Fault{"clientAuth", fmt.Sprintf("got %q, want need, want or none", c.ClientAuth)})
	}
	versions, suites := c.unknown()
	if n := len(versions); n > 0 && n == len(c.Protocols) {
		faults = append(faults, Fault{"enabledProtocols", fmt.Sprintf("%s: only TLSv1.2 and TLSv1.3 are spoken", strings.Join(versions, ","))})
	}
	if n := len(suites); n > 0 && n == len(c.CipherSuites) {
		faults = append(faults, Fault{"ciphersuites", fmt.Sprintf("%s: none is known here", strings.Join(suites, ","))})
	}
	if len(faults) > 0 {
		return faults
	}
	if minimum, maximum, _ := c.versions(); minimum > maximum {
		faults = append(faults, Fault{"ciphersuites", "none of them is for TLSv1.2, which is all that enabledProtocols allows"})
	}
	return faults
}

// unknown are the versions and the suites that are listed and cannot be had: old ones,
// most likely, which are passed over where others are listed besides.
func (c *Config) unknown() (versions, suites []string) {
	for _, name := range c.Protocols {
		if versionOf[strings.ToUpper(name)] == 0 {
			versions = append(versions, name)
		}
	}
	for _, name := range c.CipherSuites {
		if suite(name) == nil {
			suites = append(suites, name)
		}
	}
	return versions, suites
}

// clientAuth is what ClientAuth says, in Go's terms.
func (c *Config) clientAuth() tls.ClientAuthType {
	switch strings.ToLower(c.ClientAuth) {
	case NoClientAuth:
		return tls.NoClientCert
	case WantClientAuth:
		return tls.VerifyClientCertIfGiven
	}
	return tls.RequireAndVerifyClientCert
}

// versionOf are the versions by their names in Java, in upper case.
var versionOf = map[string]uint16{"TLSV1.2": tls.VersionTLS12, "TLSV1.3": tls.VersionTLS13}

// versions says between which versions is chosen, and among which suites of TLSv1.2,
// nil for Go's own. Suites of TLSv1.3 alone rule out TLSv1.2; otherwise they say
// nothing, since Go does not let choose among them.
func (c *Config) versions() (minimum, maximum uint16, suites []uint16) {
	var versions []uint16
	for _, name := range c.Protocols {
		if v := versionOf[strings.ToUpper(name)]; v != 0 {
			versions = append(versions, v)
		}
	}
	if versions == nil {
		versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}
	}
	minimum, maximum = slices.Min(versions), slices.Max(versions)
	for _, name := range c.CipherSuites {
		if s := suite(name); s != nil && slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			suites = append(suites, s.ID)
		}
	}
	if len(c.CipherSuites) > 0 && suites == nil {
		minimum = tls.VersionTLS13
	}
	return minimum, maximum, suites
}

// suite finds a suite by its name in Java, which is that of the standard but for the
// oldest, whose names begin with SSL. nil for none.
func suite(name string) *tls.CipherSuite {
	name = strings.ToUpper(name)
	if rest, old := strings.CutPrefix(name, "SSL_"); old {
		name = "TLS_" + rest
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name == name {
			return s
		}
	}
	return nil
}
