package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"zooraft/cmd/bench"
)

// maxPoints is how many points a line over time has at most; of a longer run
// neighbours are put together.
const maxPoints = 600

// timelines draws throughput over time for each label of a scenario that has
// marks, side by side on equal axes: as ZooKeeper's documentation shows
// reliability. Of repetitions it takes the one with the median throughput.
func (s *summary) timelines(sc *scenario) ([]*chart, error) {
	type timeline struct {
		label     string
		run       bench.Run
		of        int
		intervals []bench.Interval
	}
	var all []timeline
	most, end := 0.0, 0.0
	for _, r := range sc.rows {
		runs := slices.DeleteFunc(slices.Clone(r.runs), func(r bench.Run) bool { return len(r.Marks) == 0 || len(r.Intervals) == 0 })
		if len(runs) == 0 {
			continue
		}
		slices.SortStableFunc(runs, func(a, b bench.Run) int { return cmp.Compare(a.Throughput, b.Throughput) })
		t := timeline{r.label, runs[(len(runs)-1)/2], len(runs), nil}
		t.intervals = together(t.run.Intervals)
		for _, iv := range t.intervals {
			most, end = max(most, perSecond(iv.Operations, iv)), max(end, iv.At)
		}
		for _, m := range t.run.Marks {
			end = max(end, m.At)
		}
		all = append(all, t)
	}
	var charts []*chart
	for _, t := range all {
		c := &chart{Title: fmt.Sprintf("Throughput over time: %s, %s", sc.name, t.label)}
		if t.of > 1 {
			c.note("The median of %s.", plural(t.of, "run"))
		}
		if err := c.timeline(s.series(t.label), t.label, t.run.Marks, t.intervals, most, end); err != nil {
			return nil, err
		}
		charts = append(charts, c)
	}
	return charts, nil
}

// timeline draws one run.
func (c *chart) timeline(series int, label string, marks []bench.Mark, intervals []bench.Interval, most, end float64) error {
	p := newPlot("seconds since the start", "operations per second")
	p.Y.Min, p.X.Min = 0, 0
	// The marks' numbers stand above the lines.
	fromZero(&p.Y, most*1.12)
	fromZero(&p.X, end)
	p.X.Max = max(end, 1)
	var done, failed plotter.XYs
	anyFailed := false
	c.Table.Head = []string{"seconds", "operations/s", "failed/s", "p50", "p99", "max"}
	for _, iv := range intervals {
		x := max(0, iv.At-iv.Seconds/2)
		done = append(done, plotter.XY{X: x, Y: perSecond(iv.Operations, iv)})
		// More failures than the axis has room for stay on its edge.
		failed = append(failed, plotter.XY{X: x, Y: min(perSecond(iv.Errors, iv), p.Y.Max)})
		anyFailed = anyFailed || iv.Errors > 0
		cells := []string{number(iv.At), number(perSecond(iv.Operations, iv)), number(perSecond(iv.Errors, iv))}
		for _, v := range []int64{iv.P50, iv.P99, iv.Max} {
			cells = append(cells, orMissing(float64(v), iv.Operations > 0, micros))
		}
		c.Table.Rows = append(c.Table.Rows, cells)
	}
	marks = slices.Clone(marks)
	slices.SortStableFunc(marks, func(a, b bench.Mark) int { return cmp.Compare(a.At, b.At) })
	p.Add(faults(marks))
	if anyFailed {
		line, err := plotter.NewLine(failed)
		if err != nil {
			return err
		}
		line.LineStyle = failedStyle
		p.Add(line)
	}
	line, err := plotter.NewLine(done)
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: seriesColor(series), Width: 1.75}
	p.Add(line)

	sw, err := lineSwatch(line.LineStyle)
	if err != nil {
		return err
	}
	c.Legend = append(c.Legend, legendEntry{sw, label})
	if anyFailed {
		if sw, err = lineSwatch(failedStyle); err != nil {
			return err
		}
		c.Legend = append(c.Legend, legendEntry{sw, "failed requests"})
	}
	for _, m := range marks {
		c.Marks = append(c.Marks, fmt.Sprintf("%s s: %s", number(m.At), m.Text))
	}
	c.Picture, err = picture(p, c.Title)
	return err
}

var failedStyle = draw.LineStyle{Color: bad, Width: 1.5, Dashes: []vg.Length{2, 2}}

func perSecond(n int64, iv bench.Interval) float64 {
	if iv.Seconds <= 0 {
		return 0
	}
	return min(float64(n)/iv.Seconds, largest)
}

// together returns at most maxPoints intervals; a percentile of several is the
// worst of them.
func together(intervals []bench.Interval) []bench.Interval {
	sorted := slices.Clone(intervals)
	slices.SortStableFunc(sorted, func(a, b bench.Interval) int { return cmp.Compare(a.At, b.At) })
	n := (len(sorted) + maxPoints - 1) / maxPoints
	var out []bench.Interval
	for part := range slices.Chunk(sorted, max(n, 1)) {
		sum := bench.Interval{At: part[len(part)-1].At}
		for _, iv := range part {
			sum.Seconds += iv.Seconds
			sum.Operations += iv.Operations
			sum.Errors += iv.Errors
			sum.P50, sum.P99, sum.Max = max(sum.P50, iv.P50), max(sum.P99, iv.P99), max(sum.Max, iv.Max)
		}
		out = append(out, sum)
	}
	return out
}

// faults draws a numbered line for each mark.
type faults []bench.Mark

// Plot draws them; it makes faults a plot.Plotter.
func (f faults) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	style := text.Style{Color: ink, Font: font.From(p.X.Tick.Label.Font, letters), XAlign: draw.XCenter, YAlign: draw.YTop, Handler: p.TextHandler}
	at := make([]vg.Length, len(f))
	for i, m := range f {
		at[i] = x(m.At)
		// The line ends below its number: a neighbour's would cross it.
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{3, 3}}, at[i], c.Min.Y, at[i], c.Max.Y-letters-2)
	}
	for _, t := range tags(at, style.Width) {
		c.FillText(style, vg.Point{X: t.at, Y: c.Max.Y}, t.text())
	}
}

// tag is the numbers of neighbouring marks, written as one.
type tag struct {
	first, last int       // from 0
	at          vg.Length // of its middle
}

func (t tag) text() string {
	switch t.last - t.first {
	case 0:
		return strconv.Itoa(t.first + 1)
	case 1:
		return fmt.Sprintf("%d, %d", t.first+1, t.last+1)
	}
	return fmt.Sprintf("%d–%d", t.first+1, t.last+1)
}

// tags numbers the marks, whose places rise. Numbers that would touch become one
// tag in the middle of their marks, until none touch.
func tags(at []vg.Length, width func(string) vg.Length) []tag {
	const gap = 4
	var all []tag
	for i, x := range at {
		t := tag{i, i, x}
		for len(all) > 0 {
			last := all[len(all)-1]
			if last.at+width(last.text())/2+gap <= t.at-width(t.text())/2 {
				break
			}
			t = tag{last.first, i, (at[last.first] + x) / 2}
			all = all[:len(all)-1]
		}
		all = append(all, t)
	}
	return all
}
