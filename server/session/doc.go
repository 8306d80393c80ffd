// Package session knows which sessions are alive.
//
// On every server Touches collects the sessions its connections have heard
// from. On the leader the Expirer gets them all, its own server's and those the
// followers report, and hands on the ids of sessions that have been silent for
// too long ("ZooKeeper Programmer's Guide, ZooKeeper Sessions";
// SessionTrackerImpl, ExpiryQueue).
//
// The sessions that one server keeps alone have an Expirer of their own there,
// which leads while that server serves.
//
// Left to others: which sessions exist and who owns them (the replicated
// state), carrying touches to the leader, and putting an expiry in the log.
// Handing an id to Config.Expire decides nothing: the request must name the
// owner and the term it was decided in, and apply may refuse it. When it names
// the owner, it must read the owner first and ask Expirer.Closing second: a
// client that has reconnected since is no longer closing, and must not be
// expired under its new owner's name.
//
// Invariants:
//   - A session that is heard from at t is not handed to Expire before
//     t + timeout, and one that stays silent is handed over within a tick of
//     that if the leader lives and keeps its pace: the deadline is
//     ((t + timeout) / tick + 1) * tick.
//   - All waits are on the injected clock, which must be monotonic. A new
//     leader starts every session's timeout again, and one that was stopped for
//     a while (SIGSTOP, a frozen machine) expires nobody for what it did not
//     hear meanwhile.
//   - An id handed to Expire is not handed over again until it is Closed,
//     Attached or Retried.
//   - No method that the apply goroutine calls waits for anything but the lock,
//     which is held for a bounded number of sessions at a time and never while
//     a callback runs.
package session
