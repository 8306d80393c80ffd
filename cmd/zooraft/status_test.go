package main

import (
	"encoding/json"
	"strings"
	"testing"

	"zooraft/server"
	"zooraft/zabcompat"
)

// What is shown is the ensemble that the servers tell of, and not the one of zoo.cfg.
func TestStatusOfTheEnsemble(t *testing.T) {
	const (
		three = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nversion="
		five  = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nserver.4=d:1:2:participant\nserver.5=e:1:2:observer\nversion="
	)
	says := func(sid int, state zabcompat.State, membership string) member {
		st := server.Status{SID: int64(sid), State: state, Serving: true, LeaderSID: 2, Vote: zabcompat.Vote{SID: int64(sid)}, Membership: membership}
		return member{SID: sid, Addr: "h:1", Status: &st}
	}
	for _, tt := range []struct {
		name       string
		members    []member
		want, lack []string
	}{
		{"as zoo.cfg has it", []member{says(1, zabcompat.Following, three+"0"), says(2, zabcompat.Leading, three+"0"), {SID: 3}},
			[]string{"ensemble of 3: server 2 leads", "3 no answer", "vote order: 2 > 1\n"}, []string{"(no"}},
		{"joiners", []member{says(1, zabcompat.Following, three+"100"), says(2, zabcompat.Leading, three+"100"), {SID: 3}, says(4, zabcompat.Following, five+"0"), {SID: 5}},
			[]string{"ensemble of 3:", "3 no answer -", "4 FOLLOWING (no vote)", "5 no answer (no member)", "vote order: 2 > 1\n"}, nil},
		{"grown", []member{says(1, zabcompat.Following, three+"100"), says(2, zabcompat.Leading, five+"200"), says(4, zabcompat.Following, five+"200"), says(5, zabcompat.Observing, five+"200")},
			[]string{"ensemble of 5:", "5 OBSERVING", "vote order: 4 > 2 > 1\n"}, []string{"(no"}},
		{"an earlier release", []member{says(1, zabcompat.Following, ""), says(2, zabcompat.Leading, "")},
			[]string{"ensemble of 2:", "vote order: 2 > 1\n"}, []string{"(no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := printMembers(&out, tt.members); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for line := range strings.Lines(out.String()) {
				lines = append(lines, strings.Join(strings.Fields(line), " ")+"\n")
			}
			text := strings.Join(lines, "")
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
			for _, lack := range tt.lack {
				if strings.Contains(text, lack) {
					t.Errorf("%q in\n%s", lack, &out)
				}
			}
		})
	}
}

// Who has not answered where zoo.cfg has it is asked where the others reach it, and so
// is who is connected to them.
func TestStatusAsksElsewhere(t *testing.T) {
	var st server.Status
	if err := json.Unmarshal([]byte(`{
		"sid": 1,
		"membership": "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.6=f:1:2:participant\nserver.7=g:1:2:participant\nversion=100",
		"peers": [
			{"sid": 2, "addr": "b:1"},
			{"sid": 3, "addr": "c:1", "connected": true},
			{"sid": 4, "addr": "d:1"},
			{"sid": 5, "connected": true},
			{"sid": 6, "addr": "f:1"}
		]}`), &st); err != nil {
		t.Fatal(err)
	}
	members := []member{{SID: 1, Addr: "a:1", Status: &st}, {SID: 2, Addr: "0.0.0.0:1"}, {SID: 6, Addr: "f:1"}}
	var got []string
	more := elsewhere(members)
	for _, s := range more {
		got = append(got, s.QuorumAddr())
	}
	if want := "b:1 c:1 g:1"; strings.Join(got, " ") != want {
		t.Errorf("asks %q, want %q", got, want)
	}
	two := server.Status{SID: 2}
	merged := merge(members, []member{{SID: 2, Addr: "b:1", Status: &two}, {SID: 3, Addr: "c:1"}})
	if len(merged) != 4 || merged[1].Addr != "b:1" || merged[2].SID != 3 {
		t.Errorf("merged: %+v", merged)
	}
}
