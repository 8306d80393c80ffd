package report

import (
	"html/template"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"zooraft/cmd/bench"
)

// chart is a picture with all that belongs to it.
type chart struct {
	Title   string
	Caption string // what to know when reading it
	Picture template.HTML
	Legend  []legendEntry
	Marks   []string // texts of the numbered marks, in order
	Table   table
}

type legendEntry struct {
	Swatch template.HTML
	Label  string
}

// table is the data that a picture was drawn from.
type table struct {
	Head []string
	Rows [][]string
}

// conditions are what runs of a sweep have in common but for the knob.
type conditions struct {
	bench.Workload
	servers int
	name    string // the scenario's, with its numbers blanked
}

// numbers in a scenario's name.
var numbers = regexp.MustCompile(`[0-9]+(?:[.,][0-9]+)*`)

func conditionsOf(run bench.Run) conditions {
	return conditions{run.Workload, len(run.Servers), numbers.ReplaceAllLiteralString(run.Scenario, "…")}
}

// knob is a number over which something is drawn.
type knob struct {
	axis   string
	linear bool
	get    func(*conditions) float64
	// clear makes conditions equal that differ in this number alone.
	clear  func(*conditions)
	format func(float64) string
}

// A cleared share is as good as none: the workload is not called mixed then, for
// its share would be named with it.
var readShare = knob{"share of requests that read", true, func(c *conditions) float64 { return c.ReadShare },
	func(c *conditions) { c.Name, c.ReadShare = "reads and writes", 0 }, percent}

var costs = []knob{
	intKnob("znodes", func(c *conditions) *int { return &c.Keys }),
	intKnob("connections", func(c *conditions) *int { return &c.Connections }),
	intKnob("watches", func(c *conditions) *int { return &c.Watches }),
	intKnob("children", func(c *conditions) *int { return &c.Children }),
	intKnob("bytes of a value", func(c *conditions) *int { return &c.Size }),
	intKnob("operations in one multi", func(c *conditions) *int { return &c.Batch }),
	{"servers", true, func(c *conditions) float64 { return float64(c.servers) }, func(c *conditions) { c.servers = 0 }, short},
}

func intKnob(axis string, field func(*conditions) *int) knob {
	return knob{axis, false, func(c *conditions) float64 { return float64(*field(c)) },
		func(c *conditions) { *field(c) = 0 }, short}
}

// sweep is runs that differ in one number of their conditions alone.
type sweep struct {
	rest  conditions // what they have in common
	names []string   // of the scenarios
	at    []float64  // the number's values, rising
	// runs[label][value] are repetitions.
	runs map[string]map[float64][]bench.Run
}

// sweeps finds the runs of a group that differ in k alone and in it indeed. What
// the workload does not tell, the scenario's name does, so its words must be equal
// too: watches on one znode are no repetition of as many on several.
func (g *group) sweeps(k knob, wanted func(bench.Run) bool) []*sweep {
	var found []*sweep
	byRest := make(map[conditions]*sweep)
	for _, sc := range g.scenarios {
		for _, r := range sc.rows {
			for _, run := range r.runs {
				if !wanted(run) {
					continue
				}
				rest := conditionsOf(run)
				v := k.get(&rest)
				k.clear(&rest)
				s := byRest[rest]
				if s == nil {
					s = &sweep{rest: rest, runs: make(map[string]map[float64][]bench.Run)}
					byRest[rest] = s
					found = append(found, s)
				}
				if s.runs[r.label] == nil {
					s.runs[r.label] = make(map[float64][]bench.Run)
				}
				if !slices.Contains(s.at, v) {
					s.at = append(s.at, v)
				}
				if !slices.Contains(s.names, run.Scenario) {
					s.names = append(s.names, run.Scenario)
				}
				s.runs[r.label][v] = append(s.runs[r.label][v], run)
			}
		}
	}
	found = slices.DeleteFunc(found, func(s *sweep) bool { return len(s.at) < 2 })
	for _, s := range found {
		slices.Sort(s.at)
	}
	return found
}

// caption says what the runs have in common: their name, with the numbers
// blanked that differ, and their workload.
func (s *sweep) caption() string {
	differs := make(map[int]bool)
	first := numbers.FindAllString(s.names[0], -1)
	for _, other := range s.names[1:] {
		for i, n := range numbers.FindAllString(other, -1) {
			differs[i] = differs[i] || n != first[i] // names of one sweep have as many numbers
		}
	}
	i := -1
	name := numbers.ReplaceAllStringFunc(s.names[0], func(n string) string {
		if i++; differs[i] {
			return "…"
		}
		return n
	})
	text := workloadText(s.rest.Workload)
	if name != "" && text != "" {
		return name + ": " + text
	}
	return name + text
}

// line is a label's medians over the sweep.
type line struct {
	series int
	label  string
	stats  []*stat // in the order of sweep.at, nil where nothing was measured
}

// lines returns them in the order of labels, and the largest value of all.
func (s *sweep) lines(labels []string, of func(bench.Run) (float64, bool)) (lines []line, most float64) {
	for i, label := range labels {
		l := line{series: i, label: label}
		some := false
		for _, v := range s.at {
			st := statOf(valuesOf(s.runs[label][v], of))
			l.stats = append(l.stats, st)
			if st != nil {
				some, most = true, max(most, st.max)
			}
		}
		if some {
			lines = append(lines, l)
		}
	}
	return lines, most
}

// perOperation is the servers' processor time in microseconds.
func perOperation(r bench.Run) (float64, bool) {
	v, ok := cpuPerOperation(r)
	return v * 1e6, ok
}

// measure is what is drawn over a knob.
type measure struct {
	title, axis string
	of          func(bench.Run) (float64, bool)
	format      func(float64) string
}

var (
	throughput = measure{"Throughput", "operations per second", metrics[0].of, number}
	processor  = measure{"Server CPU per operation", "server CPU per operation, µs", perOperation, micros}
)

// chart draws m over the sweep's values: the share of reads on a plain axis, as
// ZooKeeper's own documentation does, the few servers too, all else on a
// logarithmic one. It is nil if no run tells m.
func (s *sweep) chart(labels []string, k knob, m measure) (*chart, error) {
	lines, most := s.lines(labels, m.of)
	if len(lines) == 0 {
		return nil, nil
	}
	c := &chart{Title: m.title + " over " + k.axis, Caption: s.caption()}
	if k.linear {
		p := newPlot(k.axis, m.axis)
		p.X.Min, p.X.Max = s.at[0], s.at[len(s.at)-1]
		if k.axis == readShare.axis {
			p.X.Min, p.X.Max = 0, 1
		}
		same := func(v float64) float64 { return v }
		p.X.Tick.Marker = apart(s.at, func(v float64) float64 { return (v - p.X.Min) / (p.X.Max - p.X.Min) }, 0.07, k.format)
		return c, s.draw(c, p, lines, most, same, k, m.format)
	}
	p := newPlot(k.axis+" (logarithmic)", m.axis)
	// None has no place on a logarithmic axis: it gets one a decade below the
	// least.
	least := s.at[0]
	if least == 0 {
		least = s.at[1] / 10
	}
	x := func(v float64) float64 { return max(v, least) }
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = least, s.at[len(s.at)-1]
	p.X.Tick.Marker = apart(s.at, func(v float64) float64 {
		return math.Log(x(v)/p.X.Min) / math.Log(p.X.Max/p.X.Min)
	}, 0.08, k.format).at(x)
	return c, s.draw(c, p, lines, most, x, k, m.format)
}

// draw completes a chart over a sweep: lines, whiskers where runs were repeated,
// legend and table.
func (s *sweep) draw(c *chart, p *plot.Plot, lines []line, most float64, x func(float64) float64, k knob, format func(float64) string) error {
	fromZero(&p.Y, most)
	c.Table.Head = []string{k.axis}
	repeated := false
	for _, l := range lines {
		var points whiskers
		for i, st := range l.stats {
			if st == nil {
				continue
			}
			points.XYs = append(points.XYs, plotter.XY{X: x(s.at[i]), Y: st.median})
			points.YErrors = append(points.YErrors, struct{ Low, High float64 }{st.median - st.min, st.max - st.median})
			repeated = repeated || st.n > 1
		}
		bars, err := plotter.NewYErrorBars(points)
		if err != nil {
			return err
		}
		bars.Color = seriesColor(l.series)
		bars.Width = 1
		if repeated {
			p.Add(bars)
		}
		if err := addLine(p, points.XYs, l.series, true); err != nil {
			return err
		}
		if err := c.addLegend(l.series, l.label, true); err != nil {
			return err
		}
		c.Table.Head = append(c.Table.Head, l.label)
	}
	if repeated {
		c.Caption += ". Points are medians, whiskers reach from the least to the most."
	}
	for i, v := range s.at {
		cells := []string{exact(v, k)}
		for _, l := range lines {
			cells = append(cells, withRange(l.stats[i], format))
		}
		c.Table.Rows = append(c.Table.Rows, cells)
	}
	var err error
	c.Picture, err = picture(p, c.Title+": "+strings.Join(c.Table.Head[1:], ", "))
	return err
}

// exact writes a knob's value for the table, where there is room.
func exact(v float64, k knob) string {
	if k.axis == readShare.axis {
		return k.format(v)
	}
	return count(int64(v))
}

type whiskers struct {
	plotter.XYs
	plotter.YErrors
}

func (c *chart) addLegend(i int, label string, marks bool) error {
	sw, err := swatch(i, marks)
	c.Legend = append(c.Legend, legendEntry{sw, label})
	return err
}

// ticks are the ticks at measured values.
type ticks []plot.Tick

// apart returns a tick for each value; those closer than gap (a part of the
// axis) to the last with a text have none. place says where on the axis a value
// stands, from 0 to 1.
func apart(values []float64, place func(float64) float64, gap float64, format func(float64) string) ticks {
	var t ticks
	last := math.Inf(-1)
	for _, v := range values {
		tick := plot.Tick{Value: v}
		if place(v)-last >= gap {
			tick.Label, last = format(v), place(v)
		}
		t = append(t, tick)
	}
	return t
}

// at moves the ticks without changing their texts.
func (t ticks) at(x func(float64) float64) ticks {
	for i := range t {
		t[i].Value = x(t[i].Value)
	}
	return t
}

// Ticks returns all of them; it makes ticks a plot.Ticker.
func (t ticks) Ticks(_, _ float64) []plot.Tick { return t }

// charts draws a group's charts but those of latency: first those over several
// scenarios.
func (s *summary) charts(g *group) ([]*chart, error) {
	var all []*chart
	add := func(sw *sweep, k knob, ms ...measure) error {
		for _, m := range ms {
			c, err := sw.chart(s.labels, k, m)
			if err != nil {
				return err
			}
			if c != nil {
				all = append(all, c)
			}
		}
		return nil
	}
	for _, sw := range g.sweeps(readShare, func(r bench.Run) bool { return r.Workload.Name == "mixed" }) {
		if err := add(sw, readShare, throughput, processor); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(g.name, "Cost") {
		for _, k := range costs {
			for _, sw := range g.sweeps(k, func(bench.Run) bool { return true }) {
				if err := add(sw, k, processor, throughput); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, sc := range g.scenarios {
		lines, err := s.timelines(sc)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

// latencies draws the latencies of each scenario.
func (s *summary) latencies(g *group) (all []*chart, err error) {
	for _, sc := range g.scenarios {
		c, err := s.latencyChart(sc)
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
