package client

import (
	"math"
	"math/rand/v2"
	"sync"

	"zooraft/protocol"
)

// bucket is the throttle of new connections: each takes tokens out, which come
// back with time. While it runs empty the share of connections that is refused by
// chance grows, so that clients are turned away before there is nothing left for
// any of them (ZooKeeper's BlueThrottle, after W. Feng et al., "BLUE: A New Class
// of Active Queue Management Algorithms", 1999).
type bucket struct {
	cfg      ConnectThrottle
	capacity int64 // tokens
	fill     int64 // tokens per FillTime
	random   func() float64

	mu     sync.Mutex
	tokens int64
	filled int64   // when tokens last came back, ns
	drop   float64 // share of connections refused by chance
	frozen int64   // when drop last changed, or might have, ns
}

// newBucket returns nil if there is no throttle. REQUIRES: FillTime > 0.
func newBucket(cfg ConnectThrottle) *bucket {
	if cfg.Tokens <= 0 {
		return nil
	}
	b := &bucket{cfg: cfg, capacity: int64(cfg.Tokens), fill: int64(cfg.FillCount), random: rand.Float64}
	if cfg.Weighted {
		b.capacity *= int64(cfg.GlobalWeight)
		b.fill *= int64(cfg.GlobalWeight)
	}
	b.tokens = b.capacity
	return b
}

// weight is what a session costs.
func (b *bucket) weight(session protocol.SessionID, local bool) int64 {
	switch {
	case !b.cfg.Weighted:
		return 1
	case session != 0:
		return int64(b.cfg.RenewWeight)
	case local:
		return int64(b.cfg.LocalWeight)
	}
	return int64(b.cfg.GlobalWeight)
}

// take takes n tokens out, now being in ns, and reports whether they were there
// and chance was kind. What is refused costs nothing.
func (b *bucket) take(n, now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if elapsed := now - b.filled; elapsed > int64(b.cfg.FillTime) {
		// In floating point, for the product may not fit otherwise.
		back := math.Floor(float64(elapsed) / float64(b.cfg.FillTime) * float64(b.fill))
		b.tokens += int64(min(back, float64(b.capacity-b.tokens)))
		b.filled = now
	}
	if b.cfg.FreezeTime >= 0 && !b.kindLocked(now) {
		return false
	}
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// deficit is how many tokens are out.
func (b *bucket) deficit() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.capacity - b.tokens
}

// dropping is the share of connections that is refused by chance.
func (b *bucket) dropping() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.drop
}

// kindLocked adjusts the share that is refused by chance, and casts the die.
func (b *bucket) kindLocked(now int64) bool {
	if now-b.frozen > int64(b.cfg.FreezeTime) {
		out := b.capacity - b.tokens
		switch {
		case out == b.capacity:
			b.drop = min(b.drop+b.cfg.DropIncrease, 1)
		case float64(out) <= math.Round(float64(b.capacity)*b.cfg.DecreaseRatio):
			b.drop = max(b.drop-b.cfg.DropDecrease, 0)
		}
		b.frozen = now
	}
	return b.random() >= b.drop
}

// affordable asks the throttle of new connections, if there is one, whether a
// session may be opened or renewed, and ends the connection if not.
func (c *conn) affordable(session protocol.SessionID) bool {
	s := c.srv
	if s.connects == nil {
		s.cfg.Metrics.TokenDeficit.Observe(0) // as there, where nothing is lacking without a throttle
		return true
	}
	if s.connects.take(s.connects.weight(session, s.cfg.LocalSessions), s.now()) {
		s.cfg.Metrics.TokenDeficit.Observe(s.connects.deficit())
		return true
	}
	if s.mayWarn(warnThrottle) {
		s.log.Warn("Connection throttle rejected connection", "client", c.name(), "session", session.String())
	}
	c.kill(causeThrottled)
	return false
}
