package fsm

import (
	"iter"
	"strings"

	"zooraft/fsm/acl"
	"zooraft/fsm/tree"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// View is the state under a held lock. It is valid only while that lock is
// held: during FSM.View, between RLock and RUnlock, or during a call of the
// Observer. Copies of it are as short-lived.
type View struct{ f *FSM }

// LastZxid is the zxid of the last request applied.
func (v View) LastZxid() int64 { return int64(v.f.clock.Last()) }

// Now is the leader's clock in the last entry applied, in ms since 1970.
func (v View) Now() int64 { return v.f.now }

// AppliedIndex is the Raft index of the last entry applied.
func (v View) AppliedIndex() uint64 { return v.f.applied }

// Cluster is the ensemble's id, "" before the first leader has given one.
func (v View) Cluster() string { return v.f.cluster }

// Server tells what the log knows of a server id: its incarnation (0: never
// seen), the last of its requests applied, and the data directory it runs on.
func (v View) Server(sid int64) (incarnation, lastSeq uint64, disk [16]byte) {
	if s := v.f.servers[sid]; s != nil {
		return s.incarnation, s.lastSeq, s.disk
	}
	return 0, 0, disk
}

// NumSessions counts the sessions.
func (v View) NumSessions() int { return len(v.f.sessions) }

// Sessions ranges over all sessions and their timeouts in ms, in no order.
func (v View) Sessions() iter.Seq2[protocol.SessionID, int32] {
	return func(yield func(protocol.SessionID, int32) bool) {
		for id, s := range v.f.sessions {
			if !yield(id, s.timeout) {
				return
			}
		}
	}
}

// Ephemerals ranges over the sessions that own ephemeral znodes and the paths of
// these, in no order of sessions.
func (v View) Ephemerals() iter.Seq2[protocol.SessionID, []string] {
	return func(yield func(protocol.SessionID, []string) bool) {
		for _, id := range v.f.tree.EphemeralSessions() {
			if !yield(protocol.SessionID(id), v.f.tree.EphemeralsOf(id)) {
				return
			}
		}
	}
}

// Digest is a hash of the tree, which is the same on every server at the same
// zxid. It reads all of it.
func (v View) Digest() uint64 { return v.f.tree.Digest() }

// NodeCount, EphemeralCount and ApproximateDataSize describe the tree as
// ZooKeeper's metrics of these names do.
func (v View) NodeCount() int { return v.f.tree.NodeCount() }

// EphemeralCount counts the ephemeral znodes.
func (v View) EphemeralCount() int { return v.f.tree.EphemeralCount() }

// ApproximateDataSize is the sum of path lengths and data in bytes.
func (v View) ApproximateDataSize() int64 { return v.f.tree.ApproximateDataSize() }

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
		switch node := t.Lookup(path); {
		case node == tree.None:
			tell(protocol.EventNodeDeleted, path)
		case unknown || t.Stat(node).Mzxid > q.RelativeZxid:
			tell(protocol.EventNodeDataChanged, path)
		default:
			r.Watcher.AddData(path)
		}
	}
	for _, path := range q.Exist {
		if t.Lookup(path) != tree.None {
			tell(protocol.EventNodeCreated, path)
		} else {
			r.Watcher.AddData(path)
		}
	}
	for _, path := range q.Child {
		switch node := t.Lookup(path); {
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

// HasAll says whether a holder of ids has each of the permissions in need (an OR of
// protocol.Perm bits) on a znode; not if there is none.
func (v View) HasAll(path string, need int32, ids []protocol.ID, o Options) bool {
	node := v.lookup(path)
	if node == tree.None {
		return false
	}
	for rest := need; rest != 0; rest &= rest - 1 {
		if !o.Allowed(v.f.tree.ACL(node), rest&-rest, ids) {
			return false
		}
	}
	return true
}
