package krb5

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on a principal; a name of DNS has 253 bytes at most.
const (
	maxComponents     = 8
	maxPrincipalBytes = 1024
)

// errPrincipal is what a name gives that cannot be told from others once it is
// written down.
var errPrincipal = errors.New("a principal is one to eight components with / between them, @ and a realm, " +
	`none of them empty nor with /, @, \ or control characters in it`)

// Principal is who is known to a realm: alice@EXAMPLE.COM, or
// zookeeper/zk1.example.com@EXAMPLE.COM, which has two components.
type Principal struct {
	Components []string
	Realm      string
}

// ParsePrincipal reads a principal as people write it; if it has no realm, realm
// is taken.
func ParsePrincipal(s, realm string) (Principal, error) {
	name, at, found := strings.Cut(s, "@")
	if !found {
		at = realm
	}
	p := Principal{strings.Split(name, "/"), at}
	if err := p.check(); err != nil {
		return Principal{}, fmt.Errorf("%q: %w", s, err)
	}
	return p, nil
}

// check keeps two principals from looking the same.
func (p Principal) check() error {
	if len(p.Components) == 0 || len(p.Components) > maxComponents {
		return errPrincipal
	}
	size := len(p.Realm)
	for _, c := range p.Components {
		size += len(c)
		if !plain(c) {
			return errPrincipal
		}
	}
	if size > maxPrincipalBytes || !plain(p.Realm) {
		return errPrincipal
	}
	return nil
}

func plain(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '/' || r == '@' || r == '\\' || unicode.IsControl(r)
	})
}

// String is the principal as people write it, with its realm.
func (p Principal) String() string { return strings.Join(p.Components, "/") + "@" + p.Realm }

// quoted is one that was not checked, fit for a line of a log.
func (p Principal) quoted() string {
	s := p.String()
	return strconv.Quote(s[:min(len(s), 256)])
}
