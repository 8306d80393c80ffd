package history

import (
	"testing"

	"zooraft/protocol"
)

func TestWatches(t *testing.T) {
	const (
		created  = protocol.EventNodeCreated
		deleted  = protocol.EventNodeDeleted
		changed  = protocol.EventNodeDataChanged
		children = protocol.EventNodeChildrenChanged
	)
	rewatch := func(a *script, s protocol.SetWatches) int {
		return a.mark(Lost).connect(1).call(Record{Op: protocol.OpSetWatches, Watches: &s})
	}
	tests := []struct {
		name  string
		build func(a *script)
		want  []string
	}{
		{"event before the change", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/x", 6).get("/x", 6, 6, "") }, nil},
		{"change without event", func(a *script) { a.getWatch("/x", 5, 4).get("/x", 6, 6, "") }, []string{"event-first"}},
		{"event after the change", func(a *script) { a.getWatch("/x", 5, 4).get("/x", 6, 6, "").event(changed, "/x", 6) },
			[]string{"event-asked", "event-first", "event-order"}},
		{"own write without event", func(a *script) { a.getWatch("/x", 5, 4).set("/x", "", 6) }, []string{"event-first"}},
		{"own write", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/x", 6).set("/x", "", 6) }, nil},
		{"one shot", func(a *script) {
			a.getWatch("/x", 5, 4).event(changed, "/x", 6).get("/x", 6, 6, "").get("/x", 7, 7, "")
		}, nil},
		{"two events for one watch", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/x", 6).event(changed, "/x", 7) },
			[]string{"event-asked"}},
		{"event of another znode", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/y", 6) }, []string{"event-asked"}},
		{"event of an old change", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/x", 4) },
			[]string{"event-asked", "event-order"}},
		{"creation announced", func(a *script) { a.existsNoneWatch("/x", 5).event(created, "/x", 6).get("/x", 6, 6, "") }, nil},
		{"creation not announced", func(a *script) { a.existsNoneWatch("/x", 5).get("/x", 6, 6, "") }, []string{"event-first"}},
		{"deletion announced once for both", func(a *script) {
			a.getWatch("/x", 5, 4).childrenWatch("/x", 5, 4).event(deleted, "/x", 6).getNone("/x", 6)
		}, nil},
		{"deletion announced twice", func(a *script) {
			a.getWatch("/x", 5, 4).childrenWatch("/x", 5, 4).event(deleted, "/x", 6).event(deleted, "/x", 6)
		}, []string{"event-asked"}},
		{"deletion not announced", func(a *script) { a.childrenWatch("/x", 5, 4).getNone("/x", 6) }, []string{"event-first"}},
		{"own deletion not announced", func(a *script) { a.getWatch("/x", 5, 4).delete("/x", 6) }, []string{"event-first"}},
		{"children announced", func(a *script) { a.childrenWatch("/x", 5, 4).event(children, "/x", 6).children("/x", 6, 6) }, nil},
		{"children not announced", func(a *script) { a.childrenWatch("/x", 5, 4).children("/x", 6, 6) }, []string{"event-first"}},
		{"data changes are not for child watches", func(a *script) { a.childrenWatch("/x", 5, 4).event(changed, "/x", 6) },
			[]string{"event-asked"}},
		{"getData of nothing leaves no watch", func(a *script) {
			a.reply(a.callGet("/x", true), Record{Zxid: 5, Err: protocol.ErrNoNode}).get("/x", 6, 6, "")
		}, nil},
		{"watches die with the connection", func(a *script) { a.getWatch("/x", 5, 4).mark(Lost).connect(1).get("/x", 6, 6, "") }, nil},
		{"reply older than an event", func(a *script) { a.getWatch("/x", 5, 4).event(changed, "/x", 7).ping(6) },
			[]string{"event-order"}},
		{"event after a later reply", func(a *script) { a.getWatch("/x", 5, 4).ping(6).event(changed, "/x", 6) },
			[]string{"event-order"}},
		{"events out of order", func(a *script) {
			a.getWatch("/x", 5, 4).getWatch("/y", 5, 4).event(changed, "/y", 7).event(changed, "/x", 6)
		}, []string{"event-order"}},
		{"old servers put no zxid into events", func(a *script) {
			a.getWatch("/x", 5, 4).ping(6).event(changed, "/x", -1).get("/x", 6, 6, "")
		}, nil},
		{"caught up", func(a *script) {
			i := rewatch(a, protocol.SetWatches{RelativeZxid: 5, Data: []string{"/x", "/y"}, Child: []string{"/x"}})
			a.event(changed, "/x", -1).event(deleted, "/y", -1).event(deleted, "/x", -1).reply(i, Record{Zxid: 9})
			a.get("/x", 9, 8, "")
		}, nil},
		{"not caught up", func(a *script) {
			i := rewatch(a, protocol.SetWatches{RelativeZxid: 5, Data: []string{"/x"}})
			a.reply(i, Record{Zxid: 9}).get("/x", 9, 8, "")
		}, []string{"event-first"}},
		{"nothing to catch up, then a change", func(a *script) {
			i := rewatch(a, protocol.SetWatches{RelativeZxid: 5, Data: []string{"/x"}, Exist: []string{"/y"}})
			a.reply(i, Record{Zxid: 9}).get("/x", 9, 4, "").event(changed, "/x", 10).event(created, "/y", 11)
		}, nil},
		{"creation not caught up", func(a *script) {
			i := rewatch(a, protocol.SetWatches{RelativeZxid: 5, Exist: []string{"/y"}})
			a.reply(i, Record{Zxid: 9}).get("/y", 9, 8, "")
		}, []string{"event-first"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newScript("a").connect(1)
			tt.build(a)
			expectRules(t, Watches(historyOf(a)), tt.want...)
		})
	}
}
