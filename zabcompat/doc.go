// Package zabcompat is the bridge between Raft's vocabulary and that of ZAB,
// ZooKeeper's atomic broadcast: zxids and how they follow from Raft terms, the
// order of votes, the names of server states, the members of an ensemble as
// server lines name them, the properties files that hold those lines, and the
// login files of Java that stand beside them.
//
// It does no I/O, reads no clock and takes plain integers, so that it knows
// neither a Raft library nor a socket. It imports only the standard library.
//
// Invariant: the zxids of one Clock grow strictly, whatever terms it is given.
package zabcompat
