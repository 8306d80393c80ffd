package fsm

import (
	"fmt"
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
