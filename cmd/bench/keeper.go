package bench

import (
	"sync"
	"time"
)

// keeper keeps the sessions of all connections alive: it pings those that have
// been idle, and closes those whose server has been silent for so long that a
// client would look for another one (two thirds of the session timeout).
type keeper struct {
	clock clock

	mu    sync.Mutex
	conns map[*conn]struct{}

	stop chan struct{}
	done chan struct{}
}

func newKeeper(cl clock, timeout time.Duration) *keeper {
	k := &keeper{clock: cl, conns: make(map[*conn]struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	go k.loop(min(max(timeout/12, time.Millisecond), time.Second))
	return k
}

// close ends the keeper; the connections stay as they are.
func (k *keeper) close() {
	close(k.stop)
	<-k.done
}

func (k *keeper) add(c *conn) {
	k.mu.Lock()
	k.conns[c] = struct{}{}
	k.mu.Unlock()
}

func (k *keeper) drop(c *conn) {
	k.mu.Lock()
	delete(k.conns, c)
	k.mu.Unlock()
}

func (k *keeper) loop(every time.Duration) {
	defer close(k.done)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var conns []*conn
	for {
		select {
		case <-k.stop:
			return
		case <-ticks.C:
		}
		conns = conns[:0]
		k.mu.Lock()
		for c := range k.conns {
			conns = append(conns, c)
		}
		k.mu.Unlock()
		now := k.clock.now()
		for _, c := range conns {
			timeout := c.granted.Load()
			switch {
			case c.reading.Load() && now-c.heard.Load() > timeout*2/3:
				c.sever()
			case now-c.wrote.Load() > timeout/4:
				c.ping()
			}
		}
	}
}

// ping sends a ping. For any goroutine.
func (c *conn) ping() {
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	before := c.wrote.Load()
	if nc == nil || before == inWrite {
		return // what is being written does as well
	}
	c.pinged.Store(c.clock.now())
	// A ping is short enough to find room, and an error shows at the reader.
	if _, err := nc.Write(pingFrame); err == nil {
		c.wrote.CompareAndSwap(before, c.clock.now())
	}
}

// sever closes the connection, which ends loop with an error. For any goroutine.
func (c *conn) sever() {
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	if nc != nil {
		nc.Close()
	}
}
