package fsm

import (
	"fmt"
	"slices"
	"testing"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// with applies a client's request under the options of its server.
func (m *machine) with(o Options, op protocol.OpCode, body []byte) Result {
	m.t.Helper()
	return m.do((&ClientRequest{Session: 100, Conn: 1, Op: op, Options: o, Body: body}).Append(nil))
}

func ttlBody(path string, flags int32, ttl int64) []byte {
	r := protocol.CreateTTLRequest{TTL: ttl, CreateRequest: protocol.CreateRequest{Path: path, ACL: protocol.OpenACL, Flags: flags}}
	return r.Append(nil)
}

func (m *machine) reap(neverUsed int64, paths ...string) {
	m.entry(raw(Origin{}, 0, (&Reap{Term: m.term, Paths: paths, NeverUsed: neverUsed}).Append(nil)))
}

func (m *machine) spent(neverUsed int64) []string {
	m.t.Helper()
	var paths []string
	var at Look
	for more := true; more; { // two nodes at a time, to stop and go on often
		m.f.View(func(v View) { paths, more = v.Spent(paths, &at, m.now, neverUsed, 2, 100) })
	}
	return paths
}

func TestTTLErrors(t *testing.T) {
	const off, bad, unimplemented = protocol.ErrOK, protocol.ErrBadArguments, protocol.ErrUnimplemented
	for _, c := range []struct {
		op      protocol.OpCode
		flags   int32
		ttl     int64
		off, on protocol.ErrCode
	}{
		{protocol.OpCreate2, 5, 0, unimplemented, bad},
		{protocol.OpCreate, 6, 0, unimplemented, bad},
		{protocol.OpCreateContainer, 5, 0, unimplemented, bad},
		{protocol.OpCreateContainer, 6, 0, unimplemented, bad},
		{protocol.OpCreate2, 7, 0, bad, bad},
		{protocol.OpCreateTTL, 0, 5, bad, bad},
		{protocol.OpCreateTTL, 0, 0, bad, bad},
		{protocol.OpCreateTTL, 0, -1, bad, bad}, // ZooKeeper accepts it, and dies of it
		{protocol.OpCreateTTL, 1, 5, bad, bad},
		{protocol.OpCreateTTL, 4, 5, bad, bad},
		{protocol.OpCreateTTL, 7, 5, bad, bad},
		{protocol.OpCreateTTL, 5, 0, unimplemented, bad},
		{protocol.OpCreateTTL, 5, -1, unimplemented, bad},
		{protocol.OpCreateTTL, 5, tree.MaxTTL + 1, unimplemented, bad},
		{protocol.OpCreateTTL, 5, 1 << 62, unimplemented, bad},
		{protocol.OpCreateTTL, 5, 1, unimplemented, off},
		{protocol.OpCreateTTL, 5, tree.MaxTTL, unimplemented, off},
		{protocol.OpCreateTTL, 6, tree.MaxTTL, unimplemented, off},
	} {
		for _, o := range []Options{0, ExtendedTypes} {
			m := newMachine(t)
			m.open(100, 1)
			body := createBody("/x", "", c.flags)
			if c.op == protocol.OpCreateTTL {
				body = ttlBody("/x", c.flags, c.ttl)
			}
			want := c.off
			if o.Has(ExtendedTypes) {
				want = c.on
			}
			if r := m.with(o, c.op, body); r.Err != want {
				t.Errorf("%v, flags %d, ttl %d, options %b: %v, want %v", c.op, c.flags, c.ttl, o, r.Err, want)
			}
			// Flags and TTL come before all else.
			if want != protocol.ErrOK {
				body = createBody("bad path", "", c.flags)
				if c.op == protocol.OpCreateTTL {
					body = ttlBody("bad path", c.flags, c.ttl)
				}
				if r := m.with(o, c.op, body); r.Err != want {
					t.Errorf("%v, flags %d, ttl %d, options %b, at a bad path: %v, want %v", c.op, c.flags, c.ttl, o, r.Err, want)
				}
			}
		}
	}
}

func TestTTL(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	create := func(path string, flags int32, ttl int64) {
		t.Helper()
		if r := m.with(ExtendedTypes, protocol.OpCreateTTL, ttlBody(path, flags, ttl)); r.Err != protocol.ErrOK || r.Stat.EphemeralOwner != 0 {
			t.Fatalf("create %s: %+v", path, r)
		}
	}
	create("/a", protocol.CreateModePersistentTTL, 100)
	create("/s-", protocol.CreateModePersistentSequentialTTL, 100)
	create("/long", protocol.CreateModePersistentTTL, 10_000)
	create("/long/short", protocol.CreateModePersistentTTL, 100) // it has children, other than an ephemeral
	multi := multiRecord{
		{Type: protocol.OpCreateTTL, TTL: 100, Create: protocol.CreateRequest{Path: "/m-", ACL: protocol.OpenACL, Flags: protocol.CreateModePersistentSequentialTTL}},
		{Type: protocol.OpCreateTTL, TTL: 100, Create: protocol.CreateRequest{Path: "/plain", ACL: protocol.OpenACL}},
	}
	r := m.with(ExtendedTypes, protocol.OpMulti, multi.Append(nil))
	if len(r.Multi) != 2 || r.Multi[0].Path != "/m-0000000003" || r.Multi[0].Op != protocol.OpCreateTTL || r.Multi[1].Op != protocol.OpCreate {
		t.Errorf("multi: %+v", r.Multi)
	}
	r = m.with(0, protocol.OpMulti, multi.Append(nil))
	if len(r.Multi) != 2 || r.Multi[0].Err != protocol.ErrUnimplemented {
		t.Errorf("multi without extended types: %+v", r)
	}
	m.create("/gone", protocol.CreateModeEphemeral)
	if paths := m.f.tree.EphemeralsOf(100); !slices.Equal(paths, []string{"/gone"}) {
		t.Errorf("ephemerals of the session: %q", paths)
	}

	if got := m.spent(0); len(got) != 0 {
		t.Errorf("young ones are spent: %q", got)
	}
	m = m.snapshot() // which must not make them younger, or ephemeral
	m.now += 60
	m.set("/a", "again", -1)
	m.now += 50
	want := []string{"/s-0000000001", "/long/short", "/m-0000000003"}
	if got := m.spent(0); !slices.Equal(got, want) {
		t.Errorf("spent after 110 ms: %q, want %q", got, want)
	}

	// Apply goes by the entry's time and the state, not by the leader's word.
	m.create("/s-0000000001/child", 0)
	before := (View{m.f}).LastZxid()
	m.reap(0, "/s-0000000001", "/a", "/long", "/plain", "/none", "/gone", "/zookeeper/quota", "/long/short", "/m-0000000003")
	for path, want := range map[string]bool{"/s-0000000001": true, "/a": true, "/long": true, "/plain": true, "/gone": true, "/long/short": false, "/m-0000000003": false} {
		if got := m.exists(path); got != want {
			t.Errorf("%s is there: %v, want %v", path, got, want)
		}
	}
	if z := (View{m.f}).LastZxid(); z != before+2 {
		t.Errorf("zxid %#x after two removals, want %#x", z, before+2)
	}
	m.delete("/s-0000000001/child", -1) // its child's end does not prolong it
	m.now += 101
	m.reap(0, "/s-0000000001", "/a")
	if m.exists("/s-0000000001") || m.exists("/a") {
		t.Errorf("not removed in the end")
	}
	m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
	if m.exists("/gone") || !m.exists("/long") {
		t.Errorf("the session's end takes the wrong ones")
	}
}

func TestNeverUsed(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	for _, path := range []string{"/c", "/set", "/used"} {
		m.client(protocol.OpCreateContainer, createBody(path, "", 0))
	}
	m.create("/used/x", 0)
	m.now += 80
	m.set("/set", "again", -1)
	m.now += 30
	if got := m.spent(0); len(got) != 0 {
		t.Errorf("spent though never is for ever: %q", got)
	}
	if got := m.spent(100); !slices.Equal(got, []string{"/c"}) {
		t.Errorf("spent after 100 ms without a child: %q, want /c", got)
	}
	m.reap(0, "/c")
	if !m.exists("/c") {
		t.Errorf("removed though never is for ever")
	}
	m.reap(100, "/c", "/set", "/used")
	if m.exists("/c") || !m.exists("/set") || !m.exists("/used") {
		t.Errorf("of those that were never used, the wrong ones went")
	}
	// An entry of a release that did not know of it.
	m.now += 1000
	old := (&Reap{Term: m.term, Paths: []string{"/set"}}).Append(nil)
	m.entry(raw(Origin{}, 0, old[:len(old)-1]))
	if !m.exists("/set") {
		t.Errorf("an old entry removed what was never used")
	}
}

// TestSpentWhileChanging looks in steps between which nodes come and go, the one
// where the look has stopped among them.
func TestSpentWhileChanging(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	for i := range 50 {
		path := fmt.Sprintf("/c%d", i)
		m.client(protocol.OpCreateContainer, createBody(path, "", 0))
		m.create(path+"/x", 0)
		m.delete(path+"/x", -1)
	}
	var paths []string
	var at Look
	steps := 0
	for more := true; more; steps++ {
		if steps > 1000 {
			t.Fatal("it does not end")
		}
		m.f.View(func(v View) { paths, more = v.Spent(paths, &at, m.now, 0, 1, 1000) })
		if at.node != tree.None && steps%7 == 0 {
			m.delete(m.f.tree.Path(at.node), -1)
		}
	}
	m.reap(0, paths...)
	if got := m.spent(0); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	if got, more := (View{m.f}).Spent(nil, &Look{}, m.now, 0, 1000, 1000); len(got) != 0 || more {
		t.Errorf("a whole look finds %q, more %v", got, more)
	}
}

func FuzzReap(f *testing.F) {
	f.Add((&Reap{Term: 1, Paths: []string{"/a", "/b"}, NeverUsed: 7}).Append(nil)[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Reap
		if r.decode(&payloadReader{b: b}) != nil {
			return
		}
		var again Reap
		if err := again.decode(&payloadReader{b: r.Append(nil)[1:]}); err != nil || again.Term != r.Term ||
			again.NeverUsed != r.NeverUsed || !slices.Equal(again.Paths, r.Paths) {
			t.Errorf("%x: %+v comes back as %+v, %v", b, r, again, err)
		}
	})
}

// BenchmarkSpent is one hold of the state lock by the leader's look, among nodes
// of which none can go, and plain ones that it must not look at.
func BenchmarkSpent(b *testing.B) {
	m := newMachine(b)
	m.open(100, 1)
	m.now = 1 << 40
	for i := range 200_000 {
		if i%4 == 0 {
			m.with(ExtendedTypes, protocol.OpCreateTTL, ttlBody(fmt.Sprintf("/t%d", i), protocol.CreateModePersistentTTL, tree.MaxTTL))
		} else {
			m.create(fmt.Sprintf("/p%d", i), 0)
		}
	}
	m.log, m.results = nil, nil
	var at Look
	more := false
	b.ReportAllocs()
	for b.Loop() {
		if !more {
			at = Look{}
		}
		m.f.View(func(v View) { _, more = v.Spent(nil, &at, m.now, 0, 1000, 100) })
	}
}
