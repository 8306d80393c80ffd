package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// growBolt makes a log with branches, free pages and large entries.
func growBolt(t testing.TB, path string) {
	t.Helper()
	l, err := openBoltLog(path, visitor{})
	must(t, err)
	must(t, l.StoreLogs(entries(1, 400, 100)))
	must(t, l.StoreLogs(entries(401, 403, 10000)))
	must(t, l.DeleteRange(1, 150))
	must(t, l.StoreLogs(entries(404, 420, 300)))
	must(t, l.Close())
}

func TestBoltFlips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	growBolt(t, path)
	must(t, checkBolt(path))
	whole, err := os.ReadFile(path)
	must(t, err)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	refused := 0
	for i := range rounds {
		b := bytes.Clone(whole)
		at := r.IntN(len(b))
		if i%2 == 0 { // rather where the structure is
			at = at/os.Getpagesize()*os.Getpagesize() + r.IntN(128)
		}
		bit := r.IntN(8)
		b[at] ^= 1 << bit
		must(t, os.WriteFile(path, b, 0o644))
		where := fmt.Sprintf("seed %d, offset %d, bit %d", seed, at, bit)
		l, err := openBoltLog(path, visitor{})
		if err != nil {
			refused++
			continue
		}
		first, err := l.FirstIndex()
		must(t, err)
		last, err := l.LastIndex()
		must(t, err)
		if first != 151 || last != 420 {
			t.Errorf("%s: log from %d to %d", where, first, last)
		}
		for i := uint64(151); i <= 420; i++ {
			if err := l.GetLog(i, new(raft.Log)); err != nil {
				t.Errorf("%s: entry %d: %v", where, i, err)
				break
			}
		}
		must(t, l.StoreLogs(entries(421, 421, 10)))
		must(t, l.Close())
	}
	t.Logf("%d of %d flips refused", refused, rounds)
	if refused == 0 {
		t.Error("none was refused")
	}
}

// A count of elements that becomes 0 takes all checks of elements with it.
func TestBoltEmptiedLeaf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	growBolt(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	emptied := 0
	for at := 0; at < len(whole); at += os.Getpagesize() {
		page := whole[at:]
		if binary.NativeEndian.Uint64(page) != uint64(at/os.Getpagesize()) || binary.NativeEndian.Uint16(page[8:]) != boltLeaf ||
			binary.NativeEndian.Uint16(page[10:]) == 0 {
			continue
		}
		b := bytes.Clone(whole)
		binary.NativeEndian.PutUint16(b[at+10:], 0)
		must(t, os.WriteFile(path, b, 0o644))
		l, err := openBoltLog(path, visitor{})
		if err != nil {
			emptied++
			continue
		}
		if first, err := l.FirstIndex(); err != nil || first != 151 {
			t.Errorf("page at %d: log from %d, %v", at, first, err)
		}
		for i := uint64(151); i <= 420; i++ {
			if err := l.GetLog(i, new(raft.Log)); err != nil {
				t.Errorf("page at %d: entry %d: %v", at, i, err)
				break
			}
		}
		must(t, l.Close())
	}
	if emptied < 5 {
		t.Errorf("only %d emptied leaves were noticed", emptied)
	}
}

func TestBoltDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	growBolt(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	for _, tt := range []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"shortened", func(b []byte) []byte { return b[:len(b)/2] }},
		{"empty", func(b []byte) []byte { return nil }},
		{"meta page", func(b []byte) []byte { b[os.Getpagesize()+boltPageHead+20] ^= 1; return b }},
		{"data", func(b []byte) []byte {
			at := bytes.Index(b, entry(200, 100).Data)
			b[at+50] ^= 1
			return b
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, os.WriteFile(path, tt.damage(bytes.Clone(whole)), 0o644))
			if l, err := openBoltLog(path, visitor{}); err == nil {
				_ = l.Close()
				t.Error("it opened")
			}
		})
	}
}

// Many histories of a bolt file, none of which may be taken for damage.
func TestBoltCheckAcceptsBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	lo, hi := uint64(1), uint64(0)
	for range 25 {
		l, err := openBoltLog(path, visitor{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		n := 1 + r.Uint64N(300)
		must(t, l.StoreLogs(entries(hi+1, hi+n, r.IntN(3000))))
		hi += n
		if r.IntN(2) == 0 && hi > lo {
			cut := lo + r.Uint64N(hi-lo+1)
			must(t, l.DeleteRange(lo, cut))
			lo = cut + 1
		}
		must(t, l.Set([]byte("CurrentTerm"), sealValue([]byte("CurrentTerm"), pseudo(hi, 8))))
		must(t, l.Close())
		count := uint64(0)
		must(t, walkBolt(path, func(bucket string, _, _ []byte, _ int64) error {
			if bucket == "logs" {
				count++
			}
			return nil
		}))
		if count != hi-lo+1 {
			t.Fatalf("seed %d: %d entries walked, want %d", seed, count, hi-lo+1)
		}
	}
}

// A value that raft-boltdb would return as it is.
func TestStableValueIsChecked(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 7))
	mustClose(t, s)
	path := filepath.Join(cfg.DataLogDir, "raft", "stable.db")
	b, err := raftboltdb.NewBoltStore(path)
	must(t, err)
	must(t, b.SetUint64(keyTerm, 6))
	must(t, b.Close())
	mustRefuse(t, cfg, path, "corrupt value", "CurrentTerm")
}

func FuzzWalkBolt(f *testing.F) {
	path := filepath.Join(f.TempDir(), "log.db")
	l, err := openBoltLog(path, visitor{})
	must(f, err)
	must(f, l.StoreLogs(entries(1, 3, 10)))
	must(f, l.Close())
	whole, err := os.ReadFile(path)
	must(f, err)
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(os.Getpagesize()*3), []byte{0, 0, 255})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		b := bytes.Clone(whole)
		for i, v := range patch {
			b[(int(at)+i)%len(b)] ^= v
		}
		p := filepath.Join(t.TempDir(), "x.db")
		must(t, os.WriteFile(p, b, 0o644))
		_ = walkBolt(p, func(string, []byte, []byte, int64) error { return nil })
	})
}
