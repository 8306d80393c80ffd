package server

import (
	"errors"
	"testing"

	"zooraft/zabcompat"
)

func TestUnsafe(t *testing.T) {
	gone, behind := errors.New("server 1: connection refused"), errors.New("server 2 is catching up: applied 1 of 5000")
	for _, tt := range []struct {
		name         string
		good, voters int
		problems     []error
		want         string
	}{
		{"the other two are fit", 2, 3, nil, ""},
		{"the only voter", 0, 1, nil, "without this server 0 of 1 voters are fit and 1 are needed"},
		{"one of two", 1, 2, nil, "without this server 1 of 2 voters are fit and 2 are needed"},
		{"one is gone", 1, 3, []error{gone}, "without this server 1 of 3 voters are fit and 2 are needed: server 1: connection refused"},
		{"one of five is gone", 3, 5, []error{gone}, "a member is catching up or gone: server 1: connection refused"},
		{"on one line", 2, 5, []error{gone, behind}, "without this server 2 of 5 voters are fit and 3 are needed: server 1: connection refused; server 2 is catching up: applied 1 of 5000"},
	} {
		got := ""
		if err := unsafe(tt.good, tt.voters, tt.problems); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCaughtUp(t *testing.T) {
	for _, tt := range []struct {
		applied, committed uint64
		want               bool
	}{
		{0, 0, true},
		{7, 7, true},
		{8, 7, true}, // asked for one after the other
		{0, catchingUp, true},
		{0, catchingUp + 1, false},
		{10, catchingUp + 10, true},
		{10, catchingUp + 11, false},
	} {
		if err := caughtUp(tt.applied, tt.committed); (err == nil) != tt.want {
			t.Errorf("applied %d of %d: got %v, want caught up %v", tt.applied, tt.committed, err, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	self := &Status{SID: 1, LeaderSID: 3, RaftCommitIndex: catchingUp + 10}
	for _, tt := range []struct {
		name string
		st   Status
		want bool
	}{
		{"follower", Status{Serving: true, State: zabcompat.Following, LeaderSID: 3, RaftAppliedIndex: 10}, true},
		{"leader", Status{Serving: true, State: zabcompat.Leading, LeaderSID: 3, RaftAppliedIndex: 10}, true},
		{"leader without clients", Status{State: zabcompat.Leading, LeaderSID: 3, RaftAppliedIndex: 10}, true},
		{"follower that does not serve", Status{State: zabcompat.Following, LeaderSID: 3, RaftAppliedIndex: 10}, false},
		{"read-only", Status{Serving: true, ReadOnly: true, State: zabcompat.Following, LeaderSID: 3, RaftAppliedIndex: 10}, false},
		{"read-only, it leads", Status{ReadOnly: true, State: zabcompat.Leading, LeaderSID: 3, RaftAppliedIndex: 10}, false},
		{"of another leader", Status{Serving: true, State: zabcompat.Following, LeaderSID: 2, RaftAppliedIndex: 10}, false},
		{"of none", Status{Serving: true, State: zabcompat.Looking, RaftAppliedIndex: 10}, false},
		{"behind", Status{Serving: true, State: zabcompat.Following, LeaderSID: 3, RaftAppliedIndex: 9}, false},
	} {
		tt.st.Room = 1
		if err := fit(&tt.st, self); (err == nil) != tt.want {
			t.Errorf("%s: got %v, want fit %v", tt.name, err, tt.want)
		}
	}
	if fit(&Status{Serving: true, State: zabcompat.Following, LeaderSID: 3, RaftAppliedIndex: 10}, self) == nil {
		t.Error("one without room is fit")
	}
}
