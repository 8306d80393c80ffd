package quorum

import (
	"testing"
	"time"
)

func TestSnapshotDue(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name            string
		size            uint64 // of the last snapshot
		requests, bytes uint64
		roll            float64
		since           time.Duration
		want            bool
	}{
		{"nothing written", 0, 0, 0, 0, time.Second, false},
		{"snapCount", 0, 1000, 1, 1, time.Second, true},
		{"half of it, by the roll", 0, 500, 1, 0, time.Second, true},
		{"below half", 0, 499, 1, 0, time.Second, false},
		{"small changes to a large state", 1000 * mib, 5000, 5 * mib, 1, time.Second, false},
		{"small changes for longer", 1000 * mib, 5000, 5 * mib, 1, 10 * time.Second, true},
		{"log as large as the state, by count", 1000 * mib, 5000, 1000 * mib, 1, time.Second, true},
		{"few large requests", 1 * mib, 100, 64 * mib, 0, time.Second, true},
		{"few large requests, late by the roll", 1 * mib, 100, 95 * mib, 1, time.Second, false},
		{"log as large as the state", 1000 * mib, 10, 1000 * mib, 0, time.Second, true},
	}
	for _, tt := range tests {
		s := snapshots{roll: tt.roll}
		s.size.Store(tt.size)
		if got := s.due(tt.requests, tt.bytes, 1000, tt.since); got != tt.want {
			t.Errorf("%s: due %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSnapshotDueWhereScarce(t *testing.T) {
	for _, tt := range []struct {
		name            string
		requests, bytes uint64
		since           time.Duration
		want            bool
	}{
		{"nothing written", 0, 0, time.Hour, false},
		{"a log worth dropping", 1, leastScarce, restBetween, true},
		{"it again at once", 1, leastScarce, restBetween - 1, false},
		{"less", 1, leastScarce - 1, scarceRest - 1, false},
		{"less, for long", 1, 1, scarceRest, true},
	} {
		if got := dueWhereScarce(tt.requests, tt.bytes, tt.since); got != tt.want {
			t.Errorf("%s: due %v, want %v", tt.name, got, tt.want)
		}
	}
}
