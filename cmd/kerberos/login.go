package kerberos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"zooraft/protocol/krb5"
)

// Errors of a login.
var (
	errNoSource = errors.New("useKeyTab=true with keyTab and principal, or useTicketCache=true; nobody is asked for a password")
	errNoTicket = errors.New("no ticket that is valid; kinit gets one")
	// ErrNoCenter passes, maybe: nobody has refused anything.
	ErrNoCenter = errors.New("no key distribution center answers")
)

const (
	defaultService = "zookeeper"
	// spare is for how long a ticket that is used has to be valid still.
	spare = time.Minute
)

// Config says who logs in, and to whom.
type Config struct {
	Krb5Conf  string // its path; empty for /etc/krb5.conf, which need not be there
	Keytab    string // empty for none
	Cache     string // of tickets; empty for none
	Principal string // the client's; may be empty with a cache, for whoever that is of

	Service      string // first component of the servers' principals; empty for zookeeper
	Realm        string // of the servers; empty for what krb5.conf says, or the client's
	Server       string // principal of all servers; empty for one for each host
	Canonicalize bool   // look for the host's whole name
}

// Login logs a client in to servers. Safe for use by many goroutines.
type Login struct {
	cfg  Config
	conf *krb5.Config
	dns  resolver

	mu      sync.Mutex // guards what follows; not held while tickets are fetched, which two may do at once
	first   *krb5.Credentials
	tickets map[[2]string]*krb5.Credentials // by client and server
}

// resolver is net.Resolver; tests have another. Many goroutines use it.
type resolver interface {
	LookupHost(ctx context.Context, host string) (addrs []string, err error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// DefaultCache is where kinit puts tickets, and Java looks for them.
func DefaultCache() string {
	if name := os.Getenv("KRB5CCNAME"); name != "" {
		return strings.TrimPrefix(name, "FILE:")
	}
	return fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid())
}

// New checks the configuration. It fetches no ticket yet.
func New(cfg Config) (*Login, error) {
	if cfg.Cache == "" && (cfg.Keytab == "" || cfg.Principal == "") {
		return nil, errNoSource
	}
	conf, err := krb5.Files{Read: os.ReadFile, List: os.ReadDir}.ReadConfig(cfg.Krb5Conf)
	if err != nil {
		return nil, err
	}
	if cfg.Principal != "" {
		p, err := krb5.ParsePrincipal(cfg.Principal, conf.DefaultRealm)
		if err != nil {
			return nil, fmt.Errorf("principal %w", err)
		}
		cfg.Principal = p.String()
	}
	return &Login{cfg: cfg, conf: conf, dns: net.DefaultResolver, tickets: map[[2]string]*krb5.Credentials{}}, nil
}

// Begin begins a login to the server on a host. It blocks while it fetches a ticket,
// until ctx ends at most. ErrNoCenter, and what ends ctx, are the errors that may pass
// by themselves.
func (l *Login) Begin(ctx context.Context, host string) (*krb5.Initiator, error) {
	now := time.Now()
	cache, err := l.cache(now)
	if err != nil {
		return nil, err
	}
	client, err := l.client(cache)
	if err != nil {
		return nil, err
	}
	server, err := l.server(ctx, host, client.Realm)
	if err != nil {
		return nil, err
	}
	c, err := l.ticket(ctx, cache, client, server, now)
	if err != nil {
		return nil, err
	}
	return krb5.NewInitiator(c, time.Now), nil
}

// cache reads the ticket cache; nil if there is none, or it is of no use, and a keytab
// is to be used then.
func (l *Login) cache(now time.Time) (*krb5.Cache, error) {
	if l.cfg.Cache == "" {
		return nil, nil
	}
	data, err := readFile(l.cfg.Cache)
	var cache *krb5.Cache
	if err == nil {
		cache, err = krb5.ParseCache(data)
	}
	if err == nil && l.cfg.Principal != "" && l.cfg.Principal != cache.Client.String() {
		err = fmt.Errorf("it is %v's, not %s's", cache.Client, l.cfg.Principal)
	}
	if err == nil && pick(cache, now, func(*krb5.Credentials) bool { return true }) == nil {
		err = errNoTicket
	}
	switch {
	case err == nil:
		return cache, nil
	case l.cfg.Keytab != "" && l.cfg.Principal != "":
		return nil, nil
	}
	return nil, fmt.Errorf("ticket cache %s: %w", l.cfg.Cache, err)
}

func (l *Login) client(cache *krb5.Cache) (krb5.Principal, error) {
	if cache != nil {
		return cache.Client, nil
	}
	return krb5.ParsePrincipal(l.cfg.Principal, "")
}

// server is the principal of the server on a host.
func (l *Login) server(ctx context.Context, host, clientRealm string) (krb5.Principal, error) {
	if l.cfg.Server != "" {
		return krb5.ParsePrincipal(l.cfg.Server, cmp.Or(l.cfg.Realm, clientRealm))
	}
	if l.cfg.Canonicalize {
		host = l.canonical(ctx, host)
	}
	host = strings.ToLower(host)
	realm := cmp.Or(l.cfg.Realm, l.conf.RealmOf(host), clientRealm)
	return krb5.ParsePrincipal(cmp.Or(l.cfg.Service, defaultService)+"/"+host, realm)
}

// canonical is the name that a host's address has, if that name has the address, too;
// else the host as it is (InetAddress.getCanonicalHostName).
func (l *Login) canonical(ctx context.Context, host string) string {
	addresses, err := l.dns.LookupHost(ctx, host)
	if err != nil || len(addresses) == 0 {
		return host
	}
	names, err := l.dns.LookupAddr(ctx, addresses[0])
	if err != nil {
		return host
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		if back, err := l.dns.LookupHost(ctx, name); err == nil && slices.Contains(back, addresses[0]) {
			return name
		}
	}
	return host
}

// ticket is one to a server: of the cache, or the one that was fetched last, or a new one.
func (l *Login) ticket(ctx context.Context, cache *krb5.Cache, client, server krb5.Principal, now time.Time) (*krb5.Credentials, error) {
	if cache != nil {
		if c := pick(cache, now, func(c *krb5.Credentials) bool { return slices.Equal(c.Server.Components, server.Components) }); c != nil {
			return c, nil
		}
	}
	between := [2]string{client.String(), server.String()}
	l.mu.Lock()
	c := l.tickets[between]
	l.mu.Unlock()
	if valid(c, now) {
		return c, nil
	}
	first, err := l.firstTicket(ctx, cache, client, now)
	if err != nil {
		return nil, err
	}
	if c, err = krb5.AskTicket(ctx, l.send, first, server, now); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickets[between] = c
	return c, nil
}

// firstTicket is the one with which others can be asked for.
func (l *Login) firstTicket(ctx context.Context, cache *krb5.Cache, client krb5.Principal, now time.Time) (*krb5.Credentials, error) {
	granting := krb5.TicketGranting(client.Realm)
	if cache != nil {
		c := pick(cache, now, func(c *krb5.Credentials) bool { return c.Server.String() == granting.String() })
		if c == nil {
			return nil, fmt.Errorf("ticket cache %s: %w", l.cfg.Cache, errNoTicket)
		}
		return c, nil
	}
	l.mu.Lock()
	first := l.first
	l.mu.Unlock()
	if valid(first, now) {
		return first, nil
	}
	data, err := readFile(l.cfg.Keytab)
	if err != nil {
		return nil, fmt.Errorf("keytab: %w", err)
	}
	keys, err := krb5.KeysOf(data, client)
	if err != nil {
		return nil, fmt.Errorf("keytab %s: %w", l.cfg.Keytab, err)
	}
	if first, err = krb5.AskFirst(ctx, l.send, client, keys, now); err != nil {
		return nil, fmt.Errorf("%v: %w", client, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = first
	return first, nil
}

// pick is the first valid ticket that suits, nil for none.
func pick(cache *krb5.Cache, now time.Time, suits func(*krb5.Credentials) bool) *krb5.Credentials {
	for _, c := range cache.Credentials {
		if valid(c, now) && suits(c) {
			return c
		}
	}
	return nil
}

func valid(c *krb5.Credentials, now time.Time) bool {
	return c != nil && now.Add(spare).Before(c.End)
}

// readFile reads a file, or more of it than is looked at.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, krb5.MaxFileBytes+1))
}
