package client

import (
	"errors"
	"fmt"
	"slices"

	"zooraft/protocol"
)

// schemeSASL is the scheme of the identities that SASL proves.
const schemeSASL = "sasl"

const (
	// maxSASLToken is the longest token taken; a Kerberos ticket with what Active
	// Directory puts into it has less.
	maxSASLToken = 64 << 10
	// maxSASLSteps is how many tokens a negotiation may take; the mechanisms that
	// clients know take two or three.
	maxSASLSteps = 16
)

var (
	errSASLOver  = errors.New("the negotiation is over")
	errSASLToken = fmt.Errorf("token longer than %d bytes", maxSASLToken)
	errSASLSteps = fmt.Errorf("no end after %d tokens", maxSASLSteps)
	errSASLIDs   = errors.New("the connection has too many identities")
)

// SASLServer is the server's side of one negotiation. It is used by one goroutine at
// a time and never under a lock.
type SASLServer interface {
	// Step takes what the client has sent, which it must not keep, and returns what it
	// is to be sent, which may be empty; nil is sent as a null token. user is not "" once
	// the client has proved who it is; then the negotiation is over. An error ends it
	// too. It is logged and not told to the client, and must hold no secret.
	Step(token []byte) (reply []byte, user string, err error)
}

// negotiation is what a connection has of SASL. The zero value is one that has not
// begun.
type negotiation struct {
	server SASLServer // nil before the first token, and when it is over
	steps  int8
	over   bool
}

// step takes a token that a client has sent; begin makes a mechanism for the first. Who
// has been through with it once, or has failed, cannot begin again on the connection
// (ZooKeeperSaslServer).
func (n *negotiation) step(begin func() SASLServer, token []byte) (reply []byte, user string, err error) {
	switch {
	case n.over:
		return nil, "", errSASLOver
	case len(token) > maxSASLToken:
		err = errSASLToken
	case n.steps == maxSASLSteps:
		err = errSASLSteps
	default:
		if n.server == nil {
			n.server = begin()
		}
		n.steps++
		reply, user, err = n.server.Step(token)
	}
	if err != nil || user != "" {
		*n = negotiation{over: true}
	}
	return reply, user, err
}

// sasl takes one token of a negotiation and answers it at once, as auth is. Without a
// mechanism it answers as a ZooKeeper without SASL does: success, and no token. To a
// null token there is no answer in either case (ZooKeeperServer.processSasl).
func (c *conn) sasl(xid int32, body []byte) bool {
	var p protocol.SASLPacket
	d := protocol.NewDecoder(body)
	if p.Decode(&d); d.Err() != nil || p.Token == nil {
		c.kill(causeMalformed)
		return false
	}
	c.outOfBand()
	token := p.Token
	p.Token = nil
	if c.srv.cfg.SASL == nil {
		c.replyNow(xid, protocol.ErrOK, &p)
		return true
	}
	reply, user, err := c.negotiation.step(c.srv.cfg.SASL, token)
	if err == nil && user != "" {
		err = c.authorize(user)
	}
	if err != nil {
		return c.saslFailed(xid, err)
	}
	p.Token = reply
	c.replyNow(xid, protocol.ErrOK, &p)
	return true
}

// authorize adds who a client has proved to be.
func (c *conn) authorize(user string) error {
	ids := []protocol.ID{{Scheme: schemeSASL, ID: user}}
	if slices.Contains(c.srv.cfg.SASLSuperUsers, user) {
		ids = append(ids, superID)
	}
	for _, id := range ids {
		if !c.addIdentity(id) {
			return errSASLIDs
		}
	}
	if c.srv.log.IsDebug() {
		c.srv.log.Debug("adding SASL authorization", "client", c.name(), "session", c.session.String(), "user", printable(user))
	}
	return nil
}

// saslFailed answers a negotiation that has failed, and ends the connection unless
// such clients may stay.
func (c *conn) saslFailed(xid int32, err error) bool {
	s := c.srv
	s.authFailures.Add(1)
	if s.mayWarn(warnSASL) {
		s.log.Warn("Client "+c.name()+" failed to SASL authenticate", "session", c.session.String(), "error", err)
	}
	required := slices.Contains(s.cfg.EnforceAuth, schemeSASL)
	code := protocol.ErrAuthFailed
	switch {
	case required:
		code = protocol.ErrSessionClosedRequireAuth
	case s.cfg.AllowSASLFailed:
		code = protocol.ErrOK
	}
	c.replyNow(xid, code, new(protocol.SASLPacket))
	if code == protocol.ErrOK {
		return true
	}
	c.out.finish()
	return false
}
