package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	valueBytes  = 1024
	manyClients = 128
	warmUp      = 20000 // writes, so that the JVM has compiled what it will
)

// figures are what one measurement gives. CPU is that of all servers of the ensemble, in seconds per 100,000 requests;
// it includes what the servers take at rest.
type figures struct {
	rate, cpu          float64
	p50, p90, p99, max time.Duration
}

// TestLoneWriter measures what a request costs, on Zooraft and on a stock ZooKeeper in alternation: a single client that
// writes 1 KiB and waits for each reply, on a standalone server, on a leader and on a follower; and 128 clients spread
// over three servers, writing and reading. It fails when a request fails, or when Zooraft takes more processor time than
// ZooKeeper for any of them.
func TestLoneWriter(t *testing.T) {
	asked(t)
	jars := zooKeeperJars(t)
	seconds := time.Duration(setting(t, "ZOORAFT_BENCH_SECONDS", 4)) * time.Second
	found := map[string][2][]figures{} // by scenario: of Zooraft, and of ZooKeeper
	var scenarios []string
	for range setting(t, "ZOORAFT_BENCH_ROUNDS", 2) {
		for which, start := range []func(*testing.T, int) *harness.Ensemble{
			func(t *testing.T, size int) *harness.Ensemble {
				return harness.StartZooraft(t, harness.Options{Size: size})
			},
			func(t *testing.T, size int) *harness.Ensemble { return startZooKeeper(t, jars, size) },
		} {
			for _, size := range []int{1, 3} {
				// A subtest, so that its servers end with it.
				t.Run(fmt.Sprintf("%s-%d", []string{"zooraft", "zookeeper"}[which], size), func(t *testing.T) {
					l := load{t: t, ens: start(t, size), length: seconds}
					l.run(func(scenario string, f figures) {
						if !slices.Contains(scenarios, scenario) {
							scenarios = append(scenarios, scenario)
						}
						pair := found[scenario]
						pair[which] = append(pair[which], f)
						found[scenario] = pair
					})
				})
			}
		}
	}
	if t.Failed() || len(scenarios) == 0 {
		return
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tserver\treq/s\tp50 ms\tp90\tp99\tmax\tCPU-s/100,000")
	for _, scenario := range scenarios {
		var pair [2]figures
		for which, name := range []string{"Zooraft", "ZooKeeper"} {
			if len(found[scenario][which]) == 0 {
				continue // by -run
			}
			f := medians(found[scenario][which])
			pair[which] = f
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%s\t%s\t%s\t%.2f\n", scenario, name, f.rate, ms(f.p50), ms(f.p90), ms(f.p99),
				ms(f.max), f.cpu)
		}
		a, z := pair[0], pair[1]
		if a.rate == 0 || z.rate == 0 {
			continue
		}
		ratio := func(a, z time.Duration) float64 { return float64(a) / float64(z) }
		fmt.Fprintf(w, "\tratio\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\n", a.rate/z.rate, ratio(a.p50, z.p50), ratio(a.p90, z.p90),
			ratio(a.p99, z.p99), ratio(a.max, z.max), a.cpu/z.cpu)
		if a.cpu > z.cpu {
			t.Logf("WORSE than ZooKeeper: %s takes %.2f CPU-s per 100,000 requests, against %.2f", scenario, a.cpu, z.cpu)
		}
	}
	w.Flush()
	t.Logf("%d bytes, every write forced to the disk, medians of rounds of %v\n%s", valueBytes, seconds, b.String())
}

// startZooKeeper starts a stock ZooKeeper with the heap of its own start script and the compilers and collector that a
// JVM takes by itself on a server, where the harness asks for a quick start.
func startZooKeeper(t *testing.T, jars string, size int) *harness.Ensemble {
	return harness.StartZooKeeper(t, jars, harness.Options{Size: size, Lines: []string{"forceSync=yes"}, Args: []string{
		"-Xmx1000m", "-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=4",
	}})
}

// zooKeeperJars is where tests/interop/setup.sh puts ZooKeeper, by the same rule.
func zooKeeperJars(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ZOORAFT_INTEROP_DEPS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "zooraft-interop")
	}
	jars := filepath.Join(dir, "zookeeper-3.9.5")
	if _, err := os.Stat(filepath.Join(jars, ".complete")); err != nil {
		t.Skipf("MISSING: ZooKeeper's jars in %s; tests/interop/setup.sh installs them", jars)
	}
	return jars
}

// medians takes each figure's median by itself.
func medians(all []figures) figures {
	return figures{
		rate: median(all, func(f figures) float64 { return f.rate }),
		cpu:  median(all, func(f figures) float64 { return f.cpu }),
		p50:  median(all, func(f figures) time.Duration { return f.p50 }),
		p90:  median(all, func(f figures) time.Duration { return f.p90 }),
		p99:  median(all, func(f figures) time.Duration { return f.p99 }),
		max:  median(all, func(f figures) time.Duration { return f.max }),
	}
}

func median[T float64 | time.Duration](all []figures, of func(figures) T) T {
	var values []T
	for _, f := range all {
		values = append(values, of(f))
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// load is an ensemble under measurement.
type load struct {
	t      *testing.T
	ens    *harness.Ensemble
	length time.Duration
	pids   []int
}

func lonePath(int) string     { return "/bench" }
func manyPath(i int) string   { return fmt.Sprintf("/bench/client-%03d", i) }
func set(path string) request { return request{protocol.OpSetData, setBody(path)} }
func get(path string) request {
	return request{protocol.OpGetData, &protocol.PathWatchRequest{Path: path}}
}
func setBody(path string) record {
	return &protocol.SetDataRequest{Path: path, Data: bytes.Repeat([]byte("v"), valueBytes), Version: -1}
}

type request struct {
	op   protocol.OpCode
	body record
}

// run measures all scenarios that the ensemble's size allows.
func (l *load) run(report func(scenario string, f figures)) {
	leader := l.ens.Leader()
	for sid := 1; sid <= l.ens.Size(); sid++ {
		l.pids = append(l.pids, l.ens.PID(sid))
	}
	l.prepare(leader)
	if l.ens.Size() == 1 {
		report("lone set, standalone", l.measure([]int{1}, lonePath, set))
		return
	}
	follower := leader%l.ens.Size() + 1
	report("lone set, via the leader", l.measure([]int{leader}, lonePath, set))
	report("lone set, via a follower", l.measure([]int{follower}, lonePath, set))
	var spread []int
	for i := range manyClients {
		spread = append(spread, i%l.ens.Size()+1)
	}
	report("128 clients x 1 set", l.measure(spread, manyPath, set))
	report("128 clients x 1 get", l.measure(spread, manyPath, get))
}

// prepare makes the znodes and warms every server up.
func (l *load) prepare(leader int) {
	c := l.dial(leader)
	defer c.close()
	value := bytes.Repeat([]byte("v"), valueBytes)
	err := c.create("/bench", value)
	for i := range manyClients {
		err = errors.Join(err, c.create(manyPath(i), value))
	}
	if err != nil {
		l.t.Fatalf("prepare: %v", err)
	}
	for sid := 1; sid <= l.ens.Size(); sid++ {
		c := l.dial(sid)
		// A follower may be behind what another server has acknowledged.
		if _, err := c.call(protocol.OpSync, &protocol.SyncRequest{Path: "/bench"}); err != nil {
			l.t.Fatalf("sync on server %d: %v", sid, err)
		}
		err := c.pipelined(warmUp, 64, func(i int) (protocol.OpCode, record) {
			if i%2 == 0 {
				return protocol.OpGetData, &protocol.PathWatchRequest{Path: "/bench"}
			}
			return protocol.OpSetData, setBody("/bench")
		})
		c.close()
		if err != nil {
			l.t.Fatalf("warm up server %d: %v", sid, err)
		}
	}
}

func (l *load) dial(sid int) *client {
	l.t.Helper()
	c, err := dial(l.ens.Server(sid).ClientAddr)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// measure has one client on each of the servers named do one request after the other.
func (l *load) measure(sids []int, path func(i int) string, next func(path string) request) figures {
	l.t.Helper()
	var clients []*client
	for _, sid := range sids {
		c := l.dial(sid)
		defer c.close()
		clients = append(clients, c)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  samples
		errs []error
	)
	ended := make(chan struct{})
	timer := time.AfterFunc(l.length, func() { close(ended) })
	defer timer.Stop()
	before, start := cpuTime(l.t, l.pids...), time.Now()
	for i, c := range clients {
		wg.Go(func() {
			r := next(path(i))
			s, err := closedLoop(ended, 0, func() error {
				_, err := c.call(r.op, r.body)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s...)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	took, used := time.Since(start), cpuTime(l.t, l.pids...)-before
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		l.t.Fatalf("%d requests: %v", len(all), err)
	}
	q := all.quantiles(.5, .9, .99, 1)
	return figures{
		rate: float64(len(all)) / took.Seconds(),
		cpu:  used.Seconds() / float64(len(all)) * 1e5,
		p50:  q[0], p90: q[1], p99: q[2], max: q[3],
	}
}
