package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"zooraft/cmd/bench"
)

// book takes in what is measured. It tells of each measurement at once, with what it is of ZooKeeper's, and writes all of
// it to results.json each time, so that an interrupted run has told and kept what it found.
type book struct {
	t       *testing.T
	form    form
	file    string
	start   time.Time
	tell    io.Writer
	results bench.Results
	runs    map[string]map[string][]measured // by scenario and label
	values  map[figureKey][]float64          // all rounds; results holds their median
}

type figureKey struct{ group, name, label string }

// newBook writes to results.json in the directory BENCH_OUT names.
func newBook(t *testing.T, f form, versions ...string) *book {
	t.Helper()
	dir := os.Getenv("BENCH_OUT")
	if dir == "" {
		dir = "../../bench-results"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &book{
		t: t, form: f, file: filepath.Join(dir, "results.json"), start: time.Now(), tell: os.Stdout,
		runs: map[string]map[string][]measured{}, values: map[figureKey][]float64{},
	}
	b.results.Environment = bench.ReadEnvironment(versions...)
	command := "make bench"
	if f.full {
		command += " BENCH=full"
	}
	for _, key := range []string{"BENCH_RUN", "BENCH_ROUNDS", "BENCH_SECONDS"} {
		if value := os.Getenv(key); value != "" {
			command += fmt.Sprintf(" %s='%s'", key, value)
		}
	}
	b.results.Environment.Commands = append(b.results.Environment.Commands, command)
	return b
}

// say prints a line with the time since the start.
func (b *book) say(format string, args ...any) {
	fmt.Fprintf(b.tell, "%5.0f s  %s\n", time.Since(b.start).Seconds(), fmt.Sprintf(format, args...))
}

// run enters a run; its Target is set from want. Errors are the caller's to judge.
func (b *book) run(r *bench.Run, want target) {
	b.t.Helper()
	bounds := want.bounds()
	r.Target = bounds.String()
	b.results.Runs = append(b.results.Runs, *r)
	b.write()
	m := measuredOf(r)
	errors := ""
	if n := failed(r); n > 0 {
		errors = fmt.Sprintf("  %d errors: %v", n, r.Errors)
	}
	b.say("%-44s %-16s %9.0f/s  p50 %7s  p99 %8s ms  %6s µs CPU%s", r.Scenario, r.Label, m.throughput, msOf(m.p50),
		msOf(m.p99), orNone(m.cpu, "%.1f"), errors)
	byLabel := b.runs[r.Scenario]
	if byLabel == nil {
		byLabel = map[string][]measured{}
		b.runs[r.Scenario] = byLabel
	}
	byLabel[r.Label] = append(byLabel[r.Label], m)
	ours, theirs := byLabel[zooraftLabel], byLabel[zooKeeperLabel]
	if r.Label == zooraftLabel || len(ours) != len(theirs) {
		return // the comparison waits for the second of a pair
	}
	a, z := medians(ours), medians(theirs)
	b.say("%-44s %-16s throughput %s, p50 %s, p99 %s, CPU %s", "", "ratio", ratio(a.throughput, z.throughput, bounds, bench.OfThroughput),
		ratio(a.p50, z.p50, bounds, bench.OfP50), ratio(a.p99, z.p99, bounds, bench.OfP99), ratio(a.cpu, z.cpu, bounds, bench.OfCPU))
}

func failed(r *bench.Run) int64 {
	var n int64
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// goal is what is wanted of a figure.
type goal struct {
	ratio float64     // at most, of ZooKeeper's; 0 asks for nothing
	value bench.Bound // of the figure itself; the zero Bound asks for nothing
}

// bounds is the goal as the results hold it.
func (g goal) bounds() (all bench.Target) {
	if g.ratio > 0 {
		all = append(all, bench.Bound{Of: bench.OfRatio, Relation: "≤", Limit: g.ratio})
	}
	if g.value != (bench.Bound{}) {
		all = append(all, g.value)
	}
	return all
}

// below and above are goals for the figure itself.
func below(limit float64, unit string) bench.Bound {
	return bench.Bound{Relation: "<", Limit: limit, Unit: unit}
}

func above(limit float64, unit string) bench.Bound {
	return bench.Bound{Relation: ">", Limit: limit, Unit: unit}
}

// figure enters one value of a figure, which is the median of all that are entered for it.
func (b *book) figure(group, name, label string, value float64, unit string, want goal) {
	b.t.Helper()
	key := figureKey{group, name, label}
	b.values[key] = append(b.values[key], value)
	bounds := want.bounds()
	f := bench.Figure{Group: group, Name: name, Label: label, Value: median(b.values[key]), Unit: unit, Target: bounds.String()}
	at := slices.IndexFunc(b.results.Figures, func(f bench.Figure) bool { return figureKey{f.Group, f.Name, f.Label} == key })
	if at >= 0 {
		b.results.Figures[at] = f
	} else {
		b.results.Figures = append(b.results.Figures, f)
	}
	b.write()
	line := fmt.Sprintf("%-44s %-16s %9.4g %s", name, label, value, unit)
	ours, theirs := median(b.values[figureKey{group, name, zooraftLabel}]), median(b.values[figureKey{group, name, zooKeeperLabel}])
	if bound, ok := bounds.Bound(bench.OfValue); ok && label == zooraftLabel {
		line += "  " + judged(bound, ours)
	}
	if label == zooKeeperLabel && ours != 0 && theirs != 0 {
		line += "  ratio " + ratio(ours, theirs, bounds, bench.OfRatio)
	}
	b.say("%s", line)
}

// write replaces results.json, so that whoever reads it finds a whole one.
func (b *book) write() {
	b.t.Helper()
	text, err := json.MarshalIndent(&b.results, "", " ")
	if err != nil {
		b.t.Fatal(err)
	}
	next := b.file + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(next, b.file); err != nil {
		b.t.Fatal(err)
	}
}

// msOf prints microseconds in milliseconds.
func msOf(us float64) string { return orNone(us/1000, "%.2f") }

// orNone prints a number; 0 is what was not measured.
func orNone(x float64, format string) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf(format, x)
}
