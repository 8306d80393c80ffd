package zoocfg

import (
	"slices"
	"strconv"
	"strings"

	"zooraft/server"
	"zooraft/zabcompat"
)

// tlsPrefixes are what the keys of TLS begin with, which say the same of several ports.
// All are properties in ZooKeeper (X509Util), but for those of metrics
// (PrometheusMetricsProvider).
var tlsPrefixes = []struct {
	prefix string
	of     func(*server.Config) *server.TLS
	names  []string // nil for all
}{
	{server.ClientSSL, func(c *server.Config) *server.TLS { return &c.ClientTLS }, nil},
	{server.QuorumSSL, func(c *server.Config) *server.TLS { return &c.QuorumTLS }, nil},
	{server.MetricsSSL, func(c *server.Config) *server.TLS { return &c.MetricsTLS }, []string{
		"keyStore.location", "keyStore.password", "keyStore.type", "trustStore.location", "trustStore.password", "trustStore.type",
		"enabledProtocols", "ciphersuites",
	}},
}

// tlsKeys are what follows.
var tlsKeys = map[string]func(*loader, setting, *server.TLS){
	"keyStore.location":          func(_ *loader, s setting, to *server.TLS) { to.Key.File = s.value },
	"keyStore.password":          func(_ *loader, s setting, to *server.TLS) { to.Key.Password = s.value },
	"keyStore.passwordPath":      func(_ *loader, s setting, to *server.TLS) { to.Key.PasswordFile = s.value },
	"keyStore.type":              func(_ *loader, s setting, to *server.TLS) { to.Key.Type = s.value },
	"trustStore.location":        func(_ *loader, s setting, to *server.TLS) { to.Trust.File = s.value },
	"trustStore.password":        func(_ *loader, s setting, to *server.TLS) { to.Trust.Password = s.value },
	"trustStore.passwordPath":    func(_ *loader, s setting, to *server.TLS) { to.Trust.PasswordFile = s.value },
	"trustStore.type":            func(_ *loader, s setting, to *server.TLS) { to.Trust.Type = s.value },
	"clientAuth":                 func(_ *loader, s setting, to *server.TLS) { to.ClientAuth = strings.ToLower(s.value) },
	"enabledProtocols":           func(_ *loader, s setting, to *server.TLS) { to.Protocols = zabcompat.SplitList(s.value) },
	"protocol":                   tlsProtocol,
	"ciphersuites":               func(_ *loader, s setting, to *server.TLS) { to.CipherSuites = zabcompat.SplitList(s.value) },
	"hostnameVerification":       func(l *loader, s setting, to *server.TLS) { l.boolean(s, &to.VerifyServer) },
	"clientHostnameVerification": func(l *loader, s setting, to *server.TLS) { l.boolean(s, &to.VerifyClient) },

	"crl":                   tlsRefused("whether a certificate has been revoked is not looked up; remove the line, and let certificates be valid for a short time"),
	"ocsp":                  tlsRefused("whether a certificate has been revoked is not looked up; remove the line, and let certificates be valid for a short time"),
	"allowReverseDnsLookup": tlsRefused("names are never looked up by the address; remove the line"),
	"context.supplier.class": func(l *loader, s setting, _ *server.TLS) {
		l.fault(s, "classes cannot be loaded here; remove the line")
	},
}

// tlsValues write what is in effect for the keys that have an effect.
var tlsValues = map[string]func(*server.TLS) string{
	"keyStore.location":          func(c *server.TLS) string { return c.Key.File },
	"keyStore.password":          func(c *server.TLS) string { return c.Key.Password },
	"keyStore.passwordPath":      func(c *server.TLS) string { return c.Key.PasswordFile },
	"keyStore.type":              func(c *server.TLS) string { return c.Key.Type },
	"trustStore.location":        func(c *server.TLS) string { return c.Trust.File },
	"trustStore.password":        func(c *server.TLS) string { return c.Trust.Password },
	"trustStore.passwordPath":    func(c *server.TLS) string { return c.Trust.PasswordFile },
	"trustStore.type":            func(c *server.TLS) string { return c.Trust.Type },
	"clientAuth":                 func(c *server.TLS) string { return c.ClientAuth },
	"enabledProtocols":           func(c *server.TLS) string { return strings.Join(c.Protocols, ",") },
	"protocol":                   func(c *server.TLS) string { return strings.Join(c.Protocols, ",") },
	"ciphersuites":               func(c *server.TLS) string { return strings.Join(c.CipherSuites, ",") },
	"hostnameVerification":       func(c *server.TLS) string { return strconv.FormatBool(c.VerifyServer) },
	"clientHostnameVerification": func(c *server.TLS) string { return strconv.FormatBool(c.VerifyClient) },
}

func init() {
	for _, p := range tlsPrefixes {
		for name, set := range tlsKeys {
			if p.names != nil && !slices.Contains(p.names, name) {
				continue
			}
			keys[p.prefix+name] = func(l *loader, s setting) { set(l, s, p.of(&l.cfg)) }
			if value := tlsValues[name]; value != nil {
				values[p.prefix+name] = func(l *loader) string { return value(p.of(&l.cfg)) }
			}
		}
	}
}

// deriveTLS has nobody's name looked for where the names of servers are not, as in
// ZooKeeper (X509Util.isClientHostnameVerificationEnabled).
func (l *loader) deriveTLS() {
	for _, p := range tlsPrefixes {
		clients, servers := p.prefix+"clientHostnameVerification", p.prefix+"hostnameVerification"
		to := p.of(&l.cfg)
		if !to.VerifyClient || to.VerifyServer {
			continue
		}
		to.VerifyClient = false
		l.overruled[clients] = servers
		if s, set := l.settings[clients]; set {
			l.warn("%s: %s has no effect: %s=false turns it off, too", s.where, clients, servers)
		}
	}
}

// tlsProtocol takes the one version that is spoken where enabledProtocols says nothing.
func tlsProtocol(l *loader, s setting, to *server.TLS) {
	if _, listed := l.settings[strings.TrimSuffix(s.key, "protocol")+"enabledProtocols"]; !listed {
		to.Protocols = []string{s.value}
	}
}

// tlsRefused refuses all but "false".
func tlsRefused(why string) func(*loader, setting, *server.TLS) {
	return func(l *loader, s setting, _ *server.TLS) { refuseTrue(why)(l, s) }
}

// sslAuthProvider takes the scheme that is made of the certificates of clients.
func sslAuthProvider(l *loader, s setting) {
	if s.value != server.SchemeX509 {
		l.fault(s, "%q cannot be loaded; the scheme of certificates that is built in is %s", s.value, server.SchemeX509)
	}
}

// securePort settles the port for clients that speak TLS. Who has one and no
// clientPort has none for plain text, as in ZooKeeper.
func (l *loader) securePort() {
	if s, set := l.settings["secureClientPortAddress"]; set && l.cfg.SecureClientPort == 0 && !l.atFault["secureClientPort"] {
		l.fault(s, "secureClientPortAddress is set but secureClientPort is not set; add secureClientPort, for example secureClientPort=%d", defaultSecurePort)
	}
}

const defaultSecurePort = 2281
