package bench

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// form is how much is measured, and how long: BENCH=full or the quick form, which a developer can wait for.
type form struct {
	full     bool
	rounds   int            // alternations of the two servers
	measure  time.Duration  // of one measurement
	warmUp   time.Duration  // before it, under the same load
	warmMost time.Duration  // that a new ensemble is warmed up
	shares   []float64      // of reads, beside the 90 % that are compared anyway
	only     *regexp.Regexp // of scenarios to measure; nil is all
	znodes   int            // of the population whose memory, snapshots and restarts are measured
	snapshot int            // requests until it is written out, at most
	rest     time.Duration  // after it is filled, for memory to come back
	sessions int            // idle
	missed   int            // writes that a follower misses before it rejoins
	freezes  int            // rounds of the slowest scenario: ZooKeeper takes 10 s to miss a frozen leader
	servers  int            // under the failures of group Reliability
	dwell    time.Duration  // in each state of it
}

var quick = form{
	rounds: 1, measure: 600 * time.Millisecond, warmUp: 400 * time.Millisecond, warmMost: 4 * time.Second,
	shares: []float64{0, .5, 1},
	znodes: 100_000, snapshot: 5000, rest: time.Second, sessions: 1000, missed: 50_000, freezes: 1, servers: 5, dwell: time.Second,
}

var full = form{
	full:   true,
	rounds: 3, measure: 4 * time.Second, warmUp: 1500 * time.Millisecond, warmMost: 30 * time.Second,
	shares: []float64{0, .2, .4, .6, .8, 1},
	znodes: 1_000_000, snapshot: 15_000, rest: 30 * time.Second, sessions: 5000, missed: 1_000_000, freezes: 3, servers: 7, dwell: 6 * time.Second,
}

// formAsked reads the environment.
func formAsked(t *testing.T) form {
	t.Helper()
	f := quick
	switch kind := os.Getenv("BENCH"); kind {
	case "", "quick":
	case "full":
		f = full
	default:
		t.Fatalf("BENCH=%q: want quick or full", kind)
	}
	f.rounds = setting(t, "BENCH_ROUNDS", f.rounds)
	if s := setting(t, "BENCH_SECONDS", 0); s > 0 {
		f.measure = time.Duration(s) * time.Second
	}
	if text := os.Getenv("BENCH_RUN"); text != "" {
		var err error
		if f.only, err = regexp.Compile(text); err != nil {
			t.Fatalf("BENCH_RUN: %v", err)
		}
	}
	return f
}

// wants says whether a scenario is to be measured; any of several will do, for what is measured in one go.
func (f *form) wants(scenarios ...string) bool {
	if f.only == nil {
		return true
	}
	for _, s := range scenarios {
		if f.only.MatchString(s) {
			return true
		}
	}
	return false
}
