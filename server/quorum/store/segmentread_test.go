package store

import (
	"os"
	"path/filepath"
	"testing"

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
