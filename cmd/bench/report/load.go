package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"zooraft/cmd/bench"
)

// maxFile is how many bytes a file of results may have: some hundred runs with
// their histograms take a few MiB.
const maxFile = 64 << 20

// largest is the largest number that a result may hold: no measurement comes
// near it, and sums and products of such numbers stay finite.
const largest = 1e15

// ErrEmpty reports a file that holds neither runs nor figures: most often JSON
// of another kind.
var ErrEmpty = errors.New("holds neither runs nor figures")

// Load reads a file of results. Every error names the file.
func Load(path string) (bench.Results, error) {
	f, err := os.Open(path)
	if err != nil {
		return bench.Results{}, err // names the file already
	}
	defer f.Close()
	r, err := decode(io.LimitReader(f, maxFile+1))
	if err != nil {
		return bench.Results{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// decode reads exactly one JSON value of results and checks it.
func decode(from io.Reader) (bench.Results, error) {
	data, err := io.ReadAll(from)
	if err != nil {
		return bench.Results{}, err
	}
	if len(data) > maxFile {
		return bench.Results{}, fmt.Errorf("has more than %d MiB", maxFile>>20)
	}
	var r bench.Results
	if err := json.Unmarshal(data, &r); err != nil {
		return bench.Results{}, err
	}
	if len(r.Runs) == 0 && len(r.Figures) == 0 {
		return bench.Results{}, ErrEmpty
	}
	return r, check(r)
}

// check reports the first number that cannot have been measured. What is drawn
// and divided later relies on it.
func check(r bench.Results) error {
	for i, run := range r.Runs {
		if err := checkRun(run); err != nil {
			return fmt.Errorf("run %d (%q, %q): %w", i+1, scenarioName(run), run.Label, err)
		}
	}
	for i, f := range r.Figures {
		if !(math.Abs(f.Value) <= largest) {
			return fmt.Errorf("figure %d (%q, %q): value %v", i+1, f.Name, f.Label, f.Value)
		}
	}
	if !inRange(float64(r.Environment.Memory)) || !inRange(float64(r.Environment.Cores)) {
		return fmt.Errorf("environment: %d cores, %d bytes of memory", r.Environment.Cores, r.Environment.Memory)
	}
	return nil
}

// inRange is false for NaN too.
func inRange(v float64) bool { return v >= 0 && v <= largest }

func checkRun(run bench.Run) error {
	var bad error
	is := func(what string, v float64) {
		if bad == nil && !inRange(v) {
			bad = fmt.Errorf("%s %v", what, v)
		}
	}
	latency := func(l bench.Latency) {
		is("count", float64(l.Count))
		is("mean latency", l.Mean)
		for _, v := range []int64{l.Min, l.P50, l.P90, l.P99, l.P999, l.Max} {
			is("latency", float64(v))
		}
	}
	is("seconds", run.Seconds)
	is("operations", float64(run.Operations))
	is("throughput", run.Throughput)
	is("client CPU", run.ClientCPU)
	for _, n := range run.Errors {
		is("errors", float64(n))
	}
	latency(run.Latency)
	for _, l := range run.ByOperation {
		latency(l)
	}
	for _, iv := range run.Intervals {
		is("interval at", iv.At)
		is("interval seconds", iv.Seconds)
		is("interval operations", float64(iv.Operations))
		is("interval errors", float64(iv.Errors))
		for _, v := range []int64{iv.P50, iv.P99, iv.Max} {
			is("interval latency", float64(v))
		}
	}
	for _, m := range run.Marks {
		is("mark at", m.At)
	}
	for _, p := range run.Processes {
		is("process CPU", p.CPU)
		is("process RSS", float64(p.RSS))
		is("process peak", float64(p.Peak))
	}
	w := run.Workload
	for _, v := range []int{w.Connections, w.Window, w.Size, w.Keys, w.Batch, w.Watches, w.Children} {
		is("workload", float64(v))
	}
	is("rate", w.Rate)
	is("skew", w.Hot)
	if bad == nil && !(w.ReadShare >= 0 && w.ReadShare <= 1) {
		bad = fmt.Errorf("read share %v", w.ReadShare)
	}
	return bad
}
