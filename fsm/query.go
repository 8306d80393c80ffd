package fsm

import (
	"strings"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// maxMultiReadBytes bounds the reply to one multiRead, which may name a large
// znode many times over. It is far above what clients take (jute.maxbuffer).
const maxMultiReadBytes = 16 << 20

// getEphemerals lists the ephemerals of the session that asks, oldest first,
// whose paths begin with a prefix. Whoever made a znode may know of it, so no
// ACL is looked at (FinalRequestProcessor.handleGetEphemerals).
func (v View) getEphemerals(dst []byte, q *protocol.SyncRequest, r *Reader) []byte {
	paths := v.f.tree.EphemeralsOf(int64(r.Session))
	if prefix := strings.TrimSpace(q.Path); prefix != "" && prefix != tree.RootPath {
		kept := paths[:0]
		for _, path := range paths {
			if strings.HasPrefix(path, q.Path) {
				kept = append(kept, path)
			}
		}
		paths = kept
	}
	return protocol.AppendStrings(dst, paths)
}

// getAllChildrenNumber counts the znodes below one, at any depth.
func (v View) getAllChildrenNumber(dst []byte, path string, r *Reader) ([]byte, protocol.ErrCode) {
	t := v.f.tree
	node := v.lookup(path)
	switch {
	case node == tree.None:
		return nil, protocol.ErrNoNode
	case !r.allowed(t.ACL(node), protocol.PermRead):
		return nil, protocol.ErrNoAuth
	case node == tree.Root:
		return protocol.AppendInt32(dst, int32(t.NodeCount()-1)), protocol.ErrOK
	}
	return protocol.AppendInt32(dst, int32(t.Descendants(node))), protocol.ErrOK
}

// whoAmI lists what the connection has proved to be, without secrets.
func (r *Reader) whoAmI(dst []byte) []byte {
	dst = protocol.AppendInt32(dst, int32(len(r.IDs)))
	for _, id := range r.IDs {
		user := ""
		switch id.Scheme {
		case "ip":
			user = id.ID
		case "digest":
			user, _, _ = strings.Cut(id.ID, ":")
		}
		dst = protocol.AppendString(protocol.AppendString(dst, id.Scheme), user)
	}
	return dst
}

// multiRead answers several reads of one moment. Each has its own outcome, and
// none sets a watch (MultiOperationRecord, FinalRequestProcessor).
func (v View) multiRead(dst []byte, ops []protocol.MultiOp, r *Reader) ([]byte, protocol.ErrCode) {
	start := len(dst)
	for i := range ops {
		op := &ops[i]
		op.Read.Watch = false
		mark := len(dst)
		dst = (&protocol.MultiHeader{Type: op.Type}).Append(dst)
		b, code := v.readNode(dst, op.Type, &op.Read, r)
		if code != protocol.ErrOK {
			b = protocol.AppendMultiError(dst[:mark], code)
		}
		if dst = b; len(dst)-start > maxMultiReadBytes {
			return nil, protocol.ErrMarshalling
		}
	}
	return protocol.AppendMultiEnd(dst), protocol.ErrOK
}

// multiReadAborted is the answer to a multiRead that cannot be decoded as one.
// ZooKeeper finds a write or a null path only when that operation's turn comes,
// and sends what it has by then beside the error.
func (v View) multiReadAborted(dst, body []byte, r *Reader) ([]byte, protocol.ErrCode) {
	d := protocol.NewDecoder(body)
	var reads []protocol.MultiOp
	null := -1 // the first read without a path
	for d.Err() == nil {
		var h protocol.MultiHeader
		if h.Decode(&d); d.Err() != nil {
			break
		}
		if h.Done {
			if null < 0 {
				return dst, protocol.ErrMarshalling
			}
			out, code := v.multiRead(dst, reads[:null], r)
			if code != protocol.ErrOK {
				return dst, code
			}
			return out, protocol.ErrMarshalling
		}
		if h.Type != protocol.OpGetData && h.Type != protocol.OpGetChildren {
			break
		}
		op := protocol.MultiOp{Type: h.Type}
		var isNull bool
		op.Read.Path, isNull = d.StringNull()
		d.Bool()
		if isNull && null < 0 {
			null = len(reads)
		}
		reads = append(reads, op)
	}
	d = protocol.NewDecoder(body)
	if _, err := protocol.DecodeMulti(&d); err == nil { // nothing but writes
		return protocol.AppendMultiEnd(dst), protocol.ErrMarshalling
	}
	return dst, protocol.ErrMarshalling
}

// addWatch sets a watch that stays. The path need not exist; without one nothing
// will ever fire, so there is nothing to set.
func (r *Reader) addWatch(dst []byte, q *protocol.AddWatchRequest, path bool) ([]byte, protocol.ErrCode) {
	switch {
	case q.Mode != protocol.AddWatchPersistent && q.Mode != protocol.AddWatchPersistentRecursive:
		return dst, protocol.ErrMarshalling
	case !path:
	case q.Mode == protocol.AddWatchPersistent:
		r.Watcher.AddPersistent(q.Path)
	default:
		r.Watcher.AddRecursive(q.Path)
	}
	return protocol.AppendInt32(dst, int32(protocol.ErrOK)), protocol.ErrOK
}

func validWatcherType(n int32) bool {
	return n >= protocol.WatcherTypeChildren && n <= protocol.WatcherTypePersistentRecursive
}

// watches answers checkWatches and removeWatches: whether the connection has
// watches of a type at a path, the latter taking them away.
func (r *Reader) watches(dst []byte, op protocol.OpCode, q *protocol.WatchesRequest) ([]byte, protocol.ErrCode) {
	if !validWatcherType(q.Type) {
		return nil, protocol.ErrMarshalling
	}
	var found bool
	if op == protocol.OpRemoveWatches {
		found = r.Watcher.Remove(q.Path, q.Type)
	} else {
		found = r.Watcher.Has(q.Path, q.Type)
	}
	if !found {
		return nil, protocol.ErrNoWatcher
	}
	return dst, protocol.ErrOK
}
