package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"zooraft/fsm/watch"
	"zooraft/protocol"
)

var everyDay = []struct {
	name string
	op   protocol.OpCode
}{
	{"get", protocol.OpGetData}, {"exists", protocol.OpExists}, {"children2", protocol.OpGetChildren2}, {"ping", protocol.OpPing},
}

// readable makes a machine with a znode of so many bytes and ten children, and a
// request that reads it.
func readable(t testing.TB, bytes int) (m *machine, body []byte) {
	m = newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	m.client(protocol.OpSetData, (&protocol.SetDataRequest{Path: "/a", Data: make([]byte, bytes), Version: -1}).Append(nil))
	for i := range 10 {
		m.create(fmt.Sprintf("/a/%d", i), 0)
	}
	return m, (&protocol.PathWatchRequest{Path: "/a"}).Append(nil)
}

// The reads of every day leave no garbage.
func TestReadsDoNotAllocate(t *testing.T) {
	m, body := readable(t, 1024)
	r := &Reader{IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}}
	dst := make([]byte, 0, 4096)
	for _, tt := range everyDay {
		var code protocol.ErrCode
		n := testing.AllocsPerRun(100, func() {
			v := m.f.RLock()
			_, code = v.Read(dst, tt.op, body, r)
			m.f.RUnlock()
		})
		if n != 0 || code != protocol.ErrOK {
			t.Errorf("%s: %v allocations, %v", tt.name, n, code)
		}
	}
}

type lastEvent struct{ path string }

func (l *lastEvent) Notify(ev *watch.Event) { l.path = ev.Path }

// What a read leaves behind does not share the request's memory, which its
// connection uses again.
func TestWatchOutlivesRequest(t *testing.T) {
	m, _ := readable(t, 1)
	for _, tt := range []struct {
		op   protocol.OpCode
		path string
		fire func()
	}{
		{protocol.OpGetData, "/a", func() {
			m.client(protocol.OpSetData, (&protocol.SetDataRequest{Path: "/a", Version: -1}).Append(nil))
		}},
		{protocol.OpExists, "/new", func() { m.create("/new", 0) }},
		{protocol.OpGetChildren, "/a", func() { m.create("/a/more", 0) }},
	} {
		var heard lastEvent
		w := m.f.Watches().NewWatcher(&heard)
		body := (&protocol.PathWatchRequest{Path: tt.path, Watch: true}).Append(nil)
		m.f.View(func(v View) { v.Read(nil, tt.op, body, &Reader{Watcher: w}) })
		for i := range body {
			body[i] = 'x'
		}
		if tt.fire(); heard.path != tt.path {
			t.Errorf("%v: event for %q, want %q", tt.op, heard.path, tt.path)
		}
		w.Close()
	}
}

func BenchmarkRead(b *testing.B) {
	for _, bm := range everyDay {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("op=%s/bytes=%d", bm.name, size), func(b *testing.B) {
				m, body := readable(b, size)
				r := &Reader{IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}}
				dst := make([]byte, 0, 4096)
				b.ReportAllocs()
				for b.Loop() {
					v := m.f.RLock()
					v.Read(dst, bm.op, body, r)
					m.f.RUnlock()
				}
			})
		}
	}
}

type record interface{ Append(b []byte) []byte }

// read answers a read of a connection; body may be nil.
func (m *machine) read(op protocol.OpCode, body record, r *Reader) (reply []byte, code protocol.ErrCode) {
	m.t.Helper()
	if !Readable(op) {
		m.t.Fatalf("%v is not readable", op)
	}
	var b []byte
	if body != nil {
		b = body.Append(nil)
	}
	m.f.View(func(v View) { reply, code = v.Read(nil, op, b, r) })
	return reply, code
}

func TestGetEphemerals(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/p", protocol.CreateModePersistent)
	m.create("/p/e1", protocol.CreateModeEphemeral)
	m.create("/q", protocol.CreateModeEphemeral)
	m.create("/p/e2", protocol.CreateModeEphemeral)
	all := []string{"/p/e1", "/q", "/p/e2"}
	for _, c := range []struct {
		name    string
		q       protocol.SyncRequest
		session protocol.SessionID
		want    []string
	}{
		{"null", protocol.SyncRequest{Null: true}, 100, all},
		{"empty", protocol.SyncRequest{}, 100, all},
		{"blank", protocol.SyncRequest{Path: " "}, 100, all},
		{"control characters", protocol.SyncRequest{Path: "\x00/\x01"}, 100, all},
		{"a space that is not ASCII", protocol.SyncRequest{Path: "\u00a0"}, 100, nil},
		{"root", protocol.SyncRequest{Path: "/"}, 100, all},
		{"parent", protocol.SyncRequest{Path: "/p"}, 100, []string{"/p/e1", "/p/e2"}},
		{"part of a name", protocol.SyncRequest{Path: "/p/e1"[:4]}, 100, []string{"/p/e1", "/p/e2"}},
		{"nothing there", protocol.SyncRequest{Path: "/x"}, 100, nil},
		{"another session", protocol.SyncRequest{}, 200, nil},
	} {
		got, code := m.read(protocol.OpGetEphemerals, &c.q, &Reader{Session: c.session})
		if want := protocol.AppendStrings(nil, c.want); code != protocol.ErrOK || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %q; want %q", c.name, code, got, want)
		}
	}
}

func TestGetAllChildrenNumber(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	for _, path := range []string{"/a", "/a/b", "/a/b/c", "/ab"} {
		m.create(path, protocol.CreateModePersistent)
	}
	secret := protocol.CreateRequest{Path: "/s", ACL: []protocol.ACL{{Perms: protocol.PermAll, Scheme: "digest", ID: "u:h"}}}
	m.client(protocol.OpCreate, secret.Append(nil))
	for _, c := range []struct {
		path string
		want int32
		code protocol.ErrCode
	}{
		{"/", 8, protocol.ErrOK}, // with the three that are there from the start
		{"", 9, protocol.ErrOK},  // with the root
		{"/a", 2, protocol.ErrOK},
		{"/a/b/c", 0, protocol.ErrOK},
		{"/none", 0, protocol.ErrNoNode},
		{"/s", 0, protocol.ErrNoAuth},
	} {
		got, code := m.read(protocol.OpGetAllChildrenNumber, &protocol.PathRequest{Path: c.path}, &Reader{})
		var want []byte
		if c.code == protocol.ErrOK {
			want = protocol.AppendInt32(nil, c.want)
		}
		if code != c.code || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %x; want %v, %x", c.path, code, got, c.code, want)
		}
	}
}

func TestWhoAmI(t *testing.T) {
	m := newMachine(t)
	ids := []protocol.ID{{Scheme: "ip", ID: "10.0.0.1"}, {Scheme: "digest", ID: "bob:c2VjcmV0"}, {Scheme: "super", ID: ""}}
	got, code := m.read(protocol.OpWhoAmI, nil, &Reader{IDs: ids})
	want := protocol.AppendInt32(nil, 3)
	for _, s := range []string{"ip", "10.0.0.1", "digest", "bob", "super", ""} {
		want = protocol.AppendString(want, s)
	}
	if code != protocol.ErrOK || !bytes.Equal(got, want) {
		t.Errorf("got %v, %q; want %q", code, got, want)
	}
	for o, name := range map[Options]string{0: "", SASL: "bob@X"} {
		got, code := m.read(protocol.OpWhoAmI, nil, &Reader{IDs: []protocol.ID{{Scheme: "sasl", ID: "bob@X"}}, Options: o})
		want := protocol.AppendString(protocol.AppendString(protocol.AppendInt32(nil, 1), "sasl"), name)
		if code != protocol.ErrOK || !bytes.Equal(got, want) {
			t.Errorf("with options %b: got %v, %q; want %q", o, code, got, want)
		}
	}
}

type multiRecord []protocol.MultiOp

func (r multiRecord) Append(b []byte) []byte { return protocol.AppendMulti(b, r) }

func TestMultiRead(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	stat := m.create("/a", protocol.CreateModePersistent).Stat
	var s sink
	w := m.f.Watches().NewWatcher(&s)
	ask := func(ops ...protocol.MultiOp) ([]byte, protocol.ErrCode) {
		return m.read(protocol.OpMultiRead, multiRecord(ops), &Reader{Watcher: w})
	}
	op := func(code protocol.OpCode, path string) protocol.MultiOp {
		return protocol.MultiOp{Type: code, Read: protocol.PathWatchRequest{Path: path, Watch: true}}
	}

	got, code := ask(op(protocol.OpGetData, "/a"), op(protocol.OpGetData, "/none"), op(protocol.OpGetChildren, "/zookeeper"))
	want := (&protocol.MultiHeader{Type: protocol.OpGetData}).Append(nil)
	want = stat.Append(protocol.AppendBuffer(want, []byte("x")))
	want = protocol.AppendMultiError(want, protocol.ErrNoNode)
	want = (&protocol.MultiHeader{Type: protocol.OpGetChildren}).Append(want)
	children, _ := m.read(protocol.OpGetChildren, &protocol.PathWatchRequest{Path: "/zookeeper"}, &Reader{})
	want = protocol.AppendMultiEnd(append(want, children...))
	if code != protocol.ErrOK || !bytes.Equal(got, want) {
		t.Errorf("got %v, %x\nwant %x", code, got, want)
	}
	if n := m.f.Watches().NumWatches(); n != 0 {
		t.Errorf("%d watches after it, want none", n)
	}
	if got, code := ask(protocol.MultiOp{Type: protocol.OpDelete, Delete: protocol.DeleteRequest{Path: "/a"}}); code != protocol.ErrMarshalling || !bytes.Equal(got, protocol.AppendMultiEnd(nil)) {
		t.Errorf("with a write: got %v, %x; want %v and the end mark", code, got, protocol.ErrMarshalling)
	}

	m.set("/a", string(make([]byte, 1<<20)), -1)
	if _, code := ask(slices.Repeat([]protocol.MultiOp{op(protocol.OpGetData, "/a")}, 17)...); code != protocol.ErrMarshalling {
		t.Errorf("17 MiB: got %v, want %v", code, protocol.ErrMarshalling)
	}
}

// sink notes the events of one watcher.
type sink struct{ events []watch.Event }

func (s *sink) Notify(ev *watch.Event) { s.events = append(s.events, *ev) }

func TestAddAndRemoveWatches(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	var s sink
	r := &Reader{Watcher: m.f.Watches().NewWatcher(&s)}
	add := func(path string, mode int32) ([]byte, protocol.ErrCode) {
		return m.read(protocol.OpAddWatch, &protocol.AddWatchRequest{Path: path, Mode: mode}, r)
	}
	for mode := range int32(2) {
		if got, code := add("/a", mode); code != protocol.ErrOK || !bytes.Equal(got, []byte{0, 0, 0, 0}) {
			t.Errorf("mode %d: got %v, %x", mode, code, got)
		}
	}
	if _, code := add("/a", 2); code != protocol.ErrMarshalling {
		t.Errorf("mode 2: got %v, want %v", code, protocol.ErrMarshalling)
	}
	m.create("/a", protocol.CreateModePersistent)
	m.create("/a/b", protocol.CreateModePersistent)
	// At /a both watches are one connection's; /a/b is the recursive one's and changes the children that the other watches.
	if len(s.events) != 3 {
		t.Errorf("events: %+v, want 3", s.events)
	}

	for _, c := range []struct {
		op   protocol.OpCode
		path string
		typ  int32
		want protocol.ErrCode
	}{
		{protocol.OpCheckWatches, "/a", protocol.WatcherTypePersistent, protocol.ErrOK},
		{protocol.OpCheckWatches, "/a", protocol.WatcherTypeData, protocol.ErrNoWatcher},
		{protocol.OpCheckWatches, "/a/b", protocol.WatcherTypeAny, protocol.ErrNoWatcher},
		{protocol.OpCheckWatches, "/a", 0, protocol.ErrMarshalling},
		{protocol.OpRemoveWatches, "/a", 6, protocol.ErrMarshalling},
		{protocol.OpRemoveWatches, "/a", protocol.WatcherTypePersistent, protocol.ErrOK},
		{protocol.OpRemoveWatches, "/a", protocol.WatcherTypePersistent, protocol.ErrNoWatcher},
		{protocol.OpRemoveWatches, "/a", protocol.WatcherTypeAny, protocol.ErrOK},
		{protocol.OpCheckWatches, "/a", protocol.WatcherTypeAny, protocol.ErrNoWatcher},
	} {
		if _, code := m.read(c.op, &protocol.WatchesRequest{Path: c.path, Type: c.typ}, r); code != c.want {
			t.Errorf("%v of type %d at %s: got %v, want %v", c.op, c.typ, c.path, code, c.want)
		}
	}
}

func TestContainers(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	container := func(path string, flags int32) Result {
		return m.client(protocol.OpCreateContainer, createBody(path, "", flags))
	}
	if r := container("/c", protocol.CreateModeContainer); r.Err != protocol.ErrOK || r.Path != "/c" || r.Stat.EphemeralOwner != 0 {
		t.Fatalf("create: %+v", r)
	}
	if r := container("/c/s-", protocol.CreateModePersistentSequential); r.Path != "/c/s-0000000000" {
		t.Errorf("sequential: %+v", r)
	}
	multi := multiRecord{{Type: protocol.OpCreateContainer, Create: protocol.CreateRequest{Path: "/m", ACL: protocol.OpenACL, Flags: protocol.CreateModeContainer}}}
	if r := m.client(protocol.OpMulti, multi.Append(nil)); len(r.Multi) != 1 || r.Multi[0].Err != protocol.ErrOK || r.Multi[0].Op != protocol.OpCreateContainer {
		t.Errorf("in a multi: %+v", r)
	}
	m.create("/plain", protocol.CreateModeContainer) // by create it is none
	for _, path := range []string{"/m/x", "/plain/x", "/c/s-0000000000/e"} {
		m.create(path, protocol.CreateModeEphemeral)
		m.delete(path, -1)
	}

	emptied := func(want ...string) {
		t.Helper()
		var got []string
		m.f.View(func(v View) { got, _ = v.Spent(nil, &Look{}, m.now, 0, 1000, 10) })
		if !slices.Equal(got, want) {
			t.Errorf("emptied containers: %q, want %q", got, want)
		}
	}
	reap := func(term uint64, paths ...string) {
		m.entry(raw(Origin{}, 0, (&Reap{Term: term, Paths: paths}).Append(nil)))
	}
	emptied("/c/s-0000000000", "/m") // not /c, which has a child
	reap(m.term+1, "/m")
	if !m.exists("/m") {
		t.Errorf("removed by the leader of another term")
	}
	m.create("/m/again", protocol.CreateModePersistent)
	before := (View{m.f}).LastZxid()
	reap(m.term, "/m", "/c", "/plain", "/none", "/zookeeper/quota")
	for _, path := range []string{"/m", "/c", "/plain", "/zookeeper/quota"} {
		if !m.exists(path) {
			t.Errorf("%s is removed, but is no empty container", path)
		}
	}
	if z := (View{m.f}).LastZxid(); z != before {
		t.Errorf("zxid %#x after nothing was removed, want %#x", z, before)
	}

	var s sink
	m.f.Watches().NewWatcher(&s).AddChild("/c")
	reap(m.term, "/c/s-0000000000")
	if m.exists("/c/s-0000000000") || len(s.events) != 1 || s.events[0].Zxid != before+1 {
		t.Errorf("after the removal: exists %v, events %+v; want one of zxid %#x", m.exists("/c/s-0000000000"), s.events, before+1)
	}
	emptied("/c") // the outer one goes in the next round
	if got, _ := (View{m.snapshot().f}).Spent(nil, &Look{}, m.now, 0, 1000, 10); !slices.Equal(got, []string{"/c"}) {
		t.Errorf("emptied containers after a restore: %q, want /c", got)
	}
	container("/new", protocol.CreateModeContainer)
	emptied("/c") // one that never had a child stays
}

// The empty path is the root's here as in other reads.
func TestSetWatchesOfEmptyPath(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	for _, c := range []struct {
		q    protocol.SetWatches
		want []protocol.EventType
	}{
		{protocol.SetWatches{RelativeZxid: 1 << 60, Data: []string{""}, Child: []string{""}}, nil},
		{protocol.SetWatches{Exist: []string{""}, Child: []string{""}}, []protocol.EventType{protocol.EventNodeCreated, protocol.EventNodeChildrenChanged}},
	} {
		var s sink
		m.read(protocol.OpSetWatches, &c.q, &Reader{Sink: &s, Watcher: m.f.Watches().NewWatcher(&s)})
		if !slices.EqualFunc(s.events, c.want, func(e watch.Event, typ protocol.EventType) bool { return e.Type == typ && e.Path == "" }) {
			t.Errorf("%+v: %v, want %v", c.q, s.events, c.want)
		}
	}
}
