package zabcompat

import "strconv"

// State is what a server is doing in its ensemble
// (org.apache.zookeeper.server.quorum.QuorumPeer.ServerState). The numbers are
// those of ZooKeeper's election messages.
type State int

// The states of a server.
const (
	Looking   State = 0 // knows no leader
	Following State = 1
	Leading   State = 2
	Observing State = 3 // follows without a vote
)

// String returns the state as ZooKeeper's logs spell it: LOOKING, FOLLOWING,
// LEADING, OBSERVING.
func (s State) String() string {
	switch s {
	case Looking:
		return "LOOKING"
	case Following:
		return "FOLLOWING"
	case Leading:
		return "LEADING"
	case Observing:
		return "OBSERVING"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// Mode returns the state as the "Mode:" line of srvr and zk_server_state name
// it: follower, leader, observer. They have no word for a server without a leader;
// for it Mode returns "looking", its zk_peer_state.
func (s State) Mode() string {
	switch s {
	case Looking:
		return "looking"
	case Following:
		return "follower"
	case Leading:
		return "leader"
	case Observing:
		return "observer"
	}
	return "unknown"
}
