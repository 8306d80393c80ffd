package metrics

import (
	"testing"
	"time"
)

// A window shows what came since it was last asked, and nothing of before.
func TestWindow(t *testing.T) {
	var s Summary
	var w Window
	if r := w.Take(&s, 0.5); r.Count != 0 || r.Quantiles[0] != 0 {
		t.Errorf("of nothing: %+v", r)
	}
	s.TimeN(100*time.Millisecond, 50)
	w.Take(&s)
	s.TimeN(time.Millisecond, 98)
	s.TimeN(8*time.Millisecond, 2)
	r := w.Take(&s, 0.5, 0.99)
	if r.Count != 100 || r.Avg < 1.13 || r.Avg > 1.15 {
		t.Errorf("count and average: %+v, want 100 and 1.14", r)
	}
	for i, want := range []float64{1, 8} {
		if got := r.Quantiles[i]; got < want || got > want*1.125 {
			t.Errorf("quantile %d: %v, want %v or an eighth more", i, got, want)
		}
	}
	if r.Max < 8 || r.Max > 9 {
		t.Errorf("max %v, want 8 or an eighth more", r.Max)
	}
	s.reset()
	s.Time(3 * time.Millisecond)
	if r = w.Take(&s); r.Count != 1 || r.Avg < 2.9 || r.Avg > 3.1 {
		t.Errorf("after a reset: %+v, want one of 3 ms", r)
	}
	if r = w.Take(&s); r.Count != 0 {
		t.Errorf("asked again: %+v, want nothing", r)
	}
}
