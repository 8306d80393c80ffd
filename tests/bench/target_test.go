package bench

import (
	"fmt"
	"slices"
	"strings"

	"zooraft/cmd/bench"
)

// target is what is wanted of a scenario: the most or the least that Zooraft's figure may be of ZooKeeper's. Zero asks
// for nothing.
type target struct {
	throughput    float64 // at least
	cpu, p50, p99 float64 // at most; cpu is per operation
}

// String is the target as bench.Run.Target holds it.
func (t target) String() string {
	var parts []string
	add := func(name, relation string, x float64) {
		if x != 0 {
			parts = append(parts, fmt.Sprintf("%s %s %g", name, relation, x))
		}
	}
	add("throughput", "≥", t.throughput)
	add("CPU", "≤", t.cpu)
	add("p50", "≤", t.p50)
	add("p99", "≤", t.p99)
	return strings.Join(parts, ", ")
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

// ratio is a in parts of b, or "-" where there is nothing to compare with. A mark says whether it is as wanted.
func ratio(a, b, want float64, atLeast bool) string {
	if a == 0 || b == 0 {
		return "-"
	}
	r := a / b
	text := fmt.Sprintf("%.2f", r)
	switch {
	case want == 0:
	case atLeast && r >= want, !atLeast && r <= want:
		text += " ok"
	case atLeast:
		text += fmt.Sprintf(" (want %g or more)", want)
	default:
		text += fmt.Sprintf(" (want %g or less)", want)
	}
	return text
}
