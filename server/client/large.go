package client

import (
	"fmt"
	"sync/atomic"
)

// largeRequests is the budget in bytes of requests above a size: what they may add
// up to while they are under way. Each connection knows its own share, which goes
// back at the latest when it ends.
type largeRequests struct {
	threshold int // 0: no request is large
	max       int64
	held      atomic.Int64
}

func (l *largeRequests) init(cfg *Limits) {
	l.threshold, l.max = max(cfg.LargeRequestThreshold, 0), int64(cfg.LargeRequestMaxBytes)
}

// is says whether a frame of n bytes counts.
func (l *largeRequests) is(n int) bool { return l.threshold > 0 && n > l.threshold }

// affords ends the connection if a frame of n bytes, which may still be coming in,
// is beyond the budget already.
func (c *conn) affords(n int) bool {
	l := &c.srv.large
	if !l.is(n) || l.held.Load()+int64(n) <= l.max {
		return true
	}
	c.refuseLarge()
	return false
}

// charge takes a request of n bytes from the budget, or ends the connection.
func (c *conn) charge(it *item, n int) bool {
	l := &c.srv.large
	if !l.is(n) {
		return true
	}
	if l.held.Add(int64(n)) > l.max {
		l.held.Add(int64(-n))
		c.refuseLarge()
		return false
	}
	c.large.Add(int64(n))
	it.large = int32(n)
	return true
}

// discharge gives back what it took. Pings and the like have taken nothing.
func (c *conn) discharge(it *item) {
	if it.large != 0 {
		c.large.Add(int64(-it.large))
		c.srv.large.held.Add(int64(-it.large))
	}
}

// dischargeAll gives back what a connection that has ended holds still.
func (c *conn) dischargeAll() {
	if n := c.large.Swap(0); n != 0 {
		c.srv.large.held.Add(-n)
	}
}

func (c *conn) refuseLarge() {
	s := c.srv
	if s.mayWarn(warnLarge) {
		s.log.Warn(fmt.Sprintf("Rejecting large request from %s: large requests (more than %d bytes) may hold %d bytes in all",
			c.name(), s.large.threshold, s.large.max))
	}
	c.kill(causeLarge)
}
