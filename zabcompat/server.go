package zabcompat

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
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
	line := s.QuorumAddr() + ":" + strconv.Itoa(s.ElectionPort) + ":" + s.Role()
	if s.ClientPort != 0 {
		line += ";" + net.JoinHostPort(s.ClientHost, strconv.Itoa(s.ClientPort))
	}
	return line
}

// What a server line may look like, for messages.
const serverLineForm = "write host:quorumPort:electionPort[:participant|observer][;[clientAddress:]clientPort], for example zk1:2888:3888;2181"

var (
	errServerLine      = errors.New("is not a server line; " + serverLineForm)
	errManyAddresses   = errors.New("several addresses for one server are not supported yet; give the one that the other servers reach best")
	errSecurePart      = errors.New("a TLS client port (after a second semicolon) is not supported yet; remove it")
	errUnbracketedIPv6 = errors.New("an IPv6 address needs brackets, for example [fe80::1]:2888:3888")
)

// ParseServerSpec parses the value of server.<id>, as QuorumPeer.QuorumServer
// does. multiAddress says whether several addresses, separated by |, are allowed
// at all. Ranges are left to the caller, except for what a ServerSpec cannot
// express.
func ParseServerSpec(id int, value string, multiAddress bool) (ServerSpec, error) {
	spec := ServerSpec{ID: id}
	peer, client, hasClient := strings.Cut(value, ";")
	if strings.Contains(peer, "|") {
		if !multiAddress {
			return spec, fmt.Errorf("multiple address feature is disabled, but multiple addresses were specified for sid %d; %w", id, errManyAddresses)
		}
		return spec, errManyAddresses
	}

	parts, err := splitHostPorts(peer)
	if err != nil {
		return spec, err
	}
	if len(parts) < 3 || len(parts) > 4 {
		if strings.Count(peer, ":") > 3 {
			return spec, errUnbracketedIPv6
		}
		return spec, fmt.Errorf("%q %w", value, errServerLine)
	}
	spec.Host = parts[0]
	if spec.QuorumPort, err = parsePort("quorum port", parts[1]); err != nil {
		return spec, err
	}
	if spec.ElectionPort, err = parsePort("election port", parts[2]); err != nil {
		return spec, err
	}
	if len(parts) == 4 {
		if spec.Observer, err = ParseRole(parts[3]); err != nil {
			return spec, err
		}
	}

	client, secure, _ := strings.Cut(client, ";")
	if strings.Trim(secure, ";") != "" {
		return spec, errSecurePart
	}
	if !hasClient || client == "" {
		return spec, nil
	}
	parts, err = splitHostPorts(client)
	if err != nil {
		return spec, err
	}
	spec.ClientHost = anyHost
	switch len(parts) {
	case 1:
	case 2:
		if parts[0] == "" {
			return spec, fmt.Errorf("the client address before %q is empty; give an address, or the port alone", parts[1])
		}
		spec.ClientHost = parts[0]
	default:
		return spec, fmt.Errorf("%q %w", value, errServerLine)
	}
	spec.ClientPort, err = parsePort("client port", parts[len(parts)-1])
	return spec, err
}

// splitHostPorts splits host:a:b at its colons and takes brackets from an IPv6
// host, as ConfigUtils.getHostAndPort does.
func splitHostPorts(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") {
		return strings.Split(s, ":"), nil
	}
	host, rest, closed := strings.Cut(s[1:], "]")
	if !closed || !strings.HasPrefix(rest, ":") || host == "" {
		return nil, fmt.Errorf("%q: %w", s, errUnbracketedIPv6)
	}
	return append([]string{host}, strings.Split(rest[1:], ":")...), nil
}

func parsePort(name, s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > math.MaxUint16 {
		return 0, fmt.Errorf("%s %q is not a port number; give 1 to 65535", name, s)
	}
	return n, nil
}

// ParseRole reports whether the role, in any case, is [Observer].
func ParseRole(s string) (observer bool, err error) {
	switch strings.ToLower(s) {
	case Observer:
		return true, nil
	case Participant:
		return false, nil
	}
	return false, fmt.Errorf("unrecognised peertype: %s; give participant or observer", s)
}
