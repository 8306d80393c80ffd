package client

import (
	"errors"
	"net"
	"testing"

	"zooraft/protocol"
)

// Rebind moves the port; connections that are there stay.
func TestRebind(t *testing.T) {
	f := start(t, nil)
	old := f.s.Addr().String()
	there := f.connect()

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := f.s.Rebind(taken.Addr().String()); err == nil || f.s.Addr().String() != old {
		t.Fatalf("a port that is taken: %v, and now at %v", err, f.s.Addr())
	}
	dialRaw(t, old)

	if err := f.s.Rebind("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if nc, err := net.Dial("tcp", old); err == nil {
		nc.Close()
		t.Error("the old port still takes connections")
	}
	dialRaw(t, f.s.Addr().String())
	there.mustCall(1, protocol.OpExists, get("/"))

	f.s.StopAccepting()
	if err := f.s.Rebind("127.0.0.1:0"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after StopAccepting: %v", err)
	}
}

func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}
