package krb5

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrCache is what a file gives that is no credential cache, or a damaged one.
var ErrCache = errors.New("not a credential cache of version 4, or damaged")

// Cache is what kinit leaves behind: who somebody is, and the tickets to show for it.
type Cache struct {
	Client      Principal
	Credentials []*Credentials
}

// ParseCache reads a credential cache of version 4 (MIT Kerberos, "Credential cache
// file format"). What cannot be used is passed over: tickets of unknown encryption
// types, and what is kept there of other things.
func ParseCache(data []byte) (*Cache, error) {
	if len(data) > MaxFileBytes {
		return nil, errLarge
	}
	if len(data) < 2 || data[0] != 5 || data[1] != 4 {
		return nil, ErrCache
	}
	r := reader{data[2:], false}
	r.counted() // the header
	c := &Cache{Client: r.principal()}
	for len(r.left) > 0 {
		cred, known := r.credentials()
		if r.short {
			break
		}
		if known && !strings.HasPrefix(cred.Server.Realm, "X-CACHECONF") {
			c.Credentials = append(c.Credentials, cred)
		}
	}
	if r.short {
		return nil, ErrCache
	}
	if err := c.Client.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCache, err)
	}
	return c, nil
}

func (r *reader) counted32() []byte { return r.bytes(int64(r.uint32())) }

func (r *reader) time() time.Time {
	if s := r.uint32(); s != 0 {
		return time.Unix(int64(s), 0)
	}
	return time.Time{}
}

func (r *reader) principal() Principal {
	r.uint32() // type of the name
	n := r.uint32()
	p := Principal{Realm: string(r.counted32())}
	if n > maxComponents {
		r.short = true
		return p
	}
	for range n {
		p.Components = append(p.Components, string(r.counted32()))
	}
	return p
}

func (r *reader) credentials() (*Credentials, bool) {
	c := &Credentials{Client: r.principal(), Server: r.principal()}
	e := EType(r.uint16())
	value := r.counted32()
	r.bytes(4 + 4) // when the client was first asked for its key; when the ticket begins
	c.End = r.time()
	r.bytes(4 + 1 + 4)        // until when it can be renewed; user to user; flags
	for range [2]struct{}{} { // addresses; authorization data
		for n := r.uint32(); n > 0 && !r.short; n-- {
			r.uint16()
			r.counted32()
		}
	}
	c.Ticket = r.counted32()
	r.counted32() // a second ticket
	var err error
	c.Session, err = newKey(e, value)
	return c, err == nil
}
