package client

import (
	"slices"

	"zooraft/fsm"
	"zooraft/protocol"
)

// superID is the identity that passes every ACL.
var superID = protocol.ID{Scheme: "super"}

// auth adds an identity. It is answered at once, ahead of requests under way,
// and holds for those that come after it (ZooKeeperServer.processPacket).
func (c *conn) auth(xid int32, body []byte) bool {
	var p protocol.AuthPacket
	d := protocol.NewDecoder(body)
	if p.Decode(&d); d.Err() != nil {
		c.kill(causeMalformed)
		return false
	}
	c.outOfBand()
	if p.Scheme == "ensemble" && c.srv.cfg.Ensemble != nil {
		return c.ensemble(xid, p.Auth)
	}
	if !c.authenticate(&p) {
		c.srv.authFailures.Add(1)
		c.srv.log.Info("Authentication failed for scheme", "scheme", printable(p.Scheme), "client", c.name())
		c.replyNow(xid, protocol.ErrAuthFailed, nil)
		c.out.finish()
		return false
	}
	c.replyNow(xid, protocol.ErrOK, nil)
	return true
}

// authenticate takes the schemes that a client can prove something in: digest,
// where anything counts as proof of itself, and ip and x509, which it has anyway.
func (c *conn) authenticate(p *protocol.AuthPacket) bool {
	switch p.Scheme {
	case "ip":
		return true
	case "x509":
		return c.subject != ""
	case "digest":
		if p.Auth == nil || c.srv.cfg.Options.Has(fsm.NoDigest) {
			return false
		}
		id := c.srv.cfg.Digest.ID(p.Auth)
		if id == c.srv.cfg.SuperDigest {
			if !c.addIdentity(superID) {
				return false
			}
		}
		return c.addIdentity(protocol.ID{Scheme: "digest", ID: id})
	}
	return false
}

// addIdentity adds id unless it is there. Lists in use by requests under way
// stay as they are.
func (c *conn) addIdentity(id protocol.ID) bool {
	old := c.identities()
	if slices.Contains(old, id) {
		return true
	}
	size := len(id.Scheme) + len(id.ID)
	for _, o := range old {
		size += len(o.Scheme) + len(o.ID)
	}
	if len(old) >= maxIdentities || size > maxIdentityBytes {
		return false
	}
	ids := append(slices.Clip(slices.Clone(old)), id)
	c.ids.Store(&ids)
	return true
}

// outOfBand counts a packet that is no request of the session.
func (c *conn) outOfBand() {
	c.counts.received.Add(1)
}

// replyNow queues a reply outside the order of requests, with zxid 0.
func (c *conn) replyNow(xid int32, code protocol.ErrCode, token *protocol.SASLPacket) {
	b, mark := protocol.BeginFrame(make([]byte, 0, 32))
	h := protocol.ReplyHeader{Xid: xid, Err: code}
	b = h.Append(b)
	if token != nil {
		b = token.Append(b)
	}
	c.out.append(protocol.EndFrame(b, mark))
	c.counts.sent.Add(1)
}

// printable makes what a client sent fit for a log line.
func printable(s string) string { return protocol.OnOneLine(s[:min(len(s), 64)]) }
