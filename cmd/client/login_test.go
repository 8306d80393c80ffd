package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"zooraft/protocol"
	"zooraft/protocol/sasl"
	"zooraft/tests/testkit"
)

func digestLogin(user, password string) func(context.Context, string) (Mechanism, error) {
	return func(context.Context, string) (Mechanism, error) { return sasl.NewDigestClient(user, password), nil }
}

// negotiate is a server's side of a login, up to its last word, which is returned
// without having been said.
func (p *peer) negotiate(password string) (xid int32, proof []byte, user string, err error) {
	p.t.Helper()
	server := sasl.NewDigestServer(func(string) (string, bool) { return password, true })
	for {
		var packet protocol.SASLPacket
		var body protocol.Decoder
		xid, body = p.expect(protocol.OpSASL)
		if packet.Decode(&body); packet.Token == nil {
			p.t.Error("no token is sent, and not an empty one")
		}
		reply, user, err := server.Step(packet.Token)
		if user != "" || err != nil {
			return xid, reply, user, err
		}
		p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{Token: reply}).Append(nil))
	}
}

// Each connection begins with the login; what waits for it, and what there was before, comes after it.
func TestLogin(t *testing.T) {
	ctx := t.Context()
	s := newServer(t)
	host := make(chan string, 2)
	c, events := open(t, Config{Servers: s.addr(), Login: func(_ context.Context, name string) (Mechanism, error) {
		host <- name
		return sasl.NewDigestClient("bob", "secret"), nil
	}})
	authed := later(func() error { return c.AddAuth(ctx, "digest", []byte("a:b")) })
	got := later(func() error { _, _, err := c.Get(ctx, "/a", true); return err })
	for round := range 2 {
		p := s.accept(30_000)
		wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
		xid, proof, user, err := p.negotiate("secret")
		if user != "bob" || err != nil {
			t.Fatalf("user %q, %v", user, err)
		}
		if c.State() != Connecting {
			t.Errorf("%v before the login is over", c.State())
		}
		p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{Token: proof}).Append(nil))
		wantEvent(t, events, "WatchedEvent state:SaslAuthenticated type:None path:null zxid: -1")
		p.expect(protocol.OpAuth)
		p.reply(protocol.XidAuth, 0, protocol.ErrOK, nil)
		if name := <-host; name != "127.0.0.1" {
			t.Errorf("the login is with the host %q", name)
		}
		if round == 0 {
			wantResult(t, authed, nil)
			xid, _ := p.expect(protocol.OpGetData)
			p.reply(xid, 5, protocol.ErrOK, append(protocol.AppendBuffer(nil, nil), new(protocol.Stat).Append(nil)...))
			wantResult(t, got, nil)
			p.nc.Close()
			wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
			continue
		}
		if p.asks.SessionID != 7 {
			t.Errorf("asks for the session %d", p.asks.SessionID)
		}
		p.expect(protocol.OpSetWatches)
	}
}

// A session that a server has granted is not forgotten when the connection breaks in the login.
func TestConnectionLostInLogin(t *testing.T) {
	s := newServer(t)
	c, events := open(t, Config{Servers: s.addr(), Login: digestLogin("bob", "secret")})
	got := later(func() error { _, err := c.Exists(t.Context(), "/a", false); return err })
	p := s.accept(30_000)
	p.expect(protocol.OpSASL)
	p.nc.Close()
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
	wantResult(t, got, protocol.ErrConnectionLoss)
	if p = s.accept(30_000); p.asks.SessionID != 7 {
		t.Errorf("asks for the session %d", p.asks.SessionID)
	}
}

func TestLoginFails(t *testing.T) {
	tests := []struct {
		name, password string
		answer         func(p *peer)
		why            string
	}{
		{"refused", "wrong", func(p *peer) {
			xid, _, _, _ := p.negotiate("secret")
			p.reply(xid, 0, protocol.ErrAuthFailed, (&protocol.SASLPacket{}).Append(nil))
		}, "login by SASL: KeeperErrorCode = AuthFailed"},
		{"refused where a login must be", "wrong", func(p *peer) {
			xid, _, _, _ := p.negotiate("secret")
			p.reply(xid, 0, protocol.ErrSessionClosedRequireAuth, nil)
		}, "login by SASL: "},
		{"a server that cannot", "secret", func(p *peer) {
			xid, _ := p.expect(protocol.OpSASL)
			p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{}).Append(nil))
		}, "the server offers no DIGEST-MD5"},
		{"a server that does not know the password", "secret", func(p *peer) {
			xid, _, _, _ := p.negotiate("secret")
			p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{Token: []byte("rspauth=" + strings.Repeat("0", 32))}).Append(nil))
		}, "the server does not know the password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			c, events := open(t, Config{Servers: s.addr(), Login: digestLogin("bob", tt.password)})
			got := later(func() error { _, err := c.Exists(t.Context(), "/a", false); return err })
			tt.answer(s.accept(30_000))
			wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
			wantEvent(t, events, "WatchedEvent state:AuthFailed type:None path:null zxid: -1")
			wantResult(t, got, protocol.ErrAuthFailed)
			if c.State() != AuthFailed || c.Failure() == nil || !errors.Is(c.Failure(), ErrLogin) || !strings.Contains(c.Failure().Error(), tt.why) {
				t.Errorf("%v, %v; want %q", c.State(), c.Failure(), tt.why)
			}
		})
	}
}

// What refuses a login before it has begun ends the session; what may pass does not.
func TestLoginDoesNotBegin(t *testing.T) {
	c, events := open(t, Config{Servers: newServer(t).addr(), Login: func(context.Context, string) (Mechanism, error) {
		return nil, fmt.Errorf("%w: nobody", ErrLogin)
	}})
	wantEvent(t, events, "WatchedEvent state:AuthFailed type:None path:null zxid: -1")
	if c.State() != AuthFailed || !errors.Is(c.Failure(), ErrLogin) {
		t.Errorf("refused: %v, %v", c.State(), c.Failure())
	}

	lost := &net.OpError{Op: "dial", Err: errors.New("no center")}
	outage := make(chan error, 2)
	s := newServer(t)
	n := &network{names: map[string][]string{"zk": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}}, servers: map[string]*server{"10.0.0.1:5": s}}
	c, events = open(t, Config{Servers: "zk:5", Dial: n.dial, Lookup: n.lookup, Login: func(ctx context.Context, _ string) (Mechanism, error) {
		select {
		case err := <-outage:
			return sasl.NewDigestClient("bob", "secret"), err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	outage <- lost
	if err := c.Await(t.Context(), true); !errors.Is(err, lost) || c.State() != Connecting {
		t.Errorf("an outage: %v, %v", c.State(), err)
	}
	unused, err := s.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	unused.Close()
	outage <- nil
	p := s.accept(30_000)
	xid, proof, _, err := p.negotiate("secret")
	if err != nil {
		t.Fatal(err)
	}
	p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{Token: proof}).Append(nil))
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	wantEvent(t, events, "WatchedEvent state:SaslAuthenticated type:None path:null zxid: -1")
}

// Close does not wait for who gives tickets.
func TestCloseBeforeLogin(t *testing.T) {
	s := newServer(t)
	begun := make(chan struct{})
	c, _ := open(t, Config{Servers: s.addr(), Login: func(ctx context.Context, _ string) (Mechanism, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	testkit.Await(t, begun, "beginning of the login")
	wantResult(t, later(func() error { c.Close(); return nil }), nil)
	if c.State() != Closed {
		t.Errorf("got the state %v", c.State())
	}
}

// Who closes while the login is under way does not wait for it in vain, and ends the session.
func TestCloseInLogin(t *testing.T) {
	s := newServer(t)
	c, _ := open(t, Config{Servers: s.addr(), Login: digestLogin("bob", "secret")})
	p := s.accept(30_000)
	xid, proof, _, err := p.negotiate("secret")
	if err != nil {
		t.Fatal(err)
	}
	closed := later(func() error { c.Close(); return nil })
	testkit.Until(t, "beginning of Close", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.closing
	})
	p.reply(xid, 0, protocol.ErrOK, (&protocol.SASLPacket{Token: proof}).Append(nil))
	xid, _ = p.expect(protocol.OpCloseSession)
	p.reply(xid, 9, protocol.ErrOK, nil)
	wantResult(t, closed, nil)
	if c.State() != Closed {
		t.Errorf("got the state %v", c.State())
	}
}
