package tree

import (
	"fmt"
	"math"

	"zooraft/protocol"
)

// touch keeps what an open snapshot and an open transaction need of slot r. It
// must be called before each change of the slot, a first use included.
func (t *Tree) touch(r Ref) {
	if s := t.snapshot; s != nil && r >= s.cursor && hasBit(s.used, uint32(r)) {
		if _, ok := s.saved[r]; !ok {
			s.saved[r] = t.imageAt(r)
		}
	}
	if t.undo.open {
		u := undoSlot{ref: r, inUse: t.used.has(uint32(r))}
		if u.inUse {
			u.image = t.imageAt(r)
		}
		t.undo.slots = append(t.undo.slots, u)
	}
}

// alloc finds a slot for a new node. The caller fills it with setSlot.
func (t *Tree) alloc() Ref {
	r := Ref(t.used.lowest())
	t.touch(r)
	return r
}

// Create adds a child to parent. It copies name, data and list; data may be null
// (nil) or empty. owner is a session, 0, ContainerOwner or a TTLOwner; zxid and
// now (ms since 1970) are the transaction's.
// REQUIRES: name is not empty and has no slash; parent has no child of that name
// and is not ephemeral.
//
// As in ZooKeeper, once the parent has counted 2^31-1 creations, neither that
// count nor its pzxid moves any more (DataTree.createNode).
func (t *Tree) Create(parent Ref, name string, data []byte, list []protocol.ACL, owner, zxid, now int64) Ref {
	if t.Child(parent, name) != None {
		panic(fmt.Sprintf("tree: %q has a child %q already", t.Path(parent), name))
	}
	n := node{
		czxid: zxid, mzxid: zxid, pzxid: zxid,
		ctime: now, mtime: now,
		owner:   owner,
		acl:     t.acls.intern(list),
		nameLen: uint32(len(name)),
		dataLen: dataLen(data),
	}
	t.retainACL(n.acl)
	r := t.alloc()
	t.setSlot(r, image{n, newBlob(name, data)}, true)
	t.attach(r, parent)
	if p := t.at(parent); p.created < math.MaxInt32 {
		p.created++
		p.pzxid = zxid
	}
	return r
}

func dataLen(data []byte) uint32 {
	if data == nil {
		return nullData
	}
	return uint32(len(data))
}

// attach enters r, filled and touched, into its parent's children, the index,
// its owner's list and the counts.
func (t *Tree) attach(r, parent Ref) {
	n := t.at(r)
	n.parent = parent
	n.pathLen = 1
	if parent != None {
		p := t.at(parent)
		n.hash = t.hashChild(p.hash, blobName(t.blobAt(r), n))
		n.pathLen += n.nameLen
		if parent != Root {
			n.pathLen += p.pathLen
		}
		t.linkChild(r, parent)
		t.enter(r)
	}
	t.linkOwner(r)
	t.counts.nodes++
	t.counts.size += int64(n.pathLen) + n.dataSize()
}

func (t *Tree) linkChild(r, parent Ref) {
	t.touch(parent)
	p, n := t.at(parent), t.at(r)
	p.children++
	n.next = None
	if p.first == None {
		p.first, n.prev = r, r
		return
	}
	t.touch(p.first)
	first := t.at(p.first)
	if first.prev != p.first {
		t.touch(first.prev)
	}
	n.prev = first.prev
	t.at(first.prev).next = r
	first.prev = r
}

func (t *Tree) unlinkChild(r Ref) {
	n := t.at(r)
	t.touch(n.parent)
	p := t.at(n.parent)
	p.children--
	if p.first == r {
		p.first = n.next
	} else {
		t.touch(n.prev)
		t.at(n.prev).next = n.next
	}
	// The next one, or else the first, whose prev is the last.
	after := n.next
	if after == None {
		after = p.first
	}
	if after != None {
		t.touch(after)
		t.at(after).prev = n.prev
	}
}

// Delete removes r.
// REQUIRES: r has no children and is not one that IsSystem names.
func (t *Tree) Delete(r Ref, zxid int64) {
	n := t.at(r)
	if n.first != None || r == Root {
		panic(fmt.Sprintf("tree: delete of %q, which has %d children", t.Path(r), n.children))
	}
	t.touch(r)
	t.unlinkChild(r)
	t.leave(r)
	t.unlinkOwner(r)
	p := t.at(n.parent)
	p.pzxid = max(p.pzxid, zxid)
	t.counts.nodes--
	t.counts.size -= int64(n.pathLen) + n.dataSize()
	t.releaseACL(n.acl)
	t.setSlot(r, image{}, false)
}

// SetData replaces the data of r, which may be null (nil), and copies it. The
// version grows by one, from 2^31-1 to -2^31, and passes through -1 as in
// ZooKeeper 3.9.
func (t *Tree) SetData(r Ref, data []byte, zxid, now int64) {
	t.ReplaceData(r, data)
	n := t.at(r)
	n.version++
	n.mzxid = zxid
	n.mtime = now
}

// ReplaceData replaces the data of r and nothing else: the bookkeeping of quotas
// in their StatsName znodes.
func (t *Tree) ReplaceData(r Ref, data []byte) {
	t.touch(r)
	n := t.at(r)
	t.counts.size -= n.dataSize()
	t.chunks[r>>chunkBits].blobs[r&chunkMask] = newBlob(t.Name(r), data)
	n.dataLen = dataLen(data)
	t.counts.size += n.dataSize()
}

// SetConfig puts the ensemble's configuration into ConfigPath, whose version
// becomes -1 (DataTree.setData by way of reconfig).
func (t *Tree) SetConfig(data []byte, zxid, now int64) {
	r := t.Lookup(ConfigPath)
	t.SetData(r, data, zxid, now)
	t.at(r).version = -1
}

// TakeConfig gives the znode of the membership the content and the version that it
// has in another tree. Its ACL and when it was created stay.
func (t *Tree) TakeConfig(from *Tree) {
	r, was := t.Lookup(ConfigPath), from.Lookup(ConfigPath)
	n := from.at(was)
	t.SetData(r, from.Data(was), n.mzxid, n.mtime)
	t.at(r).version = n.version
}

// SetACL replaces the ACL of r, and copies it. Nothing but the aversion tells.
func (t *Tree) SetACL(r Ref, list []protocol.ACL) {
	id := t.acls.intern(list)
	t.retainACL(id)
	t.touch(r)
	n := t.at(r)
	t.releaseACL(n.acl)
	n.acl = id
	n.aversion++
}
