package bench

import (
	"context"
	"sync"
	"time"
)

// pace is a connection's part of a schedule that is regular over all
// connections: each has the next request in turn.
type pace struct {
	start  int64   // ns of the run's clock
	period float64 // ns between two requests of the run
	index  int     // of the connection
	of     int     // how many connections there are
	sent   int     // by this connection
	wake   chan struct{}
}

// due is when the connection's next request has to go out.
func (p *pace) due() int64 { return p.start + int64(float64(p.sent*p.of+p.index)*p.period) }

// startPacing makes the run's connections send by the schedule. One goroutine
// watches the clock and writes; where it might have to wait, it wakes a sender
// of the connection, so that a server that does not read holds up no requests
// for others. What found no room in the window goes out when a reply makes room.
func (r *run) startPacing(ctx context.Context) {
	period := 1e9 / r.Workload.Rate
	start := r.clock.now()
	for i, c := range r.conns {
		p := &pace{start: start, period: period, index: i, of: len(r.conns), wake: make(chan struct{}, 1)}
		c.pace, c.gate, c.lasting = p, new(sync.Mutex), true
		r.others.Go(func() {
			for range p.wake {
				c.gate.Lock()
				err := c.send()
				c.gate.Unlock()
				if err != nil {
					c.sever() // the reader accounts for it
				}
			}
		})
	}
	r.others.Go(func() { r.watchClock(ctx, start, period) })
}

func (r *run) watchClock(ctx context.Context, start int64, period float64) {
	defer func() {
		for _, c := range r.conns {
			close(c.pace.wake)
		}
	}()
	alarm := newAlarm()
	defer alarm.close()
	stop := context.AfterFunc(ctx, alarm.cancel)
	defer stop()
	for n := 0; ; n++ {
		due := start + int64(float64(n)*period)
		for {
			left := due - r.clock.now()
			if left <= 0 {
				break
			}
			if !alarm.wait(time.Duration(left)) {
				return
			}
		}
		if n&0xff == 0 && ctx.Err() != nil { // it may never have to wait
			return
		}
		r.conns[n%len(r.conns)].remind()
	}
}

// safeBytes under way on a connection are certain to find room in its sockets.
const safeBytes = 32 << 10

// remind sends what is due.
func (c *conn) remind() {
	// Waking another goroutine costs several times what a request does.
	if c.gate.TryLock() {
		var err error
		safe := (c.under+1)*max(len(c.out), minReadBytes) < safeBytes
		if safe {
			err = c.send()
		}
		c.gate.Unlock()
		if safe {
			if err != nil {
				c.sever() // the reader accounts for it
			}
			return
		}
	}
	select {
	case c.pace.wake <- struct{}{}:
	default: // woken and not there yet
	}
}
