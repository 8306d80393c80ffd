package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"zooraft/protocol"
	"zooraft/tests/testkit"
)

// cork has the end of a stream leave in one segment with the bytes before it, if
// both are there before the cork is drawn, as shutting down or closing does.
func cork(t testing.TB, nc net.Conn) {
	t.Helper()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err == nil {
		outer := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
		err = errors.Join(err, outer)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHangUp: the end of a client's stream is noticed soon, though it comes with
// the last bytes, after which nothing is read; and what these ask for is answered,
// as long as there is somebody to hear it.
func TestHangUp(t *testing.T) {
	exists, set := request(7, protocol.OpExists, get("/")), request(7, protocol.OpSetData, &protocol.SetDataRequest{Path: "/", Version: -1})
	half := func(p *peer) { p.nc.(*net.TCPConn).CloseWrite() }
	whole := func(p *peer) { p.nc.Close() }
	reset := func(p *peer) { p.nc.(*net.TCPConn).SetLinger(0); p.nc.Close() }
	for _, tt := range []struct {
		name    string
		send    []byte
		end     func(*peer)
		held    bool // what is asked for does not complete
		replies int
	}{
		{"after a read", exists, half, false, 1},
		{"after many", bytes.Repeat(exists, 100), half, false, 100},
		{"after more than a buffer takes", bytes.Repeat(exists, 2*bigBuffer/len(exists)), half, false, 2 * bigBuffer / len(exists)},
		{"after half a request", exists[:10], half, false, 0},
		{"after a write", set, half, false, 1},
		{"reply pending", set, half, true, 0},
		{"replies pending", bytes.Repeat(set, 10), half, true, 0},
		{"closed after a read", exists, whole, false, 0},
		{"closed with a reply pending", set, whole, true, 0},
		{"closed after half a request", exists[:10], whole, false, 0},
		{"reset after a read", exists, reset, false, 0},
		{"reset with a reply pending", set, reset, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, nil)
			p := f.connect()
			if tt.held {
				f.b.hold(true)
				defer f.b.hold(false)
			}
			cork(t, p.nc)
			p.write(tt.send)
			tt.end(p)
			for range tt.replies {
				if h, _ := p.reply(); h.Xid != 7 || h.Err != protocol.ErrOK {
					t.Fatalf("got %+v", h)
				}
			}
			begin := time.Now()
			eventually(t, "it has been forgotten", func() bool { f.s.mu.Lock(); defer f.s.mu.Unlock(); return len(f.s.conns) == 0 })
			if d := time.Since(begin); d > 5*time.Second { // half of its session timeout, which would end it too
				t.Errorf("noticed after %v", d)
			}
			if tt.replies > 0 {
				f.logs("it probably closed the socket")
			}
		})
	}
}

// TestFollow: what a reader is told of an end that came with the last bytes, at
// once if it is thorough, else by the first reading after a deadline.
func TestFollow(t *testing.T) {
	for _, thorough := range []bool{false, true} {
		client, server := testkit.TCPPair(t)
		cork(t, client)
		if _, err := client.Write(frameOf([]byte("last"))); err != nil {
			t.Fatal(err)
		}
		client.(*net.TCPConn).CloseWrite()
		eventually(t, "the end has come", func() bool { return hungUp(rawConn(server)) })

		var r frameReader
		r.init(server, rawConn(server), 100)
		r.thorough = thorough
		frames := 0
		handle := func(int) bool {
			for _, ok, _ := r.next(); ok; _, ok, _ = r.next() {
				frames++
			}
			return true
		}
		server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		err := r.follow(handle)
		if !thorough && errors.Is(err, os.ErrDeadlineExceeded) {
			server.SetReadDeadline(time.Now().Add(time.Minute))
			err = r.follow(handle)
		}
		if frames != 1 || err != io.EOF {
			t.Errorf("thorough %v: %d frames and %v, want 1 and the end", thorough, frames, err)
		}
		r.release()
	}
}
