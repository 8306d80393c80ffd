package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/cmd/bench"
)

func TestTarget(t *testing.T) {
	tests := []struct {
		name string
		got  string
		want string
	}{
		{"all", target{throughput: 2.5, cpu: .35, p50: .9, p99: .5}.bounds().String(), "throughput ≥ 2.5, CPU ≤ 0.35, p50 ≤ 0.9, p99 ≤ 0.5"},
		{"nothing", target{}.bounds().String(), ""},
		{"goal", goal{ratio: .5, value: below(12, "KiB")}.bounds().String(), "ratio ≤ 0.5, < 12 KiB"},
		{"reached from below", ratio(1, 4, goal{ratio: .25}.bounds(), bench.OfRatio), "0.25 ok"},
		{"missed from below", ratio(3, 4, target{p99: .5}.bounds(), bench.OfP99), "0.75 (want ≤ 0.5)"},
		{"reached from above", ratio(3, 1, target{throughput: 2.5}.bounds(), bench.OfThroughput), "3.00 ok"},
		{"missed from above", ratio(2, 1, target{throughput: 2.5}.bounds(), bench.OfThroughput), "2.00 (want ≥ 2.5)"},
		{"nobody asks", ratio(2, 1, target{p50: 1}.bounds(), bench.OfP99), "2.00"},
		{"nothing to compare with", ratio(2, 0, target{p50: 1}.bounds(), bench.OfP50), "-"},
		{"thousands", thousands(1_002_030), "1,002,030"},
		{"hundreds", thousands(999), "999"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestWants(t *testing.T) {
	f := form{only: regexp.MustCompile("set.*x 1$|memory")}
	for scenario, want := range map[string]bool{"three servers: set 128 x 1": true, "three servers: set 128 x 64": false,
		"memory of one server after its start": true} {
		if got := f.wants("other", scenario); got != want {
			t.Errorf("wants %q: got %v, want %v", scenario, got, want)
		}
	}
	if f.only = nil; !f.wants("anything") {
		t.Error("without BENCH_RUN: got no, want everything")
	}
}

// Two rounds of a pair, and what has been told and kept after them.
func TestBook(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BENCH_OUT", dir)
	var told bytes.Buffer
	b := newBook(t, quick, "one")
	b.tell = &told
	for _, x := range []struct {
		label      string
		throughput float64
		value      float64
	}{{zooraftLabel, 200, 1}, {zooKeeperLabel, 100, 4}, {zooraftLabel, 600, 3}, {zooKeeperLabel, 300, 12}} {
		b.run(&bench.Run{Scenario: "s", Label: x.label, Operations: 100, Throughput: x.throughput, Started: time.Now(),
			Processes: []bench.Process{{CPU: 0.001}, {CPU: 0.002}}}, target{throughput: 2.5})
		b.figure("g", "n", x.label, x.value, "ms", goal{ratio: .3, value: below(50, "ms")})
	}
	// The medians are 400 and 200, 2 and 8.
	for _, want := range []string{"30.0 µs CPU", "throughput 2.00 (want ≥ 2.5)", "ratio 0.25 ok", "1 ms  ok"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("told: got %q, want %q in it", told.String(), want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	var r bench.Results
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil || len(r.Runs) != 4 || len(r.Figures) != 2 {
		t.Fatalf("results.json: got %d runs, %d figures, %v, want 4, 2", len(r.Runs), len(r.Figures), err)
	}
	if got := r.Runs[0].Target; got != "throughput ≥ 2.5" {
		t.Errorf("target of a run: got %q", got)
	}
	if ours, theirs := r.Figures[0], r.Figures[1]; ours.Value != 2 || theirs.Value != 8 || ours.Target != "ratio ≤ 0.3, < 50 ms" {
		t.Errorf("figures: got %+v and %+v, want medians of 2 and 8", ours, theirs)
	}
}
