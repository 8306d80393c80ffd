package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"zooraft/cmd/bench"
	"zooraft/tests/harness"
)

const (
	clients      = 128
	multiClients = 16
	multiSets    = 10
	// An Execute that hangs ends this long after it should have.
	overtime = 3 * time.Minute
)

// where says to which servers a scenario's clients connect.
type where int

const (
	everywhere where = iota
	onLeader
	onFollower
)

// scenario is one load on both sides.
type scenario struct {
	name   string
	load   bench.Workload
	where  where
	target target
}

// TestCompare is `make bench`: all that is measured of Zooraft beside ZooKeeper. It fails when a request fails that
// should not, and not when a figure is other than wanted.
func TestCompare(t *testing.T) {
	asked(t)
	f := formAsked(t)
	b := newBook(t, f, versions(t)...)
	both := sides(t, b)
	t.Run("three", func(t *testing.T) { compare(t, b, both, "Three servers", 3, threeServers(f.shares)) })
	t.Run("one", func(t *testing.T) { compare(t, b, both, "One server", 1, oneServer()) })
	t.Run("memory", func(t *testing.T) { memoryAndTime(t, b, both) })
	t.Run("reliability", func(t *testing.T) { reliability(t, b, both) })
	if f.full || f.only != nil {
		t.Run("cost", func(t *testing.T) { costs(t, b, both) })
	}
	if len(b.results.Runs)+len(b.results.Figures) == 0 {
		t.Errorf("BENCH_RUN=%v names nothing that is measured", f.only)
	}
	b.say("results in %s", b.file)
}

// versions name what is compared, as the report tells it.
func versions(t *testing.T) []string {
	t.Helper()
	bin := os.Getenv("ZOORAFT_BIN")
	if bin == "" {
		t.Fatal("ZOORAFT_BIN: want the binary to measure, as make build makes it; one built here would have the race detector")
	}
	ours, err := exec.Command(bin, "version").Output()
	if err != nil {
		t.Fatalf("%s version: %v", bin, err)
	}
	all := []string{strings.TrimSpace(string(ours))}
	if java, err := exec.Command("java", "-version").CombinedOutput(); err == nil {
		first, _, _ := strings.Cut(string(java), "\n")
		all = append(all, zooKeeperLabel+" on "+first)
	}
	return all
}

func load(name string, connections, window int) bench.Workload {
	return bench.Workload{Name: name, Connections: connections, Window: window, Size: valueBytes}
}

func mixed(readShare float64) bench.Workload {
	w := load(bench.Mixed, clients, 1)
	w.ReadShare = readShare
	return w
}

// fixedRates are loads that ZooKeeper on two cores carries with something to spare.
var fixedRates = map[string]float64{bench.Get: 20_000, bench.Mixed: 10_000, bench.Set: 5_000}

func threeServers(shares []float64) []scenario {
	const group = "three servers: "
	write1 := target{throughput: 2.5, cpu: .35, p99: .5}
	write64 := target{throughput: 3, cpu: .35, p99: .4}
	read1 := target{throughput: 1.5, cpu: .5, p99: .7}
	read64 := target{throughput: 2, cpu: .5, p99: .7}
	lone := target{p50: .9, cpu: .5, p99: 1}
	multi := load(bench.Multi, multiClients, 1)
	multi.Batch = multiSets
	oneNode, manyNodes := load(bench.Watch, 1000, 1), load(bench.Watch, 50, 1)
	oneNode.Keys, manyNodes.Keys = 1, 20
	all := []scenario{
		{"set 128 x 1", load(bench.Set, clients, 1), everywhere, write1},
		{"create 128 x 1", load(bench.Create, clients, 1), everywhere, write1},
		{"set 128 x 64", load(bench.Set, clients, 64), everywhere, write64},
		{"create 128 x 64", load(bench.Create, clients, 64), everywhere, write64},
		{"set, lone client of the leader", load(bench.Set, 1, 1), onLeader, lone},
		{"set, lone client of a follower", load(bench.Set, 1, 1), onFollower, lone},
		{"get 128 x 1", load(bench.Get, clients, 1), everywhere, read1},
		{"exists 128 x 1", load(bench.Exists, clients, 1), everywhere, read1},
		{"get 128 x 64", load(bench.Get, clients, 64), everywhere, read64},
		{"exists 128 x 64", load(bench.Exists, clients, 64), everywhere, read64},
		{"mixed 128 x 1, 90 % reads", mixed(.9), everywhere, target{throughput: 2, cpu: .4, p99: .5}},
	}
	for _, share := range shares {
		all = append(all, scenario{fmt.Sprintf("mixed 128 x 1, %g %% reads", 100*share), mixed(share), everywhere, target{}})
	}
	all = append(all,
		scenario{"multi of 10 sets, 16 x 1", multi, everywhere, write1},
		scenario{"ephemeral create and delete 128 x 1", load(bench.Ephemeral, clients, 1), everywhere, write1},
		scenario{"sessions opened and closed, 128 at once", load(bench.Connect, clients, 1), everywhere,
			target{throughput: 3, cpu: .3, p99: .5}},
		scenario{"watch events, 1,000 sessions on one znode", oneNode, everywhere, target{throughput: 2, cpu: .5, p99: .5}},
		scenario{"watch events, 50 sessions on 20 znodes", manyNodes, everywhere, target{throughput: 2, cpu: .5, p99: .5}},
	)
	// The same load on both: what a request waits for where neither is pushed to its limit.
	for _, s := range []scenario{
		{"get 128 x 1", load(bench.Get, clients, 1), everywhere, target{}},
		{"mixed 128 x 1, 90 % reads", mixed(.9), everywhere, target{}},
		{"set 128 x 1", load(bench.Set, clients, 1), everywhere, target{}},
	} {
		s.load.Rate = fixedRates[s.load.Name]
		s.name = fmt.Sprintf("%s, %s/s", s.name, thousands(int(s.load.Rate)))
		all = append(all, s)
	}
	for i := range all {
		all[i].name = group + all[i].name
	}
	return all
}

func oneServer() []scenario {
	many := target{throughput: 1.5, cpu: .5}
	return []scenario{
		{"one server: set 128 x 1", load(bench.Set, clients, 1), everywhere, many},
		{"one server: get 128 x 1", load(bench.Get, clients, 1), everywhere, many},
		{"one server: mixed 128 x 1, 90 % reads", mixed(.9), everywhere, many},
		{"one server: set, lone client", load(bench.Set, 1, 1), everywhere, target{p50: 1}},
	}
}

// compare measures scenarios on one ensemble of each side. Both run all the time, and each in turn has the machine to
// itself but for what the other takes at rest.
func compare(t *testing.T, b *book, both []side, group string, size int, scenarios []scenario) {
	var wanted []scenario
	for _, s := range scenarios {
		if b.form.wants(s.name) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return
	}
	var ensembles []*ensemble
	for _, s := range both {
		b.say("%s: start and warm up %s", group, s.label)
		ensembles = append(ensembles, s.start(t, b, harness.Options{Size: size}))
	}
	for round := range b.form.rounds {
		for _, s := range wanted {
			for _, e := range ensembles {
				settle(t, ensembles...)
				c := b.config(e, s.load, s.where)
				c.Group, c.Scenario, c.Seed = group, s.name, uint64(round+1)
				if r := execute(t, c); r != nil {
					b.run(r, s.target)
				}
			}
		}
	}
}

// config is a measurement of a load as long as the form says.
func (b *book) config(e *ensemble, load bench.Workload, at where) bench.Config {
	servers := e.ClientAddrs()
	if at == onLeader {
		servers = []string{e.Server(e.Leader()).ClientAddr}
	} else if at == onFollower {
		servers = []string{e.Server(e.follower()).ClientAddr}
	}
	return bench.Config{
		Workload: load, Servers: servers, Duration: b.form.measure, WarmUp: b.form.warmUp, SessionTimeout: sessionTimeout,
		PIDs: e.pids(), Label: e.label,
	}
}

// execute runs a measurement in which no request may fail. It returns nil when there was none.
func execute(t *testing.T, c bench.Config) *bench.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.WarmUp+c.Duration+overtime)
	defer cancel()
	r, err := bench.Execute(ctx, c)
	if err != nil {
		t.Errorf("%s: %s: %v", c.Label, c.Scenario, err)
		return nil
	}
	if n := failed(r); n > 0 {
		t.Errorf("%s: %s: %d requests failed: %v", c.Label, c.Scenario, n, r.Errors)
	}
	return r
}
