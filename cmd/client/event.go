package client

import (
	"fmt"

	"zooraft/protocol"
)

// State is where a session stands.
type State int32

// The states. The last three are for ever.
const (
	Connecting State = iota
	Connected
	ConnectedReadOnly
	Closed
	AuthFailed
	Expired
)

// String returns the state as ZooKeeper's client names it
// (ZooKeeper.States); an expired session is CLOSED to it.
func (s State) String() string {
	switch s {
	case Connecting:
		return "CONNECTING"
	case Connected:
		return "CONNECTED"
	case ConnectedReadOnly:
		return "CONNECTEDREADONLY"
	case AuthFailed:
		return "AUTH_FAILED"
	}
	return "CLOSED"
}

// Alive reports whether the session is, or may come to be, connected.
func (s State) Alive() bool { return s <= ConnectedReadOnly }

// Event is what happened to a watched znode or, with no Type, to the session.
type Event struct {
	State string // ZooKeeper's name, KeeperState: SyncConnected, Disconnected, …
	Type  string // EventType: NodeDataChanged, DataWatchRemoved, …; None for the session
	Path  string // "" for the session
	Zxid  int64  // of the change; -1 if it has none
}

// String is WatchedEvent.toString.
func (e Event) String() string {
	path := e.Path
	if path == "" {
		path = "null"
	}
	return fmt.Sprintf("WatchedEvent state:%s type:%s path:%s zxid: %d", e.State, e.Type, path, e.Zxid)
}

func sessionEvent(state string) Event { return Event{State: state, Type: "None", Zxid: -1} }

// watches are what this session has set. Those that have no znode yet stand in
// exist.
type watches struct {
	data, exist, child, persistent, recursive map[string]bool
}

func newWatches() watches {
	return watches{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// fire takes out the one-shot watches that an event ends, and reports whether any
// watch asked for it.
func (w *watches) fire(t protocol.EventType, path string) bool {
	hit := false
	take := func(m map[string]bool) {
		hit = hit || m[path]
		delete(m, path)
	}
	switch t {
	case protocol.EventNodeCreated, protocol.EventNodeDataChanged:
		take(w.data)
		take(w.exist)
	case protocol.EventNodeDeleted:
		take(w.data)
		take(w.exist)
		take(w.child)
	case protocol.EventNodeChildrenChanged:
		// A recursive watch hears of the children themselves.
		take(w.child)
		return hit || w.persistent[path]
	}
	if hit || w.persistent[path] {
		return true
	}
	for p := path; p != ""; p = Parent(p) {
		if w.recursive[p] {
			return true
		}
	}
	return false
}

// kind is a set of watches, and the event that their removal is.
type kind struct {
	set     map[string]bool
	removal string
}

func (w *watches) kinds(t int32) []kind {
	data := []kind{{w.data, "DataWatchRemoved"}, {w.exist, "DataWatchRemoved"}}
	child := kind{w.child, "ChildWatchRemoved"}
	persistent, recursive := kind{w.persistent, "PersistentWatchRemoved"}, kind{w.recursive, "PersistentWatchRemoved"}
	switch t {
	case protocol.WatcherTypeData:
		return data
	case protocol.WatcherTypeChildren:
		return []kind{child}
	case protocol.WatcherTypePersistent:
		return []kind{persistent}
	case protocol.WatcherTypePersistentRecursive:
		return []kind{recursive}
	}
	return append([]kind{child}, append(data, persistent, recursive)...)
}

func (w *watches) has(path string, t int32) bool {
	for _, k := range w.kinds(t) {
		if k.set[path] {
			return true
		}
	}
	return false
}

// remove takes watches out and returns the events that this is, each once.
func (w *watches) remove(path string, t int32) []string {
	var events []string
	for _, k := range w.kinds(t) {
		if k.set[path] {
			delete(k.set, path)
			if len(events) == 0 || events[len(events)-1] != k.removal {
				events = append(events, k.removal)
			}
		}
	}
	return events
}
