package krb5

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Errors of Accept; the message that wraps one has the details.
var (
	ErrSkew       = errors.New("the client's clock and this server's are too far apart")
	errExpired    = errors.New("the ticket has expired")
	errNotYet     = errors.New("the ticket is not valid yet")
	ErrNoKey      = errors.New("no key for the ticket")
	errClient     = errors.New("the ticket is another client's")
	errTransited  = errors.New("the ticket came through other realms, and its key distribution center did not check which")
	errUserToUser = errors.New("the ticket is encrypted with a session key, not with the server's")
)

// Accepted is what a client proved, and the context it is to be spoken with.
type Accepted struct {
	Client  Principal
	Context *Context
	Reply   []byte // to be sent to the client, or nil if it did not ask this side to prove itself

	// Authenticator tells what the client sent from all else that was ever sent. Who sees
	// one twice sees a replay.
	Authenticator [16]byte
}

// checksumGSS is the type of the checksum that carries the flags of a context, and
// flagMutual that of them by which the client wants proof of the server (RFC 4121, 4.1.1).
const (
	checksumGSS = 0x8003
	flagMutual  = 2
)

// Accept takes the first token of a client, with keys of the server's principal, at
// a time. The client's clock may differ by skew. The caller must see to it that the
// same authenticator is not accepted twice while its time is within the skew.
//
// Addresses in tickets do not count, as they rarely are there and never survive
// translation; nor do restrictions in authorization data, which are for who made
// them to understand.
func Accept(token []byte, keys []KeytabEntry, now time.Time, skew time.Duration) (*Accepted, error) {
	message, err := unframe(tokenAPReq, token)
	if err != nil {
		return nil, err
	}
	var req apReq
	if err := unmarshal(message, appAPReq, &req, "request"); err != nil {
		return nil, err
	}
	if req.Version != version || req.Type != appAPReq {
		return nil, ErrToken
	}
	if bits(req.Options)&optionSessionKey != 0 {
		return nil, errUserToUser
	}
	part, session, err := openTicket(req.Ticket.Bytes, keys)
	if err != nil {
		return nil, err
	}
	client, err := part.check(now, skew)
	if err != nil {
		return nil, err
	}
	plain, err := decryptPart(session, useAPReqAuthenticator, &req.Authenticator)
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	var auth authenticator
	if err := unmarshal(plain, appAuthenticator, &auth, "authenticator"); err != nil {
		return nil, err
	}
	if auth.Version != version || auth.Realm != part.Realm || !slices.Equal(auth.Client.Name, part.Client.Name) {
		return nil, fmt.Errorf("%w: authenticator of %s, ticket of %v", errClient, auth.Client.in(auth.Realm).quoted(), client)
	}
	made := auth.Time.Add(time.Duration(auth.Micros) * time.Microsecond)
	if off := made.Sub(now); off.Abs() > skew {
		return nil, fmt.Errorf("%w: it says %s, here it is %s; %v are allowed", ErrSkew,
			made.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), skew)
	}
	if auth.Checksum.Type != checksumGSS || len(auth.Checksum.Sum) < 24 {
		return nil, ErrToken
	}
	mutual := bits(req.Options)&optionMutual != 0 || binary.LittleEndian.Uint32(auth.Checksum.Sum[20:])&flagMutual != 0

	a := &Accepted{Client: client, Context: &Context{acceptor: true, key: session}}
	sum := sha256.Sum256(req.Authenticator.Cipher)
	copy(a.Authenticator[:], sum[:])
	if auth.Subkey.Type != 0 {
		if a.Context.key, err = auth.Subkey.key(); err != nil {
			return nil, err
		}
	}
	a.Context.receive = uint64(uint32(auth.Sequence))
	if mutual {
		a.Reply = a.Context.reply(session, &auth)
	} else {
		a.Context.send = a.Context.receive // so that both know it
	}
	return a, nil
}

// reply proves to the client that this side could read the ticket, and names a key
// of its own, without which what a client sends later could be replayed too.
func (c *Context) reply(session Key, auth *authenticator) []byte {
	c.key, c.subkey = randomKey(c.key.Type), true
	var sequence [4]byte
	rand.Read(sequence[:]) // never fails
	c.send = uint64(binary.BigEndian.Uint32(sequence[:]) >> 2)
	part := derApplication(appEncAPRepPart, derSequence(
		derField(0, derTime(auth.Time)),
		derField(1, derInt(int64(auth.Micros))),
		derField(2, derKey(c.key)),
		derField(3, derInt(int64(c.send)))))
	return frame(tokenAPRep, derApplication(appAPRep, derSequence(
		derField(0, derInt(version)),
		derField(1, derInt(appAPRep)),
		derField(2, derEncrypted(session, useAPRep, part)))))
}

// openTicket decrypts a ticket with that of the keys which fits.
func openTicket(data []byte, keys []KeytabEntry) (*encTicketPart, Key, error) {
	var t ticket
	if err := unmarshal(data, appTicket, &t, "ticket"); err != nil {
		return nil, Key{}, err
	}
	if t.Version != version {
		return nil, Key{}, ErrToken
	}
	plain, err := t.decrypt(keys)
	if err != nil {
		return nil, Key{}, err
	}
	part := new(encTicketPart)
	if err := unmarshal(plain, appEncTicketPart, part, "ticket"); err != nil {
		return nil, Key{}, err
	}
	session, err := part.Key.key()
	return part, session, err
}

// decrypt finds the key of a ticket.
func (t *ticket) decrypt(keys []KeytabEntry) ([]byte, error) {
	plain, err := tryKeys(keys, useTicket, &t.Part)
	if err != nil {
		err = fmt.Errorf("%w: it is for %s, %w", ErrNoKey, t.Server.in(t.Realm).quoted(), err)
	}
	return plain, err
}

// tryKeys decrypts with that of the keys which fits. It tries all of the type, those of
// the version first: centers differ in what they say the version is.
func tryKeys(keys []KeytabEntry, use uint32, e *encryptedData) ([]byte, error) {
	for _, exact := range []bool{true, false} {
		for _, k := range keys {
			if k.Type != e.EType || exact != (k.KVNO == uint32(e.KVNO)) {
				continue
			}
			key, err := newKey(k.Type, k.Value)
			if err != nil {
				return nil, err
			}
			if plain, err := key.decrypt(use, e.Cipher); err == nil {
				return plain, nil
			}
		}
	}
	have := make([]string, len(keys))
	for i, k := range keys {
		have[i] = fmt.Sprintf("version %d of %v", k.KVNO, k.Type)
	}
	return nil, fmt.Errorf("version %d of %v; the keytab has %s", e.KVNO, e.EType, strings.Join(have, ", "))
}

// check says whom a ticket names, if it is good at a time.
func (p *encTicketPart) check(now time.Time, skew time.Duration) (Principal, error) {
	client := p.Client.in(p.Realm)
	if err := client.check(); err != nil {
		return Principal{}, err
	}
	start := p.StartTime
	if start.IsZero() {
		start = p.AuthTime
	}
	flags := bits(p.Flags)
	switch {
	case now.Add(skew).Before(start) || flags&flagInvalid != 0:
		return Principal{}, fmt.Errorf("%w: %v, from %s", errNotYet, client, start.UTC().Format(time.RFC3339))
	case now.Add(-skew).After(p.EndTime):
		return Principal{}, fmt.Errorf("%w: %v, at %s", errExpired, client, p.EndTime.UTC().Format(time.RFC3339))
	case len(p.Transited.Contents) > 0 && flags&flagTransitedChecked == 0:
		return Principal{}, fmt.Errorf("%w: %v", errTransited, client)
	}
	return client, nil
}

func decryptPart(k Key, use uint32, e *encryptedData) ([]byte, error) {
	if e.EType != k.Type {
		return nil, fmt.Errorf("%w: %v with a %v", ErrDecrypt, e.EType, k)
	}
	return k.decrypt(use, e.Cipher)
}
