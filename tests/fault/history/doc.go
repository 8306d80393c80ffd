// Package history is what clients saw while servers were made to fail, and the rules that it has to obey: pure functions
// from a history to the violations in it. They judge by what was sent and received alone, so they hold for any server
// with ZooKeeper's semantics; what is asked beyond those (a pause no longer than so much, no connection lost) is for the
// scenarios.
//
// It leaves to others how a history comes about (package loadclient) and which faults are made (package fault).
//
// Invariants:
//   - The records of a client stand in the order in which the client's own program and its connection made them: a Call
//     before its first byte is written, a Reply or Event when its last byte has been read. So of two frames of one
//     connection the one that came first stands first.
//   - All times are of one monotonic clock that the whole history shares.
//   - A violation is certain: where a rule cannot tell, it keeps silent. What it cannot tell stands with the rule.
package history
