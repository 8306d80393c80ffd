package history

import (
	"fmt"
	"time"

	"zooraft/protocol"
)

// Expiry says how long after a session's timeout its end may come.
type Expiry struct {
	Tick  time.Duration // the leader's buckets
	Slack time.Duration // for the machine
	// Elections are the moments from which each session has its full timeout again: a new leader has taken over by then.
	Elections []time.Duration
}

// ephemeral is a znode and the life of the session that owns it, as far as any client knows.
type ephemeral struct {
	path    string
	czxid   int64
	owner   *Client
	session protocol.SessionID

	deleted bool // some client asked for its deletion: then nothing below is judged

	gone       bool
	goneAt     time.Duration // the first moment at which anybody was told
	goneZxid   int64         // the lowest zxid at which it is known to be gone, 0 if none
	shownZxid  int64         // the highest at which it was shown
	shownAt    time.Duration
	shownTo    string
	goneBy     string
	lastTouch  time.Duration // by the call of the last request that was answered before goneAt: it was heard no earlier
	timeout    time.Duration // negotiated at the last connect before that
	lastTraced time.Duration // the last thing the owner did or heard: it was heard no later, if all was answered
	openCalls  int
	closeCall  time.Duration // when the client asked for the session's end, 0: never
	closeZxid  int64         // of the answer to that, 0: none
}

// Ephemerals checks that the ephemeral znodes of each session vanish with it, once and not before (ZooKeeper
// Programmer's Guide, "Ephemeral Nodes", "ZooKeeper Sessions"), and that sessions end in their time.
//
//   - ephemeral-early: without a close, none vanishes before the session was silent for its timeout.
//   - ephemeral-late: none is there when the close has been answered, or the session was silent for its timeout, a tick
//     and the slack. To be judged, the end of a silent session has to be watched or awaited by another client: an end
//     that nobody looked for is reported at the end of the history.
//   - ephemeral-again: what has gone at one zxid is shown at no later one.
//   - expired-early: no session is refused as expired before its time.
//
// Ephemerals that some client deleted are left out.
func Ephemerals(h *History, x Expiry) []Violation {
	list := ephemerals(h)
	byPath := make(map[string][]*ephemeral)
	for _, e := range list {
		byPath[e.path] = append(byPath[e.path], e)
	}
	var end time.Duration
	for i := range h.Clients {
		end = max(end, h.Clients[i].end())
		observe(&h.Clients[i], byPath)
	}
	var out []Violation
	for _, e := range list {
		e.live()
		out = append(out, e.judge(x, end)...)
	}
	return append(out, expiredEarly(h)...)
}

// end is the time of a client's last record.
func (c *Client) end() time.Duration {
	if len(c.Records) == 0 {
		return 0
	}
	return c.Records[len(c.Records)-1].At
}

func ephemerals(h *History) []*ephemeral {
	var list []*ephemeral
	deleted := make(map[string]bool)
	for i := range h.Clients {
		c := &h.Clients[i]
		for j := range c.Records {
			r := &c.Records[j]
			switch {
			case r.Kind == Call && r.Op == protocol.OpDelete:
				deleted[r.Path] = true
			case r.OK() && r.Op == protocol.OpCreate2 && protocol.Ephemeral(r.Flags):
				list = append(list, &ephemeral{path: r.Path, czxid: r.Stat.Czxid, owner: c,
					session: protocol.SessionID(r.Stat.EphemeralOwner)})
			}
		}
	}
	for _, e := range list {
		e.deleted = deleted[e.path]
	}
	return list
}

// observe notes what a client was told of any ephemeral.
func observe(c *Client, byPath map[string][]*ephemeral) {
	for i := range c.Records {
		r := &c.Records[i]
		for _, e := range byPath[r.Path] {
			switch {
			case r.OK() && r.Stat != nil && r.Stat.Czxid == e.czxid:
				if r.Zxid > e.shownZxid {
					e.shownZxid, e.shownAt, e.shownTo = r.Zxid, r.At, c.Name
				}
			case r.Kind == Event && r.Event == protocol.EventNodeDeleted && laterThanBirth(r, c, i, e),
				r.Kind == Reply && r.Err == protocol.ErrNoNode && reads(r.Op) && r.Zxid > e.czxid,
				r.OK() && r.Stat != nil && r.Stat.Czxid > e.czxid:
				e.goneSeen(r, c.Name)
			}
		}
	}
}

// laterThanBirth tells whether an event of a deletion is of this znode and not of one before it at the same path.
// Without a zxid that is known if the watch was set on a reply that showed it.
func laterThanBirth(r *Record, c *Client, at int, e *ephemeral) bool {
	if r.Zxid > 0 {
		return r.Zxid > e.czxid
	}
	for i := at - 1; i >= 0; i-- {
		if p := &c.Records[i]; p.Path == r.Path && p.OK() && p.Stat != nil {
			return p.Stat.Czxid == e.czxid
		}
	}
	return false
}

func (e *ephemeral) goneSeen(r *Record, client string) {
	if !e.gone || r.At < e.goneAt {
		e.gone, e.goneAt, e.goneBy = true, r.At, client
	}
	if zxid := r.Zxid; zxid > 0 && (e.goneZxid == 0 || zxid < e.goneZxid) {
		e.goneZxid = zxid
	}
}

// live follows the owner's session up to the moment when its znode was seen gone.
func (e *ephemeral) live() {
	var current protocol.SessionID
	open := make(map[int]bool)
	for i := range e.owner.Records {
		r := &e.owner.Records[i]
		if r.Kind == Connected {
			current = r.Session
		}
		if current != e.session {
			continue
		}
		before := !e.gone || r.At <= e.goneAt
		switch r.Kind {
		case Connected:
			if before {
				e.lastTouch, e.timeout = max(e.lastTouch, r.Began), r.Timeout
				e.lastTraced = r.At
			}
		case Call:
			if r.Op == protocol.OpCloseSession {
				e.closeCall = r.At
			}
			open[i] = true
			e.lastTraced = r.At
		case Reply:
			delete(open, r.Call)
			if r.Op == protocol.OpCloseSession && r.OK() {
				e.closeZxid = r.Zxid
			}
			if before {
				e.lastTouch = max(e.lastTouch, e.owner.Records[r.Call].At)
				e.lastTraced = r.At
			}
		}
	}
	e.openCalls = len(open)
}

func (e *ephemeral) judge(x Expiry, end time.Duration) []Violation {
	if e.deleted {
		return nil
	}
	var out []Violation
	violate := func(rule string, at time.Duration, format string, args ...any) {
		out = append(out, Violation{rule, e.owner.Name, at, fmt.Sprintf("%s of session %v: ", e.path, e.session) +
			fmt.Sprintf(format, args...)})
	}
	closed := e.closeCall > 0 && (!e.gone || e.closeCall <= e.goneAt)
	if e.gone && !closed && e.goneAt < e.lastTouch+e.timeout {
		violate("ephemeral-early", e.goneAt, "%s saw it gone %v after the session's last request, with a timeout of %v",
			e.goneBy, e.goneAt-e.lastTouch, e.timeout)
	}
	if e.goneZxid > 0 && e.shownZxid >= e.goneZxid {
		violate("ephemeral-again", e.shownAt, "shown to %s at zxid 0x%x, gone at 0x%x", e.shownTo, e.shownZxid, e.goneZxid)
	}
	if e.closeZxid > 0 && e.shownZxid >= e.closeZxid {
		violate("ephemeral-late", e.shownAt, "shown to %s at zxid 0x%x, closed at 0x%x", e.shownTo, e.shownZxid, e.closeZxid)
	}
	if closed || e.openCalls > 0 { // a call without an answer may have been heard at any time
		return out
	}
	due := e.lastTraced + e.timeout + x.Tick + x.Slack
	for _, at := range x.Elections {
		if at > e.lastTraced && at < due {
			due = at + e.timeout + x.Tick + x.Slack
		}
	}
	switch {
	case e.gone && e.goneAt > due:
		violate("ephemeral-late", e.goneAt, "gone %v after the session was last heard, with a timeout of %v",
			e.goneAt-e.lastTraced, e.timeout)
	case !e.gone && end > due:
		violate("ephemeral-late", end, "still there %v after the session was last heard, with a timeout of %v",
			end-e.lastTraced, e.timeout)
	}
	return out
}

// expiredEarly judges each refusal of a session by what its client had done before.
func expiredEarly(h *History) []Violation {
	var out []Violation
	for _, c := range h.Clients {
		var touched, timeout time.Duration
		closing := false
		for i := range c.Records {
			r := &c.Records[i]
			switch r.Kind {
			case Connected:
				touched, timeout, closing = max(touched, r.Began), r.Timeout, false
			case Call:
				closing = closing || r.Op == protocol.OpCloseSession
			case Reply:
				touched = max(touched, c.Records[r.Call].At)
			case Expired:
				if !closing && r.At < touched+timeout {
					out = append(out, Violation{"expired-early", c.Name, r.At, fmt.Sprintf(
						"server %d: session expired %v after its last request, with a timeout of %v", r.Server, r.At-touched, timeout)})
				}
			}
		}
	}
	return out
}
