package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/zabcompat/metrics"
)

// writeBack is how much of a snapshot may wait in the page cache. One sync of all of
// it at the end would hold up the log's for as long.
const writeBack = 8 << 20

// sink writes a snapshot where raft.FileSnapshotStore looks for it, and its seal
// beside it. state.bin goes past the page cache: a snapshot may be as large as
// memory, and is as a rule read again at the next start, if at all. Raft calls
// Close or Cancel more than once; the first call counts.
type sink struct {
	dir    string // with tmpSuffix, until all is durable
	meta   raft.SnapshotMeta
	state  *blockStream
	blocks blockSums
	synced int64 // how much waits there no longer
	closed bool

	start   time.Time
	metrics *metrics.Metrics
	reap    func() error // removes what is older than the retained ones
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, conf raft.Configuration,
	confIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("unknown snapshot version %d", version)
	}
	start := time.Now()
	id := snapshotName{term: term, index: index, millis: start.UnixMilli()}.String()
	dir := filepath.Join(s.dir, id+tmpSuffix)
	s.logger.Info("write snapshot", "path", dir, "index", index, "term", term)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, stateName))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &sink{
		dir: dir,
		meta: raft.SnapshotMeta{Version: version, ID: id, Index: index, Term: term,
			Configuration: conf.Clone(), ConfigurationIndex: confIndex},
		state: newBlockStream(f, s.logger), start: start, metrics: s.metrics, reap: s.ReapSnapshots,
	}, nil
}

// ID implements raft.SnapshotSink.
func (s *sink) ID() string { return s.meta.ID }

// Write implements raft.SnapshotSink.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.state.Write(b)
	s.blocks.write(b[:n])
	if err == nil && s.blocks.size-s.synced >= writeBack {
		s.synced = s.blocks.size
		err = s.state.flush()
	}
	return n, err
}

// Close makes the snapshot durable and visible, or removes it and says why not.
func (s *sink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	err := errors.Join(s.state.finish(), s.state.Close())
	if err == nil {
		err = s.describe()
	}
	if err == nil {
		err = os.Rename(s.dir, strings.TrimSuffix(s.dir, tmpSuffix))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), os.RemoveAll(s.dir))
	}
	if err := syncDir(filepath.Dir(s.dir)); err != nil {
		return err
	}
	s.metrics.SnapshotTime.Time(time.Since(s.start))
	return s.reap()
}

// describe writes meta.json and the seal.
func (s *sink) describe() error {
	s.meta.Size = s.blocks.size
	meta, err := json.Marshal(s.meta)
	if err != nil {
		return err
	}
	sum, err := metaSum(s.meta)
	if err != nil {
		return err
	}
	sl := seal{meta: sum, size: s.blocks.size, blocks: s.blocks.finish()}
	// writeFile syncs the directory, and with it the name of state.bin.
	return errors.Join(writeFile(filepath.Join(s.dir, metaName), append(meta, '\n')),
		writeFile(filepath.Join(s.dir, sealName), sl.encode()))
}

// Cancel implements raft.SnapshotSink. It removes what was written.
func (s *sink) Cancel() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.state.Close(), os.RemoveAll(s.dir))
}

// blockStream writes a new file from its beginning on, in pieces of directBytes.
type blockStream struct {
	*directFile
	buf []byte
	n   int   // bytes of buf that wait
	at  int64 // where they belong
}

func newBlockStream(f *os.File, log hclog.Logger) *blockStream {
	return &blockStream{directFile: (&direct{log: log}).open(f), buf: alignedBytes(directBytes)}
}

func (s *blockStream) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		n := copy(s.buf[s.n:], b[written:])
		s.n += n
		written += n
		if s.n == len(s.buf) {
			if err := s.writeBlocks(s.buf, s.at); err != nil {
				return written, err
			}
			s.at += int64(s.n)
			s.n = 0
		}
	}
	return written, nil
}

// finish writes what waits, and makes all of the file durable. The last block
// is written in full and then cut.
func (s *blockStream) finish() error {
	full := wholeBlocks(s.n)
	clear(s.buf[s.n:full])
	if err := s.writeBlocks(s.buf[:full], s.at); err != nil {
		return err
	}
	if err := s.Truncate(s.at + int64(s.n)); err != nil {
		return err
	}
	return syncFile(s.File)
}
