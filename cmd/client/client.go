package client

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"zooraft/protocol"
)

// Config says what session to open.
type Config struct {
	// Servers is a connect string: see ParseServers.
	Servers string
	// Timeout is the session timeout asked for. Default 30 s.
	Timeout time.Duration
	// RequestTimeout ends a request that has no reply, as ErrRequestTimeout. Zero
	// waits as long as the connection lasts.
	RequestTimeout time.Duration
	// ReadOnly takes servers that have lost their quorum, too, until one is found
	// that has it.
	ReadOnly bool
	// MaxReplyBytes bounds what a server may make this process hold. Default 256 MiB.
	MaxReplyBytes int
	// OnEvent is told each event, in order, by the goroutine that reads: it must
	// not make requests, nor wait for one. Nil drops them.
	OnEvent func(Event)
	// Dial opens a connection. Default TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Secure makes TLS of a connection to a host, which is called as in Servers,
	// whatever address of it was dialled; it blocks as long as the connection's deadline
	// allows. Nil leaves connections as they are.
	Secure func(nc net.Conn, host string) (net.Conn, error)
	// Login begins a negotiation by SASL with a host, which is called as in Servers: who
	// this client is, at each connection, before anything is asked of the server. It may
	// block until ctx ends, with Close. An error that is ErrLogin ends the session as
	// AuthFailed; with any other the connection has failed, and the next is tried. Nil
	// does without.
	Login func(ctx context.Context, host string) (Mechanism, error)
	// Lookup returns the addresses of a host, all of which are tried, and anew in each
	// round. Default net.DefaultResolver.LookupHost; with a Dial, that is given names.
	Lookup func(ctx context.Context, host string) ([]string, error)
}

const (
	defaultTimeout       = 30 * time.Second
	defaultMaxReplyBytes = 256 << 20

	// Pauses between rounds in which no server could be reached.
	minPause = 50 * time.Millisecond
	maxPause = time.Second
	// closePatience bounds the wait for the reply to a closeSession.
	closePatience = 2 * time.Second
)

// Client is one session. Its methods may be called by any goroutine.
type Client struct {
	cfg    Config
	addrs  []string // the servers, host:port
	chroot string

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	over   chan struct{} // closed when run has ended

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced when state changes or a round has failed
	rounds  int           // how many times in a row no server could be reached
	failure error         // why, the last time
	nc      net.Conn      // nil while not connected
	asked   bool          // a session was asked for, and the answer is not there yet
	server  string        // that has granted the session, as long as the connection lasts
	timeout time.Duration // granted
	id      protocol.SessionID
	passwd  []byte
	zxid    int64  // the latest seen
	global  bool   // the session is the ensemble's: a server with a quorum has granted it
	better  target // a server with a quorum, found while connected to one without; asked next
	xid     int32
	waiting []*call // to be sent once connected
	pending []*call // sent, in order
	auths   []protocol.AuthPacket
	authing []chan struct{} // closed, in order, at each answer to one of auths
	watches watches         // with server paths
	closing bool
}

// call is one request.
type call struct {
	op    protocol.OpCode
	xid   int32
	body  []byte
	heard func(code protocol.ErrCode) // told the result by the reader, before done; may be nil
	done  chan reply                  // room for one
}

type reply struct {
	code protocol.ErrCode
	body []byte
}

// New opens a session: it connects and reconnects until it is closed, has expired
// or an identity or the login is refused. It does not wait.
func New(cfg Config) (*Client, error) {
	addrs, chroot, err := ParseServers(cfg.Servers)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxReplyBytes <= 0 {
		cfg.MaxReplyBytes = defaultMaxReplyBytes
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(Event) {}
	}
	if cfg.Dial == nil {
		if cfg.Lookup == nil {
			cfg.Lookup = net.DefaultResolver.LookupHost
		}
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	rand.Shuffle(len(addrs), func(i, k int) { addrs[i], addrs[k] = addrs[k], addrs[i] })
	c := &Client{cfg: cfg, addrs: addrs, chroot: chroot, over: make(chan struct{}), changed: make(chan struct{}), watches: newWatches()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c, nil
}

// Close ends the session, its ephemerals with it, also one that a server is just
// about to grant, and waits for that for two seconds at most. It may be called twice.
func (c *Client) Close() {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	var last *call
	if first && (c.nc != nil || c.asked) {
		last = c.newCallLocked(protocol.OpCloseSession, nil)
		if c.nc != nil {
			c.sendLocked(last)
		} else {
			c.waiting = append(c.waiting, last)
		}
	}
	c.mu.Unlock()
	if last != nil {
		select {
		case <-last.done:
		case <-c.over:
		case <-time.After(closePatience):
		}
	}
	c.cancel()
	<-c.over
}

// State returns where the session stands.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Server returns the server that the session is connected to, as the list names it,
// or "".
func (c *Client) Server() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server
}

// SessionID returns the session's number, 0 as long as it has none.
func (c *Client) SessionID() protocol.SessionID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// Failure returns why no server could be reached the last time all were tried, or why
// the session is AuthFailed; or nil.
func (c *Client) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Await waits until the session is connected. With oneRound it gives up, with the
// reason, once each server has been tried.
func (c *Client) Await(ctx context.Context, oneRound bool) error {
	for {
		c.mu.Lock()
		state, rounds, failure, changed := c.state, c.rounds, c.failure, c.changed
		c.mu.Unlock()
		switch {
		case state == Connected || state == ConnectedReadOnly:
			return nil
		case !state.Alive():
			return c.gone("")
		case oneRound && rounds > 0:
			return failure
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// gone is the error of requests to a session that has ended.
func (c *Client) gone(path string) error {
	if c.State() == AuthFailed {
		return &Error{protocol.ErrAuthFailed, path}
	}
	return &Error{protocol.ErrSessionExpired, path}
}

// do makes a request and waits for its reply; if ctx ends first, a request that has
// not been sent will not be. path is for errors.
func (c *Client) do(ctx context.Context, op protocol.OpCode, body []byte, path string, heard func(protocol.ErrCode)) ([]byte, error) {
	p := c.start(op, body, heard)
	return c.finish(ctx, p, path)
}

// start makes a request without waiting.
func (c *Client) start(op protocol.OpCode, body []byte, heard func(protocol.ErrCode)) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.newCallLocked(op, body)
	p.heard = heard
	switch {
	case c.state == AuthFailed:
		p.done <- reply{code: protocol.ErrAuthFailed}
	case !c.state.Alive() || c.closing:
		p.done <- reply{code: protocol.ErrSessionExpired}
	case c.nc == nil:
		c.waiting = append(c.waiting, p)
	default:
		c.sendLocked(p)
	}
	return p
}

func (c *Client) finish(ctx context.Context, p *call, path string) ([]byte, error) {
	if c.cfg.RequestTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.RequestTimeout, &Error{protocol.ErrRequestTimeout, path})
		defer cancel()
	}
	select {
	case r := <-p.done:
		if r.code != protocol.ErrOK {
			return nil, &Error{r.code, path}
		}
		return r.body, nil
	case <-ctx.Done():
		c.withdraw(p)
		return nil, context.Cause(ctx)
	}
}

// withdraw takes back a request that is still waiting for a connection: nobody wants
// it any more. One that has been sent may be carried out all the same.
func (c *Client) withdraw(p *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, p); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
}

func (c *Client) newCallLocked(op protocol.OpCode, body []byte) *call {
	return &call{op: op, xid: c.nextXidLocked(), body: body, done: make(chan reply, 1)}
}

func (c *Client) nextXidLocked() int32 {
	if c.xid++; c.xid <= 0 {
		c.xid = 1
	}
	return c.xid
}

// sendLocked writes a request. An error is the reader's to find: it closes the
// connection for it.
//
// REQUIRES: c.nc is set.
func (c *Client) sendLocked(p *call) {
	c.pending = append(c.pending, p)
	c.writeLocked(p.xid, p.op, p.body)
}

func (c *Client) writeLocked(xid int32, op protocol.OpCode, body []byte) {
	b, mark := protocol.BeginFrame(nil)
	b = (&protocol.RequestHeader{Xid: xid, Op: op}).Append(b)
	b = protocol.EndFrame(append(b, body...), mark)
	c.nc.SetWriteDeadline(time.Now().Add(c.timeout))
	if _, err := c.nc.Write(b); err != nil {
		c.nc.Close()
	}
}

// setStateLocked tells those who wait for a change.
func (c *Client) setStateLocked(s State) {
	c.state = s
	close(c.changed)
	c.changed = make(chan struct{})
}
