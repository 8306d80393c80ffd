package krb5

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Errors of a client.
var (
	// errServer says that who answered is not who the ticket is for, or damaged the answer.
	errServer = errors.New("the server did not prove that it is the one the ticket is for")
	// errLayers says that a server wants to protect what follows, which ZooKeeper never does.
	errLayers = errors.New("the server does not offer to go on without a security layer")
	// errSteps says that a server goes on after the end.
	errSteps = errors.New("the server sent a token where none belongs")
)

// Credentials are a ticket to a server, and what its owner knows about it.
type Credentials struct {
	Client, Server Principal
	Ticket         []byte // as it came
	Session        Key
	End            time.Time // a ticket for later than now is the center's and the server's to refuse
}

// What the context is asked for (RFC 4121, 4.1.1): proof of the server, detection of
// replays, order, and protection against change.
const flagsAsked = flagMutual | 4 | 8 | 32

// Initiator is the client's side of the SASL mechanism GSSAPI (RFC 4752). It has the
// server prove itself. Not safe for use by two goroutines.
type Initiator struct {
	credentials *Credentials
	now         func() time.Time
	made        time.Time
	context     *Context
	state       int
}

// What an Initiator waits for.
const (
	waitBegin = iota
	waitReply
	waitOffer
	waitEnd
)

// NewInitiator begins an exchange with the server of c, by a clock.
func NewInitiator(c *Credentials, now func() time.Time) *Initiator {
	return &Initiator{credentials: c, now: now}
}

// Step takes what the server has sent, first nothing, and returns what it is to be
// sent, which may be empty. With done nothing is: the server has proved who it is, and
// takes the client for who it is.
func (i *Initiator) Step(challenge []byte) (response []byte, done bool, err error) {
	switch {
	case i.state == waitBegin && len(challenge) == 0:
		i.state = waitReply
		return i.begin(), false, nil
	case i.state == waitReply:
		i.state = waitOffer
		return []byte{}, false, i.reply(challenge)
	case i.state == waitOffer:
		i.state = waitEnd
		response, err = i.choose(challenge)
		return response, false, err
	case i.state == waitEnd && len(challenge) == 0:
		return nil, true, nil
	}
	return nil, false, errSteps
}

// begin makes the ticket and an authenticator into a token.
func (i *Initiator) begin() []byte {
	c := i.credentials
	subkey := randomKey(c.Session.Type)
	var sequence [4]byte
	rand.Read(sequence[:]) // never fails
	// Some take numbers for negative whose highest bit is set.
	i.context = &Context{key: subkey, send: uint64(binary.BigEndian.Uint32(sequence[:]) >> 2)}
	i.made = i.now().Truncate(time.Microsecond)
	sum := make([]byte, 24) // with no channel's bindings
	binary.LittleEndian.PutUint32(sum, 16)
	binary.LittleEndian.PutUint32(sum[20:], flagsAsked)
	auth := derApplication(appAuthenticator, derSequence(
		derField(0, derInt(version)),
		derField(1, derString(c.Client.Realm)),
		derField(2, derName(nameOf(c.Client), c.Client.Components)),
		derField(3, derSequence(derField(0, derInt(checksumGSS)), derField(1, derOctets(sum)))),
		derField(4, derInt(int64(i.made.Nanosecond()/1000))),
		derField(5, derTime(i.made)),
		derField(6, derKey(subkey)),
		derField(7, derInt(int64(i.context.send)))))
	return frame(tokenAPReq, derAPReq(optionMutual, c.Ticket, c.Session, useAPReqAuthenticator, auth))
}

func derAPReq(options uint32, ticket []byte, session Key, use uint32, auth []byte) []byte {
	return derApplication(appAPReq, derSequence(
		derField(0, derInt(version)),
		derField(1, derInt(appAPReq)),
		derField(2, derBits(options)),
		derField(3, ticket),
		derField(4, derEncrypted(session, use, auth))))
}

// reply takes the server's proof, which is the client's time encrypted as it was sent.
func (i *Initiator) reply(token []byte) error {
	message, err := unframe(tokenAPRep, token)
	if err != nil {
		return err
	}
	var rep apRep
	if err := unmarshal(message, appAPRep, &rep, "reply"); err != nil {
		return err
	}
	plain, err := decryptPart(i.credentials.Session, useAPRep, &rep.Part)
	if err != nil {
		return fmt.Errorf("%w: %w", errServer, err)
	}
	var part encAPRepPart
	if err := unmarshal(plain, appEncAPRepPart, &part, "reply"); err != nil {
		return err
	}
	if rep.Version != version || rep.Type != appAPRep ||
		!part.Time.Add(time.Duration(part.Micros)*time.Microsecond).Equal(i.made) {
		return errServer
	}
	if part.Subkey.Type != 0 {
		if i.context.key, err = part.Subkey.key(); err != nil {
			return err
		}
		i.context.subkey = true
	}
	i.context.receive = uint64(uint32(part.Sequence))
	return nil
}

// choose takes the server's offer of layers, and takes none.
func (i *Initiator) choose(token []byte) ([]byte, error) {
	offer, err := i.context.Unwrap(token)
	if err != nil {
		return nil, err
	}
	if len(offer) != 4 {
		return nil, ErrToken
	}
	if offer[0]&1 == 0 {
		return nil, errLayers
	}
	return i.context.Wrap(bytes.Join([][]byte{{1, 0, 0, 0}, []byte(i.credentials.Client.String())}, nil)), nil
}

// Types of names (RFC 4120, 6.2).
const (
	namePrincipal = 1
	nameInstance  = 2
)

// nameOf is the type that MIT's and Java's clients give a name.
func nameOf(p Principal) int64 {
	if len(p.Components) == 2 && p.Components[0] == "krbtgt" {
		return nameInstance
	}
	return namePrincipal
}
