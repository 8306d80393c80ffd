package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Summary is the distribution of a figure: a number of things, or of
// milliseconds where Time is used. The zero Summary is ready; any goroutine may
// use it. ZooKeeper's counterparts are AvgMinMaxCounter and
// AvgMinMaxPercentileCounter.
type Summary struct {
	sum     atomic.Int64
	low     atomic.Int64 // the minimum, plus one; 0 before any
	high    atomic.Int64
	buckets atomic.Pointer[buckets] // nil before any; what they count together is the count
}

// scale is what a unit is divided into, so that milliseconds keep their
// fractions.
const scale = 1000

// A bucket spans an eighth of its lower bound at most, which bounds the error of
// a quantile. Below 1<<subBits each value has its own.
const (
	subBits = 3
	maxBits = 47 // of a value, in thousandths: beyond 1,000 days
	nBucket = (maxBits - subBits + 1) << subBits
)

type buckets [nBucket]atomic.Int64

// Observe records a number of things; a negative one counts as none.
func (s *Summary) Observe(n int64) { s.ObserveN(n, 1) }

// ObserveN records the same number n times.
func (s *Summary) ObserveN(v, n int64) { s.observe(min(max(v, 0), math.MaxInt64/scale)*scale, n) }

// Time records a duration, in milliseconds.
func (s *Summary) Time(d time.Duration) { s.TimeN(d, 1) }

// TimeN records the same duration n times.
func (s *Summary) TimeN(d time.Duration, n int64) {
	s.observe(max(int64(d/(time.Millisecond/scale)), 0), n)
}

func (s *Summary) observe(v, n int64) {
	s.sum.Add(v * n)
	for {
		if high := s.high.Load(); v <= high || s.high.CompareAndSwap(high, v) {
			break
		}
	}
	for {
		if low := s.low.Load(); low != 0 && v+1 >= low || s.low.CompareAndSwap(low, v+1) {
			break
		}
	}
	b := s.buckets.Load()
	if b == nil {
		b = new(buckets)
		if !s.buckets.CompareAndSwap(nil, b) {
			b = s.buckets.Load()
		}
	}
	b[bucketOf(v)].Add(n)
}

// bucketOf is the index of the bucket that counts v.
func bucketOf(v int64) int {
	if v < 1<<subBits {
		return int(v)
	}
	exp := bits.Len64(uint64(v)) - 1 - subBits
	return min((exp+1)<<subBits|int(v>>exp)&(1<<subBits-1), nBucket-1)
}

// upperBound is the largest value that a bucket counts.
func upperBound(bucket int) int64 {
	if bucket < 1<<subBits {
		return int64(bucket)
	}
	exp := bucket>>subBits - 1
	return (int64(1<<subBits|bucket&(1<<subBits-1))+1)<<exp - 1
}

// Figures are what a Summary has seen, in its unit. All are 0 before any.
type Figures struct {
	Count, Sum, Min, Max int64
	Avg                  float64
	// Quantiles stand in the order they were asked for, each at most an eighth
	// above the truth.
	Quantiles []float64
}

// Figures returns what has been seen so far. What is recorded meanwhile may be in
// some figures and not in others.
func (s *Summary) Figures(quantiles ...float64) Figures {
	f := Figures{Quantiles: make([]float64, len(quantiles))}
	sum, high := s.sum.Load(), s.high.Load()
	counts := s.counts()
	f.Count = counts.total()
	if f.Count == 0 {
		return f
	}
	low := max(s.low.Load()-1, 0)
	f.Sum, f.Min, f.Max = sum/scale, low/scale, high/scale
	f.Avg = float64(sum) / scale / float64(f.Count)
	for i, q := range quantiles {
		f.Quantiles[i] = float64(min(max(counts.quantile(q), low), high)) / scale
	}
	return f
}

// histogram is a copy of buckets.
type histogram [nBucket]int64

func (s *Summary) counts() *histogram {
	h := new(histogram)
	if b := s.buckets.Load(); b != nil {
		for i := range b {
			h[i] = b[i].Load()
		}
	}
	return h
}

func (h *histogram) total() (n int64) {
	for _, k := range h {
		n += k
	}
	return n
}

// quantile is the upper bound of the bucket that a quantile is in.
func (h *histogram) quantile(q float64) int64 {
	rank := max(int64(math.Ceil(q*float64(h.total()))), 1)
	for i, n := range h {
		if rank -= n; rank <= 0 {
			return upperBound(i)
		}
	}
	return 0
}

// reset begins anew, as the word srst does with ZooKeeper's.
func (s *Summary) reset() {
	s.sum.Store(0)
	s.low.Store(0)
	s.high.Store(0)
	s.buckets.Store(nil)
}
