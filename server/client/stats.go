package client

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zooraft/protocol"
)

// counts are what went over one connection, or several. Each connection has its
// own, for one that all share would be passed from core to core with each
// request.
type counts struct {
	received, sent atomic.Int64 // packets
}

func (n *counts) add(m *counts) {
	n.received.Add(m.received.Load())
	n.sent.Add(m.sent.Load())
}

// reset takes what has been counted out, and returns it.
func (n *counts) reset() (received, sent int64) { return n.received.Swap(0), n.sent.Swap(0) }

// latencies are from the arrival of a request to the making of its reply, in
// whole ms as in ZooKeeper: nearly all are 0, and add nothing.
type latencies struct {
	count    atomic.Int64
	sum, max atomic.Int64
	min      atomic.Int64 // plus one; 0 before any
}

const nsPerMs = int64(time.Millisecond)

// note adds n replies whose latencies, in ns, have this sum, maximum and minimum.
func (s *latencies) note(n, sum, most, least int64) {
	s.count.Add(n)
	if most >= nsPerMs {
		s.sum.Add(sum / nsPerMs)
	}
	for {
		if old := s.max.Load(); most/nsPerMs <= old || s.max.CompareAndSwap(old, most/nsPerMs) {
			break
		}
	}
	for {
		if old := s.min.Load(); old != 0 && least/nsPerMs+1 >= old || s.min.CompareAndSwap(old, least/nsPerMs+1) {
			break
		}
	}
}

func (s *latencies) reset() {
	s.count.Store(0)
	s.sum.Store(0)
	s.max.Store(0)
	s.min.Store(0)
}

// figures returns minimum, average and maximum in ms, 0 before any.
func (s *latencies) figures() (least int64, avg float64, most int64) {
	if n := s.count.Load(); n > 0 {
		avg = float64(s.sum.Load()) / float64(n)
	}
	return max(s.min.Load()-1, 0), avg, s.max.Load()
}

// made are replies that have been made and not been noted, and the last of them.
type made struct {
	now  run   // the last
	runs []run // those before it, in order
	op   protocol.OpCode
	err  protocol.ErrCode // of the last, if known before its body was made
	xid  int32
	zxid int64
	size int64 // bytes, without the frame's length, as the next two and all sizes shown

	most, least int64 // bytes of the largest and the smallest of them
	bytes       int64 // of all, without pings
}

// run is a number of replies of one kind to requests that came in together.
type run struct {
	at    int64 // arrival, ns on the server's clock
	n     int64
	write bool
}

func (m *made) add(it *item, zxid int64, size int) {
	m.op, m.err, m.xid, m.zxid, m.size = it.op, it.err, it.xid, zxid, int64(size-lengthBytes)
	m.most = max(m.most, m.size)
	if m.least == 0 || m.size < m.least {
		m.least = m.size
	}
	if it.op != protocol.OpPing {
		m.bytes += m.size
	}
	write := it.kind == kindWrite
	if m.now.at == it.at && m.now.write == write {
		m.now.n++
		return
	}
	if m.now.n > 0 {
		m.runs = append(m.runs, m.now)
	}
	m.now = run{it.at, 1, write}
}

func (m *made) empty() bool { return m.now.n == 0 }

// count is how many there are.
func (m *made) count() int64 {
	n := m.now.n
	for i := range m.runs {
		n += m.runs[i].n
	}
	return n
}

// seen is what a connection has been answered. A lock costs less than an atomic
// operation for each figure.
type seen struct {
	mu sync.Mutex
	answered
}

// answered are figures of the replies to one connection; times in ns on the server's
// clock. A connection that takes up an older session begins with zeros, as in ZooKeeper
// (ServerCnxn), and not as reset has it.
type answered struct {
	n, sum      int64 // how many, and their latencies in ms, nearly all of which are 0
	most, least int64 // latencies
	last        int64 // latency of the last
	op          protocol.OpCode
	refused     bool  // op was refused; not known of reads
	xid         int32 // of the last to a request of the client's own
	zxid        int64 // of the last
	at          int64 // when the last was made
}

// opened notes that the connection has been given a new session, by a request that
// has this zxid.
func (s *seen) opened(zxid, at int64) {
	s.mu.Lock()
	s.op, s.zxid, s.at = protocol.OpCreateSession, zxid, at
	s.mu.Unlock()
}

func (s *seen) reset() {
	s.mu.Lock()
	s.answered = answered{op: protocol.OpError, xid: -1, zxid: -1}
	s.mu.Unlock()
}

func (s *seen) get() answered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered
}

// note takes the replies in m into the figures of the connection and the server,
// and empties m. now is when they were made.
func (c *conn) note(m *made, now int64) {
	mx := c.srv.cfg.Metrics
	n, sum, most, least := int64(0), int64(0), int64(0), int64(math.MaxInt64)
	m.runs = append(m.runs, m.now)
	for _, r := range m.runs {
		d := now - r.at
		n += r.n
		sum += r.n * d
		most, least = max(most, d), min(least, d)
		if r.write {
			mx.UpdateLatency.TimeN(time.Duration(d), r.n)
		} else {
			mx.ReadLatency.TimeN(time.Duration(d), r.n)
		}
	}
	c.srv.latencies.note(n, sum, most, least)
	mx.ResponseBytes.Add(m.bytes)
	c.srv.sizes.note(m.size, m.most, m.least)

	s := &c.seen
	s.mu.Lock()
	if s.n == 0 || least < s.least {
		s.least = least
	}
	if most >= nsPerMs {
		s.sum += sum / nsPerMs
		s.most = max(s.most, most)
	}
	s.n += n
	s.last, s.op, s.zxid, s.at = now-m.runs[len(m.runs)-1].at, m.op, m.zxid, now
	s.refused = m.err != protocol.ErrOK
	if m.xid >= 0 {
		s.xid = m.xid
	}
	s.mu.Unlock()
	*m = made{runs: m.runs[:0]}
}

// sizes are those of replies in bytes.
type sizes struct {
	last, max atomic.Int64
	min       atomic.Int64 // 0 before any: no reply is empty
}

func (s *sizes) note(last, most, least int64) {
	if s.last.Load() != last { // a line that others read costs less
		s.last.Store(last)
	}
	for {
		if old := s.max.Load(); most <= old || s.max.CompareAndSwap(old, most) {
			break
		}
	}
	for {
		if old := s.min.Load(); old != 0 && least >= old || s.min.CompareAndSwap(old, least) {
			break
		}
	}
}

func (s *sizes) reset() {
	s.last.Store(0)
	s.max.Store(0)
	s.min.Store(0)
}

// figure is a size as it is shown: -1 before any.
func figure(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// Stats are the client port's figures since it was made, or since ResetStats.
type Stats struct {
	PacketsReceived, PacketsSent int64
	LatencyMin, LatencyMax       int64   // ms
	LatencyAvg                   float64 // ms
	Connections                  int     // open sockets, those without a session included
	Outstanding                  int64   // requests received and not answered
	SizeLast, SizeMin, SizeMax   int64   // of replies, in bytes; -1 before any
	AuthFailures                 int64
	Local, Remote                int64   // connections without a certificate so far, from this host and from others
	Handshakes                   int64   // of TLS, under way
	LocalSessions                int     // kept by this server alone
	DropProbability              float64 // of a new connection, by ConnectThrottle
}

// Stats returns the figures as they are now.
func (s *Server) Stats() Stats {
	st := Stats{
		Outstanding: max(s.outstanding.Load(), 0),
		SizeLast:    figure(s.sizes.last.Load()), SizeMin: figure(s.sizes.min.Load()), SizeMax: figure(s.sizes.max.Load()),
		AuthFailures: s.authFailures.Load(), Local: s.fromHere.Load(), Remote: s.fromElsewhere.Load(), Handshakes: s.shakingHands.Load(),

		LocalSessions: s.locals.len(),
	}
	if s.connects != nil {
		st.DropProbability = s.connects.dropping()
	}
	st.LatencyMin, st.LatencyAvg, st.LatencyMax = s.latencies.figures()
	received, sent, n := s.packets()
	st.Connections = n
	st.PacketsReceived, st.PacketsSent = received-s.base.received.Load(), sent-s.base.sent.Load()
	return st
}

// packets are those of all connections there have been; n is how many are open.
func (s *Server) packets() (received, sent int64, n int) {
	var all counts
	s.mu.Lock()
	defer s.mu.Unlock()
	all.add(&s.gone)
	for c := range s.conns {
		all.add(&c.counts)
	}
	return all.received.Load(), all.sent.Load(), len(s.conns)
}

// ResetStats begins latencies, sizes and packet counts anew, as the word srst does.
func (s *Server) ResetStats() {
	received, sent, _ := s.packets()
	s.base.received.Store(received)
	s.base.sent.Store(sent)
	s.latencies.reset()
	s.sizes.reset()
}

// ResetConnections begins the figures of each connection anew, as the word crst
// does, and leaves the server's.
func (s *Server) ResetConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		received, sent := c.counts.reset()
		s.gone.received.Add(received)
		s.gone.sent.Add(sent)
		c.seen.reset()
	}
}

// ConnInfo describes one connection, for the words stat and cons.
type ConnInfo struct {
	Remote         string // as Java prints it: /127.0.0.1:57482
	Session        protocol.SessionID
	HasSession     bool
	Timeout        time.Duration // negotiated; 0 without a session
	Established    time.Time     // when the socket was accepted
	Expires        time.Time     // when it ends if nothing more is heard
	Queued         int           // requests under way
	Received, Sent int64         // packets
	Asking         bool          // it has sent a four-letter word
	Secure         bool          // it has come in by the port for TLS alone

	// Of the last reply, that to the opening of the session included: Replied says that there was one.
	// LastXid is of the last one to a request that the client numbered itself. Before any Op is OpNotify
	// and the others are 0, or since ResetConnections OpError and -1.
	Op        protocol.OpCode
	Replied   bool
	Refused   bool // Op was a write and has failed; a multi that has been read never does
	LastXid   int32
	LastZxid  int64
	LastReply time.Time
	// Latencies of its replies in ms.
	LatencyLast, LatencyMin, LatencyMax int64
	LatencyAvg                          float64
}

// Connections describes all open connections, oldest first.
func (s *Server) Connections() []ConnInfo {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	infos := make([]ConnInfo, len(all))
	for i, c := range all {
		infos[i] = c.info()
	}
	return infos
}

func (c *conn) info() ConnInfo {
	info := ConnInfo{
		Remote: c.name(), Established: c.since, Queued: int(c.pending.Load()), Asking: c.asking.Load(), Secure: c.entry == entryTLS,
		Received: c.counts.received.Load(), Sent: c.counts.sent.Load(),
	}
	alive := c.srv.handshakeTimeout
	if c.settled.Load() == settledOK {
		info.Session, info.HasSession, info.Timeout = c.session, true, c.timeout
		alive = c.timeout
	}
	info.Expires = c.srv.start.Add(time.Duration(c.lastIO.Load()) + alive)
	r := c.seen.get()
	info.Op, info.Refused, info.LastXid, info.LastZxid = r.op, r.refused, r.xid, r.zxid
	if r.at != 0 {
		info.Replied, info.LastReply = true, c.srv.start.Add(time.Duration(r.at))
	}
	info.LatencyLast, info.LatencyMin, info.LatencyMax = r.last/nsPerMs, r.least/nsPerMs, r.most/nsPerMs
	if r.n > 0 {
		info.LatencyAvg = float64(r.sum) / float64(r.n)
	}
	return info
}

// countEnd counts why the connection has ended, where that is a figure.
func (c *conn) countEnd() {
	m := c.srv.cfg.Metrics
	switch c.cause.Load() {
	case causeEOF, causeIO:
		if c.settled.Load() == settledOK && !c.closing.Load() {
			m.ConnectionsDropped.Inc()
		}
	case causeHandshake:
		m.SessionlessExpired.Inc()
	case causeNotServing:
		m.NotServing.Inc()
	case causeThrottled:
		m.ConnectionsRejected.Inc()
	case causeLarge:
		m.LargeRequestsRejected.Inc()
	case causeStale:
		m.StaleRequests.Inc()
		m.StaleRequestsDropped.Inc()
	case causeEnsemble:
		m.EnsembleAuthFail.Inc()
	}
}

// Watches lists the data watches of all connections: session and path. It stops
// writes for as long as it copies them.
func (s *Server) Watches() iter.Seq2[protocol.SessionID, string] {
	return func(yield func(protocol.SessionID, string) bool) {
		for path, sinks := range s.deps.State.Watches().DataWatches() {
			for _, sink := range sinks {
				if c, ok := sink.(*conn); ok && !yield(c.session, path) {
					return
				}
			}
		}
	}
}
