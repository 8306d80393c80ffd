package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"zooraft/protocol"
)

// errExpired means that a server has refused to go on with a session.
var errExpired = errors.New("session expired")

// maxHandshakeBytes is more than any answer to a handshake has.
const maxHandshakeBytes = 1024

// session is what a client keeps of its session between connections.
type session struct {
	id      protocol.SessionID
	passwd  [protocol.PasswdBytes]byte
	zxid    int64         // highest seen in a reply
	timeout time.Duration // asked for, then granted
}

// open connects to a server and opens the session, or goes on with it if it has
// an id; errExpired if the server refuses. It gives up after patience, and when
// ctx ends.
func (s *session) open(ctx context.Context, addr string, patience time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	// Whatever ends the context ends the handshake.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err = s.handshake(nc)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return nc, nil
}

// hello is what asks for the session.
func (s *session) hello() []byte {
	q := protocol.ConnectRequest{
		LastZxidSeen: s.zxid,
		Timeout:      int32(s.timeout.Milliseconds()),
		SessionID:    s.id,
		Passwd:       s.passwd[:],
		HasReadOnly:  true,
	}
	b, mark := protocol.BeginFrame(nil)
	return protocol.EndFrame(q.Append(b), mark)
}

func (s *session) handshake(nc net.Conn) error {
	if _, err := nc.Write(s.hello()); err != nil {
		return err
	}
	var head [lengthBytes]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxHandshakeBytes {
		return errMalformed
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(nc, frame); err != nil {
		return err
	}
	return s.take(frame)
}

// take takes a server's answer to the handshake.
func (s *session) take(frame []byte) error {
	var r protocol.ConnectResponse
	d := protocol.NewDecoder(frame)
	r.Decode(&d)
	switch {
	case d.Err() != nil:
		return fmt.Errorf("%w to the handshake: %w", errMalformed, d.Err())
	case r.Timeout <= 0 || r.SessionID == 0:
		return errExpired
	}
	s.id = r.SessionID
	copy(s.passwd[:], r.Passwd)
	s.timeout = time.Duration(r.Timeout) * time.Millisecond
	return nil
}

// patience is how long a client of several servers waits for one to answer a
// handshake, so that it reaches them all before its session ends.
func (c *Config) patience() time.Duration {
	return max(c.SessionTimeout/time.Duration(len(c.Servers)), 100*time.Millisecond)
}
