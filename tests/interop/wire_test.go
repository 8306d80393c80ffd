//go:build interop

package interop

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"zooraft/protocol"
)

const wireTimeout = 15 * time.Second

// wire is one connection of a client that shows what a server sends as it is.
type wire struct {
	t    *testing.T
	nc   net.Conn
	xid  int32
	zxid int64 // the last one seen
	protocol.ConnectResponse
}

// record is the body of a request.
type record interface{ Append([]byte) []byte }

// ask is a ConnectRequest for a new session, read-only or not.
func ask(readOnly bool) *protocol.ConnectRequest {
	return &protocol.ConnectRequest{Timeout: 6000, Passwd: make([]byte, protocol.PasswdBytes), ReadOnly: readOnly, HasReadOnly: true}
}

// resume is a ConnectRequest for the session of w.
func (w *wire) resume(readOnly bool) *protocol.ConnectRequest {
	return &protocol.ConnectRequest{
		Timeout: 6000, SessionID: w.SessionID, Passwd: append([]byte(nil), w.Passwd...), LastZxidSeen: w.zxid,
		ReadOnly: readOnly, HasReadOnly: true,
	}
}

// shake sends a ConnectRequest to a server; it returns nil if that closes the connection without a byte, which the client
// may learn from its connect or its write.
func shake(t *testing.T, addr string, q *protocol.ConnectRequest) *wire {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, wireTimeout)
	if cutOff(err) {
		return nil
	}
	must(t, "dial", err)
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(wireTimeout))
	w := &wire{t: t, nc: nc, zxid: q.LastZxidSeen}
	b := q.Append(nil)
	if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil && !cutOff(err) {
		must(t, "write", err)
	}
	b, err = w.frame()
	if cutOff(err) {
		return nil
	}
	must(t, "handshake", err)
	d := protocol.NewDecoder(b)
	w.Decode(&d)
	must(t, "decode ConnectResponse", d.Err())
	w.Passwd = append([]byte(nil), w.Passwd...)
	return w
}

// cutOff says whether an error is that of a connection that the other end has closed.
func cutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// open opens a session, which must succeed.
func open(t *testing.T, addr string, readOnly bool) *wire {
	t.Helper()
	w := shake(t, addr, ask(readOnly))
	if w == nil || w.SessionID == 0 {
		t.Fatalf("%s refuses a session: %+v", addr, w)
	}
	return w
}

func (w *wire) write(b []byte) {
	w.t.Helper()
	_, err := w.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	must(w.t, "write", err)
}

func (w *wire) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.nc, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(w.nc, b)
	return b, err
}

// call sends a request and returns the reply's error code and body.
func (w *wire) call(op protocol.OpCode, q record) (protocol.ErrCode, []byte) {
	w.t.Helper()
	w.nc.SetDeadline(time.Now().Add(wireTimeout))
	w.xid++
	b := (&protocol.RequestHeader{Xid: w.xid, Op: op}).Append(nil)
	if q != nil {
		b = q.Append(b)
	}
	w.write(b)
	b, err := w.frame()
	must(w.t, op.String(), err)
	var h protocol.ReplyHeader
	d := protocol.NewDecoder(b)
	h.Decode(&d)
	if d.Err() != nil || h.Xid != w.xid {
		w.t.Fatalf("%v: reply %+v to xid %d, %v", op, h, w.xid, d.Err())
	}
	if h.Zxid > 0 {
		w.zxid = h.Zxid
	}
	return h.Err, b[len(b)-d.Remaining():]
}

// want is call for what must give a code and take so many zxids. Nobody else may write meanwhile.
func (w *wire) want(code protocol.ErrCode, zxids int64, op protocol.OpCode, q record) {
	w.t.Helper()
	before := w.zxid
	if got, _ := w.call(op, q); got != code || w.zxid-before != zxids {
		w.t.Errorf("%v: got %v and %d zxids, want %v and %d", op, got, w.zxid-before, code, zxids)
	}
}

// ended fails unless the server ends the connection without another byte.
func (w *wire) ended(within time.Duration) {
	w.t.Helper()
	w.nc.SetDeadline(time.Now().Add(within))
	if b, err := w.frame(); err == nil || len(b) > 0 {
		w.t.Errorf("a frame where the end should be: %x", b)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		w.t.Errorf("the connection stands after %v", within)
	}
}

func node(path string, flags int32) *protocol.CreateRequest {
	return &protocol.CreateRequest{Path: path, Data: []byte("d"), ACL: protocol.OpenACL, Flags: flags}
}

func get(path string) *protocol.PathWatchRequest { return &protocol.PathWatchRequest{Path: path} }

// multiOf is the body of a multi that creates znodes.
type multiOf []*protocol.CreateRequest

func (m multiOf) Append(b []byte) []byte {
	for _, r := range m {
		b = r.Append((&protocol.MultiHeader{Type: protocol.OpCreate, Err: -1}).Append(b))
	}
	return protocol.AppendMultiEnd(b)
}
