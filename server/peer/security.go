package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
)

// Security is what makes connections between servers safe. Its methods may be called
// concurrently. Without one they are plain text.
type Security interface {
	// Dial makes TLS of a connection that was dialled to host, a name or an address,
	// or leaves it as it is. It blocks as long as the connection's deadline allows, and
	// does not close conn.
	Dial(conn net.Conn, host string) (net.Conn, error)
	// Accept does the same with a connection that was accepted, as that begins.
	Accept(conn net.Conn) (net.Conn, error)
	// Check says why nothing is to be taken from a connection that Accept has returned,
	// or from one that embeds it: its certificate, if there is one to be had, is for none
	// of hosts. It may look names up, and ends with ctx.
	Check(ctx context.Context, conn net.Conn, hosts ...string) error
}

// secured is TLS whose Close ends the connection at once. That of tls.Conn says goodbye
// first, and waits up to five seconds for a peer that does not read; frames have lengths,
// so that nobody needs to hear it.
type secured struct{ *tls.Conn }

// Close implements net.Conn.
func (c secured) Close() error { return c.NetConn().Close() }

// hard is what Security has returned, as a connection that Close ends at once. The error
// tells a side that has refused the other from a connection that was cut.
func hard(conn net.Conn, err error) (net.Conn, error) {
	var timeout net.Error
	switch t, ok := conn.(*tls.Conn); {
	case err == nil && ok:
		return secured{t}, nil
	case err == nil:
		return conn, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.As(err, &timeout) && timeout.Timeout():
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrRefused, err)
}

// plainText says whether the other side does not speak TLS.
func plainText(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record)
}

// denied says whether the other side has ended TLS with an alert, as it does with a
// certificate that it does not take. In TLS 1.3 that comes after the handshake.
func denied(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// vouched says why the certificate of who says hello does not speak for it: where the
// membership has a server with its id, it has to be for that host. Of a guest nothing is
// known but where it calls from, so that the host that it gives itself counts if that
// stands for this address. Names are looked up until ctx ends, and none for a caller
// whose certificate is not for it.
func (h *hello) vouched(ctx context.Context, s Security, c Callee, conn net.Conn) error {
	if hosts := c.Hosts(h.SID); len(hosts) > 0 {
		return s.Check(ctx, conn, hosts...)
	}
	from, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("address of the caller: %w", err)
	}
	said, _, err := net.SplitHostPort(callBack(h.QuorumAddr, conn))
	if err != nil || said == from {
		return s.Check(ctx, conn, from)
	}
	if err := s.Check(ctx, conn, said, from); err != nil || s.Check(ctx, conn, from) == nil {
		return err
	}
	switch ips, err := net.DefaultResolver.LookupHost(ctx, said); {
	case err != nil:
		return fmt.Errorf("the caller is no member, and the host that it gives itself cannot be looked up: %w", err)
	case !slices.Contains(ips, from):
		return fmt.Errorf("the caller is no member, and the host that it gives itself, %s, is not at %s, from where it calls", said, from)
	}
	return nil
}

// refusal tells a caller why it is refused, and a stranger no more than that.
func refusal(sid int64, why error) welcome {
	return welcome{Identity: Identity{Version: ProtocolVersion, SID: sid}, Refusal: why.Error()}
}

// turnAway refuses, in plain text, a caller that speaks what this server does not: if
// that is TLS, it sees by the answer what it has called.
func turnAway(conn net.Conn, sid int64, why error) error {
	_ = writeHandshake(conn, refusal(sid, why)) // who has gone need not know
	linger(conn)
	return fmt.Errorf("%w: %w", ErrRefused, why)
}

// linger waits until the other side has read why it was refused, and hangs up, or the
// deadline: what is unread when a connection is closed would have it reset.
func linger(conn net.Conn) {
	// How it ends does not matter.
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxHandshake))
}
