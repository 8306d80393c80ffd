// Package tree keeps the znodes: names, data, ACLs, Stats, children, and which
// znodes belong to a session, are containers or have a TTL. It knows the path
// rules and what each mutation does to a node and its parent (ZooKeeper
// Programmer's Guide, Data Model; DataTree.java where the guide is silent). It
// leaves permissions, version arguments, watches and quotas to its callers.
//
// Nodes live in slabs and refer to each other by Ref, a slot number, so a
// million of them are a thousand objects to the garbage collector, plus one
// pointer-free allocation each for name and data. DESIGN.md says why.
//
// Concurrency: a Tree has no lock. Its user owns one RWMutex; methods that
// change the tree need it held for writing, all others for reading. Changes are
// those in change.go and undo.go, Tree.Snapshot and Snapshot.Release.
//
// A Ref is valid until its node is deleted; its slot is then used again. The
// bytes of Data, Name and ACL never change in place: they stay as they are after
// the lock is released and even after the node is gone.
//
// Invariant: the same calls in the same order give the same tree, the same
// answers and the same snapshot bytes, in every process.
//
// Invariant: slot r is in use if and only if t.used has r, and then every slot
// from it up to the root is in use too.
//
// Invariant: each change of a slot is preceded by Tree.touch, which keeps what
// an open snapshot and an open transaction still need of it.
package tree
