// Package server puts one Zooraft server together: the replicated state machine
// (fsm), its part in the quorum (server/quorum), the client port
// (server/client), the liveness of sessions (server/session), what it tells of
// itself (server/admin, server/console) and of what others did (server/audit). TLS
// (server/certs) and logins with Kerberos tickets (server/kerberos) come to the ports
// from here, too. It hands each part what it needs of the others; the parts do not know
// each other.
//
// Locks are taken in this order: digests.mu and duty.mu, what serialises an Expirer
// (session; its callbacks are waited for under it), the turn of a session that this
// server alone keeps (client), the election's mutex (quorum), the state lock
// (fsm.FSM), a connection's mutex (client), quorum.Node's mutex, the sessions that
// this server alone keeps (client), an Expirer's own mutex, the watch table, an
// outbox. Server.mu and client.Server's mutex are taken under any of those up to the
// state lock; under Server.mu nothing is, under client.Server's what stands there.
// What runs under the state lock blocks on nothing else.
//
// A server starts from the inside out and stops from the outside in: client
// port, connections, expiry, hand-over of leadership, peer streams, Raft,
// stores.
package server
