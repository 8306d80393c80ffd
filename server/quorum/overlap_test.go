package quorum

import (
	"testing"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
)

// TestOverlap: a leader that begins before the follower's log does is understood.
func TestOverlap(t *testing.T) {
	l := newScriptedLeader(t, store.KindBoltDB, 20) // of which nothing can be read that was cut off
	l.start(5)
	l.append(&raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 20, PrevLogTerm: 1, Entries: noops(21, 24, 5), LeaderCommitIndex: 22})
	n := l.s.node
	if err := n.logs.DeleteRange(1, 15); err != nil { // as behind a snapshot
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name            string
		q               raft.AppendEntriesRequest
		success         bool
		applied, length uint64
	}{
		{"all of it is applied", raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 10, PrevLogTerm: 1, Entries: noops(11, 12, 1), LeaderCommitIndex: 24}, true, 22, 24},
		{"from the first entry on", raft.AppendEntriesRequest{Term: 5, Entries: noops(1, 20, 1), LeaderCommitIndex: 24}, true, 22, 24},
		{"no entries", raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 10, PrevLogTerm: 1, LeaderCommitIndex: 24}, true, 22, 24},
		{"a heartbeat", raft.AppendEntriesRequest{Term: 5}, true, 22, 24},
		{"a leader of before", raft.AppendEntriesRequest{Term: 4, PrevLogEntry: 10, PrevLogTerm: 1, Entries: noops(11, 12, 1)}, false, 22, 24},
		{"what is in the log is compared", raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 20, PrevLogTerm: 2, Entries: noops(21, 26, 5)}, false, 22, 24},
		{"it goes beyond", raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 14, PrevLogTerm: 1,
			Entries: append(noops(15, 20, 1), noops(21, 26, 5)...), LeaderCommitIndex: 30}, true, 26, 26},
	} {
		l.expect(tt.name, &tt.q, tt.success, tt.applied, tt.length)
	}
}

// TestLogBehindInstalled: what a follower got behind a snapshot is sent again, as
// when the answer was lost, and replaced by the next leader.
func TestLogBehindInstalled(t *testing.T) {
	for _, kind := range []string{store.KindWAL, store.KindBoltDB} {
		t.Run(kind, func(t *testing.T) {
			l := newScriptedLeader(t, kind, 5)
			l.start(5)
			if a, err := l.install(5, 10, 3); err != nil || !a.Success {
				t.Fatalf("a snapshot: %+v, %v", a, err)
			}
			if last, err := l.s.node.stores.Log.LastIndex(); last != 0 || err != nil {
				t.Errorf("the log behind a snapshot ends with %d, %v", last, err)
			}
			for _, what := range []string{"the entries behind it", "once more"} {
				q := raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 10, PrevLogTerm: 3, Entries: noops(11, 13, 5), LeaderCommitIndex: 10}
				l.expect(what, &q, true, 10, 13)
			}
			q := raft.AppendEntriesRequest{Term: 6, PrevLogEntry: 10, PrevLogTerm: 3, Entries: noops(11, 12, 6), LeaderCommitIndex: 11}
			l.expect("the next leader's", &q, true, 11, 12)
		})
	}
}

// expect sends a message, and says how far the follower then is.
func (l *scriptedLeader) expect(what string, q *raft.AppendEntriesRequest, success bool, applied, last uint64) {
	l.t.Helper()
	a := l.append(q)
	r := l.s.node.raft.Load()
	if a.Success != success || r.AppliedIndex() != applied || r.LastIndex() != last {
		l.t.Errorf("%s: answer %+v, %d of %d entries applied; want success %v, %d of %d",
			what, a, r.AppliedIndex(), r.LastIndex(), success, applied, last)
	}
}
