package quorum

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
	"zooraft/server/quorum/store"
	"zooraft/zabcompat"
)

// checkAlone refuses a disk of an ensemble to a server whose configuration has no other
// servers: its Raft would wait for a majority that it cannot reach.
func (n *Node) checkAlone() error {
	if !n.standalone() {
		return nil
	}
	var conf raft.Configuration
	if index := n.ahead.config(); index > 0 {
		var l raft.Log
		if err := n.stores.Log.GetLog(index, &l); err != nil {
			return err
		}
		conf = raft.DecodeConfiguration(l.Data)
	} else if all, err := n.stores.Snapshots.List(); err != nil {
		return err
	} else if len(all) > 0 {
		conf = all[0].Configuration
	}
	var voters []string
	for _, s := range conf.Servers {
		if s.Suffrage == raft.Voter {
			voters = append(voters, string(s.ID))
		}
	}
	if len(voters) == 0 || len(voters) == 1 && voters[0] == string(serverID(n.cfg.SID)) {
		return nil
	}
	return fmt.Errorf("%w: it is that of an ensemble whose voters are the servers %s, and the configuration has no server lines for them: "+
		"add them, or take what the directory holds to another one (zooraft snapshot extract)", store.ErrDataDir, strings.Join(voters, ", "))
}

// join brings this server into its ensemble and starts Raft. A server whose
// disk is blank first hears from the others: from a leader in office, that this
// server has no vote by a disk that is lost; or from a majority, itself included,
// that they are blank as well, which is how an ensemble begins. Until then it has
// no Raft and casts no vote. To be connected is to ask: the leader lets everybody
// in, without a vote (membership.go). join returns false when the server is
// closed meanwhile.
func (n *Node) join() bool {
	first := n.standalone() && n.stores.Blank()
	if !n.standalone() {
		n.election.begin()
		if n.stores.Blank() {
			switch n.gather() {
			case admissionNone:
				return false
			case admissionFirst:
				first = true
			}
		}
	}
	if err := n.startRaft(first); err != nil {
		n.events.Fatal(err)
		return false
	}
	n.initialized()
	n.look(false)
	n.election.tell() // it can vote now
	if n.standalone() {
		// Nobody to ask and nothing to wait for.
		if err := n.trans.standNow(serverID(n.cfg.SID)); err != nil {
			n.log.Warn("cannot stand for election", "error", err)
		}
	}
	return true
}

// mayInitialize says whether this server, if it is blank, may begin an ensemble.
func (n *Node) mayInitialize() bool {
	return len(n.cfg.Initialize) == 0 || slices.ContainsFunc(n.cfg.Initialize, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// initialized removes the leave to begin an ensemble, which this server has one of now:
// if it loses its disk, it is not to begin another.
func (n *Node) initialized() {
	for _, path := range n.cfg.Initialize {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.log.Warn("cannot remove the file that lets a blank server begin an ensemble", "path", path, "error", err)
		}
	}
}

// disagreementAfter is how long a blank server waits before it says whose zoo.cfg is not
// as its own. It says so again each minute.
const disagreementAfter = 5 * time.Second

// gather waits for a leader in office, or for a majority of blank servers. It
// returns admissionNone if the server is closed first.
func (n *Node) gather() admission {
	if n.election.mayBegin {
		n.log.Info("the data directory is blank: waiting for the ensemble or for a majority to begin one", "voters", n.voters())
	} else {
		n.log.Info("the data directory is blank: waiting for the ensemble; none begins with this server, as db.autocreate is false and there is no file initialize",
			"voters", n.voters(), "files", n.cfg.Initialize)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	tell := time.Now().Add(disagreementAfter)
	for {
		n.look(false) // who is where may have been told
		if a := n.election.admission(); a != admissionNone {
			return a
		}
		now := time.Now()
		if now.After(tell) {
			n.election.tellDisagreement()
			tell = now.Add(time.Minute)
		}
		n.election.tellMissing(now)
		select {
		case <-n.stop:
			return admissionNone
		case <-n.wake:
		case <-tick.C:
		}
	}
}

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
		if err := raft.BootstrapCluster(conf, logs, firstTerm{n.stores.Stable}, n.stores.Snapshots, n.trans, n.firstConfiguration()); err != nil {
			return fmt.Errorf("write the first configuration: %w", err)
		}
	}
	// Raft reads what there is to apply before it answers the leader, which others may
	// leave without a majority meanwhile.
	n.rests.bound(n.cfg.Heartbeat / 2)
	scan := &scanned{logCache: logs, ahead: &n.ahead, next: n.ahead.first, beforeRead: n.beforeRead}
	r, err := raft.NewRaft(conf, applier{n.fsm, n}, scan, n.stores.Stable, sentSnapshots{n.stores.Snapshots, &n.trans.laggards}, n.trans)
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

// firstTerm is the stable store for raft.BootstrapCluster, which takes a term for a
// sign that the server has taken part, and writes the term and the first entry one
// after the other: a kill between them leaves a blank server with a term, which does
// not go back.
type firstTerm struct{ raft.StableStore }

// GetUint64 implements raft.StableStore for the only key that is asked for, the term.
func (firstTerm) GetUint64([]byte) (uint64, error) { return 0, nil }

// SetUint64 implements raft.StableStore.
func (s firstTerm) SetUint64(key []byte, first uint64) error {
	term, err := s.StableStore.GetUint64(key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.StableStore.SetUint64(key, max(term, first))
}

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

// beforeStore is called when Raft is about to write entries. On the leader they
// leave for the followers at once, so that all disks work at the same time.
func (n *Node) beforeStore(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.trans.sendEarly(logs, r.CommitIndex())
	}
}

// afterStore is called when Raft has written entries.
func (n *Node) afterStore(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.batch.noteStored(logs)
	}
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

// The methods below implement peer.Handler: what a peer may know, and what
// comes from it.

// Identity implements peer.Callee.
func (n *Node) Identity() peer.Identity {
	self, _ := zabcompat.Membership{Servers: n.cfg.Members}.Server(n.cfg.SID)
	return peer.Identity{
		Cluster: n.cluster(), SID: n.cfg.SID, Disk: n.disk, QuorumAddr: self.QuorumAddr(), ElectionAddr: self.ElectionAddr(),
	}
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

// KnownDisk implements peer.Callee.
func (n *Node) KnownDisk(sid int64) string {
	var known string
	n.fsm.View(func(v fsm.View) {
		if r, ok := n.ahead.disks[sid]; ok && v.AppliedIndex() < n.ahead.until {
			known = hex.EncodeToString(r.disk[:])
		} else if inc, _, disk := v.Server(sid); inc > 0 {
			known = hex.EncodeToString(disk[:])
		}
	})
	return known
}

// Voteless implements peer.Caller. A vote that is to be taken away counts until
// that is committed, and one to be given at once.
func (n *Node) Voteless(sid int64) bool {
	r := n.raft.Load()
	if r == nil {
		return false
	}
	var committed raft.Configuration
	n.fsm.View(func(v fsm.View) { committed = v.Actual() })
	return !votes(committed, sid) && !votes(r.GetConfiguration().Configuration(), sid)
}

func votes(c raft.Configuration, sid int64) bool {
	for _, s := range c.Servers {
		if s.ID == serverID(sid) {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

// Taken implements peer.Callee.
func (n *Node) Taken(sid int64, disk string) bool {
	id, connected := n.mesh.Caller(sid)
	return sid == n.cfg.SID || connected && id.Disk != disk
}

// Connected says whether this server's stream to a peer works.
func (n *Node) Connected(sid int64) bool { return n.mesh.Connected(sid) }

// Up implements peer.Handler.
func (n *Node) Up(id peer.Identity) {
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
