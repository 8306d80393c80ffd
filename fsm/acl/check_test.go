package acl

import (
	"reflect"
	"slices"
	"testing"

	"zooraft/protocol"
)

func entry(perms int32, scheme, id string) protocol.ACL {
	return protocol.ACL{Perms: perms, Scheme: scheme, ID: id}
}

func ids(pairs ...string) (list []protocol.ID) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, protocol.ID{Scheme: pairs[i], ID: pairs[i+1]})
	}
	return list
}

func TestCheck(t *testing.T) {
	const read, write, admin = protocol.PermRead, protocol.PermWrite, protocol.PermAdmin
	home := ids("ip", "10.1.2.3")
	bob := ids("ip", "10.1.2.3", "digest", "bob:hash")
	tests := []struct {
		name string
		list []protocol.ACL
		need int32
		ids  []protocol.ID
		want bool
	}{
		{"null list", nil, write, home, true},
		{"empty list", []protocol.ACL{}, write, nil, true},
		{"open", protocol.OpenACL, admin, nil, true},
		{"world, other permission", []protocol.ACL{entry(read, "world", "anyone")}, write, home, false},
		{"world, one of two permissions", []protocol.ACL{entry(read, "world", "anyone")}, read | admin, home, true},
		{"world, case", []protocol.ACL{entry(read, "world", "Anyone")}, read, home, false},
		{"world:anyone held as an identity", []protocol.ACL{entry(read, "world", "else")}, read, ids("world", "else"), false},
		{"no permission at all", []protocol.ACL{entry(0, "world", "anyone")}, read, home, false},
		{"bits beyond ALL", []protocol.ACL{entry(-1, "world", "anyone")}, admin, home, true},
		{"super on no list", []protocol.ACL{entry(read, "digest", "bob:hash")}, write, ids("super", ""), true},
		{"super against no permission", []protocol.ACL{entry(0, "world", "anyone")}, write, ids("ip", "1.1.1.1", "super", ""), true},
		{"super in the list means nobody", []protocol.ACL{entry(read, "super", "x")}, read, ids("digest", "x"), false},
		{"digest", []protocol.ACL{entry(read, "digest", "bob:hash")}, read, bob, true},
		{"digest, other hash", []protocol.ACL{entry(read, "digest", "bob:hush")}, read, bob, false},
		{"digest id under another scheme", []protocol.ACL{entry(read, "digest", "bob:hash")}, read, ids("sasl", "bob:hash"), false},
		{"second entry", []protocol.ACL{entry(read, "world", "anyone"), entry(write, "digest", "bob:hash")}, write, bob, true},
		{"permissions do not add up over strangers", []protocol.ACL{entry(read, "world", "anyone"), entry(write, "digest", "eve:hash")}, write, bob, false},
		{"ip", []protocol.ACL{entry(read, "ip", "10.1.2.3")}, read, home, true},
		{"ip network", []protocol.ACL{entry(read, "ip", "10.1.0.0/16")}, read, home, true},
		{"ip, other network", []protocol.ACL{entry(read, "ip", "10.2.0.0/16")}, read, home, false},
		{"ip, invalid entry", []protocol.ACL{entry(read, "ip", "10.1.2")}, read, home, false},
		{"auth does not match", []protocol.ACL{entry(read, "auth", "")}, read, bob, false},
		{"unknown scheme", []protocol.ACL{entry(read, "host", "h")}, read, ids("host", "h"), false},
		{"null id", []protocol.ACL{{Perms: read, Scheme: "digest", NullID: true}}, read, ids("digest", ""), false},
	}
	for _, tt := range tests {
		if got := Check(tt.list, tt.need, tt.ids, 0); got != tt.want {
			t.Errorf("%s: Check(%v, %d, %v) = %v, want %v", tt.name, tt.list, tt.need, tt.ids, got, tt.want)
		}
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	list := []protocol.ACL{entry(protocol.PermRead, "ip", "10.0.0.0/8"), entry(protocol.PermRead, "ip", "2001:db8::/32"), entry(protocol.PermAll, "digest", "a:b")}
	who := ids("ip", "2001:db9:0:0:0:0:0:1", "digest", "bob:hash")
	if n := testing.AllocsPerRun(100, func() {
		Check(protocol.OpenACL, protocol.PermRead, who, 0)
		Check(list, protocol.PermRead, who, 0)
	}); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

func TestRedact(t *testing.T) {
	list := []protocol.ACL{
		entry(1, "digest", "bob:hash"), entry(2, "ip", "::1"), entry(3, "digest", ":h"),
		entry(4, "digest", "a:b:"), entry(5, "sasl", "u:p"), entry(6, "world", "anyone"),
	}
	before := slices.Clone(list)
	want := []protocol.ACL{
		entry(1, "digest", "bob:x"), entry(2, "ip", "::1"), entry(3, "digest", ":x"),
		entry(4, "digest", "a:x"), entry(5, "sasl", "u:p"), entry(6, "world", "anyone"),
	}
	if got := Redact(list); !reflect.DeepEqual(got, want) {
		t.Errorf("Redact = %v, want %v", got, want)
	}
	if !reflect.DeepEqual(list, before) {
		t.Errorf("Redact changed its argument to %v", list)
	}
	if got := Redact(protocol.OpenACL); &got[0] != &protocol.OpenACL[0] {
		t.Error("Redact copied a list with nothing to hide")
	}
}

func BenchmarkCheck(b *testing.B) {
	who := ids("ip", "10.1.2.3", "digest", "bob:hash")
	for _, bm := range []struct {
		name string
		list []protocol.ACL
	}{
		{"list=open", protocol.OpenACL},
		{"list=digest", []protocol.ACL{entry(protocol.PermAll, "digest", "bob:hash")}},
		{"list=ip", []protocol.ACL{entry(protocol.PermAll, "ip", "10.1.0.0/16")}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !Check(bm.list, protocol.PermRead, who, 0) {
					b.Fatal("refused")
				}
			}
		})
	}
}
