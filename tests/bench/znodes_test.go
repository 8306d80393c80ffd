package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	pauseTarget  = 50 * time.Millisecond
	writesToSnap = 15000 // the fill with its multis and some seconds of writes
)

// TestMillionZnodes fills a standalone server and reports its memory, the longest pause of a reader and of a writer
// while a snapshot is written, and how long the server takes to be back after a kill and after a stop. It fails when a
// pause is longer than 50 ms beyond what the machine imposed at that moment, or when a restart loses an acknowledged
// write.
func TestMillionZnodes(t *testing.T) {
	asked(t)
	n := setting(t, "ZOORAFT_BENCH_ZNODES", 1000000)
	for _, p := range []population{spreadOut(n), belowOne()} {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			f := &filled{t: t, p: p, n: n, quiet: setting(t, "ZOORAFT_BENCH_QUIET", 60)}
			f.ens = side{label: zooraftLabel}.make(t, harness.Options{Lines: snapshotEvery(writesToSnap)})
			f.ens.StartAll()
			defer func() { t.Logf("%d znodes of %d bytes %s\n%s", n, znodeBytes, p.name, f.table.String()) }()
			f.run()
		})
	}
}

// filled is a server with a population, and the report on it.
type filled struct {
	t      *testing.T
	ens    *ensemble
	p      population
	n      int
	quiet  int // seconds
	table  bytes.Buffer
	marker marker
}

func (f *filled) run() {
	w := tabwriter.NewWriter(&f.table, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	mem := func(when string) {
		m := memoryOf(f.t, f.ens.PID(1))
		row("memory "+when, "%d MiB resident, %d MiB at most", m.rss>>20, m.peak>>20)
	}
	f.marker.path = f.p.path(f.n / 2)

	mem("empty")
	before := cpuTime(f.t, f.ens.PID(1))
	start := time.Now()
	c := f.ens.dial(1)
	err := f.p.fill(c, 0, f.n)
	c.close()
	if err != nil {
		f.t.Fatal(err)
	}
	took := time.Since(start)
	row("fill", "%s s, %.0f znodes/s, %.2f CPU-s per 100,000", seconds(took), float64(f.n)/took.Seconds(),
		(cpuTime(f.t, f.ens.PID(1))-before).Seconds()/float64(f.n)*1e5)
	mem("after the fill")
	time.Sleep(time.Duration(f.quiet) * time.Second) // the runtime returns memory at its own pace; nothing tells when it is done
	mem(fmt.Sprintf("%d s later", f.quiet))

	f.ens.Kill(1)
	row("kill -9, after the fill", "%s", f.comeBack())
	mem("after that start")

	f.pauses(row)
	mem("after snapshots")

	f.ens.Kill(1)
	row("kill -9, snapshot and log", "%s", f.comeBack())
	mem("after restore")
	start = time.Now()
	if code := f.ens.Term(1); code != 0 && code != 143 {
		f.t.Errorf("exit code after SIGTERM: %d", code)
	}
	row("SIGTERM", "%s s to the end; %s", seconds(time.Since(start)), f.comeBack())

	row("CPU at rest", "%.1f %% of a core", 100*f.restCPU(5*time.Second))
}

func (f *filled) restCPU(d time.Duration) float64 {
	before := cpuTime(f.t, f.ens.PID(1))
	time.Sleep(d)
	return (cpuTime(f.t, f.ens.PID(1)) - before).Seconds() / d.Seconds()
}

// pauses reports and judges what clients see of a snapshot.
func (f *filled) pauses(row func(what, format string, args ...any)) {
	o := f.ens.observeSnapshot(1, f.p, f.n, &f.marker)
	if o == nil {
		return
	}
	row("snapshot", "%s s, %.1f MiB", seconds(o.snapshot.end.Sub(o.snapshot.start)), f.ens.snapshotMiB(1))
	for _, x := range []struct {
		name string
		s    samples
	}{{"echo", o.machine}, {"reader", o.reads}, {"writer", o.writes}} {
		during, quiet := o.around(x.s)
		q, d := quiet.quantiles(.5, .99, 1), during.quantiles(.5, .99, 1)
		row(x.name+", ms", "otherwise: p50 %s p99 %s max %s (%d); around the snapshot: p50 %s p99 %s max %s (%d)",
			ms(q[0]), ms(q[1]), ms(q[2]), len(quiet), ms(d[0]), ms(d[1]), ms(d[2]), len(during))
		for _, p := range during {
			imposed := o.machine.within(p.start, p.start.Add(p.took)).longest()
			if p.took-imposed > pauseTarget {
				f.t.Errorf("%s: a pause of %s ms, %s ms after the snapshot began (%s ms are the machine's); want at most %v",
					x.name, ms(p.took), ms(p.start.Sub(o.snapshot.start)), ms(imposed), pauseTarget)
			}
		}
	}
}

// comeBack starts the server and says how long it takes until it serves and until it has taken a write, and whether it
// still has what it acknowledged.
func (f *filled) comeBack() string {
	start := time.Now()
	f.ens.Start(1)
	addr := f.ens.Server(1).ClientAddr
	var serves time.Duration
	for serves == 0 {
		if answer, err := harness.FourLetter(addr, "srvr"); err == nil && strings.Contains(answer, "Mode: ") {
			serves = time.Since(start)
		} else if time.Since(start) > 2*time.Minute || !f.ens.Running(1) {
			f.t.Fatalf("the server is not back: %v", err)
		} else {
			time.Sleep(2 * time.Millisecond)
		}
	}
	c := f.ens.dial(1)
	defer c.close()
	if want := f.marker.written.Load(); want > 0 {
		body, err := c.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: f.marker.path})
		d := protocol.NewDecoder(body)
		got, _ := strconv.ParseInt(strings.TrimLeft(string(d.Buffer()), "0"), 10, 64)
		if err != nil || got < want {
			f.t.Errorf("after the restart: got write %d (%v), want %d or later", got, err, want)
		}
	}
	if err := f.marker.write(c); err != nil {
		f.t.Errorf("first write: %v", err)
	}
	written := time.Since(start)
	if got, err := f.count(); err != nil || got < f.n+len(f.p.dirs) {
		f.t.Errorf("znodes after the restart: got %d (%v), want %d", got, err, f.n+len(f.p.dirs))
	}
	return fmt.Sprintf("serves after %s s, first write after %s s", seconds(serves), seconds(written))
}

func (f *filled) count() (int, error) {
	text, err := field(f.ens.FourLetter(1, "srvr"), "Node count")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// field finds a line "name: value" in the answer to a four-letter word.
func field(answer, name string) (string, error) {
	for line := range strings.Lines(answer) {
		if text, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(text), nil
		}
	}
	return "", errors.New("the answer has no " + name)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
