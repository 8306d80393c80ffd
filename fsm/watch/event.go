package watch

import "zooraft/protocol"

// Event is one change as a Watcher hears it.
type Event struct {
	// Type is one of NodeCreated, NodeDeleted, NodeDataChanged and
	// NodeChildrenChanged.
	Type protocol.EventType
	// Path is the znode the event is about; for NodeChildrenChanged the parent.
	Path string
	// Zxid is that of the transaction that made the change.
	Zxid int64
	// ACL is the list that must grant READ to whoever is told: that of the
	// znode (as it was, if it is gone), or of the parent for
	// NodeChildrenChanged. Applying it is the Sink's part.
	ACL []protocol.ACL
	// Frame is a place for Sinks to share work. It is nil when an event is
	// made; the first Sink that encodes the event may leave the bytes here for
	// the others, which must not change them.
	Frame []byte
}

// Sink is where one connection's events go.
//
// Notify is called with the state lock and the table's lock held. It must not
// block and must not call back into this package: a connection that cannot
// take the event is closed by another goroutine. The event is valid during the
// call only; all Sinks of one event get the same pointer. A Table never calls
// from two goroutines at once.
type Sink interface {
	Notify(ev *Event)
}
