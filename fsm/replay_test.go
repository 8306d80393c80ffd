package fsm

import (
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// Entries that were replayed before Raft ran come again, mixed with new ones.
func TestReplayBeforeRaft(t *testing.T) {
	want := newMachine(t)
	want.open(100, 1)
	for _, path := range []string{"/a", "/b", "/c", "/d"} {
		want.create(path, 0)
	}
	log := want.log
	m := &machine{t: t, f: New(localSID, want.f.log), term: 1, seq: want.seq}
	m.f.Observe(m)
	m.f.Replay(log[:4])
	if !m.exists("/b") || m.exists("/c") {
		t.Fatalf("after the replay: /b %v, /c %v", m.exists("/b"), m.exists("/c"))
	}
	if len(m.results) != 0 || len(m.registers) != 0 || m.applied != 0 {
		t.Errorf("heard of %d results, %d registrations, index %d", len(m.results), len(m.registers), m.applied)
	}
	for _, part := range [][2]int{{0, 2}, {2, 5}, {5, len(log)}} {
		batch := log[part[0]:part[1]]
		if n := len(m.f.ApplyBatch(batch)); n != len(batch) {
			t.Errorf("%d answers for %d entries", n, len(batch))
		}
	}
	if m.f.Digest() != want.f.Digest() {
		t.Error("another state than without a replay")
	}
	if len(m.results) != len(log)-4 || m.applied != uint64(len(log)) {
		t.Errorf("heard of %d results up to %d, want %d up to %d", len(m.results), m.applied, len(log)-4, len(log))
	}
}

// A replay has Raft's own entries, too. They change nothing, as they do not where
// Raft keeps them to itself.
func TestReplayOfRaftsOwn(t *testing.T) {
	want := newMachine(t)
	want.open(100, 1)
	want.create("/a", 0)
	last := want.log[len(want.log)-1].Index
	m := &machine{t: t, f: New(localSID, want.f.log), term: 1, seq: want.seq}
	m.f.Observe(m)
	m.f.Replay(append(slices.Clone(want.log), &raft.Log{Index: last + 1, Term: 2, Type: raft.LogNoop}))
	if m.f.Digest() != want.f.Digest() {
		t.Error("another state than without the no-op")
	}
}
