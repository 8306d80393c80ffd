package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	"zooraft/zabcompat/metrics"
)

// buildSegment returns the content of a segment with batches of entries of the
// given sizes, the offsets at which the batches end, and its line in the table.
func buildSegment(t testing.TB, batches ...[]int) ([]byte, []int, types.SegmentInfo) {
	t.Helper()
	dir := t.TempDir()
	info := types.SegmentInfo{ID: 3, BaseIndex: 10, MinIndex: 10, Codec: sectorCodecID, SizeLimit: 16 << 10, CreateTime: time.Unix(1, 0)}
	must(t, makeSegment(dir, info, nil))
	head := info
	head.Codec = entryCodecID
	w, err := segment.NewFiler(dir, &tailFS{segmentFS: newSegmentFS(nil, new(metrics.Metrics), hclog.NewNullLogger())}).Create(head)
	must(t, err)
	defer w.Close()
	var ends []int
	index := info.BaseIndex
	read := func() []byte {
		return readContent(t, filepath.Join(dir, segment.FileName(info)))
	}
	for _, sizes := range batches {
		var batch []types.LogEntry
		for _, size := range sizes {
			var buf bytes.Buffer
			must(t, entryCodec{}.Encode(entry(index, size), &buf))
			batch = append(batch, types.LogEntry{Index: index, Data: buf.Bytes()})
			index++
		}
		must(t, w.Append(batch))
		ends = append(ends, (leftover(read(), 0)+7)&^7)
	}
	return read(), ends, info
}

// verifyContent verifies what stands in no file, in pieces of so many bytes.
func verifyContent(b []byte, piece int, info types.SegmentInfo, v visitor) (content, error) {
	s := &segmentScan{from: bytes.NewReader(b), size: int64(len(b)), put: asIs, piece: make([]byte, piece)}
	return verifySegment(s, info, v)
}

func TestVerifySegmentTorn(t *testing.T) {
	whole, ends, info := buildSegment(t, []int{100}, []int{700, 0, 5}, []int{900, 50, 1200})
	start, end := ends[1], ends[2]
	if c, err := verifyContent(whole, scanBytes, info, visitor{}); err != nil || len(c.offsets) != 7 || c.end != end || c.torn != 0 {
		t.Fatalf("whole segment: %+v, %v", c, err)
	}
	check := func(name string, b []byte) {
		t.Helper()
		c, err := verifyContent(b, 2*directBlock, info, visitor{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.end != start || len(c.offsets) != 4 {
			t.Fatalf("%s: %d entries to offset %d, want 4 to %d", name, len(c.offsets), c.end, start)
		}
		if want := leftover(b, start); c.torn != want {
			t.Fatalf("%s: %d bytes torn, want %d", name, c.torn, want)
		}
	}
	for at := start; at <= end-4; at++ {
		b := bytes.Clone(whole)
		clear(b[at:])
		check(fmt.Sprintf("zero from %d", at), b)
		if at == end-4 {
			break // garbage in the checksum only: it was all written
		}
		copy(b[at:end], pseudo(uint64(at), end-at))
		check(fmt.Sprintf("garbage from %d", at), b)
	}
	// Nothing tears within a checksum: this is damage.
	for at := end - 3; at < end; at++ {
		b := bytes.Clone(whole)
		clear(b[at:])
		if c, err := verifyContent(b, 2*directBlock, info, visitor{}); err == nil && !bytes.Equal(b, whole) {
			t.Errorf("zero from %d, within the commit: %+v", at, c)
		}
	}
	// Sectors arrive in any order.
	for at := start; at < end; {
		to := min((at/sectorContent+1)*sectorContent, end)
		b := bytes.Clone(whole)
		clear(b[at:to])
		check(fmt.Sprintf("sector %d to %d did not arrive", at, to), b)
		at = to
	}
	// The first write tears like any other.
	b := bytes.Clone(whole)
	clear(b[16:])
	if c, err := verifyContent(b, 2*directBlock, info, visitor{}); err != nil || c.end != 0 || c.torn == 0 || len(c.offsets) != 0 {
		t.Errorf("torn first write: %+v, %v", c, err)
	}
}

func TestVerifySegmentFlips(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batches [][]int
	}{
		{"one batch", [][]int{{300}}},
		{"small", [][]int{{0}, {1}, {2, 3}}},
		{"several", [][]int{{100, 200}, {700}, {5, 6, 7}, {900}}},
		{"sealed", [][]int{{3000}, {3000, 3000}, {3000, 3000, 3000}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole, ends, tail := buildSegment(t, tt.batches...)
			end := ends[len(ends)-1]
			want, err := verifyContent(whole, directBlock, tail, visitor{})
			must(t, err)
			if (want.indexStart > 0) != (tt.name == "sealed") {
				t.Fatalf("index at %d", want.indexStart)
			}
			sealed := tail
			sealed.SealTime, sealed.IndexStart = time.Unix(2, 0), want.indexStart
			sealed.MaxIndex = sealed.BaseIndex + uint64(len(want.offsets)) - 1
			if _, err := verifyContent(whole, directBlock, sealed, visitor{}); err != nil {
				t.Fatal(err)
			}
			for at := range min(end+100, len(whole)) {
				bit := byte(1) << (at % 8)
				whole[at] ^= bit
				got, err := verifyContent(whole, directBlock, tail, visitor{})
				if at < end && err == nil {
					t.Errorf("bit flipped at %d, before the end at %d: read as %+v", at, end, got)
				}
				if at >= end && err == nil && (got.end != end || len(got.offsets) != len(want.offsets)) {
					t.Errorf("bit flipped at %d, after the end at %d, lost entries: %+v", at, end, got)
				}
				if _, err := verifyContent(whole, directBlock, sealed, visitor{}); err == nil {
					t.Errorf("bit flipped at %d of a sealed segment is not seen", at)
				}
				whole[at] ^= bit
			}
		})
	}
}

// Damage before a valid commit is never cut, even if it looks torn.
func TestVerifySegmentMiddle(t *testing.T) {
	whole, ends, info := buildSegment(t, []int{100}, []int{900, 900}, []int{1}, []int{40})
	for _, tt := range []struct{ name, want string }{
		{"zeroed batch", fmt.Sprintf("offset %d", ends[0])},
		{"garbage batch", fmt.Sprintf("offset %d", ends[0])},
		{"zeroed commit", "offset"},
		{"all but the last batch", "offset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(whole)
			switch tt.name {
			case "zeroed batch":
				clear(b[ends[0]:ends[1]])
			case "garbage batch":
				copy(b[ends[0]:ends[1]], pseudo(7, ends[1]-ends[0]))
			case "zeroed commit":
				clear(b[ends[1]-8 : ends[1]])
			case "all but the last batch":
				clear(b[:ends[2]])
			}
			_, err := verifyContent(b, 2*directBlock, info, visitor{})
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want corrupt at %s", err, tt.want)
			}
		})
	}
}

func FuzzVerifySegment(f *testing.F) {
	whole, ends, info := buildSegment(f, []int{10}, []int{20, 30})
	f.Add(whole[:ends[1]])
	f.Add(whole[:ends[0]])
	f.Add(append(bytes.Clone(whole[:ends[1]]), frameEntry, 0, 0, 0, 255, 255, 255, 255))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, seal := range []time.Time{{}, time.Unix(1, 0)} {
			info.SealTime = seal
			c, err := verifyContent(b, 2*directBlock, info, visitor{})
			if err == nil && (c.end+c.torn > len(b) || c.end%8 != 0) {
				t.Errorf("%+v in %d bytes", c, len(b))
			}
		}
	})
}

// readContent returns the content of a segment's file.
func readContent(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	info, ok := segmentOf(path)
	if !ok {
		t.Fatalf("%s is no segment", path)
	}
	return tagOf(info.ID).content(b)
}

// writeContent gives a segment's file a content. Sectors that hold nothing get what never
// has.
func writeContent(t testing.TB, path string, b []byte, never []byte) {
	t.Helper()
	info, ok := segmentOf(path)
	if !ok {
		t.Fatalf("%s is no segment", path)
	}
	file := make([]byte, sectoredSize(int64(len(b))))
	if n, _ := tagOf(info.ID).fill(file, 0, b); n != len(b) {
		t.Fatalf("%d bytes of %d", n, len(b))
	}
	for at := 0; at < len(file); at += sectorBytes {
		if zero(file[at : at+sectorContent]) {
			clear(file[at : at+sectorBytes])
			if at < len(never) {
				copy(file[at:at+sectorBytes], never[at:])
			}
		}
	}
	must(t, os.WriteFile(path, file, 0o644))
}

// formerly returns what the file of a segment may hold when it is taken for another one:
// entries that look like those of path, one behind the other from its beginning.
func formerly(t testing.TB, path string) []byte {
	t.Helper()
	b := readContent(t, path)
	end := leftover(b, 0)
	for at := end; at < len(b); at += end {
		copy(b[at:], b[:end])
	}
	file := make([]byte, sectoredSize(int64(len(b))))
	info, _ := segmentOf(path)
	tagOf(info.ID-1).fill(file, 0, b)
	return file
}

// warnings opens with a logger and returns its lines.
func openLogged(t *testing.T, cfg Config) (*Stores, string) {
	t.Helper()
	var out bytes.Buffer
	cfg.Log = hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Warn})
	s := mustOpen(t, cfg)
	return s, out.String()
}

func tailPath(t testing.TB, cfg Config) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(cfg.DataLogDir, "raft", "log", "*.wal"))
	must(t, err)
	slices.Sort(list)
	return list[len(list)-1]
}

func edit(t testing.TB, path string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, f(b), 0o644))
}

func TestTornTailIsCut(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 8, 1, 500)
	mustClose(t, s)
	path := tailPath(t, cfg)
	start := (leftover(readContent(t, path), 0) + 7) &^ 7
	s = mustOpen(t, cfg)
	must(t, s.Log.StoreLogs(entries(9, 12, 2000)))
	mustClose(t, s)
	long := readContent(t, path)
	end := (leftover(long, 0) + 7) &^ 7

	former := formerly(t, path)
	for _, at := range []int{start + 1, start + 8, start + 700, end - 1000, end - 8} {
		for _, garbage := range []bool{false, true} {
			b := bytes.Clone(long)
			clear(b[at:])
			if garbage {
				copy(b[at:end], pseudo(uint64(at), end-at))
			}
			writeContent(t, path, b, former)
			s, lines := openLogged(t, cfg)
			at0 := fileOffset(types.SegmentInfo{Codec: sectorCodecID}, start)
			want := fmt.Sprintf("path=%s offset=%d bytes=%d", path, at0, leftover(b, start))
			if strings.Count(lines, "\n") != 1 || !strings.Contains(lines, want) {
				t.Errorf("torn at %d: warnings %q, want one with %q", at, lines, want)
			}
			wantLog(t, s, 1, 8, 500)
			// A shorter write in the same place must not meet the rest of the
			// longer one.
			must(t, s.Log.StoreLogs(entries(9, 9, 500)))
			mustClose(t, s)
			s, lines = openLogged(t, cfg)
			if lines != "" {
				t.Errorf("torn at %d: warned again: %s", at, lines)
			}
			wantLog(t, s, 1, 9, 500)
			mustClose(t, s)
		}
	}
}

func TestDamagedLogIsRefused(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 150, 3, 1000) // three segments
	must(t, s.Log.DeleteRange(146, 150))
	mustClose(t, s)
	log := filepath.Join(cfg.DataLogDir, "raft", "log")
	kept := filepath.Join(t.TempDir(), "log")
	copyTree(t, log, kept)
	segments, err := filepath.Glob(filepath.Join(log, "*.wal"))
	must(t, err)
	if len(segments) != 4 { // two full, one truncated, one empty
		t.Fatalf("segments: %v", segments)
	}
	table := filepath.Join(log, tableName)
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T)
		want   []string
	}{
		{"flip in the middle", func(t *testing.T) {
			edit(t, segments[1], func(b []byte) []byte { b[20000] ^= 4; return b })
		}, []string{segments[1], "offset ", "corrupt"}},
		{"sealed segment shortened", func(t *testing.T) {
			edit(t, segments[0], func(b []byte) []byte { return b[:30000] })
		}, []string{segments[0], "ends at offset 30000"}},
		{"sealed segment missing", func(t *testing.T) { must(t, os.Remove(segments[0])) }, []string{segments[0], "missing"}},
		{"sealed segment zeroed", func(t *testing.T) {
			edit(t, segments[2], func(b []byte) []byte { clear(b); return b })
		}, []string{segments[2], "entries 127 to 145 are missing"}},
		{"tail shortened", func(t *testing.T) {
			edit(t, segments[3], func(b []byte) []byte { return b[:100] })
		}, []string{segments[3], "ends at offset 100"}},
		{"tail missing", func(t *testing.T) { must(t, os.Remove(segments[3])) }, []string{segments[3], "missing"}},
		{"segments swapped", func(t *testing.T) {
			b, err := os.ReadFile(segments[1])
			must(t, err)
			must(t, os.WriteFile(segments[0], b, 0o644))
		}, []string{segments[0], "corrupt: index at offset 0, expected at "}},
		{"table missing", func(t *testing.T) { must(t, os.Remove(table)) }, []string{"lost its log", table}},
		{"table damaged", func(t *testing.T) {
			edit(t, table, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, []string{table, "damaged"}},
		{"table older than the segments", func(t *testing.T) {
			b, err := encodeTable(types.PersistentState{NextSegmentID: 1})
			must(t, err)
			must(t, os.WriteFile(table, b, 0o644))
		}, []string{"has entries, but", "is older"}},
		{"not a segment", func(t *testing.T) { must(t, os.WriteFile(filepath.Join(log, "x.wal"), nil, 0o644)) },
			[]string{"x.wal is not a segment"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			copyTree(t, kept, log)
			tt.damage(t)
			mustRefuse(t, cfg, tt.want...)
			mustRefuse(t, cfg, tt.want...)
		})
	}
	copyTree(t, kept, log)
	s = mustOpen(t, cfg)
	wantLog(t, s, 1, 145, 1000)
}

// A segment is full and sealed, and the process ends before the table knows.
func TestInterruptedRotation(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	table := filepath.Join(cfg.DataLogDir, "raft", "log", tableName)
	fill(t, s, 1, 20, 1, 1000)
	before, err := os.ReadFile(table)
	must(t, err)
	fill(t, s, 21, 65, 1, 1000) // rotates once
	must(t, s.Log.DeleteRange(1, 1))
	mustClose(t, s)
	must(t, os.WriteFile(table, before, 0o644))
	next := tailPath(t, cfg)
	for _, there := range []bool{true, false} {
		if there {
			edit(t, next, func(b []byte) []byte { clear(b); return b })
		} else {
			must(t, os.Remove(next))
			must(t, os.WriteFile(table, before, 0o644))
		}
		s = mustOpen(t, cfg)
		_, last, err := s.log.bounds()
		must(t, err)
		wantLog(t, s, 1, last, 1000)
		fill(t, s, last+1, 200, 3, 1000)
		mustClose(t, s)
		s = mustOpen(t, cfg)
		wantLog(t, s, 1, 200, 1000)
		must(t, s.Log.DeleteRange(last+1, 200))
		mustClose(t, s)
		next = tailPath(t, cfg)
		list, err := filepath.Glob(filepath.Join(filepath.Dir(next), "*.wal"))
		must(t, err)
		for _, p := range list[1:] {
			if p != next {
				must(t, os.Remove(p))
			}
		}
	}
}

// Deleting while a rotation is due must not confuse raft-wal.
func TestDeleteDuringRotation(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	cfg.segmentBytes = 4 << 10
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	last := uint64(0)
	for range 40 { // every write seals a segment
		must(t, s.Log.StoreLogs(entries(last+1, last+3, 2000)))
		must(t, s.Log.DeleteRange(last+3, last+3))
		last += 2
	}
	wantLog(t, s, 1, last, 2000)
	must(t, s.Log.StoreLogs(entries(last+1, last+3, 2000)))
	must(t, s.Log.DeleteRange(1, last+3))
	wantLog(t, s, 0, 0, 0)
	takeSnapshot(t, s, 499, 5, nil)
	must(t, s.Log.StoreLogs(entries(500, 501, 2000)))
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, 500, 501, 2000)
}

// flipped writes whole to path with one bit flipped.
func flipped(t testing.TB, path string, whole []byte, r *rand.Rand) string {
	b := bytes.Clone(whole)
	at, bit := r.IntN(len(b)), r.IntN(8)
	b[at] ^= 1 << bit
	must(t, os.WriteFile(path, b, 0o644))
	return fmt.Sprintf("%s, offset %d, bit %d", filepath.Base(path), at, bit)
}

func TestFlipsAnywhere(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			r := rand.New(rand.NewPCG(seed, 0))
			cfg := testConfig(t, kind)
			cfg.segmentBytes = 8 << 10
			s := mustOpen(t, cfg)
			fill(t, s, 1, 70, 2, 400)
			must(t, s.Log.DeleteRange(61, 70))
			fill(t, s, 61, 64, 2, 400)
			must(t, s.Log.DeleteRange(1, 20))
			takeSnapshot(t, s, 20, 1, pseudo(1, 3000))
			must(t, s.Stable.Set([]byte("LastVoteCand"), []byte("1")))
			must(t, s.SetCluster("c"))
			mustClose(t, s)
			kept := filepath.Join(t.TempDir(), "kept")
			copyTree(t, cfg.DataLogDir, kept)
			var files []string
			must(t, filepath.WalkDir(kept, func(p string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
					rel, _ := filepath.Rel(kept, p)
					files = append(files, rel)
				}
				return err
			}))
			refused := 0
			for range rounds {
				copyTree(t, kept, cfg.DataLogDir)
				path := filepath.Join(cfg.DataLogDir, files[r.IntN(len(files))])
				whole, err := os.ReadFile(path)
				must(t, err)
				where := fmt.Sprintf("seed %d: %s", seed, flipped(t, path, whole, r))
				s, err := Open(cfg)
				if err != nil {
					if !errors.Is(err, ErrDataDir) {
						t.Errorf("%s: %v", where, err)
					}
					refused++
					continue
				}
				for i := uint64(21); i <= 64; i++ {
					var l raft.Log
					if err := s.Log.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, entry(i, 400).Data) || l.Term != entry(i, 400).Term {
						t.Errorf("%s: entry %d: %+v, %v", where, i, l, err)
					}
				}
				if last, err := s.Log.LastIndex(); err != nil || last != 64 {
					t.Errorf("%s: last index %d, %v", where, last, err)
				}
				if v, err := s.Stable.GetUint64(keyTerm); err != nil || v != 1000 {
					t.Errorf("%s: term %d, %v", where, v, err)
				}
				if v, err := s.Stable.Get([]byte("LastVoteCand")); err != nil || string(v) != "1" {
					t.Errorf("%s: vote %q, %v", where, v, err)
				}
				must(t, s.Log.StoreLogs(entries(65, 66, 400)))
				mustClose(t, s)
			}
			if refused == 0 {
				t.Errorf("seed %d: none of %d flips was refused", seed, rounds)
			}
			t.Logf("%d of %d flips refused", refused, rounds)
		})
	}
}

func FuzzDecodeTable(f *testing.F) {
	info := types.SegmentInfo{ID: 1, BaseIndex: 5, MinIndex: 6, MaxIndex: 9, Codec: entryCodecID, SealTime: time.Unix(1, 0).UTC()}
	b, err := encodeTable(types.PersistentState{NextSegmentID: 3, Segments: []types.SegmentInfo{
		info, {ID: 2, BaseIndex: 10, MinIndex: 10, Codec: sectorCodecID},
	}})
	must(f, err)
	if _, err := decodeTable(b); err != nil {
		f.Fatal(err)
	}
	f.Add(b[len(tableHead)+9:])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(fmt.Appendf(nil, "%s%08x\n", tableHead, checksum(body)), body...)
		s, err := decodeTable(b)
		if err != nil {
			return
		}
		again, err := encodeTable(s)
		must(t, err)
		if _, err := decodeTable(again); err != nil {
			t.Errorf("%q is accepted, but not %q: %v", b, again, err)
		}
	})
}

func TestTableFlips(t *testing.T) {
	b, err := encodeTable(types.PersistentState{NextSegmentID: 3, Segments: []types.SegmentInfo{{ID: 2, BaseIndex: 10, MinIndex: 10, Codec: entryCodecID}}})
	must(t, err)
	for i := range b {
		b[i] ^= 1 << (i % 8)
		if s, err := decodeTable(b); err == nil {
			t.Errorf("byte %d flipped, read as %+v", i, s)
		}
		b[i] ^= 1 << (i % 8)
	}
}

func FuzzEntry(f *testing.F) {
	for _, l := range []raft.Log{{}, {Index: 1 << 40, Term: 7, Type: raft.LogConfiguration, Data: []byte("d"), Extensions: []byte("ext"), AppendedAt: time.Unix(5, 6).UTC()}} {
		var b bytes.Buffer
		must(f, entryCodec{}.Encode(&l, &b))
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l raft.Log
		_ = entryCodec{}.Decode(b, &l)
		if len(b) < entryHead {
			return
		}
		// Give it the right sum, so that what is behind it is reached.
		b = bytes.Clone(b)
		b[0] = entryVersion
		binary.LittleEndian.PutUint32(b[1:], entrySum(b))
		if err := (entryCodec{}).Decode(b, &l); err != nil {
			return
		}
		var again bytes.Buffer
		must(t, entryCodec{}.Encode(&l, &again))
		var l2 raft.Log
		must(t, entryCodec{}.Decode(again.Bytes(), &l2))
		if fmt.Sprintf("%+v", l) != fmt.Sprintf("%+v", l2) {
			t.Errorf("%+v became %+v", l, l2)
		}
	})
}

func TestEntryFlips(t *testing.T) {
	var buf bytes.Buffer
	must(t, entryCodec{}.Encode(&raft.Log{Index: 3, Term: 4, Data: []byte("data"), Extensions: []byte("e")}, &buf))
	b := buf.Bytes()
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if err := (entryCodec{}).Decode(b, new(raft.Log)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: %v", i, err)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	if err := (entryCodec{}).Encode(&raft.Log{}, failingWriter{}); err != io.ErrShortWrite {
		t.Errorf("Encode to a failing writer: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
