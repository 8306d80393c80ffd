package quorum

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
)

// join brings this server into its ensemble and starts Raft. A server whose
// disk is blank first hears from the others: from a leader in office, that this
// server has never been a member under another disk; or from a majority, itself
// included, that they are blank as well, which is how an ensemble begins. Until then it has no Raft and casts no vote. join returns
// false when the server is closed meanwhile.
func (n *Node) join() bool {
	if len(n.cfg.Members) > 0 {
		n.election.begin()
		if n.stores.Blank() && !n.gather() {
			return false
		}
	}
	if err := n.startRaft(); err != nil {
		n.events.Fatal(err)
		return false
	}
	if len(n.cfg.Members) == 0 {
		// Nobody to ask and nothing to wait for.
		if err := n.trans.standNow(serverID(n.cfg.SID)); err != nil {
			n.log.Warn("cannot stand for election", "error", err)
		}
	}
	return true
}

// gather waits for a leader in office, or for a majority of blank servers.
func (n *Node) gather() bool {
	n.log.Info("the data directory is blank: waiting for the ensemble or for a majority to begin one", "voters", n.voters)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if n.election.mayJoin() {
			return true
		}
		select {
		case <-n.stop:
			return false
		case <-n.wake:
		case <-tick.C:
		}
	}
}

// maxAppend bounds the entries of one message to a follower, which an entry of
// ours being up to 256 KiB keeps below what fits into Raft's time limit; and how
// many are stored with one sync.
const maxAppend = 128

// startRaft makes the Raft instance, with the first configuration if the disk
// is blank.
func (n *Node) startRaft() error {
	conf := raft.DefaultConfig()
	conf.LocalID = serverID(n.cfg.SID)
	conf.Logger = raftLog{n.log.Named("raft")}
	conf.HeartbeatTimeout = n.cfg.Heartbeat
	conf.ElectionTimeout = n.cfg.Heartbeat
	if len(n.cfg.Members) > 0 {
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
	logs.before, logs.after = n.storing, n.stored
	if n.stores.Blank() {
		if err := raft.BootstrapCluster(conf, logs, n.stores.Stable, n.stores.Snapshots, n.trans, n.firstConfiguration()); err != nil {
			return fmt.Errorf("write the first configuration: %w", err)
		}
	}
	r, err := raft.NewRaft(conf, n.fsm, logs, n.stores.Stable, n.stores.Snapshots, n.trans)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	n.logs = logs
	n.raft.Store(r)
	return nil
}

// firstConfiguration is that of zoo.cfg: participants vote, observers do not.
// Servers are named, never numbered: their addresses are host names.
func (n *Node) firstConfiguration() raft.Configuration {
	if len(n.cfg.Members) == 0 {
		return raft.Configuration{Servers: []raft.Server{{ID: serverID(n.cfg.SID), Address: n.trans.LocalAddr()}}}
	}
	var c raft.Configuration
	for _, m := range n.cfg.Members {
		s := raft.Server{ID: serverID(int64(m.ID)), Address: raft.ServerAddress(m.ElectionAddr())}
		if m.Observer {
			s.Suffrage = raft.Nonvoter
		}
		c.Servers = append(c.Servers, s)
	}
	return c
}

// storing is called when Raft is about to write entries. On the leader they
// leave for the followers at once, so that all disks work at the same time.
func (n *Node) storing(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.trans.sendEarly(logs, r.CommitIndex())
	}
}

// stored is called when Raft has written entries.
func (n *Node) stored(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.batch.noteStored(logs)
	}
}

// boot counts the starts on this disk, durably, so that the registrations of
// its processes are ordered.
func boot(s raft.StableStore) (uint64, error) {
	key := []byte("zooraft-boots")
	boots, err := s.GetUint64(key)
	if err != nil && err.Error() != "not found" {
		return 0, fmt.Errorf("read the count of starts: %w", err)
	}
	if err := s.SetUint64(key, boots+1); err != nil {
		return 0, fmt.Errorf("write the count of starts: %w", err)
	}
	return boots + 1, nil
}

// The methods below implement peer.Handler: what a peer may know, and what
// comes from it.

// Identity implements peer.Callee.
func (n *Node) Identity() peer.Identity {
	return peer.Identity{Cluster: n.cluster(), SID: n.cfg.SID, Disk: n.disk}
}

// cluster is the ensemble's id as far as this server knows it.
func (n *Node) cluster() string {
	if c := n.stores.Identity().Cluster; c != "" {
		return c
	}
	var c string
	n.fsm.View(func(v fsm.View) { c = v.Cluster() })
	return c
}

// Member implements peer.Callee.
func (n *Node) Member(sid int64) bool {
	for _, m := range n.cfg.Members {
		if int64(m.ID) == sid {
			return true
		}
	}
	return false
}

// KnownDisk implements peer.Callee.
func (n *Node) KnownDisk(sid int64) string {
	var known string
	n.fsm.View(func(v fsm.View) {
		if inc, _, disk := v.Server(sid); inc > 0 {
			known = fmt.Sprintf("%x", disk)
		}
	})
	return known
}

// Connected says whether this server's stream to a peer works.
func (n *Node) Connected(sid int64) bool { return n.mesh.Connected(sid) }

// Up implements peer.Handler.
func (n *Node) Up(id peer.Identity, known string) {
	n.trans.layer.peerUp()
	n.election.peerUp(id.SID)
	if sid, _ := n.Leader(); sid == id.SID {
		n.reroute()
		n.restartSync()
	}
	n.poke()
}

// Down implements peer.Handler.
func (n *Node) Down(sid int64, gone bool) {
	n.election.peerDown(sid, gone)
	n.poke()
}

// Refused implements peer.Handler. A server that came blank and that the
// ensemble knows by another disk has lost its memory of what it voted for: it
// must not vote.
func (n *Node) Refused(_ int64, err error) {
	if n.stores.Blank() && errors.Is(err, peer.ErrForeignDisk) {
		n.events.Fatal(fmt.Errorf("%w (data directory %s is blank): %w; restore the directory, or remove server %s from the ensemble and add it again",
			ErrForeignDisk, n.cfg.Store.DataDir, err, strconv.FormatInt(n.cfg.SID, 10)))
	}
}

// Status implements peer.Handler.
func (n *Node) Status() []byte { return n.events.Status() }

// Receive implements peer.Handler.
func (n *Node) Receive(from int64, kind byte, body []byte) {
	switch kind {
	case framePropose:
		n.received(from, body, false)
	case frameAlone:
		n.received(from, body, true)
	case frameResend:
		n.reroute()
	case frameVote:
		n.election.receive(from, body)
	case frameAskIndex:
		n.askedIndex(from, body)
	case frameIndex:
		n.gotIndex(from, body)
	case frameAskTerm:
		n.askedTerm(from, body)
	case frameTerm:
		n.gotTerm(from, body)
	default:
		if kind >= FrameUser {
			n.events.Peer(from, kind, body)
		}
	}
}
