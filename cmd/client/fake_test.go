package client

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"zooraft/protocol"
)

// patience bounds the wait for what should come at once, and on a loaded machine does
// not.
const patience = 2 * time.Minute

// server is a listener that the test itself answers for.
type server struct {
	t  *testing.T
	ln net.Listener
}

func newServer(t *testing.T) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &server{t, ln}
}

func (s *server) addr() string { return s.ln.Addr().String() }

// peer is one accepted connection.
type peer struct {
	t    *testing.T
	nc   net.Conn
	asks protocol.ConnectRequest
}

// accept takes a connection and grants it a session.
func (s *server) accept(timeoutMs int32) *peer {
	s.t.Helper()
	s.ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience))
	nc, err := s.ln.Accept()
	if err != nil {
		s.t.Fatalf("no connection: %v", err)
	}
	s.t.Cleanup(func() { nc.Close() })
	p := &peer{t: s.t, nc: nc}
	d := protocol.NewDecoder(p.frame())
	p.asks.Decode(&d)
	p.write((&protocol.ConnectResponse{Timeout: timeoutMs, SessionID: 7, Passwd: []byte("0123456789abcdef")}).Append(nil))
	return p
}

func (p *peer) frame() []byte {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(patience))
	var head [4]byte
	if _, err := io.ReadFull(p.nc, head[:]); err != nil {
		p.t.Fatalf("no request: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p.nc, b); err != nil {
		p.t.Fatalf("half a request: %v", err)
	}
	return b
}

func (p *peer) write(body []byte) {
	b, mark := protocol.BeginFrame(nil)
	p.nc.Write(protocol.EndFrame(append(b, body...), mark))
}

// expect reads the next request but pings, and wants it to be op.
func (p *peer) expect(op protocol.OpCode) (xid int32, body protocol.Decoder) {
	p.t.Helper()
	for {
		d := protocol.NewDecoder(p.frame())
		var h protocol.RequestHeader
		h.Decode(&d)
		if h.Op == protocol.OpPing {
			continue
		}
		if h.Op != op {
			p.t.Fatalf("got a request %v, want %v", h.Op, op)
		}
		return h.Xid, d
	}
}

func (p *peer) reply(xid int32, zxid int64, code protocol.ErrCode, body []byte) {
	p.write(append((&protocol.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}).Append(nil), body...))
}

func (p *peer) event(t protocol.EventType, path string, zxid int64) {
	e := protocol.WatcherEvent{Type: t, State: protocol.StateSyncConnected, Path: path}
	p.reply(protocol.XidNotification, zxid, protocol.ErrOK, e.Append(nil))
}
