package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/fsm"
)

func TestReaper(t *testing.T) {
	r := newReaper(time.Minute, 7200, time.Second) // 120 in a tick
	now := time.Unix(1000, 0)
	var empty []string
	looks := 0
	var got [][]string
	tick := func(step time.Duration, term uint64) {
		now = now.Add(step)
		got = nil
		r.tick(now, term, func(limit int) []string {
			if looks++; limit != 7200 {
				t.Errorf("%d are looked for, want 7200, what goes in an interval", limit)
			}
			return empty
		}, func(q fsm.Reap) {
			if q.Term != term {
				t.Errorf("removal in term %d, want %d", q.Term, term)
			}
			got = append(got, slices.Clone(q.Paths))
		})
	}
	wantSizes := func(when string, want ...int) {
		t.Helper()
		var sizes []int
		for _, paths := range got {
			sizes = append(sizes, len(paths))
		}
		if !slices.Equal(sizes, want) {
			t.Errorf("%s: requests of %v containers, want %v", when, sizes, want)
		}
	}
	for i := range 300 {
		empty = append(empty, fmt.Sprintf("/c%d", i))
	}

	tick(time.Hour, 0)
	tick(time.Second, 3)
	tick(59*time.Second, 3)
	if looks != 0 {
		t.Errorf("%d looks while it does not lead, or before an interval in office; want none", looks)
	}
	tick(time.Second, 3)
	wantSizes("at the first look", 50, 50, 20)
	if got[0][0] != "/c0" || got[2][19] != "/c119" {
		t.Errorf("order: from %s to %s, want /c0 to /c119", got[0][0], got[2][19])
	}
	tick(time.Second, 3)
	wantSizes("a tick later", 50, 50, 20)
	tick(time.Second, 3)
	wantSizes("two ticks later", 50, 10)
	tick(time.Second, 3)
	wantSizes("when all are gone")
	tick(time.Minute, 3)
	wantSizes("at the second look", 50, 50, 20)
	if looks != 2 {
		t.Errorf("%d looks, want 2", looks)
	}
	tick(time.Second, 0)
	wantSizes("out of office")
	tick(time.Second, 5)
	wantSizes("in the next term, whose leader looks for itself")
	empty = slices.Repeat([]string{"/" + strings.Repeat("x", 30<<10)}, 7)
	tick(time.Minute, 5)
	wantSizes("with long paths", 3, 3, 1)
}

// A short interval is kept, whatever the tick, and the pace is the same as with a long one.
func TestReaperPace(t *testing.T) {
	for _, tt := range []struct {
		name      string
		interval  time.Duration
		perMinute int
		want      int // removed in a second; one more at most, and a tenth less, for a look may end within a tick
	}{
		{"longer than a tick", 2 * time.Second, 10000, 166},
		{"short", 100 * time.Millisecond, 10000, 166},
		{"shortest", time.Millisecond, 10000, 166},
		{"shorter than one takes", time.Millisecond, 60, 1},
		{"shorter than many take", time.Millisecond, 600000, 10000},
	} {
		r := newReaper(tt.interval, tt.perMinute, time.Second)
		left := slices.Repeat([]string{"/c"}, 50000)
		removed := 0
		now := time.Unix(1000, 0)
		tick := func() {
			r.tick(now, 1, func(limit int) []string { return left[:min(limit, len(left))] }, func(q fsm.Reap) {
				removed += len(q.Paths)
				left = left[len(q.Paths):]
			})
		}
		for tick(); now.Before(time.Unix(1002, 0)); tick() { // the first looks
			now = now.Add(r.period)
		}
		removed = 0
		for end := now.Add(time.Second); now.Before(end); tick() {
			now = now.Add(r.period)
		}
		if removed < tt.want*9/10 || removed > tt.want+1 {
			t.Errorf("%s: %d removed in a second, want %d", tt.name, removed, tt.want)
		}
	}

	if r := newReaper(time.Millisecond, 10000, time.Second); r.period != time.Millisecond {
		t.Errorf("tick is called every %v, want an interval of 1 ms", r.period)
	}
}
