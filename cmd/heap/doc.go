// Package heap decides how much memory the process takes from the system beyond
// what it uses: Limit follows the limit of its cgroup, and a Pace says when to
// collect garbage and when to give memory back. All of it is process-wide, so it
// belongs to a command and not to a server.
//
// Invariant: what an operator says in GOGC, GOMEMLIMIT or AUTOMEMLIMIT wins.
//
// Go's own pace lets the heap double before it collects. That suits a program
// whose collections cost as much as its heap is large. Here they do not: the
// znodes are slabs that the collector hardly looks into, a million of them cost
// it some milliseconds. So a large heap gets less headroom than it is large,
// which is where most of a full server's memory would be, and a small one more,
// for a busy server with few znodes would otherwise collect fifty times a
// second.
package heap
