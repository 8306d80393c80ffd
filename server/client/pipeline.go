package client

import (
	"bytes"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
)

// kind says how an item of the pipeline gets its reply.
type kind uint8

const (
	kindRead  kind = iota // from a view of the state, when its turn comes
	kindFixed             // fixed already; only its turn is waited for
	kindEnd               // when its turn comes, which ends a session kept here
	kindWrite             // from its result, when it is applied
	kindSync              // when this server has caught up with the leader
)

// item is a request under way.
type item struct {
	kind   kind
	caught bool // kindSync: caught up
	parked bool // kindWrite: a reconfig that is applied and still being carried out
	closes bool // the connection ends after the reply
	early  bool // a ping that has been answered before its turn
	eager  bool // kindFixed: refused without a look at the log
	xid    int32
	op     protocol.OpCode
	err    protocol.ErrCode // kindFixed, and kindWrite when it is answered
	ids    []protocol.ID    // kindRead: the identities when the request came in
	body   []byte           // kindRead, kindSync: the request's body
	at     int64            // arrival, ns on the server's clock
	large  int32            // bytes held of the budget for large requests
}

// pipeline is the requests of one connection that have not been answered, in
// order of arrival. Guarded by conn.mu.
type pipeline struct {
	items    []item // items[head:]
	head     int
	base     uint64 // number of items[head]
	deferred int    // how many are of the kinds before kindWrite
}

func (p *pipeline) len() int { return len(p.items) - p.head }

// front is the oldest item. REQUIRES: len() > 0.
func (p *pipeline) front() *item { return &p.items[p.head] }

// at returns the item with a number, nil if it is gone.
func (p *pipeline) at(number uint64) *item {
	if number < p.base || number-p.base >= uint64(p.len()) {
		return nil
	}
	return &p.items[p.head+int(number-p.base)]
}

// push appends an item and returns its number.
func (p *pipeline) push(it item) uint64 {
	if p.head > 0 && len(p.items) == cap(p.items) {
		n := copy(p.items, p.items[p.head:])
		clear(p.items[n:])
		p.items, p.head = p.items[:n], 0
	}
	p.items = append(p.items, it)
	if it.kind < kindWrite {
		p.deferred++
	}
	return p.base + uint64(p.len()) - 1
}

func (p *pipeline) pop() {
	it := p.front()
	if it.kind < kindWrite {
		p.deferred--
	}
	*it = item{}
	p.head++
	p.base++
	if p.head == len(p.items) {
		p.items, p.head = p.items[:0], 0
		if cap(p.items) > 8 {
			p.items = nil
		}
	}
}

// drop gives up on all items and returns how many there were.
func (p *pipeline) drop() int {
	n := p.len()
	*p = pipeline{base: p.base + uint64(n)}
	return n
}

// ordered answers a request that needs no log, or defers it behind those under
// way, and goes on under the same hold of the state lock with those that the
// receive buffer has complete already. It reports whether to go on reading.
func (c *conn) ordered(it item) bool {
	sc := c.srv.getScratch()
	goOn := true
	answered := 0 // since the clock was read
	n := 1
	v := c.srv.deps.State.RLock()
	for ; ; n++ {
		if c.isDead() {
			goOn = false
			break
		}
		before := sc.now
		if c.answerOrDefer(v, &it, sc) {
			answered++
		}
		if sc.now != before { // it was heavy
			c.look(v, &it, answered, sc)
			answered = 0
		}
		if it.closes {
			goOn = false
			break
		}
		if n == maxReadBatch || len(sc.b) >= keepBuffer/2 || !c.hasRoom() {
			break
		}
		frame := c.in.peek()
		next, ok := c.nextRead(frame)
		if !ok {
			break
		}
		it = next
		it.at = c.filledAt
		c.in.skip(frame)
	}
	c.counts.received.Add(int64(n - 1)) // the first has arrived by itself
	c.queue(sc)
	if answered > 0 {
		c.look(v, &it, answered, sc)
	}
	c.srv.deps.State.RUnlock()
	c.srv.putScratch(sc)
	return goOn
}

// nextRead makes an item of a frame that is a read.
func (c *conn) nextRead(frame []byte) (item, bool) {
	if len(frame) < headerBytes || c.srv.intake != nil || c.srv.large.is(len(frame)) || c.srv.log.IsTrace() {
		return item{}, false // request sees to it
	}
	var h protocol.RequestHeader
	d := protocol.NewDecoder(frame)
	h.Decode(&d)
	if !fsm.Readable(h.Op) {
		return item{}, false
	}
	return item{kind: kindRead, xid: h.Xid, op: h.Op, body: frame[headerBytes:]}, true
}

// answerOrDefer is ordered for one item. REQUIRES: the state lock, shared, so
// that no write completes between the look at the pipeline and the answer. It says
// whether the item was answered.
func (c *conn) answerOrDefer(v fsm.View, it *item, sc *scratch) (answered bool) {
	if c.pending.Load() > 0 {
		c.mu.Lock()
		if c.pipe.len() > 0 && !c.mayOvertakeLocked(it) {
			late := *it
			late.ids, late.body = c.identities(), bytes.Clone(it.body)
			c.pushLocked(late)
			c.mu.Unlock()
			return false
		}
		c.mu.Unlock()
	}
	// Only readLoop, which is here, adds to an empty pipeline.
	c.answer(v, it, sc)
	c.discharge(it)
	return true
}

// mayOvertakeLocked says whether an item is answered before those under way: a
// ping, while a reconfig is carried out. That can take longer than a client waits
// for a sign of life, and clients take a ping's reply whenever it comes.
// REQUIRES: c.mu, and the state lock, so that the reconfig is not answered
// meanwhile.
func (c *conn) mayOvertakeLocked(it *item) bool {
	return it.op == protocol.OpPing && c.pipe.front().parked
}

// pushLocked puts an item behind all others. REQUIRES: c.mu.
func (c *conn) pushLocked(it item) uint64 {
	number := c.pipe.push(it)
	if c.pipe.len() == 1 {
		c.srv.busy.Add(1)
	}
	c.pending.Store(int32(c.pipe.len()))
	c.deferred.Store(int32(c.pipe.deferred))
	c.srv.outstanding.Add(1)
	return number
}

// write proposes a write. Its body has been checked as far as that goes here.
func (c *conn) write(it item, payload []byte) bool {
	if c.unsynced.Load() != 0 && !c.wait(func() bool { return c.unsynced.Load() == 0 }) {
		return false
	}
	if it.op == protocol.OpReconfig {
		c.unsynced.Add(1)
	}
	c.mu.Lock()
	c.pushLocked(it)
	c.mu.Unlock()
	if err := c.srv.deps.Proposer.Propose(payload, c); err != nil {
		c.kill(causeNotServing)
		return false
	}
	return !it.closes
}

// Complete answers a write, and the reads that waited for it. It is called from
// the apply goroutine with the state lock held for writing.
func (c *conn) Complete(v fsm.View, r *fsm.Result) {
	if audit := c.srv.cfg.Audit; audit != nil && r.Request != nil {
		audit(c.session, acl.IPText(c.remote.Addr()), r)
	}
	sc := c.srv.getScratch()
	c.mu.Lock()
	switch {
	case c.isDead():
	case c.pipe.len() == 0 || c.pipe.front().kind != kindWrite:
		// What completes is not what was asked for: the client must not be told
		// anything that could be another request's outcome.
		c.kill(causeOutOfStep)
	case r.Err == protocol.ErrSessionMoved:
		c.kill(causeMoved)
	case r.Pending:
		c.pipe.front().parked = true
		c.pingsLocked(v, sc)
	default:
		c.completeLocked(v, r, sc)
	}
	c.mu.Unlock()
	last := sc.closes
	c.srv.putScratch(sc)
	if last { // readLoop is waiting for it, and sends it
		c.nudge()
		return
	}
	c.srv.touched(c)
	if c.hasRoom() { // else waking readLoop would be for nothing
		c.nudge()
	}
}

// pingsLocked answers the pings that came behind a reconfig before it was parked;
// see mayOvertakeLocked. REQUIRES: c.mu and the state lock.
func (c *conn) pingsLocked(v fsm.View, sc *scratch) {
	for i := c.pipe.head + 1; i < len(c.pipe.items); i++ {
		if it := &c.pipe.items[i]; it.op == protocol.OpPing && it.kind == kindRead && !it.early {
			c.answer(v, it, sc)
			it.early = true
		}
	}
	c.queue(sc)
}

// completeLocked answers the write at the head of the pipeline, and what waited
// for it. REQUIRES: c.mu and the state lock.
func (c *conn) completeLocked(v fsm.View, r *fsm.Result, sc *scratch) {
	it := c.pipe.front()
	if it.op == protocol.OpReconfig {
		c.unsynced.Add(-1)
		defer c.nudge() // a write may wait behind it
	}
	zxid := r.Zxid
	if zxid <= 0 {
		zxid = v.LastZxid()
	}
	it.err = r.Err
	before := len(sc.b)
	sc.b = appendWriteReply(sc.b, zxid, it, r)
	sc.replied(it, zxid, len(sc.b)-before)
	sc.now = c.srv.now()
	if c.srv.isSlow(it, sc.now) {
		c.slowWrite(it, r, zxid, sc.now)
	}
	c.popLocked()
	c.runLocked(v, sc)
	c.queueLocked(sc)
}

// reconfigured is Complete for a reconfig that was parked.
func (c *conn) reconfigured(v fsm.View, r *fsm.Result) {
	sc := c.srv.getScratch()
	c.mu.Lock()
	if !c.isDead() && c.pipe.len() > 0 && c.pipe.front().parked {
		c.completeLocked(v, r, sc)
	}
	c.mu.Unlock()
	c.srv.putScratch(sc)
	c.srv.touched(c)
}

// sync asks for a read-index round, in its place among the other requests.
func (c *conn) sync(it item) bool {
	c.unsynced.Add(1)
	c.mu.Lock()
	number := c.pushLocked(it)
	c.mu.Unlock()
	c.srv.deps.Proposer.Sync(func(v fsm.View, err error) { c.synced(number, v, err) })
	return true
}

func (c *conn) synced(number uint64, v fsm.View, err error) {
	if err != nil {
		c.kill(causeNotServing)
		return
	}
	sc := c.srv.getScratch()
	c.mu.Lock()
	if it := c.pipe.at(number); it != nil && !it.caught {
		it.caught = true
		sc.now = c.srv.now()
		c.unsynced.Add(-1)
		c.runLocked(v, sc)
		c.queueLocked(sc)
	}
	c.mu.Unlock()
	c.srv.putScratch(sc)
	if !c.listed.Swap(true) { // not touched: this may be any goroutine
		c.srv.flushers.add(c)
	}
	c.nudge()
}

// runLocked answers what is at the head of the pipeline, up to what still waits
// for something. REQUIRES: c.mu and the state lock; sc.now is set.
func (c *conn) runLocked(v fsm.View, sc *scratch) {
	for c.pipe.len() > 0 {
		it := c.pipe.front()
		if it.kind == kindWrite || it.kind == kindSync && !it.caught || c.isDead() {
			return
		}
		if !it.early {
			turn := sc.now
			c.answer(v, it, sc)
			if c.srv.isSlow(it, sc.now) {
				c.slowRead(it, sc.made.zxid, turn, sc.now, 0)
			}
		}
		c.popLocked()
	}
}

// queueLocked queues the replies made, and then lets readLoop know how much is
// left: it answers by itself, without c.mu, once nothing is, and its replies must
// come behind these. After a sync both may be at it, for both share the state
// lock. REQUIRES: c.mu.
func (c *conn) queueLocked(sc *scratch) {
	c.queue(sc)
	c.pending.Store(int32(c.pipe.len()))
	c.deferred.Store(int32(c.pipe.deferred))
}

// popLocked takes out the head, whose reply is made; queueLocked must follow.
// REQUIRES: c.mu.
func (c *conn) popLocked() {
	c.discharge(c.pipe.front())
	c.pipe.pop()
	if c.pipe.len() == 0 {
		c.srv.busy.Add(-1)
	}
	c.srv.outstanding.Add(-1)
	if t := c.srv.intake; t != nil {
		t.wake()
	}
}

// abandon gives up on what is under way; writes go on without this connection.
func (c *conn) abandon() {
	c.mu.Lock()
	n := c.pipe.drop()
	if n > 0 {
		c.srv.busy.Add(-1)
	}
	c.pending.Store(0)
	c.deferred.Store(0)
	c.dischargeAll()
	c.mu.Unlock()
	c.srv.outstanding.Add(-int64(n))
	c.srv.cfg.Metrics.StaleReplies.Add(int64(n))
	if t := c.srv.intake; t != nil {
		t.wake()
	}
}
