package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxPageConns bounds a page's connections, which are file descriptors that
// clients could have. When there are as many and another comes, the one that has been
// silent longest is ended: those who hold them cannot keep probes away.
const maxPageConns = 512

// bodyTimeout is how long a request's body may take to come in, but for that of a
// restore.
const bodyTimeout = 30 * time.Second

// Secure makes TLS of a connection whose first byte is awaited, and blocks as long as
// its deadline allows. It may return the connection as it is, for one who speaks plain
// text. It does not close it.
type Secure func(net.Conn) (net.Conn, error)

var errNoTLS = errors.New("there has been no TLS handshake")

// guarded is a listener that bounds what its peers can hold: how many connections
// there are, and how long one may take nothing of what is sent to it, however long
// the whole takes.
type guarded struct {
	net.Listener
	stall  time.Duration
	secure Secure
	room   chan struct{} // holds one for each connection
	done   chan struct{} // closed with the listener
	once   sync.Once

	mu    sync.Mutex
	conns map[*patient]struct{}
}

func guard(ln net.Listener, stall time.Duration, secure Secure) *guarded {
	return &guarded{
		Listener: ln, stall: stall, secure: secure, room: make(chan struct{}, maxPageConns), done: make(chan struct{}),
		conns: make(map[*patient]struct{}),
	}
}

func (g *guarded) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !g.enter() {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	p := &patient{Conn: c, stall: g.stall, secure: g.secure, done: g.done}
	p.leave = sync.OnceFunc(func() {
		g.mu.Lock()
		delete(g.conns, p)
		g.mu.Unlock()
		<-g.room
	})
	p.moved()
	g.mu.Lock()
	g.conns[p] = struct{}{}
	g.mu.Unlock()
	return p, nil
}

// enter waits for room, and makes some. A connection that is ended has its place
// until its handler has returned, which bounds those too; where one does not at once,
// the next is ended.
func (g *guarded) enter() bool {
	for {
		select {
		case g.room <- struct{}{}:
			return true
		default:
		}
		g.endLongestSilent()
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case g.room <- struct{}{}:
			again.Stop()
			return true
		case <-g.done:
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

func (g *guarded) endLongestSilent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var oldest *patient
	for c := range g.conns {
		if !c.spared.Load() && (oldest == nil || c.last.Load() < oldest.last.Load()) {
			oldest = c
		}
	}
	if oldest != nil {
		delete(g.conns, oldest)
		oldest.Conn.Close()
	}
}

func (g *guarded) Close() error {
	g.once.Do(func() { close(g.done) })
	return g.Listener.Close()
}

type patient struct {
	net.Conn
	stall  time.Duration
	until  atomic.Pointer[time.Time] // what a handler has set, nil for nothing
	leave  func()
	done   <-chan struct{}          // closed with the listener
	secure Secure                   // nil for plain text
	talk   atomic.Pointer[net.Conn] // what secure has made of Conn, nil before

	last   atomic.Int64 // when bytes went one way or the other, in ns since 1970
	spared atomic.Bool  // it is not ended to make room
}

func (c *patient) moved() { c.last.Store(time.Now().UnixNano()) }

// begin makes what bytes go through, with the handshake of TLS. That belongs to the
// first reading, which the connection's own goroutine does and for which net/http has
// set a deadline: one that says nothing holds up nobody else.
func (c *patient) begin() (net.Conn, error) {
	if c.secure == nil {
		return c.Conn, nil
	}
	if t := c.talk.Load(); t != nil {
		return *t, nil
	}
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return nil, err
	}
	t, err := c.secure(c.Conn)
	if err != nil {
		return nil, err
	}
	c.moved()
	c.talk.Store(&t)
	return t, nil
}

// began is what bytes go through; errNoTLS before the handshake, or if that has
// failed: no answer in plain text is put behind it.
func (c *patient) began() (net.Conn, error) {
	if t := c.talk.Load(); t != nil {
		return *t, nil
	}
	if c.secure != nil {
		return nil, errNoTLS
	}
	return c.Conn, nil
}

func (c *patient) Read(b []byte) (int, error) {
	t, err := c.begin()
	if err != nil {
		return 0, err
	}
	n, err := t.Read(b)
	if n > 0 {
		c.moved()
	}
	return n, err
}

func (c *patient) Close() error {
	defer c.leave()
	select {
	case <-c.done:
		// They are closed one after the other then, and TLS takes up to 5 s to take leave of
		// somebody who does not listen.
	default:
		if t, err := c.began(); err == nil {
			return t.Close()
		}
	}
	return c.Conn.Close()
}

// CloseWrite lets net/http end a connection so that an answer to a request that
// has not been read to its end arrives.
func (c *patient) CloseWrite() error {
	if t, err := c.began(); err == nil && t != c.Conn {
		if half, ok := t.(interface{ CloseWrite() error }); ok {
			if err := half.CloseWrite(); err != nil {
				return err
			}
		}
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// pieceBytes are written under one deadline.
const pieceBytes = 64 << 10

func (c *patient) Write(b []byte) (n int, err error) {
	t, err := c.began()
	if err != nil {
		return 0, err
	}
	for {
		piece := b[n:min(len(b), n+pieceBytes)]
		at := time.Now().Add(c.stall)
		if until := c.until.Load(); until != nil && until.Before(at) {
			at = *until
		}
		if err := c.Conn.SetWriteDeadline(at); err != nil {
			return n, err
		}
		k, err := t.Write(piece)
		if k > 0 {
			c.moved()
		}
		if n += k; err != nil || n == len(b) {
			return n, err
		}
	}
}

// SetWriteDeadline sets an earlier end.
func (c *patient) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.until.Store(nil)
	} else {
		c.until.Store(&t)
	}
	return nil
}

// connKey is what a request's connection stands under in its context.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// withTLS tells handlers which requests have come over TLS.
func withTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*patient); ok {
			if t, _ := c.began(); t != nil {
				if t, ok := t.(*tls.Conn); ok {
					state := t.ConnectionState()
					r.TLS = &state
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// unhurried lets a request that is carried out for somebody take as long as it needs,
// until end is called: its body does, and its connection is not ended to make room.
func unhurried(r *http.Request) (end func()) {
	if b, ok := r.Body.(*body); ok {
		b.end = time.Time{}
	}
	c, ok := r.Context().Value(connKey{}).(*patient)
	if !ok {
		return func() {}
	}
	c.spared.Store(true)
	return func() { c.spared.Store(false) }
}

// paced ends requests whose body stops coming for a limit of time, or is not there
// within that of whole. The answer of a
// handler that has not read the body to its end goes out at once and ends the
// connection; net/http would first wait for some of the rest.
func paced(next http.Handler, limit, whole time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			b := &body{r.Body, w, http.NewResponseController(w), limit, time.Now().Add(whole)}
			b.extend()
			// net/http has to find its own body in the request: of that alone it knows that
			// some was left, and gives the client time to read the answer. If the connection
			// were closed at once, what still comes would have it reset, and the answer lost.
			inner := *r
			inner.Body = b
			r = &inner
		}
		next.ServeHTTP(w, r)
	})
}

type body struct {
	io.ReadCloser
	w     http.ResponseWriter
	rc    *http.ResponseController
	limit time.Duration
	end   time.Time // zero for none
}

// extend fails for recorders in tests alone, which have no deadlines.
func (b *body) extend() {
	at := time.Now().Add(b.limit)
	if !b.end.IsZero() && b.end.Before(at) {
		at = b.end
	}
	_ = b.rc.SetReadDeadline(at)
}

func (b *body) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.rc.SetReadDeadline(time.Time{}) // the answer may take longer
	}
	if err == io.EOF {
		b.w.Header().Del("Connection")
	}
	return n, err
}

// ownName refuses requests that call a page by a name that is not this server's.
func ownName(next http.Handler, hosts Hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if called(w, r, hosts) {
			next.ServeHTTP(w, r)
		}
	})
}

// called says whether a request calls this server by a name of its own, and else
// answers it.
func called(w http.ResponseWriter, r *http.Request, hosts Hosts) bool {
	ok := hosts.Knows(r.Host)
	if !ok {
		http.Error(w, "this server is not known by this name: use localhost or its address, or name it in admin.uiHosts", http.StatusMisdirectedRequest)
	}
	return ok
}

// noTrace refuses TRACE, which would send a caller's credentials back, and keeps
// browsers from taking an answer for what it does not say it is.
func noTrace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodTrace {
			http.Error(w, "Forbidden", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
