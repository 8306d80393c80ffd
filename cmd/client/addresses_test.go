package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"zooraft/protocol"
)

// network is names and what answers at their addresses; it keeps what was dialled.
type network struct {
	mu      sync.Mutex
	names   map[string][]string
	servers map[string]*server
	dialled []string
}

func (n *network) lookup(_ context.Context, host string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if net.ParseIP(host) != nil {
		return []string{host}, nil
	}
	if ips, ok := n.names[host]; ok {
		return ips, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (n *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, addr)
	s := n.servers[addr]
	n.mu.Unlock()
	if s == nil {
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", s.addr())
}

func (n *network) set(name string, ips ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name], n.dialled = ips, nil
}

func (n *network) calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dialled)
}

// Each round asks all addresses that a name has then.
func TestAddressesOfAName(t *testing.T) {
	s, other := newServer(t), newServer(t)
	n := &network{names: map[string][]string{"zk": {"10.0.0.2", "10.0.0.1", "fd00::1"}}}
	c, events := open(t, Config{Servers: "zk:5", Dial: n.dial, Lookup: n.lookup})
	c.Await(t.Context(), true)
	round := n.calls()[:3]
	slices.Sort(round)
	if !slices.Equal(round, []string{"10.0.0.1:5", "10.0.0.2:5", "[fd00::1]:5"}) {
		t.Errorf("the first round dialled %q", round)
	}

	n.mu.Lock()
	n.servers = map[string]*server{"10.0.0.3:5": s, "10.0.0.4:5": other}
	n.mu.Unlock()
	n.set("zk", "10.0.0.3")
	p := s.accept(30_000)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	if got := c.Server(); got != "zk:5" {
		t.Errorf("connected to %s", got)
	}

	// What has just been lost comes last.
	n.set("zk", "10.0.0.3", "10.0.0.4")
	p.nc.Close()
	wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
	other.accept(30_000)
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
	if got := n.calls(); !slices.Equal(got, []string{"10.0.0.4:5"}) {
		t.Errorf("behind a lost connection it dialled %q", got)
	}
}

// A name that is not known is the error of that server alone.
func TestNamesThatAreNotKnown(t *testing.T) {
	n := &network{names: map[string][]string{"zk": {"10.0.0.1"}}}
	for range 5 {
		s := newServer(t)
		n.mu.Lock()
		n.servers = map[string]*server{"10.0.0.1:2": s}
		n.mu.Unlock()
		c, _ := open(t, Config{Servers: "gone:1,zk:2,lost:3", Dial: n.dial, Lookup: n.lookup})
		done := later(func() error { return c.Sync(t.Context(), "/") })
		p := s.accept(30_000)
		xid, _ := p.expect(protocol.OpSync)
		p.reply(xid, 1, protocol.ErrOK, protocol.AppendString(nil, "/"))
		wantResult(t, done, nil)
		c.cancel()
	}
	c, _ := open(t, Config{Servers: "gone:1,10.0.0.9:2", Dial: n.dial, Lookup: n.lookup})
	var unknown *net.DNSError
	if err := c.Await(t.Context(), true); !errors.As(err, &unknown) || unknown.Name != "gone" {
		t.Errorf("with no server left: got %v", err)
	}
}
