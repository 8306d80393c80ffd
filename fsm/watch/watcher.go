package watch

import "zooraft/protocol"

// Watcher is one connection's part of a Table. Its methods may be called by
// any goroutine.
//
// The Add methods do nothing if the registration is there already, or if the
// Watcher is closed: a read may still be under way when its connection dies.
// To miss no change, a read and its registration must happen under one hold of
// the state lock, shared or not. The path need not exist, nor be valid.
type Watcher struct {
	t    *Table
	sink Sink

	// Guarded by t.mu.
	regs     []*registration
	lastStep uint64 // last step that reached the sink
	inData   int32  // how many of regs are not in childTable
	closed   bool
}

// NewWatcher returns a Watcher without registrations, whose events go to sink.
func (t *Table) NewWatcher(sink Sink) *Watcher {
	return &Watcher{t: t, sink: sink}
}

// AddData registers a STANDARD watch in DATA, as getData and exists do.
func (w *Watcher) AddData(path string) { w.add(path, once, dataTable) }

// AddChild registers a STANDARD watch in CHILD, as getChildren does.
func (w *Watcher) AddChild(path string) { w.add(path, once, childTable) }

// AddPersistent registers a PERSISTENT watch in DATA and CHILD.
func (w *Watcher) AddPersistent(path string) { w.add(path, standing, dataTable, childTable) }

// AddRecursive registers a RECURSIVE watch on path and all below it.
func (w *Watcher) AddRecursive(path string) { w.add(path, standing, recursiveTable) }

func (w *Watcher) add(path string, modes uint8, tables ...table) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.closed {
		return
	}
	for _, in := range tables {
		w.t.linkLocked(w, in, path, modes)
	}
}

// Has reports whether the Watcher has registrations of this type, one of the
// protocol.WatcherType constants, at path (checkWatches). False for any other
// type.
func (w *Watcher) Has(path string, watcherType int32) bool {
	return w.match(path, watcherType, false)
}

// Remove takes out the Watcher's registrations of this type, one of the
// protocol.WatcherType constants, at path and reports whether there were any
// (removeWatches). False for any other type.
func (w *Watcher) Remove(path string, watcherType int32) bool {
	return w.match(path, watcherType, true)
}

// typeModes says what each watcher type means in each table
// (DataTree.containsWatcher and removeWatch).
var typeModes = [...][tableCount]uint8{
	protocol.WatcherTypeChildren:            {childTable: once},
	protocol.WatcherTypeData:                {dataTable: once},
	protocol.WatcherTypeAny:                 {dataTable: once | standing, childTable: once | standing, recursiveTable: standing},
	protocol.WatcherTypePersistent:          {dataTable: standing, childTable: standing},
	protocol.WatcherTypePersistentRecursive: {recursiveTable: standing},
}

func (w *Watcher) match(path string, watcherType int32, remove bool) (found bool) {
	if watcherType < 0 || int(watcherType) >= len(typeModes) {
		return false
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	for in, modes := range typeModes[watcherType] {
		if modes == 0 {
			continue
		}
		r := w.t.spots[in][path].find(w)
		if r == nil || r.modes&modes == 0 {
			continue
		}
		found = true
		if !remove {
			break
		}
		if r.modes &^= modes; r.modes == 0 {
			w.t.unlinkLocked(r)
		}
	}
	return found
}

// Close drops all registrations; the Sink is not called after it returns. It
// may be called twice. The cost is that of the Watcher's own registrations.
func (w *Watcher) Close() {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.closed = true
	for n := len(w.regs); n > 0; n = len(w.regs) {
		w.t.unlinkLocked(w.regs[n-1])
	}
	w.regs = nil
}

// disown takes r out of w.regs: the last one moves to its place.
func (w *Watcher) disown(r *registration) {
	last := len(w.regs) - 1
	moved := w.regs[last]
	w.regs[r.own], moved.own = moved, r.own
	w.regs[last] = nil
	w.regs = w.regs[:last]
	// A connection that once watched much should not hold the room for ever.
	if c := cap(w.regs); c > 64 && last < c/4 {
		w.regs = append(make([]*registration, 0, c/2), w.regs...)
	}
}

// Len is how many registrations the Watcher has.
func (w *Watcher) Len() int {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	return len(w.regs)
}

// Registration is one of a Watcher's, as [Watcher.Registrations] tells of it.
type Registration struct {
	Path string
	// Once: goes with the first event. Recursive: also hears of all below Path.
	// Children: hears of the children and not of the data. A PERSISTENT watch is
	// two of them.
	Once, Recursive, Children bool
}

// Registrations lists the Watcher's registrations, max at most, in no order. Writes
// wait for as long as it copies them.
func (w *Watcher) Registrations(max int) []Registration {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	all := make([]Registration, 0, min(max, len(w.regs)))
	for _, r := range w.regs[:min(max, len(w.regs))] {
		all = append(all, Registration{
			Path: r.at.path, Once: r.modes&standing == 0, Recursive: r.at.in == recursiveTable, Children: r.at.in == childTable,
		})
	}
	return all
}
