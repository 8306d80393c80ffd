package metrics

import (
	"testing"
	"time"
)

// What was long ago counts no more; what a reset takes away neither.
func TestSliding(t *testing.T) {
	var s Summary
	var w Sliding
	now := time.Unix(1_000_000, 0)
	ask := func(after time.Duration) (p50 float64, n int64) {
		now = now.Add(after)
		q, n := w.Quantiles(&s, now, 0.5)
		return q[0], n
	}
	if q, n := ask(0); q != 0 || n != 0 {
		t.Errorf("before any: %v of %d", q, n)
	}
	s.ObserveN(1000, 100)
	if q, n := ask(0); q != 1000 || n != 100 {
		t.Errorf("at first: %v of %d, want 1000 of 100", q, n)
	}
	s.ObserveN(10, 10)
	for range 4 {
		if q, n := ask(2 * time.Minute); q != 1000 || n != 110 {
			t.Errorf("within the window: %v of %d, want 1000 of 110", q, n)
		}
	}
	if q, n := ask(2 * time.Minute); q < 10 || q > 12 || n != 10 {
		t.Errorf("ten minutes later: %v of %d, want about 10 of 10", q, n)
	}
	if _, n := ask(2 * time.Minute); n != 0 {
		t.Errorf("twelve minutes later: %d, want none", n)
	}
	for range 20 {
		ask(time.Minute)
	}
	if len(w.past) > slideSteps+2 {
		t.Errorf("%d marks are kept", len(w.past))
	}
	s.reset()
	s.Observe(7)
	if q, n := ask(time.Second); q != 7 || n != 1 {
		t.Errorf("after a reset: %v of %d, want 7 of 1", q, n)
	}
}
