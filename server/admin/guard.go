package admin

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxPageConns bounds a page's connections, which are file descriptors that
// clients could have. Those beyond wait in the kernel's queue.
const maxPageConns = 512

// guarded is a listener that bounds what its peers can hold: how many connections
// there are, and how long one may take nothing of what is sent to it, however long
// the whole takes.
type guarded struct {
	net.Listener
	stall time.Duration
	room  chan struct{} // holds one for each connection
	done  chan struct{} // closed with the listener
	once  sync.Once
}

func guard(ln net.Listener, stall time.Duration) *guarded {
	return &guarded{Listener: ln, stall: stall, room: make(chan struct{}, maxPageConns), done: make(chan struct{})}
}

func (g *guarded) Accept() (net.Conn, error) {
	select {
	case g.room <- struct{}{}:
	case <-g.done:
		return nil, net.ErrClosed
	}
	c, err := g.Listener.Accept()
	if err != nil {
		<-g.room
		return nil, err
	}
	return &patient{Conn: c, stall: g.stall, leave: sync.OnceFunc(func() { <-g.room })}, nil
}

func (g *guarded) Close() error {
	g.once.Do(func() { close(g.done) })
	return g.Listener.Close()
}

type patient struct {
	net.Conn
	stall time.Duration
	until atomic.Pointer[time.Time] // what a handler has set, nil for nothing
	leave func()
}

func (c *patient) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite lets net/http end a connection so that an answer to a request that
// has not been read to its end arrives.
func (c *patient) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// pieceBytes are written under one deadline.
const pieceBytes = 64 << 10

func (c *patient) Write(b []byte) (n int, err error) {
	for {
		piece := b[n:min(len(b), n+pieceBytes)]
		at := time.Now().Add(c.stall)
		if until := c.until.Load(); until != nil && until.Before(at) {
			at = *until
		}
		if err := c.Conn.SetWriteDeadline(at); err != nil {
			return n, err
		}
		k, err := c.Conn.Write(piece)
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

// paced ends requests whose body stops coming for a limit of time. The answer of a
// handler that has not read the body to its end goes out at once and ends the
// connection; net/http would first wait for some of the rest.
func paced(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			b := &body{r.Body, w, http.NewResponseController(w), limit}
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
}

// extend fails for recorders in tests alone, which have no deadlines.
func (b *body) extend() { _ = b.rc.SetReadDeadline(time.Now().Add(b.limit)) }

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
