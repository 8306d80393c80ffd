package protocol

import "bytes"

// Permission bits of an ACL entry (ZooKeeper Programmer's Guide, "ACL
// Permissions"). Servers keep whatever int32 a client sends.
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)

// OpenACL lets everyone do everything (ZooDefs.Ids.OPEN_ACL_UNSAFE). It is
// shared: not to be changed.
var OpenACL = []ACL{{Perms: PermAll, Scheme: "world", ID: "anyone"}}

// openACLBytes is OpenACL as most creations bring it.
var openACLBytes = AppendACLs(nil, OpenACL)

// ACL is one entry of an access control list. It is comparable.
type ACL struct {
	Perms  int32
	Scheme string // null reads as "", which is equally invalid
	ID     string
	NullID bool // the id was null, which scheme auth permits
}

// aclMinBytes is the shortest ACL entry: permissions and two null strings.
const aclMinBytes = 12

// Decode reads the record.
func (r *ACL) Decode(d *Decoder) {
	r.Perms = d.Int32()
	r.Scheme = d.String()
	r.ID, r.NullID = d.StringNull()
}

// Append appends the record.
func (r *ACL) Append(b []byte) []byte {
	b = AppendInt32(b, r.Perms)
	b = AppendString(b, r.Scheme)
	return appendStringNull(b, r.ID, r.NullID)
}

// DecodeACLs reads a vector of ACL entries and tells whether it was null. An
// empty vector is not nil. The result may be OpenACL, and so is not to be changed.
func DecodeACLs(d *Decoder) (acls []ACL, isNull bool) {
	if bytes.HasPrefix(d.b, openACLBytes) {
		d.b = d.b[len(openACLBytes):]
		return OpenACL, false
	}
	n, isNull := d.vector(aclMinBytes)
	if isNull || d.err != nil {
		return nil, isNull
	}
	acls = make([]ACL, n)
	for i := range acls {
		acls[i].Decode(d)
	}
	if d.err != nil {
		return nil, false
	}
	return acls, false
}

// AppendACLs appends a vector of ACL entries; nil becomes an empty vector.
func AppendACLs(b []byte, acls []ACL) []byte {
	b = AppendInt32(b, int32(len(acls)))
	for i := range acls {
		b = acls[i].Append(b)
	}
	return b
}

func appendACLsNull(b []byte, acls []ACL, isNull bool) []byte {
	if isNull {
		return AppendInt32(b, -1)
	}
	return AppendACLs(b, acls)
}

// ID is an identity of a connection: a scheme and an id within it. It has the
// layout of whoAmI's ClientInfo, too.
type ID struct {
	Scheme string
	ID     string
}

// Decode reads the record; null strings read as "".
func (r *ID) Decode(d *Decoder) {
	r.Scheme = d.String()
	r.ID = d.String()
}

// Append appends the record.
func (r *ID) Append(b []byte) []byte {
	return AppendString(AppendString(b, r.Scheme), r.ID)
}

// AuthPacket is the body of an auth request.
type AuthPacket struct {
	Type   int32 // 0, ignored
	Scheme string
	Auth   []byte // the scheme's credentials, may be null; aliases the input
}

// Decode reads the record; a null scheme reads as "", which no provider has.
func (r *AuthPacket) Decode(d *Decoder) {
	r.Type = d.Int32()
	r.Scheme = d.String()
	r.Auth = d.Buffer()
}

// Append appends the record.
func (r *AuthPacket) Append(b []byte) []byte {
	return AppendBuffer(AppendString(AppendInt32(b, r.Type), r.Scheme), r.Auth)
}

// SASLPacket is the body of a sasl request and of its reply.
type SASLPacket struct {
	Token []byte // may be null; aliases the input
}

// Decode reads the record.
func (r *SASLPacket) Decode(d *Decoder) { r.Token = d.Buffer() }

// Append appends the record.
func (r *SASLPacket) Append(b []byte) []byte { return AppendBuffer(b, r.Token) }
