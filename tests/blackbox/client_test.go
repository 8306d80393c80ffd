package blackbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

var (
	errExpired = errors.New("the server knows no such session")
	errStream  = errors.New("not what a server may send")
)

const (
	callTimeout    = time.Minute
	sessionTimeout = 2 * time.Minute // or the most that a server grants
	maxReply       = 8 << 20
)

// client is one connection of a client that knows no more than a test needs: it sends what it is told to, right or
// wrong, and one request at a time is answered by one reply. It is for one goroutine, but send and receive may be two.
type client struct {
	nc      net.Conn
	in      io.Reader // nc, or a buffer before it
	xid     int32
	zxid    int64 // of the last reply
	session protocol.SessionID
	passwd  []byte

	readOnly bool // a read-only server will do
}

// body is a request's record.
type body interface{ Append([]byte) []byte }

// dial opens a connection and sends nothing.
func dial(addr string) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, callTimeout)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc, in: nc}, nil
}

// connect opens a connection and on it a new session, or that of another client if one is given.
func connect(addr string, of *client) (*client, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	if err := c.shake(of); err != nil {
		c.nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) shake(of *client) error {
	q := protocol.ConnectRequest{Timeout: int32(sessionTimeout.Milliseconds()), Passwd: make([]byte, protocol.PasswdBytes), ReadOnly: c.readOnly, HasReadOnly: true}
	if of != nil {
		q.SessionID, q.Passwd, q.LastZxidSeen = of.session, of.passwd, of.zxid
		c.xid, c.zxid = of.xid, of.zxid
	}
	c.nc.SetDeadline(time.Now().Add(callTimeout))
	defer c.nc.SetDeadline(time.Time{})
	if _, err := c.nc.Write(frame(&q)); err != nil {
		return err
	}
	b, err := c.frame()
	if err != nil {
		return err
	}
	var r protocol.ConnectResponse
	d := protocol.NewDecoder(b)
	if r.Decode(&d); d.Err() != nil {
		return d.Err()
	}
	if r.SessionID == 0 || r.Timeout <= 0 {
		return errExpired
	}
	if of != nil && r.SessionID != of.session {
		return fmt.Errorf("%w: session %v, asked for %v", errStream, r.SessionID, of.session)
	}
	c.session, c.passwd = r.SessionID, r.Passwd
	return nil
}

// frame puts a length before a record, or before a request if op is given.
func frame(q body) []byte {
	b, mark := protocol.BeginFrame(nil)
	return protocol.EndFrame(q.Append(b), mark)
}

func request(xid int32, op protocol.OpCode, q body) []byte {
	b, mark := protocol.BeginFrame(nil)
	b = (&protocol.RequestHeader{Xid: xid, Op: op}).Append(b)
	if q != nil {
		b = q.Append(b)
	}
	return protocol.EndFrame(b, mark)
}

// frame reads a length and so many bytes.
func (c *client) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || n > maxReply {
		return nil, fmt.Errorf("%w: frame of %d bytes", errStream, n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.in, b)
	return b, err
}

// receive reads one reply or event.
func (c *client) receive() (protocol.ReplyHeader, []byte, error) {
	b, err := c.frame()
	if err != nil {
		return protocol.ReplyHeader{}, nil, err
	}
	var h protocol.ReplyHeader
	d := protocol.NewDecoder(b)
	if h.Decode(&d); d.Err() != nil {
		return h, nil, d.Err()
	}
	if h.Zxid > 0 {
		c.zxid = h.Zxid
	}
	return h, b[len(b)-d.Remaining():], nil
}

// call sends a request and waits for its reply; a reply that is an error comes as its code.
func (c *client) call(op protocol.OpCode, q body) ([]byte, error) {
	c.nc.SetDeadline(time.Now().Add(callTimeout))
	defer c.nc.SetDeadline(time.Time{})
	c.xid++
	if _, err := c.nc.Write(request(c.xid, op, q)); err != nil {
		return nil, err
	}
	h, b, err := c.receive()
	switch {
	case err != nil:
		return nil, err
	case h.Xid != c.xid:
		return nil, fmt.Errorf("%w: reply to xid %d, asked %d", errStream, h.Xid, c.xid)
	case h.Err != protocol.ErrOK:
		return nil, h.Err
	}
	return b, nil
}

func (c *client) create(path, data string) error {
	_, err := c.call(protocol.OpCreate, &protocol.CreateRequest{Path: path, Data: []byte(data), ACL: protocol.OpenACL})
	return err
}

func (c *client) set(path, data string) error {
	_, err := c.call(protocol.OpSetData, &protocol.SetDataRequest{Path: path, Data: []byte(data), Version: -1})
	return err
}

func (c *client) get(path string) (string, error) {
	b, err := c.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: path})
	d := protocol.NewDecoder(b)
	return string(d.Buffer()), err
}

func (c *client) children(path string) ([]string, error) {
	b, err := c.call(protocol.OpGetChildren, &protocol.PathWatchRequest{Path: path})
	d := protocol.NewDecoder(b)
	return d.Strings(), err
}

// ended waits until the server has ended the connection; it fails if that sends anything more, or does not come.
func (c *client) ended(within time.Duration) error {
	c.nc.SetReadDeadline(time.Now().Add(within))
	var timeout net.Error
	switch n, err := c.in.Read(make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("%w: a byte where the end should be", errStream)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("the connection stands after %v", within)
	}
	return nil
}

// The functions below fail the test where those above return an error.

func mustConnect(t *testing.T, addr string) *client {
	t.Helper()
	return mustResume(t, addr, nil)
}

func mustResume(t *testing.T, addr string, of *client) *client {
	t.Helper()
	var c *client
	// A server that is behind, without a leader, or about to replace its state lets clients go; they try again.
	harness.Eventually(t, startTimeout, "connect to "+addr, func() (err error) {
		if c, err = connect(addr, of); errors.Is(err, errExpired) || errors.Is(err, errStream) {
			t.Fatalf("connect to %s: %v", addr, err)
		}
		return err
	})
	t.Cleanup(func() { c.nc.Close() })
	return c
}

func mustDial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	return c
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (c *client) mustHold(t *testing.T, path, want string) {
	t.Helper()
	if got, err := c.get(path); err != nil || got != want {
		t.Fatalf("data of %s: got %q, %v; want %q", path, got, err, want)
	}
}
