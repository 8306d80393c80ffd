package history

import (
	"fmt"

	"zooraft/protocol"
)

// Sessions checks each session against its own past, whatever servers it was on (ZooKeeper Programmer's Guide,
// "Consistency Guarantees": single system image; a session sees its own writes).
//
//   - zxid: the zxids of replies never go back, and no reply shows a change later than its own zxid.
//   - past: no znode is shown in a state older than one that the session has seen of it.
//   - own-writes: a session's own write is newer than all that it was shown before, and is shown ever after.
//
// A znode that has gone is taken to be deleted rightly if any client asked for that, or if it was ephemeral.
func Sessions(h *History) []Violation {
	perishable := perishablePaths(h)
	var out []Violation
	for _, c := range h.Clients {
		s := newSessionView(c.Name, perishable)
		for i := range c.Records {
			s.see(&c.Records[i])
		}
		out = append(out, s.out...)
	}
	return out
}

// perishablePaths are those of which a client may rightly learn that they have gone.
func perishablePaths(h *History) map[string]bool {
	paths := make(map[string]bool)
	for _, c := range h.Clients {
		for i := range c.Records {
			r := &c.Records[i]
			switch {
			case r.Kind == Call && r.Op == protocol.OpDelete,
				r.Op == protocol.OpCreate2 && protocol.Ephemeral(r.Flags):
				paths[r.Path] = true
			}
		}
	}
	return paths
}

// known is the newest that a session has seen of a znode.
type known struct {
	absentAt     int64 // zxid of a reply that showed it absent; later creations are newer
	czxid, mzxid int64 // 0: never seen
	pzxid        int64
	own          bool // mzxid is of the session's own write
}

type sessionView struct {
	client     string
	perishable map[string]bool
	session    protocol.SessionID
	zxid       int64
	nodes      map[string]*known
	out        []Violation
}

func newSessionView(client string, perishable map[string]bool) *sessionView {
	return &sessionView{client: client, perishable: perishable, nodes: make(map[string]*known)}
}

func (s *sessionView) violate(rule string, r *Record, format string, args ...any) {
	s.out = append(s.out, Violation{rule, s.client, r.At, fmt.Sprintf("server %d, xid %d, %v %s: ", r.Server, r.Xid, r.Op,
		r.Path) + fmt.Sprintf(format, args...)})
}

func (s *sessionView) see(r *Record) {
	switch r.Kind {
	case Connected:
		if r.Session != s.session {
			s.session, s.zxid = r.Session, 0
			clear(s.nodes)
		}
		return
	case Reply:
	default:
		return
	}
	if r.Zxid > 0 {
		if r.Zxid < s.zxid {
			s.violate("zxid", r, "zxid 0x%x after 0x%x", r.Zxid, s.zxid)
		}
		s.zxid = max(s.zxid, r.Zxid)
	}
	switch {
	case r.OK() && r.Op == protocol.OpDelete:
		*s.node(r.Path) = known{absentAt: r.Zxid}
	case r.OK() && r.Stat != nil:
		s.present(r)
	case r.Err == protocol.ErrNoNode && reads(r.Op):
		s.absent(r)
	}
}

// reads tells whether op shows the znode of its path, so that NoNode means just that one.
func reads(op protocol.OpCode) bool {
	switch op {
	case protocol.OpExists, protocol.OpGetData, protocol.OpGetChildren2:
		return true
	}
	return false
}

func (s *sessionView) node(path string) *known {
	k := s.nodes[path]
	if k == nil {
		k = new(known)
		s.nodes[path] = k
	}
	return k
}

func (s *sessionView) present(r *Record) {
	st, k := r.Stat, s.node(r.Path)
	if newest := max(st.Czxid, st.Mzxid, st.Pzxid); newest > r.Zxid {
		s.violate("zxid", r, "shows zxid 0x%x at zxid 0x%x", newest, r.Zxid)
	}
	switch {
	case st.Czxid <= k.absentAt:
		s.violate("past", r, "created at 0x%x, but was gone at 0x%x", st.Czxid, k.absentAt)
	case st.Czxid < k.czxid || st.Mzxid < k.mzxid || st.Czxid == k.czxid && st.Pzxid < k.pzxid:
		rule := "past"
		if k.own && st.Mzxid < k.mzxid {
			rule = "own-writes"
		}
		s.violate(rule, r, "czxid 0x%x mzxid 0x%x pzxid 0x%x after 0x%x 0x%x 0x%x",
			st.Czxid, st.Mzxid, st.Pzxid, k.czxid, k.mzxid, k.pzxid)
	case r.Write() && st.Mzxid <= k.mzxid:
		s.violate("own-writes", r, "mzxid 0x%x was shown before it was written", st.Mzxid)
	}
	if st.Mzxid > k.mzxid {
		k.own = false
	}
	if r.Write() {
		k.own = true
	}
	k.absentAt = 0
	k.czxid, k.mzxid, k.pzxid = max(k.czxid, st.Czxid), max(k.mzxid, st.Mzxid), max(k.pzxid, st.Pzxid)
}

func (s *sessionView) absent(r *Record) {
	k := s.node(r.Path)
	if k.mzxid > 0 && !s.perishable[r.Path] {
		rule := "past"
		if k.own {
			rule = "own-writes"
		}
		s.violate(rule, r, "gone, though it was there with mzxid 0x%x and nobody deleted it", k.mzxid)
	}
	*k = known{absentAt: r.Zxid}
}
