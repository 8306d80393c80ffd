// Package client is the client port: it accepts connections, answers the
// four-letter words that share the port, settles sessions, and carries the
// requests of each connection through its pipeline.
//
// It speaks package protocol on its sockets and package fsm behind them: reads
// are answered from a view of the state, writes are proposed and answered when
// this server applies them. It leaves to others how a write is committed
// (Proposer), which sessions are alive (Liveness), and what the four-letter
// words say (Config.Words). It knows neither Raft nor peers.
//
// Each connection has a goroutine, readLoop, that takes frames off the socket,
// starts what they ask for and sends the replies that it can make itself; one that
// is quiet gives it up until there is something to read (see sleepers). The
// apply goroutine completes writes, and with them the reads that waited behind
// them; it never waits for a connection, nor makes a system call for one while it
// holds the state lock, but leaves what is to be sent to the flushers, a few
// goroutines for all connections, or after the lock sends to one or two itself.
// Where a socket does not take everything at once, its connection has a writeLoop
// until all has left.
//
// Over TLS the handshake is the first thing that readLoop does (Config.Secure blocks),
// and whatever is sent is sent by a writeLoop, for a write of TLS may block; a quiet
// connection sleeps as any other. What a certificate says that a client is, and what it
// proves by SASL later (SASLServer), become identities as those of auth packets do. There is
// one negotiation of SASL in a connection's life; readLoop takes its steps, and answers
// each ahead of the requests that are under way.
//
// Invariants:
//
//   - Requests of a connection take effect and are answered in the order they
//     came in (auth and sasl aside, which ZooKeeper answers at once, and pings
//     while a reconfig is carried out). A read sees all earlier writes of its
//     connection and none of the later ones.
//   - A reply or event is in the outbox before the state lock under which it was
//     made is released. So an event stands before every reply that shows what
//     it announces, and the zxids of a connection's replies never go back.
//   - When a write completes it is at the head of its connection's pipeline: all
//     before it has been answered. That holds because a write behind a sync or a
//     reconfig is proposed only when that has been answered for, so that nothing
//     but writes is waited for in the order of the log.
//   - Nothing here blocks while it holds the state lock, and nothing that comes
//     from a socket makes this package panic or allocate much more than was sent.
//   - A dead connection sends nothing more, whatever completes for it.
//   - Whoever leaves something in an outbox sees to it that flush is called
//     afterwards: readLoop before it waits for anything, the apply goroutine by
//     touched, anyone else by adding the connection to the flushers.
//
// How a session is kept is settled in the handshake: in the log, or by this
// server alone (see sessionKeeper). The rest of a connection's life is the same for
// both.
//
// Lock order: localSession.turn, the state lock, conn.mu (the pipeline),
// localSessions.mu, the watch table's own lock, outbox.mu. Server.mu is taken with
// or without the state lock; under it only outbox.mu, sleepers.mu and a
// connection's seen.mu are taken. Under flushers.mu, sleepers.mu and seen.mu
// nothing is.
package client
