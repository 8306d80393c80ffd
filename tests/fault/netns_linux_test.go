package fault

import (
	"fmt"
	"strconv"
	"testing"

	"zooraft/tests/netns"
)

// network is three hosts on two networks: one between servers, on which each can be cut off, and one from the clients,
// which stays. The clients are in the hub.
//
//	10.99.1.N   server N on the servers' network
//	10.99.2.N   server N on the clients' network
type network struct {
	hub   *netns.Namespace
	hosts []*netns.Namespace // by sid - 1
}

func newNetwork(t *testing.T, size int) *network {
	t.Helper()
	n := &network{hub: netns.New(t, "hub")}
	for _, bridge := range []string{"servers", "clients"} {
		n.hub.IP(t, "link", "add", bridge, "type", "bridge")
		n.hub.IP(t, "link", "set", bridge, "up")
	}
	n.hub.IP(t, "addr", "add", "10.99.2.254/24", "dev", "clients")
	for sid := 1; sid <= size; sid++ {
		host := netns.New(t, strconv.Itoa(sid))
		n.hosts = append(n.hosts, host)
		for i, bridge := range []string{"servers", "clients"} {
			host.Plug(t, n.hub, bridge, bridge+strconv.Itoa(sid), bridge, fmt.Sprintf("10.99.%d.%d/24", i+1, sid))
		}
	}
	return n
}

// cut takes a server off the servers' network: nothing reaches it, nothing is refused, as with a broken switch.
func (n *network) cut(t *testing.T, sid int) {
	t.Helper()
	n.hub.IP(t, "link", "set", "servers"+strconv.Itoa(sid), "down")
}

// heal undoes cut.
func (n *network) heal(t *testing.T, sid int) {
	t.Helper()
	n.hub.IP(t, "link", "set", "servers"+strconv.Itoa(sid), "up")
}

// mute has nothing arrive any more of what one server sends to the quorum port of another.
func (n *network) mute(t *testing.T, from, to int) {
	t.Helper()
	n.hosts[from-1].IP(t, muteRule("add", to)...)
}

// unmute undoes mute.
func (n *network) unmute(t *testing.T, from, to int) {
	t.Helper()
	n.hosts[from-1].IP(t, muteRule("del", to)...)
}

func muteRule(what string, to int) []string {
	return []string{"rule", what, "blackhole", "to", fmt.Sprintf("10.99.1.%d", to), "ipproto", "tcp", "dport", "2888"}
}
