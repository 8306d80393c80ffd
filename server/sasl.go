package server

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol/sasl"
	"zooraft/server/client"
	"zooraft/server/kerberos"
	"zooraft/zabcompat"
)

// saslSuper is the user that SASLSuperPassword is for.
const saslSuper = "super"

// saslProblem is why SASLLogin cannot be used, "" if it can.
func (c *Config) saslProblem() string {
	for _, m := range c.SASLLogin {
		switch m.Class {
		case zabcompat.DigestLogin:
		case zabcompat.KerberosLogin:
			switch {
			case len(c.SASLLogin) > 1:
				return fmt.Sprintf("line %d of the file: a module of Kerberos has to be the only one of its section", m.Line)
			case !strings.EqualFold(m.Option("useKeyTab"), "true") || m.File("keyTab") == "" || m.Option("principal") == "":
				return fmt.Sprintf(`line %d of the file: a server needs useKeyTab=true, keyTab="FILE" and principal="zookeeper/HOST@REALM"`, m.Line)
			}
		default:
			return fmt.Sprintf("line %d of the file: the class %q cannot be loaded; %s and %s are built in", m.Line, m.Class, zabcompat.DigestLogin, zabcompat.KerberosLogin)
		}
	}
	return ""
}

// saslServers makes what makes the server's side of each negotiation, nil without SASL.
// A section that logs in with Kerberos offers nothing else, as in ZooKeeper.
// REQUIRES: the configuration is valid.
func (c *Config) saslServers(log hclog.Logger) (func() client.SASLServer, error) {
	if len(c.SASLLogin) == 0 {
		return nil, nil
	}
	if m := &c.SASLLogin[0]; m.Class == zabcompat.KerberosLogin {
		return c.kerberosServers(m, log)
	}
	users := c.digestUsers()
	log.Info("clients can log in by SASL", "mechanism", "DIGEST-MD5", "count", len(users))
	password := func(user string) (string, bool) {
		password, known := users[user]
		return password, known
	}
	return func() client.SASLServer { return sasl.NewDigestServer(password) }, nil
}

// kerberosServers makes what makes the server's side of GSSAPI.
func (c *Config) kerberosServers(m *zabcompat.LoginModule, log hclog.Logger) (func() client.SASLServer, error) {
	keytab := m.File("keyTab")
	a, err := kerberos.New(kerberos.Config{
		Keytab: keytab, Principal: m.Option("principal"), DefaultRealm: c.KerberosRealm, Skew: c.KerberosSkew,
		Rules: c.KerberosRules, RemoveHost: c.KerberosRemoveHost, RemoveRealm: c.KerberosRemoveRealm, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("line %d of the file: %w", m.Line, err)
	}
	log.Info("clients can log in by SASL", "mechanism", "GSSAPI", "principal", m.Option("principal"), "path", keytab)
	return func() client.SASLServer { return a.New() }, nil
}

// digestUsers are the users of the mechanism DIGEST-MD5 with their passwords
// (SaslServerCallbackHandler).
func (c *Config) digestUsers() map[string]string {
	users := make(map[string]string)
	for _, m := range c.SASLLogin {
		for _, o := range m.Options {
			if name, ok := strings.CutPrefix(o.Key, zabcompat.DigestUser); ok {
				users[name] = o.Value
			}
		}
	}
	if _, listed := users[saslSuper]; listed && c.SASLSuperPassword != "" {
		users[saslSuper] = c.SASLSuperPassword
	}
	return users
}
