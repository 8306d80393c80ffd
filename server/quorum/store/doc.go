// Package store keeps what raft must never lose: the log, the term and the
// vote, the snapshots, and the identity of the directories that hold them. It
// opens them, proves that they are whole, and wraps them so that a slow, hung
// or failing disk is noticed.
//
// # Layout
//
//	dataDir/raft/identity              whose directory this is
//	dataDir/raft/lock                  held while a process has it open
//	dataDir/raft/snapshots/            where raft.FileSnapshotStore looks for them, each with a seal
//	dataLogDir/raft/identity           the same disk id, if dataLogDir is another
//	dataLogDir/raft/lock
//	dataLogDir/raft/stable.db          term and vote, a raft-boltdb of their own
//	dataLogDir/raft/log/               raft-wal: a segment table, segments, and spare files for them
//	dataLogDir/raft/log.db             raft-boltdb, the alternative
//	dataLogDir/raft/committed          how far the log was known to be committed
//
// # Invariants
//
// A directory is opened whole or not at all. [Open] reads every segment and
// every page before raft sees any of it: an entry that was committed is handed
// to raft as it was written, or the start is refused with a file and an offset.
// The one thing that is cut is the last write, and only if it is incomplete,
// as a crash leaves it; that is told in a warning. Where the two cannot be told
// apart (see verifySegment), the start is refused.
//
// A server that votes must remember its votes and its log. So a directory that
// belongs to another server, that has raft state without an identity, or an
// identity without the files of its raft state, is refused; and so is one that knows
// its cluster and has no log. [Stores.Blank] is true only if this server has neither
// voted nor stored anything: nobody counts on a term alone, which is what a kill in
// the midst of the first start leaves.
//
// After a failed write to the log, or of a term or vote, nothing more is written
// there: what the disk holds is then unknown until the store is opened and verified
// again.
//
// It leaves to its owner: raft itself, what to do about a stall or a failure
// (exit, so that another leader can be elected), and what a snapshot says.
package store
