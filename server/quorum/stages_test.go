package quorum

import (
	"testing"
	"time"
)

// The newest write of an entry counts, and old ones are forgotten.
func TestLogWrites(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var s logWrites
	if _, ok := s.of(1); ok {
		t.Error("knows an entry before the first write")
	}
	s.note(1, 3, at(0), at(1))
	s.note(4, 4, at(2), at(3))
	s.note(3, 5, at(4), at(5)) // another leader's, in their place
	for index, want := range map[uint64]int{1: 1, 2: 1, 3: 5, 4: 5, 5: 5} {
		if w, ok := s.of(index); !ok || !w.stored.Equal(at(want)) {
			t.Errorf("entry %d: %v %v, want the write that ended after %d ms", index, w, ok, want)
		}
	}
	if w, ok := s.of(6); ok {
		t.Errorf("entry 6: %v", w)
	}
	for i := range uint64(logWritesKept) {
		s.note(6+i, 6+i, at(6), at(7))
	}
	if w, ok := s.of(5); ok {
		t.Errorf("entry 5 after many: %v", w)
	}
	if _, ok := s.of(6); !ok {
		t.Error("the oldest of those kept is not found")
	}
}
