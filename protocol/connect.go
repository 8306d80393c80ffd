package protocol

// PasswdBytes is the length of a session's password in a ConnectResponse. The C
// client reads the response with a fixed layout, so it may not vary.
const PasswdBytes = 16

// ConnectRequest is a connection's first frame; it has no RequestHeader.
type ConnectRequest struct {
	ProtocolVersion int32     // 0 from clients, not checked
	LastZxidSeen    int64     // highest zxid the client has seen in a reply
	Timeout         int32     // session timeout asked for, ms
	SessionID       SessionID // 0 asks for a new session
	Passwd          []byte    // aliases the input
	ReadOnly        bool      // client takes a read-only server
	HasReadOnly     bool      // ReadOnly was on the wire; clients up to 3.3 omit it
}

// Decode reads the record. ReadOnly is optional.
func (r *ConnectRequest) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.LastZxidSeen = d.Int64()
	r.Timeout = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.ReadOnly, r.HasReadOnly = optionalBool(d)
}

// Append appends the record, with ReadOnly if HasReadOnly is set.
func (r *ConnectRequest) Append(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt64(b, r.LastZxidSeen)
	b = AppendInt32(b, r.Timeout)
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// ConnectResponse answers a ConnectRequest; it has no ReplyHeader. Its zero
// value, with HasReadOnly copied from the request, refuses a session.
type ConnectResponse struct {
	ProtocolVersion int32 // always 0
	Timeout         int32 // session timeout granted, ms; 0 when refused
	SessionID       SessionID
	Passwd          []byte // PasswdBytes long; nil and empty stand for zeros
	ReadOnly        bool   // the server is read-only
	HasReadOnly     bool   // put ReadOnly on the wire: only if the request had it
}

// Decode reads the record. Passwd aliases the input.
func (r *ConnectResponse) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.Timeout = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.ReadOnly, r.HasReadOnly = optionalBool(d)
}

// Append appends the record.
func (r *ConnectResponse) Append(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt32(b, r.Timeout)
	b = AppendInt64(b, int64(r.SessionID))
	if len(r.Passwd) == 0 {
		var zero [PasswdBytes]byte
		b = AppendBuffer(b, zero[:])
	} else {
		b = AppendBuffer(b, r.Passwd)
	}
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

func optionalBool(d *Decoder) (v, has bool) {
	if d.Remaining() == 0 {
		return false, false
	}
	return d.Bool(), true
}
