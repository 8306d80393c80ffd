package client

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// cause is why a connection was ended from this side, or found ended.
type cause struct{ text string }

var (
	causeEOF        = &cause{"client closed its socket"}
	causeIO         = &cause{"socket failed"}
	causeHandshake  = &cause{"no handshake in time"}
	causeIdle       = &cause{"nothing heard for the session timeout"}
	causeMalformed  = &cause{"malformed frame"}
	causeNotServing = &cause{"server is not serving"}
	causeAhead      = &cause{"client has seen a later zxid"}
	causeReadOnly   = &cause{"client does not take a read-only server"}
	causeGlobal     = &cause{"session of the ensemble on a read-only server"}
	causeReplaced   = &cause{"session reconnected"}
	causeMoved      = &cause{"session moved"}
	causeClosed     = &cause{"session closed or expired"}
	causeSlowReader = &cause{"client does not read its events"}
	causeSlowWrite  = &cause{"client takes no data"}
	causeOutOfStep  = &cause{"requests and outcomes out of step"}
	causeThrottled  = &cause{"too many new connections"}
	causeTLS        = &cause{"no TLS handshake"}
	causeHandshakes = &cause{"too many TLS handshakes under way"}
	causeLarge      = &cause{"too many bytes in large requests"}
	causeStale      = &cause{"request has become stale"}
	causeEnsemble   = &cause{"client means another ensemble"}
	causeFull       = &cause{"no room on the disks"}
	causeDone       = &cause{"answered for good"}
	causeShutdown   = &cause{"client port closes"}
)

// longAgo is a deadline that fails what is blocked and what follows.
var longAgo = time.Unix(1, 0)

// conn is one connection of a client.
type conn struct {
	srv    *Server
	nc     net.Conn        // the socket
	sock   syscall.RawConn // of nc, or nil
	number uint64          // unique in this process, from 1
	remote netip.AddrPort
	since  time.Time
	entry  entry

	// Set by secure, before anything is sent; stream is nc, or TLS upon it.
	stream  net.Conn
	raw     syscall.RawConn // of stream, or nil
	subject string          // of the client's certificate, "" for none

	// cause is set once, when the connection dies; it is what isDead looks at.
	cause atomic.Pointer[cause]

	// Owned by readLoop.
	keeper   sessionKeeper // how the session is kept
	in       frameReader
	filledAt int64 // when the last bytes came in, ns on the server's clock
	touch    Toucher
	timer    *time.Timer // ends a connection without a session; nil with one
	woken    int64       // when it last woke, ns on the server's clock
	drowsy   bool        // it has been quiet for so long that it may sleep
	polled   bool        // it has slept before, see sleepers
	asked    bool        // it has asked for more than a sign of life since it woke
	farewell bool        // the outbox is finished before the end

	negotiation negotiation // of SASL; also readLoop's

	// Written by readLoop before the session is asked for, then read-only.
	session protocol.SessionID
	timeout time.Duration
	hasRO   bool
	local   *localSession // nil for one of the ensemble; see upgrade
	watcher *watch.Watcher

	// Of any goroutine.
	shaking atomic.Bool  // a ConnectRequest has come in
	settled atomic.Int32 // outcome of the handshake, a settled constant
	closing atomic.Bool  // the client has asked to close the session
	ids     atomic.Pointer[[]protocol.ID]
	lastIO  atomic.Int64  // when bytes last moved, ns on the server's clock
	resume  chan struct{} // one slot: what readLoop waits for may have come
	counts  counts
	seen    seen
	asking  atomic.Bool  // it has sent a four-letter word
	large   atomic.Int64 // held of srv.large

	out    outbox
	listed atomic.Bool // on its way to the flushers

	mu   sync.Mutex
	pipe pipeline
	// What readLoop looks at without c.mu. The first two are written under it.
	pending  atomic.Int32 // len of pipe
	deferred atomic.Int32 // reads among them
	unsynced atomic.Int32 // syncs not yet caught up, and a reconfig not yet answered
}

func newConn(s *Server, nc net.Conn, remote netip.AddrPort, number uint64, by entry) *conn {
	c := &conn{
		srv: s, nc: nc, number: number, remote: remote, since: time.Now(), entry: by,
		resume: make(chan struct{}, 1), sock: rawConn(nc),
	}
	c.filledAt = s.now()
	c.lastIO.Store(c.filledAt)
	ids := []protocol.ID{{Scheme: "ip", ID: acl.IPText(remote.Addr())}}
	c.ids.Store(&ids)
	return c
}

func (c *conn) isDead() bool { return c.cause.Load() != nil }

// identities is what the connection has proved to be. Not to be changed.
func (c *conn) identities() []protocol.ID { return *c.ids.Load() }

// kill ends the connection without another byte. It does not block and may be
// called by anyone under any lock but outbox.mu.
func (c *conn) kill(why *cause) {
	if !c.die(why) {
		return
	}
	// Deadlines and not Close: that would be system calls, perhaps for
	// thousands of connections, in the apply goroutine. Whoever sets a deadline
	// looks at cause afterwards.
	c.nc.SetDeadline(longAgo)
	c.nudge()
	c.srv.sleepers.wake(c)
}

// die marks the connection as dead, unless it is.
func (c *conn) die(why *cause) bool {
	if !c.cause.CompareAndSwap(nil, why) {
		return false
	}
	c.out.close()
	return true
}

// nudge makes a waiting readLoop look again.
func (c *conn) nudge() {
	select {
	case c.resume <- struct{}{}:
	default:
	}
}

// wait blocks readLoop until cond holds, and tells whether the connection still
// lives. Whatever makes cond true must nudge afterwards.
//
// Nothing is read meanwhile, pings neither, and it may take longer than the
// session's timeout: a reconfig does, and a client that is slow to take a large
// reply. It is for this server to say that the client is alive, while it has to
// wait for others, and while it takes what it is sent.
func (c *conn) wait(cond func() bool) bool {
	var alive <-chan time.Time
	took := c.lastIO.Load()
	for !c.isDead() {
		c.flush()
		if cond() {
			// The socket was not read meanwhile, so silence proves nothing.
			c.lastIO.Store(c.srv.now())
			return true
		}
		if alive == nil && c.touch != nil && !c.closing.Load() {
			tick := time.NewTicker(c.timeout / 3)
			defer tick.Stop()
			alive = tick.C
		}
		select {
		case <-c.resume:
		case <-alive:
			if io := c.lastIO.Load(); io != took || c.unsynced.Load() != 0 {
				took = io
				c.touch.Mark()
			}
		}
	}
	return false
}

// hasRoom says whether the connection may have another request under way.
func (c *conn) hasRoom() bool {
	n := c.pending.Load()
	if n >= maxPending || c.deferred.Load() >= maxDeferred || c.out.size.Load() >= softOutboxBytes {
		return false
	}
	// Over the limit each may have its share of it, or those that came first would
	// keep the others from getting in: their requests would wait in sockets.
	limit := int64(c.srv.cfg.GlobalOutstandingLimit)
	return n == 0 || limit <= 0 || c.srv.outstanding.Load() <= limit || int64(n) < limit/max(c.srv.busy.Load(), 1)
}

// readLoop is the life of the connection, up to when it first sleeps.
func (c *conn) readLoop() {
	c.timer = time.AfterFunc(c.srv.handshakeTimeout, func() { c.kill(causeHandshake) })
	if !c.secure() || c.fourLetters() || !c.handshake() {
		c.end()
		return
	}
	c.timer.Stop()
	c.timer = nil
	c.serve()
}

// end takes the connection apart: what is queued after a farewell is sent, then
// nothing of it remains but the writes that are on their way.
func (c *conn) end() {
	defer c.srv.wg.Done()
	if c.timer != nil {
		defer c.timer.Stop()
	}
	if c.farewell && c.wait(c.out.drained) {
		c.part()
	}
	c.die(causeDone)
	c.nc.Close() // which ends what is blocked, as a deadline would
	if c.watcher != nil {
		c.watcher.Close()
	}
	c.abandon()
	c.in.release()
	c.srv.remove(c)
	c.countEnd()
	c.logEnd()
}

// part ends the stream to the client after the farewell, and waits a moment for it
// to close, too: closing with unread bytes would reset the connection and could
// cost the client the last reply. One that has closed its session has nothing
// more to say, and is not waited for; but its stream is ended first, since a
// connection that is closed with unread bytes sends nothing that is left to be sent.
func (c *conn) part() {
	c.closeWrite()
	if c.closing.Load() {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	for !c.isDead() {
		c.in.r, c.in.w = 0, 0
		if _, err := c.in.fill(); err != nil {
			return
		}
	}
}

func (c *conn) logEnd() {
	log := c.srv.log
	if !log.IsDebug() {
		return
	}
	args := []any{"client", c.name(), "session", c.session.String(), "reason", c.cause.Load().text}
	switch c.cause.Load() {
	case causeEOF:
		log.Debug("Unable to read additional data from client, it probably closed the socket", args...)
	case causeDone, causeClosed:
		log.Debug("Closed socket connection for client", args...)
	default:
		log.Debug("Closing connection of client", args...)
	}
}

// name is the client's address as ZooKeeper prints it.
func (c *conn) name() string { return addrText(c.remote) }

// nextFrame returns the next frame, valid until the next call; false when there
// will be none. It blocks.
func (c *conn) nextFrame() ([]byte, bool) {
	for {
		if frame, ok := c.frame(); ok {
			return frame, true
		}
		if !c.fill() {
			return nil, false
		}
	}
}

// frame returns the next frame if all of it has come. It ends the connection if
// that cannot be a frame, or is more than it may send.
func (c *conn) frame() ([]byte, bool) {
	frame, ok, bad := c.in.next()
	switch {
	case bad:
		c.srv.logLength(c)
		c.kill(causeMalformed)
		return nil, false
	case ok:
		return frame, c.affords(len(frame))
	}
	if n, known, _ := c.in.length(); known {
		c.affords(n)
	}
	return nil, false
}

// fill reads once from the socket, after it has sent what the requests before
// have been answered. It is how a connection without a session reads.
func (c *conn) fill() bool {
	c.flush()
	for !c.isDead() {
		n, err := c.in.fill()
		if err == nil {
			c.came(n)
			return true
		}
		c.unread(err)
	}
	return false
}

// came notes that n bytes have come in.
func (c *conn) came(n int) {
	c.filledAt = c.srv.now()
	c.srv.cfg.Metrics.BytesReceived.Add(int64(n))
	c.lastIO.Store(c.filledAt)
}

// unread deals with an error of a reading: it ends the connection, or moves its
// deadline, which is not moved with every frame but when it has passed.
func (c *conn) unread(err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && c.timeout > 0:
		c.armRead()
	case errors.Is(err, io.EOF):
		c.kill(causeEOF)
	default:
		c.kill(causeIO)
	}
}

// quietTime is how long a connection with nothing to read keeps its goroutine.
const quietTime = 250 * time.Millisecond

// newcomers is what part of it holds for one that has asked for nothing yet. When
// a server starts, thousands of clients come within a second only to be there, and
// what their stacks take together is the server's for good.
const newcomers = 10

// patience is how long the connection waits for bytes before it may sleep.
func (c *conn) patience() time.Duration {
	if c.asked {
		return c.srv.quietTime
	}
	return c.srv.quietTime / newcomers
}

// mayDoze reports whether the connection, which has just read, may sleep without
// having waited: it woke for a ping, and clients that only ping do so at their ease.
// Under TLS more may have been read than it was given.
func (c *conn) mayDoze() bool {
	return !c.asked && c.woken != 0 && !c.in.holds() && c.srv.sleepers != nil && c.raw != nil
}

// silentAt is when the connection will have been silent for its session timeout,
// ns on the server's clock.
func (c *conn) silentAt() int64 { return c.lastIO.Load() + int64(c.timeout) }

// armRead sets the read deadline to when something is to be done if nothing is
// heard, and does what is due already: it ends a connection that is silent, and
// has a quiet one know that it may sleep.
func (c *conn) armRead() {
	now := c.srv.now()
	left := time.Duration(c.silentAt() - now)
	if left <= 0 {
		c.kill(causeIdle)
		return
	}
	if c.srv.sleepers != nil && c.sock != nil {
		quiet, patience := time.Duration(now-max(c.lastIO.Load(), c.woken)), c.patience()
		if quiet >= patience && !c.in.holds() {
			c.drowsy = true
			return
		}
		left = min(left, untilDrowsy(quiet, patience))
	}
	c.nc.SetReadDeadline(time.Now().Add(left))
	if c.isDead() {
		c.nc.SetDeadline(longAgo)
	}
}

// untilDrowsy is how long one that has been quiet for so long is waited for before
// it is looked at again. One that is beyond its patience has sent a part of a frame,
// and is looked at ever more seldom.
func untilDrowsy(quiet, patience time.Duration) time.Duration {
	if quiet >= patience {
		return quiet
	}
	return max(patience-quiet, patience/2)
}

// stayAwake has a connection wait for bytes by itself, for a while.
func (c *conn) stayAwake() {
	c.drowsy = false
	c.woken = c.srv.now()
	c.armRead()
}

// serve handles requests until the connection ends, which it sees to, or sleeps.
func (c *conn) serve() {
	for goOn := c.requests(); goOn; goOn = !c.isDead() {
		if err := c.in.follow(c.serveBytes); err != nil {
			c.unread(err)
		} else if !c.drowsy {
			break
		}
		if c.drowsy {
			c.in.release() // it holds nothing
			if c.srv.sleepers.add(c) {
				return // awake goes on, perhaps already
			}
			c.stayAwake()
		}
	}
	c.end()
}

// serveBytes handles what has come with n bytes more, and reports whether to read
// on. It may block, within a reading of the socket.
func (c *conn) serveBytes(n int) bool {
	c.came(n)
	if !c.requests() {
		return false
	}
	c.drowsy = c.mayDoze()
	return !c.drowsy
}

// requests handles those that have come in, and sends what can be answered. It
// reports whether to go on reading.
func (c *conn) requests() bool {
	for {
		frame, ok := c.frame()
		if !ok {
			break
		}
		if !c.request(frame) {
			return false
		}
		if c.out.size.Load() >= keepBuffer {
			c.flush()
		}
		if !c.hasRoom() {
			if !c.wait(c.hasRoom) {
				return false
			}
			c.filledAt = c.srv.now() // what waited behind arrives only now
		}
	}
	c.flush()
	return !c.isDead()
}

// Notify implements watch.Sink. The receiver's right to know is checked here.
func (c *conn) Notify(ev *watch.Event) {
	if c.isDead() || !c.srv.cfg.Options.Allowed(ev.ACL, protocol.PermRead, c.identities()) {
		return
	}
	if ev.Frame == nil {
		ev.Frame = appendEvent(make([]byte, 0, 4+16+12+len(ev.Path)), ev)
	}
	switch n := c.out.event(ev.Frame); {
	case n == 0:
		return
	case n > c.srv.maxOutboxBytes:
		c.kill(causeSlowReader)
		return
	}
	c.counts.sent.Add(1)
	c.srv.cfg.Metrics.WatchBytes.Add(int64(len(ev.Frame) - lengthBytes))
	c.srv.touched(c)
}

func appendEvent(b []byte, ev *watch.Event) []byte {
	b, mark := protocol.BeginFrame(b)
	h := protocol.ReplyHeader{Xid: protocol.XidNotification, Zxid: ev.Zxid}
	b = h.Append(b)
	e := protocol.WatcherEvent{Type: ev.Type, State: protocol.StateSyncConnected, Path: ev.Path}
	return protocol.EndFrame(e.Append(b), mark)
}

var _ watch.Sink = (*conn)(nil)
var _ fsm.Completion = (*conn)(nil)
