package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"zooraft/cmd/bench"
	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	costClients   = 64 // of the generator
	costPipelines = 8  // where the generator does not make the requests
	costMeasure   = 2 * time.Second
	costWarmUp    = time.Second / 2
	costRate      = 1000 // requests a second over all sessions; a lone one has to keep up
	// A watch on a znode needs a session of its own, and a session a port of this machine.
	watchersOfOne = 10_000
	// ZooKeeper with its usual heap holds some millions of znodes and not more.
	zooKeeperZnodes = 1_000_000
)

// costs measures what a request costs the servers as they hold more of something. The quick form goes to the third step
// of each.
func costs(t *testing.T, b *book, both []side) {
	for _, c := range []struct {
		what    string
		measure func(b *book, e *ensemble, steps []int)
		steps   []int
	}{
		{"znodes", (*book).costOfZnodes, []int{1000, 10_000, 100_000, 1_000_000, 5_000_000}},
		{"sessions", (*book).costOfSessions, []int{1, 100, 1000, 10_000}},
		{"watches", (*book).costOfWatches, []int{1, 100, 1000, 10_000, 100_000}},
		{"children", (*book).costOfChildren, []int{1, 1000, 100_000, 1_000_000}},
	} {
		if !b.form.wants("cost: " + c.what) {
			continue
		}
		if !b.form.full {
			c.steps = c.steps[:3]
		}
		each(t, both, 1, func(t *testing.T, s side) {
			c.measure(b, s.start(t, b, harness.Options{Size: 1}), c.steps)
		})
	}
	if b.form.wants("cost: servers") {
		costOfServers(t, b, both)
	}
}

// costTime is how long one of these measurements takes.
func (b *book) costTime() (measure, warmUp time.Duration) {
	if b.form.full {
		return costMeasure, costWarmUp
	}
	return b.form.measure, b.form.warmUp
}

// cost measures a load of the generator.
func (b *book) cost(e *ensemble, group, with string, load bench.Workload) {
	e.t.Helper()
	settle(e.t, e)
	c := b.config(e, load, everywhere)
	c.Duration, c.WarmUp = b.costTime()
	c.Group, c.Scenario = "Cost: "+group, fmt.Sprintf("cost: %s, %s", load.Name, with)
	if r := execute(e.t, c); r != nil {
		b.run(r, target{})
	}
}

// costOf measures requests that the generator does not make, from a few clients with many under way each, and enters
// them as a run. There are no latencies: under this load they say how many are under way. next makes the i-th request
// of client k, and is called by one goroutine for each k.
func (b *book) costOf(e *ensemble, group, with, what string, load bench.Workload, next func(k, i int) (protocol.OpCode, record)) {
	e.t.Helper()
	settle(e.t, e)
	load.Connections, load.Window = costPipelines, manyOpen
	clients, done := make([]*client, load.Connections), make([]int, load.Connections)
	for k := range clients {
		clients[k] = e.dial(1)
		defer clients[k].close()
	}
	until := func(d time.Duration) (requests int) {
		const some = 512
		begin := time.Now()
		before := sum(done)
		errs := make([]error, len(clients))
		var wg sync.WaitGroup
		for k, c := range clients {
			wg.Go(func() {
				for errs[k] == nil && time.Since(begin) < d {
					errs[k] = c.pipelined(some, manyOpen, func(i int) (protocol.OpCode, record) { return next(k, done[k]+i) })
					done[k] += some
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			e.t.Fatalf("%s: %s, %s: %v", e.label, what, with, err)
		}
		return sum(done) - before
	}
	measure, warmUp := b.costTime()
	until(warmUp)
	before, start := cpuTime(e.t, e.pids()...), time.Now()
	n := until(measure)
	took, cpu := time.Since(start), cpuTime(e.t, e.pids()...)-before
	b.run(&bench.Run{
		Scenario: fmt.Sprintf("cost: %s, %s", what, with), Group: "Cost: " + group, Label: e.label,
		Workload: load, Servers: e.ClientAddrs(), Started: start, Seconds: took.Seconds(),
		Operations: int64(n), Throughput: float64(n) / took.Seconds(),
		Processes: []bench.Process{{PID: e.PID(1), Name: e.label, CPU: cpu.Seconds(), RSS: memoryOf(e.t, e.PID(1)).rss}},
	}, target{})
}

func sum(values []int) (total int) {
	for _, v := range values {
		total += v
	}
	return total
}

// costOfZnodes reads and writes znodes chosen from all that are there.
func (b *book) costOfZnodes(e *ensemble, steps []int) {
	p := spreadOut(steps[len(steps)-1])
	random := make([]*rand.Rand, costPipelines)
	for k := range random {
		random[k] = rand.New(rand.NewPCG(1, uint64(k)))
	}
	value := make([]byte, znodeBytes)
	from := 0
	for _, n := range steps {
		if e.jars != "" && n > zooKeeperZnodes {
			return
		}
		e.extend(p, from, n)
		from = n
		with := thousands(n) + " znodes"
		b.costOf(e, "znodes", with, bench.Get, bench.Workload{Name: bench.Get, Size: znodeBytes, Keys: n},
			func(k, _ int) (protocol.OpCode, record) {
				return protocol.OpGetData, &protocol.PathWatchRequest{Path: p.path(random[k].IntN(n))}
			})
		b.costOf(e, "znodes", with, bench.Set, bench.Workload{Name: bench.Set, Size: znodeBytes, Keys: n},
			func(k, _ int) (protocol.OpCode, record) {
				return protocol.OpSetData, &protocol.SetDataRequest{Path: p.path(random[k].IntN(n)), Data: value, Version: -1}
			})
	}
}

// extend fills up from so many znodes to more.
func (e *ensemble) extend(p population, from, to int) {
	e.t.Helper()
	c := e.dial(e.Leader())
	defer c.close()
	if err := p.fill(c, from, to); err != nil {
		e.t.Fatalf("%s: %v", e.label, err)
	}
}

// costOfSessions spreads the same number of requests a second over more and more sessions.
func (b *book) costOfSessions(e *ensemble, steps []int) {
	for _, n := range steps {
		for _, name := range []string{bench.Get, bench.Set} {
			w := load(name, n, 1)
			w.Rate = costRate
			b.cost(e, "sessions", thousands(n)+" sessions", w)
		}
	}
}

// costOfWatches has watches on one znode, each of another session, and on many znodes of a hundred sessions. None fires.
func (b *book) costOfWatches(e *ensemble, steps []int) {
	const sessions = 100
	p := population{path: func(i int) string { return fmt.Sprintf("/watched/node-%08d", i) }, dirs: []string{"/watched"}}
	e.extend(p, 0, slices.Max(steps)/sessions+1)
	measure := func(n int, with string) {
		for _, name := range []string{bench.Get, bench.Set} {
			w := load(name, costClients, 1)
			w.Watches = n
			b.cost(e, "watches", thousands(n)+" watches on "+with, w)
		}
	}
	watch := func(c *client, n int) error {
		return c.pipelined(n, manyOpen, func(i int) (protocol.OpCode, record) {
			return protocol.OpGetData, &protocol.PathWatchRequest{Path: p.path(i), Watch: true}
		})
	}
	for _, n := range steps {
		if n > watchersOfOne {
			continue
		}
		h := e.hold(n, func(c *client) error { return watch(c, 1) })
		measure(n, "one znode")
		h.release()
	}
	for _, n := range steps {
		holders := min(n, sessions)
		h := e.hold(holders, func(c *client) error { return watch(c, n/holders) })
		measure(n, "many znodes")
		h.release()
	}
}

// costOfChildren measures requests to a parent and below it as its children grow in number.
func (b *book) costOfChildren(e *ensemble, steps []int) {
	p := belowOne()
	parent := p.dirs[0]
	value := make([]byte, znodeBytes)
	from := 0
	for _, n := range steps {
		e.extend(p, from, n)
		from = n
		with := thousands(n) + " children"
		w := func(name string) bench.Workload {
			return bench.Workload{Name: name, Size: znodeBytes, Keys: 1, Children: n}
		}
		// Pairs, so that there are as many children at the end as there were.
		b.costOf(e, "children", with, "create and delete of a child", w("create and delete"), func(k, i int) (protocol.OpCode, record) {
			path := fmt.Sprintf("%s/more-%d-%d", parent, k, i/2)
			if i%2 == 0 {
				return protocol.OpCreate, &protocol.CreateRequest{Path: path, Data: value, ACL: protocol.OpenACL}
			}
			return protocol.OpDelete, &protocol.DeleteRequest{Path: path, Version: -1}
		})
		b.costOf(e, "children", with, "get of the parent", w(bench.Get), func(int, int) (protocol.OpCode, record) {
			return protocol.OpGetData, &protocol.PathWatchRequest{Path: parent}
		})
		b.costOf(e, "children", with, "set of the parent", w(bench.Set), func(int, int) (protocol.OpCode, record) {
			return protocol.OpSetData, &protocol.SetDataRequest{Path: parent, Data: value, Version: -1}
		})
	}
}

// costOfServers measures on ensembles of several sizes. The processor time is that of all servers together.
func costOfServers(t *testing.T, b *book, both []side) {
	for _, o := range []harness.Options{{Size: 3}, {Size: 5}, {Size: 7}, {Size: 5, Observers: 2}} {
		with := fmt.Sprintf("%d servers", o.Size)
		if o.Observers > 0 {
			with = fmt.Sprintf("%d servers and %d observers", o.Size-o.Observers, o.Observers)
		}
		if !b.form.full && o.Size > 5 {
			continue
		}
		each(t, both, 1, func(t *testing.T, s side) {
			e := s.start(t, b, o)
			b.cost(e, "servers", with, load(bench.Get, clients, 1))
			b.cost(e, "servers", with, load(bench.Set, clients, 1))
		})
	}
}

// holder keeps sessions alive that do nothing else.
type holder struct {
	clients []*client
	stop    chan struct{}
	done    chan struct{}
	err     error
	e       *ensemble
}

// hold opens n sessions on the ensemble's first server and has each do something, if there is anything to do.
func (e *ensemble) hold(n int, do func(c *client) error) *holder {
	e.t.Helper()
	h := &holder{clients: make([]*client, n), stop: make(chan struct{}), done: make(chan struct{}), e: e}
	const openers = 16
	errs := make([]error, openers)
	var wg sync.WaitGroup
	for k := range openers {
		wg.Go(func() {
			for i := k; i < n && errs[k] == nil; i += openers {
				h.clients[i], errs[k] = dial(e.Server(1).ClientAddr)
				if errs[k] == nil && do != nil {
					errs[k] = do(h.clients[i])
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			e.t.Fatalf("%s: %d sessions: %v", e.label, n, err)
		}
	}
	go h.keepAlive()
	return h
}

// keepAlive asks something in each session, four times in its timeout.
func (h *holder) keepAlive() {
	defer close(h.done)
	tick := time.NewTicker(sessionTimeout / 4)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
		for _, c := range h.clients {
			if _, err := c.call(protocol.OpExists, &protocol.PathWatchRequest{Path: "/"}); err != nil {
				h.err = err
				return
			}
		}
	}
}

// release closes the sessions and waits until the server has forgotten them.
func (h *holder) release() {
	h.e.t.Helper()
	close(h.stop)
	<-h.done
	if h.err != nil {
		h.e.t.Errorf("%s: a session that is held: %v", h.e.label, h.err)
	}
	for _, c := range h.clients {
		if err := c.send(protocol.OpCloseSession, nil); err != nil {
			h.e.t.Errorf("%s: close a session: %v", h.e.label, err)
		}
	}
	for _, c := range h.clients {
		if _, err := c.receive(); err != nil {
			h.e.t.Errorf("%s: close a session: %v", h.e.label, err)
			break
		}
		c.close()
	}
	settle(h.e.t, h.e)
}
