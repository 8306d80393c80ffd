package quorum

// Raft tells a follower of a commit with the next AppendEntries, which when
// writes pause is one or two CommitTimeouts away: each lone write of a
// follower's client would feel it, and each watch there. So a leader that hears of a
// commit, with nothing newer on its way, tells the followers by a message without
// entries, before it applies the commit itself. The next entry would tell them only
// when it is on their disks, for Raft looks at the commit index of a message
// behind its entries.
//
// Invariant: the term of a message and that of its entry are one, and only
// entries that this server proposed while leading are announced. So a leader out
// of office never speaks in its successor's term, and to Raft the message is one
// of its own (Raft, section 5.3).

// noteCommitted takes note that everything up to the Raft index is committed and about
// to be applied here. Only the apply goroutine calls it, without the state lock; it
// does not block.
func (n *Node) noteCommitted(index, term uint64) {
	if n.mesh == nil || n.leadTerm.Load() != term {
		return
	}
	if r := n.raft.Load(); r == nil || r.LastIndex() != index {
		return
	}
	for _, p := range *n.trans.appenders.Load() {
		p.notice(index, term)
	}
}
