package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// dialers is how many connections are opened or closed at once.
	dialers = 32

	// drainPatience is how long requests under way at the end are waited for.
	drainPatience = 3 * time.Second
)

// run is one measurement.
type run struct {
	Config
	root    string   // znode of this run, below Path
	made    []string // what the set-up has made of Path
	clock   clock
	sources *sources
	rec     *recorder
	keeper  *keeper
	conns   []*conn

	loops  sync.WaitGroup // whose end is the run's
	others sync.WaitGroup // that end when the run does
	cancel context.CancelCauseFunc
}

// Execute makes what the workload needs, measures, and deletes what it made. It
// blocks until then. It may be called by several goroutines at once.
//
// When ctx ends during the measurement, the Run holds the figures so far and
// there is no error. When the run fails, the Run holds the figures so far
// together with the error, or is nil if nothing was measured.
func Execute(ctx context.Context, c Config) (*Run, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	now := time.Now()
	r := &run{Config: c, clock: clock{now}, root: fmt.Sprintf("%s/run-%016x", c.Path, now.UnixNano())}
	r.sources = newSources(c.Workload, r.root, c.Seed)
	r.rec = newRecorder(kindsOf(c.Workload.Name))
	r.keeper = newKeeper(r.clock, c.SessionTimeout)
	defer r.keeper.close()

	var result *Run
	err := r.setUp(ctx)
	if err != nil {
		err = fmt.Errorf("set-up: %w", err)
	} else {
		result, err = r.measure(ctx)
	}
	if !c.Keep && (result != nil || len(r.made) > 0) {
		// What was made is deleted even if ctx has ended; a server that does not
		// answer ends it.
		if cleanErr := r.cleanUp(context.WithoutCancel(ctx)); cleanErr != nil {
			err = errors.Join(err, fmt.Errorf("clean-up: %w", cleanErr))
		}
	}
	return result, err
}

// measure opens the connections, runs the load and accounts for it.
func (r *run) measure(ctx context.Context) (*Run, error) {
	loadCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.cancel = cancel
	procs := newProcesses(r.PIDs)

	defer r.hangUp()
	start, err := r.prepare(loadCtx)
	if err != nil {
		return nil, err
	}
	start()
	ended := make(chan struct{})
	go func() { r.loops.Wait(); close(ended) }()
	defer func() { <-ended; r.others.Wait() }()
	defer r.stop(cancel, ended)

	t := newTally(r.rec.kinds)
	if r.WarmUp > 0 {
		warm := time.NewTimer(r.WarmUp)
		defer warm.Stop()
		select {
		case <-loadCtx.Done():
			return nil, context.Cause(loadCtx)
		case <-ended:
			return nil, errors.New("the warm-up has left nothing to measure")
		case <-warm.C:
		}
		r.rec.take(t)
		t.reset()
	}
	run, err := r.account(loadCtx, ended, procs)
	if cause := context.Cause(loadCtx); cause != nil && ctx.Err() == nil {
		err = cause
	}
	return run, err
}

// account follows the measurement until its end.
func (r *run) account(ctx context.Context, ended <-chan struct{}, procs *processes) (*Run, error) {
	started, ownCPU := time.Now(), selfCPU()
	procs.begin()
	result := &Run{Scenario: r.Scenario, Group: r.Group, Label: r.Label, Workload: r.Workload, Servers: r.Servers, Started: started}
	kinds := r.rec.kinds
	total, slice := newTally(kinds), newTally(kinds)
	last := 0.0
	at := func() float64 { return time.Since(started).Seconds() }
	interval := func(now float64) {
		r.rec.take(slice)
		h := slice.all(kinds)
		l := latency(h, false)
		i := Interval{At: now, Seconds: now - last, Operations: l.Count, Errors: slice.errorCount(), P50: l.P50, P99: l.P99, Max: l.Max}
		total.add(slice)
		slice.reset()
		last = now
		result.Intervals = append(result.Intervals, i)
		if r.Progress != nil {
			r.Progress(i)
		}
	}

	ticks := time.NewTicker(r.Interval)
	defer ticks.Stop()
	var end <-chan time.Time
	if r.Workload.Name != Fill {
		timer := time.NewTimer(r.Duration)
		defer timer.Stop()
		end = timer.C
	}
	marks := r.Marks
	for running := true; running; {
		select {
		case <-ticks.C:
			// The last tick is the end's.
			if now := at(); end == nil || now < r.Duration.Seconds()-r.Interval.Seconds()/2 {
				interval(now)
				procs.sample()
			}
		case text, ok := <-marks:
			if !ok {
				marks = nil
				continue
			}
			result.Marks = append(result.Marks, Mark{At: at(), Text: text})
		case <-ended:
			running = false
		case <-ctx.Done():
			running = false
		case <-end:
			running = false
		}
	}
	interval(at())
	procs.sample()
	result.ClientCPU = (selfCPU() - ownCPU).Seconds()
	result.Processes = procs.results()

	result.Seconds = last
	h := total.all(kinds)
	result.Latency = latency(h, true)
	result.Operations = result.Latency.Count
	if last > 0 {
		result.Throughput = float64(result.Operations) / last
	}
	if len(kinds) > 1 {
		result.ByOperation = make(map[string]Latency)
		for k, spec := range kinds {
			if total.histograms[k].TotalCount() > 0 {
				result.ByOperation[spec.name] = latency(total.histograms[k], false)
			}
		}
	}
	if len(total.errors) > 0 {
		result.Errors = total.errors
	}
	return result, nil
}

// fail ends the run.
func (r *run) fail(err error) { r.cancel(err) }

// stop lets the load goroutines finish what is under way, and then ends them.
func (r *run) stop(cancel context.CancelCauseFunc, ended <-chan struct{}) {
	for _, c := range r.conns {
		c.stopping.Store(true)
	}
	cancel(nil)
	for _, c := range r.conns {
		c.ping() // its reply makes an idle loop look up
	}
	patience := time.NewTimer(drainPatience)
	defer patience.Stop()
	select {
	case <-ended:
		return
	case <-patience.C:
	}
	for _, c := range r.conns {
		c.sever()
	}
}

// hangUp closes all sessions.
func (r *run) hangUp() {
	r.each(func(c *conn) {
		r.keeper.drop(c)
		c.end(time.Second)
	})
}

// each calls f for all connections, some at a time.
func (r *run) each(f func(*conn)) {
	var wg sync.WaitGroup
	work := make(chan *conn)
	for range min(dialers, len(r.conns)) {
		wg.Go(func() {
			for c := range work {
				f(c)
			}
		})
	}
	for _, c := range r.conns {
		work <- c
	}
	close(work)
	wg.Wait()
}
