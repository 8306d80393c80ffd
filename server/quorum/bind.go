package quorum

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"zooraft/zabcompat"
)

// bindPause is between two tries to bind a port. There is nothing to wait for that
// would tell: the name may come to resolve, or another process may end.
const bindPause = time.Second

// lookupTimeout is how long the start waits for names that decide only a warning.
const lookupTimeout = 2 * time.Second

// listen binds a port of this server, with what is left of BindTries, which the
// quorum and the election port share. It blocks in between.
func (n *Node) listen(port int, tries *int) (net.Listener, error) {
	addr := net.JoinHostPort(n.cfg.BindHost, strconv.Itoa(port))
	for {
		ln, err := net.Listen("tcp", addr)
		*tries--
		if err == nil || *tries <= 0 {
			return ln, err
		}
		n.log.Warn("cannot bind a port: trying again", "peer", addr, "tries-left", *tries, "error", err)
		time.Sleep(bindPause)
	}
}

// warnOfLoopback tells of a name that stands for this server's loopback, as Debian's
// /etc/hosts has its host's: the server then listens where no other host reaches it, and
// would wait in silence.
func (n *Node) warnOfLoopback(bound net.Addr) {
	at, ok := bound.(*net.TCPAddr)
	self, _ := zabcompat.Membership{Servers: n.cfg.Members}.Server(n.cfg.SID)
	if !ok || !at.IP.IsLoopback() || self.Loopback() || !othersElsewhere(n.cfg.Members, self.ID, net.DefaultResolver.LookupHost) {
		return
	}
	n.log.Warn("this server's name is a loopback address on this host, so that servers on other hosts cannot reach it: mend /etc/hosts, or set quorumListenOnAllIPs=true",
		"sid", self.ID, "name", self.Host, "address", at.IP.String())
}

// othersElsewhere says whether a member other than self may be on another host: its
// name is not known here, or does not stand for the loopback alone.
func othersElsewhere(members []zabcompat.ServerSpec, self int, lookup func(context.Context, string) ([]string, error)) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return slices.ContainsFunc(members, func(m zabcompat.ServerSpec) bool {
		if m.ID == self || m.AnyHost() || m.Loopback() {
			return false
		}
		addrs, err := lookup(ctx, m.Host)
		return err != nil || slices.ContainsFunc(addrs, func(a string) bool {
			ip := net.ParseIP(a)
			return ip == nil || !ip.IsLoopback()
		})
	})
}
