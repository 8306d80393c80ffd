package quorum

import (
	"encoding/hex"
	"slices"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
	"zooraft/zabcompat"
)

// The methods below implement peer.Handler: what a peer may know, and what
// comes from it.

// Identity implements peer.Callee.
func (n *Node) Identity() peer.Identity {
	self, _ := zabcompat.Membership{Servers: n.cfg.Members}.Server(n.cfg.SID)
	return peer.Identity{
		Cluster: n.cluster(), SID: n.cfg.SID, Disk: n.disk, QuorumAddr: self.QuorumAddr(), ElectionAddr: self.ElectionAddr(),
	}
}

// cluster is the ensemble's id as far as this server knows it.
func (n *Node) cluster() string {
	if c := n.stores.Identity().Cluster; c != "" {
		return c
	}
	var c string
	n.fsm.View(func(v fsm.View) { c = v.Cluster() })
	return c
}

// KnownDisk implements peer.Callee.
func (n *Node) KnownDisk(sid int64) string {
	var known string
	n.fsm.View(func(v fsm.View) {
		if r, ok := n.ahead.disks[sid]; ok && v.AppliedIndex() < n.ahead.until {
			known = hex.EncodeToString(r.disk[:])
		} else if inc, _, disk := v.Server(sid); inc > 0 {
			known = hex.EncodeToString(disk[:])
		}
	})
	return known
}

// Voteless implements peer.Caller. A vote that is to be taken away counts until
// that is committed, and one to be given at once.
func (n *Node) Voteless(sid int64) bool {
	r := n.raft.Load()
	if r == nil {
		return false
	}
	var committed raft.Configuration
	n.fsm.View(func(v fsm.View) { committed = v.Actual() })
	return !votes(committed, sid) && !votes(r.GetConfiguration().Configuration(), sid)
}

func votes(c raft.Configuration, sid int64) bool {
	for _, s := range c.Servers {
		if s.ID == serverID(sid) {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

// Taken implements peer.Callee.
func (n *Node) Taken(sid int64, disk string) bool {
	id, connected := n.mesh.Caller(sid)
	return sid == n.cfg.SID || connected && id.Disk != disk
}

// Security implements peer.Caller.
func (n *Node) Security() peer.Security { return n.cfg.Security }

// Hosts implements peer.Callee.
func (n *Node) Hosts(sid int64) []string {
	r := n.roster.Load()
	var hosts []string
	if s, ok := n.line(r, sid); ok {
		hosts = append(hosts, s.Host)
	}
	if s, ok := r.target.Server(sid); ok && !s.AnyHost() && !slices.Contains(hosts, s.Host) {
		hosts = append(hosts, s.Host)
	}
	return hosts
}

// Connected says whether this server's stream to a peer works.
func (n *Node) Connected(sid int64) bool { return n.mesh.Connected(sid) }

// Up implements peer.Handler.
func (n *Node) Up(id peer.Identity) {
	n.trans.layer.peerUp()
	n.election.peerUp(id.SID)
	if sid, _ := n.Leader(); sid == id.SID {
		n.reroute()
		n.restartSync()
	}
	n.poke()
}

// Down implements peer.Handler.
func (n *Node) Down(sid int64, gone bool) {
	n.election.peerDown(sid, gone)
	n.poke()
}

// Status implements peer.Handler.
func (n *Node) Status() []byte { return n.events.Status() }

// Receive implements peer.Handler.
func (n *Node) Receive(from int64, kind byte, body []byte) {
	switch kind {
	case framePropose:
		n.received(from, body, false)
	case frameAlone:
		n.received(from, body, true)
	case frameResend:
		n.reroute()
	case frameVote:
		n.election.receive(from, body)
	case frameAskIndex:
		n.askedIndex(from, body)
	case frameIndex:
		n.gotIndex(from, body)
	case frameAskTerm:
		n.askedTerm(from, body)
	case frameTerm:
		n.gotTerm(from, body)
	default:
		if kind >= FrameUser {
			n.events.Peer(from, kind, body)
		}
	}
}
