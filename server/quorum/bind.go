package quorum

import (
	"net"
	"strconv"
	"time"
)

// bindPause is between two tries to bind a port. There is nothing to wait for that
// would tell: the name may come to resolve, or another process may end.
const bindPause = time.Second

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
