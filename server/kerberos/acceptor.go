package kerberos

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol/krb5"
)

// defaultSkew is what clocks may differ by where nobody says otherwise.
const defaultSkew = 5 * time.Minute

// Config says who the server is, and how its clients' principals become users.
type Config struct {
	// Keytab is the file with the principal's keys (keyTab of Krb5LoginModule).
	Keytab string
	// Principal is the server's, zookeeper/HOST@REALM (principal of Krb5LoginModule).
	Principal string
	// DefaultRealm is the realm of a Principal that names none, and that whose users have
	// short names by the rule DEFAULT (default_realm of krb5.conf). Default: the Principal's.
	DefaultRealm string
	// Rules make short names of principals (key security.auth_to_local). Default: DEFAULT.
	Rules string
	// RemoveHost and RemoveRealm leave off what otherwise stands behind the short name (keys
	// kerberos.removeHostFromPrincipal, kerberos.removeRealmFromPrincipal).
	RemoveHost, RemoveRealm bool
	// Skew is what clocks may differ by (clockskew of krb5.conf). Default: 5 minutes.
	Skew time.Duration
	// Logger is told of changes of the keytab.
	Logger hclog.Logger
}

// Acceptor makes the server's side of exchanges. Safe for use by many goroutines.
type Acceptor struct {
	cfg       Config
	principal krb5.Principal
	names     *names
	seen      *replays
	now       func() time.Time // tests have others

	mu    sync.Mutex // guards what follows
	file  os.FileInfo
	keys  []krb5.KeytabEntry // never changed
	fault string             // the last one told of
}

// New reads the keytab, which must have a key for the principal.
func New(cfg Config) (*Acceptor, error) {
	if cfg.Skew == 0 {
		cfg.Skew = defaultSkew
	}
	p, err := krb5.ParsePrincipal(cfg.Principal, cfg.DefaultRealm)
	if err != nil {
		return nil, fmt.Errorf("principal %w", err)
	}
	if len(p.Components) != 2 {
		return nil, fmt.Errorf("principal %v: clients ask for a ticket to SERVICE/HOST@REALM, as zookeeper/zk1.example.com@EXAMPLE.COM", p)
	}
	if cfg.DefaultRealm == "" {
		cfg.DefaultRealm = p.Realm
	}
	n, err := newNames(cfg.Rules, cfg.DefaultRealm, cfg.RemoveHost, cfg.RemoveRealm)
	if err != nil {
		return nil, err
	}
	a := &Acceptor{cfg: cfg, principal: p, names: n, seen: newReplays(2 * cfg.Skew), now: time.Now}
	if a.keys, a.file, err = readKeys(cfg.Keytab, p); err != nil {
		return nil, err
	}
	return a, nil
}

// New begins an exchange with one client.
func (a *Acceptor) New() *Exchange { return &Exchange{acceptor: a} }

// current returns the principal's keys. A keytab that was changed is read anew; one
// that cannot be read leaves the keys that there were.
func (a *Acceptor) current() []krb5.KeytabEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, err := os.Stat(a.cfg.Keytab)
	if err == nil && os.SameFile(now, a.file) && now.Size() == a.file.Size() && now.ModTime().Equal(a.file.ModTime()) {
		a.fault = ""
		return a.keys
	}
	if err == nil {
		var keys []krb5.KeytabEntry
		if keys, now, err = readKeys(a.cfg.Keytab, a.principal); err == nil {
			a.keys, a.file, a.fault = keys, now, ""
			a.cfg.Logger.Info("read the changed keytab", "path", a.cfg.Keytab, "count", len(keys))
			return keys
		}
	}
	if a.fault != err.Error() {
		a.fault = err.Error()
		a.cfg.Logger.Warn("the keytab cannot be read; its last keys stay in use", "path", a.cfg.Keytab, "error", err)
	}
	return a.keys
}

// readKeys reads the keys of a principal that can be used.
func readKeys(file string, p krb5.Principal) ([]krb5.KeytabEntry, os.FileInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("keytab: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("keytab: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, krb5.MaxFileBytes+1))
	var keys []krb5.KeytabEntry
	if err == nil {
		keys, err = krb5.KeysOf(data, p)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("keytab %s: %w", file, err)
	}
	return keys, info, nil
}
