package krb5

import (
	"encoding/asn1"
	"time"
)

// Version of Kerberos, in each message.
const version = 5

// Numbers of messages, which are those of their application tags too (RFC 4120, 5.10).
const (
	appTicket        = 1
	appAuthenticator = 2
	appEncTicketPart = 3
	appAPReq         = 14
	appAPRep         = 15
	appEncAPRepPart  = 27
)

// Uses of keys (RFC 4120, 7.5.1).
const (
	useTicket             = 2
	useAPReqAuthenticator = 11
	useAPRep              = 12
)

// Bits, the first of a bit string the highest.
const (
	optionSessionKey      = 1 << 30 // the ticket is encrypted by a session key, user to user
	optionMutual          = 1 << 29
	flagInvalid           = 1 << (31 - 7)
	flagTransitedChecked  = 1 << (31 - 12)
	bitsOfOptionsAndFlags = 32
)

// What encoding/asn1 reads; names as in RFC 4120, 5.
type (
	principalName struct {
		Type int32    `asn1:"explicit,tag:0"`
		Name []string `asn1:"explicit,tag:1"`
	}
	encryptedData struct {
		EType  EType  `asn1:"explicit,tag:0"`
		KVNO   int64  `asn1:"explicit,optional,tag:1"`
		Cipher []byte `asn1:"explicit,tag:2"`
	}
	encryptionKey struct {
		Type  EType  `asn1:"explicit,tag:0"`
		Value []byte `asn1:"explicit,tag:1"`
	}
	checksum struct {
		Type int32  `asn1:"explicit,tag:0"`
		Sum  []byte `asn1:"explicit,tag:1"`
	}
	transited struct {
		Type     int32  `asn1:"explicit,tag:0"`
		Contents []byte `asn1:"explicit,tag:1"`
	}
	apReq struct {
		Version       int            `asn1:"explicit,tag:0"`
		Type          int            `asn1:"explicit,tag:1"`
		Options       asn1.BitString `asn1:"explicit,tag:2"`
		Ticket        asn1.RawValue  `asn1:"explicit,tag:3"`
		Authenticator encryptedData  `asn1:"explicit,tag:4"`
	}
	ticket struct {
		Version int           `asn1:"explicit,tag:0"`
		Realm   string        `asn1:"explicit,tag:1"`
		Server  principalName `asn1:"explicit,tag:2"`
		Part    encryptedData `asn1:"explicit,tag:3"`
	}
	encTicketPart struct {
		Flags     asn1.BitString `asn1:"explicit,tag:0"`
		Key       encryptionKey  `asn1:"explicit,tag:1"`
		Realm     string         `asn1:"explicit,tag:2"`
		Client    principalName  `asn1:"explicit,tag:3"`
		Transited transited      `asn1:"explicit,tag:4"`
		AuthTime  time.Time      `asn1:"explicit,generalized,tag:5"`
		StartTime time.Time      `asn1:"explicit,generalized,optional,tag:6"`
		EndTime   time.Time      `asn1:"explicit,generalized,tag:7"`
		RenewTill time.Time      `asn1:"explicit,generalized,optional,tag:8"`
	}
	authenticator struct {
		Version  int           `asn1:"explicit,tag:0"`
		Realm    string        `asn1:"explicit,tag:1"`
		Client   principalName `asn1:"explicit,tag:2"`
		Checksum checksum      `asn1:"explicit,optional,tag:3"`
		Micros   int           `asn1:"explicit,tag:4"`
		Time     time.Time     `asn1:"explicit,generalized,tag:5"`
		Subkey   encryptionKey `asn1:"explicit,optional,tag:6"`
		Sequence int64         `asn1:"explicit,optional,tag:7"`
	}
	apRep struct {
		Version int           `asn1:"explicit,tag:0"`
		Type    int           `asn1:"explicit,tag:1"`
		Part    encryptedData `asn1:"explicit,tag:2"`
	}
	encAPRepPart struct {
		Time     time.Time     `asn1:"explicit,generalized,tag:0"`
		Micros   int           `asn1:"explicit,tag:1"`
		Subkey   encryptionKey `asn1:"explicit,optional,tag:2"`
		Sequence int64         `asn1:"explicit,optional,tag:3"`
	}
)

func (p principalName) in(realm string) Principal { return Principal{p.Name, realm} }

func (k encryptionKey) key() (Key, error) { return newKey(k.Type, k.Value) }

// bits are the first 32 of a bit string.
func bits(b asn1.BitString) uint32 {
	var v uint32
	for i := range bitsOfOptionsAndFlags {
		v = v<<1 | uint32(b.At(i))
	}
	return v
}
