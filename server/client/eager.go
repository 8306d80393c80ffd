package client

import (
	"zooraft/fsm"
	"zooraft/protocol"
)

// forbidden says whether the ACLs forbid a write as they are now, and makes it an
// item that says so. The reply bears no zxid and the log never hears of it
// (ZooKeeperServer.authWriteRequest).
//
// Where writes of this connection are under way it refuses nothing: one of them
// may be what grants the right. ZooKeeper does not wait for them either, and
// refuses.
func (c *conn) forbidden(it *item) bool {
	c.mu.Lock()
	writes := c.pipe.len() > c.pipe.deferred
	c.mu.Unlock()
	if writes {
		return false
	}
	v := c.srv.deps.State.RLock()
	code := v.Forbidden(it.op, it.body, &fsm.Reader{IDs: c.identities(), Options: c.srv.cfg.Options})
	c.srv.deps.State.RUnlock()
	if code == protocol.ErrOK {
		return false
	}
	it.kind, it.eager, it.err, it.body = kindFixed, true, code, nil
	return true
}
