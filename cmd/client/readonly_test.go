package client

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
)

// A session on a server without a quorum is left for one that has it, as a session
// of the ensemble's own.
func TestReadOnly(t *testing.T) {
	lone, other := newServer(t), newServer(t)
	var up atomic.Bool // of the other
	c, events := open(t, Config{Servers: "lone:1,other:2", ReadOnly: true, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		switch {
		case addr == "lone:1":
			addr = lone.addr()
		case up.Load():
			addr = other.addr()
		default:
			return nil, errors.New("down")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}})

	nc, err := lone.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	p := &peer{t: t, nc: nc}
	p.frame()
	p.write((&protocol.ConnectResponse{Timeout: 30_000, SessionID: 5, Passwd: []byte("0123456789abcdef"), ReadOnly: true, HasReadOnly: true}).Append(nil))
	wantEvent(t, events, "WatchedEvent state:ConnectedReadOnly type:None path:null zxid: -1")
	if err := c.Await(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := c.State().String(); got != "CONNECTEDREADONLY" {
		t.Errorf("state: got %s", got)
	}

	up.Store(true)
	answer := func(word string) {
		t.Helper()
		other.ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		nc, err := other.ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		var asked [4]byte
		if _, err := io.ReadFull(nc, asked[:]); err != nil || string(asked[:]) != "isro" {
			t.Fatalf("asked %q, %v", asked, err)
		}
		io.WriteString(nc, word)
	}
	answer("ro")
	answer("rw")
	wantEvent(t, events, "WatchedEvent state:Disconnected type:None path:null zxid: -1")
	q := other.accept(30_000)
	if q.asks.SessionID != 0 {
		t.Errorf("asks for session %d, of which only the server alone knows", q.asks.SessionID)
	}
	wantEvent(t, events, "WatchedEvent state:SyncConnected type:None path:null zxid: -1")
}
