package sasl

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"unicode/utf8"
)

// errProof is that a client has not proved that it knows the password.
var errProof = errors.New("unknown user or wrong password")

// DigestServer is the server's side of one negotiation.
type DigestServer struct {
	password func(user string) (string, bool)
	nonce    string
	awaits   stage
}

// stage is what a side waits for.
type stage int

const (
	stageStart stage = iota
	stageDigest
	stageProof // of the server; only clients wait for it
	stageOver
)

// NewDigestServer begins a negotiation. password returns what a user has to know, and
// false if there is no such user.
func NewDigestServer(password func(user string) (string, bool)) *DigestServer {
	return &DigestServer{password: password, nonce: newNonce()}
}

// Step takes what the client has sent and returns what it is to be sent. user is not ""
// once the client has proved who it is; then, or after an error, the negotiation is
// over. Of what a client begins with, and of an identity that it would like to act for
// (authzid), it takes no notice, as ZooKeeper does not.
func (s *DigestServer) Step(token []byte) (reply []byte, user string, err error) {
	switch s.awaits {
	case stageStart:
		s.awaits = stageDigest
		return []byte("realm=" + quote(serverName) + ",nonce=" + quote(s.nonce) +
			",charset=" + charset + ",algorithm=" + algorithm), "", nil
	case stageDigest:
		s.awaits = stageOver
		return s.check(token)
	}
	return nil, "", errOver
}

// check takes the client's response.
func (s *DigestServer) check(token []byte) (reply []byte, user string, err error) {
	d, err := parseDirectives(token)
	if err != nil {
		return nil, "", err
	}
	for _, want := range []struct{ key, value, otherwise string }{
		{"charset", charset, charset},
		{"realm", serverName, ""},
		{"nonce", s.nonce, ""},
		{"nc", firstNonce, firstNonce},
		{"qop", qop, qop},
		{"digest-uri", digestURI, ""},
	} {
		value, err := d.atMostOne(want.key, want.otherwise)
		if err != nil {
			return nil, "", err
		}
		if value != want.value {
			return nil, "", fmt.Errorf("%w: %s is %q, not %q", errToken, want.key, value, want.value)
		}
	}
	c := credentials{realm: serverName, nonce: s.nonce}
	var response string
	for _, part := range []struct {
		key   string
		value *string
	}{{"username", &c.user}, {"cnonce", &c.clientNonce}, {"response", &response}} {
		if *part.value, err = d.one(part.key); err != nil {
			return nil, "", err
		}
	}
	if c.authzID, err = d.atMostOne("authzid", ""); err != nil {
		return nil, "", err
	}
	if c.user == "" || !utf8.ValidString(c.user) {
		return nil, "", fmt.Errorf("%w: the name of the user is %q", errToken, c.user)
	}
	var known bool
	c.password, known = s.password(c.user)
	// An unknown user takes as long as a wrong password.
	if subtle.ConstantTimeCompare([]byte(response), []byte(c.digest("AUTHENTICATE"))) != 1 || !known {
		return nil, "", fmt.Errorf("user %q: %w", c.user, errProof)
	}
	return []byte("rspauth=" + c.digest("")), c.user, nil
}
