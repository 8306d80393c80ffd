package report

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zooraft/cmd/bench"
)

// TestTargets judges targets of runs and figures, and looks where they are shown.
func TestTargets(t *testing.T) {
	ours, theirs := simple("s", "A", 300, 4, 10), simple("s", "B", 100, 10, 10)
	ours.Target, theirs.Target = "throughput ≥ 2.5, CPU ≤ 0.3, p50 ≤ 1", "throughput ≥ 2.5, CPU ≤ 0.3, p50 ≤ 1"
	odd, value := simple("odd", "A", 1, 1, 1), simple("value", "A", 1, 1, 1)
	odd.Target, value.Target = "as fast as can be", "< 3 ms"
	alone := simple("alone", "A", 1, 1, 1)
	alone.Target = "p99 ≤ 0.5"
	theirsOnly := simple("theirs", "B", 1, 1, 1)
	theirsOnly.Target = "p99 ≤ 0.7"
	results := []bench.Results{{Runs: []bench.Run{ours, theirs, odd, value, alone, theirsOnly}, Figures: []bench.Figure{
		{Group: "F", Name: "start", Label: "A", Value: 30, Unit: "ms", Target: "ratio ≤ 0.4, < 50 ms"},
		{Group: "F", Name: "start", Label: "B", Value: 60, Unit: "ms", Target: "ratio ≤ 0.4, < 50 ms"},
		{Group: "F", Name: "of another unit", Label: "A", Value: 30, Unit: "s", Target: "< 50 ms"},
	}}}
	s, err := summarize(results, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range s.outcomes {
		got = append(got, strings.Join([]string{o.name, o.what, o.measured, o.wanted, o.verdict}, ";"))
	}
	want := []string{
		"s;operations/s;3.00×;≥ 2.5;met",
		"s;server CPU;0.40×;≤ 0.3;missed",
		"s;p50;1.00×;≤ 1;met",
		"alone;p99;–;≤ 0.5;",
		"start;ratio;0.50×;≤ 0.4;missed",
		"start;;30 ms;< 50 ms;met",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	_, doc := render(t, results, Options{})
	text := textOf(doc)
	text = regexp.MustCompile("(even|better|met|missed)wanted").ReplaceAllString(text, "$1 wanted")
	for _, part := range []string{"3 met, 2 missed, 1 without a figure to judge", "0.40× better wanted ≤ 0.3: missed", "3.00× better wanted ≥ 2.5: met",
		"wanted: as fast as can be", "wanted: < 3 ms", "wanted: p99 ≤ 0.7", "0.50× better wanted ≤ 0.4: missed wanted < 50 ms: met"} {
		if !strings.Contains(text, part) {
			t.Errorf("page has no %q: %s", part, text[strings.Index(text, "Targets"):])
		}
	}
	var md bytes.Buffer
	if err := WriteMarkdown(&md, results, Options{}); err != nil {
		t.Fatal(err)
	}
	checkMarkdownTables(t, md.String())
	for _, part := range []string{"3 met, 2 missed, 1 without a figure to judge.", "| s | server CPU | 0.40× | ≤ 0.3 |\n", "| start | ratio | 0.50× | ≤ 0.4 |\n",
		"wanted ≥ 2.5: met", "wanted: as fast as can be", "wanted &lt; 50 ms: met", "| &lt; 50 ms |\n"} {
		if !strings.Contains(md.String(), part) {
			t.Errorf("Markdown has no %q: %s", part, &md)
		}
	}
	// Ratios to the first label are not those that targets speak of.
	if s, err = summarize(results, Options{Baseline: "A"}); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.outcomes {
		if o.verdict != "" && o.what != "" {
			t.Errorf("baseline A: %+v", o)
		}
	}
}
