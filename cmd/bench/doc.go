// Package bench measures any server that speaks ZooKeeper's protocol, from its
// clients' side: it is what `zooraft bench` runs.
//
// It knows the wire (package protocol) and nothing of what a server is made of,
// so that Zooraft and ZooKeeper get the same requests from the same client.
//
// Invariants:
//   - The generator spends as little as it can per request: its own processor
//     time is part of every figure when it shares the machine with the servers.
//   - At a fixed rate a latency counts from when the request was due, not from
//     when it could be sent, so a stall counts for all that it held up.
//   - A request that fails is counted as an error and never as an operation.
package bench
