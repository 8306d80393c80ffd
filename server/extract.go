package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/server/quorum"
)

// ExtractState writes what the directories of a server hold that does not run, its log
// to the end, to a new file at path, as a snapshot that can be restored, and reads it
// again to say what is in it. It is the way out where a majority of an ensemble's disks
// is lost. Errors of the directories wrap [ErrDataDir].
func ExtractState(cfg Config, path string, log hclog.Logger) (rep SnapshotReport, err error) {
	if err := cfg.Validate(); err != nil {
		return rep, err
	}
	state := fsm.New(int64(cfg.SID), log.Named("fsm"))
	if _, err := quorum.ReadDisk(cfg.stores(log), state); err != nil {
		return rep, err
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		return rep, fmt.Errorf("extract the state: %w", err)
	}
	defer snapshot.Release()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return rep, err
	}
	if err := snapshot.Persist(extract{f}); err != nil {
		return rep, err
	}
	return InspectSnapshot(path, 0, nil)
}

// extract is the file for a snapshot that Raft knows nothing of.
type extract struct{ *os.File }

// ID implements raft.SnapshotSink.
func (e extract) ID() string { return e.Name() }

// Close implements raft.SnapshotSink.
func (e extract) Close() error { return errors.Join(e.Sync(), e.File.Close()) }

// Cancel implements raft.SnapshotSink.
func (e extract) Cancel() error { return errors.Join(e.File.Close(), os.Remove(e.Name())) }
