package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// tcpPair is a connection over the loopback.
func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestOutlet: whatever the socket takes at once, all arrives, in order, and Send
// does not wait for the reader.
func TestOutlet(t *testing.T) {
	hidden := func(c net.Conn) net.Conn { return struct{ net.Conn }{c} } // as under TLS
	for name, wrap := range map[string]func(net.Conn) net.Conn{"direct": func(c net.Conn) net.Conn { return c }, "wrapped": hidden} {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			o := NewOutlet(wrap(near), 64<<20)
			defer o.Close()
			var want []byte
			for i := range 3000 {
				frame := bytes.Repeat([]byte{byte(i)}, 1+i*7%9000) // far above any socket buffer in all
				want = append(want, frame...)
				if err := o.Send(frame); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]byte, len(want))
			far.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.ReadFull(far, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error("what arrived is not what was sent")
			}
		})
	}
}

// TestOutletFull: a peer that does not read costs no more than the limit.
func TestOutletFull(t *testing.T) {
	near, far := tcpPair(t)
	o := NewOutlet(near, 1<<20)
	defer o.Close()
	frame := make([]byte, 256<<10)
	var err error
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("256 MiB were taken")
		}
		err = o.Send(frame)
	}
	if !errors.Is(err, ErrOutletFull) {
		t.Error(err)
	}
	if err := o.Send([]byte{1}); !errors.Is(err, ErrOutletFull) {
		t.Errorf("after the end: %v", err)
	}
	far.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, far); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			t.Error("the connection was left open")
		}
	}
}

// TestOutletClose ends the goroutine, even while it waits for the peer.
func TestOutletClose(t *testing.T) {
	near, _ := tcpPair(t)
	o := NewOutlet(near, 64<<20)
	for range 64 {
		if err := o.Send(make([]byte, 256<<10)); err != nil {
			t.Fatal(err)
		}
	}
	o.Close()
	o.Close()
	if err := o.Send([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
