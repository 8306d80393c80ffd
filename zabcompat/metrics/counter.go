package metrics

import "sync/atomic"

// Counter counts events. The zero Counter is ready; any goroutine may use it.
type Counter struct{ n atomic.Int64 }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n, which should not be negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Value is the count.
func (c *Counter) Value() int64 { return c.n.Load() }

// reset begins anew, as the word srst does with ZooKeeper's.
func (c *Counter) reset() { c.n.Store(0) }
