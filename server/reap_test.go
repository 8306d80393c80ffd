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
