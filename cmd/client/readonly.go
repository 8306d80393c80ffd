package client

import (
	"context"
	"io"
	"time"
)

// Pauses of the search for a server that has a quorum, as in ClientCnxn.
const (
	minSearchPause = 100 * time.Millisecond
	maxSearchPause = time.Minute
	isroPatience   = time.Second
)

// search asks the servers of the list, by the word isro, until one has a quorum,
// which is then asked for the session next. It returns false if ctx ends first.
func (c *Client) search(ctx context.Context, current string) bool {
	for pause := minSearchPause; ; pause = min(2*pause, maxSearchPause) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		for _, name := range c.addrs {
			found, _ := c.targets(ctx, name, current)
			for _, t := range found {
				// The current one ends the connection by itself once it has a quorum.
				if t.addr != current && c.writable(ctx, t) {
					c.mu.Lock()
					c.better = t
					c.mu.Unlock()
					return true
				}
			}
		}
	}
}

func (c *Client) writable(ctx context.Context, t target) bool {
	ctx, cancel := context.WithTimeout(ctx, isroPatience)
	defer cancel()
	nc, err := c.dial(ctx, t)
	if err != nil {
		return false
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if _, err := io.WriteString(nc, "isro"); err != nil {
		return false
	}
	answer, _ := io.ReadAll(io.LimitReader(nc, 16))
	return string(answer) == "rw"
}

// takeBetter returns, once, the server that a search has found.
func (c *Client) takeBetter() target {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.better
	c.better = target{}
	return t
}
