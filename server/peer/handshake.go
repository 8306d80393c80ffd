package peer

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"zooraft/zabcompat"
)

// Purpose says what a connection between servers is for.
type Purpose string

// The purposes of connections.
const (
	PurposeRaft   Purpose = "raft"   // election port: Raft's own messages
	PurposeAppend Purpose = "append" // election port: entries for a follower, and its answers
	PurposeStream Purpose = "stream" // quorum port: one direction of a peer stream
	PurposeStatus Purpose = "status" // quorum port: one question for the server's status
)

// ProtocolVersion is spoken between servers. A server refuses another one.
const ProtocolVersion = 1

// What a ZooKeeper begins with when it calls the election port: the version of its
// election protocol (QuorumCnxManager.PROTOCOL_VERSION_V1 and _V2).
const (
	zooKeeperV1 = "\xff\xff\xff\xff\xff\xff\x00\x00"
	zooKeeperV2 = "\xff\xff\xff\xff\xff\xff\x00\x01"
)

// beginsTLS is what a connection with TLS begins with: a handshake record, major
// version 3.
const beginsTLS = "\x16\x03"

const (
	handshakeMagic   = "ZOORAFT\n"
	maxHandshake     = 64 << 10
	handshakeTimeout = 5 * time.Second
	timeToTell       = time.Second     // of that: why the caller is refused
	dialTimeout      = 2 * time.Second // of each address
	// resolveTimeout is that of a name: the resolver waits 5 s for a nameserver that is
	// dead before it asks the next one.
	resolveTimeout = 15 * time.Second
)

// ErrRefused reports that the other side answered the handshake with a refusal
// (or that this side refused the answer); the error that wraps it says why.
var ErrRefused = errors.New("refused")

// What is to be set where one side of a connection speaks TLS, and the other does not.
const sameEverywhere = "set sslQuorum=true on all servers, and portUnification=true while they are moved to TLS one by one"

// Why a caller is refused that speaks what this server does not.
var (
	errTLS   = errors.New("the caller speaks TLS, and this server plain text: " + sameEverywhere)
	errNoTLS = errors.New("the caller speaks plain text, and this server takes only TLS: " + sameEverywhere)
)

// Identity is what a server says of itself in every handshake.
type Identity struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster,omitempty"` // "" while the server belongs to none
	SID     int64  `json:"sid"`
	Disk    string `json:"disk,omitempty"` // id of its data directory, hex
	// QuorumAddr and ElectionAddr are where the server's ports are dialled
	// (host:port), for those who do not know it by their configuration.
	QuorumAddr   string `json:"quorum_addr,omitempty"`
	ElectionAddr string `json:"election_addr,omitempty"`
}

// hello opens a connection.
type hello struct {
	Identity
	Purpose Purpose `json:"purpose"`
	To      int64   `json:"to"` // the server id that the caller means to reach; 0 = any (status)
}

// welcome answers a hello.
type welcome struct {
	Identity
	Refusal string `json:"refusal,omitempty"`
	Known   string `json:"known,omitempty"` // the disk this server knows the caller by, hex; told, but not read here
}

// check says why a server with identity own must not talk to other, or "".
func check(own, other Identity, wantSID int64) string {
	switch {
	case other.Version != ProtocolVersion:
		return fmt.Sprintf("server %d speaks version %d of the peer protocol, this server speaks %d", other.SID, other.Version, ProtocolVersion)
	case wantSID != 0 && other.SID != wantSID:
		return fmt.Sprintf("expected server %d, found server %d", wantSID, other.SID)
	case own.Cluster != "" && other.Cluster != "" && own.Cluster != other.Cluster:
		return fmt.Sprintf("server %d belongs to ensemble %s, this server to %s: do their server lines name the right hosts?", other.SID, other.Cluster, own.Cluster)
	}
	return ""
}

// exchanged says why a server with a disk must not be spoken to for a purpose, or
// "". On the quorum port it may: there it asks to be let in again.
func exchanged(c Caller, sid int64, disk, known string, p Purpose) string {
	if known == "" || disk == known || p == PurposeStream || c.Voteless(sid) {
		return ""
	}
	return fmt.Sprintf("server %d comes with data directory %s, the ensemble knows it by %s: its disk was lost or exchanged, or myid %d is used twice", sid, disk, known, sid)
}

// Caller is what the calling side of a handshake needs to know. Its methods may
// be called concurrently.
type Caller interface {
	// Identity of this server, now.
	Identity() Identity
	// KnownDisk is the data directory that the ensemble knows the server by, hex,
	// or "" when it never joined.
	KnownDisk(sid int64) string
	// Voteless says that the server has no vote, as far as this one knows. Then it
	// may come with another disk than it is known by: it has forgotten nothing that
	// others rely on.
	Voteless(sid int64) bool
	// Security is what connections are made safe with; nil for plain text.
	Security() Security
}

// Callee is what the accepting side of a handshake needs to know.
type Callee interface {
	Caller
	// Taken says whether a process with another disk than this one is connected
	// under the server id, or is this server itself.
	Taken(sid int64, disk string) bool
	// Hosts are where the membership has a server: one, or two while it moves; none if
	// it is no member, or nobody says where it is.
	Hosts(sid int64) []string
}

// Stranger is a Caller that is no member: it may ask for the status only.
type Stranger struct{ With Security }

// Identity implements Caller.
func (Stranger) Identity() Identity { return Identity{} }

// KnownDisk implements Caller.
func (Stranger) KnownDisk(int64) string { return "" }

// Voteless implements Caller.
func (Stranger) Voteless(int64) bool { return true }

// Security implements Caller.
func (s Stranger) Security() Security { return s.With }

// Call opens a connection for purpose to the server with id to, which was dialled at
// host, and returns what to go on with and what that server says of itself. It blocks for
// the handshake, with that of TLS, at most its timeout, and does not close conn.
func Call(conn net.Conn, host string, caller Caller, to int64, purpose Purpose) (net.Conn, Identity, error) {
	own := caller.Identity()
	own.Version = ProtocolVersion
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, Identity{}, err
	}
	if s := caller.Security(); s != nil {
		var err error
		conn, err = hard(s.Dial(conn, host))
		switch {
		case plainText(err):
			return nil, Identity{}, fmt.Errorf("%w: it speaks plain text, and this server TLS: "+sameEverywhere, ErrRefused)
		case err != nil:
			return nil, Identity{}, err
		}
	}
	if err := writeHandshake(conn, hello{Identity: own, Purpose: purpose, To: to}); err != nil {
		return nil, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	var w welcome
	switch err := readHandshake(conn, &w); {
	case err == io.EOF:
		return nil, Identity{}, fmt.Errorf("handshake: it hung up before it answered, as a ZooKeeper server does, or one that stops: %w", err)
	case denied(err):
		return nil, Identity{}, fmt.Errorf("%w: it does not take this server's certificate: %w", ErrRefused, err)
	case err != nil:
		return nil, Identity{}, fmt.Errorf("handshake: %w", err)
	}
	if w.Refusal != "" {
		return nil, w.Identity, fmt.Errorf("%w by server %d: %s", ErrRefused, w.SID, w.Refusal)
	}
	reason := check(own, w.Identity, to)
	if reason == "" && to != 0 {
		reason = exchanged(caller, to, w.Disk, caller.KnownDisk(to), purpose)
	}
	if reason != "" {
		return nil, w.Identity, fmt.Errorf("%w: %s", ErrRefused, reason)
	}
	return conn, w.Identity, conn.SetDeadline(time.Time{})
}

// Dial connects to addr (host:port, resolved now) and opens the connection for
// purpose, as Call does. It blocks for a few seconds, longer while nameservers are
// silent, and less if ctx ends.
func Dial(ctx context.Context, addr string, caller Caller, to int64, purpose Purpose) (net.Conn, Identity, error) {
	patience := unacknowledged
	if purpose == PurposeRaft || purpose == PurposeAppend {
		patience = unacknowledgedRaft
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, Identity{}, err
	}
	raw, err := connect(ctx, host, port, net.Dialer{Timeout: dialTimeout, Control: giveUpAfter(patience)})
	if err != nil {
		return nil, Identity{}, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, id, err := Call(raw, host, caller, to, purpose)
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		raw.Close()
		return nil, id, err
	}
	return conn, id, nil
}

// connect resolves a host and dials what it stands for. d alone would count the
// time that nameservers take as the dial's.
func connect(ctx context.Context, host, port string, d net.Dialer) (net.Conn, error) {
	resolving, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(resolving, host)
	if err != nil {
		return nil, err
	}
	return first(ctx, ips, func(ctx context.Context, ip string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", net.JoinHostPort(ip, port))
	})
}

// addressHead is how long an address that says nothing is waited for before the next
// one is tried beside it (RFC 8305).
const addressHead = 300 * time.Millisecond

// first dials one address after the other, and returns the connection that stands
// first, or the first error.
func first(ctx context.Context, ips []string, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the dials that are still under way
	type outcome struct {
		conn net.Conn
		err  error
	}
	var (
		outcomes     = make(chan outcome, len(ips))
		head         = time.NewTimer(0)
		begun, ended int
		err          error
	)
	defer head.Stop()
	for ended < len(ips) {
		select {
		case <-head.C:
			if begun < len(ips) {
				ip := ips[begun]
				go func() {
					conn, err := dial(ctx, ip)
					outcomes <- outcome{conn, err}
				}()
				begun++
				head.Reset(addressHead)
			}
		case o := <-outcomes:
			ended++
			if o.err == nil {
				go func() { // they end at once
					for ; ended < begun; ended++ {
						if o := <-outcomes; o.err == nil {
							o.conn.Close()
						}
					}
				}()
				return o.conn, nil
			}
			err = cmp.Or(err, o.err)
			head.Reset(0)
		}
	}
	return nil, err
}

// Answer reads the handshake of an accepted connection, with that of TLS, and answers it.
// It returns what to go on with, who calls and for what; an error means that conn, which it
// does not close, is of no use. It blocks for the handshake, at most its timeout.
func Answer(ctx context.Context, conn net.Conn, c Callee) (net.Conn, Identity, Purpose, error) {
	deadline := time.Now().Add(handshakeTimeout)
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, Identity{}, "", err
	}
	own := c.Identity()
	own.Version = ProtocolVersion
	s := c.Security()
	if s != nil {
		raw := conn
		var err error
		conn, err = hard(s.Accept(raw))
		switch {
		case plainText(err):
			return nil, Identity{}, "", turnAway(raw, own.SID, errNoTLS)
		case err != nil:
			linger(raw)
			return nil, Identity{}, "", err
		}
	}
	var h hello
	if err := readHandshake(conn, &h); err != nil {
		if errors.Is(err, errTLS) {
			err = turnAway(conn, own.SID, errTLS)
		}
		return nil, Identity{}, "", fmt.Errorf("handshake: %w", err)
	}
	w := welcome{Identity: own}
	if s != nil && h.Purpose != PurposeStatus {
		ctx, cancel := context.WithDeadline(ctx, deadline.Add(-timeToTell))
		defer cancel()
		if err := h.vouched(ctx, s, c, conn); err != nil {
			w = refusal(own.SID, err)
		}
	}
	if w.Refusal == "" {
		w.Refusal = check(own, h.Identity, 0)
	}
	switch {
	case w.Refusal != "":
	case h.To != 0 && h.To != own.SID:
		w.Refusal = fmt.Sprintf("this is server %d, not %d", own.SID, h.To)
	case h.Purpose == PurposeStatus:
	case h.SID < 1 || h.SID > zabcompat.MaxSID:
		w.Refusal = fmt.Sprintf("%d is no server id", h.SID)
	case c.Taken(h.SID, h.Disk):
		w.Refusal = fmt.Sprintf("another process is connected as server %d: is myid %d used twice?", h.SID, h.SID)
	default:
		w.Known = c.KnownDisk(h.SID)
		w.Refusal = exchanged(c, h.SID, h.Disk, w.Known, h.Purpose)
	}
	if err := writeHandshake(conn, w); err != nil {
		return nil, h.Identity, h.Purpose, fmt.Errorf("handshake: %w", err)
	}
	if w.Refusal != "" {
		return nil, h.Identity, h.Purpose, fmt.Errorf("%w: %s", ErrRefused, w.Refusal)
	}
	return conn, h.Identity, h.Purpose, conn.SetDeadline(time.Time{})
}

func writeHandshake(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b := append([]byte(nil), handshakeMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	_, err = w.Write(append(b, body...))
	return err
}

func readHandshake(r io.Reader, v any) error {
	var lead [len(handshakeMagic) + 4]byte
	if _, err := io.ReadFull(r, lead[:]); err != nil {
		return err
	}
	switch string(lead[:len(handshakeMagic)]) {
	case handshakeMagic:
	case zooKeeperV1, zooKeeperV2:
		return fmt.Errorf("%w: it is a ZooKeeper server; ZooKeeper and Zooraft cannot be in one ensemble", ErrRefused)
	default:
		if string(lead[:len(beginsTLS)]) == beginsTLS {
			return errTLS
		}
		return fmt.Errorf("%w: not a zooraft server (it began with %q)", ErrRefused, lead[:len(handshakeMagic)])
	}
	n := binary.BigEndian.Uint32(lead[len(handshakeMagic):])
	if n > maxHandshake {
		return fmt.Errorf("%w: handshake of %d bytes", ErrRefused, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
