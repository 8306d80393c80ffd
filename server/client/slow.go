package client

import (
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// Slow is a request that took Config.SlowAfter or longer, from its arrival to the
// making of its reply. What it waited in its socket before, while the connection
// was not being read, and what the reply waited for the client, is not seen here.
type Slow struct {
	Session protocol.SessionID
	Client  string // as Java prints it: /127.0.0.1:57482
	Xid     int32
	Op      protocol.OpCode
	Path    string // empty where the operation has none, or more than one
	Zxid    int64  // that the reply carries
	Arrived time.Time
	Replied time.Time
	// Turn is when nothing before it was left to wait for. It is zero for a write,
	// and for a read that had nothing before it.
	Turn time.Time
	// Index is that of a write's entry; 0 for what needs none. Then Sync says that
	// the request was one, and waited for the leader.
	Index uint64
	Sync  bool
	// More is how many others came with it, are as late, and are not told of.
	More int
}

// heavyReply is how many bytes of replies may have taken long by themselves.
const heavyReply = 256 << 10

// heavy says whether the clock is to be read after an answer, as it is not for each.
// size is that of the replies made since it was read.
func heavy(op protocol.OpCode, size int) bool {
	switch op {
	case protocol.OpGetEphemerals, protocol.OpGetAllChildrenNumber, protocol.OpSetWatches, protocol.OpSetWatches2:
		return true
	}
	return size >= heavyReply
}

// isSlow says whether what came at a time is late now; both in ns on the server's
// clock. Pings are no request of anybody's.
func (s *Server) isSlow(it *item, now int64) bool {
	return s.cfg.SlowAfter > 0 && now-it.at >= int64(s.cfg.SlowAfter) && it.op != protocol.OpPing
}

// slowWrite tells of a write. REQUIRES: the apply goroutine.
func (c *conn) slowWrite(it *item, r *fsm.Result, zxid, now int64) {
	var body []byte
	if r.Request != nil {
		body = r.Request.Body
	}
	c.tellSlow(it, Slow{Path: requestPath(it.op, body), Zxid: zxid, Index: r.Index}, now)
}

// slowRead tells of anything else. turn is in ns on the server's clock, 0 if there
// was nothing to wait for.
func (c *conn) slowRead(it *item, zxid, turn, now int64, more int) {
	w := Slow{Path: requestPath(it.op, it.body), Zxid: zxid, Sync: it.kind == kindSync, More: more}
	if turn != 0 {
		w.Turn = c.srv.start.Add(time.Duration(turn))
	}
	c.tellSlow(it, w, now)
}

// look tells of the last of so many requests that were answered one after the other
// as they came in, if they are late. The body of the item must still be there.
func (c *conn) look(v fsm.View, it *item, answered int, sc *scratch) {
	if c.srv.isSlow(it, sc.now) {
		c.slowRead(it, v.LastZxid(), 0, sc.now, answered-1)
	}
}

func (c *conn) tellSlow(it *item, w Slow, now int64) {
	w.Session, w.Client, w.Xid, w.Op = c.session, c.name(), it.xid, it.op
	w.Arrived, w.Replied = c.srv.start.Add(time.Duration(it.at)), c.srv.start.Add(time.Duration(now))
	c.srv.cfg.Slow(&w)
}

// requestPath is the path that a request's body begins with.
func requestPath(op protocol.OpCode, body []byte) string {
	switch op {
	case protocol.OpMulti, protocol.OpMultiRead, protocol.OpSetWatches, protocol.OpSetWatches2, protocol.OpReconfig, protocol.OpWhoAmI,
		protocol.OpCloseSession:
		return ""
	}
	d := protocol.NewDecoder(body)
	path := d.String()
	if d.Err() != nil {
		return ""
	}
	return path
}
