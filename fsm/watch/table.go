package watch

import (
	"strings"
	"sync"

	"zooraft/protocol"
)

// Table holds the watches of all connections of one server.
type Table struct {
	mu      sync.Mutex
	spots   [tableCount]map[string]*spot
	ev      Event  // the event being delivered
	step    uint64 // number of the delivery, stamped on each Watcher it told
	toldNow int    // how many the step has told so far

	// OnTold hears how many a step has told, if any, of which event. It is called
	// under the table's lock and must not block. It is set before the first change.
	OnTold func(typ protocol.EventType, watchers int)

	// Counts, kept so that monitoring need not walk.
	regs         [tableCount]int
	sharedPaths  int // paths in both dataTable and recursiveTable
	sharedRegs   int // Watcher and path in both
	dataWatchers int // Watchers with anything in dataTable or recursiveTable
}

// NewTable returns an empty Table.
func NewTable() *Table {
	t := &Table{}
	for i := range t.spots {
		t.spots[i] = make(map[string]*spot)
	}
	return t
}

// Created tells of a new znode: NodeCreated to those who watch its data, then
// NodeChildrenChanged to those who watch its parent's children.
//
// REQUIRES, of all three triggers: the caller holds the state lock alone, and
// calls in zxid order, within one transaction in the order of its changes.
// path is a valid absolute path and not the root's.
func (t *Table) Created(path string, zxid int64, nodeACL, parentACL []protocol.ACL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.emptyLocked() {
		return
	}
	t.beginLocked(protocol.EventNodeCreated, path, zxid, nodeACL)
	t.fireDataLocked(path)
	t.fireParentLocked(path, zxid, parentACL)
	t.endLocked()
}

// Deleted tells of a znode's end: NodeDeleted to those who watch its data,
// NodeDeleted to those who watch its children and have not just been told, and
// NodeChildrenChanged to those who watch its parent's children. nodeACL is the
// list the znode had.
func (t *Table) Deleted(path string, zxid int64, nodeACL, parentACL []protocol.ACL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.emptyLocked() {
		return
	}
	t.beginLocked(protocol.EventNodeDeleted, path, zxid, nodeACL)
	t.fireDataLocked(path)
	// No new step: whoever was told above is skipped, and loses its
	// registration all the same.
	t.fireLocked(childTable, path)
	t.fireParentLocked(path, zxid, parentACL)
	t.endLocked()
}

// DataChanged tells of new data: NodeDataChanged to those who watch it.
func (t *Table) DataChanged(path string, zxid int64, nodeACL []protocol.ACL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.emptyLocked() {
		return
	}
	t.beginLocked(protocol.EventNodeDataChanged, path, zxid, nodeACL)
	t.fireDataLocked(path)
	t.endLocked()
}

// NumWatches returns the number of watches as zk_watch_count counts them:
// pairs of connection and path, those in DATA plus those in CHILD. A
// PERSISTENT watch counts twice, several modes in one table count once.
func (t *Table) NumWatches() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dataRegsLocked() + t.regs[childTable]
}

// NumDataWatches returns the number of pairs of connection and path in DATA
// alone, the "Total watches" of the wchs command.
func (t *Table) NumDataWatches() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dataRegsLocked()
}

// NumPaths returns the number of paths watched in DATA, as wchs counts them.
func (t *Table) NumPaths() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.spots[dataTable]) + len(t.spots[recursiveTable]) - t.sharedPaths
}

// NumWatchers returns the number of connections with at least one watch in
// DATA, as wchs counts them.
func (t *Table) NumWatchers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dataWatchers
}

// Count returns how many connections watch a path in each of the tables: its data,
// its children, and, RECURSIVE, it and all below it.
func (t *Table) Count(path string) (data, child, recursive int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := func(in table) int {
		if s := t.spots[in][path]; s != nil {
			return int(s.n)
		}
		return 0
	}
	return n(dataTable), n(childTable), n(recursiveTable)
}

// DataWatches returns the Sinks that watch each path in DATA, for the wchc and
// wchp commands. It copies everything while writes wait.
func (t *Table) DataWatches() map[string][]Sink {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string][]Sink, len(t.spots[dataTable]))
	for path, s := range t.spots[dataTable] {
		sinks := make([]Sink, 0, s.n)
		for r := s.head; r != nil; r = r.next {
			sinks = append(sinks, r.w.sink)
		}
		all[path] = sinks
	}
	for path, s := range t.spots[recursiveTable] {
		for r := s.head; r != nil; r = r.next {
			if !t.twinLocked(r) {
				all[path] = append(all[path], r.w.sink)
			}
		}
	}
	return all
}

func (t *Table) emptyLocked() bool {
	return t.regs == [tableCount]int{}
}

func (t *Table) dataRegsLocked() int {
	return t.regs[dataTable] + t.regs[recursiveTable] - t.sharedRegs
}

// beginLocked starts a step: a new event, of which no Watcher has been told.
func (t *Table) beginLocked(typ protocol.EventType, path string, zxid int64, list []protocol.ACL) {
	t.endLocked()
	t.step++
	t.ev = Event{Type: typ, Path: path, Zxid: zxid, ACL: list}
}

// endLocked ends a step, if there is one.
func (t *Table) endLocked() {
	if t.toldNow > 0 && t.OnTold != nil {
		t.OnTold(t.ev.Type, t.toldNow)
	}
	t.ev, t.toldNow = Event{}, 0
}

// fireDataLocked delivers the event to those who watch the data at path: those
// registered there, and the RECURSIVE ones there and at every ancestor.
func (t *Table) fireDataLocked(path string) {
	t.fireLocked(dataTable, path)
	if len(t.spots[recursiveTable]) == 0 {
		return
	}
	for {
		t.fireLocked(recursiveTable, path)
		if path == "/" {
			return
		}
		path = parentOf(path)
	}
}

// fireParentLocked delivers NodeChildrenChanged for the parent of path, as a
// step of its own.
func (t *Table) fireParentLocked(path string, zxid int64, list []protocol.ACL) {
	if len(t.spots[childTable]) == 0 {
		return
	}
	parent := parentOf(path)
	t.beginLocked(protocol.EventNodeChildrenChanged, parent, zxid, list)
	t.fireLocked(childTable, parent)
}

// fireLocked delivers the event to those registered at path in one table, and
// uses up STANDARD registrations.
func (t *Table) fireLocked(in table, path string) {
	s := t.spots[in][path]
	if s == nil {
		return
	}
	for r := s.head; r != nil; {
		w, next := r.w, r.next
		if r.modes &^= once; r.modes == 0 {
			t.unlinkLocked(r)
		}
		if w.lastStep != t.step {
			w.lastStep = t.step
			t.toldNow++
			w.sink.Notify(&t.ev)
		}
		r = next
	}
}

// linkLocked registers w at path, or adds a mode to what it has there.
func (t *Table) linkLocked(w *Watcher, in table, path string, modes uint8) {
	s := t.spots[in][path]
	if r := s.find(w); r != nil {
		r.modes |= modes
		return
	}
	if s == nil {
		s = &spot{path: path, in: in}
		t.spots[in][path] = s
		if in != childTable && t.spots[in.sibling()][path] != nil {
			t.sharedPaths++
		}
	}
	r := &registration{w: w, at: s, own: int32(len(w.regs)), modes: modes}
	s.push(r)
	w.regs = append(w.regs, r)
	t.regs[in]++
	if in == childTable {
		return
	}
	if t.twinLocked(r) {
		t.sharedRegs++
	}
	if w.inData++; w.inData == 1 {
		t.dataWatchers++
	}
}

// unlinkLocked takes r out of its spot and of its Watcher's own list.
func (t *Table) unlinkLocked(r *registration) {
	w, s := r.w, r.at
	if s.in != childTable {
		if t.twinLocked(r) {
			t.sharedRegs--
		}
		if w.inData--; w.inData == 0 {
			t.dataWatchers--
		}
	}
	t.regs[s.in]--
	w.disown(r)
	s.drop(r)
	if s.n > 0 {
		return
	}
	delete(t.spots[s.in], s.path)
	if s.in != childTable && t.spots[s.in.sibling()][s.path] != nil {
		t.sharedPaths--
	}
}

// twinLocked reports whether r, in dataTable or recursiveTable, has a
// counterpart of the same Watcher at the same path in the other: ZooKeeper
// keeps both in DATA and counts them as one.
func (t *Table) twinLocked(r *registration) bool {
	other := t.spots[r.at.in.sibling()]
	return len(other) > 0 && other[r.at.path].find(r.w) != nil
}

// parentOf returns the path of the znode above path, "/" at last.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
