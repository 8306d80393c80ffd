package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

// TestWindow checks every answer of a window against the content, part of which
// changes after it has been read.
func TestWindow(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	content := pseudo(seed, 4000)
	settled := 1000
	var w window
	for range 20_000 {
		n := 1 + rnd.IntN(300)
		at := rnd.IntN(settled + 600)
		if rnd.IntN(4) > 0 { // as who reads on
			at = int(w.at) + rnd.IntN(600)
		}
		got, err := w.read(bytes.NewReader(content), int64(at), n, 500, int64(settled))
		switch {
		case at+n > len(content):
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%d bytes at %d of %d: %v", n, at, len(content), err)
			}
		case err != nil || !bytes.Equal(got, content[at:at+n]):
			t.Fatalf("%d bytes at %d, settled to %d: %v, wrong bytes", n, at, settled, err)
		}
		// What is behind may change, as the log grows.
		if behind := content[min(settled, len(content)):]; len(behind) > 0 {
			behind[rnd.IntN(len(behind))]++
		}
		if settled += rnd.IntN(2); rnd.IntN(1000) == 0 {
			settled = 1000 + rnd.IntN(3000)
			w = window{}
		}
	}
}

// TestReadWhileWritten has readers follow a writer through several segments, at
// its heels and from the beginning: what they get is what was stored.
func TestReadWhileWritten(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	cfg.segmentBytes = 256 << 10
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	const until = 3000
	size := func(i uint64) int {
		if i%500 == 0 {
			return entryWindow + 1000
		}
		return int(i * i % 700)
	}
	var stored atomic.Uint64
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { stop.Store(t.Failed()) }()
	for reader := range 3 {
		wg.Go(func() {
			for next := uint64(1); next < until && !stop.Load(); {
				last := stored.Load()
				if reader == 0 && last > 0 { // at its heels
					next = last
				}
				for ; next <= last; next++ {
					var got raft.Log
					if err := s.Log.GetLog(next, &got); err != nil || !bytes.Equal(got.Data, entry(next, size(next)).Data) {
						t.Errorf("reader %d: entry %d of %d: %v, %d bytes", reader, next, last, err, len(got.Data))
						return
					}
				}
			}
		})
	}
	for next := uint64(1); next <= until; {
		var logs []*raft.Log
		for range 1 + next%4 {
			if next <= until {
				logs = append(logs, entry(next, size(next)))
				next++
			}
		}
		must(t, s.Log.StoreLogs(logs))
		stored.Store(next - 1)
	}
}

// TestOnEntry compares what Open tells of the log with what the log then holds
// behind the newest snapshot: over several segments, with both ends cut off, with
// and without a snapshot.
func TestOnEntry(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			cfg.segmentBytes = 8 << 10
			var next uint64
			cfg.OnEntry = func(l *raft.Log) {
				l.Extensions = nil // empty
				if got, want := fmt.Sprintf("%+v", *l), fmt.Sprintf("%+v", *entry(next, 300)); got != want {
					t.Fatalf("told of\n%.100s, want\n%.100s", got, want)
				}
				next++
			}
			check := func(from, to uint64) {
				t.Helper()
				next = from
				mustClose(t, mustOpen(t, cfg))
				if next != to+1 {
					t.Fatalf("told of %d to %d, want to %d", from, next-1, to)
				}
			}
			change := func(f func(s *Stores)) {
				t.Helper()
				quiet := cfg
				quiet.OnEntry = nil
				s := mustOpen(t, quiet)
				f(s)
				mustClose(t, s)
			}
			check(1, 0)
			change(func(s *Stores) { fill(t, s, 1, 200, 3, 300) })
			check(1, 200)
			change(func(s *Stores) { must(t, s.Log.DeleteRange(151, 200)) })
			check(1, 150)
			change(func(s *Stores) { fill(t, s, 151, 170, 3, 300) })
			check(1, 170)
			change(func(s *Stores) { takeSnapshot(t, s, 60, 1, nil) })
			check(61, 170)
			change(func(s *Stores) { must(t, s.Log.DeleteRange(1, 50)) })
			check(61, 170)
			change(func(s *Stores) { takeSnapshot(t, s, 170, 2, nil) })
			check(171, 170)
			change(func(s *Stores) { takeSnapshot(t, s, 300, 4, nil) }) // the leader's
			check(301, 300)
		})
	}
}

// TestOnRead: while Open verifies a log there is a pause after every 64 KiB or so.
func TestOnRead(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			s := mustOpen(t, cfg)
			fill(t, s, 1, 500, 4, 4000)
			mustClose(t, s)
			pauses, told, most, all := 0, 0, 0, 0
			cfg.OnEntry = func(l *raft.Log) { told += len(l.Data); all += len(l.Data) }
			cfg.OnRead = func() { pauses, most, told = pauses+1, max(most, told), 0 }
			mustClose(t, mustOpen(t, cfg))
			if most = max(most, told); most > 2*stepBytes || all != 500*4000 {
				t.Errorf("%d pauses, %d bytes between two of them, %d in all", pauses, most, all)
			}
		})
	}
}

// BenchmarkReadOn reads a log from its beginning to its end.
func BenchmarkReadOn(b *testing.B) {
	for _, size := range []int{100, 4096} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			const n = 10_000
			s := mustOpen(b, testConfig(b, KindWAL))
			fill(b, s, 1, n, 100, size)
			next := uint64(0)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				var l raft.Log
				must(b, s.Log.GetLog(next%n+1, &l))
				next++
			}
		})
	}
}
