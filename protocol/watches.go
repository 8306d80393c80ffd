package protocol

// Modes of addWatch (org.apache.zookeeper.AddWatchMode).
const (
	AddWatchPersistent          int32 = 0
	AddWatchPersistentRecursive int32 = 1
)

// Types of checkWatches and removeWatches (Watcher.WatcherType).
const (
	WatcherTypeChildren            int32 = 1
	WatcherTypeData                int32 = 2
	WatcherTypeAny                 int32 = 3
	WatcherTypePersistent          int32 = 4
	WatcherTypePersistentRecursive int32 = 5
)

// PathWatchRequest is the body of exists, getData, getChildren and getChildren2.
type PathWatchRequest struct {
	Path  string
	Watch bool // leave a one-shot watch
}

// Decode reads the record. A null path is an error.
func (r *PathWatchRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Watch = d.Bool()
}

// Append appends the record.
func (r *PathWatchRequest) Append(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// AddWatchRequest is the body of addWatch.
type AddWatchRequest struct {
	Path string
	Mode int32 // AddWatchPersistent or AddWatchPersistentRecursive, not checked here
}

// Decode reads the record. A null path is an error.
func (r *AddWatchRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Mode = d.Int32()
}

// Append appends the record.
func (r *AddWatchRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Mode)
}

// WatchesRequest is the body of checkWatches and removeWatches.
type WatchesRequest struct {
	Path string
	Type int32 // one of the WatcherType constants, not checked here
}

// Decode reads the record. A null path is an error.
func (r *WatchesRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Type = d.Int32()
}

// Append appends the record.
func (r *WatchesRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Type)
}

// SetWatches is the body of setWatches: the one-shot watches that a client sets
// again after a reconnect.
type SetWatches struct {
	RelativeZxid int64 // last zxid the client has seen
	Data         []string
	Exist        []string
	Child        []string
}

// Decode reads the record. A null list or path is an error.
func (r *SetWatches) Decode(d *Decoder) {
	r.RelativeZxid = d.Int64()
	r.Data = d.Strings()
	r.Exist = d.Strings()
	r.Child = d.Strings()
}

// Append appends the record.
func (r *SetWatches) Append(b []byte) []byte {
	b = AppendInt64(b, r.RelativeZxid)
	b = AppendStrings(b, r.Data)
	b = AppendStrings(b, r.Exist)
	return AppendStrings(b, r.Child)
}

// SetWatches2 is the body of setWatches2: SetWatches and the watches that stay.
type SetWatches2 struct {
	SetWatches
	Persistent []string
	Recursive  []string
}

// Decode reads the record. A null list or path is an error.
func (r *SetWatches2) Decode(d *Decoder) {
	r.SetWatches.Decode(d)
	r.Persistent = d.Strings()
	r.Recursive = d.Strings()
}

// Append appends the record.
func (r *SetWatches2) Append(b []byte) []byte {
	b = r.SetWatches.Append(b)
	b = AppendStrings(b, r.Persistent)
	return AppendStrings(b, r.Recursive)
}
