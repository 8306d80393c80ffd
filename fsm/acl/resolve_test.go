package acl

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"zooraft/protocol"
)

func TestResolve(t *testing.T) {
	const all, read = protocol.PermAll, protocol.PermRead
	null := func(scheme string) protocol.ACL { return protocol.ACL{Perms: all, Scheme: scheme, NullID: true} }
	bob := ids("ip", "10.1.2.3", "digest", "bob:h1", "super", "", "digest", "eve:h2")
	tests := []struct {
		name   string
		list   []protocol.ACL
		isNull bool
		ids    []protocol.ID
		want   []protocol.ACL
		code   protocol.ErrCode
	}{
		{name: "null list", isNull: true, code: protocol.ErrInvalidACL},
		{name: "empty list", list: []protocol.ACL{}, code: protocol.ErrInvalidACL},
		{name: "open", list: protocol.OpenACL, want: protocol.OpenACL},
		{name: "perms are not looked at", list: []protocol.ACL{entry(0, "world", "anyone"), entry(255, "world", "anyone")},
			want: []protocol.ACL{entry(0, "world", "anyone"), entry(255, "world", "anyone")}},
		{name: "world, other id", list: []protocol.ACL{entry(all, "world", "nobody")}, code: protocol.ErrInvalidACL},
		{name: "null scheme", list: []protocol.ACL{entry(all, "", "anyone")}, code: protocol.ErrInvalidACL},
		{name: "unknown scheme", list: []protocol.ACL{entry(all, "host", "h")}, ids: bob, code: protocol.ErrInvalidACL},
		{name: "unknown scheme, null id", list: []protocol.ACL{null("host")}, code: protocol.ErrInvalidACL},
		{name: "super", list: []protocol.ACL{entry(all, "super", "")}, ids: bob, code: protocol.ErrInvalidACL},
		{name: "null id, world", list: []protocol.ACL{null("world")}, code: protocol.ErrMarshalling},
		{name: "null id, digest", list: []protocol.ACL{null("digest")}, code: protocol.ErrMarshalling},
		{name: "null id, ip", list: []protocol.ACL{null("ip")}, code: protocol.ErrMarshalling},
		{name: "first fault counts: null id", list: []protocol.ACL{null("ip"), entry(all, "host", "")}, code: protocol.ErrMarshalling},
		{name: "first fault counts: scheme", list: []protocol.ACL{entry(all, "host", ""), null("ip")}, code: protocol.ErrInvalidACL},
		{name: "auth", list: []protocol.ACL{entry(all, "auth", "whatever")}, ids: bob,
			want: []protocol.ACL{entry(all, "digest", "bob:h1"), entry(all, "digest", "eve:h2")}},
		{name: "auth, null id", list: []protocol.ACL{null("auth")}, ids: bob,
			want: []protocol.ACL{entry(all, "digest", "bob:h1"), entry(all, "digest", "eve:h2")}},
		{name: "auth without an authenticated identity", list: []protocol.ACL{entry(all, "auth", "")},
			ids: ids("ip", "10.1.2.3", "super", ""), code: protocol.ErrInvalidACL},
		{name: "auth behind a fault", list: []protocol.ACL{entry(all, "digest", "u"), entry(all, "auth", "")}, ids: bob, code: protocol.ErrInvalidACL},
		{name: "duplicates go before the expansion, not after",
			list: []protocol.ACL{entry(read, "world", "anyone"), entry(all, "auth", ""), entry(read, "world", "anyone"), entry(all, "digest", "bob:h1"), entry(all, "auth", ""), entry(all, "auth", "x")},
			ids:  ids("digest", "bob:h1"),
			want: []protocol.ACL{entry(read, "world", "anyone"), entry(all, "digest", "bob:h1"), entry(all, "digest", "bob:h1"), entry(all, "digest", "bob:h1")}},
		{name: "same id, other permissions", list: []protocol.ACL{entry(1, "ip", "::1"), entry(2, "ip", "::1"), entry(1, "ip", "::1")},
			want: []protocol.ACL{entry(1, "ip", "::1"), entry(2, "ip", "::1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.list)
			got, code := Resolve(tt.list, tt.isNull, tt.ids, 0)
			if code != tt.code || !slices.Equal(got, tt.want) {
				t.Errorf("Resolve = %v, %v, want %v, %v", got, code, tt.want, tt.code)
			}
			if !slices.Equal(tt.list, before) {
				t.Errorf("Resolve changed its argument to %v", tt.list)
			}
		})
	}
}

func TestResolveDigestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"u:h": true, ":h": true, "a:b:": true, "a:b:::": true, "u": false, "": false, ":": false, "::": false,
		"a:": false, "a::": false, "a:b:c": false, "::h": false, "a::b": false,
	} {
		_, code := Resolve([]protocol.ACL{entry(1, "digest", id)}, false, nil, 0)
		if got := code == protocol.ErrOK; got != want {
			t.Errorf("digest id %q accepted: %v, want %v", id, got, want)
		}
	}
}

// TestUnique compares the two ways of finding duplicates.
func TestUnique(t *testing.T) {
	var many []protocol.ACL
	for i := range 200 {
		many = append(many, entry(int32(i%7), "digest", fmt.Sprint("u", i%3, ":h")))
	}
	var want []protocol.ACL
	for n := range many {
		want = want[:0]
		for _, e := range many[:n] {
			if !slices.Contains(want, e) {
				want = append(want, e)
			}
		}
		if got := unique(many[:n]); !slices.Equal(got, want) {
			t.Fatalf("unique of the first %d = %v, want %v", n, got, want)
		}
	}
}

func TestDigestID(t *testing.T) {
	tests := []struct{ data, want string }{
		{"super:secret", "super:lK75jTNcA+U9vtVEw5vB51mj/w4="},
		{"nocolon", "nocolon:Ra+cHr2ZoHvBjtNArFGNGlVie4g="},
		{"", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
	}
	for _, tt := range tests {
		got := DigestID([]byte(tt.data))
		if got != tt.want {
			t.Errorf("DigestID(%q) = %q, want %q", tt.data, got, tt.want)
		}
	}
	if got, want := DigestID([]byte("a\xff:b")), DigestID([]byte("a\uFFFD:b")); got != want {
		t.Errorf("malformed UTF-8: %q, want %q", got, want)
	}
	// An id that the server makes must be one that it accepts in a list and
	// that then matches its owner.
	me := protocol.ID{Scheme: "digest", ID: DigestID([]byte("bob:pw:with:colons"))}
	list, code := Resolve([]protocol.ACL{entry(protocol.PermRead, "auth", "")}, false, []protocol.ID{me}, 0)
	if code != protocol.ErrOK || !Check(list, protocol.PermRead, []protocol.ID{me}, 0) {
		t.Errorf("auth list %v (%v) does not admit %v", list, code, me)
	}
	if !reflect.DeepEqual(list, []protocol.ACL{entry(protocol.PermRead, "digest", me.ID)}) {
		t.Errorf("auth list = %v", list)
	}
}
