package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// What was put into sectors in pieces comes out again, from any offset, and what is in sectors
// of another segment does not.
func FuzzSectors(f *testing.F) {
	f.Add([]byte("content"), uint16(3), uint16(1), uint64(1))
	f.Add(bytes.Repeat([]byte("content"), 1000), uint16(504), uint16(6000), uint64(1<<32-1))
	f.Fuzz(func(t *testing.T, b []byte, split, from uint16, id uint64) {
		mine := tagOf(id)
		file := make([]byte, sectoredSize(int64(len(b)))+directBlock)
		tagOf(id^1).fill(file, 0, bytes.Repeat([]byte{0xff}, len(file)))
		one := min(int(split), len(b))
		if n, _ := mine.fill(file, 0, b[:one]); n != one {
			t.Fatalf("took %d of %d bytes", n, one)
		}
		if n, _ := mine.fill(file, one, b[one:]); n != len(b)-one {
			t.Fatalf("took %d of %d bytes", n, len(b)-one)
		}
		want := make([]byte, len(file)/sectorBytes*sectorContent)
		copy(want, b)
		if got := mine.content(bytes.Clone(file)); !bytes.Equal(got, want) {
			t.Fatal("not what was put in")
		}
		at := min(int(from), len(want))
		got := make([]byte, len(want)-at+1)
		n, err := mine.readAt(bytes.NewReader(file), got, int64(at))
		if err != io.EOF || !bytes.Equal(got[:n], want[at:]) {
			t.Fatalf("%d bytes from %d on: %v", n, at, err)
		}
		if n > 0 {
			if n, err := mine.readAt(bytes.NewReader(file), got[:n], int64(at)); n != len(want)-at || err != nil {
				t.Fatalf("%d bytes to the end: %v", n, err)
			}
		}
		// Whatever is there can be read.
		_ = mine.content(bytes.Clone(b))
		_, _ = mine.readAt(bytes.NewReader(b), got, int64(from))
	})
}

// A bit that flips in a tag does not make a sector another segment's.
func TestTagFlips(t *testing.T) {
	for id := range uint64(30) {
		sector := make([]byte, sectorBytes)
		for bit := range 8 * tagBytes {
			for other := range bit + 1 {
				file := make([]byte, directBlock)
				tagOf(id).fill(file, 0, []byte{1})
				copy(sector, file)
				sector[sectorContent+bit/8] ^= 1 << (bit % 8)
				if other < bit {
					sector[sectorContent+other/8] ^= 1 << (other % 8)
				}
				if tagOf(id).foreign(sector) {
					t.Fatalf("tag of %d, bits %d and %d flipped: %x", id, bit, other, sector[sectorContent:])
				}
			}
		}
	}
	if got, want := tagOf(0x04030201), tag(checksum([]byte{1, 2, 3, 4}))<<32|0x04030201; got != want {
		t.Errorf("got %x, want %x", got, want)
	}
	if tagOf(0) == 0 {
		t.Error("a sector that was never written has a tag")
	}
}

// recycle stores entries of one size and deletes them behind itself until a former segment's
// file is the tail, and returns the index of the last entry.
func recycle(t *testing.T, s *Stores) uint64 {
	t.Helper()
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	former := map[uint64]os.FileInfo{} // by the first index after it
	last := uint64(0)
	for tail := tailPath(t, s.cfg); last < 10_000; {
		last++
		must(t, s.Log.StoreLog(entry(last, 1000)))
		must(t, s.log.inner.settle())
		now := tailPath(t, s.cfg)
		if now == tail {
			continue
		}
		st, err := os.Stat(now)
		must(t, err)
		for _, f := range former {
			if os.SameFile(st, f) {
				must(t, s.Log.StoreLog(entry(last+1, 1000)))
				return last + 1
			}
		}
		old, err := os.Stat(tail)
		must(t, err)
		former[last] = old
		tail = now
		first, _, err := s.log.bounds()
		must(t, err)
		takeSnapshot(t, s, last-1, 1, nil)
		must(t, s.Log.DeleteRange(first, last-1))
		s.log.inner.(*walLog).filer.deletions.Wait()
	}
	t.Fatal("no file was used again")
	return 0
}

// The file of a former segment, with entries where the next ones would stand, becomes a
// segment. Neither a process that ends at any time nor one that is closed finds others in
// it than were stored.
func TestFormerSegmentIsUsedAgain(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	last := recycle(t, s)
	crashed := testConfig(t, KindWAL)
	for range 30 {
		first, _, err := s.log.bounds()
		must(t, err)
		copyTree(t, cfg.DataDir, crashed.DataDir)
		copyTree(t, cfg.DataLogDir, crashed.DataLogDir)
		c, lines := openLogged(t, crashed)
		if lines != "" {
			t.Errorf("after entry %d: %s", last, lines)
		}
		wantLog(t, c, first, last, 1000)
		mustClose(t, c)
		last++
		must(t, s.Log.StoreLog(entry(last, 1000)))
	}
	first, _, err := s.log.bounds()
	must(t, err)
	fill(t, s, last+1, last+300, 1, 1000)
	last += 300
	takeSnapshot(t, s, last-1, 1, nil)
	must(t, s.Log.DeleteRange(first, last-1))
	s.log.inner.(*walLog).filer.deletions.Wait()
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, last, last, 1000)
	// Files that an earlier process kept are as good.
	kept := slices.Clone(s.log.inner.(*walLog).spare.kept)
	if len(kept) == 0 {
		t.Fatal("none was kept over a start")
	}
	fill(t, s, last+1, last+500, 1, 1000)
	for _, path := range kept {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("not used: %v", err)
		}
	}
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, last, last+500, 1000)
}

// Any sectors of the last write may be missing after a crash: it is cut, or it was complete;
// what was in the file before never shows.
func TestTornInFormerSegment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	last := recycle(t, s)
	first, _, err := s.log.bounds()
	must(t, err)
	path := tailPath(t, cfg)
	before, err := os.ReadFile(path)
	must(t, err)
	must(t, s.Log.StoreLogs(entries(last+1, last+3, 1000)))
	after, err := os.ReadFile(path)
	must(t, err)
	if tailPath(t, cfg) != path || len(before) != len(after) {
		t.Fatal("the write was not to be the last one of a segment")
	}
	mustClose(t, s)
	kept := t.TempDir()
	copyTree(t, cfg.DataLogDir, kept)
	var changed []int
	for at := 0; at < len(after); at += sectorBytes {
		if !bytes.Equal(before[at:at+sectorBytes], after[at:at+sectorBytes]) {
			changed = append(changed, at)
		}
	}
	cut, whole := 0, 0
	for i := range 60 {
		copyTree(t, kept, cfg.DataLogDir)
		b := bytes.Clone(before)
		for _, at := range changed {
			if i == 0 || r.IntN(8) > 0 {
				copy(b[at:at+sectorBytes], after[at:])
			}
		}
		must(t, os.WriteFile(path, b, 0o644))
		s := mustOpen(t, cfg)
		want := last
		if _, got, err := s.log.bounds(); err == nil && got == last+3 {
			want = got
			whole++
		} else {
			cut++
		}
		wantLog(t, s, first, want, 1000)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		mustClose(t, s)
	}
	if cut == 0 || whole == 0 {
		t.Errorf("seed %d: %d cut, %d whole", seed, cut, whole)
	}
}

// plain makes a log as it was before there were sectors: each segment's file is its content.
func plain(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, tableName)
	b, err := os.ReadFile(path)
	must(t, err)
	state, err := decodeTable(b)
	must(t, err)
	for i, info := range state.Segments {
		path := filepath.Join(dir, segment.FileName(info))
		content := readContent(t, path)
		content = content[:max(int(info.SizeLimit), leftover(content, 0))]
		must(t, os.WriteFile(path, content, 0o644))
		state.Segments[i].Codec = entryCodecID
	}
	b, err = encodeTable(state)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o644))
}

// A log that was written before there were sectors is read, verified and continued, and its
// files are not used again.
func TestLogWithoutSectors(t *testing.T) {
	for _, tt := range []struct {
		name string
		last uint64
		cut  uint64 // from which entry on it was truncated, 0: not
	}{
		{"empty", 0, 0},
		{"one segment", 8, 0},
		{"several", 150, 0},
		{"truncated", 150, 146},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t, KindWAL)
			s := mustOpen(t, cfg)
			if tt.last > 0 {
				fill(t, s, 1, tt.last, 1, 1000)
			}
			last := tt.last
			if tt.cut > 0 {
				must(t, s.Log.DeleteRange(tt.cut, last))
				last = tt.cut - 1
			}
			mustClose(t, s)
			dir := logDir(cfg)
			plain(t, dir)
			kept := t.TempDir()
			copyTree(t, dir, kept)

			if last > 0 {
				files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
				must(t, err)
				edit(t, files[0], func(b []byte) []byte { b[1000] ^= 1; return b })
				mustRefuse(t, cfg, files[0], "offset ", "corrupt")
				copyTree(t, kept, dir)
			}
			// As long as it is not opened, it may be torn.
			torn := tt.cut == 0 && last > 0
			if torn {
				edit(t, tailPath(t, cfg), func(b []byte) []byte {
					copy(b[(leftover(b, 0)+7)&^7:], []byte{frameEntry, 0, 0, 0, 100, 0, 0, 0, 1})
					return b
				})
			}
			s, lines := openLogged(t, cfg)
			if (lines != "") != torn {
				t.Errorf("torn %t: %q", torn, lines)
			}
			if last > 0 {
				wantLog(t, s, 1, last, 1000)
			}
			fill(t, s, last+1, last+200, 3, 1000)
			wantLog(t, s, 1, last+200, 1000)
			mustClose(t, s)
			s = mustOpen(t, cfg)
			wantLog(t, s, 1, last+200, 1000)
			if last > 0 {
				takeSnapshot(t, s, last, 1, nil)
				must(t, s.Log.DeleteRange(1, last))
				s.log.inner.(*walLog).filer.deletions.Wait()
				if left, err := filepath.Glob(filepath.Join(dir, spareName+"-*")); err != nil || len(left) > 0 {
					t.Errorf("kept: %v, %v", left, err)
				}
			}
			mustClose(t, s)
			s = mustOpen(t, cfg)
			wantLog(t, s, last+1, last+200, 1000)
		})
	}
}

// No more files are kept than are of use, none where the disk has no room, and those that
// are there are given back then.
func TestFormerSegmentsKept(t *testing.T) {
	dir := t.TempDir()
	cfg, err := Config{DataDir: dir, segmentBytes: 8 << 10}.withDefaults()
	must(t, err)
	s := newSpare(dir, cfg)
	name := func(id uint64) string { return segment.FileName(types.SegmentInfo{ID: id, BaseIndex: 1}) }
	offer := func(id uint64, size int) bool {
		must(t, os.WriteFile(filepath.Join(dir, name(id)), make([]byte, size), 0o644))
		return s.keep(1, id)
	}
	spares := func() int {
		t.Helper()
		left, err := filepath.Glob(s.path() + "*")
		must(t, err)
		return len(left)
	}
	if offer(firstSegment, int(s.size)) {
		t.Error("the first segment's file was kept")
	}
	must(t, os.Remove(filepath.Join(dir, name(firstSegment))))
	for id := uint64(1); id <= maxKept+1; id++ {
		if got := offer(id, int(s.size)); got != (id <= maxKept) {
			t.Errorf("file %d: kept %t", id, got)
		}
	}
	s.grew(1000, 1000, s.size)
	if s.due > 0 {
		t.Error("another one is being made")
	}
	if ok, err := s.take(name(100), s.size); !ok || err != nil {
		t.Errorf("take: %t, %v", ok, err)
	}
	if ok, err := s.take(name(101), s.size+directBlock); ok || err != nil {
		t.Errorf("take another size: %t, %v", ok, err)
	}
	if offer(102, int(s.size)-1) {
		t.Error("a short file was kept")
	}
	if s.keep(1, 1000) {
		t.Error("a missing file was kept")
	}
	// One that is cut meanwhile is no use to anybody.
	must(t, os.Truncate(s.kept[len(s.kept)-1], 100))
	if ok, err := s.take(name(103), s.size); ok || err != nil || spares() != len(s.kept) || spares() != maxKept-2 {
		t.Errorf("take a short one: %t, %v; %d are kept, %d there", ok, err, len(s.kept), spares())
	}
	s.thrift(true)
	if offer(104, int(s.size)) || len(s.kept) > 0 || spares() > 0 {
		t.Errorf("%d are kept without room, %d there", len(s.kept), spares())
	}
	s.grew(1000, 1000, s.size)
	if s.due > 0 {
		t.Error("one is being made without room")
	}
	s.thrift(false)
	if !offer(105, int(s.size)) {
		t.Error("not kept, though there is room again")
	}
}

// Of what an earlier process left, former segments are kept if no segment to come can have
// their ids; the rest is removed, all of it before anything is made if there is little room,
// and nothing else is.
func TestSparesOfEarlierProcess(t *testing.T) {
	for _, scarce := range []bool{false, true} {
		parent := t.TempDir()
		dir, other := filepath.Join(parent, "d[1]"), filepath.Join(parent, "d1")
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Mkdir(other, 0o755))
		cfg, err := Config{DataDir: dir, segmentBytes: 8 << 10}.withDefaults()
		must(t, err)
		s := newSpare(dir, cfg)
		s.free = func() (uint64, error) {
			if scarce {
				return spareRoom*uint64(s.size) - 1, nil
			}
			return 1 << 40, nil
		}
		tail := types.SegmentInfo{ID: 20, BaseIndex: 1}
		table := types.PersistentState{NextSegmentID: 21, Segments: []types.SegmentInfo{tail}}
		file := func(name string, size int64) string {
			path := filepath.Join(dir, name)
			must(t, os.WriteFile(path, make([]byte, size), 0o644))
			return path
		}
		former := func(id uint64, size int64) string { return file(fmt.Sprintf(spareFormat, id), size) }
		theirs := []string{file(filepath.Join("..", "d1", fmt.Sprintf(spareFormat, 3)), s.size), file("spare-x", s.size), file("spares", s.size)}
		inUse := file(segment.FileName(tail), s.size)
		linked := filepath.Join(dir, fmt.Sprintf(spareFormat, 2))
		must(t, os.Link(inUse, linked))
		since := former(5, s.size) // a segment after it was given its name
		b := make([]byte, s.size)
		tagOf(6).fill(b, 0, []byte{1})
		must(t, os.WriteFile(since, b, 0o644))
		useless := []string{file(spareName, s.size), former(21, s.size), former(1<<40, s.size), former(4, s.size-1), linked, since}
		useful := []string{former(3, s.size), former(19, s.size+directBlock)}
		clear(b)
		tagOf(2).fill(b, 0, []byte{1})
		must(t, os.WriteFile(useful[0], b, 0o644))
		must(t, s.inherit(table))
		if _, err := os.Stat(useless[0]); (err == nil) == scarce {
			t.Errorf("scarce %t: %v", scarce, err)
		}
		if scarce {
			useless, useful = append(useless, useful...), nil
		}
		if !slices.Equal(s.kept, useful) {
			t.Errorf("kept %v, want %v", s.kept, useful)
		}
		s.start()
		s.close()
		for _, path := range append(append(theirs, inUse), useful...) {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		}
		for _, path := range useless {
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}
