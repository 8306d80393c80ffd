package metrics

import "time"

// slideSteps of slideStep are what a Sliding looks back on, one step more or less.
const (
	slideStep  = 2 * time.Minute
	slideSteps = 5
)

// Sliding gives quantiles of the last ten minutes of a Summary, for whoever asks
// more often than that; of what came between two questions that lie further apart
// for one who does not. It costs those who record nothing. The zero Sliding is ready
// and looks back to the Summary's beginning at first; one goroutine at a time may
// use it.
type Sliding struct {
	past []mark // oldest first
}

type mark struct {
	at     time.Time
	counts *histogram
}

// Quantiles returns quantiles of s, in its unit, and how many values they are of:
// 0, and quantiles of 0, for none. s is the same at each call.
func (w *Sliding) Quantiles(s *Summary, now time.Time, quantiles ...float64) ([]float64, int64) {
	out := make([]float64, len(quantiles))
	low, high := max(s.low.Load()-1, 0), s.high.Load()
	if s.buckets.Load() == nil {
		w.past = nil // also after a reset
		return out, 0
	}
	counts := s.counts()
	for len(w.past) > 1 && now.Sub(w.past[1].at) >= slideSteps*slideStep {
		w.past = w.past[1:]
	}
	recent := *counts
	if len(w.past) > 0 && now.Sub(w.past[0].at) >= slideSteps*slideStep {
		for i, n := range w.past[0].counts {
			if recent[i] -= n; recent[i] < 0 { // a reset since
				w.past, recent = nil, *counts
				break
			}
		}
	}
	if k := len(w.past); k == 0 || now.Sub(w.past[k-1].at) >= slideStep {
		w.past = append(w.past, mark{now, counts})
	}
	n := recent.total()
	if n > 0 {
		for i, q := range quantiles {
			out[i] = float64(min(max(recent.quantile(q), low), high)) / scale
		}
	}
	return out, n
}
