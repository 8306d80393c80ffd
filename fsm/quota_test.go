package fsm

import (
	"testing"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

func TestUsageText(t *testing.T) {
	for _, c := range []struct {
		text, want string // want "": not readable
	}{
		{"count=2,bytes=3", "count=2,bytes=3"},
		{"bytes=3,count=2", "count=2,bytes=3"},
		{"count=2,bytes=3=;countHardLimit=5;byteHardLimit=4", "count=2,bytes=3=;byteHardLimit=4;countHardLimit=5"},
		{"count=2;;,bytes=3", "count=2,bytes=3"},
		{"count=2", "count=2,bytes=-1"},
		{"", "count=-1,bytes=-1"},
		{"count==2", "count=-1,bytes=-1"},
		{"count=", ""},
		{"count", ""},
		{"count=x", ""},
		{"count=9223372036854775808", ""},
	} {
		u, ok := parseUsage(c.text)
		if ok != (c.want != "") || ok && u.String() != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.text, u, ok, c.want)
		}
	}
}

func TestQuota(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	put := func(path, data string, flags int32) {
		t.Helper()
		if r := m.client(protocol.OpCreate, createBody(path, data, flags)); r.Err != protocol.ErrOK {
			t.Fatalf("create %s: %v", path, r.Err)
		}
	}
	used := func(when, quota, want string) {
		t.Helper()
		node := m.f.tree.Lookup(tree.QuotaPath + quota + "/zookeeper_stats")
		if got := string(m.f.tree.Data(node)); got != want {
			t.Errorf("%s: %s uses %q, want %q", when, quota, got, want)
		}
		if s := m.f.tree.Stat(node); s.Version != 0 || s.Mzxid != s.Czxid {
			t.Errorf("%s: the bookkeeping shows in the stat, %+v", when, s)
		}
	}
	put("/x", "1", 0)
	put("/x/y", "22", 0)
	put("/x/y/z", "333", 0)
	for _, path := range []string{"/x", "/x/zookeeper_limits", "/x/y"} {
		put(tree.QuotaPath+path, "count=1,bytes=1", 0)
	}
	put("/x/before", "", 0) // nothing to count it yet
	put(tree.QuotaPath+"/x/zookeeper_stats", "whatever", 0)
	used("when made", "/x", "count=4,bytes=6")

	put("/x/a", "4444", 0)
	put("/x/e", "5", protocol.CreateModeEphemeral)
	put("/xa", "not below /x", 0)
	used("after creations", "/x", "count=6,bytes=11")
	m.set("/x/a", "7777777", -1)
	m.set("/x", "", -1)
	used("after other data", "/x", "count=6,bytes=13")
	m.delete("/x/y/z", -1)
	used("after a deletion", "/x", "count=5,bytes=10")

	m.client(protocol.OpMulti, multiBody(&protocol.CreateRequest{Path: "/x/m", Data: []byte("m"), ACL: protocol.OpenACL}, &protocol.DeleteRequest{Path: "/none", Version: -1}))
	used("after a multi that failed", "/x", "count=5,bytes=10")
	m.client(protocol.OpMulti, multiBody(&protocol.CreateRequest{Path: "/x/m", Data: []byte("m"), ACL: protocol.OpenACL}, &protocol.SetDataRequest{Path: "/x/m", Version: 0}))
	used("after a multi", "/x", "count=6,bytes=10")

	// The deepest quota alone counts.
	put(tree.QuotaPath+"/x/y/zookeeper_limits", "count=1,bytes=1", 0)
	put(tree.QuotaPath+"/x/y/zookeeper_stats", "", 0)
	used("when made", "/x/y", "count=1,bytes=2")
	put("/x/y/w", "w", 0)
	used("after a creation", "/x/y", "count=2,bytes=3")
	used("after a creation below another quota", "/x", "count=6,bytes=10")
	m.delete(tree.QuotaPath+"/x/y/zookeeper_limits", -1)
	m.delete("/x/y/w", -1)
	used("after the other quota's end", "/x", "count=5,bytes=9")

	m = m.snapshot()
	m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
	used("after a restore and the session's end", "/x", "count=4,bytes=8")
}

// TestQuotaOddities are writes that make the original server fail.
func TestQuotaOddities(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	for _, path := range []string{"/zookeeper_limits", "/zookeeper_stats", "/x", "/x/zookeeper_limits", "/x/zookeeper_stats"} {
		if r := m.client(protocol.OpCreate, createBody(tree.QuotaPath+path, "garbage", 0)); r.Err != protocol.ErrOK {
			t.Fatalf("create %s: %v", path, r.Err)
		}
	}
	stats := func(path string) string { return string(m.f.tree.Data(m.f.tree.Lookup(tree.QuotaPath + path))) }
	if got := stats("/x/zookeeper_stats"); got != "count=0,bytes=0" {
		t.Errorf("a quota on nothing uses %q", got)
	}
	m.set(tree.QuotaPath+"/x/zookeeper_stats", "garbage", -1)
	if r := m.create("/x", 0); r.Err != protocol.ErrOK {
		t.Errorf("create with garbage for statistics: %v", r.Err)
	}
	for _, path := range []string{"/zookeeper_stats", "/x/zookeeper_stats"} {
		if got := stats(path); got != "garbage" {
			t.Errorf("%s: %q, want it left alone", path, got)
		}
	}
}
