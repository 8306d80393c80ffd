package sasl

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errServer is that the server has not proved that it knows the password.
var errServer = errors.New("the server does not know the password itself")

// DigestClient is the client's side of one negotiation.
type DigestClient struct {
	credentials
	awaits stage
}

// NewDigestClient begins a negotiation in which a user proves that it knows a password.
func NewDigestClient(user, password string) *DigestClient {
	// Java's client names itself a second time, as the one it acts for.
	return &DigestClient{credentials: credentials{
		user: user, password: password, authzID: user, clientNonce: newNonce(),
	}}
}

// errSilent is that a server has not begun this mechanism.
var errSilent = errors.New("the server offers no DIGEST-MD5")

// Step takes what the server has sent, at first nothing, and returns what it is to be
// sent. With done the server, too, has proved that it knows the password, and nothing
// is to be sent. After an error the negotiation is over.
func (c *DigestClient) Step(challenge []byte) (response []byte, done bool, err error) {
	switch c.awaits {
	case stageStart:
		c.awaits = stageOver
		if len(challenge) > 0 {
			return nil, false, fmt.Errorf("%w: a server does not begin", errToken)
		}
		c.awaits = stageDigest
		return nil, false, nil
	case stageDigest:
		c.awaits = stageOver
		if response, err = c.answer(challenge); err != nil {
			return nil, false, err
		}
		c.awaits = stageProof
		return response, false, nil
	case stageProof:
		c.awaits = stageOver
		d, err := parseDirectives(challenge)
		if err != nil {
			return nil, false, err
		}
		rspauth, err := d.one("rspauth")
		if err != nil {
			return nil, false, err
		}
		if subtle.ConstantTimeCompare([]byte(rspauth), []byte(c.digest(""))) != 1 {
			return nil, false, errServer
		}
		return nil, true, nil
	}
	return nil, false, errOver
}

// answer takes the server's challenge.
func (c *DigestClient) answer(challenge []byte) ([]byte, error) {
	if len(challenge) == 0 {
		return nil, errSilent
	}
	d, err := parseDirectives(challenge)
	if err != nil {
		return nil, err
	}
	for _, want := range []struct{ key, value string }{{"algorithm", algorithm}, {"charset", charset}} {
		value, err := d.one(want.key)
		if err != nil {
			return nil, err
		}
		if value != want.value {
			return nil, fmt.Errorf("%w: %s is %q, not %q", errToken, want.key, value, want.value)
		}
	}
	protections, err := d.atMostOne("qop", qop)
	if err != nil {
		return nil, err
	}
	isAuth := func(offered string) bool { return strings.TrimSpace(offered) == qop }
	if !slices.ContainsFunc(strings.Split(protections, ","), isAuth) {
		return nil, fmt.Errorf("%w: qop is %q, without %s", errToken, protections, qop)
	}
	if c.nonce, err = d.one("nonce"); err != nil {
		return nil, err
	}
	c.realm = serverName
	if realms := d["realm"]; len(realms) > 0 {
		c.realm = realms[0]
	}
	return []byte("charset=" + charset + ",username=" + quote(c.user) + ",realm=" + quote(c.realm) +
		",nonce=" + quote(c.nonce) + ",nc=" + firstNonce + ",cnonce=" + quote(c.clientNonce) +
		",digest-uri=" + quote(digestURI) + ",maxbuf=65536,response=" + c.digest("AUTHENTICATE") +
		",qop=" + qop + ",authzid=" + quote(c.authzID)), nil
}
