package tree

import (
	"encoding/binary"
	"slices"

	"zooraft/protocol"
)

// aclTable holds each distinct ACL once; nodes refer to it by number. Number 0
// is world:anyone with all permissions and is always there.
//
// Invariant: refs[i] is the number of nodes in use with acl i, and more while a
// transaction is open (see undo.go); an entry without references is gone.
type aclTable struct {
	lists  [][]protocol.ACL
	refs   []int64
	used   slotSet
	byText map[string]uint32
	text   []byte // scratch
}

const openACL = 0

func newACLTable() aclTable {
	t := aclTable{used: newSlotSet(), byText: map[string]uint32{}}
	t.retain(t.intern([]protocol.ACL{{Perms: protocol.PermAll, Scheme: "world", ID: "anyone"}}))
	return t
}

// intern returns the number of list, which it adds, without a reference yet, if
// it is new.
func (t *aclTable) intern(list []protocol.ACL) uint32 {
	t.text = appendACLText(t.text[:0], list)
	if id, ok := t.byText[string(t.text)]; ok {
		return id
	}
	id := t.used.lowest()
	t.used.add(id)
	if int(id) == len(t.lists) {
		t.lists, t.refs = append(t.lists, nil), append(t.refs, 0)
	}
	t.lists[id] = slices.Clone(list)
	t.byText[string(t.text)] = id
	return id
}

func (t *aclTable) retain(id uint32) { t.refs[id]++ }

func (t *aclTable) release(id uint32) {
	if t.refs[id]--; t.refs[id] > 0 {
		return
	}
	t.text = appendACLText(t.text[:0], t.lists[id])
	delete(t.byText, string(t.text))
	t.lists[id] = nil
	t.used.remove(id)
}

// appendACLText writes list in a form that is equal for equal lists only. It is
// also the form in a snapshot.
func appendACLText(b []byte, list []protocol.ACL) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for i := range list {
		a := &list[i]
		b = binary.BigEndian.AppendUint32(b, uint32(a.Perms))
		b = append(b, 0)
		if a.NullID {
			b[len(b)-1] = 1
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(a.Scheme)))
		b = append(b, a.Scheme...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(a.ID)))
		b = append(b, a.ID...)
	}
	return b
}
