package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/zabcompat/metrics"
)

// The names that raft.FileSnapshotStore uses.
const (
	snapshotsDir = "snapshots"
	metaName     = "meta.json"
	stateName    = "state.bin"
	sealName     = "seal"
)

// snapshots is raft.FileSnapshotStore, which lists and removes, with a way of our
// own to write and to open, and with what it leaves out:
//
//   - It passes over a snapshot whose meta.json it cannot read, and raft would
//     then begin with an older one, behind which the log is gone. Here the
//     newest one counts, by the name of its directory, and it is whole or the
//     start is refused.
//   - meta.json, which holds the membership, has no checksum, and state.bin one
//     for all of it, which is slow to compute. Each snapshot gets a seal instead;
//     see seal.
//   - It makes its files durable, but not their names in the directory of the
//     snapshot.
//   - It never removes what an interrupted snapshot leaves.
type snapshots struct {
	*raft.FileSnapshotStore
	dir     string
	logger  hclog.Logger
	metrics *metrics.Metrics
	// newest is the newest snapshot that was there when the store was opened,
	// nil if there was none.
	newest *raft.SnapshotMeta
}

func openSnapshots(base string, retain int, m *metrics.Metrics, logger hclog.Logger) (*snapshots, error) {
	s := &snapshots{dir: filepath.Join(base, snapshotsDir), logger: logger, metrics: m}
	if err := makeDir(s.dir); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var newest snapshotName
	for _, e := range list {
		path := filepath.Join(s.dir, e.Name())
		if !e.IsDir() {
			continue
		}
		if strings.HasSuffix(e.Name(), tmpSuffix) {
			logger.Info("remove interrupted snapshot", "path", path)
			if err := os.RemoveAll(path); err != nil {
				return nil, err
			}
			continue
		}
		name, err := parseSnapshotName(e.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if newest.id == "" || name.after(newest) {
			newest = name
		}
	}
	if newest.id != "" {
		if s.newest, err = s.readMeta(newest); err != nil {
			return nil, err
		}
	}
	s.FileSnapshotStore, err = raft.NewFileSnapshotStoreWithLogger(base, retain, listLog{logger})
	return s, err
}

// listLog is the logger of raft.FileSnapshotStore, which warns of a snapshot that is
// being written while it lists them.
type listLog struct{ hclog.Logger }

// Warn implements hclog.Logger.
func (l listLog) Warn(msg string, args ...any) {
	if msg == "found temporary snapshot" {
		l.Logger.Debug(msg, args...)
		return
	}
	l.Logger.Warn(msg, args...)
}

// snapshotName is what the name of a snapshot's directory says.
type snapshotName struct {
	term, index uint64
	millis      int64
	id          string
}

func parseSnapshotName(id string) (snapshotName, error) {
	n := snapshotName{id: id}
	_, err := fmt.Sscanf(id, "%d-%d-%d", &n.term, &n.index, &n.millis)
	if err != nil || n.String() != id {
		return n, errors.New("not the name of a snapshot")
	}
	return n, nil
}

func (n snapshotName) String() string { return fmt.Sprintf("%d-%d-%d", n.term, n.index, n.millis) }

// after follows the order of raft.FileSnapshotStore.
func (n snapshotName) after(o snapshotName) bool {
	if n.term != o.term {
		return n.term > o.term
	}
	if n.index != o.index {
		return n.index > o.index
	}
	return n.id > o.id
}

// readMeta reads meta.json and verifies it against the seal.
func (s *snapshots) readMeta(name snapshotName) (*raft.SnapshotMeta, error) {
	path := filepath.Join(s.dir, name.id, metaName)
	meta, err := readMetaFile(path)
	if err != nil {
		return nil, err
	}
	sl, err := readSeal(filepath.Join(s.dir, name.id, sealName))
	if err != nil {
		return nil, err
	}
	sum, err := metaSum(meta)
	if err != nil {
		return nil, err
	}
	if meta.ID != name.id || meta.Index != name.index || meta.Term != name.term || sum != sl.meta {
		return nil, fmt.Errorf("%s: %w: it is not the snapshot's", path, ErrCorrupt)
	}
	return &meta, nil
}

// readMetaFile reads meta.json (raft: file_snapshot.go, fileSnapshotMeta, whose
// checksum of state.bin is not looked at).
func readMetaFile(path string) (raft.SnapshotMeta, error) {
	var m raft.SnapshotMeta
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return m, fmt.Errorf("%s: offset %d: %w: %w", path, syntax.Offset, ErrCorrupt, err)
		}
		return m, fmt.Errorf("%s: %w: %w", path, ErrCorrupt, err)
	}
	return m, nil
}

// metaSum sums what raft uses of a snapshot's description.
func metaSum(m raft.SnapshotMeta) (uint32, error) {
	m.Peers = nil // of the old version 0
	b, err := json.Marshal(m)
	return checksum(b), err
}

// Open implements raft.SnapshotStore. It reads all of the state, to compare it with
// the seal, before it opens it.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	name, err := parseSnapshotName(id)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, id), err)
	}
	meta, err := s.readMeta(name)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.openState(id)
	if err != nil {
		return nil, nil, err
	}
	return meta, f, nil
}

// openState opens the state of a snapshot, once it is proved to be whole.
func (s *snapshots) openState(id string) (*os.File, error) {
	dir := filepath.Join(s.dir, id)
	if err := verifyState(dir); err != nil {
		return nil, err
	}
	return os.Open(filepath.Join(dir, stateName))
}

// restore verifies the newest snapshot and gives it to f.
func (s *snapshots) restore(f raft.FSM) (uint64, error) {
	if s.newest == nil {
		return 0, nil
	}
	start := time.Now()
	file, err := s.openState(s.newest.ID)
	if err != nil {
		return 0, err
	}
	r := &countingReader{ReadCloser: file}
	err = f.Restore(r)
	_ = file.Close() // again, if f has done it
	if err != nil {
		return 0, fmt.Errorf("%s: near offset %d: restore: %w", file.Name(), r.n, err)
	}
	s.logger.Info("restored snapshot", "path", filepath.Dir(file.Name()), "index", s.newest.Index, "term", s.newest.Term,
		"bytes", s.newest.Size, "duration", time.Since(start))
	return s.newest.Index, nil
}

type countingReader struct {
	io.ReadCloser
	n int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.n += int64(n)
	return n, err
}

// verifyState compares state.bin block by block with the seal.
func verifyState(dir string) error {
	sl, err := readSeal(filepath.Join(dir, sealName))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, stateName)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() != sl.size {
		return fmt.Errorf("%s: offset %d: %w: it ends there, and should at %d", path, min(st.Size(), sl.size), ErrCorrupt, sl.size)
	}
	buf := make([]byte, sealBlock)
	for i, want := range sl.blocks {
		n, err := io.ReadFull(f, buf)
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		at := int64(i) * sealBlock
		if checksum(buf[:n]) != want {
			return fmt.Errorf("%s: offset %d to %d: %w snapshot", path, at, at+int64(n), ErrCorrupt)
		}
	}
	return nil
}
