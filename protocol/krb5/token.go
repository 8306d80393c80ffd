package krb5

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
)

// maxTokenBytes is the longest token that is looked at. A ticket of Active Directory,
// which carries what groups a user is in, stays below 48 KiB.
const maxTokenBytes = 64 << 10

// Errors of tokens.
var (
	ErrToken  = errors.New("not a token of Kerberos in GSSAPI")
	ErrFlags  = errors.New("a wrap token with flags that were not agreed on")
	ErrSum    = errors.New("the checksum of a wrap token is wrong")
	errRepeat = errors.New("a wrap token out of its order")
)

// mechanism is the object identifier 1.2.840.113554.1.2.2 with tag and length.
var mechanism = []byte{0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// What kind a token is (RFC 4121, 4.1 and 4.2.6).
const (
	tokenAPReq = 0x0100
	tokenAPRep = 0x0200
	tokenWrap  = 0x0504
)

// frame puts a message of the exchange in the frame of RFC 2743, 3.1.
func frame(kind uint16, message []byte) []byte {
	return derApplication(0, mechanism, binary.BigEndian.AppendUint16(nil, kind), message)
}

// unframe takes it out of there.
func unframe(kind uint16, token []byte) ([]byte, error) {
	if len(token) > maxTokenBytes || len(token) < 2 || token[0] != 0x60 {
		return nil, ErrToken
	}
	n, rest := int(token[1]), token[2:]
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 || size > len(rest) {
			return nil, ErrToken
		}
		n = 0
		for _, b := range rest[:size] {
			n = n<<8 | int(b)
		}
		rest = rest[size:]
	}
	if n != len(rest) {
		return nil, ErrToken
	}
	rest, ok := bytes.CutPrefix(rest, mechanism)
	if !ok || len(rest) < 2 || binary.BigEndian.Uint16(rest) != kind {
		return nil, ErrToken
	}
	return rest[2:], nil
}

// Flags of a wrap token.
const (
	wrapByAcceptor = 1 << iota
	wrapSealed
	wrapAcceptorSubkey
)

const wrapHeaderBytes = 16

// Uses of keys for wrap tokens (RFC 4121, 2).
const (
	useAcceptorSeal  = 22
	useInitiatorSeal = 24
)

// Context is a security context that was established: one key that both sides
// have, and a count of tokens each way. Its tokens protect against change only;
// none is encrypted, nor taken if it is. Not safe for use by two goroutines.
type Context struct {
	key           Key
	acceptor      bool // which side this is
	subkey        bool // the key is the acceptor's
	send, receive uint64
}

// sealed is what the flags and the use of the key say of a token of one side.
func (c *Context) sealed(byAcceptor bool) (flags byte, use uint32) {
	use = useInitiatorSeal
	if byAcceptor {
		flags, use = wrapByAcceptor, useAcceptorSeal
	}
	if c.subkey {
		flags |= wrapAcceptorSubkey
	}
	return flags, use
}

// Wrap makes a token of data (RFC 4121, 4.2.6.2), without encryption.
func (c *Context) Wrap(data []byte) []byte {
	flags, use := c.sealed(c.acceptor)
	token := binary.BigEndian.AppendUint16(make([]byte, 0, wrapHeaderBytes+len(data)+32), tokenWrap)
	token = append(token, flags, 0xff, 0, 0, 0, 0)
	token = binary.BigEndian.AppendUint64(token, c.send)
	c.send++
	sum := c.key.sum(use, data, token)
	binary.BigEndian.PutUint16(token[4:], uint16(len(sum)))
	return append(append(token, data...), sum...)
}

// Unwrap checks the next token of the other side, and returns the data in it.
func (c *Context) Unwrap(token []byte) ([]byte, error) {
	if len(token) > maxTokenBytes || len(token) < wrapHeaderBytes ||
		binary.BigEndian.Uint16(token) != tokenWrap || token[3] != 0xff {
		return nil, ErrToken
	}
	flags, use := c.sealed(!c.acceptor)
	if token[2] != flags {
		return nil, ErrFlags
	}
	extra, turned := int(binary.BigEndian.Uint16(token[4:])), int(binary.BigEndian.Uint16(token[6:]))
	body := token[wrapHeaderBytes:]
	if size := suites[c.key.Type].macBytes; extra != size || len(body) < size {
		return nil, ErrToken
	}
	turned %= len(body)
	body = append(append(make([]byte, 0, len(body)), body[turned:]...), body[:turned]...)
	header := [wrapHeaderBytes]byte(token)
	clear(header[4:8])
	data, sum := body[:len(body)-extra], body[len(body)-extra:]
	if !hmac.Equal(sum, c.key.sum(use, data, header[:])) {
		return nil, ErrSum
	}
	if binary.BigEndian.Uint64(token[8:]) != c.receive {
		return nil, errRepeat
	}
	c.receive++
	return data, nil
}
