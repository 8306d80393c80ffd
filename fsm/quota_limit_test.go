package fsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// quota gives path a quota with the given limits.
func (m *machine) quota(path, limits string) {
	m.t.Helper()
	at := tree.QuotaPath
	for name := range strings.SplitSeq(path[1:], "/") {
		at += "/" + name
		m.client(protocol.OpCreate, createBody(at, "", 0))
	}
	for _, c := range []struct{ name, data string }{{tree.LimitsName, limits}, {tree.StatsName, "count=0,bytes=0"}} {
		if r := m.client(protocol.OpCreate, createBody(at+"/"+c.name, c.data, 0)); r.Err != protocol.ErrOK {
			m.t.Fatalf("quota of %s: %v", path, r.Err)
		}
	}
}

func (m *machine) usage(path string) string {
	return string(m.f.tree.Data(m.f.tree.Lookup(tree.QuotaPath + path + "/" + tree.StatsName)))
}

func setBody(path, data string, version int32) []byte {
	return (&protocol.SetDataRequest{Path: path, Data: []byte(data), Version: version}).Append(nil)
}

func TestHardLimits(t *testing.T) {
	const exceeded = protocol.ErrQuotaExceeded
	m := newMachine(t)
	m.open(100, 1)
	step := func(want protocol.ErrCode, op protocol.OpCode, body []byte, usage string) {
		t.Helper()
		if r := m.with(EnforceQuota, op, body); r.Err != want || m.usage("/a") != usage {
			t.Errorf("got %v and %q, want %v and %q", r.Err, m.usage("/a"), want, usage)
		}
	}
	create := func(path, data string) []byte { return createBody(path, data, 0) }
	m.client(protocol.OpCreate, create("/a", "12345"))
	m.client(protocol.OpCreate, create("/a/b", "xx"))
	m.quota("/a", "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4")
	step(protocol.ErrOK, protocol.OpCreate, create("/a/c", "1234567890123"), "count=3,bytes=20")
	step(protocol.ErrNodeExists, protocol.OpCreate, create("/a/c", "1"), "count=3,bytes=20")
	step(exceeded, protocol.OpCreate, create("/a/d", "1"), "count=3,bytes=20")
	step(protocol.ErrOK, protocol.OpCreate, create("/a/d", ""), "count=4,bytes=20")
	step(exceeded, protocol.OpCreate, create("/a/e", ""), "count=4,bytes=20")
	step(exceeded, protocol.OpSetData, setBody("/a/d", "1", -1), "count=4,bytes=20")
	step(exceeded, protocol.OpSetData, setBody("/a/d", "1", 77), "count=4,bytes=20") // before the version
	step(protocol.ErrBadVersion, protocol.OpSetData, setBody("/a/b", "yy", 77), "count=4,bytes=20")
	step(protocol.ErrOK, protocol.OpSetData, setBody("/a/b", "yy", 0), "count=4,bytes=20")

	m.set(tree.QuotaPath+"/a/"+tree.LimitsName, "count=-1,bytes=-1=;byteHardLimit=5", -1)
	step(exceeded, protocol.OpSetData, setBody("/a/c", "1234567", -1), "count=4,bytes=20") // less, and still too much
	step(protocol.ErrOK, protocol.OpSetData, setBody("/a/c", "x234567890123", -1), "count=4,bytes=20")
	step(protocol.ErrOK, protocol.OpDelete, (&protocol.DeleteRequest{Path: "/a/c", Version: -1}).Append(nil), "count=3,bytes=7")
	step(protocol.ErrOK, protocol.OpCreate, create("/a/e", ""), "count=4,bytes=7")
	step(exceeded, protocol.OpCreateContainer, create("/a/f", "x"), "count=4,bytes=7")
	step(exceeded, protocol.OpCreate, createBody("/a/s-", "x", protocol.CreateModePersistentSequential), "count=4,bytes=7")
	// Without the option nobody minds.
	if r := m.client(protocol.OpCreate, create("/a/f", "much more than that")); r.Err != protocol.ErrOK {
		t.Errorf("not enforced: %v", r.Err)
	}
}

func TestLimitTexts(t *testing.T) {
	const exceeded, bad = protocol.ErrQuotaExceeded, protocol.ErrMarshalling
	for _, c := range []struct {
		limits             string
		create, empty, set protocol.ErrCode // of 3 bytes, of none, of one byte more
		over               string           // limits told of by the creation
	}{
		{"count=1,bytes=1", 0, 0, 0, "soft count, soft bytes"},
		{"count=1,bytes=1=;countHardLimit=-1", 0, 0, 0, "soft count, soft bytes"},
		{"count=1,bytes=1=;countHardLimit=0", exceeded, exceeded, 0, "hard count"},
		{"count=1,bytes=1=;byteHardLimit=0", exceeded, 0, exceeded, "soft count, hard bytes"},
		{"count=1,bytes=1=;byteHardLimit=100;countHardLimit=100", 0, 0, 0, ""}, // a hard limit replaces the soft one
		{"bytes=-1=;byteHardLimit=-5", 0, 0, 0, ""},
		{"count=5,countHardLimit=1", exceeded, exceeded, 0, "hard count"},
		{"", 0, 0, 0, ""},
		{",", 0, 0, 0, ""},
		{"a=1", 0, 0, 0, ""},
		{"count=1=2=3", 0, 0, 0, "soft count"},
		{"count=+1", 0, 0, 0, "soft count"},
		{" count=1", 0, 0, 0, ""},
		{"garbage", bad, bad, bad, ""},
		{"count=x", bad, bad, bad, ""},
		{"count=", bad, bad, bad, ""},
		{"=", bad, bad, bad, ""},
		{"==", bad, bad, bad, ""},
		{"count= 1", bad, bad, bad, ""},
		{"\xff\xfe", bad, bad, bad, ""},
		{"x=9999999999999999999999", bad, bad, bad, ""},
		{"null", bad, bad, bad, ""},
	} {
		m := newMachine(t)
		m.open(100, 1)
		m.client(protocol.OpCreate, createBody("/s", "1", 0))
		m.quota("/s", "")
		set := protocol.SetDataRequest{Path: tree.QuotaPath + "/s/" + tree.LimitsName, Data: []byte(c.limits), Version: -1}
		if c.limits == "null" {
			set.Data = nil
		}
		m.client(protocol.OpSetData, set.Append(nil))
		got := []protocol.ErrCode{m.with(EnforceQuota, protocol.OpCreate, createBody("/s/x", "zzz", 0)).Err}
		var over []string
		for _, x := range m.over {
			text := "soft "
			if x.Hard {
				text = "hard "
			}
			if x.Bytes {
				text += "bytes"
			} else {
				text += "count"
			}
			over = append(over, text)
		}
		m.delete("/s/x", -1)
		got = append(got, m.with(EnforceQuota, protocol.OpCreate, createBody("/s/y", "", 0)).Err)
		m.delete("/s/y", -1)
		got = append(got, m.with(EnforceQuota, protocol.OpSetData, setBody("/s", "12", 0)).Err)
		if want := []protocol.ErrCode{c.create, c.empty, c.set}; !slices.Equal(got, want) || strings.Join(over, ", ") != c.over {
			t.Errorf("%q: %v, told of %q; want %v, %q", c.limits, got, over, want, c.over)
		}
		// Garbage fails a multi as a whole.
		r := m.with(EnforceQuota, protocol.OpMulti, multiBody(&protocol.CreateRequest{Path: "/s/m", ACL: protocol.OpenACL}))
		if (r.Err == bad) != (c.create == bad) || r.Err != protocol.ErrOK && len(r.Multi) > 0 {
			t.Errorf("%q: multi %v, %+v", c.limits, r.Err, r.Multi)
		}
	}
}

func TestMultiLimits(t *testing.T) {
	create := func(path, data string) *protocol.CreateRequest {
		return &protocol.CreateRequest{Path: path, Data: []byte(data), ACL: protocol.OpenACL}
	}
	set := func(path, data string) *protocol.SetDataRequest {
		return &protocol.SetDataRequest{Path: path, Data: []byte(data), Version: -1}
	}
	const limits, stats = tree.QuotaPath + "/a/" + tree.LimitsName, tree.QuotaPath + "/a/" + tree.StatsName
	ten := strings.Repeat("1", 10)
	for _, c := range []struct {
		name   string
		ops    []any
		failed int // -1: none
		usage  string
	}{
		{"each looks at what was there before", []any{create("/a/1", ten), create("/a/2", ten), create("/a/3", ten)}, -1, "count=5,bytes=30"},
		{"a deletion makes no room", []any{&protocol.DeleteRequest{Path: "/a/x", Version: -1}, create("/a/1", ten), create("/a/2", ten+ten)}, 2, ""},
		{"growth is from what the multi has set", []any{set("/a/x", ten), set("/a/x", ten+ten)}, -1, "count=2,bytes=20"},
		{"too much growth at once", []any{set("/a/x", ten), set("/a/x", ten+ten+ten)}, 1, ""},
		{"limits that come too late", []any{set(limits, "count=-1,bytes=-1=;byteHardLimit=100"), create("/a/1", ten+ten)}, 1, ""},
		{"limits that go too late", []any{&protocol.DeleteRequest{Path: limits, Version: -1}, create("/a/1", ten+ten)}, 1, ""},
		{"garbage that comes too late", []any{set(limits, "garbage"), create("/a/1", ten)}, -1, "count=3,bytes=10"},
		{"statistics that come too late", []any{set(stats, "count=-50,bytes=-50"), create("/a/1", ten+ten)}, 1, ""},
		{"a quota that comes too late", []any{create("/b", ""), create(tree.QuotaPath+"/b", ""),
			create(tree.QuotaPath+"/b/"+tree.LimitsName, "count=-1,bytes=-1=;countHardLimit=1"), create(tree.QuotaPath+"/b/"+tree.StatsName, ""), create("/b/1", "")}, -1, "count=2,bytes=0"},
	} {
		m := newMachine(t)
		m.open(100, 1)
		m.client(protocol.OpCreate, createBody("/a", "", 0))
		m.client(protocol.OpCreate, createBody("/a/x", "", 0))
		m.quota("/a", "count=-1,bytes=-1=;byteHardLimit=15")
		r := m.with(EnforceQuota, protocol.OpMulti, multiBody(c.ops...))
		failed := slices.IndexFunc(r.Multi, func(s SubResult) bool { return s.Err != protocol.ErrOK })
		if failed != c.failed || failed >= 0 && r.Multi[failed].Err != protocol.ErrQuotaExceeded {
			t.Errorf("%s: %v, %+v; want a failure at %d", c.name, r.Err, r.Multi, c.failed)
		}
		want := c.usage
		if want == "" {
			want = "count=2,bytes=0"
		}
		if got := m.usage("/a"); got != want {
			t.Errorf("%s: uses %q, want %q", c.name, got, want)
		}
		if m.f.quotas.on || len(m.f.quotas.nodes) > 0 {
			t.Errorf("%s: the image outlives its multi", c.name)
		}
	}
}

// TestUsageModel counts by hand, over random writes, what each quota uses.
func TestUsageModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m := newMachine(t)
	m.open(100, 1)
	names := []string{"/a", "/a/b", "/a/b/c", "/ab", "/a/c"}
	quotas := []string{"/a", "/a/b/c", "/ab"}
	for _, q := range quotas {
		m.quota(q, "count=-1,bytes=-1=;byteHardLimit=40;countHardLimit=6")
	}
	deepest := func(path string) (top string) {
		for _, q := range quotas {
			if (path == q || strings.HasPrefix(path, q+"/")) && len(q) > len(top) {
				top = q
			}
		}
		return top
	}
	used := map[string]*usage{}
	for _, q := range quotas {
		used[q] = &usage{}
	}
	data := map[string]string{}
	for i := range 4000 {
		path := names[rnd.IntN(len(names))]
		if rnd.IntN(2) == 0 {
			path += fmt.Sprintf("/n%d", rnd.IntN(4))
		}
		text := strings.Repeat("x", rnd.IntN(12))
		top := deepest(path)
		u := used[top]
		if u == nil {
			u = &usage{}
		}
		old, exists := data[path]
		switch rnd.IntN(3) {
		case 0:
			r := m.with(EnforceQuota, protocol.OpCreate, createBody(path, text, 0))
			over := top != "" && (u.count+1 > 6 || text != "" && u.bytes+int64(len(text)) > 40)
			if r.Err == protocol.ErrOK {
				data[path] = text
				u.count, u.bytes = u.count+1, u.bytes+int64(len(text))
			}
			if r.Err == protocol.ErrOK && over || r.Err == protocol.ErrQuotaExceeded && !over {
				t.Fatalf("step %d: create %s of %d bytes with %v used: %v", i, path, len(text), u, r.Err)
			}
		case 1:
			r := m.with(EnforceQuota, protocol.OpSetData, setBody(path, text, -1))
			growth := int64(len(text) - len(old))
			over := top != "" && growth != 0 && u.bytes+growth > 40
			if r.Err == protocol.ErrOK {
				data[path] = text
				u.bytes += growth
			}
			if exists && (r.Err == protocol.ErrQuotaExceeded) != over {
				t.Fatalf("step %d: set %s to %d bytes with %v used: %v", i, path, len(text), u, r.Err)
			}
		default:
			if r := m.delete(path, -1); r.Err == protocol.ErrOK {
				delete(data, path)
				u.count, u.bytes = u.count-1, u.bytes-int64(len(old))
			}
		}
		if top != "" && m.usage(top) != u.String() {
			t.Fatalf("step %d: %s uses %q, want %q", i, top, m.usage(top), u)
		}
		if i%1000 == 999 {
			m = m.snapshot()
		}
	}
}

// FuzzQuotaTexts writes anything into the znodes of a quota, and into a quota on
// the quotas themselves: no server may be hurt.
func FuzzQuotaTexts(f *testing.F) {
	f.Add([]byte("count=1,bytes=2=;byteHardLimit=3"), []byte("count=0,bytes=0"))
	f.Add([]byte("garbage"), []byte(nil))
	f.Fuzz(func(t *testing.T, limits, stats []byte) {
		m := newMachine(t)
		m.open(100, 1)
		m.create("/a", 0)
		for _, path := range []string{"/a", tree.QuotaPath, tree.SystemPath, "/a/" + tree.LimitsName} {
			m.quota(path, "")
			for name, data := range map[string][]byte{tree.LimitsName: limits, tree.StatsName: stats} {
				m.client(protocol.OpSetData, (&protocol.SetDataRequest{Path: tree.QuotaPath + path + "/" + name, Data: data, Version: -1}).Append(nil))
			}
		}
		for _, path := range []string{"/a/b", tree.QuotaPath + "/c", tree.QuotaPath + "/" + tree.LimitsName} {
			m.with(EnforceQuota, protocol.OpCreate, createBody(path, string(stats), 0))
			m.with(EnforceQuota, protocol.OpSetData, setBody(path, "data", -1))
			m.with(EnforceQuota, protocol.OpMulti, multiBody(&protocol.CreateRequest{Path: path + "1", ACL: protocol.OpenACL}, &protocol.DeleteRequest{Path: path, Version: -1}))
		}
	})
}
