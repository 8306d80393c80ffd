package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	znodeBytes   = 100
	parents      = 1000
	createsEach  = 500   // in one multi
	multisOpen   = 16    // under way at once
	writesToSnap = 15000 // requests between two snapshots: the fill with its multis and some seconds of writes
	pauseTarget  = 50 * time.Millisecond
	snapshotWait = 90 * time.Second
)

// population says where the znodes stand.
type population struct {
	name string
	path func(i int) string
	dirs []string
}

func populations(n int) []population {
	spread := population{name: "spread over 1000 parents", path: func(i int) string {
		return fmt.Sprintf("/bench/dir-%04d/node-%08d", i%parents, i)
	}, dirs: []string{"/bench"}}
	for i := range min(parents, n) {
		spread.dirs = append(spread.dirs, fmt.Sprintf("/bench/dir-%04d", i))
	}
	flat := population{name: "below one parent", path: func(i int) string { return fmt.Sprintf("/bench/node-%08d", i) },
		dirs: []string{"/bench"}}
	return []population{spread, flat}
}

// TestMillionZnodes fills a standalone server and reports its memory, the longest pause of a reader and of a writer
// while a snapshot is written, and how long the server takes to be back after a kill and after a stop. It fails when a
// pause is longer than 50 ms beyond what the machine imposed at that moment, or when a restart loses an acknowledged
// write.
func TestMillionZnodes(t *testing.T) {
	asked(t)
	n := setting(t, "ZOORAFT_BENCH_ZNODES", 1000000)
	for _, p := range populations(n) {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			f := &filled{t: t, p: p, n: n, quiet: setting(t, "ZOORAFT_BENCH_QUIET", 60)}
			f.ens = harness.StartZooraft(t, harness.Options{Lines: []string{fmt.Sprintf("snapCount=%d", writesToSnap)}})
			defer func() { t.Logf("%d znodes of %d bytes %s\n%s", n, znodeBytes, p.name, f.table.String()) }()
			f.run()
		})
	}
}

// filled is a server with a population, and the report on it.
type filled struct {
	t     *testing.T
	ens   *harness.Ensemble
	p     population
	n     int
	quiet int // seconds
	table bytes.Buffer

	written atomic.Int64 // what the last acknowledged write wrote to marker
	marker  string
}

func (f *filled) run() {
	w := tabwriter.NewWriter(&f.table, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	mem := func(when string) {
		m := memoryOf(f.t, f.ens.PID(1))
		row("memory "+when, "%d MiB resident, %d MiB at most", m.rss, m.peak)
	}
	f.marker = f.p.path(f.n / 2)

	mem("empty")
	before := cpuTime(f.t, f.ens.PID(1))
	start := time.Now()
	f.fill()
	took := time.Since(start)
	row("fill", "%s s, %.0f znodes/s, %.2f CPU-s per 100,000", seconds(took), float64(f.n)/took.Seconds(),
		(cpuTime(f.t, f.ens.PID(1))-before).Seconds()/float64(f.n)*1e5)
	mem("after the fill")
	time.Sleep(time.Duration(f.quiet) * time.Second) // the runtime returns memory at its own pace; nothing tells when it is done
	mem(fmt.Sprintf("%d s later", f.quiet))

	f.ens.Kill(1)
	row("kill -9, log only", "%s", f.comeBack())
	mem("after replay")

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

func (f *filled) dial() *client {
	f.t.Helper()
	c, err := dial(f.ens.Server(1).ClientAddr)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// fill makes the znodes, by multis.
func (f *filled) fill() {
	c := f.dial()
	defer c.close()
	data := bytes.Repeat([]byte("x"), znodeBytes)
	if err := c.pipelined(len(f.p.dirs), multisOpen, func(i int) (protocol.OpCode, record) {
		return protocol.OpCreate, &protocol.CreateRequest{Path: f.p.dirs[i], ACL: protocol.OpenACL}
	}); err != nil {
		f.t.Fatalf("create parents: %v", err)
	}
	if err := c.pipelined((f.n+createsEach-1)/createsEach, multisOpen, func(i int) (protocol.OpCode, record) {
		var m multi
		for k := i * createsEach; k < min((i+1)*createsEach, f.n); k++ {
			m = append(m, protocol.MultiOp{Type: protocol.OpCreate,
				Create: protocol.CreateRequest{Path: f.p.path(k), Data: data, ACL: protocol.OpenACL}})
		}
		return protocol.OpMulti, m
	}); err != nil {
		f.t.Fatalf("create znodes: %v", err)
	}
}

// write makes one write to the marker, a number that grows, and notes it once it is acknowledged.
func (f *filled) write(c *client) error {
	next := f.written.Load() + 1
	data := fmt.Appendf(nil, "%0*d", znodeBytes, next)
	if _, err := c.call(protocol.OpSetData, &protocol.SetDataRequest{Path: f.marker, Data: data, Version: -1}); err != nil {
		return err
	}
	f.written.Store(next)
	return nil
}

// pauses watches a reader and a writer before, while and after a snapshot is written.
func (f *filled) pauses(row func(what, format string, args ...any)) {
	logged := f.logSize()
	readerConn, writerConn, scatterConn := f.dial(), f.dial(), f.dial()
	defer readerConn.close()
	defer writerConn.close()
	defer scatterConn.close()
	random := rand.New(rand.NewPCG(1, 2))
	machine := startProbe("echo", time.Millisecond, echo(f.t))
	reader := startProbe("reader", time.Millisecond, func() error {
		_, err := readerConn.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: f.p.path(random.IntN(f.n))})
		return err
	})
	writer := startProbe("writer", 0, func() error { return f.write(writerConn) })

	var taken []interval
	deadline := time.Now().Add(snapshotWait)
	for len(taken) == 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		taken = f.snapshots(logged)
	}
	time.Sleep(3 * time.Second) // for what a snapshot leaves behind: files that go, memory that is collected
	m, r, w := machine.finish(f.t), reader.finish(f.t), writer.finish(f.t)
	if len(taken) == 0 {
		f.t.Errorf("no snapshot within %v and %d writes", snapshotWait, len(w))
		return
	}
	snap := taken[0]
	row("snapshot", "%s s, %.1f MiB", seconds(snap.end.Sub(snap.start)), f.snapshotMiB())
	const margin = 500 * time.Millisecond // a stall does not begin and end with the log line
	from, to := snap.start.Add(-margin), snap.end.Add(margin)
	for _, x := range []struct {
		name string
		s    samples
	}{{"echo", m}, {"reader", r}, {"writer", w}} {
		quiet, during := append(x.s.within(time.Time{}, from), x.s.within(to, time.Now())...), x.s.within(from, to)
		q, d := quiet.quantiles(.5, .99, 1), during.quantiles(.5, .99, 1)
		row(x.name+", ms", "otherwise: p50 %s p99 %s max %s (%d); around the snapshot: p50 %s p99 %s max %s (%d)",
			ms(q[0]), ms(q[1]), ms(q[2]), len(quiet), ms(d[0]), ms(d[1]), ms(d[2]), len(during))
		for _, p := range during {
			imposed := m.within(p.start, p.start.Add(p.took)).longest()
			if p.took-imposed > pauseTarget {
				f.t.Errorf("%s: a pause of %s ms, %s ms after the snapshot began (%s ms are the machine's); want at most %v",
					x.name, ms(p.took), ms(p.start.Sub(snap.start)), ms(imposed), pauseTarget)
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
	c := f.dial()
	defer c.close()
	if want := f.written.Load(); want > 0 {
		body, err := c.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: f.marker})
		d := protocol.NewDecoder(body)
		got, _ := strconv.ParseInt(strings.TrimLeft(string(d.Buffer()), "0"), 10, 64)
		if err != nil || got < want {
			f.t.Errorf("after the restart: got write %d (%v), want %d or later", got, err, want)
		}
	}
	if err := f.write(c); err != nil {
		f.t.Errorf("first write: %v", err)
	}
	written := time.Since(start)
	if got, err := f.count(); err != nil || got < f.n+len(f.p.dirs) {
		f.t.Errorf("znodes after the restart: got %d (%v), want %d", got, err, f.n+len(f.p.dirs))
	}
	return fmt.Sprintf("serves after %s s, first write after %s s", seconds(serves), seconds(written))
}

func (f *filled) count() (int, error) {
	for line := range strings.Lines(f.ens.FourLetter(1, "srvr")) {
		if text, ok := strings.CutPrefix(line, "Node count: "); ok {
			return strconv.Atoi(strings.TrimSpace(text))
		}
	}
	return 0, errors.New("srvr tells no node count")
}

// interval is a stretch of time.
type interval struct{ start, end time.Time }

var snapshotLine = regexp.MustCompile(`(?m)^(\S+) .*(starting snapshot up to|snapshot complete up to)`)

func (f *filled) logSize() int {
	st, err := os.Stat(f.ens.Server(1).Log)
	if err != nil {
		f.t.Fatal(err)
	}
	return int(st.Size())
}

// snapshots finds in the server's log, from a byte offset on, the snapshots that are complete.
func (f *filled) snapshots(offset int) []interval {
	text, err := os.ReadFile(f.ens.Server(1).Log)
	if err != nil {
		f.t.Fatal(err)
	}
	var all []interval
	var start time.Time
	for _, m := range snapshotLine.FindAllSubmatch(text[offset:], -1) {
		at, err := time.Parse("2006-01-02T15:04:05.000Z0700", string(m[1]))
		if err != nil {
			f.t.Fatalf("time in the log: %v", err)
		}
		if string(m[2]) == "starting snapshot up to" {
			start = at
		} else if !start.IsZero() {
			all = append(all, interval{start, at})
		}
	}
	return all
}

// snapshotMiB is the size of the newest snapshot.
func (f *filled) snapshotMiB() float64 {
	var size int64
	dir := os.DirFS(f.ens.Server(1).DataDir)
	err := walkFiles(dir, func(name string, bytes int64) {
		if strings.HasSuffix(name, "/state.bin") {
			size = max(size, bytes)
		}
	})
	if err != nil {
		f.t.Error(err)
	}
	return float64(size) / (1 << 20)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
