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
	if _, err := f.s.Rebind(taken.Addr().String()); err == nil || f.s.Addr().String() != old {
		t.Fatalf("a port that is taken: %v, and now at %v", err, f.s.Addr())
	}
	dialRaw(t, old)

	if moved, err := f.s.Rebind("127.0.0.1:0"); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if nc, err := net.Dial("tcp", old); err == nil {
		nc.Close()
		t.Error("the old port still takes connections")
	}
	dialRaw(t, f.s.Addr().String())
	there.mustCall(1, protocol.OpExists, get("/"))

	f.s.StopAccepting()
	if _, err := f.s.Rebind("127.0.0.1:0"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after StopAccepting: %v", err)
	}
}

// The address alone may be another, which the old one may stand in the way of.
func TestRebindSamePort(t *testing.T) {
	f := start(t, nil)
	there := f.connect()
	old := f.s.Addr().String()
	port := portOf(old)
	for _, tt := range []struct {
		host  string
		moved bool
		any   bool // bound there
	}{
		{"127.0.0.1", false, false},
		{"0.0.0.0", true, true},
		{"", false, true},
		{"::", false, true},
		{"127.0.0.1", true, false},
	} {
		moved, err := f.s.Rebind(net.JoinHostPort(tt.host, port))
		bound := f.s.Addr().(*net.TCPAddr)
		if err != nil || moved != tt.moved || bound.IP.IsUnspecified() != tt.any || portOf(bound.String()) != port {
			t.Fatalf("to %q: %v, %v, and now at %v", tt.host, moved, err, bound)
		}
		dialRaw(t, old)
	}

	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port))
	if err != nil {
		t.Skip(err)
	}
	defer taken.Close()
	if moved, err := f.s.Rebind(net.JoinHostPort("0.0.0.0", port)); err == nil || moved || f.s.Addr().String() != old {
		t.Fatalf("an address that is taken: %v, %v, and now at %v", moved, err, f.s.Addr())
	}
	dialRaw(t, old)
	there.mustCall(1, protocol.OpExists, get("/"))
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
