package metrics

// Window gives what a Summary has seen since the Window was last asked. The zero
// Window begins with what there is at the first call. It belongs to one goroutine.
type Window struct {
	counts histogram
	sum    int64
}

// Take returns the figures of the time since the last call. Max is the upper end
// of the highest bucket, an eighth too high at most; Min is not known and 0. A
// Summary that has been reset meanwhile counts from there.
func (w *Window) Take(s *Summary, quantiles ...float64) Recent {
	r := Recent{Quantiles: make([]float64, len(quantiles))}
	sum := s.sum.Load()
	counts := s.counts()
	recent, before := *counts, w.sum
	for i, n := range w.counts {
		if recent[i] -= n; recent[i] < 0 { // it has been reset
			recent, before = *counts, 0
			break
		}
	}
	w.counts, w.sum = *counts, sum
	if r.Count = recent.total(); r.Count == 0 {
		return r
	}
	r.Sum = float64(sum-before) / scale
	r.Avg = max(r.Sum, 0) / float64(r.Count)
	r.Max = float64(recent.quantile(1)) / scale
	for i, q := range quantiles {
		r.Quantiles[i] = float64(recent.quantile(q)) / scale
	}
	return r
}

// Recent are the figures of a Window, in the unit of its Summary.
type Recent struct {
	Count     int64
	Sum       float64
	Avg, Max  float64
	Quantiles []float64 // in the order they were asked for, an eighth too high at most
}
