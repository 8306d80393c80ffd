package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"zooraft/cmd/bench"
)

// maker makes results up, of which every part of a report is made.
type maker struct {
	t       testing.TB
	rand    *rand.Rand
	started time.Time
}

func newMaker(t testing.TB) *maker {
	return &maker{t, rand.New(rand.NewPCG(1, 2)), time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}
}

// near returns a number within some percent of v.
func (m *maker) near(v float64) float64 { return v * (1 + 0.05*(m.rand.Float64()-0.5)) }

func (m *maker) latency(typical float64) bench.Latency {
	h := hdr.New(1, 3_600_000_000, 3)
	for range 20_000 {
		v := typical * math.Exp(0.4*m.rand.NormFloat64())
		if m.rand.Float64() < 0.002 {
			v *= 20
		}
		if err := h.RecordValue(int64(v)); err != nil {
			m.t.Fatal(err)
		}
	}
	encoded, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		m.t.Fatal(err)
	}
	return bench.Latency{Count: h.TotalCount(), Mean: h.Mean(), Min: h.Min(), P50: h.ValueAtPercentile(50), P90: h.ValueAtPercentile(90),
		P99: h.ValueAtPercentile(99), P999: h.ValueAtPercentile(99.9), Max: h.Max(), Histogram: string(encoded)}
}

func (m *maker) run(group, scenario, label string, w bench.Workload, perSecond, cpu float64) bench.Run {
	perSecond = m.near(perSecond)
	ops := int64(perSecond * 10)
	m.started = m.started.Add(20 * time.Second)
	return bench.Run{Scenario: scenario, Group: group, Label: label, Workload: w, Servers: []string{"127.0.0.1:2181"},
		Started: m.started, Seconds: 10, Operations: ops, Throughput: perSecond,
		Latency:   m.latency(1e6 * float64(w.Connections*w.Window) / perSecond),
		Processes: []bench.Process{{PID: 7, Name: label, CPU: m.near(cpu) * float64(ops), RSS: 90 << 20, Peak: 120 << 20}}, ClientCPU: 3.2}
}

// sample has every kind of chart and table in it.
func sample(t testing.TB) []bench.Results {
	const zooraft, zookeeper = "Zooraft", "ZooKeeper 3.9.5"
	m := newMaker(t)
	r := bench.Results{Environment: bench.Environment{Started: m.started, CPU: "AMD EPYC 7B13", Cores: 8, Memory: 32 << 30, OS: "Linux 6.8.0",
		Versions: []string{"Zooraft 0.9.0", "ZooKeeper 3.9.5 on OpenJDK 21.0.4"},
		Commands: []string{"zooraft bench compare -o results.json", "zooraft bench report -o report.html results.json"}}}
	add := func(repeat int, group, scenario string, w bench.Workload, ours, theirs, ourCPU, theirCPU float64) {
		for range repeat {
			r.Runs = append(r.Runs, m.run(group, scenario, zooraft, w, ours, ourCPU), m.run(group, scenario, zookeeper, w, theirs, theirCPU))
		}
	}
	base := bench.Workload{Name: "set", Connections: 16, Window: 8, Size: 1024, Keys: 10_000}
	add(3, "Three servers", "set", base, 21_400, 14_900, 61e-6, 128e-6)
	get := base
	get.Name = "get"
	add(3, "Three servers", "get", get, 148_000, 97_000, 11e-6, 19e-6)
	create := base
	create.Name, create.Rate = "create", 5000
	add(3, "Three servers", "create at 5,000 a second", create, 4995, 4990, 72e-6, 74e-6)
	multi := base
	multi.Name, multi.Batch = "multi", 10
	add(3, "Three servers", "multi of 10", multi, 3200, 3900, 310e-6, 260e-6)
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 0.9, 1} {
		w := base
		w.Name, w.ReadShare = "mixed", share
		add(2, "Reads and writes", fmt.Sprintf("%.0f %% reads", share*100), w, 21e3+120e3*share*share, 15e3+80e3*share*share, (60-45*share)*1e-6, (125-100*share)*1e-6)
	}
	for i, keys := range []int{1000, 10_000, 100_000, 1_000_000} {
		w := get
		w.Keys = keys
		add(1, "Cost of znodes", fmt.Sprintf("get of %d", keys), w, 148_000-float64(i)*3000, 97_000, (11+float64(i)*0.3)*1e-6, (19+float64(i)*1.1)*1e-6)
	}
	for i, watches := range []int{0, 100, 10_000, 100_000} {
		w := base
		w.Watches = watches
		add(1, "Cost of watches", fmt.Sprintf("set under %d watches", watches), w, 21_000, 15_000, (61+float64(i))*1e-6, (128+2*float64(i))*1e-6)
	}
	for _, label := range []string{zooraft, zookeeper} {
		run := m.run("Faults", "five servers, 30 % writes", label, bench.Workload{Name: "mixed", Connections: 32, Window: 8, Size: 1024, Keys: 10_000, ReadShare: 0.7}, 60_000, 40e-6)
		run.Seconds = 60
		run.Errors = map[string]int64{"connection loss": 312}
		run.ByOperation = map[string]bench.Latency{"get": m.latency(900), "set": m.latency(3000)}
		run.Marks = []bench.Mark{{At: 10, Text: "kill a follower"}, {At: 18, Text: "start it again"}, {At: 28, Text: "kill the leader"},
			{At: 29, Text: "kill another follower"}, {At: 42, Text: "start both again"}}
		for s := 1.0; s <= 60; s++ {
			iv := bench.Interval{At: s, Seconds: 1, Operations: int64(m.near(60_000)), P50: 3000, P99: 9000, Max: 14_000}
			switch {
			case s > 28 && s <= 30:
				iv.Operations, iv.Errors, iv.Max = int64(m.near(4000)), 156, 1_900_000
			case s > 30 && s <= 42 || s > 10 && s <= 18:
				iv.Operations = int64(m.near(51_000))
			}
			if label == zookeeper {
				iv.Operations = iv.Operations * 2 / 3
			}
			run.Intervals = append(run.Intervals, iv)
		}
		r.Runs = append(r.Runs, run)
	}
	for i, label := range []string{zooraft, zookeeper} {
		r.Figures = append(r.Figures,
			bench.Figure{Group: "Start and memory", Name: "first answer after start", Label: label, Value: []float64{38, 912}[i], Unit: "ms", Target: "below 100 ms"},
			bench.Figure{Group: "Start and memory", Name: "first answer after start", Label: label, Value: []float64{41, 874}[i], Unit: "ms"},
			bench.Figure{Group: "Start and memory", Name: "resident, empty", Label: label, Value: []float64{21.5, 148}[i], Unit: "MiB", Target: "ratio ≤ 0.4, < 20 MiB"},
			bench.Figure{Group: "Start and memory", Name: "longest pause with 1,000,000 znodes", Label: label, Value: []float64{3.1, 44}[i], Unit: "ms"})
	}
	r.Figures = append(r.Figures, bench.Figure{Group: "Start and memory", Name: "binary", Label: zooraft, Value: 14.2, Unit: "MiB"})
	return []bench.Results{r}
}
