package server

import (
	"net"
	"strconv"
)

// ServerSpec is one member of an ensemble, a server.N line:
//
//	server.N=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]
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

// String returns the value of the line as ZooKeeper prints it in conf, config
// and /zookeeper/config: the role always, the client part only if there is one.
// It follows QuorumPeer.QuorumServer.toString.
func (s ServerSpec) String() string {
	role := PeerParticipant
	if s.Observer {
		role = PeerObserver
	}
	line := s.QuorumAddr() + ":" + strconv.Itoa(s.ElectionPort) + ":" + role
	if s.ClientPort != 0 {
		line += ";" + net.JoinHostPort(s.ClientHost, strconv.Itoa(s.ClientPort))
	}
	return line
}
