package krb5

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of requests to a key distribution center, beside *kdcError.
var (
	errReply    = errors.New("the key distribution center's reply is not to this request")
	errPassword = errors.New("the keytab's keys are not the client's, or not any more")
	errReferral = errors.New("the key distribution centers refer to each other without end")
)

// Send sends a message to a key distribution center of a realm, and returns its reply.
// It gives up when ctx ends. Its errors are returned as they are, or wrapped.
type Send func(ctx context.Context, realm string, message []byte) ([]byte, error)

// What is asked for.
const (
	ticketLife    = 24 * time.Hour // at most; centers give less
	maxReferrals  = 8
	optionCanonic = 1 << (31 - 15) // a ticket to the next realm will do
)

// Numbers of messages to and from centers, and of what of the replies is encrypted.
const (
	appASReq      = 10
	appASRep      = 11
	appTGSReq     = 12
	appTGSRep     = 13
	appEncASRep   = 25
	appEncTGSRep  = 26
	appError      = 30
	padataTGSReq  = 1
	padataTime    = 2
	padataETypes2 = 19
)

// More uses of keys (RFC 4120, 7.5.1).
const (
	useTime             = 1
	useASRep            = 3
	useTGSBody          = 6
	useTGSAuthenticator = 7
	useTGSRep           = 8
)

// preferred are the encryption types in the order in which they are asked for, MIT's.
var preferred = []EType{AES256SHA1, AES128SHA1, AES256SHA2, AES128SHA2}

// sumTypes are the types of checksums that belong to encryption types.
var sumTypes = map[EType]int64{AES128SHA1: 15, AES256SHA1: 16, AES128SHA2: 19, AES256SHA2: 20}

// Codes of errors (RFC 4120, 7.5.9).
const (
	codePreauthRequired = 25
	codePreauthFailed   = 24
)

// kdcError is what a key distribution center answers if it has no ticket.
type kdcError struct {
	Code int
	Text string // what it says besides, fit for a line
	data []byte
}

var codeTexts = map[int]string{
	1: "the client's entry has expired", 6: "the client is not known there", 7: "the server is not known there",
	12: "it is not allowed", 14: "no encryption type is common to both", 18: "the client is locked",
	23: "the client's key has expired", codePreauthFailed: "the key is wrong", 37: "this clock and the center's are too far apart",
	32: "the ticket has expired", 33: "the ticket is not valid yet", 68: "the client is of another realm",
}

// Error says what the code means.
func (e *kdcError) Error() string {
	s := "the key distribution center refuses: " + codeTexts[e.Code]
	if codeTexts[e.Code] == "" {
		s += "error " + strconv.Itoa(e.Code)
	}
	if e.Text != "" {
		s += " (" + e.Text + ")"
	}
	return s
}

type (
	padata struct {
		Type  int32  `asn1:"explicit,tag:1"`
		Value []byte `asn1:"explicit,tag:2"`
	}
	kdcRep struct {
		Version int           `asn1:"explicit,tag:0"`
		Type    int           `asn1:"explicit,tag:1"`
		Padata  []padata      `asn1:"explicit,optional,tag:2"`
		Realm   string        `asn1:"explicit,tag:3"`
		Client  principalName `asn1:"explicit,tag:4"`
		Ticket  asn1.RawValue `asn1:"explicit,tag:5"`
		Part    encryptedData `asn1:"explicit,tag:6"`
	}
	encKDCRepPart struct {
		Key       encryptionKey  `asn1:"explicit,tag:0"`
		LastReq   asn1.RawValue  `asn1:"explicit,tag:1"`
		Nonce     int64          `asn1:"explicit,tag:2"`
		Expires   time.Time      `asn1:"explicit,generalized,optional,tag:3"`
		Flags     asn1.BitString `asn1:"explicit,tag:4"`
		AuthTime  time.Time      `asn1:"explicit,generalized,tag:5"`
		StartTime time.Time      `asn1:"explicit,generalized,optional,tag:6"`
		EndTime   time.Time      `asn1:"explicit,generalized,tag:7"`
		RenewTill time.Time      `asn1:"explicit,generalized,optional,tag:8"`
		Realm     string         `asn1:"explicit,tag:9"`
		Server    principalName  `asn1:"explicit,tag:10"`
	}
	krbError struct {
		Version int           `asn1:"explicit,tag:0"`
		Type    int           `asn1:"explicit,tag:1"`
		CTime   time.Time     `asn1:"explicit,generalized,optional,tag:2"`
		CMicros int           `asn1:"explicit,optional,tag:3"`
		STime   time.Time     `asn1:"explicit,generalized,tag:4"`
		SMicros int           `asn1:"explicit,tag:5"`
		Code    int           `asn1:"explicit,tag:6"`
		CRealm  string        `asn1:"explicit,optional,tag:7"`
		Client  principalName `asn1:"explicit,optional,tag:8"`
		Realm   string        `asn1:"explicit,tag:9"`
		Server  principalName `asn1:"explicit,tag:10"`
		Text    string        `asn1:"explicit,optional,tag:11"`
		Data    []byte        `asn1:"explicit,optional,tag:12"`
	}
	eTypeInfo struct {
		EType EType  `asn1:"explicit,tag:0"`
		Salt  string `asn1:"explicit,optional,tag:1"`
	}
)

// TicketGranting is the server of a realm that makes tickets for others.
func TicketGranting(realm string) Principal {
	return Principal{[]string{"krbtgt", realm}, realm}
}

// AskFirst gets a client its first ticket, with which it can ask for others, by a
// keytab's keys of the client.
func AskFirst(ctx context.Context, send Send, client Principal, keys []KeytabEntry, now time.Time) (*Credentials, error) {
	var types []EType
	for _, e := range preferred {
		if slices.ContainsFunc(keys, func(k KeytabEntry) bool { return k.Type == e }) {
			types = append(types, e)
		}
	}
	server := TicketGranting(client.Realm)
	open := func(e *encryptedData) ([]byte, error) {
		plain, err := tryKeys(keys, useASRep, e)
		if err != nil {
			err = fmt.Errorf("%w: the reply is encrypted with %w", errPassword, err)
		}
		return plain, err
	}
	ask := func(proof ...[]byte) (*Credentials, error) {
		nonce := newNonce()
		message := kdcRequest(appASReq, kdcBody(0, &client, server, types, nonce, now), proof...)
		reply, err := send(ctx, client.Realm, message)
		if err != nil {
			return nil, err
		}
		return openReply(reply, appASRep, nonce, client, open)
	}
	c, err := ask()
	var refused *kdcError
	if errors.As(err, &refused) && refused.Code == codePreauthRequired {
		var key Key
		if key, err = refused.choose(types, keys); err == nil {
			c, err = ask(provenTime(key, now))
		}
	}
	if errors.As(err, &refused) && refused.Code == codePreauthFailed {
		err = fmt.Errorf("%w: %w", errPassword, err)
	}
	if err != nil {
		return nil, err
	}
	if c.Server.String() != server.String() {
		return nil, errReply
	}
	return c, nil
}

// choose takes the newest key of the first type that a center will have, or of the
// preferred one if it does not say.
func (e *kdcError) choose(types []EType, keys []KeytabEntry) (Key, error) {
	wanted := types
	var methods []padata
	if _, err := asn1.Unmarshal(e.data, &methods); err == nil {
		for _, m := range methods {
			var infos []eTypeInfo
			if m.Type != padataETypes2 {
				continue
			}
			if _, err := asn1.Unmarshal(m.Value, &infos); err == nil {
				wanted = nil
				for _, i := range infos {
					wanted = append(wanted, i.EType)
				}
			}
		}
	}
	for _, t := range wanted {
		var newest *KeytabEntry
		for i, k := range keys {
			if k.Type == t && t.known() && (newest == nil || k.KVNO > newest.KVNO) {
				newest = &keys[i]
			}
		}
		if newest != nil {
			return newKey(newest.Type, newest.Value)
		}
	}
	return Key{}, fmt.Errorf("%w: the center wants one of %v", errPassword, wanted)
}

// provenTime is the time, encrypted with the client's key.
func provenTime(key Key, now time.Time) []byte {
	now = now.Truncate(time.Microsecond)
	plain := derSequence(derField(0, derTime(now)), derField(1, derInt(int64(now.Nanosecond()/1000))))
	return derPadata(padataTime, derEncrypted(key, useTime, plain))
}

// AskTicket gets a ticket to a server, with a client's first ticket, or one like it that
// is for another realm's TicketGranting. Which realm the server is in the centers may
// know better.
func AskTicket(ctx context.Context, send Send, first *Credentials, server Principal, now time.Time) (*Credentials, error) {
	have := first
	for range maxReferrals {
		realm := have.Server.Components[1]
		want := server
		if server.Realm != realm {
			want = Principal{[]string{"krbtgt", server.Realm}, realm}
		}
		got, err := askNext(ctx, send, have, realm, want, now)
		if err != nil {
			return nil, fmt.Errorf("ticket for %v: %w", want, err)
		}
		switch next := got.Server.Components; {
		case next[0] != "krbtgt" && want.String() == server.String():
			return got, nil // under another name, maybe, if the server has several
		case len(next) != 2 || next[0] != "krbtgt" || next[1] == realm:
			return nil, fmt.Errorf("ticket for %v: %w", want, errReply)
		case want.String() == server.String():
			server.Realm = next[1]
		}
		have = got
	}
	return nil, fmt.Errorf("ticket for %v: %w", server, errReferral)
}

func askNext(ctx context.Context, send Send, have *Credentials, realm string, want Principal, now time.Time) (*Credentials, error) {
	nonce := newNonce()
	body := kdcBody(optionCanonic, nil, want, preferred, nonce, now)
	made := now.Truncate(time.Microsecond)
	auth := derApplication(appAuthenticator, derSequence(
		derField(0, derInt(version)),
		derField(1, derString(have.Client.Realm)),
		derField(2, derName(namePrincipal, have.Client.Components)),
		derField(3, derSequence(
			derField(0, derInt(sumTypes[have.Session.Type])),
			derField(1, derOctets(have.Session.sum(useTGSBody, body))))),
		derField(4, derInt(int64(made.Nanosecond()/1000))),
		derField(5, derTime(made))))
	proof := derPadata(padataTGSReq, derAPReq(0, have.Ticket, have.Session, useTGSAuthenticator, auth))
	reply, err := send(ctx, realm, kdcRequest(appTGSReq, body, proof))
	if err != nil {
		return nil, err
	}
	return openReply(reply, appTGSRep, nonce, have.Client, func(e *encryptedData) ([]byte, error) {
		return decryptPart(have.Session, useTGSRep, e)
	})
}

// openReply checks a center's reply and makes credentials of it.
func openReply(reply []byte, app int, nonce int64, client Principal, open func(*encryptedData) ([]byte, error)) (*Credentials, error) {
	if len(reply) > 0 && reply[0] == 0x60|appError {
		var e krbError
		if err := unmarshal(reply, appError, &e, "error of a key distribution center"); err != nil {
			return nil, err
		}
		text := strings.Trim(strconv.Quote(e.Text[:min(len(e.Text), 256)]), `"`)
		return nil, &kdcError{Code: e.Code, Text: text, data: e.Data}
	}
	var rep kdcRep
	if err := unmarshal(reply, app, &rep, "reply of a key distribution center"); err != nil {
		return nil, err
	}
	plain, err := open(&rep.Part)
	if err != nil {
		return nil, err
	}
	var part encKDCRepPart
	// Some centers give the one number for the other.
	if err = unmarshal(plain, appEncTGSRep, &part, "reply of a key distribution center"); err != nil {
		part = encKDCRepPart{}
		err = unmarshal(plain, appEncASRep, &part, "reply of a key distribution center")
	}
	if err != nil {
		return nil, err
	}
	got := rep.Client.in(rep.Realm)
	server := part.Server.in(part.Realm)
	if rep.Version != version || rep.Type != app || part.Nonce != nonce || got.String() != client.String() || server.check() != nil {
		return nil, errReply
	}
	session, err := part.Key.key()
	if err != nil {
		return nil, err
	}
	return &Credentials{Client: client, Server: server, Ticket: rep.Ticket.Bytes, Session: session, End: part.EndTime}, nil
}

func newNonce() int64 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint32(b[:]) >> 1)
}

func derPadata(kind int64, value []byte) []byte {
	return derSequence(derField(1, derInt(kind)), derField(2, derOctets(value)))
}

// kdcBody says what is wanted: a ticket to a server, and for whom if no other ticket
// says that.
func kdcBody(options uint32, client *Principal, server Principal, types []EType, nonce int64, now time.Time) []byte {
	var name []byte
	if client != nil {
		name = derField(1, derName(namePrincipal, client.Components))
	}
	var list [][]byte
	for _, t := range types {
		list = append(list, derInt(int64(t)))
	}
	return derSequence(
		derField(0, derBits(options)),
		name,
		derField(2, derString(server.Realm)),
		derField(3, derName(nameInstance, server.Components)),
		derField(5, derTime(now.Add(ticketLife))),
		derField(7, derInt(nonce)),
		derField(8, derSequence(list...)))
}

func kdcRequest(app byte, body []byte, proof ...[]byte) []byte {
	var padata []byte
	if len(proof) > 0 {
		padata = derField(3, derSequence(proof...))
	}
	return derApplication(app, derSequence(
		derField(1, derInt(version)),
		derField(2, derInt(int64(app))),
		padata,
		derField(4, body)))
}
