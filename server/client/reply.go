package client

import (
	"encoding/binary"
	"slices"

	"zooraft/fsm"
	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/zabcompat/metrics"
)

// headerBytes is the size of a RequestHeader; errOffset is where the error code
// stands in a frame, behind length, xid and zxid.
const (
	headerBytes = 8
	errOffset   = 4 + 4 + 8
)

// noZxid is what ZooKeeper puts into the reply to an operation it does not know.
const noZxid = -1

// scratch is what answering requests needs for a moment: replies that are made
// and not in the outbox yet, which they must be before the state lock is let go.
// It is pooled because its parts escape through interfaces.
type scratch struct {
	*buffer
	reader fsm.Reader
	events []byte // that the read under way has set off
	closes bool   // the last reply is the connection's last

	told, toldBytes int64 // events in the buffer, and their bytes without lengths

	made made // the replies in the buffer
	// now is when the clock was read last, in ns on the server's clock, 0 for not yet,
	// and timed how much was in the buffer then.
	now   int64
	timed int
	reads metrics.Spaces // what they told of znodes, and not been recorded
	keyed *metrics.Keyed[metrics.Summary]
	alike int64 // reads since one that went into reads, and that one; 0 for none
}

// readsAlike is of how many reads that a client has sent at once only the first is
// looked at, and the others count as the like: more would cost a hundredth of all
// the server's time at full load.
const readsAlike = 16

// like says whether a read by op counts as the like of one before it.
func (sc *scratch) like(op protocol.OpCode) bool {
	return sc.alike > 0 && sc.alike < readsAlike &&
		(op == protocol.OpGetData || op == protocol.OpExists || op == protocol.OpGetChildren || op == protocol.OpGetChildren2)
}

// NoteRead implements fsm.Tally.
func (sc *scratch) NoteRead(path string, bytes int) {
	sc.reads.More(sc.alike - 1)
	sc.alike = 1
	sc.reads.Note(sc.keyed, path, bytes)
}

func (s *Server) getScratch() *scratch {
	sc := s.scratch.Get().(*scratch)
	if sc.buffer == nil {
		sc.buffer = buffers.Get().(*buffer)
	}
	return sc
}

func (s *Server) putScratch(sc *scratch) {
	b := sc.buffer
	if b != nil && cap(b.b) > keepBuffer {
		b.b = nil
	}
	if sc.alike > 0 {
		sc.reads.More(sc.alike - 1)
		sc.reads.Fold()
	}
	runs := sc.made.runs[:0]
	*sc = scratch{buffer: b, reads: sc.reads, keyed: sc.keyed}
	sc.made.runs = runs
	s.scratch.Put(sc)
}

// Notify takes an event that the client's own setWatches brings up.
func (sc *scratch) Notify(ev *watch.Event) {
	before := len(sc.events)
	sc.events = appendEvent(sc.events, ev)
	sc.told++
	sc.toldBytes += int64(len(sc.events) - before - lengthBytes)
}

// replied counts the reply to it, which carries zxid and has size bytes.
func (sc *scratch) replied(it *item, zxid int64, size int) {
	sc.made.add(it, zxid, size)
	sc.closes = sc.closes || it.closes
}

// queue puts what is in sc into the outbox. REQUIRES: the state lock, held in
// any way.
func (c *conn) queue(sc *scratch) {
	if sc.made.empty() {
		return
	}
	c.counts.sent.Add(sc.made.count() + sc.told)
	if sc.now == 0 {
		sc.now = c.srv.now()
	}
	if sc.told > 0 {
		c.srv.cfg.Metrics.WatchBytes.Add(sc.toldBytes)
	}
	c.note(&sc.made, sc.now)
	sc.timed = 0
	sc.watched = int(sc.toldBytes + sc.told*lengthBytes)
	taken, watched := c.out.hand(sc.buffer)
	if taken {
		sc.buffer = nil
	} else {
		sc.b = sc.b[:0]
	}
	if watched > c.srv.maxOutboxBytes {
		c.kill(causeSlowReader)
	}
	if sc.closes {
		c.out.finish()
	}
}

// answer makes the reply to an item other than a write from the state as it is
// under v. REQUIRES: the state lock, held in any way.
func (c *conn) answer(v fsm.View, it *item, sc *scratch) {
	b, mark := protocol.BeginFrame(sc.b)
	h := protocol.ReplyHeader{Xid: it.xid, Zxid: v.LastZxid(), Err: it.err}
	if it.op == protocol.OpPing {
		h.Xid = protocol.XidPing
	}
	switch {
	case it.eager:
		h.Zxid = 0
	case it.kind == kindFixed && it.closes:
		h.Zxid = noZxid
	}
	b = h.Append(b)
	switch it.kind {
	case kindRead:
		ids := it.ids
		if ids == nil {
			ids = c.identities()
		}
		sc.reader = fsm.Reader{Session: c.session, IDs: ids, Options: c.srv.cfg.Options, Watcher: c.watcher, Sink: sc}
		like := sc.like(it.op)
		if !like {
			sc.reader.Tally = sc
		}
		var code protocol.ErrCode
		b, code = v.Read(b, it.op, it.body, &sc.reader)
		if like && code == protocol.ErrOK {
			sc.alike++
		}
		if code != protocol.ErrOK {
			binary.BigEndian.PutUint32(b[mark+errOffset:], uint32(code))
		}
	case kindEnd:
		c.srv.locals.end(c.session)
		c.srv.SessionClosed(c.session) // for another connection that has taken it up
	case kindSync:
		b = append(b, it.body...)
	}
	b = protocol.EndFrame(b, mark)
	size := len(b) - mark
	if len(sc.events) > 0 { // they come before the reply
		b = slices.Insert(b, mark, sc.events...)
		sc.events = sc.events[:0]
	}
	sc.b = b
	sc.replied(it, h.Zxid, size)
	if heavy(it.op, len(b)-sc.timed) {
		sc.now, sc.timed = c.srv.now(), len(b)
	}
}

// appendWriteReply appends the reply to a write, as ZooKeeper's
// FinalRequestProcessor makes it.
func appendWriteReply(b []byte, zxid int64, it *item, r *fsm.Result) []byte {
	b, mark := protocol.BeginFrame(b)
	h := protocol.ReplyHeader{Xid: it.xid, Zxid: zxid, Err: r.Err}
	b = h.Append(b)
	if r.Err == protocol.ErrOK {
		switch it.op {
		case protocol.OpMulti:
			b = appendMultiReply(b, r.Multi)
		case protocol.OpReconfig:
			b = r.Stat.Append(protocol.AppendBuffer(b, r.Data))
		default:
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
