package store

import (
	"os"
	"testing"
)

func TestMark(t *testing.T) {
	s := mustOpen(t, testConfig(t, KindWAL))
	expect := func(when string, index, term uint64) {
		t.Helper()
		if i, tm, err := s.Committed(); i != index || tm != term || err != nil {
			t.Errorf("%s: %d of term %d, %v; want %d of %d", when, i, tm, err, index, term)
		}
	}
	expect("none", 0, 0)
	for _, index := range []uint64{1 << 40, 7} {
		if err := s.NoteCommitted(index, 3); err != nil {
			t.Fatal(err)
		}
		expect("noted", index, 3)
	}
	b, err := os.ReadFile(s.markPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{nil, b[:10], append([]byte{b[0] ^ 1}, b[1:]...)} {
		if err := os.WriteFile(s.markPath(), torn, 0o644); err != nil {
			t.Fatal(err)
		}
		expect("torn", 0, 0)
	}
}
