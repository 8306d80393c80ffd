package store

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

const (
	// deleteChunk is how many entries one bbolt transaction deletes. More in one
	// would hold up the leader's writes, which wait for the transaction.
	deleteChunk = 2000
	// maxBatchBytes bounds one write. raft-wal counts a segment's bytes in 32
	// bits and keeps a buffer as large as the largest write there was.
	maxBatchBytes = 16 << 20
)

// innerLog is what logStore wraps.
type innerLog interface {
	raft.LogStore
	io.Closer
	// settle returns when nothing runs in the background that a deletion could
	// disturb, with the error of what ran there.
	settle() error
	// runStart is the index from which on the log had no gap when it was opened.
	runStart() (uint64, error)
}

// logStore is the log that the owner of the stores wraps for raft.
type logStore struct {
	inner   innerLog
	noGaps  bool // raft-wal takes none
	watch   *watch
	failure failure

	// mu is read-locked by every call and locked by close.
	mu     sync.RWMutex
	closed bool
}

func openLog(cfg Config, path string, w *watch, v visitor) (*logStore, error) {
	s := &logStore{watch: w, noGaps: cfg.Kind == KindWAL}
	var err error
	if cfg.Kind == KindWAL {
		s.inner, err = openWAL(path, cfg, v)
	} else {
		s.inner, err = openBoltLog(path, v)
	}
	if err != nil {
		return nil, err
	}
	w.logSize = func() int64 { return treeBytes(path) }
	return s, nil
}

func (s *logStore) enter() error {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

func (s *logStore) leave() { s.mu.RUnlock() }

// FirstIndex implements raft.LogStore.
func (s *logStore) FirstIndex() (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.inner.FirstIndex()
}

// LastIndex implements raft.LogStore.
func (s *logStore) LastIndex() (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.inner.LastIndex()
}

// GetLog implements raft.LogStore. Errors wrap ErrCorrupt if what is there is
// not what was written, and are raft.ErrLogNotFound itself if nothing is there.
func (s *logStore) GetLog(index uint64, l *raft.Log) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.inner.GetLog(index, l); err != nil {
		if errors.Is(err, raft.ErrLogNotFound) {
			return raft.ErrLogNotFound
		}
		return fmt.Errorf("log entry %d: %w", index, err)
	}
	if l.Index != index {
		return fmt.Errorf("%w: log entry %d stands in the place of %d", ErrCorrupt, l.Index, index)
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore and returns when the entries are durable.
// Entries that cannot be stored as they are (too large, or not consecutive in a
// store without gaps) are refused before anything is written. After any other
// error no write succeeds any more.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if len(logs) == 0 {
		return nil
	}
	if err := s.failure.get(); err != nil {
		return err
	}
	if err := s.admit(logs); err != nil {
		return err
	}
	s.watch.cfg.Metrics.LogQueued.Add(int64(len(logs)))
	for len(logs) > 0 {
		n, size := 0, 0
		for n < len(logs) && (n == 0 || size+entryLen(logs[n]) <= maxBatchBytes) {
			size += entryLen(logs[n])
			n++
		}
		if err := s.watch.do(writeLog, func() error { return s.inner.StoreLogs(logs[:n]) }); err != nil {
			return s.failure.set(s.watch.cfg, fmt.Errorf("write log: %w", err))
		}
		logs = logs[n:]
	}
	return nil
}

func (s *logStore) admit(logs []*raft.Log) error {
	next := logs[0].Index
	if s.noGaps {
		last, err := s.inner.LastIndex()
		if err != nil {
			return err
		}
		if last > 0 {
			next = last + 1
		}
	}
	for _, l := range logs {
		if entryLen(l) > MaxEntryBytes {
			return fmt.Errorf("log entry %d has %d bytes, more than %d", l.Index, entryLen(l), MaxEntryBytes)
		}
		if s.noGaps && l.Index != next {
			return fmt.Errorf("log entry %d does not follow %d", l.Index, next-1)
		}
		next++
	}
	return nil
}

// DeleteRange implements raft.LogStore. The entries go in chunks, from the end
// of the log that the range touches, so that an interruption leaves no hole. All of
// them go from the last one on: the next start must see which entry the log has where
// the snapshot ends that replaces it.
func (s *logStore) DeleteRange(lo, hi uint64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.failure.get(); err != nil {
		return err
	}
	first, last, err := s.boundsLocked()
	if err != nil || last == 0 {
		return err
	}
	suffix := hi >= last
	lo, hi = max(lo, first), min(hi, last)
	if lo > hi {
		return nil
	}
	chunk := uint64(deleteChunk)
	if s.noGaps {
		chunk = math.MaxUint64 // raft-wal drops whole files and a table entry
	}
	if err := s.inner.settle(); err != nil {
		return s.failure.set(s.watch.cfg, err)
	}
	for lo <= hi {
		a, b := lo, hi
		if hi-lo >= chunk {
			if suffix {
				a = hi - chunk + 1
			} else {
				b = lo + chunk - 1
			}
		}
		if err := s.watch.do(deleteLog, func() error { return s.inner.DeleteRange(a, b) }); err != nil {
			return s.failure.set(s.watch.cfg, fmt.Errorf("delete log entries %d to %d: %w", a, b, err))
		}
		if suffix {
			hi = a - 1
		} else {
			lo = b + 1
		}
	}
	return nil
}

// failure is the first write of a store that failed. What a failed fsync left on disk
// cannot be known without reading it anew, so going on would be guessing.
type failure struct{ err atomic.Pointer[error] }

func (f *failure) get() error {
	if p := f.err.Load(); p != nil {
		return *p
	}
	return nil
}

// set returns the failure that counts, and tells of it if that is err.
func (f *failure) set(cfg Config, err error) error {
	if !f.err.CompareAndSwap(nil, &err) {
		return f.get()
	}
	cfg.Log.Error("store failed, nothing more is written to it", "error", err)
	if cfg.OnFail != nil {
		cfg.OnFail(err)
	}
	return err
}

func (s *logStore) bounds() (first, last uint64, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, err
	}
	defer s.leave()
	return s.boundsLocked()
}

func (s *logStore) boundsLocked() (first, last uint64, err error) {
	if first, err = s.inner.FirstIndex(); err != nil {
		return 0, 0, err
	}
	last, err = s.inner.LastIndex()
	return first, last, err
}

func (s *logStore) termAt(index uint64) (uint64, error) {
	var l raft.Log
	err := s.GetLog(index, &l)
	return l.Term, err
}

func (s *logStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.inner.Close()
}
