// Package zoocfg reads zoo.cfg and myid into a server.Config.
//
// It takes the file as ZooKeeper does ("ZooKeeper Administrator's Guide,
// Configuration Parameters"; QuorumPeerConfig where the guide is silent): the
// whole syntax of Java properties, every known key by its own rules, and
// unknown keys kept as properties. It differs in four ways. All faults are
// reported at once, each with file, line, key and what would be right. The
// prefix "zookeeper." is accepted before any key. Overrides (-D without that
// prefix) win over the file for any key; Java properties (with it) weigh what they
// weigh in ZooKeeper, see Sources. And what is not supported and cannot be left out in
// silence, such as weights of servers, is refused by name.
//
// The variables by which container images are configured are taken for a file
// where there is none, see [Environment].
//
// What a configuration means in the end, and which values are in range, is for
// server.Config to say; this package adds where in the file it was said.
//
// It also writes: with reconfigEnabled the membership of an ensemble goes back
// into the files (Record), where operators and scripts look for it.
//
// Invariant: no input makes this package panic. Load reads files and nothing
// else: no name is resolved and nothing is written.
package zoocfg
