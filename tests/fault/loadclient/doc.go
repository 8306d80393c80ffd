// Package loadclient is a ZooKeeper client for load and faults: one session, one connection at a time, requests
// pipelined as far as its user likes. It hides nothing. It never reconnects, retries or pings by itself, and each
// request, reply, watch event, lost connection and refused session goes into its history.
//
// It leaves to its user when to connect, and to what; which requests to send; and whether what came back was right. Only
// what would make a history unreadable it judges itself: a frame that does not decode, or a reply that is not for the
// oldest request, is recorded as broken and ends the connection.
//
// Invariants:
//   - The order of history records is that of package history: a Call stands before its bytes are sent, frames received
//     stand in the order of the stream.
//   - Each Request is done exactly once: with its reply, or with ErrLost when its connection ends.
package loadclient
