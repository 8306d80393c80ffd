package bench

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// The workloads.
const (
	Get        = "get"
	Exists     = "exists"
	Set        = "set"
	Create     = "create"
	Delete     = "delete"
	Children   = "children"
	Mixed      = "mixed"
	Ephemeral  = "ephemeral"
	Sequential = "sequential"
	Multi      = "multi"
	Sync       = "sync"
	Connect    = "connect"
	Watch      = "watch"
	Idle       = "idle"
	Fill       = "fill"
)

// What one run may ask for at most: enough for any server on one machine, and
// far from what this process could not hold.
const (
	maxConnections = 50_000
	maxWindow      = 10_000
	maxSize        = 1 << 20
	maxKeys        = 100_000_000 // eight digits
	maxBatch       = 10_000
	maxWatches     = 10_000_000
)

// Config says what Execute does. A zero value stands for the default that
// WithDefaults names.
type Config struct {
	Workload Workload

	// Servers are host:port; connections are spread over them round robin.
	Servers []string

	// Duration is how long to measure, after WarmUp, which does the same and
	// does not count. delete and fill have no warm-up: delete ends earlier when
	// nothing is left of the keys that the set-up has made, and fill when all is
	// there, whatever the duration.
	Duration, WarmUp time.Duration
	Interval         time.Duration // length of an Interval

	Path           string // parent of the run's own root znode; made if missing
	SessionTimeout time.Duration
	Keep           bool // leave the run's znodes behind

	PIDs []int // server processes whose processor time and memory to account
	Seed uint64

	// Reconnect makes a lost connection a counted error: the session goes on at
	// the next server, or a new one when it has expired. Without it the run
	// fails.
	Reconnect bool

	Marks    <-chan string  // what the caller does to the servers meanwhile; may be nil
	Progress func(Interval) // called from one goroutine at each interval's end; may be nil

	Label, Group, Scenario string // go into the Run
}

// WithDefaults returns c with its zero values filled: one connection with a
// window of 1, 1,000 keys, 10 operations in a multi, 10 children; 10 seconds in
// intervals of one; path /bench and a session timeout of 30 seconds.
func (c Config) WithDefaults() Config {
	w := &c.Workload
	w.Connections = either(w.Connections, 1)
	w.Window = either(w.Window, 1)
	w.Keys = either(w.Keys, 1000)
	w.Batch = either(w.Batch, 10)
	w.Children = either(w.Children, 10)
	c.Duration = either(c.Duration, 10*time.Second)
	c.Interval = either(c.Interval, time.Second)
	c.Path = either(c.Path, "/bench")
	c.SessionTimeout = either(c.SessionTimeout, 30*time.Second)
	return c.ForWorkload()
}

// ForWorkload returns c with zero for what its workload has no use for.
func (c Config) ForWorkload() Config {
	w := &c.Workload
	batch, children, share := w.Batch, w.Children, w.ReadShare
	w.Batch, w.Children, w.ReadShare, w.Watches = 0, 0, 0, 0
	switch w.Name {
	case Multi:
		w.Batch = batch
	case Children:
		w.Children = children
	case Mixed:
		w.ReadShare = share
	case Watch:
		w.Watches = w.Connections * w.Keys
	case Delete, Fill:
		c.WarmUp = 0 // it would use up what there is to do
	}
	return c
}

func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Validate returns all faults at once, or nil. Defaults must have been filled
// in.
func (c *Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	within := func(name string, v, low, high int) {
		fault(v < low || v > high, "%s: got %d, want %d to %d", name, v, low, high)
	}
	w := &c.Workload
	fault(!slices.Contains(Workloads(), w.Name), "workload: got %q, want one of %s", w.Name, strings.Join(Workloads(), ", "))
	within("connections", w.Connections, 1, maxConnections)
	within("window", w.Window, 1, maxWindow)
	within("size", w.Size, 0, maxSize)
	within("keys", w.Keys, 1, maxKeys)
	fault(!(w.Hot >= 0 && w.Hot <= 10), "hot: got %v, want 0 (uniform) to 10", w.Hot)
	fault(!(w.ReadShare >= 0 && w.ReadShare <= 1), "read share: got %v, want 0 to 1", w.ReadShare)
	fault(!(w.Rate >= 0 && w.Rate <= 1e7), "rate: got %v, want 0 (as fast as replies come) to 10 million", w.Rate)
	if w.Name == Multi {
		within("batch", w.Batch, 1, maxBatch)
		fault(w.Batch*(w.Size+100) > maxSize, "batch: %d operations of %d bytes do not fit into one request", w.Batch, w.Size)
	}
	if w.Name == Children {
		within("children", w.Children, 1, 100_000)
	}
	if w.Name == Watch {
		fault(w.Watches > maxWatches, "watches: %d connections on %d keys are %d, want %d at most", w.Connections, w.Keys, w.Watches, maxWatches)
	}
	if slices.Contains([]string{Watch, Fill, Idle, Connect}, w.Name) {
		fault(w.Rate != 0, "rate: %s has none", w.Name)
	}
	if slices.Contains([]string{Watch, Fill, Delete}, w.Name) {
		fault(c.Reconnect, "reconnect: %s cannot tell what a lost connection has left undone", w.Name)
	}

	fault(len(c.Servers) == 0, "servers: none given")
	for _, s := range c.Servers {
		_, _, err := net.SplitHostPort(s)
		fault(err != nil, "servers: %q is not host:port", s)
	}
	fault(c.Duration <= 0, "duration: got %v, want more than 0", c.Duration)
	fault(c.WarmUp < 0, "warm-up: got %v, want 0 or more", c.WarmUp)
	fault(c.Interval < 10*time.Millisecond, "interval: got %v, want 10ms or more", c.Interval)
	fault(c.SessionTimeout < 100*time.Millisecond || c.SessionTimeout > 24*time.Hour,
		"session timeout: got %v, want 100ms to 24h", c.SessionTimeout)
	bad := !strings.HasPrefix(c.Path, "/") || strings.HasSuffix(c.Path, "/") || strings.Contains(c.Path, "//") ||
		strings.ContainsRune(c.Path, 0) || len(c.Path) > 1000
	fault(bad, "path: got %q, want an absolute path below /", c.Path)
	for _, pid := range c.PIDs {
		fault(pid <= 0, "pid: got %d", pid)
	}
	return errors.Join(faults...)
}
