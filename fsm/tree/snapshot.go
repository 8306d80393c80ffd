package tree

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"slices"
	"sync"

	"zooraft/protocol"
)

var (
	// ErrSnapshotOpen refuses a second snapshot while one is not yet released,
	// and a second Write of the same one.
	ErrSnapshotOpen = errors.New("a snapshot of the tree is being taken already")
	// ErrInTransaction refuses a snapshot between Begin and Commit or Rollback.
	ErrInTransaction = errors.New("the tree is in a transaction")
)

// The form of a snapshot, all numbers big-endian:
//
//	magic "ZRTR", version uint32, node count uint32, ACL count uint32
//	ACLs: see appendACLText; the first is world:anyone with all permissions
//	nodes: nodeSize bytes as appendNode writes them, name, data
//
// Nodes are numbered from 1 in the order of their slots, which leaves no gaps;
// the root is 1. Next sibling and next of the same owner refer to these numbers,
// 0 is none. What is not written follows from the rest.
const (
	snapshotMagic   = 0x5a525452 // "ZRTR"
	snapshotVersion = 1
	headerSize      = 16
	nodeSize        = 84

	snapshotSlice  = 256     // nodes copied under one hold of the lock
	snapshotBuffer = 1 << 16 // bytes encoded before they are written
)

// Snapshot is the state of a tree at one moment, to be written out once while
// the tree goes on changing. What it costs: Tree.Snapshot copies one bit per
// slot and the table of ACLs; after that, the first change of a slot that is not
// yet written copies the slot, without name and data.
type Snapshot struct {
	tree    *Tree
	count   int
	used    []uint64 // bits, as slotSet.levels[0]
	aclUsed []uint64
	acls    [][]protocol.ACL

	// cursor is the lowest slot not yet copied for writing; saved holds slots
	// from there on as they were, if they have changed. The tree uses both under
	// the write lock, Write under the read lock; readers of the tree never do.
	cursor Ref
	saved  map[Ref]image

	written bool
}

// Snapshot pins the state as it is now. One can be open at a time; it must be
// released whatever becomes of it. The lock must be held for writing.
func (t *Tree) Snapshot() (*Snapshot, error) {
	if t.snapshot != nil {
		return nil, ErrSnapshotOpen
	}
	if t.undo.open {
		return nil, ErrInTransaction
	}
	used := slices.Clone(t.used.levels[0])
	used[0] &^= 1 << None
	t.snapshot = &Snapshot{
		tree:    t,
		count:   t.counts.nodes,
		used:    used,
		aclUsed: slices.Clone(t.acls.used.levels[0]),
		acls:    slices.Clone(t.acls.lists),
		cursor:  Root,
		saved:   map[Ref]image{},
	}
	return t.snapshot, nil
}

// Release lets go of the snapshot. The lock must be held for writing, and Write
// must have returned. A second call does nothing.
func (s *Snapshot) Release() {
	if s.tree.snapshot == s {
		s.tree.snapshot = nil
	}
	s.saved = nil
	s.written = true
}

// NodeCount returns the number of znodes in the snapshot.
func (s *Snapshot) NodeCount() int { return s.count }

// Write writes the snapshot to w and returns how many bytes that took, or got
// through before the error. It must be called without the lock; rlock is the
// lock's reading side, which Write holds for the copying of a few hundred nodes
// at a time and never while it writes. It runs beside readers and changes, and
// returns ErrSnapshotOpen the second time.
func (s *Snapshot) Write(w io.Writer, rlock sync.Locker) (n int64, err error) {
	if s.written {
		return 0, ErrSnapshotOpen
	}
	s.written = true
	counted := &countingWriter{w: w}
	out := bufio.NewWriterSize(counted, snapshotBuffer)
	if err := s.write(out, rlock); err != nil {
		return counted.n, err
	}
	err = out.Flush()
	return counted.n, err
}

func (s *Snapshot) write(out *bufio.Writer, rlock sync.Locker) error {
	nodes, acls := newRanks(s.used), newRanks(s.aclUsed)
	b := binary.BigEndian.AppendUint32(nil, snapshotMagic)
	b = binary.BigEndian.AppendUint32(b, snapshotVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(s.count))
	b = binary.BigEndian.AppendUint32(b, acls.count())
	if _, err := out.Write(b); err != nil {
		return err
	}
	for id, list := range s.acls {
		if !hasBit(s.aclUsed, uint32(id)) {
			continue
		}
		if _, err := out.Write(appendACLText(b[:0], list)); err != nil {
			return err
		}
	}
	var (
		refs   = make([]Ref, 0, snapshotSlice)
		images = make([]image, snapshotSlice)
	)
	for word := 0; word < len(s.used); {
		refs = refs[:0]
		for ; word < len(s.used) && len(refs)+64 <= snapshotSlice; word++ {
			for w := s.used[word]; w != 0; w &= w - 1 {
				refs = append(refs, Ref(word<<6+bits.TrailingZeros64(w)))
			}
		}
		rlock.Lock()
		for i, r := range refs {
			img, ok := s.saved[r]
			if ok {
				delete(s.saved, r)
			} else {
				img = s.tree.imageAt(r)
			}
			images[i] = img
		}
		s.cursor = Ref(word << 6)
		rlock.Unlock()
		for i := range refs {
			img := &images[i]
			b = appendNode(b[:0], &img.node, nodes, acls)
			if _, err := out.Write(b); err != nil {
				return err
			}
			if _, err := out.Write(blobBytes(img.blob, &img.node)); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendNode(b []byte, n *node, nodes, acls ranks) []byte {
	b = binary.BigEndian.AppendUint32(b, nodes.of(uint32(n.parent)))
	b = binary.BigEndian.AppendUint32(b, nodes.of(uint32(n.next)))
	b = binary.BigEndian.AppendUint32(b, nodes.of(uint32(n.ownerNext)))
	b = binary.BigEndian.AppendUint32(b, acls.of(n.acl)-1)
	b = binary.BigEndian.AppendUint32(b, n.nameLen)
	b = binary.BigEndian.AppendUint32(b, n.dataLen)
	b = binary.BigEndian.AppendUint32(b, uint32(n.version))
	b = binary.BigEndian.AppendUint32(b, uint32(n.created))
	b = binary.BigEndian.AppendUint32(b, uint32(n.aversion))
	b = binary.BigEndian.AppendUint64(b, uint64(n.czxid))
	b = binary.BigEndian.AppendUint64(b, uint64(n.mzxid))
	b = binary.BigEndian.AppendUint64(b, uint64(n.pzxid))
	b = binary.BigEndian.AppendUint64(b, uint64(n.ctime))
	b = binary.BigEndian.AppendUint64(b, uint64(n.mtime))
	b = binary.BigEndian.AppendUint64(b, uint64(n.owner))
	return b
}

// ranks numbers the members of a bit set from 1.
type ranks struct {
	words  []uint64
	before []uint32 // members in the words before; one longer than words
}

func newRanks(words []uint64) ranks {
	before := make([]uint32, len(words)+1)
	for i, w := range words {
		before[i+1] = before[i] + uint32(bits.OnesCount64(w))
	}
	return ranks{words, before}
}

func (r ranks) count() uint32 { return r.before[len(r.words)] }

// of returns the number of i, and 0 if i is not a member, as None is not.
func (r ranks) of(i uint32) uint32 {
	if !hasBit(r.words, i) {
		return 0
	}
	low := r.words[i>>6] & (1<<(i&63) - 1)
	return r.before[i>>6] + uint32(bits.OnesCount64(low)) + 1
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
