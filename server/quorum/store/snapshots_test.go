package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/tests/testkit"
)

func restored(cfg Config) (*bytesFSM, uint64, []*raft.SnapshotMeta, error) {
	s, err := Open(cfg)
	if err != nil {
		return nil, 0, nil, err
	}
	defer s.Close()
	f := &bytesFSM{}
	index, err := s.Restore(f)
	if err != nil {
		return f, 0, nil, err
	}
	list, err := s.Snapshots.List()
	return f, index, list, err
}

func TestRestore(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	cfg.SnapRetain = 2
	s := mustOpen(t, cfg)
	if index, err := s.Restore(&bytesFSM{}); err != nil || index != 0 {
		t.Errorf("Restore of nothing: %d, %v", index, err)
	}
	fill(t, s, 1, 30, 10, 10)
	data := pseudo(1, 5<<19) // two and a half blocks
	for i := range uint64(4) {
		takeSnapshot(t, s, 10+i, 1, data[:i*uint64(len(data))/3])
	}
	cancelled, err := s.Snapshots.Create(1, 14, 1, raft.Configuration{}, 1, inmem())
	must(t, err)
	must(t, cancelled.Cancel())
	must(t, cancelled.Close()) // too late
	mustClose(t, s)
	left := filepath.Join(cfg.DataDir, "raft", "snapshots", "1-20-1700000000000.tmp")
	must(t, os.MkdirAll(left, 0o755))
	f, index, list, err := restored(cfg)
	must(t, err)
	if index != 13 || !bytes.Equal(f.data, data) || f.restored != 1 {
		t.Errorf("restored index %d with %d bytes, want 13 with %d", index, len(f.data), len(data))
	}
	if len(list) != 2 || list[0].Index != 13 || list[1].Index != 12 {
		t.Errorf("snapshots: %+v", list)
	}
	if there, _ := exists(left); there {
		t.Error("an interrupted snapshot is still there")
	}
}

// One that is being written is no cause for a warning.
func TestListDuringWrite(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	var log testkit.Buffer
	cfg.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &log})
	s := mustOpen(t, cfg)
	sink, err := s.Snapshots.Create(1, 14, 1, raft.Configuration{}, 1, inmem())
	must(t, err)
	list, err := s.Snapshots.List()
	must(t, err)
	must(t, sink.Cancel())
	if got := log.String(); len(list) != 0 || !strings.Contains(got, "found temporary snapshot") || strings.Contains(got, "[WARN]") {
		t.Errorf("listed %d while one was being written:\n%s", len(list), got)
	}
}

func inmem() raft.Transport {
	_, trans := raft.NewInmemTransport("x")
	return trans
}

func TestDamagedSnapshot(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 30, 10, 10)
	data := pseudo(1, 5<<19)
	old := takeSnapshot(t, s, 10, 1, []byte("old"))
	newest := takeSnapshot(t, s, 20, 1, data)
	mustClose(t, s)
	snaps := filepath.Join(cfg.DataDir, "raft", "snapshots")
	kept := filepath.Join(t.TempDir(), "kept")
	copyTree(t, snaps, kept)
	in := func(id, name string) string { return filepath.Join(snaps, id, name) }
	flip := func(path string, at int) {
		edit(t, path, func(b []byte) []byte { b[at] ^= 1; return b })
	}
	for _, tt := range []struct {
		name   string
		damage func()
		want   []string // nil: harmless
	}{
		{"state, second block", func() { flip(in(newest, stateName), 3<<19) }, []string{in(newest, stateName), "offset 1048576 to 2097152"}},
		{"state, last byte", func() { flip(in(newest, stateName), 5<<19-1) }, []string{"offset 2097152 to 2621440"}},
		{"state shortened", func() { must(t, os.Truncate(in(newest, stateName), 1000)) }, []string{in(newest, stateName), "offset 1000"}},
		{"state lengthened", func() { must(t, os.Truncate(in(newest, stateName), 3<<20)) }, []string{"offset 2621440"}},
		{"state missing", func() { must(t, os.Remove(in(newest, stateName))) }, []string{in(newest, stateName)}},
		{"meta not JSON", func() { flip(in(newest, metaName), 0) }, []string{in(newest, metaName), "offset 1"}},
		{"meta empty", func() { must(t, os.Truncate(in(newest, metaName), 0)) }, []string{in(newest, metaName)}},
		{"meta missing", func() { must(t, os.Remove(in(newest, metaName))) }, []string{in(newest, metaName)}},
		{"meta of the older one", func() {
			b, err := os.ReadFile(in(old, metaName))
			must(t, err)
			must(t, os.WriteFile(in(newest, metaName), b, 0o644))
		}, []string{in(newest, metaName), "it is not the snapshot's"}},
		{"an address in meta", func() {
			edit(t, in(newest, metaName), func(b []byte) []byte { return bytes.Replace(b, []byte("127.0.0.2"), []byte("127.0.0.3"), 1) })
		}, []string{in(newest, metaName), "corrupt"}},
		{"seal", func() { flip(in(newest, sealName), 10) }, []string{in(newest, sealName), "corrupt seal"}},
		{"seal missing", func() { must(t, os.Remove(in(newest, sealName))) }, []string{in(newest, sealName)}},
		{"strange directory", func() { must(t, os.Mkdir(filepath.Join(snaps, "lost+found"), 0o755)) }, []string{"not the name of a snapshot"}},
		{"the older one", func() {
			flip(in(old, metaName), 0)
			flip(in(old, stateName), 0)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			copyTree(t, kept, snaps)
			tt.damage()
			f, index, _, err := restored(cfg)
			if tt.want == nil {
				if err != nil || index != 20 || !bytes.Equal(f.data, data) {
					t.Errorf("got index %d, %v", index, err)
				}
				return
			}
			if !errors.Is(err, ErrDataDir) {
				t.Fatalf("got %v, want ErrDataDir", err)
			}
			for _, w := range tt.want {
				if !bytes.Contains([]byte(err.Error()), []byte(w)) {
					t.Errorf("got %v, want %q in it", err, w)
				}
			}
			if f != nil && f.restored > 0 {
				t.Error("the state machine saw a damaged snapshot")
			}
		})
	}
}

func TestOpenOfRaft(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 30, 10, 10)
	data := pseudo(4, 5<<19)
	id := takeSnapshot(t, s, 20, 1, data)
	meta, in, err := s.Snapshots.Open(id)
	must(t, err)
	got, err := io.ReadAll(in)
	must(t, err)
	must(t, in.Close())
	if meta.ID != id || meta.Index != 20 || meta.Size != int64(len(data)) || !bytes.Equal(got, data) {
		t.Errorf("opened %+v with %d bytes", meta, len(got))
	}
	path := filepath.Join(s.snaps.dir, id, stateName)
	edit(t, path, func(b []byte) []byte { b[3<<19] ^= 1; return b })
	if _, _, err := s.Snapshots.Open(id); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path+": offset 1048576 to 2097152") {
		t.Errorf("a damaged state: %v", err)
	}
	if _, _, err := s.Snapshots.Open("../raft"); err == nil {
		t.Error("something that is no snapshot is opened")
	}
}

func TestSnapshotFlips(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 30, 10, 10)
	data := pseudo(2, 4000)
	id := takeSnapshot(t, s, 20, 1, data)
	mustClose(t, s)
	_, _, want, err := restored(cfg)
	must(t, err)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	refused := 0
	for i := range 120 {
		path := filepath.Join(cfg.DataDir, "raft", "snapshots", id, []string{metaName, stateName, sealName}[i%3])
		whole, err := os.ReadFile(path)
		must(t, err)
		where := flipped(t, path, whole, r)
		f, index, list, err := restored(cfg)
		must(t, os.WriteFile(path, whole, 0o644))
		if err != nil {
			refused++
			continue
		}
		if len(list) != 1 {
			t.Fatalf("seed %d: %s: %d snapshots", seed, where, len(list))
		}
		list[0].Peers = want[0].Peers // of another version; raft does not look
		if index != 20 || !bytes.Equal(f.data, data) || !reflect.DeepEqual(list, want) {
			t.Errorf("seed %d: %s: restored %d with %+v", seed, where, index, *list[0])
		}
	}
	if refused < 80 {
		t.Errorf("seed %d: %d of 120 flips refused", seed, refused)
	}
}

func TestRestoreFails(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 30, 10, 10)
	id := takeSnapshot(t, s, 20, 1, []byte("state"))
	mustClose(t, s)
	s = mustOpen(t, cfg)
	boom := errors.New("boom")
	_, err := s.Restore(&bytesFSM{fail: boom})
	want := fmt.Sprintf("%s: near offset 5: restore: boom", filepath.Join(s.snaps.dir, id, stateName))
	if !errors.Is(err, boom) || !bytes.Contains([]byte(err.Error()), []byte(want)) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func FuzzDecodeSeal(f *testing.F) {
	var sums blockSums
	sums.write(pseudo(3, 3<<19))
	f.Add(seal{meta: 1, size: sums.size, blocks: sums.finish()}.encode())
	f.Add(seal{}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeSeal(b)
		if len(b) < 4 {
			return
		}
		n := len(b) - 4
		b = seal{}.resum(b[:n])
		if s, err := decodeSeal(b); err == nil && !bytes.Equal(s.encode(), b) {
			t.Errorf("%x is read as %+v", b, s)
		}
	})
}

// resum gives a body the right checksum.
func (seal) resum(body []byte) []byte {
	sum := checksum(body)
	return append(slices.Clone(body), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
}
