package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable shows a run to people.
func (r *Run) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Label != "" {
		line("label", "%s", r.Label)
	}
	line("workload", "%s", r.Workload.describe())
	line("servers", "%s", strings.Join(r.Servers, ", "))
	line("measured", "%.1f s", r.Seconds)
	line("operations", "%d", r.Operations)
	line("throughput", "%.0f/s", r.Throughput)
	names := slices.Sorted(maps.Keys(r.Errors))
	if len(names) == 0 {
		line("errors", "none")
	}
	for i, name := range names {
		title := "errors"
		if i > 0 {
			title = ""
		}
		line(title, "%d %s", r.Errors[name], name)
	}
	perOperation := func(seconds float64) string {
		if r.Operations == 0 {
			return ""
		}
		return fmt.Sprintf(" (%.1f µs per operation)", seconds*1e6/float64(r.Operations))
	}
	line("generator", "%.2f s of CPU%s", r.ClientCPU, perOperation(r.ClientCPU))
	for _, p := range r.Processes {
		line(fmt.Sprintf("pid %d", p.PID), "%s: %.2f s of CPU%s, %s resident, %s at most", p.Name, p.CPU, perOperation(p.CPU), mebibytes(p.RSS), mebibytes(p.Peak))
		if r.Workload.Name == Idle {
			line("", "%.1f KiB per session", float64(p.RSS-p.StartRSS)/1024/float64(r.Workload.Connections))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}

	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "latency\tcount\tmean\tp50\tp90\tp99\tp99.9\tmax\t")
	row := func(name string, l Latency) {
		fmt.Fprintf(t, "%s\t%d", name, l.Count)
		for _, v := range []int64{int64(l.Mean), l.P50, l.P90, l.P99, l.P999, l.Max} {
			if l.Count == 0 {
				fmt.Fprint(t, "\t-")
			} else {
				fmt.Fprintf(t, "\t%s", microseconds(v))
			}
		}
		fmt.Fprint(t, "\t\n")
	}
	row("all", r.Latency)
	for _, name := range slices.Sorted(maps.Keys(r.ByOperation)) {
		row(name, r.ByOperation[name])
	}
	return t.Flush()
}

// describe is a workload in a few words.
func (w *Workload) describe() string {
	s := fmt.Sprintf("%s, %d x %d", w.Name, w.Connections, w.Window)
	if w.Rate > 0 {
		s += fmt.Sprintf(" at %g/s", w.Rate)
	}
	switch w.Name {
	case Connect, Idle:
		return s
	case Mixed:
		s += fmt.Sprintf(", %g %% reads", w.ReadShare*100)
	case Multi:
		s += fmt.Sprintf(", %d in each", w.Batch)
	case Children:
		s += fmt.Sprintf(", %d of each", w.Children)
	}
	s += fmt.Sprintf(", %d bytes", w.Size)
	if !slices.Contains([]string{Create, Ephemeral, Sequential}, w.Name) {
		s += fmt.Sprintf(", %d keys", w.Keys)
	}
	if w.Hot > 0 {
		s += fmt.Sprintf(", hot %g", w.Hot)
	}
	return s
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// microseconds shows a time with three digits at least.
func microseconds(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 10_000:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case us < 1_000_000:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// Line is an interval in a line. done is how many operations there were so far,
// total how many there will be, 0 if that is open.
func (i *Interval) Line(done, total int64) string {
	s := fmt.Sprintf("%6.1f s  %8.0f/s  p50 %s  p99 %s  max %s", i.At, float64(i.Operations)/max(i.Seconds, 1e-9),
		microseconds(i.P50), microseconds(i.P99), microseconds(i.Max))
	if i.Errors > 0 {
		s += fmt.Sprintf("  %d errors", i.Errors)
	}
	if total > 0 {
		s += fmt.Sprintf("  %d of %d", done, total)
	}
	return s
}
