package fsm

import (
	"strings"

	"zooraft/fsm/acl"
	"zooraft/fsm/tree"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// maxMultiReadBytes bounds the reply to one multiRead, which may name a large
// znode many times over. It is far above what clients take (jute.maxbuffer).
const maxMultiReadBytes = 16 << 20

// Reader is what a read needs to know of its connection.
type Reader struct {
	Session protocol.SessionID
	IDs     []protocol.ID
	Options Options        // of the server that it is connected to
	Watcher *watch.Watcher // takes the watches that the read sets
	Sink    watch.Sink     // takes the catch-up events of setWatches
	Tally   Tally          // hears of what was read; nil: nobody counts
}

// Tally counts what is read: exists, getData and getChildren that succeed, alone or
// in a multiRead. bytes are those of the data or of the children's names; path may
// share memory with the request and is valid during the call.
type Tally interface {
	NoteRead(path string, bytes int)
}

// Readable says whether op is a read that View.Read answers.
func Readable(op protocol.OpCode) bool {
	switch op {
	case protocol.OpExists, protocol.OpGetData, protocol.OpGetACL, protocol.OpGetChildren,
		protocol.OpGetChildren2, protocol.OpSetWatches, protocol.OpSetWatches2, protocol.OpPing,
		protocol.OpGetEphemerals, protocol.OpGetAllChildrenNumber, protocol.OpWhoAmI, protocol.OpMultiRead,
		protocol.OpAddWatch, protocol.OpCheckWatches, protocol.OpRemoveWatches:
		return true
	}
	return false
}

// Read answers a read: it appends the reply's body to dst and sets the watches
// that the request asks for, so that no change can come between what is
// returned and what is watched. With an error code, dst comes back as it was,
// but for the part of a multiRead's results that ZooKeeper sends even then.
//
// The reads of every day stand apart from the others so as to allocate nothing.
func (v View) Read(dst []byte, op protocol.OpCode, body []byte, r *Reader) ([]byte, protocol.ErrCode) {
	switch op {
	case protocol.OpPing:
		return dst, protocol.ErrOK
	case protocol.OpExists, protocol.OpGetData, protocol.OpGetChildren, protocol.OpGetChildren2:
	default:
		return v.readRare(dst, op, body, r)
	}
	d := protocol.NewSharingDecoder(body)
	var q protocol.PathWatchRequest
	if q.Decode(&d); d.Err() != nil {
		return dst, protocol.ErrMarshalling
	}
	out, code := v.readNode(dst, op, &q, r)
	if code != protocol.ErrOK {
		return dst, code
	}
	return out, protocol.ErrOK
}

// readRare is Read for what is not of readNode.
func (v View) readRare(dst []byte, op protocol.OpCode, body []byte, r *Reader) ([]byte, protocol.ErrCode) {
	d := protocol.NewDecoder(body)
	var out []byte
	var code protocol.ErrCode
	switch op {
	case protocol.OpSetWatches, protocol.OpSetWatches2:
		var q protocol.SetWatches2
		if op == protocol.OpSetWatches {
			q.SetWatches.Decode(&d)
		} else {
			q.Decode(&d)
		}
		if d.Err() == nil {
			v.setWatches(&q, r)
		}
		out = dst
	case protocol.OpGetACL:
		var q protocol.PathRequest
		q.Decode(&d)
		if d.Err() == nil {
			out, code = v.getACL(dst, q.Path, r)
		}
	case protocol.OpGetAllChildrenNumber:
		var q protocol.PathRequest
		q.Decode(&d)
		if d.Err() == nil {
			out, code = v.getAllChildrenNumber(dst, q.Path, r)
		}
	case protocol.OpGetEphemerals:
		var q protocol.SyncRequest
		q.Decode(&d)
		if d.Err() == nil {
			out = v.getEphemerals(dst, &q, r)
		}
	case protocol.OpWhoAmI:
		out = r.whoAmI(dst)
	case protocol.OpMultiRead:
		ops, err := protocol.DecodeMultiRead(&d)
		if err != nil {
			return v.multiReadAborted(dst, body, r)
		}
		out, code = v.multiRead(dst, ops, r)
	case protocol.OpAddWatch:
		var q protocol.AddWatchRequest
		switch q.Decode(&d); {
		case d.Err() == nil:
			out, code = r.addWatch(dst, &q, true)
		case noPath(&d): // ZooKeeper takes it
			return r.addWatch(dst, &q, false)
		}
	case protocol.OpCheckWatches, protocol.OpRemoveWatches:
		var q protocol.WatchesRequest
		q.Decode(&d)
		if d.Err() == nil {
			out, code = r.watches(dst, op, &q)
		} else if noPath(&d) && validWatcherType(q.Type) {
			return dst, protocol.ErrNoWatcher
		}
	}
	switch {
	case d.Err() != nil:
		return dst, protocol.ErrMarshalling
	case code != protocol.ErrOK:
		return dst, code
	}
	return out, protocol.ErrOK
}

// readNode answers exists, getData and getChildren. q.Path may be shared with a
// buffer: whatever keeps it copies it.
func (v View) readNode(dst []byte, op protocol.OpCode, q *protocol.PathWatchRequest, r *Reader) ([]byte, protocol.ErrCode) {
	t := v.f.tree
	if op == protocol.OpExists && strings.IndexByte(q.Path, 0) >= 0 {
		return nil, protocol.ErrBadArguments
	}
	node := v.lookup(q.Path)
	if node == tree.None {
		if op == protocol.OpExists && q.Watch {
			r.Watcher.AddData(strings.Clone(q.Path))
		}
		return nil, protocol.ErrNoNode
	}
	if !r.allowed(t.ACL(node), protocol.PermRead) {
		return nil, protocol.ErrNoAuth
	}
	stat := t.Stat(node)
	bytes := 0
	switch op {
	case protocol.OpExists:
		dst = stat.Append(dst)
	case protocol.OpGetData:
		data := t.Data(node)
		bytes = len(data)
		dst = protocol.AppendBuffer(dst, data)
		dst = stat.Append(dst)
	case protocol.OpGetChildren, protocol.OpGetChildren2:
		before := len(dst)
		dst = t.AppendChildren(dst, node)
		bytes = len(dst) - before - 4*(1+t.NumChildren(node)) // the lengths
		if op == protocol.OpGetChildren2 {
			dst = stat.Append(dst)
		}
	}
	if r.Tally != nil {
		r.Tally.NoteRead(q.Path, bytes)
	}
	if q.Watch {
		if op == protocol.OpGetChildren || op == protocol.OpGetChildren2 {
			r.Watcher.AddChild(strings.Clone(q.Path))
		} else {
			r.Watcher.AddData(strings.Clone(q.Path))
		}
	}
	return dst, protocol.ErrOK
}

// lookup finds the node that a read names. The empty path is the root's, as in
// ZooKeeper, which does not check the paths of reads.
func (v View) lookup(path string) tree.Ref {
	if path == "" {
		return tree.Root
	}
	return v.f.tree.Lookup(path)
}

func (r *Reader) allowed(list []protocol.ACL, need int32) bool {
	return r.Options.Allowed(list, need, r.IDs)
}

// getACL shows the list to whoever may read or administer the node; without
// ADMIN the digests in it are masked.
func (v View) getACL(dst []byte, path string, r *Reader) ([]byte, protocol.ErrCode) {
	t := v.f.tree
	node := v.lookup(path)
	if node == tree.None {
		return nil, protocol.ErrNoNode
	}
	list := t.ACL(node)
	if !r.allowed(list, protocol.PermRead|protocol.PermAdmin) {
		return nil, protocol.ErrNoAuth
	}
	if !r.allowed(list, protocol.PermAdmin) {
		list = acl.Redact(list)
	}
	dst = protocol.AppendInt32(dst, int32(len(list)))
	for i := range list {
		dst = list[i].Append(dst)
	}
	stat := t.Stat(node)
	return stat.Append(dst), protocol.ErrOK
}

// setWatches registers again what a client watched before it reconnected, and
// sends at once the events that it missed (ZooKeeper Programmer's Guide,
// Watches; DataTree.setWatches for the comparisons).
func (v View) setWatches(q *protocol.SetWatches2, r *Reader) {
	t := v.f.tree
	// Since a restore the zxids of znodes do not tell what has changed for a client
	// that has seen what was before.
	unknown := q.RelativeZxid < v.f.replaced
	tell := func(typ protocol.EventType, path string) {
		r.Sink.Notify(&watch.Event{Type: typ, Path: path, Zxid: -1})
	}
	for _, path := range q.Data {
		switch node := v.lookup(path); {
		case node == tree.None:
			tell(protocol.EventNodeDeleted, path)
		case unknown || t.Stat(node).Mzxid > q.RelativeZxid:
			tell(protocol.EventNodeDataChanged, path)
		default:
			r.Watcher.AddData(path)
		}
	}
	for _, path := range q.Exist {
		if v.lookup(path) != tree.None {
			tell(protocol.EventNodeCreated, path)
		} else {
			r.Watcher.AddData(path)
		}
	}
	for _, path := range q.Child {
		switch node := v.lookup(path); {
		case node == tree.None:
			tell(protocol.EventNodeDeleted, path)
		case unknown || t.Stat(node).Pzxid > q.RelativeZxid:
			tell(protocol.EventNodeChildrenChanged, path)
		default:
			r.Watcher.AddChild(path)
		}
	}
	for _, path := range q.Persistent {
		r.Watcher.AddPersistent(path)
	}
	for _, path := range q.Recursive {
		r.Watcher.AddRecursive(path)
	}
}

// getEphemerals lists the ephemerals of the session that asks, oldest first,
// whose paths begin with a prefix. Whoever made a znode may know of it, so no
// ACL is looked at (FinalRequestProcessor.handleGetEphemerals).
func (v View) getEphemerals(dst []byte, q *protocol.SyncRequest, r *Reader) []byte {
	paths := v.f.tree.EphemeralsOf(int64(r.Session))
	if prefix := trim(q.Path); prefix != "" && prefix != tree.RootPath {
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

// getAllChildrenNumber counts the znodes below one, at any depth. By its empty path
// the root is among them: ZooKeeper then counts all paths with a slash in front.
func (v View) getAllChildrenNumber(dst []byte, path string, r *Reader) ([]byte, protocol.ErrCode) {
	t := v.f.tree
	node := v.lookup(path)
	switch {
	case node == tree.None:
		return nil, protocol.ErrNoNode
	case !r.allowed(t.ACL(node), protocol.PermRead):
		return nil, protocol.ErrNoAuth
	case path == "":
		return protocol.AppendInt32(dst, int32(t.NodeCount())), protocol.ErrOK
	case node == tree.Root:
		return protocol.AppendInt32(dst, int32(t.NodeCount()-1)), protocol.ErrOK
	}
	return protocol.AppendInt32(dst, int32(t.Descendants(node))), protocol.ErrOK
}

// whoAmI lists what the connection has proved to be, without secrets. Of a scheme that
// is not there it has no name (AuthUtil.getUser).
func (r *Reader) whoAmI(dst []byte) []byte {
	dst = protocol.AppendInt32(dst, int32(len(r.IDs)))
	for _, id := range r.IDs {
		user := ""
		switch id.Scheme {
		case "ip", "x509":
			user = id.ID
		case "digest":
			user, _, _ = strings.Cut(id.ID, ":")
		case "sasl":
			if r.Options.Has(SASL) {
				user = id.ID
			}
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
