package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
)

const (
	handshakeTimeout = 3 * time.Second
	reconnectPause   = 20 * time.Millisecond
	drainTimeout     = 30 * time.Second
	callInterval     = time.Second
)

// fleet is the clients of one scenario, and the clock they share.
type fleet struct {
	t       *testing.T
	seed    uint64
	began   time.Time
	servers []loadclient.Server
	gone    map[int]bool  // servers that are to be audited no more
	timeout time.Duration // of sessions
	dial    func(ctx context.Context, addr string) (net.Conn, error)

	ctx        context.Context // ends with the test, or at its deadline
	stopping   chan struct{}   // closed when workers are to come to an end
	generation atomic.Int64    // grows when workers are to go home
	wg         sync.WaitGroup

	mu      sync.Mutex
	clients []*loadclient.Client
	workers []*worker
	faults  map[string]int // what no worker may meet, and how often
}

// newFleet makes a fleet without clients; all it does ends after limit. dial is nil for plain TCP.
func newFleet(t *testing.T, servers []loadclient.Server, timeout, limit time.Duration,
	dial func(ctx context.Context, addr string) (net.Conn, error)) *fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	f := &fleet{t: t, seed: seed(t), began: time.Now(), servers: servers, timeout: timeout, dial: dial, ctx: ctx,
		stopping: make(chan struct{}), faults: make(map[string]int)}
	t.Cleanup(func() {
		cancel()
		for _, c := range f.clients {
			c.Disconnect()
		}
		f.wg.Wait()
	})
	return f
}

func (f *fleet) clock() time.Duration { return time.Since(f.began) }

// client makes a client of the fleet, without a connection.
func (f *fleet) client(name string, timeout time.Duration) *loadclient.Client {
	c := loadclient.New(loadclient.Options{Name: name, Clock: f.clock, Timeout: timeout, Dial: f.dial})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients = append(f.clients, c)
	return c
}

// connect connects a client to one server, and tries again until timeout.
func (f *fleet) connect(c *loadclient.Client, sid int, timeout time.Duration) {
	f.t.Helper()
	harness.Eventually(f.t, timeout, fmt.Sprintf("%s connects to server %d", c.Name(), sid), func() error {
		ctx, cancel := context.WithTimeout(f.ctx, handshakeTimeout)
		defer cancel()
		return c.Connect(ctx, f.servers[sid-1])
	})
}

// must waits for a reply that has to be good.
func (f *fleet) must(r *loadclient.Request) history.Record {
	f.t.Helper()
	reply, err := r.Wait(f.ctx)
	if err != nil {
		f.t.Fatalf("request: %v (%+v)", err, reply)
	}
	return reply
}

func (f *fleet) history() *history.History {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &history.History{Seed: f.seed}
	for _, c := range f.clients {
		h.Clients = append(h.Clients, c.History())
	}
	return h
}

// worker is a client that works on its own: it takes step after step, and reconnects when it has lost its server, at
// home first and then elsewhere.
type worker struct {
	*loadclient.Client
	f          *fleet
	home       int
	generation int64
	rng        *rand.Rand
	period     time.Duration // between the beginnings of two steps, in the mean
	steps      atomic.Int64  // that came to a good end
	// step does one thing. An error means that the connection is gone, or a reply that may not come.
	step func(w *worker) error
	// drain waits for what is still under way; nil: nothing ever is, between steps.
	drain func(w *worker)
	dir   string // of a writer: where it creates
}

// add makes a worker and starts it.
func (f *fleet) add(name string, home int, period time.Duration, set func(w *worker)) *worker {
	w := &worker{Client: f.client(name, f.timeout), f: f, home: home, period: period}
	f.mu.Lock()
	f.workers = append(f.workers, w)
	w.rng = rand.New(rand.NewPCG(f.seed, uint64(len(f.workers))))
	f.mu.Unlock()
	set(w)
	f.wg.Go(w.run)
	return w
}

func (w *worker) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for {
		select {
		case <-timer.C:
		case <-w.f.stopping:
			if w.drain != nil {
				w.drain(w)
			}
			return
		case <-w.f.ctx.Done():
			return
		}
		if w.attach() {
			if err := w.step(w); err == nil {
				w.steps.Add(1)
			} else if code := protocol.ErrCode(0); errors.As(err, &code) {
				w.f.fault(fmt.Sprintf("reply %v", code.Name()))
			}
		}
		// What was missed while a server was away is not made up for: that would be a burst, not load.
		next = next.Add(w.period/2 + time.Duration(w.rng.Int64N(int64(w.period))))
		if now := time.Now(); next.Before(now) {
			next = now
		}
		timer.Reset(time.Until(next))
	}
}

// attach sees to it that the worker is connected, at home if it was called there. False means that the fleet stops.
func (w *worker) attach() bool {
	generation := w.f.generation.Load()
	if sid, ok := w.Connected(); ok {
		if sid == w.home || generation == w.generation {
			w.generation = generation
			return true
		}
		if w.drain != nil {
			w.drain(w)
		}
		w.Disconnect()
	}
	w.generation = generation
	for attempt := 0; ; attempt++ {
		s := w.f.servers[(w.home-1+attempt)%len(w.f.servers)]
		ctx, cancel := context.WithTimeout(w.f.ctx, handshakeTimeout)
		err := w.Connect(ctx, s)
		cancel()
		switch {
		case err == nil:
			w.Rewatch()
			return true
		case errors.Is(err, loadclient.ErrExpired):
			w.f.fault("session expired")
			w.Renew()
		}
		var pause time.Duration
		if s.SID == w.home || attempt%len(w.f.servers) == len(w.f.servers)-1 {
			pause = reconnectPause
		}
		select {
		case <-w.f.stopping:
			return false
		case <-w.f.ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

func (f *fleet) fault(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[what]++
}

// goHome has all workers return to their own servers, and waits until they are there. A server may refuse them for a
// while, as long as it is behind what they have seen: then they are called again.
func (f *fleet) goHome() {
	f.t.Helper()
	var called time.Time
	harness.Eventually(f.t, 30*time.Second, "all clients are at home", func() error {
		if time.Since(called) > callInterval {
			f.generation.Add(1)
			called = time.Now()
		}
		for _, w := range f.workers {
			if sid, ok := w.Connected(); !ok || sid != w.home {
				return fmt.Errorf("%s is at server %d (%v), its home is %d", w.Name(), sid, ok, w.home)
			}
		}
		return nil
	})
}

// awaitSteps waits until each worker has done n more steps than now.
func (f *fleet) awaitSteps(n int64, timeout time.Duration) {
	f.t.Helper()
	before := make([]int64, len(f.workers))
	for i, w := range f.workers {
		before[i] = w.steps.Load()
	}
	harness.Eventually(f.t, timeout, "all clients make progress", func() error {
		var late []string
		for i, w := range f.workers {
			if w.steps.Load() < before[i]+n {
				sid, _ := w.Connected()
				late = append(late, fmt.Sprintf("%s@%d", w.Name(), sid))
			}
		}
		if len(late) > 0 {
			return fmt.Errorf("%d of %d do not: %s", len(late), len(f.workers), strings.Join(late[:min(8, len(late))], " "))
		}
		return nil
	})
}

// writes is how many writes the writers have had acknowledged.
func (f *fleet) writes() int64 {
	var n int64
	for _, w := range f.workers {
		if w.dir != "" {
			n += w.steps.Load()
		}
	}
	return n
}

// stop lets all workers finish what they have begun.
func (f *fleet) stop() {
	f.t.Helper()
	close(f.stopping)
	done := make(chan struct{})
	go func() { f.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainTimeout):
		f.t.Errorf("some requests have no reply %v after the last was sent", drainTimeout)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for what, n := range f.faults {
		f.t.Errorf("%d times: %s", n, what)
	}
}
