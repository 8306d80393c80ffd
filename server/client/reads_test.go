package client

import (
	"testing"

	"zooraft/zabcompat/metrics"
)

// However many reads come at once, all of them are counted.
func TestReadsAreCounted(t *testing.T) {
	s := New(Config{Metrics: new(metrics.Metrics)}, Deps{}, nil)
	want := int64(0)
	for n := range 40 {
		sc := s.getScratch()
		for range n {
			sc.NoteRead("/app/x", 4)
		}
		s.putScratch(sc)
		want += int64(n)
		if f := s.cfg.Metrics.ReadPerNamespace.For("app").Figures(); f.Count != want || f.Sum != 10*want {
			t.Fatalf("after %d at once: %d reads of %d bytes, want %d of %d", n, f.Count, f.Sum, want, 10*want)
		}
	}
}
