package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
)

// open starts a client and gathers its events.
func open(t *testing.T, cfg Config) (*Client, <-chan Event) {
	t.Helper()
	events := make(chan Event, 100)
	cfg.OnEvent = func(e Event) { events <- e }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, events
}

func wantEvent(t *testing.T, events <-chan Event, want string) {
	t.Helper()
	select {
	case e := <-events:
		if e.String() != want {
			t.Errorf("got the event %q, want %q", e, want)
		}
	case <-time.After(patience):
		t.Fatalf("no event; want %q", want)
	}
}

// later runs a request beside the test that answers it.
func later(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

func wantResult(t *testing.T, done <-chan error, want error) {
	t.Helper()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Errorf("got the error %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatal("the request did not end")
	}
}

// A session that comes back has its identity and its watches, and the request that
// was under way is not sent again.
func TestReconnect(t *testing.T) {
	ctx := t.Context()
	s := newServer(t)
	c, events := open(t, Config{Servers: s.addr() + "/root"})
	p := s.accept(30_000)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")

	authed := later(func() error { return c.AddAuth(ctx, "digest", []byte("bob:pw")) })
	p.expect(protocol.OpAuth)
	p.reply(protocol.XidAuth, 0, protocol.ErrOK, nil)
	wantResult(t, authed, nil)

	got := later(func() error { _, _, err := c.Get(ctx, "/a", true); return err })
	xid, body := p.expect(protocol.OpGetData)
	if path := body.Path(); path != "/root/a" {
		t.Errorf("get of /a below /root asks for %s", path)
	}
	p.reply(xid, 41, protocol.ErrOK, new(protocol.Stat).Append(protocol.AppendBuffer(nil, []byte("x"))))
	wantResult(t, got, nil)
	there := later(func() error { _, err := c.Exists(ctx, "/b", true); return err })
	xid, _ = p.expect(protocol.OpExists)
	p.reply(xid, 42, protocol.ErrNoNode, nil)
	wantResult(t, there, nil)
	watched := later(func() error { return c.AddWatch(ctx, "/", protocol.AddWatchPersistentRecursive) })
	xid, _ = p.expect(protocol.OpAddWatch)
	p.reply(xid, 42, protocol.ErrOK, nil)
	wantResult(t, watched, nil)

	set := later(func() error { _, err := c.Set(ctx, "/a", nil, -1); return err })
	p.expect(protocol.OpSetData)
	p.nc.Close()
	wantResult(t, set, protocol.ErrConnectionLoss)
	wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")

	p = s.accept(30_000)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	if p.asks.SessionID != 7 || p.asks.LastZxidSeen != 42 || string(p.asks.Passwd) != "0123456789abcdef" {
		t.Errorf("asks for session %d at zxid %d", p.asks.SessionID, p.asks.LastZxidSeen)
	}
	p.expect(protocol.OpAuth)
	p.reply(protocol.XidAuth, 0, protocol.ErrOK, nil)
	_, body = p.expect(protocol.OpSetWatches2)
	var w protocol.SetWatches2
	w.Decode(&body)
	if w.RelativeZxid != 42 || !slices.Equal(w.Data, []string{"/root/a"}) || !slices.Equal(w.Exist, []string{"/root/b"}) ||
		!slices.Equal(w.Recursive, []string{"/root"}) {
		t.Errorf("puts these watches back: %+v", w)
	}
	p.reply(protocol.XidSetWatches, 42, protocol.ErrOK, nil)

	p.event(protocol.EventNodeDataChanged, "/root/a", 43)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 43")
	p.event(protocol.EventNodeDeleted, "/root", 44)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:NodeDeleted path:/ zxid: 44")
}

// A list whose first servers are down is no lost connection; a list of which all
// are down is one, once each has been tried.
func TestServersThatAreDown(t *testing.T) {
	s := newServer(t)
	refused := errors.New("refused")
	down := true
	cfg := Config{Servers: "a:1,b:2,c:3", Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		if down || addr != "c:3" {
			return nil, refused
		}
		return new(net.Dialer).DialContext(ctx, "tcp", s.addr())
	}}
	c, _ := open(t, cfg)
	if err := c.Await(t.Context(), true); !errors.Is(err, refused) {
		t.Errorf("waiting with all servers down: got %v, want %v", err, refused)
	}
	if err := c.Sync(t.Context(), "/"); !errors.Is(err, protocol.ErrConnectionLoss) {
		t.Errorf("a request with all servers down: got %v", err)
	}
	c.Close()

	down = false
	c, _ = open(t, cfg)
	done := later(func() error { return c.Sync(t.Context(), "/") })
	p := s.accept(30_000)
	xid, _ := p.expect(protocol.OpSync)
	p.reply(xid, 1, protocol.ErrOK, protocol.AppendString(nil, "/"))
	wantResult(t, done, nil)
}

// What was given up before there was a connection is not done once there is one.
func TestGivenUpRequestsAreNotSent(t *testing.T) {
	s := newServer(t)
	up := make(chan struct{})
	c, _ := open(t, Config{Servers: "a:1", RequestTimeout: 20 * time.Millisecond, Dial: func(ctx context.Context, _ string) (net.Conn, error) {
		select {
		case <-up:
			return new(net.Dialer).DialContext(ctx, "tcp", s.addr())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	wantResult(t, later(func() error { return c.Delete(t.Context(), "/late", -1) }), protocol.ErrRequestTimeout)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	wantResult(t, later(func() error { return c.Delete(ctx, "/interrupted", -1) }), context.Canceled)
	close(up)
	p := s.accept(30_000)
	if err := c.Await(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	later(func() error { return c.Sync(t.Context(), "/") })
	p.expect(protocol.OpSync)
}

func TestSessionsEnd(t *testing.T) {
	ctx := t.Context()
	t.Run("identity refused", func(t *testing.T) {
		s := newServer(t)
		c, events := open(t, Config{Servers: s.addr()})
		p := s.accept(30_000)
		wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
		authed := later(func() error { return c.AddAuth(ctx, "digest", nil) })
		p.expect(protocol.OpAuth)
		sync := later(func() error { return c.Sync(ctx, "/") })
		p.expect(protocol.OpSync)
		p.reply(protocol.XidAuth, 0, protocol.ErrAuthFailed, nil)
		wantResult(t, authed, nil)
		wantResult(t, sync, protocol.ErrAuthFailed)
		wantEvent(t, events, "WatchedEvent state:AuthFailed type:None path:null zxid: -1")
		if got := c.State(); got != AuthFailed {
			t.Errorf("state: got %v", got)
		}
		wantResult(t, later(func() error { return c.Sync(ctx, "/") }), protocol.ErrAuthFailed)
	})
	t.Run("expired", func(t *testing.T) {
		s := newServer(t)
		c, events := open(t, Config{Servers: s.addr()})
		p := s.accept(30_000)
		wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
		p.nc.Close()
		wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
		s.accept(0)
		wantEvent(t, events, "WatchedEvent state:Expired type:None path:null zxid: -1")
		wantResult(t, later(func() error { return c.Sync(ctx, "/") }), protocol.ErrSessionExpired)
	})
	t.Run("closed", func(t *testing.T) {
		s := newServer(t)
		c, events := open(t, Config{Servers: s.addr()})
		p := s.accept(30_000)
		wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
		closed := later(func() error { c.Close(); return nil })
		xid, _ := p.expect(protocol.OpCloseSession)
		p.reply(xid, 1, protocol.ErrOK, nil)
		p.nc.Close()
		wantResult(t, closed, nil)
		wantEvent(t, events, "WatchedEvent state:Closed type:None path:null zxid: -1")
	})
}

// A session that is granted while its client closes is closed as well, and one that
// is not granted keeps nobody waiting.
func TestCloseDuringHandshake(t *testing.T) {
	for _, granted := range []bool{true, false} {
		s := newServer(t)
		c, _ := open(t, Config{Servers: s.addr()})
		nc, err := s.ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		p := &peer{t: t, nc: nc}
		p.frame() // it asks for a session
		began := time.Now()
		closed := later(func() error { c.Close(); return nil })
		for c.mu.Lock(); !c.closing; c.mu.Lock() {
			c.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		c.mu.Unlock()
		if granted {
			p.write((&protocol.ConnectResponse{Timeout: 30_000, SessionID: 7, Passwd: make([]byte, protocol.PasswdBytes)}).Append(nil))
			xid, _ := p.expect(protocol.OpCloseSession)
			p.reply(xid, 1, protocol.ErrOK, nil)
		}
		nc.Close()
		wantResult(t, closed, nil)
		if took := time.Since(began); took >= closePatience {
			t.Errorf("granted %t: closed after %v", granted, took)
		}
	}
}

// A server that has gone silent is left: pings are sent, and their answers wanted.
func TestSilentServer(t *testing.T) {
	s := newServer(t)
	_, events := open(t, Config{Servers: s.addr()})
	s.accept(60)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
	s.accept(60)
}

func TestParseServers(t *testing.T) {
	tests := []struct {
		in, addrs, chroot, err string
	}{
		{"localhost", "localhost:2181", "", ""},
		{"a:1, b:2,/x/y", "a:1 b:2", "/x/y", ""},
		{"a:1/", "a:1", "", ""},
		{"[::1]:5,[::2]", "[::1]:5 [::2]:2181", "", ""},
		{"a:/x", "a:2181", "/x", ""},
		{"a:1/x/", "", "", "must not end with"},
		{"a:b", "", "", "is no port"},
		{"", "", "", "no server"},
	}
	for _, tt := range tests {
		addrs, chroot, err := ParseServers(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: got the error %v, want %q", tt.in, err, tt.err)
			}
			continue
		}
		if got := strings.Join(addrs, " "); err != nil || got != tt.addrs || chroot != tt.chroot {
			t.Errorf("%q: got %s and %s (%v), want %s and %s", tt.in, got, chroot, err, tt.addrs, tt.chroot)
		}
	}
}

func TestCheckPath(t *testing.T) {
	tests := []struct{ path, want string }{
		{"/", ""}, {"/a/b.c/..d/e..", ""}, {"/ü/😀x", "invalid character @3"},
		{"", "length must be > 0"}, {"a", "start with"}, {"/a/", "not end with"},
		{"/a//b", "empty node name specified @3"}, {"/a/./b", "relative paths not allowed @3"}, {"/a/..", "relative paths not allowed @4"},
		{"/a\x00", "null character not allowed @2"}, {"/a\tb", "invalid character @2"},
	}
	for _, tt := range tests {
		err := CheckPath(tt.path)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.path, err, tt.want)
		}
	}
}

func TestWatchesFire(t *testing.T) {
	w := newWatches()
	w.recursive["/r"] = true
	w.child["/r/a"] = true
	tests := []struct {
		t    protocol.EventType
		path string
		want bool
	}{
		{protocol.EventNodeCreated, "/r/a/b", true},
		{protocol.EventNodeCreated, "/rest", false},
		{protocol.EventNodeChildrenChanged, "/r/a", true},  // once, for the child watch
		{protocol.EventNodeChildrenChanged, "/r/a", false}, // a recursive one has no use for it
		{protocol.EventNodeDeleted, "/r", true},
		{protocol.EventNodeDeleted, "/r", true},
	}
	for i, tt := range tests {
		if got := w.fire(tt.t, tt.path); got != tt.want {
			t.Errorf("event %d, %v of %s: got %v, want %v", i, tt.t, tt.path, got, tt.want)
		}
	}
}
