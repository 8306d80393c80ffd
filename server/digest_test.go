package server

import (
	"sync"
	"testing"
	"time"
)

// The tree is read once for each zxid, and at most once a second, or a tenth of the
// time.
func TestDigestsAreRare(t *testing.T) {
	var d digests
	now, zxid, read, takes := time.Unix(100, 0), int64(1), 0, time.Duration(0)
	get := func() (int64, uint64) {
		return d.get(func() time.Time { return now }, func() int64 { return zxid }, func() (int64, uint64) {
			read++
			now = now.Add(takes)
			return zxid, uint64(zxid) * 10
		})
	}
	for _, tt := range []struct {
		name  string
		wait  time.Duration
		zxid  int64
		takes time.Duration
		want  int64
		reads int
	}{
		{"first", 0, 1, 0, 1, 1},
		{"again", 0, 1, 0, 1, 1},
		{"changed at once", 999 * time.Millisecond, 2, 0, 1, 1},
		{"a second later", time.Millisecond, 2, 3 * time.Second, 2, 2},
		{"unchanged for long", time.Hour, 2, 0, 2, 2},
		{"changed", 0, 3, 3 * time.Second, 3, 3},
		{"changed, and slow to read", 26 * time.Second, 4, 0, 3, 3},
		{"nine times as long later", time.Second, 4, 0, 4, 4},
	} {
		now, zxid, takes = now.Add(tt.wait), tt.zxid, tt.takes
		if at, digest := get(); at != tt.want || digest != uint64(tt.want)*10 || read != tt.reads {
			t.Errorf("%s: %d at %d, read %d times; want that at %d, and %d", tt.name, digest, at, read, tt.want, tt.reads)
		}
	}
}

// Who asks while the tree is read waits for what comes of it.
func TestDigestsAreOneAtATime(t *testing.T) {
	var d digests
	var all sync.WaitGroup
	var read int // of whoever holds the digests
	for range 20 {
		all.Go(func() {
			zxid, digest := d.get(time.Now, func() int64 { return 7 }, func() (int64, uint64) {
				read++
				time.Sleep(time.Millisecond)
				return 7, 70
			})
			if zxid != 7 || digest != 70 {
				t.Errorf("%d at %d", digest, zxid)
			}
		})
	}
	if all.Wait(); read != 1 {
		t.Errorf("read %d times", read)
	}
}
