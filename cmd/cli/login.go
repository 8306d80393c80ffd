package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"zooraft/cmd/client"
	"zooraft/cmd/kerberos"
	"zooraft/protocol/sasl"
	"zooraft/zabcompat"
)

// Names of org.apache.zookeeper.client.ZKClientConfig and ZooKeeperSaslClient, and of
// Java's own property.
const (
	keySASL        = "zookeeper.sasl.client"
	keySASLSection = "zookeeper.sasl.clientconfig"
	keyLoginFile   = "java.security.auth.login.config"

	defaultSection = "Client"

	keyKrb5Config      = "java.security.krb5.conf"
	keyKerberosService = "zookeeper.sasl.client.username"
	keyKerberosRealm   = "zookeeper.server.realm"
	keyKerberosServer  = "zookeeper.server.principal"
	keyKerberosCanonic = "zookeeper.sasl.client.canonicalize.hostname"
)

// login is how a client proves who it is.
type login struct {
	section, file string // where it is from
	begin         beginning
}

// beginning is for client.Config.
type beginning func(ctx context.Context, host string) (client.Mechanism, error)

// beginLogin is nil if there is no login.
func (c *configured) beginLogin() beginning {
	if c.login == nil {
		return nil
	}
	return c.login.begin
}

// login reads the section of a login file that says who this client is; nil if nothing
// asks for that. A file that was written for this client means what it says. The
// environment may be a server's: as ZooKeeper's client does (ZooKeeperSaslClient), one
// goes on without if the login file there cannot be read or has nothing for clients.
func (props properties) login() (*login, error) {
	if use, err := props.boolean(keySASL, true); err != nil || !use {
		return nil, err
	}
	section, named := props[keySASLSection]
	if !named {
		section.value = defaultSection
	}
	file, ok := props[keyLoginFile]
	if !ok {
		if section.inFile {
			return nil, fmt.Errorf("%s: %s=%s: name the file that has this section by %s", section.where, keySASLSection, section.value, keyLoginFile)
		}
		return nil, nil
	}
	path := zabcompat.LoginPath(file.value)
	meant := file.inFile || section.inFile
	data, err := os.ReadFile(path)
	if err != nil {
		if meant {
			return nil, fmt.Errorf("%s: %s: %w", file.where, keyLoginFile, err)
		}
		return nil, nil
	}
	sections, err := zabcompat.ParseLogin(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	modules := sections[section.value]
	if len(modules) == 0 {
		if meant {
			return nil, fmt.Errorf("%s: it has no section %s, with which a client logs in; %s names another", path, section.value, keySASLSection)
		}
		return nil, nil
	}
	if len(modules) > 1 {
		return nil, fmt.Errorf("%s: line %d: a second module in the section %s; a client logs in by one", path, modules[1].Line, section.value)
	}
	begin, err := props.beginning(&modules[0])
	if err != nil {
		return nil, fmt.Errorf("%s: line %d: section %s: %w; %s=false does without a login", path, modules[0].Line, section.value, err, keySASL)
	}
	return &login{section.value, path, begin}, nil
}

// beginning returns what begins a negotiation with a host, as a module says.
func (props properties) beginning(m *zabcompat.LoginModule) (beginning, error) {
	switch m.Class {
	case zabcompat.DigestLogin:
		user, password := m.Option("username"), m.Option("password")
		if user == "" || password == "" {
			return nil, errors.New("the module wants username and password")
		}
		return func(context.Context, string) (client.Mechanism, error) {
			return sasl.NewDigestClient(user, password), nil
		}, nil
	case zabcompat.KerberosLogin:
		cfg, err := props.kerberosConfig(m)
		if err != nil {
			return nil, err
		}
		l, err := kerberos.New(cfg)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, host string) (client.Mechanism, error) {
			i, err := l.Begin(ctx, host)
			switch {
			case errors.Is(err, kerberos.ErrNoCenter) || ctx.Err() != nil:
				return nil, err // and the session lives on
			case err != nil:
				return nil, fmt.Errorf("%w: %w", client.ErrLogin, err)
			}
			return i, nil
		}, nil
	}
	return nil, fmt.Errorf("%s: this client does not know the module", m.Class)
}

// kerberosConfig is what a module of Java's says, and the properties of SaslServerPrincipal.
func (props properties) kerberosConfig(m *zabcompat.LoginModule) (kerberos.Config, error) {
	canonicalize, err := props.boolean(keyKerberosCanonic, true)
	cfg := kerberos.Config{
		Krb5Conf:     cmp.Or(props[keyKrb5Config].value, os.Getenv("KRB5_CONFIG")),
		Principal:    m.Option("principal"),
		Service:      props[keyKerberosService].value,
		Realm:        props[keyKerberosRealm].value,
		Server:       props[keyKerberosServer].value,
		Canonicalize: canonicalize,
	}
	if strings.EqualFold(m.Option("useKeyTab"), "true") {
		cfg.Keytab = m.File("keyTab")
	}
	if strings.EqualFold(m.Option("useTicketCache"), "true") {
		cfg.Cache = cmp.Or(m.File("ticketCache"), kerberos.DefaultCache())
	}
	return cfg, err
}
