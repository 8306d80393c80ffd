package tree

import "hash/maphash"

// index finds a node by the hash of its path: for each hash the first of the nodes
// that have it, of which there is rarely more than one; others follow by
// node.hashNext. A creation among many nodes so touches one place of the map and no
// other node, which each would be a cache miss. The map grows by parts, so no single
// creation pays for a large one; it does not shrink.
//
// Invariant: a node is in the list of its hash, and no list is empty.
type index map[uint32]Ref

// hashChild gives the hash of a path from that of its parent and its name. The
// root's is 0. The seed is this process's own and reaches no result.
func (t *Tree) hashChild(parent uint32, name string) uint32 {
	h := maphash.String(t.seed, name) ^ uint64(parent)*0x9e3779b97f4a7c15
	h *= 0xff51afd7ed558ccd
	return uint32(h>>32) & t.hashMask
}

// setFirst makes r the first node that has a hash; with None there is no such node.
func (t *Tree) setFirst(hash uint32, r Ref) {
	if t.undo.open {
		t.undo.index = append(t.undo.index, undoIndex{hash, t.index[hash]})
	}
	if r == None {
		delete(t.index, hash)
	} else {
		t.index[hash] = r
	}
}

// enter puts r, filled and touched, into the index.
func (t *Tree) enter(r Ref) {
	n := t.at(r)
	n.hashNext = t.index[n.hash]
	t.setFirst(n.hash, r)
}

// leave takes r, which is about to go, out of the index.
func (t *Tree) leave(r Ref) {
	n := t.at(r)
	c := t.index[n.hash]
	if c == r {
		t.setFirst(n.hash, n.hashNext)
		return
	}
	for t.at(c).hashNext != r {
		c = t.at(c).hashNext
	}
	t.touch(c)
	t.at(c).hashNext = n.hashNext
}
