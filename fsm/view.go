package fsm

import (
	"iter"

	"zooraft/protocol"
)

// View is the state under a held lock. It is valid only while that lock is
// held: during FSM.View, between RLock and RUnlock, or during a call of the
// Observer. Copies of it are as short-lived.
type View struct{ f *FSM }

// LastZxid is the zxid of the last request applied.
func (v View) LastZxid() int64 { return int64(v.f.clock.Last()) }

// Now is the leader's clock in the last entry applied, in ms since 1970.
func (v View) Now() int64 { return v.f.now }

// AppliedIndex is the Raft index of the last entry applied.
func (v View) AppliedIndex() uint64 { return v.f.applied }

// Cluster is the ensemble's id, "" before the first leader has given one.
func (v View) Cluster() string { return v.f.cluster }

// Server tells what the log knows of a server id: its incarnation (0: never
// seen), the last of its requests applied, and the data directory it runs on.
func (v View) Server(sid int64) (incarnation, lastSeq uint64, disk [16]byte) {
	if s := v.f.servers[sid]; s != nil {
		return s.incarnation, s.lastSeq, s.disk
	}
	return 0, 0, disk
}

// NumSessions counts the sessions.
func (v View) NumSessions() int { return len(v.f.sessions) }

// Sessions ranges over all sessions and their timeouts in ms, in no order.
func (v View) Sessions() iter.Seq2[protocol.SessionID, int32] {
	return func(yield func(protocol.SessionID, int32) bool) {
		for id, s := range v.f.sessions {
			if !yield(id, s.timeout) {
				return
			}
		}
	}
}

// Ephemerals ranges over the sessions that own ephemeral znodes and the paths of
// these, in no order of sessions.
func (v View) Ephemerals() iter.Seq2[protocol.SessionID, []string] {
	return func(yield func(protocol.SessionID, []string) bool) {
		for _, id := range v.f.tree.EphemeralSessions() {
			if !yield(protocol.SessionID(id), v.f.tree.EphemeralsOf(id)) {
				return
			}
		}
	}
}

// Digest is a hash of the tree, which is the same on every server at the same
// zxid. It reads all of it.
func (v View) Digest() uint64 { return v.f.tree.Digest() }

// NodeCount, EphemeralCount and ApproximateDataSize describe the tree as
// ZooKeeper's metrics of these names do.
func (v View) NodeCount() int { return v.f.tree.NodeCount() }

// EphemeralCount counts the ephemeral znodes.
func (v View) EphemeralCount() int { return v.f.tree.EphemeralCount() }

// ApproximateDataSize is the sum of path lengths and data in bytes.
func (v View) ApproximateDataSize() int64 { return v.f.tree.ApproximateDataSize() }
