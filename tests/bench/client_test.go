package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"zooraft/protocol"
)

const (
	sessionTimeout = 20 * time.Second
	replyTimeout   = 60 * time.Second // far above any pause that is worth measuring
	manyOpen       = 64               // requests under way at once, where it should go fast
	bufferBytes    = 8 << 10          // small, for there may be thousands
)

// client is one session on one connection. It keeps no history and allocates nothing per request, so that it measures
// the server and not itself. It is for one goroutine; send and receive may be used by one each.
type client struct {
	nc       net.Conn
	patience time.Duration // with a reply, from the last request on
	in       *bufio.Reader
	out      []byte
	xid      int32 // of the last request sent
	received int32 // xid of the last reply
	reply    []byte
}

// dial opens a session. It blocks until it is granted.
func dial(addr string) (*client, error) { return dialUntil(context.Background(), addr, replyTimeout) }

// dialUntil is dial for a client whose connection is closed when ctx ends, and which gives up if no session is granted
// within patience: a ZooKeeper that is just starting sometimes takes a connection and never answers.
func dialUntil(ctx context.Context, addr string, patience time.Duration) (*client, error) {
	nc, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { nc.Close() })
	c := &client{nc: nc, patience: patience, in: bufio.NewReaderSize(nc, bufferBytes)}
	q := protocol.ConnectRequest{Timeout: int32(sessionTimeout.Milliseconds()), Passwd: make([]byte, protocol.PasswdBytes),
		HasReadOnly: true}
	b, mark := protocol.BeginFrame(nil)
	var r protocol.ConnectResponse
	frame, err := []byte(nil), c.write(protocol.EndFrame(q.Append(b), mark))
	if err == nil {
		frame, err = c.readFrame()
	}
	if err == nil {
		d := protocol.NewDecoder(frame)
		if r.Decode(&d); d.Err() != nil || r.Timeout == 0 {
			err = fmt.Errorf("session refused: %+v, %v", r, d.Err())
		}
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	c.patience = replyTimeout
	return c, nil
}

// close drops the connection and leaves the session to expire.
func (c *client) close() { c.nc.Close() }

func (c *client) write(b []byte) error {
	if err := c.nc.SetDeadline(time.Now().Add(c.patience)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	return err
}

func (c *client) readFrame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > cap(c.reply) {
		c.reply = make([]byte, n)
	}
	c.reply = c.reply[:n]
	_, err := io.ReadFull(c.in, c.reply)
	return c.reply, err
}

// record is the body of a request.
type record interface{ Append([]byte) []byte }

// send writes a request and does not wait for its reply. body is nil for a request without one.
func (c *client) send(op protocol.OpCode, body record) error {
	c.xid++
	b, mark := protocol.BeginFrame(c.out[:0])
	b = (&protocol.RequestHeader{Xid: c.xid, Op: op}).Append(b)
	if body != nil {
		b = body.Append(b)
	}
	c.out = protocol.EndFrame(b, mark)
	return c.write(c.out)
}

// receive reads the reply to the oldest request that has none, and returns its body, valid until the next call. An
// error code is returned as the error.
func (c *client) receive() ([]byte, error) {
	frame, err := c.readFrame()
	if err != nil {
		return nil, err
	}
	d := protocol.NewDecoder(frame)
	var h protocol.ReplyHeader
	h.Decode(&d)
	c.received++
	switch {
	case d.Err() != nil:
		return nil, d.Err()
	case h.Xid != c.received:
		return nil, fmt.Errorf("reply to xid %d, the oldest request is %d", h.Xid, c.received)
	case h.Err != protocol.ErrOK:
		return nil, h.Err
	}
	return frame[len(frame)-d.Remaining():], nil
}

// call is send and receive.
func (c *client) call(op protocol.OpCode, body record) ([]byte, error) {
	if err := c.send(op, body); err != nil {
		return nil, err
	}
	return c.receive()
}

func (c *client) create(path string, data []byte) error {
	_, err := c.call(protocol.OpCreate, &protocol.CreateRequest{Path: path, Data: data, ACL: protocol.OpenACL})
	return err
}

// pipelined sends n requests that next makes, with a window of them under way, and returns when all have been answered.
func (c *client) pipelined(n, window int, next func(i int) (protocol.OpCode, record)) error {
	slots := make(chan struct{}, window)
	stop := make(chan struct{})
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			select {
			case slots <- struct{}{}:
			case <-stop:
				sent <- nil
				return
			}
			op, body := next(i)
			if err := c.send(op, body); err != nil {
				sent <- err
				c.nc.Close() // ends the receiver
				return
			}
		}
		sent <- nil
	}()
	var err error
	for i := 0; i < n && err == nil; i++ {
		if _, err = c.receive(); err != nil {
			err = fmt.Errorf("request %d of %d: %w", i, n, err)
		}
		<-slots
	}
	close(stop)
	if sendErr := <-sent; sendErr != nil {
		return sendErr
	}
	return err
}

// multi is the body of a multi.
type multi []protocol.MultiOp

func (m multi) Append(b []byte) []byte { return protocol.AppendMulti(b, m) }
