package quorum

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
)

// maxAppend bounds the entries of one message to a follower, which an entry of
// ours being up to 256 KiB keeps below what fits into Raft's time limit; and how
// many are stored with one sync.
const maxAppend = 128

// startRaft makes the Raft instance, with the first configuration if this server
// is one of those that begin the ensemble. One that comes later has none until
// the leader brings it: that of its zoo.cfg may never have been the ensemble's.
func (n *Node) startRaft(first bool) error {
	conf := raft.DefaultConfig()
	conf.LocalID = serverID(n.cfg.SID)
	conf.Logger = raftLog{n.log.Named("raft")}
	conf.HeartbeatTimeout = n.cfg.Heartbeat
	conf.ElectionTimeout = n.cfg.Heartbeat
	if !n.standalone() {
		// Until this server first had a leader, the exchange of votes decides when
		// to stand: see election.go, which sets the working timeouts.
		conf.HeartbeatTimeout, conf.ElectionTimeout = patience, patience
	}
	conf.LeaderLeaseTimeout = n.cfg.Heartbeat
	conf.CommitTimeout = 50 * time.Millisecond
	conf.MaxAppendEntries = maxAppend
	conf.BatchApplyCh = true
	conf.SnapshotThreshold = math.MaxInt64 // snapshot.go decides
	conf.SnapshotInterval = time.Hour
	conf.TrailingLogs = uint64(n.cfg.SnapCount)
	conf.NoSnapshotRestoreOnStart = true // New has restored it
	conf.NoLegacyTelemetry = true

	logs := newLogCache(n.stores.Log, logCacheBytes)
	logs.before, logs.after = n.beforeStore, n.afterStore
	logs.writes = &n.stages.writes
	if first {
		b := beginning{logs, n.stores.Stable}
		if err := raft.BootstrapCluster(conf, b, b, n.stores.Snapshots, n.trans, n.firstConfiguration()); err != nil {
			return fmt.Errorf("write the first configuration: %w", err)
		}
	}
	// Raft reads what there is to apply before it answers the leader, which others may
	// leave without a majority meanwhile.
	n.rests.bound(n.cfg.Heartbeat / 2)
	scan := &scanned{logCache: logs, ahead: &n.ahead, next: n.ahead.first, beforeRead: n.beforeRead}
	r, err := raft.NewRaft(conf, applier{n.fsm, n}, scan, n.stores.Stable, sentSnapshots{n.stores.Snapshots, &n.trans.laggards, n.snapshotDamaged}, n.trans)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	if scan.next != n.ahead.until {
		return fmt.Errorf("start raft: it has read the log behind the snapshot to entry %d of %d", scan.next, n.ahead.until)
	}
	n.logs = logs
	n.raft.Store(r)
	return nil
}

// beginning is where raft.BootstrapCluster writes, which takes a term for a sign that the
// server has taken part, and then writes term 1 and an entry of it. Here that entry is of
// term 0 and the term stays as it is, so that the first leader's is 1, and so the first
// epoch, as in ZooKeeper. And nothing is written before the entry, behind which a kill
// leaves a server that can vote.
type beginning struct {
	raft.LogStore
	raft.StableStore
}

// StoreLog implements raft.LogStore for the only entry.
func (b beginning) StoreLog(l *raft.Log) error {
	l.Term = 0
	return b.LogStore.StoreLog(l)
}

// GetUint64 implements raft.StableStore for the only key that is asked for, the term.
func (beginning) GetUint64([]byte) (uint64, error) { return 0, nil }

// SetUint64 implements raft.StableStore.
func (beginning) SetUint64([]byte, uint64) error { return nil }

// firstConfiguration is that of zoo.cfg: participants vote, observers do not.
func (n *Node) firstConfiguration() raft.Configuration {
	if n.standalone() {
		return raft.Configuration{Servers: []raft.Server{{ID: serverID(n.cfg.SID), Address: label(n.cfg.SID)}}}
	}
	var c raft.Configuration
	for _, m := range n.cfg.Members {
		s := raft.Server{ID: serverID(int64(m.ID)), Address: label(int64(m.ID))}
		if m.Observer {
			s.Suffrage = raft.Nonvoter
		}
		c.Servers = append(c.Servers, s)
	}
	return c
}

// boot counts the starts on this disk, durably, so that the registrations of
// its processes are ordered.
func boot(s raft.StableStore) (uint64, error) {
	key := []byte("zooraft-boots")
	boots, err := s.GetUint64(key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("read the count of starts: %w", err)
	}
	if err := s.SetUint64(key, boots+1); err != nil {
		return 0, fmt.Errorf("write the count of starts: %w", err)
	}
	return boots + 1, nil
}
