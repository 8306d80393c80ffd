package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

func logDir(cfg Config) string { return filepath.Join(cfg.DataLogDir, "raft", "log") }

// fillToSpare stores entries one by one from next on until a spare is ready.
// It returns the index after them and the file.
func fillToSpare(t *testing.T, s *Stores, ended <-chan error, next uint64) (uint64, os.FileInfo) {
	t.Helper()
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	for tail := tailPath(t, s.cfg); ; {
		select {
		case err := <-ended:
			must(t, err)
			st, err := os.Stat(filepath.Join(logDir(s.cfg), spareName))
			if errors.Is(err, os.ErrNotExist) { // ready just in time to become the tail: the next one, then
				tail = tailPath(t, s.cfg)
				continue
			}
			must(t, err)
			return next, st
		default:
		}
		if tailPath(t, s.cfg) != tail {
			// The disk was slower than the test; the next one will do.
			must(t, <-ended)
			st, err := os.Stat(filepath.Join(logDir(s.cfg), spareName))
			must(t, err)
			return next, st
		}
		must(t, s.Log.StoreLog(entry(next, 1000)))
		next++
	}
}

func TestSpareBecomesSegment(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	cfg.segmentBytes = 3*spareChunk + 4096
	ended := make(chan error, 10)
	cfg.spareEnded = func(err error) { ended <- err }
	s := mustOpen(t, cfg)
	next, made := fillToSpare(t, s, ended, 1)
	b, err := os.ReadFile(filepath.Join(logDir(cfg), spareName))
	must(t, err)
	if int64(len(b)) != sectoredSize(int64(cfg.segmentBytes)) || !zero(b) {
		t.Fatalf("the spare has %d bytes, zero %t", len(b), zero(b))
	}
	for tail := tailPath(t, cfg); tailPath(t, cfg) == tail; next++ {
		must(t, s.Log.StoreLog(entry(next, 1000)))
		must(t, s.log.inner.settle())
	}
	st, err := os.Stat(tailPath(t, cfg))
	must(t, err)
	if !os.SameFile(st, made) {
		t.Error("the new tail is not the file that was made ahead")
	}
	// The next one is made while that one fills.
	next, _ = fillToSpare(t, s, ended, next)
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, 1, next-1, 1000)
}

// The first segment ends early, and the next one is a file that was written before.
// What the first one leaves is not used again.
func TestFirstSegmentIsShort(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	cfg.segmentBytes = 3 * firstBytes
	ended := make(chan error, 10)
	cfg.spareEnded = func(err error) { ended <- err }
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	first := tailPath(t, cfg)
	last := uint64(0)
	store := func() {
		last++
		must(t, s.Log.StoreLog(entry(last, 60_000)))
		must(t, s.log.inner.settle())
	}
	for range 20 {
		store()
	}
	mustClose(t, s)
	for len(ended) > 0 {
		<-ended
	}
	s = mustOpen(t, cfg)
	for spare := false; tailPath(t, cfg) == first; {
		if !spare && int(last)*60_000 > firstBytes*7/8 { // a slow disk
			must(t, <-ended)
			spare = true
		}
		store()
	}
	if bytes := int(last) * 60_000; bytes > firstBytes+100_000 || bytes < firstBytes-100_000 {
		t.Errorf("the first segment has %d bytes", bytes)
	}
	next := tailPath(t, cfg)
	f, err := os.Open(next)
	must(t, err)
	defer f.Close()
	if end, err := dataEnd(f, sectoredSize(3*firstBytes)); err != nil || end < sectoredSize(3*firstBytes) {
		t.Errorf("the second one was written to up to %d only, %v", end, err)
	}
	for range 2 * firstBytes / 60_000 {
		store()
	}
	if now := tailPath(t, cfg); now != next {
		t.Error("the second segment is short, too")
	}
	takeSnapshot(t, s, last-1, 1, nil)
	must(t, s.Log.DeleteRange(1, last-1))
	s.log.inner.(*walLog).filer.deletions.Wait()
	if kept := s.log.inner.(*walLog).spare.kept; len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, last, last, 60_000)
}

// What a crash can leave behind at each step costs no entry, is not taken for a
// segment, and is gone after the next start.
func TestSpareAfterCrash(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 20, 1, 1000)
	mustClose(t, s)
	dir := logDir(cfg)
	must(t, removeIfThere(filepath.Join(dir, spareName)))
	kept := filepath.Join(t.TempDir(), "log")
	copyTree(t, dir, kept)
	table, err := openTable(dir, s.logger)
	must(t, err)
	path := filepath.Join(dir, spareName)
	// made makes a spare as the goroutine does.
	made := func(t *testing.T) *spare {
		cfg, err := cfg.withDefaults()
		must(t, err)
		sp := newSpare(dir, cfg)
		sp.grew(spareWrite-1, 0, sp.size)
		must(t, sp.make())
		sp.set(nil)
		return sp
	}
	successor := types.SegmentInfo{ID: table.state.NextSegmentID, BaseIndex: 21, MinIndex: 21, Codec: sectorCodecID, SizeLimit: uint32(cfg.segmentBytes)}
	for _, tt := range []struct {
		name  string
		crash func(t *testing.T)
	}{
		{"created", func(t *testing.T) { must(t, os.WriteFile(path, nil, 0o644)) }},
		{"half written", func(t *testing.T) { must(t, os.WriteFile(path, make([]byte, 10000), 0o644)) }},
		{"garbage", func(t *testing.T) { must(t, os.WriteFile(path, pseudo(1, cfg.segmentBytes), 0o644)) }},
		{"of another size", func(t *testing.T) { must(t, os.WriteFile(path, make([]byte, 2*cfg.segmentBytes), 0o644)) }},
		{"ready", func(t *testing.T) { made(t) }},
		{"renamed, not in the table", func(t *testing.T) {
			must(t, makeSegment(dir, successor, made(t)))
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("the spare was not taken: %v", err)
			}
		}},
		{"both names, not in the table", func(t *testing.T) {
			made(t)
			must(t, os.Link(path, filepath.Join(dir, segment.FileName(successor))))
		}},
		{"both names, in use", func(t *testing.T) { must(t, os.Link(tailPath(t, cfg), path)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, os.RemoveAll(dir))
			copyTree(t, kept, dir)
			tt.crash(t)
			s := mustOpen(t, cfg)
			wantLog(t, s, 1, 20, 1000)
			mustClose(t, s)
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the spare is still there: %v", err)
			}
			s = mustOpen(t, cfg)
			wantLog(t, s, 1, 20, 1000)
			fill(t, s, 21, 200, 3, 1000)
			mustClose(t, s)
			s = mustOpen(t, cfg)
			wantLog(t, s, 1, 200, 1000)
			mustClose(t, s)
		})
	}
}

func TestSparePace(t *testing.T) {
	const size = 64 << 20
	for _, tt := range []struct {
		name        string
		write, from int64 // of each write its size, and where the first begins
		want        int64 // where the tail ends when all of the spare is due, 0: never
	}{
		{"from the beginning", 1 << 10, 0, size / 2},
		{"from the middle", 1 << 10, size / 2, size * 3 / 4},
		{"near the end", 1 << 10, size - 1<<20, 0},
		{"bulk", spareWrite, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg, err := Config{DataDir: dir}.withDefaults()
			must(t, err)
			s := newSpare(dir, cfg)
			at := tt.from
			for s.made < size && at < size {
				at += tt.write
				s.grew(tt.write, at, s.size)
				n := s.chunkLocked()
				if s.made+n > s.due {
					t.Fatalf("at %d: %d bytes after %d, only %d are due", at, n, s.made, s.due)
				}
				s.made += n
			}
			if tt.want == 0 && s.made == size {
				t.Errorf("all is due at %d, want never", at)
			}
			if d := at - tt.want; tt.want > 0 && (s.made < size || d < 0 || d > 1<<20) {
				t.Errorf("at %d: %d of %d bytes, want all at %d", at, s.made, size, tt.want)
			}
		})
	}
}

// A spare that cannot be made costs nothing but speed, and is tried again once
// for each segment.
func TestSpareFails(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	var ended []error
	cfg.spareEnded = func(err error) { ended = append(ended, err) }
	s := mustOpen(t, cfg)
	sp := s.log.inner.(*walLog).spare
	sp.free = func() (uint64, error) { return spareRoom*uint64(cfg.segmentBytes) - 1, nil }
	fill(t, s, 1, 200, 1, 1000)
	tails, err := filepath.Glob(filepath.Join(logDir(cfg), "*.wal"))
	must(t, err)
	mustClose(t, s)
	if len(tails) < 3 || len(ended) == 0 || len(ended) > len(tails) {
		t.Errorf("%d attempts, %d segments", len(ended), len(tails))
	}
	for _, err := range ended {
		if !errors.Is(err, errScarce) {
			t.Errorf("got %v", err)
		}
	}
	s = mustOpen(t, cfg)
	wantLog(t, s, 1, 200, 1000)
}

// Whoever removes or cuts the spare behind the server's back does no harm.
func TestSpareMeddledWith(t *testing.T) {
	for _, tt := range []struct {
		name   string
		meddle func(path string) error
	}{
		{"removed", os.Remove},
		{"cut", func(path string) error { return os.Truncate(path, 1000) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t, KindWAL)
			ended := make(chan error, 10)
			cfg.spareEnded = func(err error) { ended <- err }
			s := mustOpen(t, cfg)
			next, _ := fillToSpare(t, s, ended, 1)
			must(t, tt.meddle(filepath.Join(logDir(cfg), spareName)))
			fill(t, s, next, 200, 1, 1000)
			mustClose(t, s)
			s = mustOpen(t, cfg)
			wantLog(t, s, 1, 200, 1000)
		})
	}
}

// A bit that flips in a spare that is in use is seen like one in any segment.
func TestSpareFlip(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	ended := make(chan error, 10)
	cfg.spareEnded = func(err error) { ended <- err }
	s := mustOpen(t, cfg)
	next, _ := fillToSpare(t, s, ended, 1)
	for tail := tailPath(t, cfg); tailPath(t, cfg) == tail; next++ {
		must(t, s.Log.StoreLog(entry(next, 1000)))
		must(t, s.log.inner.settle())
	}
	must(t, s.Log.StoreLog(entry(next, 1000)))
	mustClose(t, s)
	path := tailPath(t, cfg)
	b := readContent(t, path)
	b[leftover(b, 0)-20] ^= 1
	writeContent(t, path, b, nil)
	mustRefuse(t, cfg, path, "corrupt")
}

// One that is half made is given up, and removed, when there is another file, or no room for it.
func TestSpareUnwanted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *spare)
	}{
		{"another", func(s *spare) {
			former := types.SegmentInfo{ID: 1, BaseIndex: 1}
			must(t, os.WriteFile(filepath.Join(s.dir, segment.FileName(former)), make([]byte, s.size), 0o644))
			if !s.keep(former.BaseIndex, former.ID) {
				t.Error("not kept")
			}
		}},
		{"no room", func(s *spare) { s.thrift(true) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg, err := Config{DataDir: t.TempDir(), segmentBytes: 4 * spareChunk}.withDefaults()
				must(t, err)
				ended := make(chan error, 1)
				cfg.spareEnded = func(err error) { ended <- err }
				s := newSpare(cfg.DataDir, cfg)
				s.free = func() (uint64, error) { return 1 << 40, nil }
				s.start()
				defer s.close()
				s.grew(spareWrite-1, 0, s.size)
				s.grew(spareWrite-1, 0, s.size)
				synctest.Wait()
				if s.made == 0 || s.made == s.size {
					t.Fatalf("%d of %d bytes are made", s.made, s.size)
				}
				tt.change(s)
				if err := <-ended; !errors.Is(err, errUnwanted) {
					t.Errorf("ended with %v", err)
				}
				if _, err := os.Stat(s.path()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("it is still there: %v", err)
				}
			})
		})
	}
}
