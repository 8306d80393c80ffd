package zabcompat

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSID is the largest server id. The id is the top byte of the session ids
// that a server hands out, so it has to fit into one.
const MaxSID = 255

// Roles, as a server line and the key peerType name them.
const (
	Participant = "participant" // votes
	Observer    = "observer"    // follows, never votes
)

// anyHost stands in a server line's client part for a host that is not given.
const anyHost = "0.0.0.0"

// ServerSpec is one member of an ensemble, a server.N line:
//
//	server.N=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]
//
// Two are equal if == says so.
type ServerSpec struct {
	// ID is the N of the line, 1 to [MaxSID].
	ID int
	// Host is a name or an address, IPv6 without brackets. It is resolved anew
	// at each dial.
	Host string
	// QuorumPort takes the peer streams, ElectionPort takes raft.
	QuorumPort, ElectionPort int
	// Observer says that the server follows without a vote.
	Observer bool
	// ClientHost and ClientPort come from the line's client part and are empty
	// and 0 if it has none. A client part without a host means "0.0.0.0".
	ClientHost string
	ClientPort int
}

// QuorumAddr returns host:port of the quorum port, fit for dialling.
func (s ServerSpec) QuorumAddr() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.QuorumPort))
}

// ElectionAddr returns host:port of the election port, fit for dialling.
func (s ServerSpec) ElectionAddr() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.ElectionPort))
}

// AnyHost says whether the host means every address, as operators write for a server
// in its own file. Nobody else can dial it.
func (s ServerSpec) AnyHost() bool {
	ip := net.ParseIP(s.Host)
	return ip != nil && ip.IsUnspecified()
}

// Loopback says whether the host, without looking it up, is one that only the server's
// own host can dial.
func (s ServerSpec) Loopback() bool {
	ip := net.ParseIP(s.Host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(s.Host, "localhost")
}

// Role is [Participant] or [Observer].
func (s ServerSpec) Role() string {
	if s.Observer {
		return Observer
	}
	return Participant
}

// String returns the value of the line as ZooKeeper prints it in conf, config
// and /zookeeper/config: the role always, the client part only if there is one.
// It follows QuorumPeer.QuorumServer.toString.
func (s ServerSpec) String() string {
	line := bracketed(s.Host) + ":" + strconv.Itoa(s.QuorumPort) + ":" + strconv.Itoa(s.ElectionPort) + ":" + s.Role()
	if s.ClientPort != 0 {
		line += ";" + bracketed(s.ClientHost) + ":" + strconv.Itoa(s.ClientPort)
	}
	return line
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// What a server line may look like, for messages.
const serverLineForm = "write host:quorumPort:electionPort[:participant|observer][;[clientAddress:]clientPort], for example zk1:2888:3888;2181"

// ErrUnforeseen marks the faults of a server line that ZooKeeper does not look
// for and stumbles over: a client that sends one hears MarshallingError and not
// BadArguments.
var ErrUnforeseen = errors.New("out of range")

var (
	errServerLine      = errors.New("is not a server line; " + serverLineForm)
	errManyAddresses   = errors.New("several addresses for one server are not supported yet; give the one that the other servers reach best")
	errSecurePart      = errors.New("a TLS client port (after a second semicolon) is not supported yet; remove it")
	errUnbracketedIPv6 = errors.New("an IPv6 address needs brackets, for example [fe80::1]:2888:3888")
)

// ParseServerSpec parses the value of server.<id>, as QuorumPeer.QuorumServer
// does, faults found in its order. multiAddress says whether several addresses,
// separated by |, are allowed at all. An IPv6 address is taken as Java prints it,
// with all its groups, for so it is published.
//
// What a ServerSpec cannot express, and what could not be published, is refused:
// port 0, a client part with an empty host, hosts with blanks.
func ParseServerSpec(id int, value string, multiAddress bool) (ServerSpec, error) {
	spec := ServerSpec{ID: id}
	parts := split(value, ";")
	if len(parts) == 0 {
		return spec, fmt.Errorf("%q %w, %w", value, errServerLine, ErrUnforeseen)
	}
	if len(parts) == 2 {
		if err := spec.parseClient(parts[1]); err != nil {
			return spec, err
		}
	}
	if strings.Contains(parts[0], "|") {
		if !multiAddress {
			return spec, fmt.Errorf("multiple address feature is disabled, but multiple addresses were specified for sid %d; %w", id, errManyAddresses)
		}
		return spec, errManyAddresses
	}
	if len(parts) > 2 {
		return spec, errSecurePart
	}
	return spec, spec.parsePeer(parts[0])
}

// parseClient parses what follows the semicolon.
func (s *ServerSpec) parseClient(client string) error {
	parts, err := splitHostPorts(client)
	if err != nil {
		return err
	}
	host := anyHost
	switch {
	case len(parts) == 2:
		host = parts[0]
	case len(parts) != 1:
		return fmt.Errorf("client part %q %w", client, errServerLine)
	}
	if host == "" {
		return fmt.Errorf("the client address before %q is empty; give an address, or the port alone", parts[1])
	}
	if s.ClientHost, err = parseHost(host); err != nil {
		return err
	}
	s.ClientPort, err = parsePort("client port", parts[len(parts)-1])
	return err
}

// parsePeer parses what precedes the semicolon.
func (s *ServerSpec) parsePeer(peer string) error {
	parts, err := splitHostPorts(peer)
	if err != nil {
		return err
	}
	if len(parts) < 3 || len(parts) > 4 {
		if strings.Count(peer, ":") > 3 {
			return errUnbracketedIPv6
		}
		return fmt.Errorf("%q %w", peer, errServerLine)
	}
	if s.QuorumPort, err = parsePort("quorum port", parts[1]); err != nil {
		return err
	}
	if s.ElectionPort, err = parsePort("election port", parts[2]); err != nil {
		return err
	}
	if len(parts) == 4 {
		if s.Observer, err = ParseRole(parts[3]); err != nil {
			return err
		}
	}
	s.Host, err = parseHost(parts[0])
	return err
}

// split is Java's String.split for a separator without a meaning of its own:
// without the empty parts at the end.
func split(s, sep string) []string {
	parts := strings.Split(s, sep)
	if len(parts) == 1 {
		return parts
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// splitHostPorts splits host:a:b at its colons and takes brackets from an IPv6
// host, as ConfigUtils.getHostAndPort does.
func splitHostPorts(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") {
		parts := split(s, ":")
		if len(parts) == 0 {
			return nil, fmt.Errorf("%q %w", s, errServerLine)
		}
		return parts, nil
	}
	host, rest, closed := strings.Cut(s[1:], "]")
	if !closed || !strings.HasPrefix(rest, ":") || host == "" {
		return nil, fmt.Errorf("%q: %w", s, errUnbracketedIPv6)
	}
	return append([]string{host}, split(rest[1:], ":")...), nil
}

// parseHost takes any name, for it is resolved only when it is dialled, but none
// that would tear a line of a file.
func parseHost(host string) (string, error) {
	for _, r := range host {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || r == '[' || r == ']' {
			return "", fmt.Errorf("host %q cannot be one; give a name or an address", host)
		}
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		if a.Is4In6() {
			return a.Unmap().String(), nil
		}
		groups := a.As16()
		var b strings.Builder
		for i := 0; i < len(groups); i += 2 {
			if i > 0 {
				b.WriteByte(':')
			}
			b.WriteString(strconv.FormatUint(uint64(groups[i])<<8|uint64(groups[i+1]), 16))
		}
		if zone := a.Zone(); zone != "" {
			b.WriteString("%" + zone)
		}
		return b.String(), nil
	}
	return host, nil
}

func parsePort(name, s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case err != nil || n == 0:
		return 0, fmt.Errorf("%s %q is not a port number; give 1 to 65535", name, s)
	case n < 0 || n > math.MaxUint16:
		return 0, fmt.Errorf("%s %d is %w; give 1 to 65535", name, n, ErrUnforeseen)
	}
	return int(n), nil
}

// ParseRole reports whether the role, in any case, is [Observer].
func ParseRole(s string) (observer bool, err error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case Observer:
		return true, nil
	case Participant:
		return false, nil
	}
	return false, fmt.Errorf("unrecognised peertype: %s; give participant or observer", s)
}
