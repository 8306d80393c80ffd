package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"zooraft/protocol"
)

// ErrCorrupt is wrapped by all errors of Read but those of its reader.
var ErrCorrupt = errors.New("corrupt snapshot of the tree")

// readStep bounds what Read allocates on the word of a length alone.
const readStep = 1 << 16

// Read makes the tree that a snapshot holds. It takes exactly the bytes that
// Snapshot.Write wrote, in small pieces, so r had better be buffered; a checksum
// is the caller's affair. It checks all that holds a tree together, and its
// errors name the byte offset. Slots are numbered anew, without gaps.
func Read(r io.Reader) (*Tree, error) {
	d := decoder{r: r}
	t := newEmpty()
	count, err := d.readHeader(t)
	if err != nil {
		return nil, err
	}
	start := d.offset
	for i := uint32(1); i <= count; i++ {
		if err := d.readNode(t, Ref(i), count); err != nil {
			return nil, err
		}
	}
	if r, err := t.relink(Ref(count)); err != nil {
		offset := start
		for i := Root; i < r; i++ {
			n := t.at(i)
			offset += nodeSize + int64(n.nameLen) + n.dataSize()
		}
		return nil, fmt.Errorf("%w: node %d at byte %d: %w", ErrCorrupt, r, offset, err)
	}
	t.quota = t.Lookup(QuotaPath)
	if t.Lookup(ConfigPath) == None || t.quota == None {
		return nil, fmt.Errorf("%w: before byte %d: %s or %s is missing", ErrCorrupt, d.offset, ConfigPath, QuotaPath)
	}
	return t, nil
}

type decoder struct {
	r      io.Reader
	offset int64
	buf    [nodeSize]byte
}

// bad reports what is wrong with the last n bytes read.
func (d *decoder) bad(n int64, format string, args ...any) error {
	return fmt.Errorf("%w: byte %d: %s", ErrCorrupt, d.offset-n, fmt.Sprintf(format, args...))
}

// fixed reads n bytes, which are valid until the next call.
func (d *decoder) fixed(n int) ([]byte, error) {
	return d.buf[:n], d.fill(d.buf[:n])
}

func (d *decoder) fill(b []byte) error {
	n, err := io.ReadFull(d.r, b)
	d.offset += int64(n)
	switch err {
	case nil:
		return nil
	case io.EOF, io.ErrUnexpectedEOF:
		return d.bad(0, "unexpected end")
	}
	return fmt.Errorf("read snapshot of the tree at byte %d: %w", d.offset, err)
}

// bytes reads n bytes into memory of their own, which it enlarges as they come.
func (d *decoder) bytes(n uint64) ([]byte, error) {
	if n <= readStep {
		b := make([]byte, n)
		return b, d.fill(b)
	}
	var buf bytes.Buffer
	for left := n; left > 0; {
		step := min(left, max(readStep, uint64(buf.Len())))
		buf.Grow(int(step))
		b := buf.AvailableBuffer()[:step]
		if err := d.fill(b); err != nil {
			return nil, err
		}
		buf.Write(b)
		left -= step
	}
	return slices.Clip(bytes.Clone(buf.Bytes())), nil
}

func (d *decoder) uint32() (uint32, error) {
	b, err := d.fixed(4)
	return binary.BigEndian.Uint32(b), err
}

func (d *decoder) readHeader(t *Tree) (nodes uint32, err error) {
	b, err := d.fixed(headerSize)
	if err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint32(b) != snapshotMagic {
		return 0, d.bad(headerSize, "not a snapshot of a tree")
	}
	if v := binary.BigEndian.Uint32(b[4:]); v != snapshotVersion {
		return 0, d.bad(headerSize-4, "version %d, this release reads %d", v, snapshotVersion)
	}
	nodes = binary.BigEndian.Uint32(b[8:])
	if nodes == 0 || nodes == math.MaxUint32 {
		return 0, d.bad(headerSize-8, "%d nodes", nodes)
	}
	acls := binary.BigEndian.Uint32(b[12:])
	for i := uint32(0); i < acls; i++ {
		start := d.offset
		list, err := d.readACL()
		if err != nil {
			return 0, err
		}
		if t.acls.intern(list) != i {
			return 0, d.bad(d.offset-start, "ACL %d is out of place", i)
		}
	}
	if acls == 0 {
		return 0, d.bad(4, "no ACLs")
	}
	return nodes, nil
}

func (d *decoder) readACL() ([]protocol.ACL, error) {
	count, err := d.uint32()
	if err != nil {
		return nil, err
	}
	var list []protocol.ACL
	for ; count > 0; count-- {
		b, err := d.fixed(5)
		if err != nil {
			return nil, err
		}
		if b[4] > 1 {
			return nil, d.bad(1, "%d is no truth value", b[4])
		}
		a := protocol.ACL{Perms: int32(binary.BigEndian.Uint32(b)), NullID: b[4] == 1}
		if a.Scheme, err = d.string(); err != nil {
			return nil, err
		}
		if a.ID, err = d.string(); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func (d *decoder) string() (string, error) {
	n, err := d.uint32()
	if err != nil {
		return "", err
	}
	b, err := d.bytes(uint64(n))
	return string(b), err
}

// readNode fills slot r and checks what can be checked without the others.
func (d *decoder) readNode(t *Tree, r Ref, count uint32) error {
	b, err := d.fixed(nodeSize)
	if err != nil {
		return err
	}
	n := node{
		parent:    Ref(binary.BigEndian.Uint32(b)),
		next:      Ref(binary.BigEndian.Uint32(b[4:])),
		ownerNext: Ref(binary.BigEndian.Uint32(b[8:])),
		acl:       binary.BigEndian.Uint32(b[12:]),
		nameLen:   binary.BigEndian.Uint32(b[16:]),
		dataLen:   binary.BigEndian.Uint32(b[20:]),
		version:   int32(binary.BigEndian.Uint32(b[24:])),
		created:   int32(binary.BigEndian.Uint32(b[28:])),
		aversion:  int32(binary.BigEndian.Uint32(b[32:])),
		czxid:     int64(binary.BigEndian.Uint64(b[36:])),
		mzxid:     int64(binary.BigEndian.Uint64(b[44:])),
		pzxid:     int64(binary.BigEndian.Uint64(b[52:])),
		ctime:     int64(binary.BigEndian.Uint64(b[60:])),
		mtime:     int64(binary.BigEndian.Uint64(b[68:])),
		owner:     int64(binary.BigEndian.Uint64(b[76:])),
	}
	switch {
	case (n.parent == None) != (r == Root) || uint32(n.parent) > count || n.parent == r:
		return d.bad(nodeSize, "node %d: parent %d of %d nodes", r, n.parent, count)
	case uint32(n.next) > count || n.next == Root || r == Root && n.next != None:
		return d.bad(nodeSize-4, "node %d: next sibling %d of %d nodes", r, n.next, count)
	case uint32(n.ownerNext) > count || n.owner == 0 && n.ownerNext != None:
		return d.bad(nodeSize-8, "node %d: next of owner %#x: %d of %d nodes", r, uint64(n.owner), n.ownerNext, count)
	case int64(n.acl) >= int64(len(t.acls.lists)):
		return d.bad(nodeSize-12, "node %d: ACL %d of %d", r, n.acl, len(t.acls.lists))
	case (n.nameLen == 0) != (r == Root):
		return d.bad(nodeSize-16, "node %d: name of %d bytes", r, n.nameLen)
	case n.created < 0:
		return d.bad(nodeSize-28, "node %d: %d creations", r, n.created)
	}
	content, err := d.bytes(uint64(n.nameLen) + uint64(n.dataSize()))
	if err != nil {
		return err
	}
	if bytes.IndexByte(content[:n.nameLen], '/') >= 0 {
		return d.bad(int64(len(content)), "node %d: a slash in its name", r)
	}
	t.acls.retain(n.acl)
	t.setSlot(r, image{n, contentBlob(content)}, true)
	return nil
}

// relink restores what a snapshot leaves out: the lists' other direction, path
// lengths, hashes, index, owners, counts. If links do not make a tree, it
// returns the node at fault.
func (t *Tree) relink(last Ref) (Ref, error) {
	backward := map[Ref]bool{} // parents of which a child comes before an earlier one
	for r := Root; r <= last; r++ {
		n := t.at(r)
		if n.next != None {
			if n.next < r {
				backward[n.parent] = true
			}
			next := t.at(n.next)
			if next.parent != n.parent || next.prev != None {
				return r, fmt.Errorf("next sibling %d has another parent or another before it", n.next)
			}
			next.prev = r
		}
		if n.ownerNext != None {
			next := t.at(n.ownerNext)
			if next.owner == 0 || ownerKey(next.owner) != ownerKey(n.owner) || next.ownerPrev != None {
				return r, fmt.Errorf("next of the same owner, %d, has another owner or another before it", n.ownerNext)
			}
			next.ownerPrev = r
		}
	}
	for r := Root + 1; r <= last; r++ {
		n := t.at(r)
		p := t.at(n.parent)
		if p.children++; p.children < 0 {
			return n.parent, errors.New("too many children")
		}
		if n.prev == None {
			if p.first != None {
				return r, fmt.Errorf("parent %d has another first child, %d", n.parent, p.first)
			}
			p.first = r
		}
	}
	// Each parent has one child that none comes before. What does not follow from
	// there is in a circle, and no circle goes forward only.
	for p := range backward {
		listed := int32(0)
		for r := t.at(p).first; r != None; r = t.at(r).next {
			listed++
		}
		if n := t.at(p); listed != n.children {
			return p, fmt.Errorf("%d of %d children are in its list", listed, n.children)
		}
	}
	if r, err := t.relinkPaths(last); err != nil {
		return r, err
	}
	if r, err := t.relinkOwners(last); err != nil {
		return r, err
	}
	for id, refs := range t.acls.refs {
		if refs == 0 {
			return Root, fmt.Errorf("nobody has ACL %d", id)
		}
	}
	return None, nil
}

// relinkPaths gives each node its path's length and hash, and enters it into the
// index. It goes by slots, not down the tree: neighbours in memory are mostly of
// one age, and a walk from child to child would miss the cache at each step.
func (t *Tree) relinkPaths(last Ref) (Ref, error) {
	t.index = make(index, last)
	root := t.at(Root)
	root.pathLen = 1
	t.counts.nodes, t.counts.size = 1, 1+root.dataSize()
	var up []Ref // without a path yet, each below the next one
	for r := Root + 1; r <= last; r++ {
		up = up[:0]
		for c := r; t.at(c).pathLen == 0; c = t.at(c).parent {
			if up = append(up, c); len(up) > int(last) {
				return r, errors.New("it is its own ancestor, or below one that is")
			}
		}
		for i := len(up) - 1; i >= 0; i-- {
			if err := t.relinkPath(up[i]); err != nil {
				return up[i], err
			}
		}
	}
	return None, nil
}

// relinkPath does it for one node, whose parent has its path.
func (t *Tree) relinkPath(r Ref) error {
	n := t.at(r)
	p := t.at(n.parent)
	name := blobName(t.blobAt(r), n)
	n.hash = t.hashChild(p.hash, name)
	n.hashNext = t.index[n.hash]
	for c := n.hashNext; c != None; c = t.at(c).hashNext {
		if m := t.at(c); m.parent == n.parent && blobName(t.blobAt(c), m) == name {
			return fmt.Errorf("child %q is there twice, as node %d too", name, c)
		}
	}
	t.setFirst(n.hash, r)
	length := 1 + uint64(n.nameLen)
	if n.parent != Root {
		length += uint64(p.pathLen)
	}
	if length > math.MaxUint32 {
		return fmt.Errorf("its path has %d bytes", length)
	}
	n.pathLen = uint32(length)
	if n.next == None {
		t.at(p.first).prev = r
	}
	t.counts.nodes++
	t.counts.size += int64(length) + n.dataSize()
	return nil
}

func (t *Tree) relinkOwners(last Ref) (Ref, error) {
	owned := 0
	for r := Root; r <= last; r++ {
		n := t.at(r)
		if n.owner == 0 {
			continue
		}
		key := ownerKey(n.owner)
		list := t.owners[key]
		list.count++
		owned++
		if n.ownerPrev == None {
			if list.first != None {
				return r, fmt.Errorf("owner %#x has another first node, %d", uint64(n.owner), list.first)
			}
			list.first = r
		}
		if n.ownerNext == None {
			list.last = r
		}
		t.owners[key] = list
		if IsEphemeralOwner(n.owner) {
			t.counts.ephemerals++
		}
	}
	// Each list has one node that none comes before. What does not follow from
	// there is in a circle.
	for r := Root; r <= last; r++ {
		n := t.at(r)
		if n.owner == 0 || n.ownerPrev != None {
			continue
		}
		for c := r; c != None; c = t.at(c).ownerNext {
			owned--
		}
	}
	if owned != 0 {
		return Root, fmt.Errorf("%d nodes are in no owner's list", owned)
	}
	return None, nil
}
