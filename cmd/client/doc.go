// Package client is a session with servers that speak ZooKeeper's protocol:
// Zooraft's and ZooKeeper's own. It knows lists of servers with a chroot,
// reconnects, logs in again by SASL, puts its watches and identities back, and has every
// request that clients may make, persistent and recursive watches included.
//
// It leaves to its callers what a request means to a person: texts, retries,
// and what to do about a lost connection. Locks and elections are no part of it.
//
// Invariants:
//   - Requests are answered in the order in which they were made, and an event
//     is told before the reply that shows what it announced.
//   - A request ends: with its reply, or with ErrConnectionLoss once the
//     connection that carried it is gone, or once no server of the list could be
//     reached. It is never sent twice.
//   - Paths of callers and events are those below the chroot.
//
// The behaviour follows org.apache.zookeeper.ClientCnxn; where that gives up a
// request because the first server of a list is down, this asks the others.
package client
