package server

import (
	"slices"
	"strings"
	"testing"

	"zooraft/server/console"
	"zooraft/zabcompat"
)

// Members are ranked by what they say now, behind them those that do not answer;
// how far each is behind goes by who knows most.
func TestRanksAndLag(t *testing.T) {
	at := func(sid int64, zxid zabcompat.Zxid, committed, applied uint64) *Status {
		return &Status{SID: sid, Vote: zabcompat.Vote{Epoch: 3, Zxid: zxid, SID: sid}, RaftCommitIndex: committed, RaftAppliedIndex: applied}
	}
	members := []console.Member{{SID: 1}, {SID: 2}, {SID: 3}, {SID: 4}}
	answers := map[int64]*Status{1: at(1, 0x300000005, 90, 90), 2: at(2, 0x300000009, 100, 100), 4: at(4, 0x300000005, 90, 85)}
	setLag(members, answers)
	setRanks(members, answers)
	var order []int64
	for i, m := range members {
		order = append(order, m.SID)
		if m.Rank != i+1 {
			t.Errorf("server %d has rank %d at place %d", m.SID, m.Rank, i+1)
		}
		switch want := map[int64]int64{1: 10, 2: 0, 4: 15}[m.SID]; {
		case m.SID == 3 && (m.Lag != nil || m.Vote != nil):
			t.Errorf("of one that does not answer: lag %v, vote %v", m.Lag, m.Vote)
		case m.SID != 3 && (m.Lag == nil || *m.Lag != want):
			t.Errorf("server %d: lag %v, want %d", m.SID, m.Lag, want)
		}
	}
	if want := []int64{2, 4, 1, 3}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestMemberWarnings(t *testing.T) {
	yes, no := true, false
	lag := func(n int64) *int64 { return &n }
	well := func(sid int64) console.Member {
		return console.Member{SID: sid, Member: true, Connected: true, Role: "participant", Room: "plenty", Serving: &yes, Lag: lag(3), Version: "1, built"}
	}
	for _, tt := range []struct {
		name   string
		change func(m []console.Member)
		voters int
		want   string
	}{
		{"well", nil, 3, ""},
		{"one is gone", func(m []console.Member) { m[1].Connected = false }, 3, "MemberGone server.2, QuorumThin "},
		{"two are gone", func(m []console.Member) { m[1].Connected, m[2].Connected = false, false }, 3, "MemberGone server.2, MemberGone server.3, QuorumLost "},
		{"one is behind", func(m []console.Member) { m[2].Lag = lag(catchingUp + 1) }, 3, "MemberLags server.3"},
		{"one does not answer", func(m []console.Member) { m[2].Problem = "timeout" }, 3, "MemberSilent server.3, QuorumThin "},
		{"one serves nobody", func(m []console.Member) { m[2].Serving = &no }, 3, "MemberNotServing server.3"},
		{"the leader serves nobody", func(m []console.Member) { m[2].Serving, m[2].Leader = &no, true }, 3, ""},
		{"a full disk", func(m []console.Member) { m[2].Room = "none" }, 3, "DiskSpace server.3"},
		{"another release", func(m []console.Member) { m[2].Version = "2, built" }, 3, "MixedVersions "},
		{"a stranger", func(m []console.Member) { m[2].Member = false }, 2, "Stranger server.3, TwoVoters "},
		{"an observer gone", func(m []console.Member) { m[2].Role, m[2].Connected = "observer", false }, 2, "MemberGone server.3, TwoVoters "},
		{"four", nil, 4, "EvenVoters "},
	} {
		e := console.Ensemble{Voters: tt.voters, Quorum: tt.voters/2 + 1}
		for sid := int64(1); sid <= int64(max(tt.voters, 3)); sid++ {
			e.Members = append(e.Members, well(sid))
		}
		if tt.change != nil {
			tt.change(e.Members)
		}
		l := &warnings{}
		l.members(&e)
		var got []string
		for _, w := range l.all {
			got = append(got, w.Code+" "+w.Subject)
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.want)
		}
	}
}

// All members speak of the same keys.
func TestSharedSettings(t *testing.T) {
	c := DefaultConfig()
	for key, value := range c.shared() {
		if value == "" && key != "authProvider" && key != "enforce.auth.schemes" {
			t.Errorf("%s has no value", key)
		}
		if Secret(key) {
			t.Errorf("%s is a secret", key)
		}
	}
}
