package zoocfg

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"zooraft/protocol/krb5"
	"zooraft/zabcompat"
)

// saslKeys are the keys of SASL. All are properties in ZooKeeper, but for quorum.auth.
var saslKeys = map[string]func(*loader, setting){
	"java.security.auth.login.config": func(*loader, setting) {}, // see login
	"sasl.serverconfig":               func(*loader, setting) {},
	"superUser":                       superUser,
	"SASLAuthenticationProvider.superPassword": func(l *loader, s setting) {
		l.cfg.SASLSuperPassword = s.value
	},
	"allowSaslFailedClients":            func(l *loader, s setting) { l.flag(s, &l.cfg.AllowSASLFailed) },
	"kerberos.removeHostFromPrincipal":  func(l *loader, s setting) { l.flag(s, &l.cfg.KerberosRemoveHost) },
	"kerberos.removeRealmFromPrincipal": func(l *loader, s setting) { l.flag(s, &l.cfg.KerberosRemoveRealm) },
	"security.auth_to_local":            func(l *loader, s setting) { l.cfg.KerberosRules = s.value },
	"java.security.krb5.conf":           func(*loader, setting) {}, // see kerberos
	"java.security.krb5.realm":          func(*loader, setting) {},

	"quorum.auth.learnerRequireSasl": func(l *loader, s setting) { l.boolean(s, &l.quorumAuth.learner) },
	"quorum.auth.serverRequireSasl":  func(l *loader, s setting) { l.boolean(s, &l.quorumAuth.server) },
}

func init() {
	for key, set := range saslKeys {
		keys[key] = set
	}
}

// quorumAuth is what the keys say of SASL between servers, which there is none of.
type quorumAuth struct{ enable, learner, server bool }

// superUser takes superUser and superUser.N.
func superUser(l *loader, s setting) {
	if s.value != "" {
		l.cfg.SASLSuperUsers = append(l.cfg.SASLSuperUsers, s.value)
	}
}

const (
	loginKey     = "java.security.auth.login.config"
	sectionKey   = "sasl.serverconfig"
	loginSection = "Server"
)

// login reads how clients log in by SASL: a section of a login file, or the users of
// the environment. ZooKeeper goes on without SASL if the file has no such section; here
// that would be a login that is missed in silence.
func (l *loader) login() {
	file, given := l.settings[loginKey]
	named, chosen := l.settings[sectionKey]
	section := cmp.Or(named.value, loginSection)
	switch {
	case !given && chosen:
		l.fault(named, "No JAAS configuration section named '%s' was found But zookeeper.sasl.serverconfig was set.; name the file by %s", section, loginKey)
	case given && l.users != nil:
		l.fault(file, "differs from $ZOO_SERVER_USERS, which says who may log in, too; remove one of the two")
	case given:
		l.loginFile(file, section, chosen)
	case l.users != nil:
		l.cfg.SASLLogin = []zabcompat.LoginModule{*l.users}
	}
}

// loginFile reads one section of a login file. A file that is there for servers alone
// need not have one for clients, unless it is chosen.
func (l *loader) loginFile(s setting, section string, chosen bool) {
	path := zabcompat.LoginPath(s.value)
	data, err := l.read(path)
	if err != nil {
		l.fault(s, "No JAAS configuration section named '%s' was found in '%s'.: %v", section, path, err)
		return
	}
	sections, err := zabcompat.ParseLogin(data)
	if err != nil {
		l.fault(s, "%s: %v", path, err)
		return
	}
	modules, found := sections[section]
	switch {
	case found:
		l.cfg.SASLLogin = modules
		l.kerberos()
	case l.quorumAuth.enable && !chosen:
		l.warn("%s: %s: clients cannot log in by SASL: there is no section '%s' in %s", s.where, s.key, section, path)
	default:
		l.fault(s, "No JAAS configuration section named '%s' was found in '%s'.; add it, or remove the line if no client is to log in", section, path)
	}
}

const (
	krb5Key  = "java.security.krb5.conf"
	realmKey = "java.security.krb5.realm"
)

// kerberos reads krb5.conf, which need not be there unless it is named, if clients log
// in with tickets.
func (l *loader) kerberos() {
	if !slices.ContainsFunc(l.cfg.SASLLogin, func(m zabcompat.LoginModule) bool { return m.Class == zabcompat.KerberosLogin }) {
		return
	}
	s, named := l.settings[krb5Key]
	if !named {
		s = setting{key: loginKey, where: l.settings[loginKey].where}
	}
	c, err := krb5.Files{Read: l.read, List: os.ReadDir}.ReadConfig(s.value)
	if err != nil {
		l.fault(s, "%v", err)
		return
	}
	l.cfg.KerberosRealm, l.cfg.KerberosSkew = c.DefaultRealm, c.Skew
	if realm, ok := l.settings[realmKey]; ok {
		l.cfg.KerberosRealm = realm.value
	}
}

// deriveQuorumAuth settles the keys of SASL between servers, as
// QuorumPeerConfig.parseProperties does. What they ask for is to know who a peer is,
// which TLS tells as well where every peer has to show a certificate.
func (l *loader) deriveQuorumAuth() {
	const enableKey, learnerKey, serverKey = "quorum.auth.enableSasl", "quorum.auth.learnerRequireSasl", "quorum.auth.serverRequireSasl"
	q := &l.quorumAuth
	switch {
	case q.server && !q.learner:
		l.fault(l.settings[serverKey], "%s=true needs %s=true", serverKey, learnerKey)
	case q.learner && !q.enable:
		l.fault(l.settings[learnerKey], "%s=true needs %s=true", learnerKey, enableKey)
	case q.server && !l.cfg.SSLQuorum:
		l.fault(l.settings[serverKey], "there is no SASL between servers, only TLS; set sslQuorum=true with ssl.quorum.keyStore.location and ssl.quorum.trustStore.location, or false here if the network is enough")
	case q.server && l.cfg.PortUnification:
		l.fault(l.settings[serverKey], "with portUnification=true whoever speaks plain text is taken for a server; set it to false, which is the last step of the move to TLS, or set false here")
	case q.server && l.cfg.QuorumTLS.ClientAuth != "need":
		l.fault(l.settings[serverKey], "with ssl.quorum.clientAuth=%s whoever shows no certificate is taken for a server; set it to need, or set false here", l.cfg.QuorumTLS.ClientAuth)
	}
}

// environmentAuth makes the users that the images' variables name, for the scheme sasl.
func (l *loader) environmentAuth(value string) {
	const name, usersName, passwordsName = "ZOO_ENABLE_AUTH", "ZOO_SERVER_USERS", "ZOO_SERVER_PASSWORDS"
	if truth(value) != "true" {
		return
	}
	var lists [2][]string
	for i, name := range []string{usersName, passwordsName} {
		value, err := l.value(name)
		if err != nil {
			l.fault(setting{key: name, where: "$" + name + fileSuffix}, "%v", err)
			return
		}
		lists[i] = strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
	}
	users, passwords := lists[0], lists[1]
	if len(users) == 0 || len(users) != len(passwords) {
		l.fault(setting{key: "authentication by SASL", where: "$" + name}, "there are %d users in %s and %d passwords in %s; give as many of each, one or more",
			len(users), usersName, len(passwords), passwordsName)
		return
	}
	m := zabcompat.LoginModule{Class: zabcompat.DigestLogin}
	for i, user := range users {
		m.Options = append(m.Options, zabcompat.LoginOption{Key: zabcompat.DigestUser + user, Value: passwords[i]})
	}
	l.users = &m
	l.environmentSetting(name, "authProvider.sasl", classPrefix+"SASLAuthenticationProvider")
}

// environmentQuorumAuth asks for SASL between servers, as the images do.
func (l *loader) environmentQuorumAuth(value string) {
	for _, key := range []string{"enableSasl", "learnerRequireSasl", "serverRequireSasl"} {
		l.environmentSetting("ZOO_ENABLE_QUORUM_AUTH", "quorum.auth."+key, truth(value))
	}
}
