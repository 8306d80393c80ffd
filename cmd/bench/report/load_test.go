package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot/vg"

	"zooraft/cmd/bench"
)

func TestLoad(t *testing.T) {
	good, err := json.Marshal(sample(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, content, want string }{
		{"good", string(good), ""},
		{"empty", "", "unexpected end"},
		{"cut", string(good[:len(good)/2]), "unexpected end"},
		{"two values", `{"figures":[{}]} {}`, "after top-level"},
		{"of another kind", `{"name":"something else"}`, ErrEmpty.Error()},
		{"not an object", `[1,2]`, "cannot unmarshal"},
		{"too large for a float", `{"figures":[{"value":1e999}]}`, "cannot unmarshal"},
		{"beyond measure", `{"figures":[{"name":"pause","value":1e300}]}`, "pause"},
		{"negative latency", `{"runs":[{"scenario":"set","latency":{"count":1,"p50":-5}}]}`, "latency -5"},
		{"negative keys", `{"runs":[{"workload":{"keys":-5}}]}`, "workload -5"},
		{"mark before the start", `{"runs":[{"marks":[{"at":-1}]}]}`, "mark at -1"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "results.json")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want one with %q and the file's name", tt.name, err, tt.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("no such file: got %v", err)
	}
}

// TestDistribution holds the curve against a histogram whose quantiles are known.
func TestDistribution(t *testing.T) {
	encode := func(from, to int64) bench.Run {
		h := hdr.New(1, 1_000_000, 3)
		for v := from; v <= to; v++ {
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		b, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		return bench.Run{Latency: bench.Latency{Count: h.TotalCount(), P50: 1, P90: 2, P99: 3, P999: 4, Max: 5, Histogram: string(b)}}
	}
	// Two halves of 1 to 10,000.
	d, err := distributionOf([]bench.Run{encode(1, 5000), encode(5001, 10_000)})
	if err != nil || d.coarse || d.count != 10_000 {
		t.Fatalf("coarse %v, count %d, error %v; want a merged histogram of 10000", d.coarse, d.count, err)
	}
	for part, want := range map[float64]float64{0.5: 5000, 0.9: 9000, 0.99: 9900, 0.999: 9990} {
		if got, ok := d.at(part); !ok || math.Abs(got-want) > want/500 {
			t.Errorf("part %v: got %v, %v; want about %v", part, got, ok, want)
		}
	}
	if _, ok := d.at(0.99999); ok {
		t.Error("10,000 operations have no 99.999th percentile")
	}
	for i, q := range d.quantiles[1:] {
		if before := d.quantiles[i]; q.micros < before.micros || q.part <= before.part {
			t.Errorf("the curve falls from %+v to %+v", before, q)
		}
	}

	for name, histogram := range map[string]string{"absent": "", "not base64": "%%%", "of nothing": base64.StdEncoding.EncodeToString(make([]byte, 64)),
		"huge": strings.Repeat("A", maxHistogram+1)} {
		r := encode(1, 100)
		r.Latency.Histogram = histogram
		d, err := distributionOf([]bench.Run{r, encode(1, 100)})
		if !d.coarse || (err == nil) != (histogram == "") {
			t.Errorf("%s: coarse %v, error %v", name, d.coarse, err)
		}
		if got, ok := d.at(0.99); !ok || got != 3 {
			t.Errorf("%s: 99th percentile %v, %v; want the stored 3", name, got, ok)
		}
	}
}

func TestTogether(t *testing.T) {
	var intervals []bench.Interval
	for i := range 2*maxPoints + 1 {
		intervals = append(intervals, bench.Interval{At: float64(i + 1), Seconds: 1, Operations: 7, Errors: 1, Max: int64(i)})
	}
	got := together(intervals)
	if len(got) > maxPoints || len(got) < maxPoints/2 {
		t.Errorf("%d points, want up to %d", len(got), maxPoints)
	}
	var ops int64
	var seconds float64
	for _, iv := range got {
		ops += iv.Operations
		seconds += iv.Seconds
	}
	if want := int64(7 * len(intervals)); ops != want || seconds != float64(len(intervals)) {
		t.Errorf("%d operations in %v s, want %d in %d", ops, seconds, want, len(intervals))
	}
	if p := perSecond(got[0].Operations, got[0]); p != 7 {
		t.Errorf("%v operations per second, want 7", p)
	}
}

func TestTags(t *testing.T) {
	width := func(s string) vg.Length { return vg.Length(6 * len([]rune(s))) }
	for _, tt := range []struct {
		at   []vg.Length
		want string
	}{
		{nil, ""},
		{[]vg.Length{0, 50}, "1 at 0, 2 at 50"},
		{[]vg.Length{0, 8, 50}, "1, 2 at 4, 3 at 50"},
		{[]vg.Length{0, 50, 55, 58}, "1 at 0, 2–4 at 54"},
		// The first two make a tag that reaches to the third.
		{[]vg.Length{0, 8, 22}, "1–3 at 11"},
		{[]vg.Length{5, 5}, "1, 2 at 5"},
	} {
		var got []string
		for _, tag := range tags(tt.at, width) {
			got = append(got, fmt.Sprintf("%s at %g", tag.text(), tag.at.Points()))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%v: got %q, want %q", tt.at, s, tt.want)
		}
	}
}

// FuzzLoad wants every file to give an error or a page.
func FuzzLoad(f *testing.F) {
	m := newMaker(f)
	w := bench.Workload{Name: "mixed", Connections: 1, Window: 1, Watches: 3}
	var r bench.Results
	for _, share := range []float64{0, 1} {
		w.ReadShare = share
		run := m.run("Cost", "", "A", w, 1000, 1e-6)
		run.Latency.Histogram = ""
		run.Intervals = []bench.Interval{{At: 1, Seconds: 1, Operations: 5}}
		run.Marks = []bench.Mark{{At: 0.5, Text: "kill"}}
		r.Runs = append(r.Runs, run)
	}
	r.Figures = []bench.Figure{{Name: "start", Value: 3, Unit: "ms"}}
	seed, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"runs":[{"marks":[{"at":1e-320}],"intervals":[{"at":1e-320,"seconds":1e15,"operations":1}]}]}`))
	f.Add([]byte(`{"runs":[{"seconds":0,"latency":{"count":1}},{"marks":[{"at":1e15}],"intervals":[{"at":1e15,"seconds":1e-300,"operations":1000000}]}]}`))
	f.Add([]byte(`{"runs":[{"group":"Cost","workload":{"keys":0},"operations":1,"processes":[{"cpu":1e15}]},{"group":"Cost","workload":{"keys":1000000000000},"operations":1,"processes":[{}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := Write(io.Discard, []bench.Results{r, r}, Options{}); err != nil {
			t.Errorf("page: %v", err)
		}
		if err := WriteMarkdown(io.Discard, []bench.Results{r}, Options{}); err != nil {
			t.Errorf("Markdown: %v", err)
		}
	})
}

// FuzzHistogram wants every histogram to be drawn or to be told to be damaged.
func FuzzHistogram(f *testing.F) {
	raw, err := base64.StdEncoding.DecodeString(newMaker(f).latency(100).Histogram)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:20])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return // absent, not damaged
		}
		run := bench.Run{Latency: bench.Latency{Count: 1, Histogram: base64.StdEncoding.EncodeToString(raw)}}
		d, err := distributionOf([]bench.Run{run, run})
		if err == nil && d.coarse || err != nil && !d.coarse {
			t.Errorf("coarse %v, error %v", d.coarse, err)
		}
		if err := Write(io.Discard, []bench.Results{{Runs: []bench.Run{run}}}, Options{}); err != nil {
			t.Error(err)
		}
	})
}
