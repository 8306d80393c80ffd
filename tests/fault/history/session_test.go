package history

import (
	"testing"

	"zooraft/protocol"
)

func TestSessions(t *testing.T) {
	tests := []struct {
		name  string
		build func(a, b *script)
		want  []string
	}{
		{"reads and writes in order", func(a, b *script) {
			a.set("/x", "1", 10).get("/x", 10, 10, "1").get("/x", 12, 11, "2").set("/x", "3", 13).get("/x", 13, 13, "3")
		}, nil},
		{"moved to a server as new", func(a, b *script) { a.get("/x", 10, 9, "").mark(Lost).connect(1).get("/x", 10, 9, "") }, nil},
		{"moved to an older server", func(a, b *script) { a.get("/x", 10, 9, "").mark(Lost).connect(1).ping(9) }, []string{"zxid"}},
		{"a new session may see less", func(a, b *script) { a.get("/x", 10, 9, "").mark(Lost).connect(2).get("/x", 8, 8, "") }, nil},
		{"zxid back on one connection", func(a, b *script) { a.ping(10).ping(9) }, []string{"zxid"}},
		{"replies without a zxid", func(a, b *script) { a.ping(10).ping(0).ping(-1).ping(10) }, nil},
		{"change of the future", func(a, b *script) { a.get("/x", 10, 11, "") }, []string{"zxid"}},
		{"older data", func(a, b *script) { a.get("/x", 10, 9, "").get("/x", 10, 8, "") }, []string{"past"}},
		{"older children", func(a, b *script) { a.children("/x", 10, 9).children("/x", 10, 8) }, []string{"past"}},
		{"own write not shown", func(a, b *script) { a.set("/x", "1", 10).get("/x", 10, 9, "") }, []string{"own-writes"}},
		{"own write shown before it", func(a, b *script) {
			get, set := a.callGet("/x", false), a.callSet("/x", "1")
			a.reply(get, Record{Zxid: 10, Stat: stat(1, 10, 1)}).reply(set, Record{Zxid: 10, Stat: stat(1, 10, 1)})
		}, []string{"own-writes"}},
		{"own create gone", func(a, b *script) { a.create("/x", 0, 10).getNone("/x", 10) }, []string{"own-writes"}},
		{"seen znode gone", func(a, b *script) { a.get("/x", 10, 9, "").getNone("/x", 11) }, []string{"past"}},
		{"deleted by another", func(a, b *script) { a.create("/x", 0, 10).getNone("/x", 11); b.delete("/x", 11) }, nil},
		{"perhaps deleted by another", func(a, b *script) {
			a.create("/x", 0, 10).getNone("/x", 11)
			b.call(Record{Op: protocol.OpDelete, Path: "/x"})
		}, nil},
		{"ephemeral gone", func(a, b *script) { a.get("/x", 10, 9, "").getNone("/x", 11); b.create("/x", 1, 9) }, nil},
		{"back from the dead", func(a, b *script) { a.delete("/x", 10).get("/x", 11, 9, "") }, []string{"past"}},
		{"made anew", func(a, b *script) {
			a.delete("/x", 10).create("/x", 0, 11)
			a.reply(a.callGet("/x", false), Record{Zxid: 12, Stat: stat(11, 11, 11)})
		}, nil},
		{"not there, then older than that", func(a, b *script) {
			a.getNone("/x", 10).reply(a.callGet("/x", false), Record{Zxid: 11, Stat: stat(9, 9, 9)})
		}, []string{"past"}},
		{"failed write changes nothing", func(a, b *script) {
			a.get("/x", 10, 9, "").reply(a.callSet("/x", "1"), Record{Zxid: 11, Err: protocol.ErrBadVersion}).get("/x", 11, 9, "")
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newScript("a").connect(1), newScript("b").connect(3)
			tt.build(a, b)
			expectRules(t, Sessions(historyOf(a, b)), tt.want...)
		})
	}
}
