package history

import (
	"testing"
	"time"

	"zooraft/protocol"
)

func TestEphemerals(t *testing.T) {
	const (
		deleted = protocol.EventNodeDeleted
		sec     = time.Second // the timeout of every session here
	)
	x := Expiry{Tick: 500 * ms, Slack: 100 * ms, Elections: []time.Duration{20 * sec}}
	shown := func(s *script, zxid int64) *script {
		return s.reply(s.call(Record{Op: protocol.OpExists, Path: "/e", Watch: true}), Record{Zxid: zxid, Stat: stat(5, 5, 5)})
	}
	tests := []struct {
		name  string
		build func(owner, o *script)
		want  []string
	}{
		{"lives while pinged", func(owner, o *script) {
			for i := range 10 {
				owner.at(time.Duration(i) * sec / 2).ping(6)
				shown(o.at(time.Duration(i)*sec/2), 6)
			}
		}, nil},
		{"gone in time", func(owner, o *script) { shown(o, 5).at(1300*ms).event(deleted, "/e", 9).getNone("/e", 9) }, nil},
		{"gone early", func(owner, o *script) { shown(o, 5).at(900*ms).event(deleted, "/e", 9) }, []string{"ephemeral-early"}},
		{"gone early, seen by a read", func(owner, o *script) { o.at(900*ms).getNone("/e", 9) }, []string{"ephemeral-early"}},
		{"not there yet", func(owner, o *script) { o.at(900*ms).getNone("/e", 4); shown(o, 6) }, nil},
		{"gone while pinged", func(owner, o *script) {
			owner.at(sec).ping(6)
			o.at(1900*ms).event(deleted, "/e", 9)
		}, []string{"ephemeral-early"}},
		{"the last ping was not answered", func(owner, o *script) {
			owner.at(sec).call(Record{Op: protocol.OpPing})
			o.at(1300*ms).event(deleted, "/e", 9)
		}, nil},
		{"gone late", func(owner, o *script) { o.at(1800*ms).event(deleted, "/e", 9) }, []string{"ephemeral-late"}},
		{"never gone", func(owner, o *script) { shown(o.at(5*sec), 9) }, []string{"ephemeral-late"}},
		{"a new leader gives the whole timeout again", func(owner, o *script) {
			owner.at(19500 * ms).ping(6)
			o.at(21500*ms).event(deleted, "/e", 9)
		}, nil},
		{"and no more than that", func(owner, o *script) {
			owner.at(19500 * ms).ping(6)
			o.at(21700*ms).event(deleted, "/e", 9)
		}, []string{"ephemeral-late"}},
		{"moved in time", func(owner, o *script) {
			owner.at(900 * ms).mark(Lost).connect(1)
			o.at(1850*ms).event(deleted, "/e", 9)
		}, []string{"ephemeral-early"}},
		{"closed", func(owner, o *script) { owner.at(100 * ms).close(7); o.at(90*ms).event(deleted, "/e", 7) }, []string{"ephemeral-early"}},
		{"closed, seen after the call", func(owner, o *script) { owner.at(100 * ms).close(7); o.at(101*ms).event(deleted, "/e", 7) }, nil},
		{"shown after the close", func(owner, o *script) { owner.at(100 * ms).close(7); shown(o, 7) }, []string{"ephemeral-late"}},
		{"shown before the close, by a server behind", func(owner, o *script) { owner.at(100 * ms).close(7); shown(o.at(200*ms), 6) }, nil},
		{"gone and back", func(owner, o *script) { o.at(1300*ms).event(deleted, "/e", 9); shown(o, 10) }, []string{"ephemeral-again"}},
		{"gone, and made anew by another", func(owner, o *script) {
			o.at(1300*ms).event(deleted, "/e", 9)
			o.reply(o.call(Record{Op: protocol.OpExists, Path: "/e"}), Record{Zxid: 11, Stat: stat(10, 10, 10)})
		}, nil},
		{"an old event of the same path", func(owner, o *script) { o.event(deleted, "/e", 4); shown(o, 6) }, nil},
		{"deleted by a client", func(owner, o *script) { o.at(100*ms).delete("/e", 6) }, nil},
		{"refused too early", func(owner, o *script) { owner.at(500 * ms).mark(Lost).mark(Expired) }, []string{"expired-early"}},
		{"refused in time", func(owner, o *script) {
			owner.mark(Lost).at(1300 * ms).mark(Expired)
			o.at(1250*ms).event(deleted, "/e", 9)
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			owner := newScript("owner").connect(1).create("/e", protocol.CreateModeEphemeral, 5)
			o := newScript("observer").connect(2)
			tt.build(owner, o)
			expectRules(t, Ephemerals(historyOf(owner, o), x), tt.want...)
		})
	}
}
