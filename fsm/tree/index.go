package tree

import "hash/maphash"

const (
	indexChunkBits = 12
	indexChunkSize = 1 << indexChunkBits
	indexChunkMask = indexChunkSize - 1

	maxIndex = 1 << 31 // buckets
)

// index finds a node by the hash of its path. It is a table of buckets, each the
// first of a chain by node.hashNext. It grows by one bucket at a time (linear
// hashing), so no single creation pays for a large table; it does not shrink. A
// map of hashes would cost three times the memory and another cache miss.
//
// Invariant: a node is in the chain of bucket(node.hash).
type index struct {
	chunks [][]Ref
	size   uint32 // buckets
	mask   uint32 // the least 2^k-1 that is not less than size-1
}

func newIndex() index { return sizedIndex(1) }

// sizedIndex is an index that has room for n nodes.
func sizedIndex(n uint32) index {
	x := index{size: min(max(n, 1), maxIndex)}
	for x.size-1 > x.mask {
		x.mask = x.mask<<1 | 1
	}
	for size := uint64(0); size < uint64(x.size); size += indexChunkSize {
		x.chunks = append(x.chunks, make([]Ref, indexChunkSize))
	}
	return x
}

// bucket returns the bucket of a hash. Those beyond size have not been split off
// theirs yet.
func (x *index) bucket(hash uint32) uint32 {
	b := hash & x.mask
	if b >= x.size {
		b = hash & (x.mask >> 1)
	}
	return b
}

func (x *index) get(bucket uint32) Ref {
	return x.chunks[bucket>>indexChunkBits][bucket&indexChunkMask]
}

func (x *index) set(bucket uint32, r Ref) {
	x.chunks[bucket>>indexChunkBits][bucket&indexChunkMask] = r
}

// hashChild gives the hash of a path from that of its parent and its name. The
// root's is 0. The seed is this process's own and reaches no result.
func (t *Tree) hashChild(parent uint32, name string) uint32 {
	h := maphash.String(t.seed, name) ^ uint64(parent)*0x9e3779b97f4a7c15
	h *= 0xff51afd7ed558ccd
	return uint32(h>>32) & t.hashMask
}

// firstOf returns the first node that may have a path of the given hash; others
// follow by node.hashNext.
func (t *Tree) firstOf(hash uint32) Ref { return t.index.get(t.index.bucket(hash)) }

// growIndex splits off buckets until there are as many as nodes. It moves nodes
// between chains without touch, for no snapshot holds chains. REQUIRES: no
// transaction is open, for its undo log does.
func (t *Tree) growIndex() {
	x := &t.index
	for int(x.size) < t.counts.nodes && x.size < maxIndex {
		if x.size > x.mask {
			x.mask = x.mask<<1 | 1
		}
		if x.size&indexChunkMask == 0 {
			x.chunks = append(x.chunks, make([]Ref, indexChunkSize))
		}
		from, to := x.size&(x.mask>>1), x.size
		x.size++
		var stay, move Ref
		for r := x.get(from); r != None; {
			n := t.at(r)
			next := n.hashNext
			if x.bucket(n.hash) == to {
				n.hashNext, move = move, r
			} else {
				n.hashNext, stay = stay, r
			}
			r = next
		}
		x.set(from, stay)
		x.set(to, move)
	}
}

// setFirst makes r the first node of a bucket's chain.
func (t *Tree) setFirst(bucket uint32, r Ref) {
	if t.undo.open {
		t.undo.index = append(t.undo.index, undoIndex{bucket, t.index.get(bucket)})
	}
	t.index.set(bucket, r)
}

// enter puts r, filled and touched, into the index.
func (t *Tree) enter(r Ref) {
	if !t.undo.open {
		t.growIndex()
	}
	n := t.at(r)
	b := t.index.bucket(n.hash)
	n.hashNext = t.index.get(b)
	t.setFirst(b, r)
}

// leave takes r, which is about to go, out of the index.
func (t *Tree) leave(r Ref) {
	n := t.at(r)
	b := t.index.bucket(n.hash)
	c := t.index.get(b)
	if c == r {
		t.setFirst(b, n.hashNext)
		return
	}
	for t.at(c).hashNext != r {
		c = t.at(c).hashNext
	}
	t.touch(c)
	t.at(c).hashNext = n.hashNext
}
