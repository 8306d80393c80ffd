package kerberos

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"zooraft/protocol/krb5"
)

// Errors of an exchange, beside those of protocol/krb5.
var (
	errReplay = errors.New("the same authenticator was sent before")
	errFull   = errors.New("too many authenticators to remember; try again later")
	errOrder  = errors.New("a token where none belongs, or none where one does")
	errLayer  = errors.New("the client wants a security layer, which was not offered")
	errOver   = errors.New("the exchange is over")
)

// What an exchange waits for.
const (
	waitRequest  = iota // the client's ticket
	waitRequest2        // the same; an empty token came before it, and no other may
	waitEmpty           // the client has been sent the proof of this side
	waitChoice          // of the security layer
	over
)

// layerNone is the one security layer there is: none. After it stands what the longest
// protected message may have, which is nothing without a layer (RFC 4752, 3.3).
const layerNone = 1

// Exchange is the server's side of one exchange. Not safe for use by two goroutines.
type Exchange struct {
	acceptor *Acceptor
	state    int
	client   krb5.Principal
	context  wrapper
}

// wrapper protects what both sides send once they know each other. It is a krb5.Context;
// tests have one that lets them say anything. Its Exchange's goroutine alone uses it.
type wrapper interface {
	Wrap(data []byte) []byte
	Unwrap(token []byte) ([]byte, error)
}

// Step takes what the client has sent and returns what it is to be sent: nil at the
// end, as Java's server has nothing to say there either. user is not "" once the
// client has proved who it is; then the exchange is over, as it is at any error.
func (e *Exchange) Step(token []byte) (reply []byte, user string, err error) {
	defer func() {
		if err != nil {
			e.state = over
		}
	}()
	switch e.state {
	case waitRequest, waitRequest2:
		if len(token) == 0 && e.state == waitRequest {
			e.state = waitRequest2 // the client has no initial response
			return []byte{}, "", nil
		}
		reply, err = e.request(token)
		return reply, "", err
	case waitEmpty:
		if len(token) != 0 {
			return nil, "", errOrder
		}
		return e.offer(), "", nil
	case waitChoice:
		if err := e.choice(token); err != nil {
			return nil, "", err
		}
		e.state = over
		return nil, e.acceptor.names.user(e.client), nil
	}
	return nil, "", errOver
}

func (e *Exchange) request(token []byte) ([]byte, error) {
	a := e.acceptor
	now := a.now()
	accepted, err := krb5.Accept(token, a.current(), now, a.cfg.Skew)
	if err != nil {
		return nil, err
	}
	if err := a.seen.add(accepted.Client.String(), accepted.Authenticator, now); err != nil {
		return nil, fmt.Errorf("%w, of %v", err, accepted.Client)
	}
	e.client, e.context = accepted.Client, accepted.Context
	if accepted.Reply == nil {
		return e.offer(), nil
	}
	e.state = waitEmpty
	return accepted.Reply, nil
}

// offer says which security layers there are.
func (e *Exchange) offer() []byte {
	e.state = waitChoice
	return e.context.Wrap([]byte{layerNone, 0, 0, 0})
}

// choice takes the client's. Whom the client wants to be stands there too, and does
// not count, as in ZooKeeper: it is who its ticket says.
func (e *Exchange) choice(token []byte) error {
	data, err := e.context.Unwrap(token)
	switch {
	case err != nil:
		return err
	case len(data) < 4 || !utf8.Valid(data[4:]):
		return errOrder
	case data[0] != layerNone:
		return errLayer
	}
	return nil
}
