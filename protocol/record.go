package protocol

import "slices"

// RequestHeader stands before the body of every request but the handshake.
type RequestHeader struct {
	Xid int32
	Op  OpCode
}

// Decode reads the header.
func (r *RequestHeader) Decode(d *Decoder) {
	r.Xid = d.Int32()
	r.Op = OpCode(d.Int32())
}

// Append appends the header.
func (r *RequestHeader) Append(b []byte) []byte {
	return AppendInt32(AppendInt32(b, r.Xid), int32(r.Op))
}

// ReplyHeader stands before the body of every reply and watch event. With
// Err other than ErrOK no body follows.
type ReplyHeader struct {
	Xid  int32
	Zxid int64 // last zxid applied where the reply was made
	Err  ErrCode
}

// Decode reads the header.
func (r *ReplyHeader) Decode(d *Decoder) {
	r.Xid = d.Int32()
	r.Zxid = d.Int64()
	r.Err = ErrCode(d.Int32())
}

// Append appends the header.
func (r *ReplyHeader) Append(b []byte) []byte {
	return AppendInt32(AppendInt64(AppendInt32(b, r.Xid), r.Zxid), int32(r.Err))
}

// statBytes is the encoded size of a Stat.
const statBytes = 68

// Stat is the metadata of a znode as clients see it (ZooKeeper Programmer's
// Guide, "ZooKeeper Stat Structure").
type Stat struct {
	Czxid          int64 // zxid that created it
	Mzxid          int64 // zxid that last changed its data
	Ctime          int64 // creation, ms since 1970
	Mtime          int64 // last change of data, ms since 1970
	Version        int32 // changes of data
	Cversion       int32 // changes of the children
	Aversion       int32 // changes of the ACL
	EphemeralOwner int64 // session id of an ephemeral, else 0
	DataLength     int32 // bytes
	NumChildren    int32
	Pzxid          int64 // zxid that last added or removed a child
}

// Decode reads the record.
func (r *Stat) Decode(d *Decoder) {
	r.Czxid = d.Int64()
	r.Mzxid = d.Int64()
	r.Ctime = d.Int64()
	r.Mtime = d.Int64()
	r.Version = d.Int32()
	r.Cversion = d.Int32()
	r.Aversion = d.Int32()
	r.EphemeralOwner = d.Int64()
	r.DataLength = d.Int32()
	r.NumChildren = d.Int32()
	r.Pzxid = d.Int64()
}

// Append appends the record, 68 bytes.
func (r *Stat) Append(b []byte) []byte {
	b = slices.Grow(b, statBytes)
	b = AppendInt64(b, r.Czxid)
	b = AppendInt64(b, r.Mzxid)
	b = AppendInt64(b, r.Ctime)
	b = AppendInt64(b, r.Mtime)
	b = AppendInt32(b, r.Version)
	b = AppendInt32(b, r.Cversion)
	b = AppendInt32(b, r.Aversion)
	b = AppendInt64(b, r.EphemeralOwner)
	b = AppendInt32(b, r.DataLength)
	b = AppendInt32(b, r.NumChildren)
	return AppendInt64(b, r.Pzxid)
}

// EventType says what happened to a watched znode.
type EventType int32

// The events a server sends (Watcher.Event.EventType); others are made up by
// client libraries.
const (
	EventNodeCreated         EventType = 1
	EventNodeDeleted         EventType = 2
	EventNodeDataChanged     EventType = 3
	EventNodeChildrenChanged EventType = 4
)

// String returns ZooKeeper's name for the event.
func (t EventType) String() string {
	switch t {
	case EventNodeCreated:
		return "NodeCreated"
	case EventNodeDeleted:
		return "NodeDeleted"
	case EventNodeDataChanged:
		return "NodeDataChanged"
	case EventNodeChildrenChanged:
		return "NodeChildrenChanged"
	}
	return "None"
}

// StateSyncConnected is the only keeper state that servers put into an event.
const StateSyncConnected int32 = 3

// WatcherEvent is the body of a frame with XidNotification.
type WatcherEvent struct {
	Type  EventType
	State int32
	Path  string
}

// Decode reads the record.
func (r *WatcherEvent) Decode(d *Decoder) {
	r.Type = EventType(d.Int32())
	r.State = d.Int32()
	r.Path = d.Path()
}

// Append appends the record.
func (r *WatcherEvent) Append(b []byte) []byte {
	return AppendString(AppendInt32(AppendInt32(b, int32(r.Type)), r.State), r.Path)
}
