package tree

import (
	"math"
	"slices"
)

// ContainerOwner is the stored ephemeralOwner of container znodes, as in
// ZooKeeper's EphemeralType.
const ContainerOwner int64 = math.MinInt64

// MaxTTL is the largest time to live of a znode, in ms.
const MaxTTL int64 = 1<<40 - 1

// ttlMark is the owner of a znode with a TTL, apart from the TTL itself; session
// ids do not look like it.
const ttlMark int64 = -1 << 56

// TTLOwner is the stored ephemeralOwner of a znode that lives for ttl ms.
// REQUIRES: 1 <= ttl <= MaxTTL.
func TTLOwner(ttl int64) int64 { return ttlMark | ttl }

// OwnerTTL returns the time to live in ms that owner stands for, if any.
func OwnerTTL(owner int64) (ttl int64, ok bool) {
	return owner & MaxTTL, owner&^MaxTTL == ttlMark
}

// IsEphemeralOwner reports whether owner is a session: the znode ends with it and
// has no children.
func IsEphemeralOwner(owner int64) bool {
	return owner != 0 && owner != ContainerOwner && owner&^MaxTTL != ttlMark
}

// ownerList is the list, in order of creation, of the nodes of one session, of
// all containers, or of all nodes with a TTL.
type ownerList struct {
	first, last Ref
	count       int
}

// ownerKey is the key in Tree.owners of the list that a node of the given owner
// is in. REQUIRES: owner != 0.
func ownerKey(owner int64) int64 {
	if _, ok := OwnerTTL(owner); ok {
		return ttlMark
	}
	return owner
}

// setOwnerList replaces the list of key; all changes of t.owners pass here.
func (t *Tree) setOwnerList(key int64, list ownerList) {
	if t.undo.open {
		t.undo.owners = append(t.undo.owners, undoOwner{key, t.owners[key]})
	}
	if list.count == 0 {
		delete(t.owners, key)
	} else {
		t.owners[key] = list
	}
}

// linkOwner appends r, whose slot has been touched, to its owner's list.
func (t *Tree) linkOwner(r Ref) {
	n := t.at(r)
	if n.owner == 0 {
		return
	}
	key := ownerKey(n.owner)
	list := t.owners[key]
	n.ownerPrev, n.ownerNext = list.last, None
	if list.last == None {
		list.first = r
	} else {
		t.touch(list.last)
		t.at(list.last).ownerNext = r
	}
	list.last = r
	list.count++
	t.setOwnerList(key, list)
	if IsEphemeralOwner(n.owner) {
		t.counts.ephemerals++
	}
}

// unlinkOwner takes r, which is about to go, out of its owner's list.
func (t *Tree) unlinkOwner(r Ref) {
	n := t.at(r)
	if n.owner == 0 {
		return
	}
	key := ownerKey(n.owner)
	list := t.owners[key]
	if n.ownerPrev == None {
		list.first = n.ownerNext
	} else {
		t.touch(n.ownerPrev)
		t.at(n.ownerPrev).ownerNext = n.ownerNext
	}
	if n.ownerNext == None {
		list.last = n.ownerPrev
	} else {
		t.touch(n.ownerNext)
		t.at(n.ownerNext).ownerPrev = n.ownerPrev
	}
	list.count--
	t.setOwnerList(key, list)
	if IsEphemeralOwner(n.owner) {
		t.counts.ephemerals--
	}
}

// EphemeralsOf returns the paths of a session's znodes, oldest first.
func (t *Tree) EphemeralsOf(session int64) []string {
	if !IsEphemeralOwner(session) {
		return nil
	}
	list := t.owners[session]
	if list.count == 0 {
		return nil
	}
	paths := make([]string, 0, list.count)
	for r := list.first; r != None; r = t.at(r).ownerNext {
		paths = append(paths, t.Path(r))
	}
	return paths
}

// EphemeralSessions returns the sessions that own znodes, in ascending order.
func (t *Tree) EphemeralSessions() []int64 {
	sessions := make([]int64, 0, len(t.owners))
	for key := range t.owners {
		if IsEphemeralOwner(key) {
			sessions = append(sessions, key)
		}
	}
	slices.Sort(sessions)
	return sessions
}

// EachContainerFrom calls fn for the container znode from and each after it, oldest
// first, until fn returns false. If from is no container, or None, it begins with the
// oldest. fn must not change the tree.
func (t *Tree) EachContainerFrom(from Ref, fn func(Ref) bool) { t.eachOwned(ContainerOwner, from, fn) }

// EachTTLFrom calls fn for the znode with a time to live from and each after it,
// oldest first, until fn returns false. If from has no time to live, or is None, it
// begins with the oldest. fn must not change the tree.
func (t *Tree) EachTTLFrom(from Ref, fn func(Ref) bool) { t.eachOwned(ttlMark, from, fn) }

func (t *Tree) eachOwned(key int64, from Ref, fn func(Ref) bool) {
	r := t.owners[key].first
	if from != None && t.used.has(uint32(from)) {
		if owner := t.at(from).owner; owner != 0 && ownerKey(owner) == key {
			r = from
		}
	}
	for ; r != None; r = t.at(r).ownerNext {
		if !fn(r) {
			return
		}
	}
}
