package tree

// FirstChild returns the oldest child of r, None if it has none.
func (t *Tree) FirstChild(r Ref) Ref { return t.at(r).first }

// NextSibling returns the child of the same parent that was created after r, None
// for the youngest.
func (t *Tree) NextSibling(r Ref) Ref { return t.at(r).next }

// Czxid returns the zxid that r was created under.
func (t *Tree) Czxid(r Ref) int64 { return t.at(r).czxid }

// DataLen returns the length of r's data in bytes, 0 if it is null.
func (t *Tree) DataLen(r Ref) int { return int(t.at(r).dataSize()) }

// PathLen returns the length of r's path in bytes.
func (t *Tree) PathLen(r Ref) int { return int(t.at(r).pathLen) }

// NumEphemerals counts the znodes of one session.
func (t *Tree) NumEphemerals(session int64) int {
	if !IsEphemeralOwner(session) {
		return 0
	}
	return t.owners[session].count
}

// EachEphemeral calls fn for each znode of a session, oldest first, until fn
// returns false. fn must not change the tree.
func (t *Tree) EachEphemeral(session int64, fn func(Ref) bool) {
	if IsEphemeralOwner(session) {
		t.eachOwned(session, None, fn)
	}
}

// Scan calls visit for each node in a range of step slots that begins at from, in
// no order that means anything, and returns where the next range begins: None when
// there is none. It begins with the zero Ref. Between two calls the tree may
// change: nodes that are there all the while are visited once.
//
// It follows neither names nor links, which makes it several times as quick as a
// walk.
func (t *Tree) Scan(from Ref, step int, visit func(Ref)) (next Ref) {
	from = max(from, Root)
	end := min(int(from)+step, len(t.chunks)<<chunkBits)
	for i := int(from); i < end; i++ {
		if t.chunks[i>>chunkBits] == nil {
			i |= chunkMask
			continue
		}
		if t.used.has(uint32(i)) {
			visit(Ref(i))
		}
	}
	if end >= len(t.chunks)<<chunkBits {
		return None
	}
	return Ref(end)
}
