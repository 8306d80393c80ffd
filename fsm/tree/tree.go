package tree

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

	"zooraft/protocol"
)

// Tree is the tree of znodes. New and Read make one.
type Tree struct {
	chunks []*chunk
	spare  *chunk // empty, all zero
	used   slotSet

	index    index
	seed     maphash.Seed
	hashMask uint32 // all ones; fewer in tests, to make hashes collide

	acls   aclTable
	owners map[int64]ownerList
	counts counts
	quota  Ref // QuotaPath

	undo     undoLog
	snapshot *Snapshot // the open one, or nil
}

type counts struct {
	nodes      int
	ephemerals int
	size       int64 // path lengths and data
}

func newEmpty() *Tree {
	t := &Tree{
		used:     newSlotSet(),
		index:    index{},
		seed:     maphash.MakeSeed(),
		hashMask: ^uint32(0),
		acls:     newACLTable(),
		owners:   map[int64]ownerList{},
	}
	t.used.add(uint32(None))
	return t
}

// New makes a tree of the four znodes that ZooKeeper begins with, their Stats
// included: they are born with children that were never created.
func New() *Tree { return newHashed(^uint32(0)) }

func newHashed(mask uint32) *Tree {
	t := newEmpty()
	t.hashMask = mask
	t.born(None, "", openACL)
	system := t.born(Root, "zookeeper", openACL)
	t.quota = t.born(system, "quota", openACL)
	config := t.born(system, "config", t.acls.intern([]protocol.ACL{{Perms: protocol.PermRead, Scheme: "world", ID: "anyone"}}))
	t.at(config).aversion = -1
	return t
}

// born adds a znode with a Stat of zeros, which its parent does not count among
// its creations.
func (t *Tree) born(parent Ref, name string, acl uint32) Ref {
	r := t.alloc()
	t.setSlot(r, image{node{acl: acl, nameLen: uint32(len(name))}, newBlob(name, nil)}, true)
	t.acls.retain(acl)
	t.attach(r, parent)
	return r
}

// Lookup finds the znode of path, or None. It takes paths as they come: one that
// breaks the rules names no znode.
func (t *Tree) Lookup(path string) Ref {
	if path == RootPath {
		return Root
	}
	if path == "" || path[0] != '/' {
		return None
	}
	hash := uint32(0) // of the root
	for rest := path[1:]; ; {
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			hash = t.hashChild(hash, rest)
			break
		}
		hash = t.hashChild(hash, rest[:i])
		rest = rest[i+1:]
	}
	for r := t.index[hash]; r != None; r = t.at(r).hashNext {
		if t.hasPath(r, path) {
			return r
		}
	}
	return None
}

// hasPath compares names from the node up. Names are never empty, so a path with
// an empty component matches nothing.
func (t *Tree) hasPath(r Ref, path string) bool {
	n := t.at(r)
	if int(n.pathLen) != len(path) {
		return false
	}
	for r != Root {
		rest, ok := strings.CutSuffix(path, blobName(t.blobAt(r), n))
		if !ok || rest == "" || rest[len(rest)-1] != '/' {
			return false
		}
		path = rest[:len(rest)-1]
		r = n.parent
		n = t.at(r)
	}
	return path == ""
}

// Child finds the child of parent with the given name, or None.
func (t *Tree) Child(parent Ref, name string) Ref {
	hash := t.hashChild(t.at(parent).hash, name)
	for r := t.index[hash]; r != None; r = t.at(r).hashNext {
		if n := t.at(r); n.parent == parent && blobName(t.blobAt(r), n) == name {
			return r
		}
	}
	return None
}

// Parent returns the node that r is a child of; None for the root.
func (t *Tree) Parent(r Ref) Ref { return t.at(r).parent }

// Path returns the full path of r.
func (t *Tree) Path(r Ref) string {
	if r == Root {
		return RootPath
	}
	b := make([]byte, t.at(r).pathLen)
	for end := len(b); r != Root; {
		n := t.at(r)
		end -= int(n.nameLen)
		copy(b[end:], blobName(t.blobAt(r), n))
		end--
		b[end] = '/'
		r = n.parent
	}
	return string(b)
}

// Name returns the last component of r's path, "" for the root. It shares the
// memory of the node's data: clone it to keep it for long.
func (t *Tree) Name(r Ref) string { return blobName(t.blobAt(r), t.at(r)) }

// Data returns the data of r: nil if it is null, not nil if it is empty. The
// caller must not modify it, and may keep it.
func (t *Tree) Data(r Ref) []byte { return blobData(t.blobAt(r), t.at(r)) }

// ACL returns the ACL of r. The caller must not modify it, and may keep it.
func (t *Tree) ACL(r Ref) []protocol.ACL { return t.acls.lists[t.at(r).acl] }

// Owner returns the ephemeralOwner as it is stored: a session, 0, or the mark of
// a container or a TTL.
func (t *Tree) Owner(r Ref) int64 { return t.at(r).owner }

// Stat returns the Stat of r as clients see it.
func (t *Tree) Stat(r Ref) protocol.Stat {
	n := t.at(r)
	s := protocol.Stat{
		Czxid:       n.czxid,
		Mzxid:       n.mzxid,
		Ctime:       n.ctime,
		Mtime:       n.mtime,
		Version:     n.version,
		Cversion:    2*n.created - n.children,
		Aversion:    n.aversion,
		DataLength:  int32(n.dataSize()),
		NumChildren: n.children,
		Pzxid:       n.pzxid,
	}
	if IsEphemeralOwner(n.owner) {
		s.EphemeralOwner = n.owner
	}
	return s
}

// Mtime returns when the data of r was last set, in ms since 1970.
func (t *Tree) Mtime(r Ref) int64 { return t.at(r).mtime }

// Quota returns QuotaPath, which is always there.
func (t *Tree) Quota() Ref { return t.quota }

// NumChildren returns how many children r has.
func (t *Tree) NumChildren(r Ref) int { return int(t.at(r).children) }

// NextSequence returns the number that the name of a sequential child of r ends
// with if it is created next.
func (t *Tree) NextSequence(r Ref) int32 { return t.at(r).created }

// EachChild calls fn with the name of each child of r, oldest first, until fn
// returns false. Names share memory as Name says. fn must not change the tree.
func (t *Tree) EachChild(r Ref, fn func(name string) bool) {
	for c := t.at(r).first; c != None; {
		n := t.at(c)
		if !fn(blobName(t.blobAt(c), n)) {
			return
		}
		c = n.next
	}
}

// AppendChildren appends the names of r's children, oldest first, as a Jute
// vector of strings.
func (t *Tree) AppendChildren(b []byte, r Ref) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(t.at(r).children))
	for c := t.at(r).first; c != None; {
		n := t.at(c)
		b = binary.BigEndian.AppendUint32(b, n.nameLen)
		b = append(b, blobName(t.blobAt(c), n)...)
		c = n.next
	}
	return b
}

// walk visits r and all below it, parents first and children in order. It needs
// no stack, for depth is up to clients.
func (t *Tree) walk(r Ref, visit func(Ref, *node)) {
	for c := r; ; {
		n := t.at(c)
		visit(c, n)
		if n.first != None {
			c = n.first
			continue
		}
		for c != r && n.next == None {
			c = n.parent
			n = t.at(c)
		}
		if c == r {
			return
		}
		c = n.next
	}
}

// Descendants counts the znodes below r, at any depth. It visits them all.
func (t *Tree) Descendants(r Ref) int {
	count, _ := t.Usage(r)
	return int(count) - 1
}

// Usage counts the znodes of the subtree of r, itself included, and the bytes of
// their data: what a quota limits. It visits them all.
func (t *Tree) Usage(r Ref) (count, bytes int64) {
	t.walk(r, func(_ Ref, n *node) {
		count++
		bytes += n.dataSize()
	})
	return count, bytes
}

// NodeCount returns the number of znodes, the root included. ZooKeeper's
// znode_count is one higher, for it keeps the root under two names.
func (t *Tree) NodeCount() int { return t.counts.nodes }

// EphemeralCount returns the number of znodes that belong to sessions.
func (t *Tree) EphemeralCount() int { return t.counts.ephemerals }

// ApproximateDataSize returns the sum of the lengths, in bytes, of all paths and
// all data. ZooKeeper's approximate_data_size counts paths in UTF-16 units, and
// misses what ZooKeeper writes into the usage of quotas.
func (t *Tree) ApproximateDataSize() int64 { return t.counts.size }

// LastZxid returns the greatest zxid in any Stat. It visits all znodes.
func (t *Tree) LastZxid() (last int64) {
	t.walk(Root, func(_ Ref, n *node) { last = max(last, n.czxid, n.mzxid, n.pzxid) })
	return last
}
