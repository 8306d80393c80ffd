// Package netns makes hosts out of network namespaces, for tests whose servers need networks, names or ports of their
// own. It needs root and the command ip.
//
// Invariant: a namespace goes with its test; what a test process leaves that was killed, the next one removes.
package netns
