// Package quorum is the only user of Raft: it owns the stores, the transport
// and the peer streams of one server, numbers this server's requests and has
// them committed, confirms read indexes, and decides who stands for election
// first. It knows nothing of client frames or connections.
//
// The path of a write: Propose (propose.go) gives it this server's next number,
// keeps it in flight and hands it on, to the batch on the leader (batch.go) or
// over the peer stream to the leader's; one Raft entry carries what has queued;
// apply at this server pops it (Completed in propose.go).
//
// Invariants:
//
//   - The requests of this process reach apply in the order of their numbers,
//     each exactly once, however many leaders they took: whatever may have been
//     lost is sent again from the last one applied, and apply skips duplicates
//     and refuses gaps.
//   - Raft's futures are looked at for errors alone, where one is likely. No result travels back.
//   - A server votes only under an identity that its disk bears (join.go).
//   - Raft's configuration changes by one server at a time, and only by the leader's
//     duty to bring it to the membership (membership.go).
//   - Lock order: election.mu, the state lock (fsm), Node.mu; package server has the
//     whole list. The batcher's and the mesh's locks are taken under Node.mu, room.mu
//     under election.mu; none of the list is taken under these. Nothing blocks under
//     Node.mu: the end of the log, which is read there, is cached.
package quorum
