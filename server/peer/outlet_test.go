package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zooraft/tests/testkit"
)

// pairs are the connections that an outlet may have: one that it can write to directly,
// and one that it cannot.
var pairs = map[string]func(testing.TB) (near, far net.Conn){"direct": testkit.TCPPair, "TLS": tlsPair}

// TestOutlet: whatever the socket takes at once, all arrives, in order, and Send
// does not wait for the reader.
func TestOutlet(t *testing.T) {
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			o := NewOutlet(near, 64<<20)
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

// TestOutletReuse: chunks are filled again only when what was in them has been
// written, in whatever order parts are sent and queued, and to whomever the same
// parts go.
func TestOutletReuse(t *testing.T) {
	scribble = true
	defer func() { scribble = false }()
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			var outs []*Outlet
			var ends []net.Conn
			for range 2 {
				near, far := pair(t)
				o := NewOutlet(near, 256<<20)
				defer o.Close()
				outs, ends = append(outs, o), append(ends, far)
			}
			frames := make([][][]byte, 6000)
			for i := range frames {
				frames[i] = [][]byte{{byte(i)}, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i*7%1500), nil, []byte("end")}
				if i%500 == 499 {
					frames[i][1] = bytes.Repeat([]byte{byte(i)}, outletChunk+i)
				}
			}
			var readers sync.WaitGroup
			for i, far := range ends {
				readers.Go(func() {
					far.SetReadDeadline(time.Now().Add(30 * time.Second))
					for n, parts := range frames {
						want := slices.Concat(parts...)
						got := make([]byte, len(want))
						if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
							t.Errorf("peer %d, frame %d: not what was sent (%v)", i, n, err)
							return
						}
						if n%1000 == 0 {
							time.Sleep(5 * time.Millisecond) // what comes meanwhile fills the socket
						}
					}
				})
			}
			for n, parts := range frames {
				for _, o := range outs {
					var err error
					if n%3 == 0 {
						err = o.Send(parts...)
					} else {
						copied := make([][]byte, len(parts))
						for i, p := range parts {
							copied[i] = bytes.Clone(p)
						}
						err = o.Queue(copied...)
						for _, p := range copied {
							clear(p) // it was copied
						}
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			readers.Wait()
			for _, o := range outs {
				o.mu.Lock()
				if len(o.spares) > maxSpares || slices.ContainsFunc(o.spares, func(c []byte) bool { return cap(c) > outletChunk }) {
					t.Errorf("keeps %d buffers", len(o.spares))
				}
				o.mu.Unlock()
			}
		})
	}
}

// deadlines notes whether a connection has one for its writes.
type deadlines struct {
	*net.TCPConn
	mu  sync.Mutex
	set time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set = t
	return d.TCPConn.SetWriteDeadline(t)
}

// TestOutletDeadline: a backlog is given its time, and leaves none behind for what
// is sent long after it.
func TestOutletDeadline(t *testing.T) {
	near, far := testkit.TCPPair(t)
	conn := &deadlines{TCPConn: near.(*net.TCPConn)}
	o := NewOutlet(conn, 64<<20)
	defer o.Close()
	const size = 32 << 20 // above what the sockets hold
	if err := o.Send(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	limited := func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return !conn.set.IsZero()
	}
	testkit.Until(t, "a peer that reads nothing is not waited for without a limit", limited)
	far.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(far, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the deadline goes", func() bool { return !limited() })
}

// TestOutletSlowPeer: a peer that takes something now and then is given its time, for one
// part of a frame, too; one that takes nothing is not.
func TestOutletSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // cannot be written to directly
		o := NewOutlet(near, 64<<20)
		if err := o.Send(make([]byte, 2<<20)); err != nil {
			t.Fatal(err)
		}
		some := make([]byte, joinedBytes)
		for range 64 {
			time.Sleep(writeTimeout - time.Second)
			if _, err := io.ReadFull(far, some); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(writeTimeout + time.Second)
		if err := o.Send([]byte{1}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("to a peer that has stopped: %v", err)
		}
		o.Close()
	})
}

// TestOutletFull: a peer that does not read costs no more than the limit.
func TestOutletFull(t *testing.T) {
	near, far := testkit.TCPPair(t)
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
	near, _ := testkit.TCPPair(t)
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
