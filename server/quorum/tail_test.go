package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

// TestTailOfAnotherLeader: a server that ended between a leader's snapshot and the
// end of its own log, which is not the leader's, begins with the snapshot alone.
func TestTailOfAnotherLeader(t *testing.T) {
	for _, kind := range []string{store.KindWAL, store.KindBoltDB} {
		t.Run(kind, func(t *testing.T) {
			l := newScriptedLeader(t, kind, 20)
			conf := (&Node{cfg: l.s.cfg}).firstConfiguration()
			l.s.edit(func(s *store.Stores) {
				sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, 10, 3, conf, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := bytes.NewReader(emptyState(t)).WriteTo(sink); err != nil {
					t.Fatal(err)
				}
				if err := sink.Close(); err != nil {
					t.Fatal(err)
				}
				if err := s.Stable.SetUint64([]byte("CurrentTerm"), 5); err != nil {
					t.Fatal(err)
				}
			})
			l.start(5)
			l.expect("what follows the snapshot", &raft.AppendEntriesRequest{
				Term: 5, PrevLogEntry: 10, PrevLogTerm: 3, Entries: noops(11, 12, 5), LeaderCommitIndex: 11,
			}, true, 11, 12)
		})
	}
}

// TestTailReplaced: Raft goes on behind a snapshot only if its own log has ended
// before. A server whose log has not ends, and goes on when it starts again.
func TestTailReplaced(t *testing.T) {
	for _, kind := range []string{store.KindWAL, store.KindBoltDB} {
		for _, tt := range []struct {
			last uint64 // of the log
			ends bool
		}{{9, false}, {10, true}, {11, true}, {20, true}} {
			t.Run(fmt.Sprintf("%s, log to %d", kind, tt.last), func(t *testing.T) {
				l := newScriptedLeader(t, kind, tt.last)
				l.start(5)
				if a, err := l.install(5, 10, 3); err != nil || !a.Success {
					t.Fatalf("a snapshot: %+v, %v", a, err)
				}
				if tt.ends {
					if err := testkit.Await(t, l.s.fatal, "end"); !errors.Is(err, errTailReplaced) {
						t.Errorf("it ends for %v", err)
					}
					if err := l.s.node.Close(); err != nil {
						t.Fatal(err)
					}
					l.start(5)
				}
				l.expect("what follows the snapshot", &raft.AppendEntriesRequest{
					Term: 5, PrevLogEntry: 10, PrevLogTerm: 3, Entries: noops(11, 12, 5), LeaderCommitIndex: 11,
				}, true, 11, 12)
				if len(l.s.fatal) > 0 {
					t.Errorf("it ends for %v", <-l.s.fatal)
				}
			})
		}
	}
}
