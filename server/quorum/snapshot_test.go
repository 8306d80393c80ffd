package quorum

import "testing"

func TestSnapshotDue(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name            string
		size            uint64 // of the last snapshot
		requests, bytes uint64
		roll            float64
		want            bool
	}{
		{"nothing written", 0, 0, 0, 0, false},
		{"snapCount", 0, 1000, 1, 1, true},
		{"half of it, by the roll", 0, 500, 1, 0, true},
		{"below half", 0, 499, 1, 0, false},
		{"small changes to a large state", 1000 * mib, 5000, 5 * mib, 1, false},
		{"log half as large as the state", 1000 * mib, 5000, 500 * mib, 1, true},
		{"few large requests", 1 * mib, 100, 64 * mib, 0, true},
		{"few large requests, late by the roll", 1 * mib, 100, 95 * mib, 1, false},
		{"log as large as the state", 1000 * mib, 10, 1000 * mib, 0, true},
	}
	for _, tt := range tests {
		s := snapshots{roll: tt.roll}
		s.size.Store(tt.size)
		if got := s.due(tt.requests, tt.bytes, 1000); got != tt.want {
			t.Errorf("%s: due %v, want %v", tt.name, got, tt.want)
		}
	}
}
