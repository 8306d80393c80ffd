package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// What a token says, on both sides. The service and the server are called alike
// everywhere, whatever host it is (SecurityUtils, ZooKeeperSaslServer).
const (
	serverName = "zk-sasl-md5"
	digestURI  = "zookeeper/" + serverName
	algorithm  = "md5-sess"
	qop        = "auth"
	charset    = "utf-8"
	firstNonce = "00000001" // nonce-count: each nonce is used once
)

// errOver is the answer to a token that comes when nothing is to come any more.
var errOver = errors.New("the negotiation is over")

// newNonce is what cannot be guessed and never comes again.
func newNonce() string {
	var b [30]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// credentials is what a digest is made of.
type credentials struct {
	user, realm, password string
	authzID               string // "" for none
	nonce, clientNonce    string
}

// digest is the response of RFC 2831, section 2.1.2.1, with method AUTHENTICATE the
// client's and with "" the server's, rspauth.
func (c *credentials) digest(method string) string {
	secret := md5.Sum([]byte(latin1(c.user) + ":" + latin1(c.realm) + ":" + latin1(c.password)))
	a1 := string(secret[:]) + ":" + c.nonce + ":" + c.clientNonce
	if c.authzID != "" {
		a1 += ":" + c.authzID
	}
	return hexMD5(hexMD5(a1) + ":" + c.nonce + ":" + firstNonce + ":" + c.clientNonce + ":" + qop + ":" +
		hexMD5(method+":"+digestURI))
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// latin1 returns text in ISO 8859-1, in which it is hashed if it can be, and otherwise
// as it is, in UTF-8.
func latin1(text string) string {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return text
		}
		b = append(b, byte(r))
	}
	return string(b)
}
