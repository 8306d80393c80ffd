package zoocfg

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zooraft/server"
)

// What a server line may look like, for messages.
const serverLineForm = "write host:quorumPort:electionPort[:participant|observer][;[clientAddress:]clientPort], for example zk1:2888:3888;2181"

var (
	errServerLine      = errors.New("is not a server line; " + serverLineForm)
	errManyAddresses   = errors.New("several addresses for one server are not supported yet; give the one that the other servers reach best")
	errSecurePart      = errors.New("a TLS client port (after a second semicolon) is not supported yet; remove it")
	errUnbracketedIPv6 = errors.New("an IPv6 address needs brackets, for example [fe80::1]:2888:3888")
)

// parseServerLine parses the value of server.<id>, as
// QuorumPeer.QuorumServer does. Ranges are left to server.Config.Validate,
// except for what a ServerSpec cannot express.
func parseServerLine(id int, value string, multiAddress bool) (server.ServerSpec, error) {
	spec := server.ServerSpec{ID: id}
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
		if spec.Observer, err = parseRole(parts[3]); err != nil {
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
	spec.ClientHost = "0.0.0.0"
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

// parseRole reports whether the role, in any case, is observer.
func parseRole(s string) (observer bool, err error) {
	switch strings.ToLower(s) {
	case server.PeerObserver:
		return true, nil
	case server.PeerParticipant:
		return false, nil
	}
	return false, fmt.Errorf("unrecognised peertype: %s; give participant or observer", s)
}
