package tree

import "unsafe"

// Ref names a node by its slot. It stays the same for the node's life.
type Ref uint32

// None is the Ref of no node, Root that of the root.
const (
	None Ref = 0
	Root Ref = 1
)

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits // 120 KiB a chunk
	chunkMask = chunkSize - 1

	nullData = ^uint32(0) // node.dataLen of data that is null, not empty
)

// node is a znode without its bytes. It holds no pointer, see chunk.
type node struct {
	czxid, mzxid, pzxid int64
	ctime, mtime        int64 // ms since 1970
	owner               int64 // the stored ephemeralOwner, see IsEphemeralOwner

	version, aversion int32
	created           int32 // child creations ever: the next sequence number
	children          int32

	// Siblings are a list in order of creation; the first one's prev is the last.
	parent, first, next, prev Ref

	hash     uint32 // of the path, see hashChild
	hashNext Ref    // the next node of the same hash, see index

	ownerNext, ownerPrev Ref // see ownerList

	acl     uint32 // see aclTable
	nameLen uint32
	dataLen uint32 // or nullData
	pathLen uint32
}

func (n *node) dataSize() int64 {
	if n.dataLen == nullData {
		return 0
	}
	return int64(n.dataLen)
}

// blob is the one allocation that holds a node's name followed by its data; its
// lengths are in the node. Invariant: its bytes never change.
type blob *byte

// chunk is a slab of nodes. The collector scans an object up to its last
// pointer, so with the pointers in front it reads a fifteenth of a chunk.
type chunk struct {
	blobs [chunkSize]blob
	nodes [chunkSize]node
}

// image is a copy of all that a slot holds.
type image struct {
	node
	blob blob
}

func newBlob(name string, data []byte) blob {
	b := make([]byte, len(name)+len(data))
	copy(b[copy(b, name):], data)
	return contentBlob(b)
}

// contentBlob takes over b, a name followed by data.
func contentBlob(b []byte) blob {
	if len(b) == 0 {
		return nil
	}
	return unsafe.SliceData(b)
}

func blobBytes(b blob, n *node) []byte {
	return unsafe.Slice((*byte)(b), uint64(n.nameLen)+uint64(n.dataSize()))
}

func blobName(b blob, n *node) string {
	return unsafe.String((*byte)(b), n.nameLen)
}

var empty = []byte{}

func blobData(b blob, n *node) []byte {
	switch n.dataLen {
	case nullData:
		return nil
	case 0:
		return empty
	}
	data := blobBytes(b, n)[n.nameLen:]
	return data[:len(data):len(data)]
}

func (t *Tree) at(r Ref) *node {
	return &t.chunks[r>>chunkBits].nodes[r&chunkMask]
}

func (t *Tree) blobAt(r Ref) blob {
	return t.chunks[r>>chunkBits].blobs[r&chunkMask]
}

func (t *Tree) imageAt(r Ref) image {
	return image{*t.at(r), t.blobAt(r)}
}

// setSlot makes the slot r hold img, in use or not, and gives back the memory of
// a chunk that has become empty. One such chunk is kept, so that a node that
// comes and goes at the edge of a chunk does not cost an allocation each time.
func (t *Tree) setSlot(r Ref, img image, inUse bool) {
	i := int(r >> chunkBits)
	for i >= len(t.chunks) {
		t.chunks = append(t.chunks, nil)
	}
	if t.chunks[i] == nil {
		if t.chunks[i], t.spare = t.spare, nil; t.chunks[i] == nil {
			t.chunks[i] = new(chunk)
		}
	}
	c := t.chunks[i]
	c.nodes[r&chunkMask], c.blobs[r&chunkMask] = img.node, img.blob
	switch was := t.used.has(uint32(r)); {
	case inUse && !was:
		t.used.add(uint32(r))
	case !inUse && was:
		t.used.remove(uint32(r))
		if t.chunkEmpty(i) {
			t.chunks[i], t.spare = nil, c
		}
	}
}

func (t *Tree) chunkEmpty(i int) bool {
	const words = chunkSize / 64
	bits := t.used.levels[0]
	for _, w := range bits[min(i*words, len(bits)):min((i+1)*words, len(bits))] {
		if w != 0 {
			return false
		}
	}
	return true
}
