package quorum

import (
	"time"

	"github.com/hashicorp/raft"
)

// A server that starts without a quorum does not learn from Raft how far its log
// is committed, and so has no more to show than its last snapshot. Where it is to
// serve reads then, it notes while it runs how far it has applied, and applies as
// much at the next start, before Raft does. What it shows is a prefix of the
// ensemble's history; ZooKeeper's read-only server shows all of its log, also
// what was never committed.

// markEvery is how often the place is noted: a server shows the state of that
// long before its end, or of its end if that was orderly.
const markEvery = time.Second

// marks is owned by keepMarks, and after it by Close.
type marks struct {
	index    uint64 // the place that was last noted
	replayed uint64 // up to where the state was replayed at the start
}

// replay applies what was noted as committed.
func (n *Node) replay() error {
	index, term, err := n.stores.Committed()
	if err != nil {
		return err
	}
	_, applied := n.fsm.Clock()
	var last raft.Log
	if index <= applied || n.stores.Log.GetLog(index, &last) != nil || last.Term != term {
		return nil // nothing noted, or of another log
	}
	start := time.Now()
	if err := replay(n.stores.Log, n.fsm, applied, index, n.rests.giveWay); err != nil {
		return err
	}
	n.marks.index, n.marks.replayed = index, index
	n.cfg.Metrics.StartReplayed.Observe(int64(index - applied))
	n.cfg.Metrics.StartReplayTime.Time(time.Since(start))
	n.log.Info("applied what the log is known to hold", "index", index, "count", index-applied, "duration", time.Since(start))
	return nil
}

// keepMarks notes the place until the node stops. The main loop must not wait for a disk.
func (n *Node) keepMarks() {
	defer n.loop.Done()
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-tick.C:
			n.markCommitted()
		}
	}
}

// markCommitted notes how far this server has applied the log.
func (n *Node) markCommitted() {
	index := n.applied.Load()
	var l raft.Log
	if index <= n.marks.index || n.stores.Log.GetLog(index, &l) != nil {
		return
	}
	if err := n.stores.NoteCommitted(index, l.Term); err != nil {
		n.log.Warn("a start without a quorum will show less", "error", err)
		return
	}
	n.marks.index = index
}
