package client

import (
	"bufio"
	"fmt"
	"net"

	"zooraft/protocol"
)

// Mechanism is the client's side of one negotiation by SASL, such as a
// sasl.DigestClient. One goroutine uses it.
type Mechanism interface {
	// Step takes what the server has sent, at first nothing, and returns what it is to
	// be sent, which may be empty. With done nothing is sent any more: the client is
	// known. An error ends the session as AuthFailed.
	Step(challenge []byte) (response []byte, done bool, err error)
}

// login tells a server who this client is, as ZooKeeperSaslClient does: until that is
// done nothing else is sent, no identity and no watch, either. An error is ErrLogin if
// the one side or the other will not have it; what else there is may pass. It blocks
// as long as the connection's deadline allows.
func (c *Client) login(m Mechanism, nc net.Conn, in *bufio.Reader) error {
	var packet protocol.SASLPacket
	for {
		response, done, err := m.Step(packet.Token)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrLogin, err)
		}
		if done {
			c.cfg.OnEvent(sessionEvent("SaslAuthenticated"))
			return nil
		}
		c.mu.Lock()
		xid := c.nextXidLocked()
		c.mu.Unlock()
		// Java's server does not know what to do with no token; an empty one is one.
		packet.Token = append([]byte{}, response...)
		b, mark := protocol.BeginFrame(nil)
		b = (&protocol.RequestHeader{Xid: xid, Op: protocol.OpSASL}).Append(b)
		if _, err := nc.Write(protocol.EndFrame(packet.Append(b), mark)); err != nil {
			return err
		}
		frame, err := c.readFrame(in)
		if err != nil {
			return err
		}
		d := protocol.NewDecoder(frame)
		var h protocol.ReplyHeader
		h.Decode(&d)
		switch {
		case d.Err() != nil:
			return d.Err()
		case h.Xid != xid:
			return fmt.Errorf("%w: xid %d in the place of %d", errMalformed, h.Xid, xid)
		case h.Err != protocol.ErrOK:
			return fmt.Errorf("%w: %w", ErrLogin, &Error{Code: h.Err})
		}
		if packet.Decode(&d); d.Err() != nil {
			return d.Err()
		}
	}
}
