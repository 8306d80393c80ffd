package bench

import (
	"maps"
	"runtime"
	"sync"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in microseconds, up to an hour, to three digits: 190 KiB
// for each histogram, which is why connections share them.
const (
	longest = int64(3600 * 1e6)
	digits  = 3
)

// Errors that are no code of the protocol.
const (
	errNameLost     = "ConnectionLoss" // requests under way on a connection that was lost
	errNameExpired  = "SessionExpired"
	errNameRefused  = "ConnectFailed"
	errNameProtocol = "ProtocolError"
)

func newHistogram() *hdr.Histogram { return hdr.New(1, longest, digits) }

// kind is an index into a workload's kinds of operations.
type kind = uint8

// kindSpec names a kind. A part is a share of an operation that stands under
// byOperation only.
type kindSpec struct {
	name string
	part bool
}

// recorder takes what all connections have measured since it was last asked.
type recorder struct {
	kinds  []kindSpec
	shards []shard
}

// shard is the records of some connections. A connection locks it once for all
// the replies that one read has brought.
type shard struct {
	mu         sync.Mutex
	histograms []*hdr.Histogram // by kind
	errors     map[string]int64
	_          [64]byte // shards of different processors share no cache line
}

func newRecorder(kinds []kindSpec) *recorder {
	r := &recorder{kinds: kinds, shards: make([]shard, 2*runtime.GOMAXPROCS(0))}
	for i := range r.shards {
		r.shards[i].errors = make(map[string]int64)
		for range kinds {
			r.shards[i].histograms = append(r.shards[i].histograms, newHistogram())
		}
	}
	return r
}

// shard returns the one for a connection.
func (r *recorder) shard(index int) *shard { return &r.shards[index%len(r.shards)] }

// recordLocked takes the latency of an operation, in nanoseconds.
func (s *shard) recordLocked(k kind, ns int64) {
	// It fails above the longest only.
	_ = s.histograms[k].RecordValue(min(max(ns/1000, 1), longest))
}

func (s *shard) fail(name string, n int64) {
	s.mu.Lock()
	s.errors[name] += n
	s.mu.Unlock()
}

// tally is what was measured in some time.
type tally struct {
	histograms []*hdr.Histogram // by kind
	errors     map[string]int64
}

func newTally(kinds []kindSpec) *tally {
	t := &tally{errors: make(map[string]int64)}
	for range kinds {
		t.histograms = append(t.histograms, newHistogram())
	}
	return t
}

// take moves all that the shards hold to t, which must be empty.
func (r *recorder) take(t *tally) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for k, h := range s.histograms {
			if h.TotalCount() > 0 {
				t.histograms[k].Merge(h)
				h.Reset()
			}
		}
		for name, n := range s.errors {
			t.errors[name] += n
		}
		clear(s.errors)
		s.mu.Unlock()
	}
}

// add adds what other holds.
func (t *tally) add(other *tally) {
	for k, h := range other.histograms {
		if h.TotalCount() > 0 {
			t.histograms[k].Merge(h)
		}
	}
	for name, n := range other.errors {
		t.errors[name] += n
	}
}

func (t *tally) reset() {
	for _, h := range t.histograms {
		if h.TotalCount() > 0 {
			h.Reset()
		}
	}
	clear(t.errors)
}

// all is the distribution over all kinds that are operations.
func (t *tally) all(kinds []kindSpec) *hdr.Histogram {
	if len(kinds) == 1 {
		return t.histograms[0]
	}
	h := newHistogram()
	for k := range kinds {
		if !kinds[k].part && t.histograms[k].TotalCount() > 0 {
			h.Merge(t.histograms[k])
		}
	}
	return h
}

func (t *tally) errorCount() (n int64) {
	for v := range maps.Values(t.errors) {
		n += v
	}
	return n
}

// latency is a histogram as results hold it, with the whole of it if asked.
func latency(h *hdr.Histogram, whole bool) Latency {
	l := Latency{Count: h.TotalCount()}
	if l.Count == 0 {
		return l
	}
	l.Mean, l.Min, l.Max = h.Mean(), h.Min(), h.Max()
	p := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	l.P50, l.P90, l.P99, l.P999 = p[0], p[1], p[2], p[3]
	if whole {
		// It can only fail for a histogram that is not one.
		if b, err := h.Encode(hdr.V2CompressedEncodingCookieBase); err == nil {
			l.Histogram = string(b)
		}
	}
	return l
}
