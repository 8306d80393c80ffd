package report

import (
	"fmt"
	"math"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"zooraft/cmd/bench"
)

// maxHistogram bounds an encoded histogram; three digits over an hour in
// microseconds take some ten KiB.
const maxHistogram = 1 << 20

// digits is the precision of merged histograms.
const digits = 3

// quantile is a latency that a part of the operations did not exceed.
type quantile struct {
	part   float64 // 0.99; 1 for the slowest
	micros float64
}

// nines is the place on the axis: 1 for 0.9, 2 for 0.99, which leaves as much
// room for the slowest thousandth as for all that is not in the slowest tenth.
func nines(part float64) float64 { return -math.Log10(1 - part) }

// shown are the parts of the data table, those with a tick on the axis as well.
var shown = []float64{0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999}

// distribution is the latencies of all repetitions together.
type distribution struct {
	count     int64
	quantiles []quantile // rising, the last is the slowest
	at        func(part float64) (float64, bool)
	coarse    bool // drawn from the stored percentiles
}

// distributionOf merges the histograms. If one is absent or cannot be read, all
// is drawn from the stored percentiles, their medians if there are several runs;
// err then says what was wrong, and is nil for absence.
func distributionOf(runs []bench.Run) (d distribution, err error) {
	var histograms []*hdr.Histogram
	var latencies []bench.Latency
	for _, r := range runs {
		if r.Latency.Count == 0 {
			continue
		}
		latencies = append(latencies, r.Latency)
		if r.Latency.Histogram == "" || err != nil {
			continue
		}
		var h *hdr.Histogram
		if h, err = decodeHistogram(r.Latency.Histogram); err == nil {
			histograms = append(histograms, h)
		}
	}
	if err == nil && len(histograms) > 0 && len(histograms) == len(latencies) {
		var h *hdr.Histogram
		if h, err = merge(histograms); err == nil {
			return fine(h), nil
		}
	}
	return coarse(latencies), err
}

// decodeHistogram reads base64 of the compressed V2 encoding. The library checks
// what it is given; a panic all the same is an error here, for a damaged file
// must not end the program.
func decodeHistogram(encoded string) (h *hdr.Histogram, err error) {
	defer func() {
		if p := recover(); p != nil {
			h, err = nil, fmt.Errorf("decode histogram: %v", p)
		}
	}()
	if len(encoded) > maxHistogram {
		return nil, fmt.Errorf("histogram of %d bytes", len(encoded))
	}
	if h, err = hdr.Decode([]byte(encoded)); err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if h.TotalCount() <= 0 || h.Max() < 0 || float64(h.Max()) > largest || float64(h.TotalCount()) > largest {
		return nil, fmt.Errorf("histogram of %d values up to %d", h.TotalCount(), h.Max())
	}
	return h, nil
}

// merge adds them up.
func merge(histograms []*hdr.Histogram) (*hdr.Histogram, error) {
	if len(histograms) == 1 {
		return histograms[0], nil
	}
	most := int64(2)
	for _, h := range histograms {
		most = max(most, h.Max())
	}
	sum := hdr.New(1, most, digits)
	for _, h := range histograms {
		if dropped := sum.Merge(h); dropped != 0 {
			return nil, fmt.Errorf("histograms do not fit together: %d values lost", dropped)
		}
	}
	return sum, nil
}

func fine(h *hdr.Histogram) distribution {
	at := func(part float64) float64 { return float64(h.ValueAtPercentile(part * 100)) }
	d := distribution{count: h.TotalCount()}
	end := math.Log10(float64(d.count))
	// Twenty points for each nine; beyond the last operation there is nothing. The
	// fastest operations, which say little, are left out.
	for n := 0.05; n < end; n += 0.05 {
		part := 1 - math.Pow(10, -n)
		d.quantiles = append(d.quantiles, quantile{part, at(part)})
	}
	d.quantiles = append(d.quantiles, quantile{1, float64(h.Max())})
	d.at = func(part float64) (float64, bool) { return at(part), nines(part) <= end }
	return d
}

func coarse(latencies []bench.Latency) distribution {
	median := func(of func(bench.Latency) int64) float64 {
		var v []float64
		for _, l := range latencies {
			v = append(v, float64(of(l)))
		}
		return statOf(v).median
	}
	d := distribution{coarse: true, at: func(float64) (float64, bool) { return 0, false }}
	if len(latencies) == 0 {
		return d
	}
	d.count = int64(median(func(l bench.Latency) int64 { return l.Count }))
	d.quantiles = []quantile{
		{0.5, median(func(l bench.Latency) int64 { return l.P50 })},
		{0.9, median(func(l bench.Latency) int64 { return l.P90 })},
		{0.99, median(func(l bench.Latency) int64 { return l.P99 })},
		{0.999, median(func(l bench.Latency) int64 { return l.P999 })},
		{1, median(func(l bench.Latency) int64 { return l.Max })},
	}
	d.at = func(part float64) (float64, bool) {
		for _, q := range d.quantiles {
			if q.part == part {
				return q.micros, true
			}
		}
		return 0, false
	}
	return d
}

// latencyChart draws latency over the part of operations. It is nil if there was
// none.
func (s *summary) latencyChart(sc *scenario) (*chart, error) {
	c := &chart{Title: "Latency: " + sc.name, Table: table{Head: []string{"part of operations"}}}
	p := newPlot("part of operations that took no longer", "latency (logarithmic)")
	var all []distribution
	least, most, end := math.Inf(1), 0.0, 0.0
	for _, r := range sc.rows {
		d, err := distributionOf(r.runs)
		if err != nil {
			c.note("%s: drawn from the stored percentiles, for %v.", r.label, err)
		} else if d.coarse && len(d.quantiles) > 0 {
			c.note("%s: drawn from the stored percentiles.", r.label)
		}
		if len(d.quantiles) == 0 {
			continue
		}
		// The slowest stands where the last operation does, which none of the
		// stored percentiles may lie behind.
		last := math.Log10(float64(max(d.count, 1)))
		if d.coarse {
			last = max(last, 3.3)
		}
		var points plotter.XYs
		for _, q := range d.quantiles {
			x := last
			if q.part < 1 {
				x = nines(q.part)
			}
			y := max(q.micros, 1)
			points = append(points, plotter.XY{X: x, Y: y})
			least, most, end = min(least, y), max(most, y), max(end, x)
		}
		i := s.series(r.label)
		if err := addLine(p, points, i, d.coarse); err != nil {
			return nil, err
		}
		if err := c.addLegend(i, r.label, d.coarse); err != nil {
			return nil, err
		}
		c.Table.Head = append(c.Table.Head, r.label)
		all = append(all, d)
	}
	if len(all) == 0 {
		return nil, nil
	}
	c.rows(all)
	p.X.Min, p.X.Max = 0, max(end, 1)
	var t ticks
	for _, part := range shown {
		if nines(part) <= p.X.Max {
			t = append(t, plot.Tick{Value: nines(part), Label: partText(part)})
		}
	}
	p.X.Tick.Marker = t
	logarithmic(&p.Y, least, most, micros)
	switch w := sc.rows[0].runs[0].Workload; {
	case w.Rate > 0:
		c.note("Requests were due at a fixed rate; a latency counts from then.")
	case w.Connections > 0:
		c.note("Each connection sends as fast as it is answered, so these are latencies at full load.")
	}
	var err error
	c.Picture, err = picture(p, c.Title)
	return c, err
}

// rows fills in the data table.
func (c *chart) rows(all []distribution) {
	for _, part := range shown {
		cells, some := []string{partText(part)}, false
		for _, d := range all {
			v, ok := d.at(part)
			some = some || ok
			cells = append(cells, orMissing(v, ok, micros))
		}
		if some {
			c.Table.Rows = append(c.Table.Rows, cells)
		}
	}
	slowest, counts := []string{"slowest"}, []string{"operations"}
	for _, d := range all {
		slowest = append(slowest, micros(d.quantiles[len(d.quantiles)-1].micros))
		counts = append(counts, count(d.count))
	}
	c.Table.Rows = append(c.Table.Rows, slowest, counts)
}

// note adds a sentence to the caption.
func (c *chart) note(format string, args ...any) {
	if c.Caption != "" {
		c.Caption += " "
	}
	c.Caption += fmt.Sprintf(format, args...)
}

// partText writes 0.99 as "99 %", with all its nines.
func partText(part float64) string {
	return fmt.Sprintf("%.6g %%", part*100)
}

// series returns the number of a label's colour.
func (s *summary) series(label string) int {
	for i, l := range s.labels {
		if l == label {
			return i
		}
	}
	return 0
}
