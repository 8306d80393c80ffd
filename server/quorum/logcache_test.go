package quorum

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/hashicorp/raft"
)

// TestLogCache checks the cache against the store under it, through random
// appends, truncations at both ends and rewrites, and that it stays in bounds.
func TestLogCache(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const limit = 20 * logOverhead
	store := raft.NewInmemStore()
	c := newLogCache(store, limit)
	next, low := uint64(1), uint64(1)
	for range 3000 {
		switch rnd.IntN(10) {
		case 0: // a new leader rewrites the tail
			if next > low {
				from := low + rnd.Uint64N(next-low)
				if err := c.DeleteRange(from, next-1); err != nil {
					t.Fatal(err)
				}
				next = from
			}
		case 1: // compaction
			if next > low {
				to := low + rnd.Uint64N(next-low)
				want := min(len(c.logs)-c.first, int(next-1-to))
				if err := c.DeleteRange(low, to); err != nil {
					t.Fatal(err)
				}
				if live := len(c.logs) - c.first; live != want {
					t.Fatalf("%d entries are cached after a compaction, want %d", live, want)
				}
				low = to + 1
			}
		default:
			var logs []*raft.Log
			for range 1 + rnd.IntN(5) {
				logs = append(logs, &raft.Log{Index: next, Data: fmt.Appendf(nil, "%0*d", 1+rnd.IntN(60), rnd.IntN(1000))})
				next++
			}
			if err := c.StoreLogs(logs); err != nil {
				t.Fatal(err)
			}
		}
		if c.bytes > limit {
			t.Fatalf("%d bytes cached, limit %d", c.bytes, limit)
		}
		for i := max(low, 2) - 1; i <= next; i++ {
			var want, got raft.Log
			wantErr, gotErr := store.GetLog(i, &want), c.GetLog(i, &got)
			if (wantErr == nil) != (gotErr == nil) || string(want.Data) != string(got.Data) {
				t.Fatalf("entry %d: %q (%v), the store has %q (%v)", i, got.Data, gotErr, want.Data, wantErr)
			}
		}
	}
}

// nullStore is a log that keeps nothing.
type nullStore struct{ raft.LogStore }

func (nullStore) StoreLogs([]*raft.Log) error { return nil }

// BenchmarkLogCache stores entries that are parts of what the leader's Raft
// makes for each, and reports what the full cache keeps alive of one, beside
// its data, and what the cache takes it to be.
func BenchmarkLogCache(b *testing.B) {
	type future struct {
		errCh chan error
		log   raft.Log
		_     [72]byte // what else is in it
	}
	const size, limit = 128, 4 << 20
	c := newLogCache(nullStore{}, limit)
	logs := make([]*raft.Log, 1)
	next := uint64(0)
	store := func() {
		next++
		f := &future{errCh: make(chan error, 1), log: raft.Log{Index: next, Data: make([]byte, size)}}
		logs[0] = &f.log
		_ = c.StoreLogs(logs)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100_000 {
		store()
	}
	logs[0] = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	for b.Loop() {
		store()
	}
	live := len(c.logs) - c.first
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(live)-size, "heap-B/entry")
	b.ReportMetric(float64(logOverhead), "counted-B/entry")
}
