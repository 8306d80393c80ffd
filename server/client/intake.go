package client

import (
	"sync"
	"sync/atomic"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// intake holds requests back before they begin: while too many are under way, in
// the order in which they asked, and refuses those that have waited too long
// (ZooKeeper's RequestThrottler). There is none unless it is configured, and then
// each request passes it alone.
//
// A connection that waits here is not read, so what it has sent behind waits in
// its socket, and has not arrived yet.
type intake struct {
	cfg   RequestThrottle
	letIn atomic.Int64 // requests let in and not yet in a pipeline

	mu      sync.Mutex
	waiting []*conn
}

// newIntake returns nil if no request is to be held back.
func newIntake(cfg RequestThrottle) *intake {
	if cfg.MaxRequests <= 0 && cfg.OpWaitTime <= 0 {
		return nil
	}
	return &intake{cfg: cfg}
}

// held begins a request when its time has come. It reports whether to go on
// reading.
func (c *conn) held(it item, d *protocol.Decoder) bool {
	t := c.srv.intake
	if t.cfg.MaxRequests > 0 {
		if !t.enter(c, &it) {
			return false
		}
		defer t.begun()
	}
	late := t.cfg.OpWaitTime > 0 && c.srv.now()-it.at > int64(t.cfg.OpWaitTime)
	if late && throttlable(it.op) {
		c.srv.cfg.Metrics.ThrottledOps.Inc()
		return c.refuse(it, protocol.ErrThrottledOp)
	}
	return c.begin(it, d)
}

// throttlable says whether an operation may be answered with ErrThrottledOp. One
// that is unknown has an answer of its own.
func throttlable(op protocol.OpCode) bool {
	switch op {
	case protocol.OpPing, protocol.OpCloseSession:
		return false
	case protocol.OpSync:
		return true
	}
	return fsm.Readable(op) || fsm.Writable(op)
}

// enter waits until the request may begin; false if its connection has ended, or
// is ended here because nobody waits for the answer any more. begun must follow.
func (t *intake) enter(c *conn, it *item) bool {
	t.mu.Lock()
	t.waiting = append(t.waiting, c)
	t.mu.Unlock()

	var tick *time.Timer
	stale := false
	ok := c.wait(func() bool {
		if t.cfg.DropStale && t.stale(c, it) {
			stale = true
			return true
		}
		if t.first() == c && c.srv.outstanding.Load()+t.letIn.Load() < int64(t.cfg.MaxRequests) {
			return true
		}
		if tick == nil { // waiting: look again now and then
			c.srv.cfg.Metrics.RequestThrottleWaits.Inc()
			tick = time.AfterFunc(t.cfg.StallTime, func() { c.nudge() })
		} else {
			tick.Reset(t.cfg.StallTime)
		}
		return false
	})
	if tick != nil {
		tick.Stop()
	}
	t.letIn.Add(1) // before the next looks
	t.leave(c)
	if ok && !stale {
		c.srv.cfg.Metrics.ThrottleQueueTime.Time(time.Duration(c.srv.now() - it.at))
		return true
	}
	if stale {
		c.kill(causeStale)
	}
	t.begun()
	return false
}

// begun notes that a request that was let in is under way, or over.
func (t *intake) begun() {
	t.letIn.Add(-1)
	t.wake()
}

// stale says whether the request is for nobody any more.
func (t *intake) stale(c *conn, it *item) bool {
	switch {
	case it.op == protocol.OpCloseSession:
		return false
	case t.cfg.StaleConnection && hungUp(c.sock):
		return true
	}
	return t.cfg.StaleLatency && c.srv.now()-it.at > int64(c.timeout)
}

func (t *intake) first() *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting[0] // the caller waits, if no other does
}

func (t *intake) leave(c *conn) {
	t.mu.Lock()
	for i, w := range t.waiting {
		if w == c {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			break
		}
	}
	t.mu.Unlock()
	t.wake()
}

// wake makes the first that waits look again. It does not block, and may be
// called under the state lock and conn.mu.
func (t *intake) wake() {
	t.mu.Lock()
	if len(t.waiting) > 0 {
		t.waiting[0].nudge()
	}
	t.mu.Unlock()
}
