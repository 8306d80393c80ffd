package protocol

// Modes of a create (org.apache.zookeeper.CreateMode).
const (
	CreateModePersistent              int32 = 0
	CreateModeEphemeral               int32 = 1
	CreateModePersistentSequential    int32 = 2
	CreateModeEphemeralSequential     int32 = 3
	CreateModeContainer               int32 = 4
	CreateModePersistentTTL           int32 = 5
	CreateModePersistentSequentialTTL int32 = 6
)

// ValidCreateMode tells whether flags are one of the seven create modes.
func ValidCreateMode(flags int32) bool {
	return flags >= CreateModePersistent && flags <= CreateModePersistentSequentialTTL
}

// Sequential tells whether a create with these flags gets a sequence number.
func Sequential(flags int32) bool {
	return flags == CreateModePersistentSequential || flags == CreateModeEphemeralSequential ||
		flags == CreateModePersistentSequentialTTL
}

// Ephemeral tells whether a create with these flags makes a session's ephemeral.
func Ephemeral(flags int32) bool {
	return flags == CreateModeEphemeral || flags == CreateModeEphemeralSequential
}

// HasTTL tells whether flags are a TTL mode, which only createTTL takes.
func HasTTL(flags int32) bool {
	return flags == CreateModePersistentTTL || flags == CreateModePersistentSequentialTTL
}

// CreateRequest is the body of create, create2 and createContainer.
type CreateRequest struct {
	Path    string
	Data    []byte // nil is null; aliases the input
	ACL     []ACL
	ACLNull bool  // the list was null
	Flags   int32 // a create mode, not checked here
}

// Decode reads the record. A null path is an error.
func (r *CreateRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Data = d.Buffer()
	r.ACL, r.ACLNull = DecodeACLs(d)
	r.Flags = d.Int32()
}

// Append appends the record.
func (r *CreateRequest) Append(b []byte) []byte {
	b = AppendString(b, r.Path)
	b = AppendBuffer(b, r.Data)
	b = appendACLsNull(b, r.ACL, r.ACLNull)
	return AppendInt32(b, r.Flags)
}

// CreateTTLRequest is the body of createTTL.
type CreateTTLRequest struct {
	CreateRequest
	TTL int64 // ms
}

// Decode reads the record. A null path is an error.
func (r *CreateTTLRequest) Decode(d *Decoder) {
	r.CreateRequest.Decode(d)
	r.TTL = d.Int64()
}

// Append appends the record.
func (r *CreateTTLRequest) Append(b []byte) []byte {
	return AppendInt64(r.CreateRequest.Append(b), r.TTL)
}

// DeleteRequest is the body of delete.
type DeleteRequest struct {
	Path    string
	Version int32 // of the data; -1 for any
}

// Decode reads the record. A null path is an error.
func (r *DeleteRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Version = d.Int32()
}

// Append appends the record.
func (r *DeleteRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Version)
}

// SetDataRequest is the body of setData.
type SetDataRequest struct {
	Path    string
	Data    []byte // nil is null; aliases the input
	Version int32  // of the data; -1 for any
}

// Decode reads the record. A null path is an error.
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Data = d.Buffer()
	r.Version = d.Int32()
}

// Append appends the record.
func (r *SetDataRequest) Append(b []byte) []byte {
	return AppendInt32(AppendBuffer(AppendString(b, r.Path), r.Data), r.Version)
}

// SetACLRequest is the body of setACL.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	ACLNull bool  // the list was null
	Version int32 // of the ACL (aversion); -1 for any
}

// Decode reads the record. A null path is an error.
func (r *SetACLRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.ACL, r.ACLNull = DecodeACLs(d)
	r.Version = d.Int32()
}

// Append appends the record.
func (r *SetACLRequest) Append(b []byte) []byte {
	return AppendInt32(appendACLsNull(AppendString(b, r.Path), r.ACL, r.ACLNull), r.Version)
}

// CheckVersionRequest is the body of check, inside a multi.
type CheckVersionRequest struct {
	Path    string
	Version int32 // of the data; -1 for any
}

// Decode reads the record. A null path is an error.
func (r *CheckVersionRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Version = d.Int32()
}

// Append appends the record.
func (r *CheckVersionRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Version)
}

// PathRequest is the body of getACL and getAllChildrenNumber, and the reply's
// body of create and sync.
type PathRequest struct {
	Path string
}

// Decode reads the record. A null path is an error.
func (r *PathRequest) Decode(d *Decoder) { r.Path = d.Path() }

// Append appends the record.
func (r *PathRequest) Append(b []byte) []byte { return AppendString(b, r.Path) }

// SyncRequest is the body of sync and of its reply, which echoes it, and of
// getEphemerals, where the path is a prefix. Both take null.
type SyncRequest struct {
	Path string
	Null bool
}

// Decode reads the record.
func (r *SyncRequest) Decode(d *Decoder) { r.Path, r.Null = d.StringNull() }

// Append appends the record.
func (r *SyncRequest) Append(b []byte) []byte { return appendStringNull(b, r.Path, r.Null) }

// ReconfigRequest is the body of reconfig. Each list may be null, which reads as
// ""; only for NewMembers does null differ from empty.
type ReconfigRequest struct {
	Joining        string // comma-separated server lines
	Leaving        string // comma-separated server ids
	NewMembers     string // comma-separated server lines replacing all others
	NewMembersNull bool
	ConfigID       int64 // version the change builds on; -1 for any
}

// Decode reads the record.
func (r *ReconfigRequest) Decode(d *Decoder) {
	r.Joining = d.String()
	r.Leaving = d.String()
	r.NewMembers, r.NewMembersNull = d.StringNull()
	r.ConfigID = d.Int64()
}

// Append appends the record.
func (r *ReconfigRequest) Append(b []byte) []byte {
	b = AppendString(b, r.Joining)
	b = AppendString(b, r.Leaving)
	b = appendStringNull(b, r.NewMembers, r.NewMembersNull)
	return AppendInt64(b, r.ConfigID)
}
