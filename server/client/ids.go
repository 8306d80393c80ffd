package client

import (
	"math"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"zooraft/fsm/acl"
	"zooraft/protocol"
)

// sessionIDs makes session ids as ZooKeeper's SessionTrackerImpl does: the
// server id in the top byte, five bytes of the time in ms at which this process
// started, and a count. Two servers never make the same id, nor does one twice
// while its clock goes forward.
type sessionIDs struct {
	sid  int64
	last atomic.Int64
}

func (g *sessionIDs) init(sid int64, now time.Time) {
	g.sid = sid
	g.last.Store(g.first(now) - 1)
}

func (g *sessionIDs) first(now time.Time) int64 {
	return g.sid<<56 | int64(uint64(now.UnixMilli())<<24>>8&0x00ffffffffffffff)
}

// next returns an id that is neither 0 nor the mark of container znodes.
func (g *sessionIDs) next() protocol.SessionID {
	for {
		if id := g.last.Add(1); id != 0 && id != math.MinInt64 {
			return protocol.SessionID(id)
		}
	}
}

// skip steps over the ids that another process may have made from the same
// millisecond.
func (g *sessionIDs) skip() { g.last.Add(1 << 16) }

// addrText prints an address as Java does: /127.0.0.1:2181, and IPv6 in
// brackets and not shortened.
func addrText(a netip.AddrPort) string {
	host := acl.IPText(a.Addr())
	if !a.Addr().Unmap().Is4() {
		host = "[" + host + "]"
	}
	return "/" + host + ":" + strconv.Itoa(int(a.Port()))
}

func zxidText(z int64) string { return "0x" + strconv.FormatUint(uint64(z), 16) }
