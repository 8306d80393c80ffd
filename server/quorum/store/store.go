package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"zooraft/zabcompat/metrics"
)

// The kinds of log store.
const (
	KindWAL    = "wal"
	KindBoltDB = "boltdb"
)

// ErrDataDir is wrapped by every error of [Open], [Stores.Restore] and
// [Stores.SetCluster]: the directories cannot be used as they are. ZooKeeper
// exits with code 3 on it.
var ErrDataDir = errors.New("data directory refused")

// ErrClosed is returned by the log and the stable store after [Stores.Close].
var ErrClosed = errors.New("stores are closed")

// Config says where the stores are and when a write is too slow. It is
// read-only after [Open].
type Config struct {
	// DataDir holds the snapshots, DataLogDir the log and the votes. An empty
	// DataLogDir means DataDir. Both are made if they are missing.
	DataDir, DataLogDir string
	// Kind is [KindWAL] (the default) or [KindBoltDB]. A directory stays with
	// the kind it was made with.
	Kind string
	// SID is this server's id, from myid.
	SID int64
	// SnapRetain is how many snapshots are kept. Default 3, at least 1.
	SnapRetain int
	// Metrics takes the durations of syncs, writes and snapshots. Default: nobody.
	Metrics *metrics.Metrics
	// Log takes all messages. Default: none.
	Log hclog.Logger
	// SlowSync is the duration from which a write is warned about, ZooKeeper's
	// fsync.warningthresholdms. Default 1 s.
	SlowSync time.Duration
	// OnStall is called at most once, on a goroutine of the store, when a write
	// has hung for d, half a minute or more. Its owner exits the process: a leader
	// that cannot write but still sends heartbeats blocks its ensemble. It may
	// block. Nil: only the log tells.
	OnStall func(d time.Duration)
	// OnFail is called at most once for the log and for the term and vote, on the
	// goroutine of the writer, when a write has failed; every later write to the same
	// one fails with the same error. It must not block and must not call Close. Nil:
	// only the log tells.
	OnFail func(error)
	// OnEntry is called by Open for each entry of the log behind the newest
	// snapshot, in their order, once the entry is verified. l is valid during the
	// call. Nil: they are verified only.
	OnEntry func(l *raft.Log)
	// OnRead is called by Open between two pieces of the log that it reads, of 64 KiB
	// or of an entry. It may block, and so keep Open from taking all of a processor.
	// Nil: nothing.
	OnRead func()

	// segmentBytes is raft-wal's segment size. Default: its own, 64 MiB.
	segmentBytes int
	// spareEnded is called when a segment was made ahead, or could not be.
	spareEnded func(error)
}

func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, errors.New("dataDir is not set")
	}
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, err
	}
	if c.DataLogDir == "" {
		c.DataLogDir = c.DataDir
	}
	if c.DataLogDir, err = filepath.Abs(c.DataLogDir); err != nil {
		return c, err
	}
	switch c.Kind {
	case "":
		c.Kind = KindWAL
	case KindWAL, KindBoltDB:
	default:
		return c, fmt.Errorf("unknown log store %q (wal or boltdb)", c.Kind)
	}
	if c.SnapRetain == 0 {
		c.SnapRetain = 3
	}
	if c.SnapRetain < 1 {
		return c, fmt.Errorf("cannot retain %d snapshots", c.SnapRetain)
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Metrics == nil {
		c.Metrics = new(metrics.Metrics)
	}
	if c.segmentBytes == 0 {
		c.segmentBytes = wal.DefaultSegmentSize
	}
	if c.SlowSync <= 0 {
		c.SlowSync = time.Second
	}
	return c, nil
}

// Stores are the open stores of one server. The three fields go to raft and are
// safe for its concurrent use. Configure raft with NoSnapshotRestoreOnStart and call
// [Stores.Restore] before it starts.
type Stores struct {
	// Log is for its owner to wrap: raft must take it for a raft.MonotonicLogStore, of
	// either kind, to drop the old log when it has restored a leader's snapshot.
	Log       raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore

	cfg    Config
	logger hclog.Logger
	locks  []io.Closer
	log    *logStore
	stable *stableStore
	snaps  *snapshots
	watch  *watch
	id     *identityFiles
	blank  bool
}

// Open opens the stores, or makes them if nothing is there, and verifies every
// byte of them that raft would use. It reads the whole log and takes as long as
// that does. The caller must Close the result. Errors wrap [ErrDataDir].
func Open(cfg Config) (*Stores, error) {
	s, err := open(cfg)
	if err != nil {
		return nil, refuse(cfg, err)
	}
	return s, nil
}

// misfit is why directories are refused that are whole: whoever else has them, or what
// the configuration says.
type misfit struct{ error }

func (m misfit) Unwrap() error { return m.error }

// refuse wraps why directories are refused. Where they are damaged, or not all of them
// is there, it says what helps.
func refuse(cfg Config, why error) error {
	var path *fs.PathError
	if errors.As(why, new(misfit)) || errors.As(why, &path) {
		return fmt.Errorf("%w: %w", ErrDataDir, why)
	}
	dirs := filepath.Join(cfg.DataDir, raftDir)
	if cfg.DataLogDir != "" && cfg.DataLogDir != cfg.DataDir {
		dirs += " and " + filepath.Join(cfg.DataLogDir, raftDir)
	}
	return fmt.Errorf("%w: %w; if that cannot be put right, and the other servers have a quorum, move %s away, keep myid, and start: "+
		"this server then gets everything from them", ErrDataDir, why, dirs)
}

func open(cfg Config) (_ *Stores, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, misfit{err}
	}
	s := &Stores{cfg: cfg, logger: cfg.Log}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if err := s.lock(); err != nil {
		return nil, misfit{err}
	}
	logPath := s.logPath()
	if s.id, err = openIdentity(cfg, []storeFile{
		{"log", filepath.Join(logPath, tableName), cfg.Kind == KindWAL},
		{"log", logPath, cfg.Kind == KindBoltDB},
		{"term and vote", s.stablePath(), true},
	}); err != nil {
		return nil, err
	}
	s.watch = newWatch(cfg)
	if s.snaps, err = openSnapshots(filepath.Join(cfg.DataDir, raftDir), cfg.SnapRetain, cfg.Metrics, s.logger); err != nil {
		return nil, err
	}
	if s.stable, err = openStable(s.stablePath(), s.watch); err != nil {
		return nil, err
	}
	entries := visitor{f: cfg.OnEntry, onRead: cfg.OnRead}
	if s.snaps.newest != nil {
		entries.behind = s.snaps.newest.Index
	}
	if s.log, err = openLog(cfg, logPath, s.watch, entries); err != nil {
		return nil, err
	}
	found, err := s.examine()
	if err != nil {
		return nil, err
	}
	if err := s.id.settle(found); err != nil {
		return nil, err
	}
	s.blank = found.blank()
	s.Log, s.Stable, s.Snapshots = s.log, s.stable, s.snaps
	return s, nil
}

func (s *Stores) lock() error {
	dirs := []struct{ what, dir string }{{"dataDir", s.cfg.DataDir}}
	if s.cfg.DataLogDir != s.cfg.DataDir {
		dirs = append(dirs, struct{ what, dir string }{"dataLogDir", s.cfg.DataLogDir})
	}
	for _, d := range dirs {
		if err := makeDir(filepath.Join(d.dir, raftDir)); err != nil {
			return err
		}
		l, err := lockDir(d.what, d.dir)
		if err != nil {
			return err
		}
		s.locks = append(s.locks, l)
	}
	return nil
}

func (s *Stores) stablePath() string {
	return filepath.Join(s.cfg.DataLogDir, raftDir, "stable.db")
}

func (s *Stores) logPath() string {
	if s.cfg.Kind == KindBoltDB {
		return filepath.Join(s.cfg.DataLogDir, raftDir, "log.db")
	}
	return filepath.Join(s.cfg.DataLogDir, raftDir, "log")
}

// Identity returns the identity of the directories.
func (s *Stores) Identity() Identity { return s.id.current() }

// Blank reports whether Open found that this server has not taken part yet: no
// vote, no entry and no snapshot. A term there may be, whatever its number: raft
// makes it durable before the first entry, and a kill between the two leaves it
// alone. It does not change while the stores are open.
func (s *Stores) Blank() bool { return s.blank }

// SetCluster writes the id of the cluster into the identity, durably, and does
// nothing if it is there already. Another id than the known one is an error
// that names both.
//
// REQUIRES: raft has state on disk, for from here on a directory without it is
// refused as one that lost its log.
func (s *Stores) SetCluster(id string) error {
	if err := s.id.setCluster(id); err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return nil
}

// Restore gives the newest snapshot to f and returns its index, 0 if there is
// none. Every byte is verified before f sees the first. A damaged newest
// snapshot is an error that names file and offset: the log before it is gone,
// so an older one would have a hole behind it. It must be called at most once
// and before raft starts.
func (s *Stores) Restore(f raft.FSM) (index uint64, err error) {
	if index, err = s.snaps.restore(f); err != nil {
		return 0, refuse(s.cfg, err)
	}
	return index, nil
}

// SlowWrites counts the writes to the log since Open that took SlowSync or more.
func (s *Stores) SlowWrites() int64 { return s.watch.slow.Load() }

// Writing returns how long the oldest write to the log, or of a term or vote, is under
// way that has not returned; 0 if there is none. It does not block.
func (s *Stores) Writing() time.Duration { return s.watch.writing() }

// Sizes returns the sum of the lengths of the files of the snapshots and of the
// log. Like ZooKeeper's it counts preallocated space: a raft-wal log is never
// smaller than one segment, and spare files for later ones lie beside it. Files
// that go away meanwhile count as nothing.
func (s *Stores) Sizes() (snapshotBytes, logBytes int64) {
	return treeBytes(s.snaps.dir), treeBytes(s.logPath())
}

func treeBytes(root string) int64 {
	var sum int64
	_ = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// Close waits for running calls, closes all and gives up the locks. Raft must
// have been shut down. It may be called again, and then does nothing.
func (s *Stores) Close() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.close())
	}
	if s.stable != nil {
		errs = append(errs, s.stable.close())
	}
	if s.watch != nil {
		s.watch.close()
	}
	for _, l := range s.locks {
		errs = append(errs, l.Close())
	}
	s.locks = nil
	return errors.Join(errs...)
}

// state is what of raft's was found on disk.
type state struct {
	term        uint64
	voted       bool
	first, last uint64
	lastTerm    uint64
	snapIndex   uint64
	snapTerm    uint64
}

func (f state) any() bool { return f.term > 0 || !f.blank() }

// blank: others count on a server for its votes and for what it has stored. To have
// heard of a term binds it only with one of them.
func (f state) blank() bool { return !f.voted && f.last == 0 && f.snapIndex == 0 }

// examine reads what raft will start from and refuses what it would panic on or
// what says that something has been lost.
func (s *Stores) examine() (f state, err error) {
	if f.term, err = s.stable.term(); err != nil {
		return f, err
	}
	if f.voted, err = s.stable.voted(); err != nil {
		return f, err
	}
	if m := s.snaps.newest; m != nil {
		f.snapIndex, f.snapTerm = m.Index, m.Term
	}
	if f.first, f.last, err = s.log.bounds(); err != nil {
		return f, err
	}
	replaced, err := s.replaced(f)
	if err != nil {
		return f, err
	}
	if replaced {
		// A snapshot came from the leader and the process ended before raft dropped
		// the log it replaces. Raft would go on after the snapshot, and a store
		// without gaps would refuse that for ever; or would go on after the log, which is
		// not the leader's. A store with a gap would keep what may not be either.
		s.logger.Info("drop log that the newest snapshot replaces", "path", s.logPath(),
			"first", f.first, "last", f.last, "index", f.snapIndex)
		if err := s.log.DeleteRange(f.first, f.last); err != nil {
			return f, fmt.Errorf("drop log before the snapshot: %w", err)
		}
		f.first, f.last = 0, 0
	}
	if f.last > 0 {
		if f.lastTerm, err = s.log.termAt(f.last); err != nil {
			return f, err
		}
		// raft-boltdb may have a gap, but only before the end of a snapshot.
		run, err := s.log.inner.runStart()
		if err != nil {
			return f, err
		}
		if f.last > f.snapIndex && run > max(f.first, f.snapIndex+1) {
			return f, fmt.Errorf("%s: %w: log entry %d is missing", s.logPath(), ErrCorrupt, run-1)
		}
	}
	if f.last > f.snapIndex && f.first > f.snapIndex+1 {
		return f, fmt.Errorf("the newest snapshot in %s ends at index %d, but the log in %s begins at %d: entries %d to %d are lost",
			s.snaps.dir, f.snapIndex, s.logPath(), f.first, f.snapIndex+1, f.first-1)
	}
	if t := max(f.lastTerm, f.snapTerm); f.term < t {
		return f, fmt.Errorf("%s knows term %d, but log and snapshots reach term %d: this server forgot its votes and must not vote",
			s.stablePath(), f.term, t)
	}
	return f, nil
}

// replaced says whether the newest snapshot stands in the place of the whole log:
// it goes beyond it, or ends with another entry than the log has there. That one was
// never committed, nor was anything behind it.
func (s *Stores) replaced(f state) (bool, error) {
	switch {
	case f.last == 0 || f.first > f.snapIndex:
		return false, nil
	case f.last < f.snapIndex:
		return true, nil
	}
	term, err := s.log.termAt(f.snapIndex)
	if errors.Is(err, raft.ErrLogNotFound) {
		return false, nil // in a gap of raft-boltdb's
	}
	return term != f.snapTerm, err
}

// exists reports whether there is a file at path.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
