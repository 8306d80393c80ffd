package quorum

import (
	"time"

	"zooraft/fsm"
)

// Applied takes note that everything up to the Raft index is applied here. It
// is called under the state lock, and does not block.
func (n *Node) Applied(v fsm.View, index uint64) {
	n.applied.Store(index)
	n.countApplied()
	n.releaseSyncs(v, index)
	n.batch.noteApplied(index)
	n.noteMembership(v)
}

// countApplied counts the requests of the batch as committed: by this leader, or
// as it was told.
func (n *Node) countApplied() {
	requests, _ := n.fsm.Work()
	done := int64(requests - n.counted)
	n.counted = requests
	n.cfg.Metrics.CommitsQueued.Add(done)
	if n.leadTerm.Load() != 0 {
		n.cfg.Metrics.Commits.Add(done)
	} else {
		n.cfg.Metrics.CommitsReceived.Add(done)
	}
}

// Led takes note that a leader's first entry is applied. Called under the state
// lock.
func (n *Node) Led(term uint64) {
	if since := n.downSince.Swap(0); since != 0 {
		d := time.Since(time.Unix(0, since))
		n.cfg.Metrics.UnavailableTime.Time(d)
		if sid, _ := n.Leader(); sid == n.cfg.SID {
			n.cfg.Metrics.LeaderUnavailable.Time(d)
		}
	}
	n.office.Store(term)
	n.poke()
}

// SnapshotInstalled drops what it has overtaken: those requests are applied, and
// their outcomes are not to be known any more.
func (n *Node) SnapshotInstalled(v fsm.View) {
	n.applied.Store(v.AppliedIndex())
	n.snaps.restored.Store(true)
	n.releaseSyncs(v, v.AppliedIndex())
	if n.tailReplaced() {
		n.events.Fatal(errTailReplaced)
	}
	inc, last, _ := v.Server(n.cfg.SID)
	n.mu.Lock()
	o := &n.origin
	fenced := false
	switch {
	case o.incarnation == 0:
	case inc != o.incarnation:
		fenced = true
	default:
		if last >= o.base {
			o.popLocked(int(min(last-o.base+1, uint64(o.len()))))
		}
		o.progressAt = time.Now()
		n.handOnLocked()
	}
	n.mu.Unlock()
	if fenced {
		n.events.Fatal(ErrFenced)
	}
}
