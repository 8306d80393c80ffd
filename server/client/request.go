package client

import (
	"errors"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
)

// request starts what a frame asks for and reports whether to go on reading.
func (c *conn) request(frame []byte) bool {
	if len(frame) < headerBytes {
		c.kill(causeMalformed)
		return false
	}
	var h protocol.RequestHeader
	d := protocol.NewSharingDecoder(frame) // frame stays while d is in use
	h.Decode(&d)
	body := frame[headerBytes:]
	switch h.Op {
	case protocol.OpAuth:
		return c.auth(h.Xid, body)
	case protocol.OpSASL:
		return c.sasl(h.Xid, body)
	}
	if c.srv.cfg.EnforceAuth != nil && !c.authenticated() {
		return c.unauthenticated(h.Xid)
	}
	it := item{xid: h.Xid, op: h.Op, body: body}
	c.arrived(&it)
	if !c.charge(&it, len(frame)) {
		return false
	}
	if c.srv.log.IsTrace() {
		c.srv.log.Trace("request", "client", c.name(), "session", c.session.String(), "op", h.Op.String(), "xid", h.Xid)
	}
	if c.srv.intake != nil {
		return c.held(it, &d)
	}
	return c.begin(it, &d)
}

// begin starts what a request asks for, whose body d is at. It reports whether to
// go on reading.
func (c *conn) begin(it item, d *protocol.Decoder) bool {
	switch {
	case fsm.Readable(it.op):
		return c.ordered(it) // of kindRead
	case it.op == protocol.OpCloseSession:
		it.closes, it.body = true, nil
		c.closing.Store(true)
		return c.keeper.end(c, it)
	case c.keeper.refuses(it.op):
		return c.refuse(it, protocol.ErrNotReadOnly)
	case it.op == protocol.OpSync:
		var r protocol.SyncRequest
		if r.Decode(d); d.Err() != nil {
			return c.refuse(it, protocol.ErrMarshalling)
		}
		it.kind, it.body = kindSync, r.Append(nil)
		return c.sync(it)
	}
	switch checkBody(it.op, d) {
	case protocol.ErrOK:
		if !c.srv.Takes(it.op) {
			return c.refuse(it, protocol.ErrSystemError)
		}
		body := it.body
		if c.srv.cfg.EagerACLCheck && c.forbidden(&it) {
			if audit := c.srv.cfg.Audit; audit != nil {
				audit(c.session, acl.IPText(c.remote.Addr()), &fsm.Result{
					Op: it.op, Err: it.err, Request: &fsm.ClientRequest{Session: c.session, Op: it.op, IDs: c.identities(), Body: body},
				})
			}
			return c.ordered(it)
		}
		it.kind, it.body = kindWrite, nil
		return c.keeper.write(c, it, body)
	case protocol.ErrMarshalling:
		return c.refuse(it, protocol.ErrMarshalling)
	default:
		it.closes = true
		return c.refuse(it, protocol.ErrUnimplemented)
	}
}

// arrived notes a request: when it came, and that its session is alive.
func (c *conn) arrived(it *item) {
	it.at = c.filledAt
	c.asked = c.asked || it.op != protocol.OpPing
	c.counts.received.Add(1)
	c.touch.Mark()
}

// refuse answers an error when the request's turn comes.
func (c *conn) refuse(it item, code protocol.ErrCode) bool {
	it.kind, it.err, it.body = kindFixed, code, nil
	return c.ordered(it)
}

// checkBody says whether a write may be proposed: ErrOK, ErrMarshalling for a
// body that does not decode, ErrUnimplemented for what is no write at all. A
// multi travels as it is, since ZooKeeper gives a zxid even to one that does
// not decode, and so does what has no path.
func checkBody(op protocol.OpCode, d *protocol.Decoder) protocol.ErrCode {
	switch op {
	case protocol.OpMulti:
	case protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer:
		var r protocol.CreateRequest
		r.Decode(d)
	case protocol.OpCreateTTL:
		var r protocol.CreateTTLRequest
		r.Decode(d)
	case protocol.OpDelete:
		var r protocol.DeleteRequest
		r.Decode(d)
	case protocol.OpSetData:
		var r protocol.SetDataRequest
		r.Decode(d)
	case protocol.OpSetACL:
		var r protocol.SetACLRequest
		r.Decode(d)
	case protocol.OpReconfig:
		var r protocol.ReconfigRequest
		r.Decode(d)
	default:
		return protocol.ErrUnimplemented
	}
	if err := d.Err(); err != nil && !errors.Is(err, protocol.ErrNull) {
		return protocol.ErrMarshalling
	}
	return protocol.ErrOK
}

// clientRequest makes the payload of a write, with all that apply needs to
// judge it: it may look at nothing else.
func (c *conn) clientRequest(op protocol.OpCode, body []byte, options fsm.Options) []byte {
	r := fsm.ClientRequest{
		Session: c.session, Conn: c.number, Op: op,
		Options: c.srv.cfg.Options | options, IDs: c.identities(), Body: body,
	}
	size := 40 + len(body)
	for _, id := range r.IDs {
		size += 20 + len(id.Scheme) + len(id.ID)
	}
	return r.Append(make([]byte, 0, size))
}
