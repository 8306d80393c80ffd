package report

import (
	"bytes"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"zooraft/cmd/bench"
)

// render returns the page and its elements.
func render(t testing.TB, results []bench.Results, o Options) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, results, o); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), doc
}

// all returns the elements with a tag's name, in order.
func all(n *html.Node, tag string) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			found = append(found, d)
		}
	}
	return found
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// TestPageNeedsNothingElse looks for whatever would make a browser ask for more
// than the page.
func TestPageNeedsNothingElse(t *testing.T) {
	page, doc := render(t, sample(t), Options{})
	for _, tag := range []string{"script", "link", "iframe", "img", "image", "object", "embed", "base", "use"} {
		if n := len(all(doc, tag)); n > 0 {
			t.Errorf("%d <%s>, want none", n, tag)
		}
	}
	for d := range doc.Descendants() {
		for _, a := range d.Attr {
			switch {
			case a.Key == "src" || a.Key == "srcset" || a.Key == "data":
				t.Errorf("<%s %s=%q>", d.Data, a.Key, a.Val)
			case strings.HasSuffix(a.Key, "href") && !strings.HasPrefix(a.Val, "#"):
				t.Errorf("<%s %s=%q> leads out of the page", d.Data, a.Key, a.Val)
			case strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q> is a script", d.Data, a.Key, a.Val)
			}
		}
	}
	for _, s := range []string{"http:", "https:", "@import", "url("} {
		if strings.Contains(page, s) {
			t.Errorf("page has %q in it", s)
		}
	}
	// Every colour of a picture is one that follows light and dark.
	if raw := regexp.MustCompile(`(?:fill|stroke):#[0-9A-F]{6}`).FindString(page); raw != "" {
		t.Errorf("a picture has the fixed colour %s", raw)
	}
}

func TestPageCharts(t *testing.T) {
	_, doc := render(t, sample(t), Options{})
	titles := make(map[string]int)
	for _, f := range all(doc, "figure") {
		title := textOf(all(f, "h3")[0])
		titles[title]++
		pictures := 0
		for _, svg := range all(f, "svg") {
			if attribute(svg, "role") != "img" {
				continue
			}
			pictures++
			// At least a tick on each axis, and the axes' names.
			if n := len(all(svg, "text")); n < 4 {
				t.Errorf("%s: %d texts in the picture", title, n)
			}
			if len(all(svg, "path")) == 0 {
				t.Errorf("%s: nothing drawn", title)
			}
		}
		if pictures != 1 {
			t.Errorf("%s: %d pictures, want 1", title, pictures)
		}
		if len(all(f, "li")) == 0 {
			t.Errorf("%s: no legend", title)
		}
		if len(all(f, "details")) != 1 || len(all(f, "td")) == 0 {
			t.Errorf("%s: no data table", title)
		}
	}
	for _, want := range []string{
		"Throughput over share of requests that read",
		"Server CPU per operation over znodes",
		"Server CPU per operation over watches",
		"Throughput over time: five servers, 30 % writes, Zooraft",
		"Throughput over time: five servers, 30 % writes, ZooKeeper 3.9.5",
		"Latency: set",
	} {
		if titles[want] != 1 {
			t.Errorf("%d charts with the title %q, want 1; there are %v", titles[want], want, titles)
		}
	}
	for title := range titles {
		// Nothing in these groups differs in one such number alone.
		if strings.Contains(title, "connections") || strings.Contains(title, "multi ") && !strings.HasPrefix(title, "Latency") {
			t.Errorf("chart %q out of nothing", title)
		}
	}
}

// TestPageEscapes puts markup into every text of a result.
func TestPageEscapes(t *testing.T) {
	const evil = `"'><script>alert(1)</script></svg></style>{{.}}` + "`" + `|style="fill:#010000"`
	w := bench.Workload{Name: evil, Connections: 1, Window: 1, Keys: 10}
	m := newMaker(t)
	var r bench.Results
	r.Environment = bench.Environment{CPU: evil, OS: evil, Versions: []string{evil}, Commands: []string{evil}}
	for _, label := range []string{evil, evil + "2"} {
		for _, keys := range []int{10, 1000} {
			w.Keys = keys
			run := m.run("Cost "+evil, evil+number(float64(keys)), label, w, 1000, 1e-6)
			run.Errors = map[string]int64{evil: 1}
			run.ByOperation = map[string]bench.Latency{evil: run.Latency}
			run.Marks = []bench.Mark{{At: 1, Text: evil}}
			run.Intervals = []bench.Interval{{At: 1, Seconds: 1, Operations: 10}, {At: 2, Seconds: 1, Operations: 10}}
			run.Processes[0].Name = evil
			r.Runs = append(r.Runs, run)
		}
		r.Figures = append(r.Figures, bench.Figure{Group: evil, Name: evil, Label: label, Value: 1, Unit: evil, Target: evil})
	}
	o := Options{Title: evil, Notes: []string{evil}}
	page, doc := render(t, []bench.Results{r}, o)
	if n := len(all(doc, "script")); n != 0 {
		t.Errorf("%d scripts got into the page", n)
	}
	if n := len(all(doc, "style")); n != 1 {
		t.Errorf("%d style elements, want the page's own alone", n)
	}
	if n := strings.Count(page, "<svg"); n != strings.Count(page, "</svg>") {
		t.Errorf("%d <svg> but %d </svg>", n, strings.Count(page, "</svg>"))
	}
	if got := textOf(all(doc, "h1")[0]); got != strings.Join(strings.Fields(evil), " ") {
		t.Errorf("title: got %q, want %q", got, evil)
	}

	var md bytes.Buffer
	if err := WriteMarkdown(&md, []bench.Results{r}, o); err != nil {
		t.Fatal(err)
	}
	inFence := false
	for line := range strings.Lines(md.String()) {
		if strings.HasPrefix(line, "```") {
			inFence = !inFence
		} else if !inFence && strings.Contains(line, "<script") {
			t.Errorf("markup in Markdown: %s", line)
		}
	}
	checkMarkdownTables(t, md.String())
}

func TestWriteNothing(t *testing.T) {
	for name, results := range map[string][]bench.Results{"no file": nil, "an empty one": {{}}} {
		_, doc := render(t, results, Options{})
		if !strings.Contains(textOf(doc), "Nothing was measured") {
			t.Errorf("%s: the page does not say that it is empty", name)
		}
		var md bytes.Buffer
		if err := WriteMarkdown(&md, results, Options{}); err != nil || !strings.Contains(md.String(), "Nothing was measured") {
			t.Errorf("%s: Markdown %q, error %v", name, &md, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	two := sample(t)
	tests := []struct {
		name    string
		results []bench.Results
		o       Options
		want    string
	}{
		{"unknown baseline", two, Options{Baseline: "etcd"}, `"etcd"`},
		{"not a number", []bench.Results{{Figures: []bench.Figure{{Name: "pause", Value: math.NaN()}}}}, Options{}, "pause"},
		{"infinite", []bench.Results{{Runs: []bench.Run{{Scenario: "set", Throughput: math.Inf(1)}}}}, Options{}, "set"},
		{"negative", []bench.Results{{Runs: []bench.Run{{Scenario: "set", Operations: -1}}}}, Options{}, "operations -1"},
		{"share above one", []bench.Results{{Runs: []bench.Run{{Workload: bench.Workload{ReadShare: 1.5}}}}}, Options{}, "read share"},
	}
	for _, tt := range tests {
		for form, write := range map[string]func(io.Writer, []bench.Results, Options) error{"page": Write, "Markdown": WriteMarkdown} {
			var b bytes.Buffer
			err := write(&b, tt.results, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: got error %v, want one with %q", tt.name, form, err, tt.want)
			}
			if b.Len() != 0 {
				t.Errorf("%s, %s: wrote %d bytes all the same", tt.name, form, b.Len())
			}
		}
	}
	if err := Write(io.Discard, two, Options{Baseline: "etcd"}); !errors.Is(err, ErrBaseline) {
		t.Errorf("unknown baseline: got %v, want ErrBaseline", err)
	}
}

// checkMarkdownTables wants as many cells in each line of a table as in its head.
func checkMarkdownTables(t *testing.T, md string) {
	t.Helper()
	want, tables := 0, 0
	for line := range strings.Lines(md) {
		if !strings.HasPrefix(line, "| ") {
			want = 0
			continue
		}
		got := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|")
		if want == 0 {
			want = got
			tables++
		}
		if got != want {
			t.Errorf("%d bars in a table of %d: %s", got, want, line)
		}
	}
	if tables == 0 {
		t.Error("no table")
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b, sample(t), Options{Title: "Figures"}); err != nil {
		t.Fatal(err)
	}
	checkMarkdownTables(t, b.String())
	for _, want := range []string{"# Figures\n", "## Three servers\n", "| scenario | label |", "below 100 ms", "zooraft bench compare"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in it", want)
		}
	}
}
