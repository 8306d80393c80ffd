package quorum

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/quorum/store"
)

// ReadDisk brings f to where the directories of a server that does not run can bring
// it: the newest snapshot, and behind it all of the log. What this server's log ends
// with may never have been committed, if the server was cut off when it ended. Nothing
// is changed but what every start changes, which cuts off an incomplete last write. f
// must be new. It returns the index of the last entry, and blocks for as long as a
// start takes. Errors wrap [store.ErrDataDir].
func ReadDisk(cfg store.Config, f *fsm.FSM) (last uint64, err error) {
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "raft")); err != nil {
		return 0, fmt.Errorf("%w: no server has run on it: %w", store.ErrDataDir, err)
	}
	stores, err := store.Open(cfg)
	if err != nil {
		return 0, err
	}
	defer stores.Close()
	if stores.Blank() {
		return 0, fmt.Errorf("%w: %s is blank: its server has not taken part in anything", store.ErrDataDir, cfg.DataDir)
	}
	if _, err := stores.Restore(f); err != nil {
		return 0, err
	}
	_, applied := f.Clock()
	if last, err = stores.Log.LastIndex(); err == nil {
		last = max(last, applied)
		err = replay(stores.Log, f, applied, last, func() {})
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", store.ErrDataDir, err)
	}
	return last, nil
}

// replay applies what stands in a log behind the entry from, up to another one.
// between is called before each batch.
func replay(log raft.LogStore, f *fsm.FSM, from, to uint64, between func()) error {
	batch := make([]*raft.Log, 0, maxAppend)
	for i := from + 1; i <= to; i++ {
		l := new(raft.Log)
		if err := log.GetLog(i, l); err != nil {
			return err
		}
		if batch = append(batch, l); len(batch) == cap(batch) || i == to {
			between()
			f.Replay(batch)
			batch = batch[:0]
		}
	}
	return nil
}
