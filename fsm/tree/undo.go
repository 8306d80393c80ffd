package tree

// undoLog holds what an open transaction has overwritten, oldest first. The
// slots, the index and the owners are apart from one another, so each is
// restored by going back through its own list.
//
// ACLs are counted instead: a transaction's releases wait for Commit, so that no
// entry it began with can go, nor its number be used again, before it ends.
type undoLog struct {
	open     bool
	counts   counts
	slots    []undoSlot
	index    []undoIndex
	owners   []undoOwner
	retained []uint32
	released []uint32
}

type undoSlot struct {
	ref   Ref
	inUse bool
	image image
}

type undoIndex struct {
	hash  uint32
	first Ref
}

type undoOwner struct {
	key  int64
	list ownerList
}

// Begin opens a transaction: all changes until Commit or Rollback. It must not
// be open yet, and the lock must be held for writing until its end.
func (t *Tree) Begin() {
	if t.undo.open {
		panic("tree: transaction within a transaction")
	}
	t.undo.open = true
	t.undo.counts = t.counts
}

// Commit ends the transaction and keeps its changes.
func (t *Tree) Commit() {
	t.endUndo()
	for _, id := range t.undo.released {
		t.acls.release(id)
	}
	t.clearUndo()
}

// Rollback ends the transaction and leaves the tree exactly as it was at Begin:
// creation counts, pzxids, the order of children and which Ref comes next.
func (t *Tree) Rollback() {
	t.endUndo()
	u := &t.undo
	for i := len(u.slots) - 1; i >= 0; i-- {
		t.setSlot(u.slots[i].ref, u.slots[i].image, u.slots[i].inUse)
	}
	for i := len(u.index) - 1; i >= 0; i-- {
		t.setFirst(u.index[i].hash, u.index[i].first)
	}
	for i := len(u.owners) - 1; i >= 0; i-- {
		t.setOwnerList(u.owners[i].key, u.owners[i].list)
	}
	for _, id := range u.retained {
		t.acls.release(id)
	}
	t.counts = u.counts
	t.clearUndo()
}

func (t *Tree) endUndo() {
	if !t.undo.open {
		panic("tree: no transaction is open")
	}
	t.undo.open = false
}

// maxUndoKept bounds what the lists keep for the next transaction: half a
// megabyte, enough for a thousand creations in one.
const maxUndoKept = 4096

func (t *Tree) clearUndo() {
	u := &t.undo
	if cap(u.slots) > maxUndoKept {
		*u = undoLog{}
		return
	}
	clear(u.slots) // they hold blobs
	u.slots, u.index, u.owners = u.slots[:0], u.index[:0], u.owners[:0]
	u.retained, u.released = u.retained[:0], u.released[:0]
}

func (t *Tree) retainACL(id uint32) {
	t.acls.retain(id)
	if t.undo.open {
		t.undo.retained = append(t.undo.retained, id)
	}
}

func (t *Tree) releaseACL(id uint32) {
	if t.undo.open {
		t.undo.released = append(t.undo.released, id)
		return
	}
	t.acls.release(id)
}
