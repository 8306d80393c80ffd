package client

import (
	"encoding/binary"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// headerBytes is the size of a RequestHeader; errOffset is where the error code
// stands in a frame, behind length, xid and zxid.
const (
	headerBytes = 8
	errOffset   = 4 + 4 + 8
)

// noZxid is what ZooKeeper puts into the reply to an operation it does not know.
const noZxid = -1

// answer makes the reply to an item other than a write from the state as it is
// under v, and queues it. REQUIRES: the state lock, held in any way.
func (c *conn) answer(v fsm.View, it *item, sc *scratch) {
	b, mark := protocol.BeginFrame(sc.b[:0])
	h := protocol.ReplyHeader{Xid: it.xid, Zxid: v.LastZxid(), Err: it.err}
	if it.op == protocol.OpPing {
		h.Xid = protocol.XidPing
	}
	if it.kind == kindFixed && it.closes {
		h.Zxid = noZxid
	}
	b = h.Append(b)
	switch it.kind {
	case kindRead:
		ids := it.ids
		if ids == nil {
			ids = c.identities()
		}
		sc.reader = fsm.Reader{Session: c.session, IDs: ids, SkipACL: c.srv.cfg.SkipACL, Watcher: c.watcher, Sink: c}
		var code protocol.ErrCode
		b, code = v.Read(b, it.op, it.body, &sc.reader)
		if code != protocol.ErrOK {
			binary.BigEndian.PutUint32(b[mark+errOffset:], uint32(code))
		}
	case kindSync:
		b = append(b, it.body...)
	}
	sc.b = protocol.EndFrame(b, mark)
	c.reply(it, sc)
}

// reply queues the frame in sc as the reply to it.
func (c *conn) reply(it *item, sc *scratch) {
	c.out.append(sc.b)
	c.sent.Add(1)
	c.srv.stats.replied(time.Duration(c.srv.now() - it.at))
	if it.closes {
		c.out.finish()
	}
}

// appendWriteReply appends the reply to a write, as ZooKeeper's
// FinalRequestProcessor makes it.
func appendWriteReply(b []byte, v fsm.View, it *item, r *fsm.Result) []byte {
	b, mark := protocol.BeginFrame(b)
	h := protocol.ReplyHeader{Xid: it.xid, Zxid: r.Zxid, Err: r.Err}
	if h.Zxid <= 0 {
		h.Zxid = v.LastZxid()
	}
	b = h.Append(b)
	if r.Err == protocol.ErrOK {
		if it.op == protocol.OpMulti {
			b = appendMultiReply(b, r.Multi)
		} else {
			b = appendWriteBody(b, it.op, r.Path, &r.Stat)
		}
	}
	return protocol.EndFrame(b, mark)
}

// appendWriteBody appends what follows the header of a write that succeeded,
// alone or in a multi.
func appendWriteBody(b []byte, op protocol.OpCode, path string, stat *protocol.Stat) []byte {
	switch op {
	case protocol.OpCreate:
		return protocol.AppendString(b, path)
	case protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL:
		return stat.Append(protocol.AppendString(b, path))
	case protocol.OpSetData, protocol.OpSetACL:
		return stat.Append(b)
	}
	return b // delete, check, closeSession
}

func appendMultiReply(b []byte, subs []fsm.SubResult) []byte {
	for i := range subs {
		s := &subs[i]
		if s.Op == protocol.OpError {
			b = protocol.AppendMultiError(b, s.Err)
			continue
		}
		h := protocol.MultiHeader{Type: s.Op}
		if s.Op == protocol.OpCreateContainer || s.Op == protocol.OpCreateTTL {
			h.Type = protocol.OpCreate2
		}
		b = h.Append(b)
		b = appendWriteBody(b, s.Op, s.Path, &s.Stat)
	}
	return protocol.AppendMultiEnd(b)
}
