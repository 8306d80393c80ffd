// Package audit writes who changed what into a log of its own, in ZooKeeper's format
// (ZooKeeper Administrator's Guide, "Audit Logging"): one line for each write of a
// client of this server, whatever came of it, for each ephemeral znode that went with
// its session, on every server, and for each snapshot and restore by the admin server;
// none for reads.
//
// Invariants: a line is one line, whatever a path or a name holds. Whoever hands a
// line in never waits for the disk. A line that is lost, because the disk takes none
// for long, is counted, and the gap stands in the file itself as well as in the
// server's log.
package audit
