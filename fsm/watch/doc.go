// Package watch keeps the watches of this server's client connections and
// decides which connection hears of which change.
//
// It follows ZooKeeper 3.9 ("ZooKeeper Programmer's Guide, ZooKeeper
// Watches"; org.apache.zookeeper.server.watch.WatchManager and the trigger
// calls of DataTree). ZooKeeper has two tables, DATA and CHILD, and three
// modes: STANDARD (fires once), PERSISTENT (stays; always in both tables) and
// RECURSIVE (stays; DATA only, hears of the whole subtree). Here RECURSIVE
// registrations stand in a table of their own, so that the walk over a path's
// ancestors touches nothing else and costs nothing while there are none.
//
// Left to others: whether a path exists and what a catch-up event of
// setWatches must say (fsm), who may hear an event (the Sink, which knows its
// connection's identities), and what an event looks like on the wire.
//
// Watches are local to one server and die with their connection. They are
// never part of a snapshot, and nothing here may reach an apply result.
//
// Invariants:
//   - A Watcher has at most one registration per table and path.
//   - A trigger tells each Watcher at most once per step, and a Watcher told
//     that its node is gone by the DATA table is not told again by CHILD.
//   - A STANDARD registration that matched is gone when the trigger returns,
//     whatever its Sink made of the event.
//   - After Close has returned the Watcher's Sink is not called again.
//   - Events reach Sinks in an order that depends on the order of
//     registrations alone: first the registrations at the path itself, then
//     RECURSIVE ones from the path up to the root, each list oldest first.
//
// Lock order: the state lock, then the table's own, then whatever a Sink
// takes. The table has a lock of its own because reads register watches side
// by side, and connections close, under no more than the shared state lock.
package watch
