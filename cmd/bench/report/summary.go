package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"zooraft/cmd/bench"
)

// even is how far a ratio may be from one and still be called even: repeated
// runs on one machine differ by about as much.
const even = 0.05

// stat is what repetitions gave.
type stat struct {
	n                int
	median, min, max float64
}

// statOf returns nil if there is nothing to take a median of.
func statOf(values []float64) *stat {
	if len(values) == 0 {
		return nil
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return &stat{len(v), median, v[0], v[len(v)-1]}
}

// direction says which way a figure gets better.
type direction int

const (
	unknown direction = iota
	higher
	lower
)

// metric is a column of the summary.
type metric struct {
	name   string
	title  string // says more than the name
	target string // what a bound of it is called; empty if there is none
	better direction
	format func(float64) string
	// of returns false if the run does not say.
	of func(bench.Run) (float64, bool)
}

var metrics = []metric{
	{"operations/s", "throughput: completed operations per second", bench.OfThroughput, higher, number,
		func(r bench.Run) (float64, bool) { return r.Throughput, r.Seconds > 0 || r.Throughput > 0 }},
	{"server CPU", "processor seconds of all server processes, user and system, per 100,000 operations", bench.OfCPU, lower,
		func(v float64) string { return number(v) + " s" },
		func(r bench.Run) (float64, bool) { v, ok := cpuPerOperation(r); return v * 1e5, ok }},
	{"p50", "half of all operations took no longer", bench.OfP50, lower, micros, latencyOf(func(l bench.Latency) int64 { return l.P50 })},
	{"p99", "99 of 100 operations took no longer", bench.OfP99, lower, micros, latencyOf(func(l bench.Latency) int64 { return l.P99 })},
	{"max", "the slowest operation", "", lower, micros, latencyOf(func(l bench.Latency) int64 { return l.Max })},
	{"errors", "requests that failed; they are not counted as operations", "", unknown, number,
		func(r bench.Run) (float64, bool) { return float64(errorsOf(r)), true }},
}

func latencyOf(f func(bench.Latency) int64) func(bench.Run) (float64, bool) {
	return func(r bench.Run) (float64, bool) { return float64(f(r.Latency)), r.Latency.Count > 0 }
}

// cpuPerOperation returns the servers' processor seconds.
func cpuPerOperation(r bench.Run) (float64, bool) {
	if r.Operations == 0 || len(r.Processes) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, p := range r.Processes {
		sum += p.CPU
	}
	return sum / float64(r.Operations), true
}

func errorsOf(r bench.Run) (n int64) {
	for _, e := range r.Errors {
		n += e
	}
	return n
}

// cell is a figure of one label, and how it stands to the baseline.
type cell struct {
	stat  *stat // nil if nothing was measured
	ratio float64
	// verdict is "better", "worse" or "even"; empty where there is no ratio, or
	// where nobody said which way is better.
	verdict    string
	hasRatio   bool
	judgements []judgement
}

// compare fills in the ratio to the baseline's cell.
func (c *cell) compare(base *stat, better direction) {
	if c.stat == nil || base == nil || base.median == 0 {
		return
	}
	c.ratio, c.hasRatio = c.stat.median/base.median, true
	overlap := c.stat.n > 1 && base.n > 1 && c.stat.min <= base.max && base.min <= c.stat.max
	switch {
	case better == unknown:
	case overlap, c.ratio >= 1-even && c.ratio <= 1+even:
		c.verdict = "even"
	case (c.ratio > 1) == (better == higher):
		c.verdict = "better"
	default:
		c.verdict = "worse"
	}
}

// row is one label's part of a scenario; cells stand in the order of metrics.
type row struct {
	label string
	runs  []bench.Run
	cells []cell
}

type scenario struct {
	name   string
	detail string // the workload in words
	wanted string // a target that is not in judgements
	rows   []row
}

// figure is a number for each label; cells stand in the order of labels.
type figure struct {
	name, unit string
	wanted     string // a target that is not in judgements
	cells      []cell
}

// format writes a value with its unit.
func (f *figure) format(v float64) string { return strings.TrimSpace(number(v) + " " + f.unit) }

type group struct {
	name      string
	scenarios []*scenario
	figures   []*figure
}

// summary is all that is shown, before it is shown.
type summary struct {
	title, baseline string
	notes           []string
	labels          []string // in the order they first appear
	environments    []bench.Environment
	groups          []*group
	outcomes        []outcome // of all targets that could be read
}

// summarize puts repetitions together. Order is that of the results.
func summarize(results []bench.Results, o Options) (*summary, error) {
	s := &summary{title: o.Title, notes: o.Notes}
	for i, r := range results {
		if err := check(r); err != nil {
			return nil, fmt.Errorf("results %d: %w", i+1, err)
		}
		s.environments = append(s.environments, r.Environment)
		for _, run := range r.Runs {
			s.addLabel(labelOr(run.Label))
		}
		for _, f := range r.Figures {
			s.addLabel(labelOr(f.Label))
		}
	}
	if s.title == "" {
		s.title = "Measurements"
		if len(s.labels) > 1 {
			s.title = strings.Join(s.labels, " and ")
		}
	}
	var err error
	if s.baseline, err = baselineOf(s.labels, o.Baseline); err != nil {
		return nil, err
	}
	figures := make(map[*figure]map[string][]float64)
	for _, r := range results {
		for _, run := range r.Runs {
			s.group(run.Group, "Runs").scenario(run).add(run)
		}
		for _, f := range r.Figures {
			fig := s.group(f.Group, "Figures").figure(f)
			if figures[fig] == nil {
				figures[fig] = make(map[string][]float64)
			}
			l := labelOr(f.Label)
			figures[fig][l] = append(figures[fig][l], f.Value)
		}
	}
	for _, g := range s.groups {
		for _, sc := range g.scenarios {
			s.fill(sc)
		}
		for _, f := range g.figures {
			base := statOf(figures[f][s.baseline])
			for _, l := range s.labels {
				c := cell{stat: statOf(figures[f][l])}
				if l != s.baseline {
					c.compare(base, directionOf(f.unit))
				}
				f.cells = append(f.cells, c)
			}
		}
	}
	s.judge()
	return s, nil
}

func labelOr(label string) string { return cmp.Or(label, "unnamed") }

func (s *summary) addLabel(l string) {
	if !slices.Contains(s.labels, l) {
		s.labels = append(s.labels, l)
	}
}

func (s *summary) group(name, otherwise string) *group {
	name = cmp.Or(name, otherwise)
	for _, g := range s.groups {
		if g.name == name {
			return g
		}
	}
	g := &group{name: name}
	s.groups = append(s.groups, g)
	return g
}

func (g *group) scenario(run bench.Run) *scenario {
	name := scenarioName(run)
	for _, sc := range g.scenarios {
		if sc.name == name {
			return sc
		}
	}
	sc := &scenario{name: name, detail: workloadText(run.Workload)}
	g.scenarios = append(g.scenarios, sc)
	return sc
}

func (sc *scenario) add(run bench.Run) {
	sc.wanted = cmp.Or(sc.wanted, run.Target)
	label := labelOr(run.Label)
	for i := range sc.rows {
		if sc.rows[i].label == label {
			sc.rows[i].runs = append(sc.rows[i].runs, run)
			return
		}
	}
	sc.rows = append(sc.rows, row{label: label, runs: []bench.Run{run}})
}

// figure finds the one with f's name and unit: numbers of different units are
// not of one row.
func (g *group) figure(f bench.Figure) *figure {
	for _, fig := range g.figures {
		if fig.name == f.Name && fig.unit == f.Unit {
			fig.wanted = cmp.Or(fig.wanted, f.Target)
			return fig
		}
	}
	fig := &figure{name: f.Name, unit: f.Unit, wanted: f.Target}
	g.figures = append(g.figures, fig)
	return fig
}

// fill takes medians, puts the rows into the order of labels and compares.
func (s *summary) fill(sc *scenario) {
	slices.SortStableFunc(sc.rows, func(a, b row) int {
		return slices.Index(s.labels, a.label) - slices.Index(s.labels, b.label)
	})
	var base *row
	for i := range sc.rows {
		r := &sc.rows[i]
		for _, m := range metrics {
			r.cells = append(r.cells, cell{stat: statOf(valuesOf(r.runs, m.of))})
		}
		if r.label == s.baseline {
			base = r
		}
	}
	if base == nil {
		return
	}
	for i := range sc.rows {
		if r := &sc.rows[i]; r != base {
			for k, m := range metrics {
				if m.better != unknown {
					r.cells[k].compare(base.cells[k].stat, m.better)
				}
			}
		}
	}
}

func valuesOf(runs []bench.Run, of func(bench.Run) (float64, bool)) (values []float64) {
	for _, r := range runs {
		if v, ok := of(r); ok {
			values = append(values, v)
		}
	}
	return values
}

// directionOf guesses from the unit: less time and less memory are better, more
// per second is.
func directionOf(unit string) direction {
	switch unit {
	case "ns", "µs", "us", "ms", "s", "min", "bytes", "B", "KiB", "MiB", "GiB", "kB", "KB", "MB", "GB":
		return lower
	}
	if strings.HasSuffix(unit, "/s") {
		return higher
	}
	return unknown
}

func scenarioName(run bench.Run) string {
	if run.Scenario != "" {
		return run.Scenario
	}
	return cmp.Or(workloadText(run.Workload), "unnamed")
}

// workloadText says in words what a run did.
func workloadText(w bench.Workload) string {
	var parts []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(w.Name != "", "%s", w.Name)
	add(w.Name == "mixed", "%s reads", percent(w.ReadShare))
	add(w.Batch > 0, "%s in one", plural(w.Batch, "operation"))
	add(w.Size > 0, "%s bytes", count(int64(w.Size)))
	add(w.Keys > 0, "%s znodes", count(int64(w.Keys)))
	add(w.Children > 0, "%s children", count(int64(w.Children)))
	add(w.Watches > 0, "%s watches", count(int64(w.Watches)))
	add(w.Hot > 0, "skew %s", number(w.Hot))
	switch {
	case w.Connections > 0 && w.Window > 0:
		add(true, "%s × %d under way", plural(w.Connections, "connection"), w.Window)
	case w.Connections > 0:
		add(true, "%s", plural(w.Connections, "connection"))
	}
	add(w.Rate > 0, "%s requests/s", number(w.Rate))
	return strings.Join(parts, ", ")
}
