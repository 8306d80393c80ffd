package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// TestDataEnd compares with a look at all bytes and with what was written, for
// bytes in holes, preallocated and written blocks.
func TestDataEnd(t *testing.T) {
	const size = 3<<20 + 100
	const block = 64 << 10 // of any file system
	for _, tt := range []struct {
		name  string
		bytes []int64 // offsets of those that are not zero
		zeros []int64 // offsets of 4 KiB of written zeros
	}{
		{"nothing", nil, nil},
		{"written zeros only", nil, []int64{0, 1 << 20, size - 4096}},
		{"first byte", []int64{0}, nil},
		{"last byte", []int64{size - 1}, nil},
		{"head and written zeros", []int64{0, 31}, []int64{4096, 8192, 1 << 20}},
		{"hole between", []int64{0, 1 << 20}, []int64{1<<20 + 8192}},
		{"across blocks", []int64{scanBytes - 1, scanBytes}, []int64{scanBytes + 4096}},
		{"just behind a block", []int64{scanBytes}, nil},
		{"zeros at the end", []int64{5000}, []int64{size - 8192, size - 4096}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), segment.FileName(types.SegmentInfo{BaseIndex: 1}))
			f, err := os.Create(path)
			must(t, err)
			defer f.Close()
			must(t, f.Truncate(size))
			for _, at := range tt.zeros {
				_, err := f.WriteAt(zeros[:4096], at)
				must(t, err)
			}
			for _, at := range tt.bytes {
				_, err := f.WriteAt([]byte{1}, at)
				must(t, err)
			}
			for _, synced := range []bool{false, true} {
				if synced {
					must(t, f.Sync())
				}
				b, err := os.ReadFile(path)
				must(t, err)
				written := int64(0)
				for _, at := range append(tt.bytes, tt.zeros...) {
					written = max(written, (at+4096+block-1)/block*block)
				}
				got, err := dataEnd(f, size)
				if least, most := int64(leftover(b, 0)), min(written, size); err != nil || got < least || got > most {
					t.Errorf("synced %t: got %d, %v, want %d to %d", synced, got, err, least, most)
				}
			}
			blank, err := blankFile(path)
			if err != nil || blank != (len(tt.bytes) == 0) {
				t.Errorf("blank is %t, %v", blank, err)
			}
		})
	}
}

// A file system that calls written blocks a hole does not shorten the log.
func TestDataEndDespiteHoles(t *testing.T) {
	const size, end = 1 << 20, 600_000
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, append(pseudo(1, end), make([]byte, size-end)...), 0o644))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	for _, hole := range []int64{0, 1, 4096, behindBytes, end - 1, end} {
		got, err := dataEndBy(f, size, func(_ *os.File, at, size int64) (int64, int64, error) {
			if at >= hole {
				return size, size, nil
			}
			return at, hole, nil
		})
		if err != nil || got < end {
			t.Errorf("hole from %d: got %d, %v, want %d or more", hole, got, err, end)
		}
	}
}

// TestScan stores writes from a few bytes to several pieces' worth in segments of
// many pieces, and checks that a start meets each of them: what it tells of, what
// can be read then, and where it goes on writing, also if the last write is torn
// or a byte somewhere is not what it was.
func TestScan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	cfg := testConfig(t, KindWAL)
	cfg.segmentBytes = 2*scanBytes + 100
	size := func(index uint64) int {
		if index%41 == 40 {
			return scanBytes + 11
		}
		return []int{3, 700, 5000, stepBytes - entryHead}[pseudo(index^seed, 1)[0]%4]
	}
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	var last, torn uint64 // the last entry, and the first one of the last write
	store := func(s *Stores) {
		var logs []*raft.Log
		torn = last + 1
		for range []int{1, 2, 5, 30}[rnd.IntN(4)] {
			last++
			logs = append(logs, entry(last, size(last)))
		}
		must(t, s.Log.StoreLogs(logs))
	}
	for range 20 {
		store(s)
	}
	told := uint64(0)
	cfg.OnEntry = func(l *raft.Log) {
		if told++; l.Index != told || !bytes.Equal(l.Data, entry(told, size(told)).Data) {
			t.Fatalf("told of entry %d with %d bytes as the %d-th", l.Index, len(l.Data), told)
		}
	}
	for round := range 6 {
		mustClose(t, s)
		if path := tailPath(t, cfg); round%3 == 1 {
			b := readContent(t, path)
			if end := leftover(b, 0); end > 0 {
				clear(b[end-8:])
				writeContent(t, path, b, nil)
				var lines string
				told = 0
				s, lines = openLogged(t, cfg)
				if strings.Count(lines, "cut an incomplete write") != 1 {
					t.Errorf("torn: %q", lines)
				}
				mustClose(t, s)
				last = torn - 1
			}
		}
		told = 0
		s = mustOpen(t, cfg)
		if told != last {
			t.Fatalf("told of %d entries, not of %d", told, last)
		}
		for i := uint64(1); i <= last; i++ {
			var l raft.Log
			if err := s.Log.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, entry(i, size(i)).Data) {
				t.Fatalf("entry %d of %d: %v, %d bytes", i, last, err, len(l.Data))
			}
		}
		store(s)
	}
	mustClose(t, s)
	paths, err := segmentPaths(s.logPath())
	must(t, err)
	if len(paths) < 3 {
		t.Fatalf("segments: %v", paths)
	}
	for range 20 {
		path := paths[rnd.IntN(len(paths)-1)]
		whole, err := os.ReadFile(path)
		must(t, err)
		b := bytes.Clone(whole)
		at := rnd.IntN(len(b)/sectorBytes)*sectorBytes + rnd.IntN(sectorContent) // not in a tag
		b[at] ^= 1 << rnd.IntN(8)
		must(t, os.WriteFile(path, b, 0o644))
		told = 0
		mustRefuse(t, cfg, path, "offset ")
		must(t, os.WriteFile(path, whole, 0o644))
	}
}

// Content is the same whatever the size of the pieces, and blank says what a look
// at all of it says.
func TestScanPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	info := types.SegmentInfo{ID: 7, BaseIndex: 1, Codec: sectorCodecID, SizeLimit: 2*scanBytes + 1000}
	path := filepath.Join(t.TempDir(), segment.FileName(info))
	for round := range 40 {
		file := make([]byte, fileSize(info))
		for id := range uint64(3) { // others' sectors, none and this one's
			at := rnd.IntN(len(file)/directBlock) * directBlock
			tagOf(6+id).fill(file[at:], 0, pseudo(seed+id, rnd.IntN(len(file)-at)))
		}
		must(t, os.WriteFile(path, file, 0o644))
		want := tagOf(info.ID).content(bytes.Clone(file))
		var s segmentScan
		must(t, s.open(path, info))
		if round%2 > 0 {
			s.release()
			s.piece = alignedBytes(directBlock << rnd.IntN(10))
		}
		got, err := s.whole()
		must(t, err)
		if end := leftover(want, 0); len(got) < end || !bytes.Equal(got, want[:len(got)]) {
			t.Fatalf("round %d: %d bytes, not what is in %d", round, len(got), end)
		}
		skip := rnd.IntN(len(got) + 1)
		s.rewind()
		passed := 0
		for more := true; more && passed < skip; {
			more, err = s.more()
			must(t, err)
			n := min(len(s.b), skip-passed)
			if !bytes.Equal(s.b[:n], want[passed:passed+n]) {
				t.Fatalf("round %d: other bytes from %d on", round, passed)
			}
			s.pass(n)
			passed += n
		}
		if blank, err := s.blank(); err != nil || blank != (leftover(want, skip) <= 0) {
			t.Fatalf("round %d: blank from %d on: %t, %v", round, skip, blank, err)
		}
		s.close()
		s.release()
	}
}
