package report

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"zooraft/cmd/bench"
)

// simple is a run with all that the columns need.
func simple(scenario, label string, throughput, cpu float64, p50 int64) bench.Run {
	return bench.Run{Group: "G", Scenario: scenario, Label: label, Seconds: 1, Operations: 100_000, Throughput: throughput,
		Latency:   bench.Latency{Count: 100_000, P50: p50, P90: p50, P99: 2 * p50, P999: 3 * p50, Max: 4 * p50},
		Processes: []bench.Process{{CPU: cpu / 2}, {CPU: cpu / 2}}}
}

func summaryOf(t *testing.T, o Options, runs ...bench.Run) *summary {
	t.Helper()
	s, err := summarize([]bench.Results{{Runs: runs}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMedians(t *testing.T) {
	// Two files: repetitions are put together across them.
	s, err := summarize([]bench.Results{
		{Runs: []bench.Run{simple("s", "A", 300, 3, 10), simple("s", "A", 100, 1, 30)}},
		{Runs: []bench.Run{simple("s", "A", 120, 8, 20), simple("s", "B", 10, 1, 10), simple("s", "B", 20, 4, 10)}},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.groups) != 1 || len(s.groups[0].scenarios) != 1 || len(s.groups[0].scenarios[0].rows) != 2 {
		t.Fatalf("not one scenario of two labels: %+v", s.groups)
	}
	rows := s.groups[0].scenarios[0].rows
	for i, want := range [][]stat{
		{{3, 120, 100, 300}, {3, 3, 1, 8}, {3, 20, 10, 30}, {3, 40, 20, 60}, {3, 80, 40, 120}, {3, 0, 0, 0}},
		{{2, 15, 10, 20}, {2, 2.5, 1, 4}, {2, 10, 10, 10}, {2, 20, 20, 20}, {2, 40, 40, 40}, {2, 0, 0, 0}},
	} {
		for k, w := range want {
			if got := rows[i].cells[k].stat; got == nil || *got != w {
				t.Errorf("%s, %s: got %+v, want %+v", rows[i].label, metrics[k].name, got, w)
			}
		}
	}
	if c := rows[0].cells[0]; c.ratio != 8 || c.verdict != "better" {
		t.Errorf("throughput of A: ratio %v %q, want 8 better", c.ratio, c.verdict)
	}
	if c := rows[0].cells[1]; c.ratio != 1.2 || c.verdict != "even" {
		t.Errorf("CPU of A, ranges overlap: ratio %v %q, want 1.2 even", c.ratio, c.verdict)
	}
	if c := rows[1].cells[0]; c.hasRatio {
		t.Errorf("the baseline has a ratio to itself: %v", c.ratio)
	}
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name           string
		ours, theirs   bench.Run
		wantThroughput string
		wantCPU        string
	}{
		{"more is better", simple("s", "A", 200, 1, 1), simple("s", "B", 100, 2, 1), "2.00× better", "0.50× better"},
		{"less is worse", simple("s", "A", 50, 4, 1), simple("s", "B", 100, 2, 1), "0.50× worse", "2.00× worse"},
		{"near is even", simple("s", "A", 104, 2.08, 1), simple("s", "B", 100, 2, 1), "1.04× even", "1.04× even"},
		{"zero baseline", simple("s", "A", 104, 2, 1), simple("s", "B", 0, 0, 1), "", ""},
		{"zero of ours", simple("s", "A", 0, 0, 1), simple("s", "B", 100, 2, 1), "0× worse", "0× better"},
		{"baseline elsewhere", simple("s", "A", 104, 2, 1), simple("other", "B", 100, 2, 1), "", ""},
		{"no processes", func() bench.Run { r := simple("s", "A", 200, 1, 1); r.Processes = nil; return r }(), simple("s", "B", 100, 2, 1), "2.00× better", ""},
	}
	for _, tt := range tests {
		cells := summaryOf(t, Options{}, tt.ours, tt.theirs).groups[0].scenarios[0].rows[0].cells
		for k, want := range []string{tt.wantThroughput, tt.wantCPU} {
			v := cells[k].view(metrics[k].format, false)
			if got := strings.TrimSpace(v.Ratio + " " + v.Verdict); got != want {
				t.Errorf("%s, %s: got %q, want %q", tt.name, metrics[k].name, got, want)
			}
		}
	}
}

func TestMissingIsNotZero(t *testing.T) {
	s := summaryOf(t, Options{}, bench.Run{Scenario: "s", Label: "A", Errors: map[string]int64{"timeout": 2, "loss": 3}})
	var got []string
	for k, c := range s.groups[0].scenarios[0].rows[0].cells {
		got = append(got, c.view(metrics[k].format, true).Text)
	}
	if want := "– – – – – 5"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, " "), want)
	}
}

func TestBaselineOf(t *testing.T) {
	tests := []struct {
		labels []string
		wanted string
		want   string
	}{
		{nil, "", ""},
		{[]string{"A"}, "", ""},
		{[]string{"A", "B"}, "", "B"},
		{[]string{"A", "B", "C"}, "A", "A"},
		{[]string{"ZooKeeper 3.8", "B"}, "", "ZooKeeper 3.8"},
		{[]string{"A", "B", "ZooKeeper 3.9.5"}, "", "ZooKeeper 3.9.5"},
	}
	for _, tt := range tests {
		if got, err := baselineOf(tt.labels, tt.wanted); err != nil || got != tt.want {
			t.Errorf("labels %q, wanted %q: got %q, %v; want %q", tt.labels, tt.wanted, got, err, tt.want)
		}
	}
}

func TestGlance(t *testing.T) {
	s := summaryOf(t, Options{},
		simple("x", "A", 300, 1, 1), simple("x", "B", 100, 1, 1),
		simple("y", "A", 50, 1, 1), simple("y", "B", 100, 1, 1),
		simple("z", "A", 102, 1, 1), simple("z", "B", 100, 1, 1),
		simple("only A", "A", 900, 1, 1))
	tables := s.glance()
	if len(tables) != 1 || tables[0].Label != "A" {
		t.Fatalf("got %+v, want one of A", tables)
	}
	got := tables[0].Rows[0]
	got.Title = ""
	want := glanceRow{Metric: "operations/s", Typical: "1.02×", Best: "3.00×", BestAt: "G: x", Worst: "0.50×", WorstAt: "G: y", Better: 1, Even: 1, Worse: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Of latency and CPU less is better: the best is the least.
	s = summaryOf(t, Options{}, simple("x", "A", 1, 3, 1), simple("x", "B", 1, 1, 1), simple("y", "A", 1, 1, 1), simple("y", "B", 1, 2, 1))
	if r := s.glance()[0].Rows[1]; r.Best != "0.50×" || r.Worst != "3.00×" {
		t.Errorf("CPU: best %s, worst %s; want 0.50×, 3.00×", r.Best, r.Worst)
	}
}

func TestFigures(t *testing.T) {
	_, doc := render(t, []bench.Results{{Figures: []bench.Figure{
		{Group: "Start", Name: "first answer", Label: "A", Value: 30, Unit: "ms", Target: "below 100 ms"},
		{Group: "Start", Name: "first answer", Label: "A", Value: 50, Unit: "ms"},
		{Group: "Start", Name: "first answer", Label: "B", Value: 800, Unit: "ms"},
		{Group: "Start", Name: "first answer", Label: "B", Value: 1, Unit: "s"}, // of another unit: a row of its own
		{Group: "Start", Name: "score", Label: "A", Value: 3, Unit: "points"},
		{Group: "Start", Name: "score", Label: "B", Value: 2, Unit: "points"},
	}}}, Options{})
	var got []string
	for _, table := range all(doc, "table") {
		if attribute(table, "class") == "figures" {
			for _, tr := range all(table, "tr") {
				got = append(got, cellsOf(tr))
			}
		}
	}
	want := []string{
		"figure;A;B;wanted",
		"first answer;40 ms 30 ms to 50 ms 0.05× better;800 ms;below 100 ms",
		"first answer;–;1 s;",
		"score;3 points 1.50×;2 points;",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// cellsOf joins the texts of a row's cells.
func cellsOf(tr *html.Node) string {
	var cells []string
	for c := range tr.ChildNodes() {
		if c.Type != html.ElementNode {
			continue
		}
		var parts []string
		for d := range c.Descendants() {
			if s := strings.TrimSpace(d.Data); d.Type == html.TextNode && s != "" {
				parts = append(parts, s)
			}
		}
		cells = append(cells, strings.Join(parts, " "))
	}
	return strings.Join(cells, ";")
}

func TestNumbers(t *testing.T) {
	tests := []struct{ got, want string }{
		{number(0), "0"}, {number(1), "1"}, {number(0.0421), "0.0421"}, {number(12.34), "12.3"}, {number(999.4), "999"},
		{number(999.6), "1,000"}, {number(1234567.8), "1,234,568"}, {number(-1234), "-1,234"}, {number(0.00001234), "1.23e-05"}, {number(100), "100"},
		{micros(12), "12 µs"}, {micros(999.7), "1 ms"}, {micros(1500), "1.5 ms"}, {micros(2_000_000), "2 s"},
		{ratio(0.456), "0.46×"}, {ratio(1), "1.00×"}, {ratio(23.456), "23.5×"}, {ratio(0.0416), "0.0416×"}, {ratio(9.999), "10×"},
		{short(1500), "1.5k"}, {short(2e6), "2M"}, {percent(0.25), "25 %"}, {partText(0.9999), "99.99 %"},
		{count(1234), "1,234"}, {plural(1, "run"), "1 run"}, {plural(2, "run"), "2 runs"}, {mebibytes(1 << 21), "2 MiB"},
	}
	for i, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%d: got %q, want %q", i, tt.got, tt.want)
		}
	}
}
