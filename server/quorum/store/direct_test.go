package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// oddWriter is the other descriptor of a file whose file system refuses direct
// writes, or fails, after some of them.
type oddWriter struct {
	writerAtCloser
	good int // writes
	part int // bytes of the next that are written
	err  error
}

func (w *oddWriter) WriteAt(b []byte, at int64) (int, error) {
	if w.good--; w.good >= 0 {
		return w.writerAtCloser.WriteAt(b, at)
	}
	n, err := w.writerAtCloser.WriteAt(b[:w.part], at)
	return n, errors.Join(w.err, err)
}

// dirs are one on the disk and, where there is one, one in memory.
func dirs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"disk": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "zooraft"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		all["memory"] = dir
	}
	return all
}

// The content of a file that is appended to past the page cache is what was
// appended, and zeros, whatever was in the file before, at every moment, also
// when it is opened again, in the middle of a block or beyond the size it was
// made with, and when the file system refuses.
func TestDirectAppend(t *testing.T) {
	const size = 3<<20 + 1000
	for name, dir := range dirs(t) {
		for _, refuse := range []int{-1, 0, 1, 7} {
			seed := uint64(time.Now().UnixNano())
			r := rand.New(rand.NewPCG(seed, 1))
			path := filepath.Join(dir, "f")
			want := make([]byte, size)
			former := make([]byte, sectoredSize(size))
			if refuse != 1 {
				tagOf(6).fill(former, 0, pseudo(6, size))
			}
			must(t, os.WriteFile(path, former, 0o644))
			d := &direct{log: hclog.NewNullLogger()}
			var f *directFile
			var a appended
			open := func() {
				if f != nil {
					must(t, f.Close())
				}
				file, err := os.OpenFile(path, os.O_RDWR, 0)
				must(t, err)
				f, a = d.open(file), appended{tag: tagOf(7), end: -1}
				if name == "disk" && f.by == nil {
					t.Skip("no direct writes here")
				}
				if refuse >= 0 && f.by != nil {
					f.by = &oddWriter{writerAtCloser: f.by, good: refuse, part: directBlock, err: syscall.EINVAL}
				}
			}
			open()
			for at := 0; at < size; {
				n := []int{1, 8, r.IntN(5000), blockContent - at%blockContent, sectorContent, r.IntN(200 << 10), directBytes + r.IntN(directBytes)}[r.IntN(7)]
				b := pseudo(uint64(at), n)
				want = append(want[:at], b...)
				if grown := max(size, at+n) - len(want); grown > 0 {
					want = append(want, make([]byte, grown)...)
				}
				if w, err := a.write(f, b, int64(at)); w != n || err != nil {
					t.Fatalf("%s, seed %d: %d bytes at %d: %d, %v", name, seed, n, at, w, err)
				}
				at += n
				got, err := os.ReadFile(path)
				must(t, err)
				got = a.tag.content(got)
				if len(got) < len(want) || !bytes.Equal(got[:len(want)], want) || !zero(got[len(want):]) {
					t.Fatalf("%s, refused after %d, seed %d: not what was written, up to %d", name, refuse, seed, at)
				}
				if r.IntN(4) == 0 {
					open()
				}
			}
			must(t, f.Close())
			if len(d.buf) > directBytes {
				t.Errorf("the buffer has %d bytes", len(d.buf))
			}
		}
	}
}

// A failed write is the caller's, and the bytes before it stay.
func TestDirectFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, make([]byte, 64<<10), 0o644))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	f, a := (&direct{log: hclog.NewNullLogger()}).open(file), appended{tag: tagOf(7), end: -1}
	if f.by == nil {
		t.Skip("no direct writes here")
	}
	defer f.Close()
	before := pseudo(1, 5000)
	_, err = a.write(f, before, 0)
	must(t, err)
	f.by = &oddWriter{writerAtCloser: f.by, part: directBlock, err: syscall.ENOSPC}
	if _, err := a.write(f, pseudo(2, 10000), 5000); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	got, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(a.tag.content(got)[:5000], before) {
		t.Error("what was there has changed")
	}
}

// A stream of any length is in the file as it was written, also where the file
// system refuses.
func TestBlockStream(t *testing.T) {
	for name, dir := range dirs(t) {
		for _, size := range []int{0, 1, directBlock, directBlock + 1, directBytes, 3*directBytes - 1, 3*directBytes + 5000} {
			for _, refuse := range []int{-1, 0, 1} {
				path := filepath.Join(dir, "s")
				file, err := os.Create(path)
				must(t, err)
				s := newBlockStream(file, hclog.NewNullLogger())
				if refuse >= 0 && s.by != nil {
					s.by = &oddWriter{writerAtCloser: s.by, good: refuse, err: syscall.EINVAL}
				}
				want := pseudo(uint64(size), size)
				for rest, n := want, 1; len(rest) > 0; n *= 3 {
					n = min(n, len(rest))
					if w, err := s.Write(rest[:n]); w != n || err != nil {
						t.Fatalf("%s: %d of %d bytes, %v", name, w, n, err)
					}
					rest = rest[n:]
				}
				must(t, errors.Join(s.finish(), s.Close()))
				got, err := os.ReadFile(path)
				must(t, err)
				if !bytes.Equal(got, want) {
					t.Errorf("%s, refused after %d: of %d bytes %d are there, or others", name, refuse, size, len(got))
				}
			}
		}
	}
}
