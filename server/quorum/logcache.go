package quorum

import (
	"sync"
	"time"
	"unsafe"

	"github.com/hashicorp/raft"
)

// logCache keeps the newest entries of a log store in memory, as raft.LogCache
// does, but bounded by their bytes: an entry here is anything up to a client's
// largest request, and four thousand of those would be gigabytes.
type logCache struct {
	raft.LogStore
	limit int
	// before and after, if set, are called around each write, in Raft's goroutine.
	before, after func(logs []*raft.Log)
	writes        *logWrites

	mu    sync.RWMutex
	logs  []raft.Log // consecutive, oldest at first
	first int        // logs[:first] is gone
	bytes int
}

// logOverhead is what a cached entry takes beside its data: a raft.Log, in an
// array that may be half empty. A pointer would not do: the leader's entries
// are parts of Raft's futures, and would keep those alive.
const logOverhead = 2 * int(unsafe.Sizeof(raft.Log{}))

func cost(l *raft.Log) int { return len(l.Data) + len(l.Extensions) + logOverhead }

// logCacheBytes is enough for a follower that lags by a moment, at full load.
const logCacheBytes = 32 << 20

func newLogCache(store raft.LogStore, limit int) *logCache {
	return &logCache{LogStore: store, limit: limit, writes: new(logWrites)}
}

// IsMonotonic implements raft.MonotonicLogStore. Raft then drops the whole log when
// it has restored a leader's snapshot. A store that may have a gap needs no less:
// what Raft would keep before it may not be the ensemble's, and a later leader would
// send it to others.
func (c *logCache) IsMonotonic() bool { return true }

// GetLog implements raft.LogStore.
func (c *logCache) GetLog(index uint64, log *raft.Log) error {
	c.mu.RLock()
	live := c.logs[c.first:]
	if len(live) > 0 && index >= live[0].Index && index-live[0].Index < uint64(len(live)) {
		*log = live[index-live[0].Index]
		c.mu.RUnlock()
		return nil
	}
	c.mu.RUnlock()
	return c.LogStore.GetLog(index, log)
}

// StoreLog implements raft.LogStore.
func (c *logCache) StoreLog(log *raft.Log) error { return c.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore. What is cached is on the disk.
func (c *logCache) StoreLogs(logs []*raft.Log) error {
	if c.before != nil {
		c.before(logs)
	}
	began := time.Now()
	if err := c.LogStore.StoreLogs(logs); err != nil {
		return err
	}
	if len(logs) > 0 {
		c.writes.note(logs[0].Index, logs[len(logs)-1].Index, began, time.Now())
	}
	c.add(logs)
	if c.after != nil {
		c.after(logs)
	}
	return nil
}

func (c *logCache) add(logs []*raft.Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		if n := len(c.logs); n > c.first && l.Index != c.logs[n-1].Index+1 {
			c.dropLocked()
		}
		c.logs = append(c.logs, *l)
		c.bytes += cost(l)
	}
	for c.bytes > c.limit && c.first < len(c.logs) {
		c.popLocked()
	}
	c.packLocked()
}

// DeleteRange implements raft.LogStore. What is behind the range stays cached: Raft
// compacts up to there, and the newest entries are read under Node.mu.
func (c *logCache) DeleteRange(low, high uint64) error {
	c.mu.Lock()
	if c.first < len(c.logs) && low > c.logs[c.first].Index {
		c.dropLocked() // for another leader's entries, which come at once
	}
	for c.first < len(c.logs) && c.logs[c.first].Index <= high {
		c.popLocked()
	}
	c.packLocked()
	c.mu.Unlock()
	return c.LogStore.DeleteRange(low, high)
}

func (c *logCache) dropLocked() { c.logs, c.first, c.bytes = nil, 0, 0 }

// popLocked drops the oldest entry.
func (c *logCache) popLocked() {
	c.bytes -= cost(&c.logs[c.first])
	c.logs[c.first] = raft.Log{}
	c.first++
}

// packLocked gives up the place of what is gone.
func (c *logCache) packLocked() {
	if c.first > len(c.logs)/2 {
		n := copy(c.logs, c.logs[c.first:])
		clear(c.logs[n:])
		c.logs, c.first = c.logs[:n], 0
	}
}
