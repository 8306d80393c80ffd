package bench

import (
	"testing"
	"time"

	"zooraft/cmd/bench"
	"zooraft/tests/harness"
)

const (
	zooraftLabel   = "Zooraft"
	zooKeeperLabel = "ZooKeeper 3.9.5"

	valueBytes = 1024
	tickTime   = 2 * time.Second // that of ZooKeeper's sample configuration

	// Reads, and as many writes, before anything is measured on an ensemble. Then it is warm once a second more brings less
	// than this gain.
	warmUpRequests = 20_000
	warmUpGain     = 1.05

	probePath = "/probe" // a znode of valueBytes in each ensemble that start has started

	restingShare = 0.05 // of a core: less is rest
	restingFor   = 200 * time.Millisecond
	restingLimit = 10 * time.Second // then the measurement begins all the same
)

// side is one of the two that are compared.
type side struct {
	label string
	jars  string // of ZooKeeper; empty for Zooraft
}

// sides are Zooraft and, where it is installed, ZooKeeper: Zooraft first, as every ratio is its figure in parts of
// ZooKeeper's.
func sides(t *testing.T, b *book) []side {
	t.Helper()
	all := []side{{label: zooraftLabel}}
	jars, err := harness.ZooKeeperJars()
	if err != nil {
		b.say("MISSING: ZooKeeper is left out: %v; tests/interop/setup.sh installs it", err)
		return all
	}
	return append(all, side{label: zooKeeperLabel, jars: jars})
}

// ensemble is servers of one side.
type ensemble struct {
	*harness.Ensemble
	side
	t *testing.T
}

// make makes an ensemble and does not start it. Both sides get the same zoo.cfg. The JVM gets the heap of zkServer.sh
// and, as there, chooses the rest itself; the remote management that the script turns on stays off, which spares
// ZooKeeper some memory and some of its start.
func (s side) make(t *testing.T, o harness.Options) *ensemble {
	t.Helper()
	o.TickTime = tickTime
	o.JVM = []string{"-Xmx1000m"}
	o.StartTimeout = 3 * time.Minute // with millions of znodes to read
	e := &ensemble{side: s, t: t}
	if s.jars == "" {
		e.Ensemble = harness.NewZooraft(t, o)
	} else {
		e.Ensemble = harness.NewZooKeeper(t, s.jars, o)
	}
	return e
}

// start makes an ensemble, starts it, makes probePath and warms it up.
func (s side) start(t *testing.T, b *book, o harness.Options) *ensemble {
	t.Helper()
	e := s.make(t, o)
	e.StartAll()
	c := e.dial(e.Leader())
	defer c.close()
	if err := c.create(probePath, make([]byte, valueBytes)); err != nil {
		t.Fatalf("%s: %v", e.label, err)
	}
	e.warmUp(b.form.warmMost)
	return e
}

func (e *ensemble) pids() []int {
	var pids []int
	for sid := 1; sid <= e.Size(); sid++ {
		if e.Running(sid) {
			pids = append(pids, e.PID(sid))
		}
	}
	return pids
}

// follower is one that does not lead now.
func (e *ensemble) follower() int { return e.Leader()%e.Size() + 1 }

func (e *ensemble) dial(sid int) *client {
	e.t.Helper()
	c, err := dial(e.Server(sid).ClientAddr)
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

// warmUp lets clients read and write until the ensemble has become as fast as it will, or for so long: a JVM takes its
// time to compile. Zooraft gets the same.
func (e *ensemble) warmUp(most time.Duration) {
	e.t.Helper()
	requests, best := int64(0), 0.0
	for deadline := time.Now().Add(most); time.Now().Before(deadline); {
		load := mixed(.5)
		load.Window = 4
		r := execute(e.t, bench.Config{Workload: load, Servers: e.ClientAddrs(), Duration: time.Second,
			SessionTimeout: sessionTimeout, Label: e.label, Scenario: "warm-up"})
		if r == nil {
			e.t.Fatalf("%s: warm-up failed", e.label)
		}
		requests += r.Operations
		// Half are reads, half writes.
		if requests >= 2*warmUpRequests && r.Throughput < warmUpGain*best {
			return
		}
		best = max(best, r.Throughput)
	}
}

// settle waits until servers rest: snapshots are written, garbage is collected, and what one side still has to do does
// not fall into the other's measurement.
func settle(t *testing.T, ensembles ...*ensemble) {
	t.Helper()
	var pids []int
	for _, e := range ensembles {
		pids = append(pids, e.pids()...)
	}
	deadline := time.Now().Add(restingLimit)
	for before := cpuTime(t, pids...); time.Now().Before(deadline); {
		time.Sleep(restingFor)
		now := cpuTime(t, pids...)
		if (now - before).Seconds() <= restingShare*restingFor.Seconds()*float64(len(ensembles)) {
			return
		}
		before = now
	}
}
