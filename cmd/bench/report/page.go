package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"

	"zooraft/cmd/bench"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// pageTemplate is parsed when it is asked for, not by each server that starts.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(pageSource))
})

// page is what the template sees: texts, and pictures that were drawn here.
type page struct {
	Title, Baseline string
	Style           template.CSS
	Notes           []string
	Labels          []legendEntry
	Metrics         []metricView
	Targets         targetsView
	Glance          []glanceTable
	Groups          []groupView
	Environments    []environmentView
	Columns         int // of a table of runs on a narrow screen
}

type metricView struct{ Name, Title string }

type groupView struct {
	ID, Name  string
	Repeated  bool // some scenario was measured more than once
	Scenarios []scenarioView
	Labels    []string // of the figures' columns
	Figures   []figureView
	Wanted    bool // some figure has a target that could not be judged
	Charts    []*chart
	Latencies []*chart
	// Folded hides the latencies at first, where other charts say more.
	Folded bool
	Runs   table // all runs one by one
	Kinds  table // latency by operation
}

type scenarioView struct {
	Name, Detail string
	Wanted       string // a target that could not be judged
	Rows         []rowView
}

type rowView struct {
	Swatch template.HTML
	Label  string
	Cells  []cellView
}

type figureView struct {
	Name, Wanted string
	Cells        []cellView
}

// cellView is a figure in words.
type cellView struct {
	Text    string
	Range   string // "1.2 – 1.4"; empty for a single run
	Ratio   string
	Verdict string
	Bad     bool
	Targets []targetView
}

type targetView struct {
	Wanted  string // "≤ 0.35"
	Verdict string // "met", "missed" or empty
}

// targetsView is all targets: how many were met, and which.
type targetsView struct {
	Label             string // whose figures they speak of
	Met, Missed, Open []outcomeView
}

type outcomeView struct {
	GroupID, Group   string
	Name, What       string
	Measured, Wanted string
}

type environmentView struct {
	Facts    [][2]string
	Commands string
}

func newPage(s *summary) (*page, error) {
	p := &page{Columns: len(metrics) + 1, Title: s.title, Baseline: s.baseline, Style: template.CSS(pageStyle), Notes: s.notes,
		Targets: s.targets(), Glance: s.glance()}
	for _, m := range metrics {
		p.Metrics = append(p.Metrics, metricView{m.name, m.title})
	}
	swatches := make(map[string]template.HTML)
	for i, l := range s.labels {
		sw, err := swatch(i, true)
		if err != nil {
			return nil, err
		}
		swatches[l] = sw
		p.Labels = append(p.Labels, legendEntry{sw, l})
	}
	for i, g := range s.groups {
		v := groupView{ID: groupID(i), Name: g.name, Runs: g.everyRun(), Kinds: g.kinds()}
		for _, sc := range g.scenarios {
			sv := scenarioView{Name: sc.name, Wanted: sc.wanted}
			if sc.detail != sc.name {
				sv.Detail = sc.detail
			}
			for _, r := range sc.rows {
				v.Repeated = v.Repeated || len(r.runs) > 1
				rv := rowView{Swatch: swatches[r.label], Label: r.label}
				for k, c := range r.cells {
					rv.Cells = append(rv.Cells, c.view(metrics[k].format, metrics[k].name == "errors"))
				}
				sv.Rows = append(sv.Rows, rv)
			}
			v.Scenarios = append(v.Scenarios, sv)
		}
		v.Labels, v.Figures = s.figureViews(g)
		v.Wanted = anyWanted(v.Figures)
		var err error
		if v.Charts, err = s.charts(g); err == nil {
			v.Latencies, err = s.latencies(g)
		}
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", g.name, err)
		}
		v.Folded = len(v.Charts) > 0
		p.Groups = append(p.Groups, v)
	}
	for _, e := range s.environments {
		if v := environmentOf(e); !slices.ContainsFunc(p.Environments, func(o environmentView) bool {
			return o.Commands == v.Commands && slices.Equal(o.Facts, v.Facts)
		}) {
			p.Environments = append(p.Environments, v)
		}
	}
	return p, nil
}

// view puts a cell into words. Where isBad, any number but zero is.
func (c cell) view(format func(float64) string, isBad bool) cellView {
	var targets []targetView
	for _, j := range c.judgements {
		targets = append(targets, targetView{j.wanted, j.verdict})
	}
	if c.stat == nil {
		return cellView{Text: missing, Targets: targets}
	}
	v := cellView{Text: format(c.stat.median), Verdict: c.verdict, Bad: isBad && c.stat.max > 0, Targets: targets}
	if c.stat.min != c.stat.max {
		v.Range = format(c.stat.min) + " to " + format(c.stat.max)
	}
	if c.hasRatio {
		v.Ratio = ratio(c.ratio)
	}
	return v
}

// withRange writes a median and, if runs differ, its range.
func withRange(s *stat, format func(float64) string) string {
	v := cell{stat: s}.view(format, false)
	if v.Range == "" {
		return v.Text
	}
	return fmt.Sprintf("%s (%s)", v.Text, v.Range)
}

func orMissing(v float64, ok bool, format func(float64) string) string {
	if !ok {
		return missing
	}
	return format(v)
}

// figureViews leaves out the columns of labels without a figure in the group.
func (s *summary) figureViews(g *group) (labels []string, views []figureView) {
	has := func(i int) bool {
		return slices.ContainsFunc(g.figures, func(f *figure) bool { return f.cells[i].stat != nil })
	}
	for i, l := range s.labels {
		if has(i) {
			labels = append(labels, l)
		}
	}
	for _, f := range g.figures {
		v := figureView{Name: f.name, Wanted: f.wanted}
		for i, c := range f.cells {
			if has(i) {
				v.Cells = append(v.Cells, c.view(f.format, false))
			}
		}
		views = append(views, v)
	}
	return labels, views
}

func anyWanted(figures []figureView) bool {
	return slices.ContainsFunc(figures, func(f figureView) bool { return f.Wanted != "" })
}

func groupID(i int) string { return fmt.Sprintf("group-%d", i+1) }

func (s *summary) targets() targetsView {
	views := func(verdict string) (all []outcomeView) {
		for _, o := range s.outcomesOf(verdict) {
			all = append(all, outcomeView{groupID(o.group), s.groups[o.group].name, o.name, o.what, o.measured, o.wanted})
		}
		return all
	}
	v := targetsView{Met: views("met"), Missed: views("missed"), Open: views("")}
	if len(s.labels) > 0 {
		v.Label = s.labels[0]
	}
	return v
}

// Any says whether there are targets at all.
func (v targetsView) Any() bool { return len(v.Met)+len(v.Missed)+len(v.Open) > 0 }

// Count is how many were met and how many were not, in words.
func (v targetsView) Count() string {
	text := fmt.Sprintf("%d met, %d missed", len(v.Met), len(v.Missed))
	if n := len(v.Open); n > 0 {
		text += fmt.Sprintf(", %d without a figure to judge", n)
	}
	return text
}

// glanceTable says how one label stands to the baseline over all scenarios.
type glanceTable struct {
	Label string
	Rows  []glanceRow
}

type glanceRow struct {
	Metric, Title       string
	Typical             string // the median ratio
	Best, BestAt        string
	Worst, WorstAt      string
	Better, Even, Worse int
}

func (s *summary) glance() (tables []glanceTable) {
	for _, l := range s.labels {
		if l == s.baseline {
			continue
		}
		t := glanceTable{Label: l}
		for k, m := range metrics {
			if r, ok := s.glanceRow(l, k, m); ok {
				t.Rows = append(t.Rows, r)
			}
		}
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

func (s *summary) glanceRow(label string, k int, m metric) (glanceRow, bool) {
	r := glanceRow{Metric: m.name, Title: m.title}
	var ratios []float64
	best, worst := 0.0, 0.0
	for _, g := range s.groups {
		for _, sc := range g.scenarios {
			for _, row := range sc.rows {
				if row.label != label || !row.cells[k].hasRatio {
					continue
				}
				c := row.cells[k]
				if at := placeOf(g, sc); len(ratios) == 0 {
					best, worst, r.BestAt, r.WorstAt = c.ratio, c.ratio, at, at
				} else if (c.ratio > best) == (m.better == higher) && c.ratio != best {
					best, r.BestAt = c.ratio, at
				} else if (c.ratio < worst) == (m.better == higher) && c.ratio != worst {
					worst, r.WorstAt = c.ratio, at
				}
				ratios = append(ratios, c.ratio)
				switch c.verdict {
				case "better":
					r.Better++
				case "worse":
					r.Worse++
				default:
					r.Even++
				}
			}
		}
	}
	if len(ratios) == 0 {
		return r, false
	}
	r.Typical, r.Best, r.Worst = ratio(statOf(ratios).median), ratio(best), ratio(worst)
	return r, true
}

// placeOf names a scenario with its group, unless it begins with that itself.
func placeOf(g *group, sc *scenario) string {
	if strings.HasPrefix(strings.ToLower(sc.name), strings.ToLower(g.name)+":") {
		return sc.name
	}
	return g.name + ": " + sc.name
}

// everyRun lists what the medians are made of.
func (g *group) everyRun() table {
	t := table{Head: []string{"scenario", "label", "started (UTC)", "seconds", "operations", "operations/s", "server CPU, s", "generator CPU, s",
		"p50", "p90", "p99", "p99.9", "max", "memory at the end", "most memory", "errors"}}
	for _, sc := range g.scenarios {
		for _, r := range sc.rows {
			for _, run := range r.runs {
				var cpu, rss, peak float64
				for _, p := range run.Processes {
					cpu, rss, peak = cpu+p.CPU, rss+float64(p.RSS), peak+float64(p.Peak)
				}
				some := len(run.Processes) > 0
				cells := []string{sc.name, r.label, when(run.Started), number(run.Seconds), count(run.Operations), number(run.Throughput),
					orMissing(cpu, some, number), orMissing(run.ClientCPU, run.ClientCPU > 0, number)}
				l := run.Latency
				for _, v := range []int64{l.P50, l.P90, l.P99, l.P999, l.Max} {
					cells = append(cells, orMissing(float64(v), l.Count > 0, micros))
				}
				cells = append(cells, orMissing(rss, rss > 0, mebibytes), orMissing(peak, peak > 0, mebibytes), errorText(run))
				t.Rows = append(t.Rows, cells)
			}
		}
	}
	return t
}

func errorText(run bench.Run) string {
	var parts []string
	for _, name := range sortedKeys(run.Errors) {
		parts = append(parts, count(run.Errors[name])+" "+name)
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// kinds lists the latencies of each kind of operation, run by run.
func (g *group) kinds() table {
	t := table{Head: []string{"scenario", "label", "operation", "count", "mean", "p50", "p90", "p99", "p99.9", "max"}}
	for _, sc := range g.scenarios {
		for _, r := range sc.rows {
			for _, run := range r.runs {
				for _, kind := range sortedKeys(run.ByOperation) {
					l := run.ByOperation[kind]
					cells := []string{sc.name, r.label, kind, count(l.Count), orMissing(l.Mean, l.Count > 0, micros)}
					for _, v := range []int64{l.P50, l.P90, l.P99, l.P999, l.Max} {
						cells = append(cells, orMissing(float64(v), l.Count > 0, micros))
					}
					t.Rows = append(t.Rows, cells)
				}
			}
		}
	}
	return t
}

func environmentOf(e bench.Environment) environmentView {
	v := environmentView{Commands: strings.Join(e.Commands, "\n")}
	add := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, [2]string{name, value})
		}
	}
	if !e.Started.IsZero() {
		add("When", when(e.Started)+" UTC")
	}
	cpu := e.CPU
	if e.Cores > 0 {
		cpu = strings.TrimPrefix(cpu+", "+plural(e.Cores, "core"), ", ")
	}
	add("Processor", cpu)
	if e.Memory > 0 {
		add("Memory", number(float64(e.Memory)/(1<<30))+" GiB")
	}
	add("System", e.OS)
	add("Versions", strings.Join(e.Versions, ", "))
	return v
}

func when(t time.Time) string {
	if t.IsZero() {
		return missing
	}
	return t.UTC().Format("2006-01-02 15:04")
}
