package zoocfg

import (
	"slices"
	"strings"

	"zooraft/server"
)

// classPrefix is where ZooKeeper's authentication providers are.
const classPrefix = "org.apache.zookeeper.server.auth."

// providerSchemes are the schemes of the providers that have a counterpart here;
// "" is always there.
var providerSchemes = map[string]string{
	"DigestAuthenticationProvider":   "",
	"IPAuthenticationProvider":       "",
	"EnsembleAuthenticationProvider": server.SchemeEnsemble,
	"SASLAuthenticationProvider":     server.SchemeSASL,
	"X509AuthenticationProvider":     server.SchemeX509,
}

// authProvider takes the classes of ZooKeeper whose schemes are here, too. What
// follows "authProvider." in the key is any name.
// ZooKeeper goes on without a class that it cannot find; here that would be a
// scheme that is missed in silence.
func authProvider(l *loader, s setting) {
	class, known := strings.CutPrefix(s.value, classPrefix)
	scheme, provided := providerSchemes[class]
	switch {
	case !known || !provided:
		l.fault(s, "%q is not supported: classes cannot be loaded here; those that are built in are ZooKeeper's for ip, digest, ensemble, sasl and x509", s.value)
	case scheme != "" && !slices.Contains(l.cfg.AuthProviders, scheme):
		l.cfg.AuthProviders = append(l.cfg.AuthProviders, scheme)
	}
}

func digestEnabled(l *loader, s setting) {
	on := true
	l.flag(s, &on)
	l.cfg.NoDigestAuth = !on
}

// emulate353TTLNodes is about znodes that ZooKeeper 3.5.3 has written.
func emulate353TTLNodes(l *loader, s setting) {
	on := false
	if l.flag(s, &on); on {
		l.warn("%s: emulate353TTLNodes: nothing here stores TTLs as ZooKeeper 3.5.3 did, so there is nothing to emulate; the line does nothing", s.where)
	}
	l.property(s)
}
