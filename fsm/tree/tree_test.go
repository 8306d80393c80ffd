package tree

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"testing"

	"zooraft/protocol"
)

func TestNew(t *testing.T) {
	tr := New()
	read := []protocol.ACL{{Perms: protocol.PermRead, Scheme: "world", ID: "anyone"}}
	tests := []struct {
		path string
		stat protocol.Stat
		acl  []protocol.ACL
	}{
		{"/", protocol.Stat{Cversion: -1, NumChildren: 1}, protocol.OpenACL},
		{"/zookeeper", protocol.Stat{Cversion: -2, NumChildren: 2}, protocol.OpenACL},
		{"/zookeeper/quota", protocol.Stat{}, protocol.OpenACL},
		{"/zookeeper/config", protocol.Stat{Aversion: -1}, read},
	}
	for _, tt := range tests {
		r := tr.Lookup(tt.path)
		if r == None {
			t.Fatalf("Lookup(%q) = None", tt.path)
		}
		if got := tr.Stat(r); got != tt.stat {
			t.Errorf("Stat(%q) = %+v, want %+v", tt.path, got, tt.stat)
		}
		if got := tr.ACL(r); !reflect.DeepEqual(got, tt.acl) {
			t.Errorf("ACL(%q) = %+v, want %+v", tt.path, got, tt.acl)
		}
		if got := tr.Data(r); got == nil || len(got) != 0 {
			t.Errorf("Data(%q) = %v, want empty and not null", tt.path, got)
		}
		if got := tr.Path(r); got != tt.path {
			t.Errorf("Path = %q, want %q", got, tt.path)
		}
	}
	// ZooKeeper's own numbers: 4-letter word mntr, getAllChildrenNumber.
	if got := tr.ApproximateDataSize(); got != 44 {
		t.Errorf("ApproximateDataSize() = %d, want 44", got)
	}
	if got := tr.Descendants(Root); got != 3 {
		t.Errorf("Descendants(/) = %d, want 3", got)
	}
	if got := tr.NodeCount(); got != 4 {
		t.Errorf("NodeCount() = %d, want 4", got)
	}
	if got, want := hex.EncodeToString(tr.AppendChildren(nil, tr.Lookup("/zookeeper"))), "00000002"+"0000000571756f7461"+"00000006636f6e666967"; got != want {
		t.Errorf("AppendChildren(/zookeeper) = %s, want %s", got, want)
	}
	checkInvariants(t, tr)
}

func TestLookupOfOddPaths(t *testing.T) {
	tr := New()
	a := tr.Create(Root, "a", nil, protocol.OpenACL, 0, 1, 1)
	tr.Create(a, "b", nil, protocol.OpenACL, 0, 2, 1)
	for _, path := range []string{"", "a", "a/b", "//", "/a/", "//a", "/a//b", "/a/b/", "/a/b/c", "/b", "/ab", "/a/bb", "/aa/b", "xa/b"} {
		if r := tr.Lookup(path); r != None {
			t.Errorf("Lookup(%q) = %d (%q), want None", path, r, tr.Path(r))
		}
	}
}

// TestEffects states what each mutation does to Stats (reference: ZooKeeper
// Programmer's Guide, Stat Structure; DataTree).
func TestEffects(t *testing.T) {
	tr := New()
	p := tr.Create(Root, "p", []byte{}, protocol.OpenACL, 0, 0x10, 100)
	c := tr.Create(p, "c", []byte("data"), protocol.OpenACL, 7, 0x11, 101)
	want := func(what string, r Ref, w protocol.Stat) {
		t.Helper()
		if got := tr.Stat(r); got != w {
			t.Errorf("%s:\n got %+v\nwant %+v", what, got, w)
		}
	}
	want("child at birth", c, protocol.Stat{Czxid: 0x11, Mzxid: 0x11, Pzxid: 0x11, Ctime: 101, Mtime: 101, EphemeralOwner: 7, DataLength: 4})
	want("parent of one", p, protocol.Stat{Czxid: 0x10, Mzxid: 0x10, Pzxid: 0x11, Ctime: 100, Mtime: 100, Cversion: 1, NumChildren: 1})
	want("root", Root, protocol.Stat{Pzxid: 0x10, Cversion: 0, NumChildren: 2})

	tr.SetData(c, []byte("longer"), 0x12, 102)
	want("after setData", c, protocol.Stat{Czxid: 0x11, Mzxid: 0x12, Pzxid: 0x11, Ctime: 101, Mtime: 102, Version: 1, EphemeralOwner: 7, DataLength: 6})
	tr.SetACL(c, []protocol.ACL{{Perms: 1, Scheme: "ip", ID: "10.0.0.1"}})
	want("after setACL", c, protocol.Stat{Czxid: 0x11, Mzxid: 0x12, Pzxid: 0x11, Ctime: 101, Mtime: 102, Version: 1, Aversion: 1, EphemeralOwner: 7, DataLength: 6})
	tr.SetData(c, nil, 0x13, 103)
	if tr.Data(c) != nil {
		t.Errorf("null data came back as %v", tr.Data(c))
	}
	want("after setData to null", c, protocol.Stat{Czxid: 0x11, Mzxid: 0x13, Pzxid: 0x11, Ctime: 101, Mtime: 103, Version: 2, Aversion: 1, EphemeralOwner: 7})
	tr.ReplaceData(c, []byte("xy"))
	want("after ReplaceData", c, protocol.Stat{Czxid: 0x11, Mzxid: 0x13, Pzxid: 0x11, Ctime: 101, Mtime: 103, Version: 2, Aversion: 1, EphemeralOwner: 7, DataLength: 2})
	if got := tr.EphemeralsOf(7); !reflect.DeepEqual(got, []string{"/p/c"}) {
		t.Errorf("EphemeralsOf(7) = %q", got)
	}

	tr.Delete(c, 0x14)
	want("parent after delete", p, protocol.Stat{Czxid: 0x10, Mzxid: 0x10, Pzxid: 0x14, Ctime: 100, Mtime: 100, Cversion: 2})
	if got := tr.NextSequence(p); got != 1 {
		t.Errorf("NextSequence after one create and one delete = %d, want 1", got)
	}
	want("grandparent", Root, protocol.Stat{Pzxid: 0x10, Cversion: 0, NumChildren: 2})

	tr.SetConfig([]byte("server.1=x"), 0x15, 105)
	want("config", tr.Lookup(ConfigPath), protocol.Stat{Mzxid: 0x15, Mtime: 105, Version: -1, Aversion: -1, DataLength: 10})

	q := tr.Create(p, "q", nil, protocol.OpenACL, ContainerOwner, 0x16, 1)
	if got := tr.Stat(q).EphemeralOwner; got != 0 {
		t.Errorf("a container shows owner %#x", got)
	}
	q = tr.Create(p, "ttl", nil, protocol.OpenACL, TTLOwner(MaxTTL), 0x16, 1)
	if got := tr.Stat(q).EphemeralOwner; got != 0 {
		t.Errorf("a TTL znode shows owner %#x", got)
	}
	checkInvariants(t, tr)
}

func TestVersionsWrap(t *testing.T) {
	tr := New()
	r := tr.Create(Root, "a", nil, protocol.OpenACL, 0, 1, 1)
	for _, tt := range []struct{ from, want int32 }{{math.MaxInt32, math.MinInt32}, {-2, -1}, {-1, 0}} {
		tr.at(r).version, tr.at(r).aversion = tt.from, tt.from
		tr.SetData(r, nil, 2, 2)
		tr.SetACL(r, protocol.OpenACL)
		if s := tr.Stat(r); s.Version != tt.want || s.Aversion != tt.want {
			t.Errorf("after %d: version %d, aversion %d, want %d", tt.from, s.Version, s.Aversion, tt.want)
		}
	}
}

func TestCreationCountStops(t *testing.T) {
	tr := New()
	p := tr.Create(Root, "p", nil, protocol.OpenACL, 0, 1, 1)
	tr.at(p).created = math.MaxInt32 - 1
	tr.Create(p, "a", nil, protocol.OpenACL, 0, 2, 1)
	if got, s := tr.NextSequence(p), tr.Stat(p); got != math.MaxInt32 || s.Pzxid != 2 {
		t.Errorf("NextSequence = %d, pzxid %d; want %d, 2", got, s.Pzxid, math.MaxInt32)
	}
	tr.Create(p, "b", nil, protocol.OpenACL, 0, 3, 1)
	if got, s := tr.NextSequence(p), tr.Stat(p); got != math.MaxInt32 || s.Pzxid != 2 || s.NumChildren != 2 {
		t.Errorf("NextSequence = %d, pzxid %d, %d children; want %d, 2, 2", got, s.Pzxid, s.NumChildren, math.MaxInt32)
	}
	tr.Delete(tr.Lookup("/p/b"), 4)
	if s := tr.Stat(p); s.Pzxid != 4 {
		t.Errorf("pzxid after delete = %d, want 4", s.Pzxid)
	}
}

func TestOwners(t *testing.T) {
	tests := []struct {
		owner     int64
		ephemeral bool
		ttl       int64 // 0: none
	}{
		{0, false, 0},
		{1, true, 0},
		{0x0100_0000_0000_0001, true, 0},
		{-1, true, 0},
		{ContainerOwner, false, 0},
		{ContainerOwner + 1, true, 0},
		{TTLOwner(1), false, 1},
		{TTLOwner(MaxTTL), false, MaxTTL},
		{-1 << 56, false, 0},                  // mark with ttl 0
		{int64(-1<<56) | 1<<40, true, 0},      // a session of server 255
		{int64(-1<<56) | 0x1234<<40, true, 0}, // the same
	}
	for _, tt := range tests {
		if got := IsEphemeralOwner(tt.owner); got != tt.ephemeral {
			t.Errorf("IsEphemeralOwner(%#x) = %v", uint64(tt.owner), got)
		}
		if ttl, ok := OwnerTTL(tt.owner); ok && ttl != tt.ttl || !ok && tt.ttl != 0 {
			t.Errorf("OwnerTTL(%#x) = %d, %v, want %d", uint64(tt.owner), ttl, ok, tt.ttl)
		}
	}
	tr := New()
	for i := range 6 {
		owner := []int64{ContainerOwner, TTLOwner(int64(i) + 1), 9, -3, 0, TTLOwner(MaxTTL)}[i]
		tr.Create(Root, fmt.Sprint("n", i), nil, protocol.OpenACL, owner, int64(i), 0)
	}
	var containers, ttls []string
	tr.EachContainerFrom(None, func(r Ref) bool { containers = append(containers, tr.Path(r)); return true })
	tr.EachTTLFrom(None, func(r Ref) bool { ttls = append(ttls, tr.Path(r)); return true })
	if !reflect.DeepEqual(containers, []string{"/n0"}) || !reflect.DeepEqual(ttls, []string{"/n1", "/n5"}) {
		t.Errorf("containers %q, TTL %q", containers, ttls)
	}
	if got := tr.EphemeralSessions(); !reflect.DeepEqual(got, []int64{-3, 9}) {
		t.Errorf("EphemeralSessions() = %d", got)
	}
	if got := tr.EphemeralCount(); got != 2 {
		t.Errorf("EphemeralCount() = %d, want 2", got)
	}
}

func TestKeptBytesDoNotChange(t *testing.T) {
	tr := New()
	src, list := []byte("before"), []protocol.ACL{{Perms: 3, Scheme: "digest", ID: "u:h"}}
	r := tr.Create(Root, "a", src, list, 0, 1, 1)
	src[0], list[0].Perms = 'X', 9 // the caller's own
	data, acl := tr.Data(r), tr.ACL(r)
	tr.SetData(r, []byte("after!"), 2, 2)
	tr.SetACL(r, protocol.OpenACL)
	tr.Delete(r, 3)
	tr.Create(Root, "b", []byte("other"), []protocol.ACL{{Perms: 1, Scheme: "ip", ID: "::1"}}, 0, 4, 4)
	if string(data) != "before" || acl[0].Perms != 3 || acl[0].Scheme != "digest" {
		t.Errorf("kept data %q, ACL %+v", data, acl)
	}
}

func TestChunksAreGivenBack(t *testing.T) {
	tr := New()
	const n = 8 * chunkSize
	for i := range n {
		tr.Create(Root, fmt.Sprint(i), nil, protocol.OpenACL, 0, 1, 1)
	}
	for i := range n {
		tr.Delete(tr.Lookup(fmt.Sprint("/", i)), 2)
	}
	held := 0
	for _, c := range tr.chunks {
		if c != nil {
			held++
		}
	}
	if held != 1 {
		t.Errorf("%d chunks held for %d nodes, want 1", held, tr.NodeCount())
	}
	for i := range n {
		tr.Create(Root, fmt.Sprint(i), nil, protocol.OpenACL, 0, 3, 3)
	}
	checkInvariants(t, tr)
}

func TestMisusePanics(t *testing.T) {
	tests := []struct {
		name string
		do   func(*Tree)
	}{
		{"delete the root", func(tr *Tree) { tr.Delete(Root, 1) }},
		{"delete a parent", func(tr *Tree) { tr.Delete(tr.Lookup(SystemPath), 1) }},
		{"create twice", func(tr *Tree) { tr.Create(Root, "zookeeper", nil, protocol.OpenACL, 0, 1, 1) }},
		{"begin twice", func(tr *Tree) { tr.Begin(); tr.Begin() }},
		{"commit nothing", func(tr *Tree) { tr.Commit() }},
		{"roll back nothing", func(tr *Tree) { tr.Rollback() }},
	}
	for _, tt := range tests {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", tt.name)
				}
			}()
			tt.do(New())
		}()
	}
}
