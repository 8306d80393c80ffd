package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"zooraft/fsm/acl"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// kind is the first byte of a request's payload.
type kind byte

const (
	kindClient   kind = 1 // a client's write
	kindOpen     kind = 2 // a new session
	kindAttach   kind = 3 // a session moves to another connection
	kindClose    kind = 4 // its client closes it
	kindRegister kind = 5 // a server process announces itself
	kindExpire   kind = 6 // the leader ends sessions that fell silent
	kindLead     kind = 7 // a leader takes office
	kindReap     kind = 8 // the leader removes containers and TTL nodes that have run their course
	kindAbandon  kind = 9 // the leader ends a change of the membership

	kindStage   kind = 10 // a server hands over a piece of a snapshot to be restored
	kindRestore kind = 11 // and has what it handed over take the state's place, or dropped
)

// Owner names the connection that a session belongs to: the server process
// that holds it and that process's number for the connection.
type Owner struct {
	Origin
	Conn uint64
}

// Options is what the configuration of a server says of the requests that it
// takes from its clients. It travels with each, for apply may not look at any
// configuration. A request with an option that is not known here is unreadable:
// to apply it without would make servers differ.
type Options uint64

// The options, by the key that sets them.
const (
	SkipACL       Options = 1 << iota // skipACL: permissions are not checked
	ExtendedTypes                     // extendedTypesEnabled: nodes may have a time to live
	EnforceQuota                      // enforceQuota: what goes beyond a hard limit is refused
	Reconfig                          // reconfigEnabled: the membership may be changed
	LocalSession                      // no key: its server alone knows the session, and answers for the owner
	NoDigest                          // DigestAuthenticationProvider.enabled=false: the scheme digest is not there
	X509                              // authProvider.N: the scheme x509 is there
	SASL                              // authProvider.N: the scheme sasl is there
	NoStandalone                      // standaloneEnabled=false: one voter makes an ensemble

	knownOptions = NoStandalone<<1 - 1
)

// Has says whether all of want are set.
func (o Options) Has(want Options) bool { return o&want == want }

// Schemes are the ACL schemes that the options tell of.
func (o Options) Schemes() (s acl.Schemes) {
	if o&(NoDigest|X509|SASL) == 0 {
		return 0
	}
	if o.Has(NoDigest) {
		s |= acl.NoDigest
	}
	if o.Has(X509) {
		s |= acl.X509
	}
	if o.Has(SASL) {
		s |= acl.SASL
	}
	return s
}

// Allowed says whether a holder of ids may do any of what need stands for.
func (o Options) Allowed(list []protocol.ACL, need int32, ids []protocol.ID) bool {
	return o.Has(SkipACL) || acl.Check(list, need, ids, o.Schemes())
}

// ClientRequest is a client's write on its way through the log. Body is the
// request record as the client sent it, so there is one codec, ZooKeeper's.
type ClientRequest struct {
	Session protocol.SessionID
	Conn    uint64 // the connection's number at its server
	Op      protocol.OpCode
	Options Options       // of the receiving server
	IDs     []protocol.ID // the connection's identities when the request came in
	Body    []byte

	rawIDs []byte // what IDs was decoded from: most requests repeat the last one's
}

// Append encodes the request.
func (r *ClientRequest) Append(b []byte) []byte {
	b = append(b, byte(kindClient))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Session))
	b = binary.AppendUvarint(b, r.Conn)
	b = binary.AppendVarint(b, int64(r.Op))
	b = binary.AppendUvarint(b, uint64(r.Options))
	b = binary.AppendUvarint(b, uint64(len(r.IDs)))
	for _, id := range r.IDs {
		b = appendBytes(b, id.Scheme)
		b = appendBytes(b, id.ID)
	}
	return append(b, r.Body...)
}

// OpenSession creates a session. The receiving server chooses id and password,
// for apply may not be random.
type OpenSession struct {
	Session protocol.SessionID
	Timeout int32 // negotiated, ms
	Passwd  [protocol.PasswdBytes]byte
	Conn    uint64
}

// Append encodes the request.
func (r *OpenSession) Append(b []byte) []byte { return appendSession(b, kindOpen, r) }

// AttachSession makes a connection the owner of an existing session. It takes
// no zxid, as in ZooKeeper.
type AttachSession OpenSession

// Append encodes the request.
func (r *AttachSession) Append(b []byte) []byte {
	return appendSession(b, kindAttach, (*OpenSession)(r))
}

func appendSession(b []byte, k kind, r *OpenSession) []byte {
	b = append(b, byte(k))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Session))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Timeout))
	b = append(b, r.Passwd[:]...)
	return binary.AppendUvarint(b, r.Conn)
}

// CloseSession ends a session at its client's wish.
type CloseSession struct {
	Session protocol.SessionID
	Conn    uint64
}

// Append encodes the request.
func (r *CloseSession) Append(b []byte) []byte {
	b = append(b, byte(kindClose))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Session))
	return binary.AppendUvarint(b, r.Conn)
}

// Register announces a server process. The nonce makes it idempotent; another
// nonce under the same id fences the process that registered before. It begins
// with the number of starts on this disk, so that the registrations of one disk
// are ordered. Disk names the data directory that the process runs on.
type Register struct {
	SID   int64
	Nonce [16]byte
	Disk  [16]byte
}

// newer says whether r comes after the registration that s holds.
func (r *Register) newer(s *server) bool {
	if r.Disk != s.disk {
		return true
	}
	was, is := binary.BigEndian.Uint64(s.nonce[:]), binary.BigEndian.Uint64(r.Nonce[:])
	return is > was || is == was && r.Nonce != s.nonce
}

// Append encodes the request.
func (r *Register) Append(b []byte) []byte {
	b = append(b, byte(kindRegister))
	b = binary.AppendUvarint(b, uint64(r.SID))
	b = append(b, r.Nonce[:]...)
	return append(b, r.Disk[:]...)
}

// Expire ends sessions that fell silent. It stands outside any sequence: it
// counts only in the term that it was decided in, and for the owner that the
// leader saw, so that a reconnect elsewhere wins.
type Expire struct {
	Term     uint64
	Sessions []ExpiredSession
}

// ExpiredSession is one session of an Expire, with the owner the leader saw.
type ExpiredSession struct {
	Session protocol.SessionID
	Owner   Owner
}

// Append encodes the request.
func (r *Expire) Append(b []byte) []byte {
	b = append(b, byte(kindExpire))
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, uint64(len(r.Sessions)))
	for _, s := range r.Sessions {
		b = binary.BigEndian.AppendUint64(b, uint64(s.Session))
		b = appendOwner(b, s.Owner)
	}
	return b
}

// Reap removes containers that have emptied or were never used, and znodes that
// have outlived their time. Like Expire it stands outside any sequence and counts
// only in the term that it was decided in; each path is looked at again when it
// is applied, against the time of the entry, and may stay.
type Reap struct {
	Term      uint64
	Paths     []string
	NeverUsed int64 // ms after which a container that never had a child goes; 0: never
}

// Append encodes the request.
func (r *Reap) Append(b []byte) []byte {
	b = append(b, byte(kindReap))
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, uint64(len(r.Paths)))
	for _, path := range r.Paths {
		b = appendBytes(b, path)
	}
	return binary.AppendUvarint(b, uint64(r.NeverUsed))
}

// Lead is what a leader proposes first: it begins the epoch. Cluster is an id for
// the ensemble, which counts if it has none yet. Servers are the ensemble as the
// leader's zoo.cfg has it, which count if no membership is known yet; a standalone
// server gives none.
type Lead struct {
	Cluster string
	Servers []zabcompat.ServerSpec
	// Versioned says that the leader allows changes of the membership
	// (reconfigEnabled). Before the first such leader /zookeeper/config shows version
	// 0, as in ZooKeeper.
	Versioned bool
}

// Append encodes the request. The release before reads no further than Cluster.
func (r *Lead) Append(b []byte) []byte {
	b = appendBytes(append(b, byte(kindLead)), r.Cluster)
	b = appendBytes(b, zabcompat.Membership{Servers: r.Servers}.String())
	if r.Versioned {
		b = append(b, 1)
	}
	return b
}

// CheckRequest says whether a request that came from the process o can be
// applied. Without an incarnation only a registration of its own may come.
func CheckRequest(o Origin, payload []byte) error {
	if len(payload) == 0 {
		return fmt.Errorf("%w: empty request", ErrBadEntry)
	}
	k, p := kind(payload[0]), payloadReader{b: payload[1:]}
	if (k == kindRegister) != (o.Incarnation == 0) {
		return fmt.Errorf("%w: request kind %d of incarnation %d", ErrBadEntry, k, o.Incarnation)
	}
	switch k {
	case kindClient:
		var r ClientRequest
		if _, err := r.decodeHead(&p); err != nil {
			return err
		}
		if !Writable(r.Op) {
			return fmt.Errorf("%w: client operation %d", ErrBadEntry, r.Op)
		}
		return nil
	case kindOpen, kindAttach:
		return new(OpenSession).decode(&p)
	case kindClose:
		return new(CloseSession).decode(&p)
	case kindRegister:
		var r Register
		if err := r.decode(&p); err != nil {
			return err
		}
		if r.SID != o.SID {
			return fmt.Errorf("%w: server %d registers as %d", ErrBadEntry, o.SID, r.SID)
		}
		return nil
	case kindStage:
		return new(Stage).decode(&p)
	case kindRestore:
		return new(Restore).decode(&p)
	}
	return fmt.Errorf("%w: request kind %d", ErrBadEntry, k)
}

func appendOwner(b []byte, o Owner) []byte {
	b = binary.AppendUvarint(b, uint64(o.SID))
	b = binary.AppendUvarint(b, o.Incarnation)
	return binary.AppendUvarint(b, o.Conn)
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// payloadReader decodes payloads; its first failure sticks.
type payloadReader struct {
	b   []byte
	bad bool
}

func (p *payloadReader) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	return advance(p, v, n)
}

func (p *payloadReader) varint() int64 {
	v, n := binary.Varint(p.b)
	return advance(p, v, n)
}

func advance[T uint64 | int64](p *payloadReader, v T, n int) T {
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *payloadReader) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n]
	p.b = p.b[n:]
	return v
}

func (p *payloadReader) uint64() uint64 {
	if v := p.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (p *payloadReader) uint32() uint32 {
	if v := p.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (p *payloadReader) bytes() []byte { return p.take(p.uvarint()) }

func (p *payloadReader) owner() Owner {
	return Owner{Origin: Origin{SID: int64(p.uvarint()), Incarnation: p.uvarint()}, Conn: p.uvarint()}
}

func (p *payloadReader) truth(what string) (bool, error) {
	b := p.take(1)
	if len(b) != 1 || b[0] > 1 {
		return false, fmt.Errorf("%w: torn %s request", ErrBadEntry, what)
	}
	return b[0] == 1, nil
}

func (p *payloadReader) err(what string) error {
	if p.bad {
		return fmt.Errorf("%w: torn %s request", ErrBadEntry, what)
	}
	return nil
}

// decode reads the request that payload holds after its kind byte. Body aliases
// payload.
func (r *ClientRequest) decode(p *payloadReader) error {
	raw, err := r.decodeHead(p)
	if err == nil && !bytes.Equal(raw, r.rawIDs) {
		r.rawIDs = append(r.rawIDs[:0], raw...)
		r.IDs = nil // the last ones may be held by what they were given to
		ids := payloadReader{b: raw}
		for i := ids.uvarint(); i > 0; i-- {
			r.IDs = append(r.IDs, protocol.ID{Scheme: string(ids.bytes()), ID: string(ids.bytes())})
		}
	}
	return err
}

// decodeHead reads all but IDs, and returns what those are to be decoded from.
func (r *ClientRequest) decodeHead(p *payloadReader) (rawIDs []byte, err error) {
	r.Session = protocol.SessionID(p.uint64())
	r.Conn = p.uvarint()
	r.Op = protocol.OpCode(p.varint())
	if r.Options = Options(p.uvarint()); r.Options&^knownOptions != 0 {
		return nil, fmt.Errorf("%w: options %b of a client request", ErrBadEntry, r.Options)
	}
	from := p.b
	for i := p.uvarint(); i > 0 && !p.bad; i-- {
		p.bytes()
		p.bytes()
	}
	if p.bad {
		return nil, p.err("client")
	}
	r.Body = p.b
	return from[:len(from)-len(p.b)], nil
}

func (r *OpenSession) decode(p *payloadReader) error {
	r.Session = protocol.SessionID(p.uint64())
	r.Timeout = int32(p.uint32())
	copy(r.Passwd[:], p.take(protocol.PasswdBytes))
	r.Conn = p.uvarint()
	return p.err("session")
}

func (r *CloseSession) decode(p *payloadReader) error {
	r.Session = protocol.SessionID(p.uint64())
	r.Conn = p.uvarint()
	return p.err("close session")
}

func (r *Register) decode(p *payloadReader) error {
	r.SID = int64(p.uvarint())
	copy(r.Nonce[:], p.take(16))
	copy(r.Disk[:], p.take(16))
	return p.err("register")
}

func (r *Expire) decode(p *payloadReader) error {
	r.Term = p.uvarint()
	n := p.uvarint()
	if n > uint64(len(p.b)) {
		p.bad = true
	}
	r.Sessions = nil
	for ; n > 0 && !p.bad; n-- {
		r.Sessions = append(r.Sessions, ExpiredSession{Session: protocol.SessionID(p.uint64()), Owner: p.owner()})
	}
	return p.err("expire")
}

func (r *Reap) decode(p *payloadReader) error {
	r.Term = p.uvarint()
	r.Paths = nil
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		r.Paths = append(r.Paths, string(p.bytes()))
	}
	r.NeverUsed = 0
	if len(p.b) > 0 { // not of a release that knew of emptied ones only
		r.NeverUsed = int64(p.uvarint())
	}
	return p.err("reap")
}

func (r *Lead) decode(p *payloadReader) error {
	r.Cluster, r.Servers, r.Versioned = string(p.bytes()), nil, false
	if len(p.b) == 0 {
		return p.err("lead") // of the release before
	}
	m, err := zabcompat.ParseMembership(string(p.bytes()))
	if err != nil {
		return fmt.Errorf("%w: lead request: %w", ErrBadEntry, err)
	}
	r.Servers = m.Servers
	r.Versioned = len(p.b) > 0 && p.b[0] != 0
	return p.err("lead")
}
