package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// leastHeadroom is what may be allocated between two collections, at least: a
	// server under full load collects some ten times a second.
	leastHeadroom = 32 << 20
	// One headroomShare-th of what is live is the headroom, if that is more, so
	// that the work of collecting stays in proportion to that of allocating.
	headroomShare = 5
	// smallHeap is the least that the headroom is counted from, for the runtime
	// has a minimum of its own that grows with the percentage.
	smallHeap = 8 << 20

	// A server that has allocated less than quietBytes in quietPeriod is at rest.
	// If it has allocated burstBytes or more since memory last went back to the
	// system, it is time again.
	quietPeriod = 5 * time.Second
	quietBytes  = 4 << 20
	burstBytes  = 16 << 20
)

// Pace sets the collector's percentage after each collection, so that the
// headroom is leastHeadroom or a part of what is live, and returns memory to the
// system when the process is at rest.
type Pace struct {
	log     hclog.Logger
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
	restore int

	mu     sync.Mutex // guards what follows; SetGCPercent is called under it
	closed bool
	set    int // the percentage in force
}

// Start sets the pace until Close. With GOGC in the environment it does nothing:
// the operator has chosen. There must be no more than one at a time.
func Start(log hclog.Logger) *Pace {
	p := &Pace{log: log, stop: make(chan struct{}), done: make(chan struct{})}
	if os.Getenv("GOGC") != "" {
		p.closed = true
		close(p.done)
		return p
	}
	p.set = percent(0)
	p.restore = debug.SetGCPercent(p.set)
	p.watch()
	go p.run()
	return p
}

// Close sets the percentage that was in force before. It may be called twice.
func (p *Pace) Close() {
	p.once.Do(func() {
		close(p.stop)
		<-p.done
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.closed {
			p.closed = true
			debug.SetGCPercent(p.restore)
		}
	})
}

// percent is the percentage that gives a heap with that many live bytes its
// headroom.
func percent(live uint64) int {
	live = max(live, smallHeap)
	return int(max(leastHeadroom, live/headroomShare) * 100 / live)
}

// cycle is what the next collection finds dead. It has a pointer, for the
// runtime may put small objects without one into the same block as others, and
// keep them as long.
type cycle struct{ *Pace }

// watch has collected called after the next collection.
func (p *Pace) watch() { runtime.AddCleanup(&cycle{p}, (*Pace).collected, p) }

// collected runs on a goroutine of the runtime's after each collection.
func (p *Pace) collected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	// SetGCPercent stops the world for a moment: not for a small difference.
	if want := percent(read("/gc/heap/live:bytes")); want*16 > p.set*17 || want*17 < p.set*16 {
		p.set = want
		debug.SetGCPercent(want)
	}
	p.watch()
}

// run gives memory back when the process is at rest, until Close.
func (p *Pace) run() {
	defer close(p.done)
	tick := time.NewTicker(quietPeriod)
	defer tick.Stop()
	var r rest
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			r.look(p.log)
		}
	}
}

// rest knows how much had been allocated, ever and in bytes, at two moments.
type rest struct {
	looked uint64 // at the last look
	freed  uint64 // when memory last went back
}

// look gives memory back after a burst, once it is over.
func (r *rest) look(log hclog.Logger) {
	now := read("/gc/heap/allocs:bytes")
	quiet := now-r.looked < quietBytes
	r.looked = now
	if !quiet || now-r.freed < burstBytes {
		return
	}
	r.freed = now
	start, before := time.Now(), read("/memory/classes/heap/released:bytes")
	debug.FreeOSMemory()
	log.Debug("gave memory back", "bytes", int64(read("/memory/classes/heap/released:bytes")-before), "duration", time.Since(start))
}

// read reads one of the runtime's metrics.
func read(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
