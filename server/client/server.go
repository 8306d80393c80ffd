package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/zabcompat/metrics"
)

// Server is the client port of one process. Its methods may be called from any
// goroutine.
type Server struct {
	cfg  Config
	deps Deps
	log  hclog.Logger

	ids       sessionIDs
	connects  *bucket // nil: no throttle
	intake    *intake // nil: no throttle
	large     largeRequests
	start     time.Time // epoch of now
	latencies latencies
	sizes     sizes
	base      counts // what had been counted when the figures began anew

	authFailures            atomic.Int64
	fromHere, fromElsewhere atomic.Int64 // connections without a certificate, from this host and from others
	shakingHands            atomic.Int64 // TLS handshakes under way

	service     atomic.Int32 // a Service
	writes      atomic.Int32 // a Writes
	outstanding atomic.Int64 // requests in all pipelines
	busy        atomic.Int64 // pipelines that are not empty
	scratch     sync.Pool
	flushers    flushers
	sleepers    *sleepers               // set by Listen; nil if connections do not sleep
	dirty       []*conn                 // owned by the apply goroutine: listed, not handed over
	warned      [warnKinds]atomic.Int64 // when a line that clients can provoke was last logged

	// Constants of the package; tests lower them.
	handshakeTimeout, catchUpTimeout, quietTime time.Duration
	maxOutboxBytes                              int

	mu       sync.Mutex
	gone     counts       // of the connections that have ended
	ln       net.Listener // nil without a port for plain text
	at       string       // host:port that ln was bound by; "" if Rebind has lost it
	secureLn net.Listener // nil without a port for TLS alone
	closed   bool
	refusing bool // StopAccepting has closed ln
	lastConn uint64
	conns    map[*conn]struct{}
	perAddr  map[netip.Addr]int
	sessions map[protocol.SessionID]*conn // the connection that a session was last bound to

	locals localSessions

	hands hands
	stop  chan struct{}  // closed by Close
	wg    sync.WaitGroup // the accept loops, the flushers, sleepers.run, each connection, the hands and writeLoops
}

// New makes a client port that does not listen yet and refuses sessions.
func New(cfg Config, deps Deps, log hclog.Logger) *Server {
	if cfg.JuteMaxBuffer <= 0 {
		cfg.JuteMaxBuffer = protocol.DefaultMaxFrameBytes
	}
	if cfg.Metrics == nil {
		cfg.Metrics = new(metrics.Metrics)
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	s := &Server{
		cfg: cfg, deps: deps, log: log,
		start:            time.Now(),
		handshakeTimeout: cfg.Limits.SessionlessTimeout,
		connects:         newBucket(cfg.Limits.Connects),
		intake:           newIntake(cfg.Limits.Requests),
		catchUpTimeout:   catchUpTimeout,
		quietTime:        quietTime,
		maxOutboxBytes:   maxOutboxBytes,
		stop:             make(chan struct{}),
		conns:            make(map[*conn]struct{}),
		perAddr:          make(map[netip.Addr]int),
		sessions:         make(map[protocol.SessionID]*conn),
		locals:           localSessions{all: make(map[protocol.SessionID]*localSession), alive: deps.Local},
	}
	s.hands = newHands(s.stop, &s.wg)
	s.flushers.work.L = &s.flushers.mu
	s.scratch.New = func() any { return &scratch{keyed: &s.cfg.Metrics.ReadPerNamespace} }
	s.ids.init(cfg.SID, s.start)
	s.large.init(&cfg.Limits)
	return s
}

// now is a clock in ns that only goes forward.
func (s *Server) now() int64 { return int64(time.Since(s.start)) }

// Listen binds the ports and begins to accept: four-letter words are answered
// from now on, sessions once SetService has said so.
func (s *Server) Listen() error {
	var ln, secureLn net.Listener
	var err error
	if s.cfg.Addr != "" {
		ln, err = s.open(s.cfg.Addr)
	}
	if s.cfg.SecureAddr != "" && err == nil {
		secureLn, err = s.open(s.cfg.SecureAddr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		closeListeners(ln, secureLn)
		return err
	}
	s.ln, s.secureLn = ln, secureLn
	s.flushers.start(&s.wg)
	if s.sleepers = newSleepers(s); s.sleepers != nil {
		s.wg.Add(1)
		go s.sleepers.run()
	}
	if ln != nil {
		s.at = boundBy(s.cfg.Addr, ln)
		s.wg.Add(1)
		go s.acceptLoop(ln, s.plain())
	}
	if secureLn != nil {
		s.wg.Add(1)
		go s.acceptLoop(secureLn, entryTLS)
	}
	return nil
}

// closeListeners closes those that are there.
func closeListeners(all ...net.Listener) {
	for _, ln := range all {
		if ln != nil {
			ln.Close()
		}
	}
}

func (s *Server) open(addr string) (net.Listener, error) {
	// Keep-alive is off by default as in ZooKeeper: sessions have timeouts. How
	// often it probes is the system's to say, as there.
	lc := net.ListenConfig{KeepAlive: -1}
	if s.cfg.Limits.KeepAlive {
		lc.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}
	}
	// No client of ZooKeeper's asks for MPTCP, and a port that offers it takes 4 %
	// more of the processor for sessions that come and go.
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bind client port: %w", err)
	}
	if err := setBacklog(ln, s.cfg.Limits.ListenBacklog); err != nil {
		ln.Close()
		return nil, fmt.Errorf("bind client port %s: clientPortListenBacklog=%d: %w", ln.Addr(), s.cfg.Limits.ListenBacklog, err)
	}
	delayAcks(ln) // after the backlog, which may have it listen again
	return ln, nil
}

// Rebind moves the port for plain text, if it listens, to another address, if it is another: new
// connections come in there and no longer at the old one, and those that are there
// stay. Where one address contains the other, as 0.0.0.0 does with the same port, the
// old one is closed before the new one is bound. On an error the port listens where it
// did, unless the error says that this is lost, too; after StopAccepting or Close
// nothing changes. One call at a time. It follows NIOServerCnxnFactory.reconfigure,
// which gives the old one up at once.
func (s *Server) Rebind(addr string) (moved bool, err error) {
	s.mu.Lock()
	old, at := s.ln, s.at
	s.mu.Unlock()
	if sameAddr(addr, at) {
		return false, nil
	}
	ln, err := s.open(addr)
	if errors.Is(err, syscall.EADDRINUSE) && old != nil && portOf(addr) == portOf(at) {
		old.Close()
		if ln, err = s.open(addr); err != nil {
			return false, errors.Join(err, s.reopen(at))
		}
	}
	if err != nil {
		return false, err
	}
	if err := s.replace(ln, addr); err != nil {
		return false, err
	}
	return true, nil
}

// reopen listens again at an address that had been given up.
func (s *Server) reopen(at string) error {
	ln, err := s.open(at)
	if err == nil {
		return s.replace(ln, at)
	}
	s.mu.Lock()
	s.at = ""
	s.mu.Unlock()
	return fmt.Errorf("the old address is lost, too: %w", err)
}

// replace has connections taken in by a listener in the place of the one there is.
func (s *Server) replace(ln net.Listener, addr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.refusing || s.ln == nil {
		ln.Close()
		return net.ErrClosed
	}
	s.ln.Close()
	s.ln, s.at = ln, boundBy(addr, ln)
	s.wg.Add(1)
	go s.acceptLoop(ln, s.plain())
	return nil
}

// boundBy is addr with the port that a listener got by it.
func boundBy(addr string, ln net.Listener) string {
	host, _, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(host, portOf(ln.Addr().String()))
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// sameAddr says whether two addresses, host:port, are one. Names are not resolved.
func sameAddr(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	ipA, ipB := net.ParseIP(hostA), net.ParseIP(hostB)
	anyA, anyB := hostA == "" || ipA.IsUnspecified(), hostB == "" || ipB.IsUnspecified()
	return anyA && anyB || strings.EqualFold(hostA, hostB) || ipA != nil && ipA.Equal(ipB)
}

// Addr is the address for plain text bound by Listen, nil before, and without one.
func (s *Server) Addr() net.Addr { return s.addr(&s.ln) }

// SecureAddr is that for TLS.
func (s *Server) SecureAddr() net.Addr { return s.addr(&s.secureLn) }

func (s *Server) addr(ln *net.Listener) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *ln == nil {
		return nil
	}
	return (*ln).Addr()
}

// SetService says what connections may ask for from now on. Those that have a
// session keep it as it is: see DropAll, which is to follow.
func (s *Server) SetService(now Service) {
	s.service.Store(int32(now))
	if now == FullService && !s.cfg.LocalSessions {
		s.locals.endAll() // they were for the time without a quorum
	}
}

// Writes is what a server takes of writes.
type Writes int32

// From all to nothing. FewWrites are those that let nothing grow: deletions,
// changes of the membership, and sessions that open and close.
const (
	AllWrites Writes = iota
	FewWrites
	NoWrites
)

// SetWrites says what is taken of writes from now on; the others are answered with
// ErrSystemError. It does not block.
func (s *Server) SetWrites(now Writes) { s.writes.Store(int32(now)) }

// Takes says whether a write is taken, with the room there is on the disks.
func (s *Server) Takes(op protocol.OpCode) bool {
	switch Writes(s.writes.Load()) {
	case AllWrites:
		return true
	case FewWrites:
		return op == protocol.OpDelete || op == protocol.OpReconfig
	}
	return false
}

// takesSessions says whether sessions can be opened and closed.
func (s *Server) takesSessions() bool { return Writes(s.writes.Load()) != NoWrites }

// DropAll closes every connection that has a session or is about to get one,
// without a byte; the sessions live on. It does not block and may be called with
// the state lock held, which keeps any of them from answering from a state that
// has just been replaced.
func (s *Server) DropAll(reason string) {
	why := &cause{reason}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.shaking.Load() {
			c.kill(why)
		}
	}
}

// SessionClosed tells that a session has ended. Its connection on this server is
// closed without a byte, unless the client has asked for the end and waits for
// the reply. It does not block; the apply goroutine calls it with the state lock
// held, before the request that ended the session completes.
func (s *Server) SessionClosed(id protocol.SessionID) {
	s.mu.Lock()
	c := s.sessions[id]
	s.mu.Unlock()
	// A connection that has not settled yet hears of it as its outcome.
	if c != nil && c.settled.Load() == settledOK && !c.closing.Load() {
		c.kill(causeClosed)
	}
}

// Reconfigured tells the outcome of the change of the membership for which a
// connection of this process, named by its number, was told fsm.Result.Pending. A
// connection that is gone does not matter, nor one of an earlier process that had
// this number: none waits but for the one change that is pending. It does not
// block; the apply goroutine calls it with the state lock held.
func (s *Server) Reconfigured(conn uint64, v fsm.View, r *fsm.Result) {
	if c := s.numbered(conn); c != nil {
		c.reconfigured(v, r)
	}
}

// numbered finds a connection by its number, nil if there is none.
func (s *Server) numbered(number uint64) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.number == number {
			return c
		}
	}
	return nil
}

// StopAccepting closes the listening sockets. Connections stay.
func (s *Server) StopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
	closeListeners(s.ln, s.secureLn)
}

// Close ends the port and all connections, and waits for their goroutines.
// Sessions are left as they are. It must not be called with the state lock held.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	closeListeners(s.ln, s.secureLn)
	for c := range s.conns {
		c.kill(causeShutdown)
	}
	sleepers := s.sleepers
	s.mu.Unlock()
	s.flushers.close()
	sleepers.close()
	s.wg.Wait()
}

// acceptLoop takes connections in until the listener is closed.
func (s *Server) acceptLoop(ln net.Listener, by entry) {
	defer s.wg.Done()
	pause := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.admit(nc, by)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			// Out of file descriptors, most likely: some will come free.
			if s.mayWarn(warnAccept) {
				s.log.Error("accept a client connection", "error", err)
			}
			select {
			case <-time.After(pause):
			case <-s.stop:
				return
			}
			pause = min(2*pause, time.Second)
		}
	}
}

// admit starts a connection, or closes it if there are too many.
func (s *Server) admit(nc net.Conn, by entry) {
	remote := remoteAddr(nc)
	s.mu.Lock()
	total, own := len(s.conns), s.perAddr[remote.Addr()]
	var refusal string
	switch {
	case s.closed:
		refusal = "closed"
	case s.cfg.MaxCnxns > 0 && total >= s.cfg.MaxCnxns:
		refusal = fmt.Sprintf("Error accepting new connection: Too many connections max allowed is %d", s.cfg.MaxCnxns)
	case s.cfg.MaxClientCnxns > 0 && own >= s.cfg.MaxClientCnxns:
		host := addrText(netip.AddrPortFrom(remote.Addr(), 0))
		refusal = fmt.Sprintf("Error accepting new connection: Too many connections from %s - max is %d", host[:len(host)-len(":0")], s.cfg.MaxClientCnxns)
	case !s.sparesFiles(nc):
		refusal = fmt.Sprintf("Error accepting new connection: Too many open files max allowed is %d", s.cfg.MaxFiles)
	default:
		s.lastConn++
		c := newConn(s, nc, remote, s.lastConn, by)
		s.conns[c] = struct{}{}
		s.perAddr[remote.Addr()] = own + 1
		s.wg.Add(1)
		s.hands.take(life{c, (*conn).readLoop})
	}
	closed := s.closed
	s.mu.Unlock()
	if refusal == "" {
		return
	}
	nc.Close()
	s.cfg.Metrics.ConnectionsRejected.Inc()
	if !closed && s.mayWarn(warnTooMany) {
		s.log.Warn(refusal)
	}
}

// sparesFiles says whether enough files can be opened beside a new connection: what is
// opened has the least number that is free.
func (s *Server) sparesFiles(nc net.Conn) bool {
	most := s.cfg.MaxFiles
	return most <= 0 || descriptor(nc) < most-min(spareFiles, most/4)
}

func remoteAddr(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// remove forgets a connection that has ended.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.gone.add(&c.counts)
	if n := s.perAddr[c.remote.Addr()]; n > 1 {
		s.perAddr[c.remote.Addr()] = n - 1
	} else {
		delete(s.perAddr, c.remote.Addr())
	}
	s.unbindLocked(c)
}

// bind makes c the connection of its session, and cuts the one it had.
func (s *Server) bind(c *conn) {
	s.mu.Lock()
	old := s.sessions[c.session]
	s.sessions[c.session] = c
	s.mu.Unlock()
	if old != nil && old != c {
		old.kill(causeReplaced)
	}
}

// bindNew makes c the connection of a session yet to be created, unless the id
// is in use here.
func (s *Server) bindNew(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[c.session] != nil {
		return false
	}
	s.sessions[c.session] = c
	return true
}

func (s *Server) unbind(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unbindLocked(c)
}

func (s *Server) unbindLocked(c *conn) {
	if s.sessions[c.session] == c {
		delete(s.sessions, c.session)
	}
}

// Lines that a client can provoke at will are logged once in a while.
const (
	warnAccept = iota
	warnTooMany
	warnLength
	warnLarge
	warnAuth
	warnEnsemble
	warnThrottle
	warnReadOnly
	warnPassword
	warnTLS
	warnHandshakes
	warnSASL
	warnKinds
)

const warnEvery = 10 * time.Second

func (s *Server) mayWarn(kind int) bool {
	now := s.now()
	last := s.warned[kind].Load()
	return (last == 0 || now-last >= int64(warnEvery)) && s.warned[kind].CompareAndSwap(last, max(now, 1))
}

// logLength reports a frame that cannot be one, in ZooKeeper's words.
func (s *Server) logLength(c *conn) {
	if !s.mayWarn(warnLength) {
		return
	}
	n := int32(binary.BigEndian.Uint32(c.in.word()))
	s.log.Warn(fmt.Sprintf("Len error. A message from %s with advertised length of %d is either a malformed message"+
		" or too large to process (length is greater than jute.maxbuffer=%d)", c.name(), n, s.cfg.JuteMaxBuffer))
}
