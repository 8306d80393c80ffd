package metrics

import "math"

// Window gives what a Summary has seen since the Window was last asked. The zero
// Window begins with what there is at the first call. It belongs to one goroutine.
type Window struct {
	counts [nBucket]int64
	sum    int64
}

// Take returns the figures of the time since the last call. Max is the upper end
// of the highest bucket, an eighth too high at most; Min is not known and 0. A
// Summary that has been reset meanwhile counts from there.
func (w *Window) Take(s *Summary, quantiles ...float64) Recent {
	r := Recent{Quantiles: make([]float64, len(quantiles))}
	sum := s.sum.Load()
	b := s.buckets.Load()
	if b == nil {
		*w = Window{}
		return r
	}
	var counts [nBucket]int64
	again := false // it has been reset
	for i := range b {
		n := b[i].Load()
		counts[i], w.counts[i] = n-w.counts[i], n
		again = again || counts[i] < 0
	}
	r.Sum, w.sum = float64(sum-w.sum)/scale, sum
	if again {
		counts, r.Sum = w.counts, float64(sum)/scale
	}
	for i, n := range counts {
		if n > 0 {
			r.Count += n
			r.Max = float64(upperBound(i)) / scale
		}
	}
	if r.Count == 0 {
		return Recent{Quantiles: r.Quantiles}
	}
	r.Avg = max(r.Sum, 0) / float64(r.Count)
	for i, q := range quantiles {
		rank := max(int64(math.Ceil(q*float64(r.Count))), 1)
		for j, n := range counts {
			if rank -= n; rank <= 0 {
				r.Quantiles[i] = float64(upperBound(j)) / scale
				break
			}
		}
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
