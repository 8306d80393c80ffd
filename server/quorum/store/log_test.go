package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

// fakeLog is a log in memory with functions in the way.
type fakeLog struct {
	first, last uint64
	store       func(logs []*raft.Log) error
	remove      func(lo, hi uint64) error
}

func (f *fakeLog) FirstIndex() (uint64, error)        { return f.first, nil }
func (f *fakeLog) LastIndex() (uint64, error)         { return f.last, nil }
func (f *fakeLog) GetLog(i uint64, l *raft.Log) error { *l = raft.Log{Index: i &^ 1}; return nil }
func (f *fakeLog) StoreLog(l *raft.Log) error         { return f.StoreLogs([]*raft.Log{l}) }
func (f *fakeLog) StoreLogs(logs []*raft.Log) error {
	if f.store != nil {
		if err := f.store(logs); err != nil {
			return err
		}
	}
	f.last = logs[len(logs)-1].Index
	f.first = max(f.first, 1)
	return nil
}
func (f *fakeLog) DeleteRange(lo, hi uint64) error { return f.remove(lo, hi) }
func (f *fakeLog) Close() error                    { return nil }
func (f *fakeLog) settle() error                   { return nil }
func (f *fakeLog) runStart() (uint64, error)       { return f.first, nil }

func newTestLog(t *testing.T, f *fakeLog, noGaps bool, cfg Config) *logStore {
	t.Helper()
	cfg.DataDir = "/"
	cfg, err := cfg.withDefaults()
	must(t, err)
	w := newWatch(cfg)
	w.logSize = func() int64 { return 4242 }
	t.Cleanup(w.close)
	return &logStore{inner: f, noGaps: noGaps, watch: w}
}

func TestDeleteInChunks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		noGaps bool
		lo, hi uint64
		want   string
	}{
		{"prefix", false, 1, 5000, "[100 2099] [2100 4099] [4100 5000]"},
		{"suffix, from its end", false, 5000, 20000, "[8001 10000] [6001 8000] [5000 6000]"},
		{"all, from the end", false, 0, 1 << 63, "[8001 10000] [6001 8000] [4001 6000] [2001 4000] [100 2000]"},
		{"one chunk", false, 100, 2099, "[100 2099]"},
		{"one more than a chunk", false, 100, 2100, "[100 2099] [2100 2100]"},
		{"outside", false, 1, 50, ""},
		{"no gaps", true, 1, 9000, "[100 9000]"},
		{"one entry", true, 10000, 10000, "[10000 10000]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			f := &fakeLog{first: 100, last: 10000, remove: func(lo, hi uint64) error {
				got = append(got, fmt.Sprint([]uint64{lo, hi}))
				return nil
			}}
			must(t, newTestLog(t, f, tt.noGaps, Config{}).DeleteRange(tt.lo, tt.hi))
			if strings.Join(got, " ") != tt.want {
				t.Errorf("deleted %s, want %s", got, tt.want)
			}
		})
	}
}

func TestBatchesAreSplit(t *testing.T) {
	var sizes []int
	f := &fakeLog{store: func(logs []*raft.Log) error { sizes = append(sizes, len(logs)); return nil }}
	s := newTestLog(t, f, true, Config{})
	big := make([]byte, 6<<20)
	var logs []*raft.Log
	for i := range uint64(5) {
		logs = append(logs, &raft.Log{Index: i + 1, Data: big})
	}
	logs = append(logs, &raft.Log{Index: 6, Data: make([]byte, 20<<20)}, &raft.Log{Index: 7})
	must(t, s.StoreLogs(logs))
	if fmt.Sprint(sizes) != "[2 2 1 1 1]" {
		t.Errorf("writes of %v entries, want [2 2 1 1 1]", sizes)
	}
}

func TestRefusedEntries(t *testing.T) {
	calls := 0
	f := &fakeLog{store: func([]*raft.Log) error { calls++; return nil }}
	s := newTestLog(t, f, true, Config{})
	must(t, s.StoreLogs(nil))
	for _, tt := range []struct {
		name string
		logs []*raft.Log
	}{
		{"gap", []*raft.Log{{Index: 1}, {Index: 3}}},
		{"too large", []*raft.Log{{Index: 1}, {Index: 2, Data: make([]byte, MaxEntryBytes)}}},
	} {
		if err := s.StoreLogs(tt.logs); err == nil {
			t.Errorf("%s: stored", tt.name)
		}
	}
	if calls != 0 {
		t.Errorf("%d writes before the refusal", calls)
	}
	must(t, s.StoreLogs([]*raft.Log{{Index: 7}})) // an empty log begins anywhere
	if err := s.StoreLogs([]*raft.Log{{Index: 9}}); err == nil {
		t.Error("9 after 7 is stored")
	}
	must(t, s.StoreLog(&raft.Log{Index: 8})) // a refusal is not a failure
}

func TestWrongEntryIsNoticed(t *testing.T) {
	s := newTestLog(t, &fakeLog{}, true, Config{})
	must(t, s.GetLog(4, new(raft.Log)))
	if err := s.GetLog(5, new(raft.Log)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("entry 4 in the place of 5: %v", err)
	}
}

func TestFailureIsFinal(t *testing.T) {
	boom := errors.New("no space left on device")
	broken := true
	f := &fakeLog{store: func([]*raft.Log) error {
		if broken {
			return boom
		}
		return nil
	}}
	var told []error
	s := newTestLog(t, f, true, Config{OnFail: func(err error) { told = append(told, err) }})
	if err := s.StoreLogs([]*raft.Log{{Index: 1}}); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	broken = false
	if err := s.StoreLogs([]*raft.Log{{Index: 1}}); !errors.Is(err, boom) {
		t.Errorf("a write after a failed one: %v", err)
	}
	if err := s.DeleteRange(1, 1); !errors.Is(err, boom) {
		t.Errorf("a deletion after a failed write: %v", err)
	}
	if len(told) != 1 || !errors.Is(told[0], boom) {
		t.Errorf("told of %v", told)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var stalls []time.Duration
		delay := time.Duration(0)
		f := &fakeLog{store: func([]*raft.Log) error { time.Sleep(delay); return nil }}
		s := newTestLog(t, f, true, Config{
			SID: 3, Log: hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Warn}),
			OnStall: func(d time.Duration) { stalls = append(stalls, d) },
		})
		write := func(d time.Duration) string {
			delay = d
			out.Reset()
			must(t, s.StoreLog(&raft.Log{Index: f.last + 1}))
			return out.String()
		}
		if got := write(999 * time.Millisecond); got != "" {
			t.Errorf("a write of 999 ms: %q", got)
		}
		want := "fsync-ing the write ahead log in SyncThread:3 took 1234ms which will adversely effect operation latency." +
			"File size is 4242 bytes. See the ZooKeeper troubleshooting guide"
		if got := write(1234 * time.Millisecond); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("a write of 1234 ms: %q", got)
		}
		if got := write(7 * time.Second); strings.Count(got, "disk does not answer") != 1 || len(stalls) != 0 {
			t.Errorf("a write of 7 s: %q, stalls %v", got, stalls)
		}
		got := write(90 * time.Second)
		if strings.Count(got, "disk does not answer") != 1 || strings.Count(got, "disk stalled") != 1 {
			t.Errorf("a write of 90 s: %q", got)
		}
		write(90 * time.Second)
		if len(stalls) != 1 || stalls[0] < 30*time.Second || stalls[0] > 32*time.Second {
			t.Errorf("stalls: %v, want one of 30 s", stalls)
		}
		if st := s.watch.cfg.Metrics.FlushTime.Figures(); st.Count != 5 || st.Max != 90000 || st.Sum != 999+1234+7000+180000 {
			t.Errorf("log writes: %+v", st)
		}
		if n := s.watch.slow.Load(); n != 4 {
			t.Errorf("%d slow log writes, want 4", n)
		}
	})
}

// BenchmarkStoreLogs reports the median and the 99th percentile of a write, and
// the processor time of the whole process for it.
func BenchmarkStoreLogs(b *testing.B) {
	for _, kind := range kinds {
		for _, bytes := range []int{1024, 65536} {
			for _, n := range []int{1, 16} {
				b.Run(fmt.Sprintf("store=%s/entries=%d/bytes=%d", kind, n, bytes), func(b *testing.B) {
					cfg := testConfig(b, kind)
					cfg.segmentBytes = 0
					benchmarkStoreLogs(b, mustOpen(b, cfg), 1, n, bytes)
				})
			}
		}
	}
}

// BenchmarkStoreLogsSpare writes into a segment that was made ahead, while the
// next one is being made.
func BenchmarkStoreLogsSpare(b *testing.B) {
	for _, n := range []int{1, 16, 60} {
		b.Run(fmt.Sprintf("entries=%d/bytes=1024", n), func(b *testing.B) {
			cfg := testConfig(b, KindWAL)
			cfg.segmentBytes = 0
			s := mustOpen(b, cfg)
			next := uint64(1)
			for tail := tailPath(b, cfg); tailPath(b, cfg) == tail; next++ {
				must(b, s.Log.StoreLog(entry(next, 60<<10)))
			}
			benchmarkStoreLogs(b, s, next, n, 1024)
		})
	}
}

// benchmarkStoreLogs writes n entries at a time from index next on.
func benchmarkStoreLogs(b *testing.B, s *Stores, next uint64, n, bytes int) {
	data := pseudo(1, bytes)
	logs := make([]*raft.Log, n)
	var took []time.Duration
	b.ReportAllocs()
	b.SetBytes(int64(n * bytes))
	used := cpuTime(b)
	for b.Loop() {
		for i := range logs {
			logs[i] = &raft.Log{Index: next, Term: 1, Data: data}
			next++
		}
		began := time.Now()
		if err := s.Log.StoreLogs(logs); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	used = cpuTime(b) - used
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-us")
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(len(took)), "cpu-us/op")
}

// cpuTime is what this process has used so far.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	must(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOpen opens a log of a few entries in its first segment, in one of
// written zeros, and in the file of a former segment.
func BenchmarkOpen(b *testing.B) {
	for _, file := range []string{"preallocated", "zeros", "former"} {
		b.Run("file="+file, func(b *testing.B) {
			cfg := testConfig(b, KindWAL)
			cfg.segmentBytes = 0
			s := mustOpen(b, cfg)
			must(b, s.Stable.SetUint64(keyTerm, 1000))
			must(b, s.Log.StoreLogs(entries(1, 20, 1000)))
			mustClose(b, s)
			if file != "preallocated" {
				rest := zeros[:]
				if file == "former" {
					rest = make([]byte, len(zeros))
					tagOf(77).fill(rest, 0, pseudo(77, len(rest)))
				}
				f, err := os.OpenFile(tailPath(b, cfg), os.O_RDWR, 0)
				must(b, err)
				for at := 1 << 20; at < wal.DefaultSegmentSize; at += len(rest) {
					_, err := f.WriteAt(rest, int64(at))
					must(b, err)
				}
				must(b, errors.Join(f.Sync(), f.Close()))
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := Open(cfg)
				must(b, err)
				b.StopTimer()
				mustClose(b, s)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkVerify reads a log of 128 MiB from the page cache.
func BenchmarkVerify(b *testing.B) {
	cfg := testConfig(b, KindWAL)
	cfg.segmentBytes = 0
	s := mustOpen(b, cfg)
	for i := range uint64(128) {
		must(b, s.Log.StoreLogs(entries(1024*i+1, 1024*(i+1), 1024-entryHead-16)))
	}
	mustClose(b, s)
	dir := s.logPath()
	t, err := openTable(dir, hclog.NewNullLogger())
	must(b, err)
	size := int64(0)
	for _, info := range t.state.Segments {
		st, err := os.Stat(filepath.Join(dir, segment.FileName(info)))
		must(b, err)
		size += st.Size()
	}
	b.SetBytes(size)
	for b.Loop() {
		if _, _, err := verifyLog(dir, t, visitor{}, hclog.NewNullLogger()); err != nil {
			b.Fatal(err)
		}
	}
}
