package quorum

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"zooraft/zabcompat"
)

// parse reads "1 2 3o": servers, with o for those without a vote.
func parseServers(text string) (c raft.Configuration, m zabcompat.Membership) {
	for _, f := range strings.Fields(text) {
		id, voteless := strings.CutSuffix(f, "o")
		s := raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)}
		if voteless {
			s.Suffrage = raft.Nonvoter
		}
		c.Servers = append(c.Servers, s)
		m.Servers = append(m.Servers, zabcompat.ServerSpec{ID: int(sidOf(s.ID)), Host: "h", QuorumPort: 1, ElectionPort: 2, Observer: voteless})
	}
	return c, m
}

func oneOf(sids ...int64) func(int64) bool {
	return func(sid int64) bool { return slices.Contains(sids, sid) }
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name, conf, goal string
		pending          bool
		self             int64   // 1 if not said
		gone             []int64 // not connected
		behind, foreign  []int64
		full             []int64 // with little room on the disk
		absent           []int64
		callers          []int64
		failed           int64
		want             string
	}{
		{name: "as it should be", conf: "1 2 3", goal: "1 2 3", want: "nothing 0"},
		{name: "joiner is added first", conf: "1 2 3", goal: "1 2 3 4", pending: true, want: "add 4"},
		{name: "learner is promoted", conf: "1 2 3 4o", goal: "1 2 3 4", pending: true, want: "promote 4"},
		{name: "not before it has caught up", conf: "1 2 3 4o", goal: "1 2 3 4", pending: true, behind: []int64{4}, want: "wait 0"},
		{name: "nor while it is gone", conf: "1 2 3 4o", goal: "1 2 3 4", pending: true, gone: []int64{4}, want: "wait 0"},
		{name: "nor if there were no quorum then", conf: "1 2 3 4o", goal: "1 2 3 4", pending: true, gone: []int64{2, 3}, want: "wait 0"},
		{name: "observer", conf: "1 2 3", goal: "1 2 3 4o", pending: true, gone: []int64{4}, want: "add 4"},
		{name: "joiners before leavers", conf: "1 2 3 4 5o", goal: "1 4 5", pending: true, want: "promote 5"},
		{name: "no leaver before all joiners", conf: "1 2 3 4 5o", goal: "1 4 5", pending: true, behind: []int64{5}, want: "wait 0"},
		{name: "leaver", conf: "1 2 3 4", goal: "1 2 4", pending: true, want: "demote 3"},
		{name: "who is gone leaves first", conf: "1 2 3 4", goal: "1 4", pending: true, gone: []int64{3}, want: "demote 3"},
		{name: "no leaver at the price of the quorum", conf: "1 2 3", goal: "1 2", pending: true, gone: []int64{2}, want: "wait 0"},
		{name: "the leader leaves last", conf: "1 2 3", goal: "2", pending: true, want: "demote 3"},
		{name: "by handing over", conf: "1 2 3o", goal: "2 3o", pending: true, want: "hand over to 2"},
		{name: "not to one that lags", conf: "1 2 4", goal: "2 4", pending: true, behind: []int64{2}, want: "hand over to 4"},
		{name: "not to one that did not take it", conf: "1 2 4", goal: "2 4", pending: true, failed: 2, want: "hand over to 4"},
		{name: "but again if there is no other", conf: "1 2 4", goal: "2 4", pending: true, failed: 2, behind: []int64{4}, want: "hand over to 2"},
		{name: "its successor takes its vote", self: 2, conf: "1 2 3", goal: "2 3", pending: true, want: "demote 1"},
		{name: "voter to observer", conf: "1 2 3", goal: "1 2 3o", pending: true, want: "demote 3"},
		{name: "leader to observer", conf: "1 2 3", goal: "1o 2 3", pending: true, want: "hand over to 2"},
		{name: "observer to voter", conf: "1 2 3o", goal: "1 2 3", pending: true, want: "promote 3"},
		{name: "carried out", conf: "1 2 3o 4", goal: "1 2 4", pending: true, want: "nothing 0"},
		{name: "who calls is let in", conf: "1 2 3", goal: "1 2 3", callers: []int64{2, 7}, want: "add 7"},
		{name: "and stays", conf: "1 2 3 7o", goal: "1 2 3", callers: []int64{7}, want: "nothing 0"},
		{name: "until it is gone for long", conf: "1 2 3 7o", goal: "1 2 3", absent: []int64{7}, want: "remove 7"},
		{name: "but not during a change", conf: "1 2 3 7o", goal: "1 2 3 4o", pending: true, absent: []int64{7}, want: "add 4"},
		{name: "a member stays, however long it is gone", conf: "1 2 3o", goal: "1 2 3o", absent: []int64{3}, want: "nothing 0"},
		{name: "a lost disk loses its vote", conf: "1 2 3", goal: "1 2 3", foreign: []int64{3}, behind: []int64{3}, want: "demote 3"},
		{name: "not at the price of the quorum", conf: "1 2 3", goal: "1 2 3", foreign: []int64{3}, gone: []int64{2}, want: "nothing 0"},
		{name: "and gets it again", conf: "1 2 3o", goal: "1 2 3", want: "promote 3"},
		{name: "when it has caught up", conf: "1 2 3o", goal: "1 2 3", behind: []int64{3}, want: "wait 0"},
		{name: "which holds nobody else up", conf: "1 2 3o 7o", goal: "1 2 3", gone: []int64{3}, absent: []int64{7}, want: "remove 7"},
		{name: "what was given up is taken back", conf: "1 2 3 4", goal: "1 2 3", want: "demote 4"},
		{name: "a full disk does not lead", conf: "1 2 3", goal: "1 2 3", full: []int64{1}, want: "hand over to 2"},
		{name: "nor is another one to lead", conf: "1 2 3", goal: "1 2 3", full: []int64{1, 2}, want: "hand over to 3"},
		{name: "nor one that is behind", conf: "1 2 3 4o", goal: "1 2 3 4o", full: []int64{1}, behind: []int64{2, 3}, want: "nothing 0"},
		{name: "while all are full it goes on", conf: "1 2 3", goal: "1 2 3", full: []int64{1, 2, 3}, want: "nothing 0"},
		{name: "who is down holds nothing up", conf: "1 2 3 4o", goal: "1 2 3 4", full: []int64{1}, gone: []int64{4}, want: "hand over to 2"},
		{name: "on the way back: who left", conf: "1 4 2o 3o", goal: "1 2 3", want: "promote 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := situation{self: max(tt.self, 1), pending: tt.pending, callers: tt.callers, failed: tt.failed}
			s.conf, _ = parseServers(tt.conf)
			_, s.goal = parseServers(tt.goal)
			not := func(f func(int64) bool) func(int64) bool { return func(sid int64) bool { return !f(sid) } }
			s.connected, s.keepsUp = not(oneOf(tt.gone...)), not(oneOf(tt.behind...))
			s.foreign, s.absent = oneOf(tt.foreign...), oneOf(tt.absent...)
			s.scarce, s.roomy = oneOf(tt.full...)(s.self), not(oneOf(tt.full...))
			what, sid := s.next()
			if got := fmt.Sprint(what, " ", sid); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
