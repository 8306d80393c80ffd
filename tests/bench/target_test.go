package bench

import (
	"fmt"
	"slices"

	"zooraft/cmd/bench"
)

// target is what is wanted of a scenario: the most or the least that Zooraft's figure may be of ZooKeeper's. Zero asks
// for nothing.
type target struct {
	throughput    float64 // at least
	cpu, p50, p99 float64 // at most; cpu is per operation
}

// bounds is the target as the results hold it.
func (t target) bounds() (all bench.Target) {
	add := func(of, relation string, limit float64) {
		if limit != 0 {
			all = append(all, bench.Bound{Of: of, Relation: relation, Limit: limit})
		}
	}
	add(bench.OfThroughput, "≥", t.throughput)
	add(bench.OfCPU, "≤", t.cpu)
	add(bench.OfP50, "≤", t.p50)
	add(bench.OfP99, "≤", t.p99)
	return all
}

// measured is what of a run, or of the median over several, is compared.
type measured struct{ throughput, cpu, p50, p99 float64 } // cpu in µs per operation, times in µs

func measuredOf(r *bench.Run) measured {
	m := measured{throughput: r.Throughput, p50: float64(r.Latency.P50), p99: float64(r.Latency.P99)}
	if r.Operations > 0 {
		for _, p := range r.Processes {
			m.cpu += p.CPU * 1e6 / float64(r.Operations)
		}
	}
	return m
}

// medians takes each figure's median by itself.
func medians(all []measured) measured {
	of := func(field func(measured) float64) float64 {
		values := make([]float64, len(all))
		for i, m := range all {
			values[i] = field(m)
		}
		return median(values)
	}
	return measured{
		throughput: of(func(m measured) float64 { return m.throughput }),
		cpu:        of(func(m measured) float64 { return m.cpu }),
		p50:        of(func(m measured) float64 { return m.p50 }),
		p99:        of(func(m measured) float64 { return m.p99 }),
	}
}

// median of no values is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ratio is a in parts of b, or "-" where there is nothing to compare with, and whether it is what is wanted of it.
func ratio(a, b float64, want bench.Target, of string) string {
	if a == 0 || b == 0 {
		return "-"
	}
	text := fmt.Sprintf("%.2f", a/b)
	if bound, ok := want.Bound(of); ok {
		text += " " + judged(bound, a/b)
	}
	return text
}

// judged is "ok", or what is wanted.
func judged(b bench.Bound, v float64) string {
	if b.Met(v) {
		return "ok"
	}
	return "(want " + b.Wanted() + ")"
}
