package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

func boltOptions() *bbolt.Options {
	return &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}
}

// makeBolt makes a raft-boltdb file, if there is none, in one step, so that a crash
// leaves a whole one or none.
func makeBolt(path string) error {
	if there, err := exists(path); there || err != nil {
		return err
	}
	tmp := path + tmpSuffix
	if err := removeIfThere(tmp); err != nil {
		return err
	}
	b, err := raftboltdb.New(raftboltdb.Options{Path: tmp, BoltOptions: boltOptions()})
	if err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// boltLog keeps the entries as entryCodec writes them, in the data of the
// entries that raft-boltdb stores: bbolt has no checksum over its pages.
type boltLog struct {
	*raftboltdb.BoltStore
	run uint64 // see runStart
}

// openBoltLog verifies the file on a view of its own: raft-boltdb writes to what it
// opens, and a file that is refused stays as it was found.
func openBoltLog(path string, v visitor) (*boltLog, error) {
	if err := makeBolt(path); err != nil {
		return nil, err
	}
	if err := checkBolt(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	reading := boltOptions()
	reading.ReadOnly = true
	view, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: reading})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l := &boltLog{BoltStore: view}
	if err := errors.Join(l.verify(path, v), view.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if l.BoltStore, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions()}); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return l, nil
}

// verify reads all entries. Gaps are raft's to judge: it leaves one behind a
// snapshot from the leader.
func (l *boltLog) verify(path string, v visitor) error {
	var last uint64
	return walkBolt(path, func(bucket string, key, value []byte, offset int64) error {
		if bucket != "logs" {
			return nil
		}
		var e raft.Log
		var index uint64
		if len(key) == 8 {
			index = binary.BigEndian.Uint64(key)
		}
		if err := l.GetLog(index, &e); err != nil {
			return fmt.Errorf("offset %d: log entry %d: %w", offset, index, err)
		}
		if e.Index != index {
			return fmt.Errorf("offset %d: %w: log entry %d stands in the place of %d", offset, ErrCorrupt, e.Index, index)
		}
		if last == 0 || index != last+1 {
			l.run = index
		}
		last = index
		if v.wants(index) {
			v.f(&e)
		}
		v.read()
		return nil
	})
}

func (l *boltLog) settle() error { return nil }

func (l *boltLog) runStart() (uint64, error) { return l.run, nil }

// StoreLog implements raft.LogStore.
func (l *boltLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements raft.LogStore.
func (l *boltLog) StoreLogs(logs []*raft.Log) error {
	wrapped := make([]*raft.Log, len(logs))
	for i, e := range logs {
		var buf bytes.Buffer
		buf.Grow(entryLen(e))
		if err := (entryCodec{}).Encode(e, &buf); err != nil {
			return err
		}
		wrapped[i] = &raft.Log{Index: e.Index, Data: buf.Bytes()}
	}
	return l.BoltStore.StoreLogs(wrapped)
}

// GetLog implements raft.LogStore.
func (l *boltLog) GetLog(index uint64, e *raft.Log) error {
	var wrapped raft.Log
	if err := l.BoltStore.GetLog(index, &wrapped); err != nil {
		return err
	}
	return entryCodec{}.Decode(wrapped.Data, e)
}

// Where raft keeps its term, and the vote that it cast last (raft.go, keyCurrentTerm,
// keyLastVoteTerm and keyLastVoteCand).
var (
	keyTerm     = []byte("CurrentTerm")
	keyVoteTerm = []byte("LastVoteTerm")
	keyVoteCand = []byte("LastVoteCand")
)

// boltConf is the bucket in which raft-boltdb keeps what is no log entry.
const boltConf = "conf"

// ErrNotFound is that a key is missing. It has the text that raft looks for.
var ErrNotFound = errors.New("not found")

// stableStore is the store of term and vote, a raft-boltdb file. That package writes
// one key at a time, and is not used here. A value carries a CRC-32C over its key and
// itself.
//
// Invariant: on the disk the term of a vote and its candidate are of one vote.
type stableStore struct {
	path    string
	db      *bbolt.DB
	watch   *watch
	failure failure

	// voteTerm is the term of a vote whose candidate is yet to come, nil if none is.
	voteTerm atomic.Pointer[[]byte]

	// mu is read-locked by every call and locked by close.
	mu     sync.RWMutex
	closed bool
}

func openStable(path string, w *watch) (*stableStore, error) {
	if err := makeBolt(path); err != nil {
		return nil, err
	}
	if err := walkBolt(path, func(bucket string, key, value []byte, offset int64) error {
		if bucket != boltConf {
			return nil
		}
		if _, err := openValue(key, value); err != nil {
			return fmt.Errorf("offset %d: %w", offset, err)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db, err := bbolt.Open(path, 0o600, boltOptions())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &stableStore{path: path, db: db, watch: w}, nil
}

func valueSum(key, value []byte) uint32 {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(key)))
	return checksum(append(append(b, key...), value...))
}

func sealValue(key, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{entryVersion}, valueSum(key, value)), value...)
}

func openValue(key, sealed []byte) ([]byte, error) {
	if len(sealed) < 5 || sealed[0] != entryVersion || binary.LittleEndian.Uint32(sealed[1:]) != valueSum(key, sealed[5:]) {
		return nil, fmt.Errorf("%w value of %q", ErrCorrupt, key)
	}
	return sealed[5:], nil
}

// Set implements raft.StableStore and returns when the value is durable. Only the
// term of a vote waits for its candidate, which raft sets next, and is written with
// it. Until then the former vote is what Get returns. After an error of a write none
// succeeds any more.
func (s *stableStore) Set(key, value []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.failure.get(); err != nil {
		return err
	}
	if bytes.Equal(key, keyVoteTerm) {
		term := bytes.Clone(value)
		s.voteTerm.Store(&term)
		return nil
	}
	var voteTerm *[]byte
	if bytes.Equal(key, keyVoteCand) {
		voteTerm = s.voteTerm.Swap(nil)
	}
	if err := s.watch.do(writeStable, func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(boltConf))
			if voteTerm != nil {
				if err := b.Put(keyVoteTerm, sealValue(keyVoteTerm, *voteTerm)); err != nil {
					return err
				}
			}
			return b.Put(key, sealValue(key, value))
		})
	}); err != nil {
		return s.failure.set(s.watch.cfg, fmt.Errorf("write %q to %s: %w", key, s.path, err))
	}
	return nil
}

// Get implements raft.StableStore. The error for a missing key says "not
// found", which raft compares.
func (s *stableStore) Get(key []byte) (value []byte, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket([]byte(boltConf)).Get(key)
		if sealed == nil {
			return ErrNotFound
		}
		if value, err = openValue(key, bytes.Clone(sealed)); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		return nil
	})
	return value, err
}

// SetUint64 implements raft.StableStore.
func (s *stableStore) SetUint64(key []byte, v uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, v))
}

// GetUint64 implements raft.StableStore.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%s: %w value of %q: %d bytes", s.path, ErrCorrupt, key, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// term returns raft's term, 0 if there is none yet.
func (s *stableStore) term() (uint64, error) {
	t, err := s.GetUint64(keyTerm)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return t, err
}

// voted reports whether raft ever voted. Half a vote, as an older release may have
// left it, counts.
func (s *stableStore) voted() (bool, error) {
	for _, key := range [][]byte{keyVoteTerm, keyVoteCand} {
		if _, err := s.Get(key); !errors.Is(err, ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}

func (s *stableStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.db.Close()
}
