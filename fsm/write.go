package fsm

import (
	"errors"
	"fmt"
	"strings"

	"zooraft/fsm/acl"
	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// event is a change whose watchers are still to be told; a multi tells them
// only once all of it has succeeded.
type event struct {
	typ             protocol.EventType
	path            string
	zxid            int64
	nodeACL, parACL []protocol.ACL
	bytes           int // of data written
}

// Writable says whether op is a client's write that can be applied. Another one
// must not come into the log.
func Writable(op protocol.OpCode) bool {
	switch op {
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL,
		protocol.OpDelete, protocol.OpSetData, protocol.OpSetACL, protocol.OpMulti, protocol.OpReconfig:
		return true
	}
	return false
}

// applyClient applies a client's write. Whatever comes of it, it takes one zxid
// (ZooKeeper replicates refusals as error transactions), but for a multi with a
// null ACL, over which ZooKeeper stumbles before it gives one.
func (f *FSM) applyClient(term uint64, o Origin, p *payloadReader, res *Result) error {
	r := &f.client
	if err := r.decode(p); err != nil {
		return err
	}
	res.Op, res.Request = r.Op, r
	var ops []protocol.MultiOp
	var undecodable error
	if r.Op == protocol.OpMulti {
		ops, undecodable = f.decodeMulti(r.Body)
		defer f.releaseOps(ops)
		if errors.Is(undecodable, protocol.ErrMultiACL) {
			res.Err = protocol.ErrMarshalling
			return nil
		}
	}
	res.Zxid = int64(f.clock.Next(term))
	w := write{f: f, req: r, zxid: res.Zxid}
	if !r.Options.Has(LocalSession) { // of a local one nothing is known here
		w.session = f.checkOwner(r.Session, Owner{o, r.Conn})
	}
	if w.session == protocol.ErrSessionMoved {
		res.Err = w.session
		return nil
	}
	if r.Op == protocol.OpMulti {
		if undecodable != nil {
			res.Err = protocol.ErrMarshalling
			return nil
		}
		w.multi(ops, res)
		return nil
	}
	d := protocol.NewSharingDecoder(r.Body) // Raft's entries never change
	var sub SubResult
	switch r.Op {
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer:
		var c protocol.CreateRequest
		c.Decode(&d)
		sub = w.createDecoded(&d, r.Op, &c, 0)
	case protocol.OpCreateTTL:
		var c protocol.CreateTTLRequest
		c.Decode(&d)
		sub = w.createDecoded(&d, r.Op, &c.CreateRequest, c.TTL)
	case protocol.OpDelete:
		var c protocol.DeleteRequest
		c.Decode(&d)
		if d.Err() == nil {
			sub = w.delete(&c)
		}
	case protocol.OpSetData:
		var c protocol.SetDataRequest
		c.Decode(&d)
		if d.Err() == nil || noPath(&d) {
			sub = w.setData(&c)
		}
	case protocol.OpSetACL:
		var c protocol.SetACLRequest
		c.Decode(&d)
		if d.Err() == nil || noPath(&d) {
			sub = w.setACL(&c)
		}
	case protocol.OpReconfig:
		var c protocol.ReconfigRequest
		if c.Decode(&d); d.Err() == nil {
			sub.Err = w.reconfig(&c, o, res)
			sub.Stat = res.Stat
		}
	default:
		return fmt.Errorf("%w: client operation %d", ErrBadEntry, r.Op)
	}
	if d.Err() != nil && (sub.Err == protocol.ErrOK || !noPath(&d)) {
		sub.Err = protocol.ErrMarshalling
	}
	res.Err, res.Path, res.Stat = sub.Err, sub.Path, sub.Stat
	f.fireEvents()
	return nil
}

// noPath says whether a null path is all that is wrong with a record. To setData
// and setACL it is a bad path like any other.
func noPath(d *protocol.Decoder) bool { return errors.Is(d.Err(), protocol.ErrNull) }

// write is one client write being applied. Its methods follow the order of
// checks of ZooKeeper's PrepRequestProcessor.
type write struct {
	f       *FSM
	req     *ClientRequest
	zxid    int64
	session protocol.ErrCode // ErrOK, or that the session is gone
}

func (w *write) allowed(list []protocol.ACL, need int32) bool {
	return w.req.Options.Allowed(list, need, w.req.IDs)
}

func fail(code protocol.ErrCode) SubResult { return SubResult{Err: code} }

// parentOf splits path as ZooKeeper does: "a" before the last slash, "/" for
// the root. It refuses what has no slash or holds a NUL.
func parentOf(path string) (parent string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	if i == 0 {
		return "/", true
	}
	return path[:i], true
}

// createDecoded is create for a request that has been decoded, as far as it can
// be: ZooKeeper misses the path only after it has looked at the mode.
func (w *write) createDecoded(d *protocol.Decoder, op protocol.OpCode, r *protocol.CreateRequest, ttl int64) SubResult {
	switch {
	case d.Err() == nil:
		return w.create(op, r, ttl)
	case noPath(d):
		if code := w.createMode(op, r.Flags, ttl); code != protocol.ErrOK {
			return fail(code)
		}
	}
	return fail(protocol.ErrMarshalling)
}

// createMode says whether the session may make a node of the mode.
func (w *write) createMode(op protocol.OpCode, mode int32, ttl int64) protocol.ErrCode {
	timed := protocol.HasTTL(mode)
	switch {
	case !protocol.ValidCreateMode(mode):
		return protocol.ErrBadArguments
	case timed && !w.req.Options.Has(ExtendedTypes):
		return protocol.ErrUnimplemented
	case timed != (op == protocol.OpCreateTTL), timed && (ttl < 1 || ttl > tree.MaxTTL):
		// A TTL for a node that takes none, a node without its TTL, or one out of
		// bounds. ZooKeeper lets a negative TTL for a node that takes none pass
		// here, and cannot apply it.
		return protocol.ErrBadArguments
	case w.session != protocol.ErrOK:
		return w.session
	case protocol.Ephemeral(mode) && w.req.Options.Has(LocalSession):
		if op == protocol.OpCreateContainer { // where ZooKeeper takes no notice of local sessions
			return protocol.ErrSessionExpired
		}
		return protocol.ErrEphemeralOnLocalSession
	}
	return protocol.ErrOK
}

// create makes a znode; ttl, in ms, is createTTL's.
func (w *write) create(op protocol.OpCode, r *protocol.CreateRequest, ttl int64) SubResult {
	t := w.f.tree
	mode := r.Flags
	if code := w.createMode(op, mode, ttl); code != protocol.ErrOK {
		return fail(code)
	}

	parentPath, ok := parentOf(r.Path)
	if !ok {
		return fail(protocol.ErrBadArguments)
	}
	list, code := acl.Resolve(r.ACL, r.ACLNull, w.req.IDs, w.req.Options.Schemes())
	if code != protocol.ErrOK {
		return fail(code)
	}
	parent := t.Lookup(parentPath)
	if parent == tree.None {
		return fail(protocol.ErrNoNode)
	}
	if !w.allowed(t.ACL(parent), protocol.PermCreate) {
		return fail(protocol.ErrNoAuth)
	}
	path := r.Path
	if protocol.Sequential(mode) {
		path = fmt.Sprintf("%s%010d", path, t.NextSequence(parent))
	}
	switch {
	case tree.ValidatePath(path) != nil:
		return fail(protocol.ErrBadArguments)
	case t.Lookup(path) != tree.None:
		return fail(protocol.ErrNodeExists)
	case tree.IsEphemeralOwner(t.Owner(parent)):
		return fail(protocol.ErrNoChildrenForEphemerals)
	}
	if code := w.overQuota(path, 1, int64(len(r.Data))); code != protocol.ErrOK {
		return fail(code)
	}
	var owner int64
	switch {
	case op == protocol.OpCreateContainer: // whatever the flags say
		owner = tree.ContainerOwner
	case protocol.HasTTL(mode):
		owner = tree.TTLOwner(ttl)
	case protocol.Ephemeral(mode):
		owner = int64(w.req.Session)
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	w.f.quotas.keep(w.f.tree, path)
	node := t.Create(parent, name, r.Data, list, owner, w.zxid, w.f.now)
	w.f.events = append(w.f.events, event{protocol.EventNodeCreated, path, w.zxid, list, t.ACL(parent), len(r.Data)})
	done := SubResult{Path: path, Stat: t.Stat(node)}
	w.f.recount(path, node)
	w.f.used(path, 1, int64(len(r.Data)))
	return done
}

func (w *write) delete(r *protocol.DeleteRequest) SubResult {
	t := w.f.tree
	if w.session != protocol.ErrOK {
		return fail(w.session)
	}
	parentPath, ok := parentOf(r.Path)
	if !ok || tree.IsSystem(r.Path) {
		return fail(protocol.ErrBadArguments)
	}
	parent := t.Lookup(parentPath)
	if parent == tree.None {
		return fail(protocol.ErrNoNode)
	}
	if !w.allowed(t.ACL(parent), protocol.PermDelete) {
		return fail(protocol.ErrNoAuth)
	}
	node := t.Lookup(r.Path)
	switch {
	case node == tree.None:
		return fail(protocol.ErrNoNode)
	case !versionMatches(r.Version, t.Stat(node).Version):
		return fail(protocol.ErrBadVersion)
	case t.NumChildren(node) > 0:
		return fail(protocol.ErrNotEmpty)
	}
	w.f.deleteNode(r.Path, node, w.zxid)
	return SubResult{}
}

// deleteNode removes a node and notes the event. REQUIRES: it has no children.
func (f *FSM) deleteNode(path string, node tree.Ref, zxid int64) {
	parent := f.tree.Parent(node)
	f.events = append(f.events, event{protocol.EventNodeDeleted, path, zxid, f.tree.ACL(node), f.tree.ACL(parent), 0})
	size := int64(len(f.tree.Data(node)))
	f.quotas.keep(f.tree, path)
	f.tree.Delete(node, zxid)
	f.used(path, -1, -size)
}

func (w *write) setData(r *protocol.SetDataRequest) SubResult {
	t := w.f.tree
	node, code := w.target(r.Path, protocol.PermWrite)
	if code != protocol.ErrOK {
		return fail(code)
	}
	growth := int64(len(r.Data)) - int64(len(t.Data(node)))
	if code := w.overQuota(r.Path, 0, growth); code != protocol.ErrOK {
		return fail(code)
	}
	if !versionMatches(r.Version, t.Stat(node).Version) {
		return fail(protocol.ErrBadVersion)
	}
	w.f.quotas.keep(t, r.Path)
	t.SetData(node, r.Data, w.zxid, w.f.now)
	done := SubResult{Stat: t.Stat(node)} // before the node counts itself, if it is one that counts
	w.f.used(r.Path, 0, growth)
	w.f.events = append(w.f.events, event{protocol.EventNodeDataChanged, r.Path, w.zxid, t.ACL(node), nil, len(r.Data)})
	return done
}

func (w *write) setACL(r *protocol.SetACLRequest) SubResult {
	t := w.f.tree
	if w.session != protocol.ErrOK {
		return fail(w.session)
	}
	if tree.ValidatePath(r.Path) != nil {
		return fail(protocol.ErrBadArguments)
	}
	list, code := acl.Resolve(r.ACL, r.ACLNull, w.req.IDs, w.req.Options.Schemes())
	if code != protocol.ErrOK {
		return fail(code)
	}
	node, code := w.target(r.Path, protocol.PermAdmin)
	if code != protocol.ErrOK {
		return fail(code)
	}
	if !versionMatches(r.Version, t.Stat(node).Aversion) {
		return fail(protocol.ErrBadVersion)
	}
	t.SetACL(node, list)
	return SubResult{Stat: t.Stat(node)}
}

func (w *write) check(r *protocol.CheckVersionRequest) SubResult {
	node, code := w.target(r.Path, protocol.PermRead)
	if code != protocol.ErrOK {
		return fail(code)
	}
	if !versionMatches(r.Version, w.f.tree.Stat(node).Version) {
		return fail(protocol.ErrBadVersion)
	}
	return SubResult{}
}

// target finds the node that setData, setACL or check act on: session, path,
// existence, permission, in this order.
func (w *write) target(path string, need int32) (tree.Ref, protocol.ErrCode) {
	t := w.f.tree
	if w.session != protocol.ErrOK {
		return tree.None, w.session
	}
	if tree.ValidatePath(path) != nil {
		return tree.None, protocol.ErrBadArguments
	}
	node := t.Lookup(path)
	if node == tree.None {
		return tree.None, protocol.ErrNoNode
	}
	if !w.allowed(t.ACL(node), need) {
		return tree.None, protocol.ErrNoAuth
	}
	return node, protocol.ErrOK
}

func versionMatches(want, have int32) bool { return want == -1 || want == have }

// multi applies all operations or none, under one zxid.
func (w *write) multi(ops []protocol.MultiOp, res *Result) {
	t := w.f.tree
	t.Begin()
	w.f.quotas.begin(w.req.Options.Has(EnforceQuota))
	failed := -1
	for i := range ops {
		sub := w.sub(&ops[i])
		sub.Op = ops[i].Type
		res.Multi = append(res.Multi, sub)
		if sub.Err != protocol.ErrOK {
			failed = i
			break
		}
	}
	w.f.quotas.end()
	if failed < 0 {
		t.Commit()
		w.f.fireEvents()
		return
	}
	t.Rollback()
	w.f.dropEvents()
	code := res.Multi[failed].Err
	res.Multi = res.Multi[:0]
	if code == protocol.ErrMarshalling {
		// What ZooKeeper stumbles over, such as a null id or garbage for limits,
		// fails the request and not the operation.
		res.Err = code
		return
	}
	for i := range ops {
		sub := SubResult{Op: protocol.OpError}
		switch {
		case i == failed:
			sub.Err = code
		case i > failed:
			sub.Err = protocol.ErrRuntimeInconsistency
		}
		res.Multi = append(res.Multi, sub)
	}
}

func (w *write) sub(op *protocol.MultiOp) SubResult {
	switch op.Type {
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL:
		return w.create(op.Type, &op.Create, op.TTL)
	case protocol.OpDelete:
		return w.delete(&op.Delete)
	case protocol.OpSetData:
		return w.setData(&op.SetData)
	case protocol.OpCheck:
		return w.check(&op.Check)
	}
	return fail(protocol.ErrUnimplemented)
}

// fireEvents tells the watchers of what has changed, in order.
func (f *FSM) fireEvents() {
	for i := range f.events {
		e := &f.events[i]
		f.obs.Wrote(e.path, e.bytes)
		switch e.typ {
		case protocol.EventNodeCreated:
			f.watches.Created(e.path, e.zxid, e.nodeACL, e.parACL)
		case protocol.EventNodeDeleted:
			f.watches.Deleted(e.path, e.zxid, e.nodeACL, e.parACL)
		case protocol.EventNodeDataChanged:
			f.watches.DataChanged(e.path, e.zxid, e.nodeACL)
		}
	}
	f.dropEvents()
}

// dropEvents forgets the events and the requests that their paths are parts of.
func (f *FSM) dropEvents() {
	clear(f.events)
	f.events = f.events[:0]
}

// maxOpsKept bounds the storage that is kept for the operations of the next multi.
const maxOpsKept = 1024

// decodeMulti decodes the body of a multi into the storage of the last one, which
// releaseOps must give back. The paths are parts of the body.
func (f *FSM) decodeMulti(body []byte) ([]protocol.MultiOp, error) {
	d := protocol.NewSharingDecoder(body)
	ops := f.ops
	f.ops = nil
	return protocol.DecodeMultiInto(ops, &d)
}

// releaseOps keeps the storage of ops, and none of what they point to.
func (f *FSM) releaseOps(ops []protocol.MultiOp) {
	if cap(ops) <= maxOpsKept {
		clear(ops)
		f.ops = ops[:0]
	}
}
