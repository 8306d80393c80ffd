package loadclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
)

var (
	// ErrExpired says that the server answered the handshake: there is no such session. Only Renew leads on.
	ErrExpired = errors.New("loadclient: session expired")
	// ErrRefused says that a handshake got no answer, or its server could not be reached.
	ErrRefused = errors.New("loadclient: connection refused")
	// ErrLost says that a connection ended before the reply; whether the request was carried out is unknown.
	ErrLost = errors.New("loadclient: connection lost")
	// ErrNotConnected says that a request was not sent, because there is no connection.
	ErrNotConnected = errors.New("loadclient: not connected")
	// errConnected says that a client with a connection was to make another.
	errConnected = errors.New("loadclient: connected already")
)

// maxReplyBytes bounds a frame from a server; replies have no limit of their own, but a history has.
const maxReplyBytes = 64 << 20

// Server is where to connect.
type Server struct {
	SID  int
	Addr string // host:port
}

// Options are what a client needs to know. Name and Clock are required.
type Options struct {
	Name    string
	Clock   func() time.Duration // monotonic, the same for all clients of a history
	Timeout time.Duration        // of the session, to ask for; default 10 s
	// Dial opens the connection. Default: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// Client is one session's client. Its methods may be called from any goroutine; but of Connect, Disconnect and Renew
// only one at a time.
type Client struct {
	o Options

	// sendMu is held from taking an xid until its frame is written, so that requests are recorded, queued and sent in one
	// order. It comes before mu. mu is never held over I/O: the reader needs it to take replies, and a server may stop
	// reading until it has got rid of them.
	sendMu sync.Mutex

	mu       sync.Mutex
	records  []history.Record
	conn     *conn // nil: not connected
	conns    int
	session  protocol.SessionID
	passwd   []byte
	lastZxid int64
	xid      int32
	watches  watches
}

// watches are those that the client believes to be set, to set them again at a reconnect.
type watches struct{ data, exist, child map[string]bool }

// New returns a client without a session.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	return &Client{o: o, watches: watches{map[string]bool{}, map[string]bool{}, map[string]bool{}}}
}

// Connect opens a connection and on it a new session, or the client's own one if it has one. It blocks until the server
// has answered, or ctx ends. The error is ErrExpired, or ErrRefused wrapped with its cause.
func (c *Client) Connect(ctx context.Context, s Server) error {
	c.mu.Lock()
	if c.conn != nil {
		c.mu.Unlock()
		return errConnected
	}
	request := protocol.ConnectRequest{LastZxidSeen: c.lastZxid, Timeout: int32(c.o.Timeout.Milliseconds()),
		SessionID: c.session, Passwd: c.passwd, HasReadOnly: true}
	c.conns++
	number := c.conns
	c.mu.Unlock()

	began := c.o.Clock()
	rec := history.Record{Conn: number, Server: s.SID, Began: began, Zxid: request.LastZxidSeen}
	nc, response, err := c.handshake(ctx, s.Addr, &request)
	c.mu.Lock()
	defer c.mu.Unlock()
	rec.At = c.o.Clock()
	switch {
	case err != nil:
		rec.Kind, rec.Session, rec.Value = history.Refused, request.SessionID, err.Error()
		c.records = append(c.records, rec)
		return fmt.Errorf("%w: server %d: %w", ErrRefused, s.SID, err)
	case response.SessionID == 0 || response.Timeout <= 0:
		nc.Close()
		rec.Kind, rec.Session = history.Expired, request.SessionID
		c.records = append(c.records, rec)
		return ErrExpired
	}
	rec.Kind, rec.Session = history.Connected, response.SessionID
	rec.Timeout = time.Duration(response.Timeout) * time.Millisecond
	c.records = append(c.records, rec)
	c.session, c.passwd = response.SessionID, slices.Clone(response.Passwd)
	c.conn = &conn{c: c, nc: nc, number: number, server: s, ended: make(chan struct{})}
	go c.conn.read()
	return nil
}

// handshake returns an open connection, or an error.
func (c *Client) handshake(ctx context.Context, addr string, q *protocol.ConnectRequest) (net.Conn,
	protocol.ConnectResponse, error) {
	var r protocol.ConnectResponse
	nc, err := c.o.Dial(ctx, addr)
	if err != nil {
		return nil, r, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	b, mark := protocol.BeginFrame(nil)
	b = protocol.EndFrame(q.Append(b), mark)
	if _, err = nc.Write(b); err == nil {
		b, err = readFrame(nc)
	}
	if err == nil {
		d := protocol.NewDecoder(b)
		r.Decode(&d)
		err = d.Err()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
	}
	return nc, r, err
}

// Disconnect ends the connection, if there is one, without a word to the server: the session lives on. It returns when
// all requests under way are done.
func (c *Client) Disconnect() {
	c.mu.Lock()
	cn := c.conn
	if cn != nil {
		cn.leaving = true
	}
	c.mu.Unlock()
	if cn != nil {
		cn.nc.Close()
		<-cn.ended
	}
}

// Renew forgets the session and its watches: the next Connect opens a new one.
func (c *Client) Renew() {
	c.Disconnect()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.passwd, c.lastZxid = 0, nil, 0
	c.watches = watches{map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// Connected is the server at the other end, and false if there is none.
func (c *Client) Connected() (sid int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return 0, false
	}
	return c.conn.server.SID, true
}

// Ended is closed once the connection that is open now has ended; it is closed already without one.
func (c *Client) Ended() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return closedChannel
	}
	return c.conn.ended
}

var closedChannel = func() chan struct{} { ch := make(chan struct{}); close(ch); return ch }()

// Session is the id of the session, 0 without one.
func (c *Client) Session() protocol.SessionID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Name is the name it was given.
func (c *Client) Name() string { return c.o.Name }

// History is all that the client has seen so far.
func (c *Client) History() history.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return history.Client{Name: c.o.Name, Records: slices.Clone(c.records)}
}

// Rewatch sends setWatches for the watches that have not fired, as clients do after a reconnect. Without any it sends
// nothing and returns nil.
func (c *Client) Rewatch() *Request {
	c.mu.Lock()
	s := &protocol.SetWatches{
		RelativeZxid: c.lastZxid,
		Data:         slices.Sorted(maps.Keys(c.watches.data)),
		Exist:        slices.Sorted(maps.Keys(c.watches.exist)),
		Child:        slices.Sorted(maps.Keys(c.watches.child)),
	}
	c.mu.Unlock()
	if len(s.Data)+len(s.Exist)+len(s.Child) == 0 {
		return nil
	}
	return c.send(history.Record{Op: protocol.OpSetWatches, Watches: s}, s.Append)
}

// set notes the watch that a reply has left; REQUIRES mu.
func (w *watches) set(r *history.Record) {
	switch {
	case r.Op == protocol.OpExists && r.Err == protocol.ErrNoNode:
		w.exist[r.Path] = true
	case !r.OK():
	case r.Op == protocol.OpGetData || r.Op == protocol.OpExists:
		w.data[r.Path] = true
	case r.Op == protocol.OpGetChildren2:
		w.child[r.Path] = true
	}
}

// fired takes out the watches that an event has used up; REQUIRES mu.
func (w *watches) fired(r *history.Record) {
	switch r.Event {
	case protocol.EventNodeChildrenChanged:
		delete(w.child, r.Path)
		return
	case protocol.EventNodeDeleted:
		delete(w.child, r.Path)
	}
	delete(w.data, r.Path)
	delete(w.exist, r.Path)
}
