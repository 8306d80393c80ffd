package quorum

import "github.com/hashicorp/raft"

// A follower's log begins behind its snapshot, and Raft refuses what follows an
// entry that is not in the log, unless that is the last one. So where an answer was
// lost, or a new leader has to replace the first entries, the leader goes back to a
// snapshot of its own. That brings nothing new here, and what follows would be
// refused again.

// skipApplied takes from a message what is applied here and not in the log any
// more: every leader from now on has the same there, and Raft need not look. What is
// left follows the last entry applied, and Raft compares it with the log as ever.
// It may read from the disk.
func (n *Node) skipApplied(q *raft.AppendEntriesRequest) {
	r := n.raft.Load()
	if r == nil || q.Term < r.CurrentTerm() {
		return
	}
	applied := r.AppliedIndex()
	if q.PrevLogEntry > applied || n.logs.GetLog(q.PrevLogEntry, new(raft.Log)) == nil {
		return
	}
	rest := q.Entries[min(applied-q.PrevLogEntry, uint64(len(q.Entries))):]
	q.LeaderCommitIndex = commitIn(q.LeaderCommitIndex, applied, len(rest))
	q.PrevLogEntry, q.PrevLogTerm, q.Entries = 0, 0, rest // 0: Raft does not look
}
