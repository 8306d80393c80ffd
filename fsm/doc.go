// Package fsm is the replicated state machine: the requests that go into the
// Raft log, what applying them does, the session table, the views that reads
// are answered from, and the snapshot of it all.
//
// It leaves sockets, leadership, configuration and liveness to others. The
// znodes themselves are in fsm/tree, the watch tables in fsm/watch, access
// control in fsm/acl.
//
// Invariants:
//
//   - The same log gives the same state on every server and at every replay.
//     Apply looks at its state and the entry alone: no clock, no configuration,
//     no randomness, no map order that reaches a result. Time, limits and
//     identities travel in the request, and so does what the configuration of the
//     server that took it says of it (Options): whether ACLs are checked and which
//     schemes there are, whether quotas are enforced, which kinds of nodes may be
//     made. So two servers may be configured differently, and still agree.
//   - Raft's FSM goroutine is the only writer. It holds the state lock while it
//     changes the tree, fires watches and completes requests; readers share the
//     lock. So an event is queued before any reply that shows what it announces.
//   - A request is applied at most once: each server numbers its own, and apply
//     takes only the next number of a server's current incarnation.
//   - A request that a client would see fail is a Result with a protocol code.
//     An entry or request that cannot be decoded is a broken log: apply panics,
//     for going on would make this server differ from the others.
package fsm
