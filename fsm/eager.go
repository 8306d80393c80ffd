package fsm

import (
	"zooraft/fsm/acl"
	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// Forbidden judges a write before it goes into the log, by the ACLs as they are:
// ErrNoAuth, ErrInvalidACL, or ErrOK where nothing is known against it. Whatever
// else is wrong with the write is for apply to say, and so is all about writes
// other than create, create2, delete, setData and setACL, which ZooKeeper looks
// at (ZooKeeperServer.authWriteRequest). A server without a quorum asks nothing.
func (v View) Forbidden(op protocol.OpCode, body []byte, r *Reader) protocol.ErrCode {
	d := protocol.NewSharingDecoder(body) // which outlives the call
	var (
		path string
		need int32
		list []protocol.ACL
		null bool
	)
	switch op {
	case protocol.OpCreate, protocol.OpCreate2:
		var q protocol.CreateRequest
		q.Decode(&d)
		path, need, list, null = q.Path, protocol.PermCreate, q.ACL, q.ACLNull
	case protocol.OpDelete:
		var q protocol.DeleteRequest
		q.Decode(&d)
		path, need = q.Path, protocol.PermDelete
	case protocol.OpSetData:
		var q protocol.SetDataRequest
		q.Decode(&d)
		path, need = q.Path, protocol.PermWrite
	case protocol.OpSetACL:
		var q protocol.SetACLRequest
		q.Decode(&d)
		path, need, list, null = q.Path, protocol.PermAdmin, q.ACL, q.ACLNull
	default:
		return protocol.ErrOK
	}
	if d.Err() != nil {
		return protocol.ErrOK
	}
	switch op {
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpDelete:
		parent, ok := parentOf(path)
		if !ok || tree.IsSystem(path) {
			return protocol.ErrOK
		}
		path = parent
	}
	if op != protocol.OpDelete && op != protocol.OpSetData {
		switch _, code := acl.Resolve(list, null, r.IDs, r.Options.Schemes()); code {
		case protocol.ErrOK:
		case protocol.ErrInvalidACL:
			return code
		default:
			return protocol.ErrOK
		}
	}
	node := v.lookup(path)
	if node == tree.None || r.allowed(v.f.tree.ACL(node), need) {
		return protocol.ErrOK
	}
	return protocol.ErrNoAuth
}
