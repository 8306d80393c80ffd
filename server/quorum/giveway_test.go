package quorum

import (
	"testing"
	"time"
)

func TestRestAfter(t *testing.T) {
	for _, c := range []struct {
		took         time.Duration
		sent, logged uint64
		want         time.Duration
	}{
		{10 * time.Millisecond, 128, 0, 0}, // nobody writes
		{10 * time.Millisecond, 0, 20, 0},  // a heartbeat
		{10 * time.Millisecond, 128, 1, 50 * time.Millisecond},
		{10 * time.Millisecond, 128, 32, 10 * time.Millisecond}, // the gap is to close
		{10 * time.Millisecond, 128, 64, 0},
		{10 * time.Millisecond, 128, 500, 0}, // it does not: no rest at all
		{5 * time.Second, 128, 1, maxRest},
	} {
		if got := restAfter(c.took, c.sent, c.logged); got != c.want && !(c.want == 0 && got < 0) {
			t.Errorf("after %v for %d entries, %d logged: got %v, want %v", c.took, c.sent, c.logged, got, c.want)
		}
	}
}

// A follower that can take more than is logged catches up, whatever the rests.
func TestRestsLetCatchUp(t *testing.T) {
	const rate, took = 10_000.0, 10 * time.Millisecond // entries a second, for messages of maxAppend
	for _, load := range []float64{100, 1000, 3000, 6000, 9000, 9900} {
		behind, spent := 100_000.0, time.Duration(0)
		for behind > maxAppend {
			during := load * took.Seconds()
			cycle := took + max(restAfter(took, uint64(rate*took.Seconds()), uint64(during)), 0)
			behind += load*cycle.Seconds() - rate*took.Seconds()
			if spent += cycle; spent > time.Hour {
				t.Fatalf("with %v entries a second logged it is %v behind after an hour", load, behind)
			}
		}
		alone := 100_000 / (rate - load)
		if limit := 10 * alone; spent.Seconds() > limit {
			t.Errorf("with %v entries a second logged it took %v, without rests %.1f s", load, spent, alone)
		}
	}
}
