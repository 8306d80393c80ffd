package differ

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// slack is how far a server's clock, read a moment earlier or later, may be from this process's.
const slack = 5 * time.Second

// normal turns what differs between two servers without meaning anything into what must not differ. It is for one
// scenario on one server.
type normal struct {
	base     int64 // the last zxid before the scenario
	rebased  int   // how often servers were restarted since
	since    time.Time
	times    map[int64]int64  // zxid to its time, in ms
	sessions map[int64]string // session id to the connection that opened it
	highest  int64            // zxid seen by any connection
	own      map[int64]bool   // the zxids of writes that were answered, but for closeSession
}

func newNormal(base int64) *normal {
	return &normal{base: base, since: time.Now(), times: map[int64]int64{}, sessions: map[int64]string{}, own: map[int64]bool{}}
}

// zxid is relative to the scenario's beginning: what a request consumes is compared, not where the server stands. What
// happened before is old.
func (n *normal) zxid(z int64) string {
	switch {
	case z == 0 || z == -1:
		return strconv.FormatInt(z, 10)
	case z < 0:
		return fmt.Sprintf("%#x", uint64(z))
	case z < n.base:
		return "old"
	}
	mark := "z"
	if n.rebased > 0 {
		mark = fmt.Sprintf("z%d", n.rebased)
	}
	return mark + "+" + strconv.FormatInt(z-n.base, 10)
}

// absolute is the other way: a number as it stands, or one relative to the scenario's beginning with a + before it.
func (n *normal) absolute(text string, last int64) (int64, error) {
	switch {
	case text == "last":
		return last, nil
	case len(text) > 1 && text[0] == '+':
		v, err := strconv.ParseInt(text[1:], 0, 64)
		return n.base + v, err
	}
	return strconv.ParseInt(text, 0, 64)
}

// time says whether the time of a transaction is what it must be: one for all that bears its zxid, not before that of
// an earlier one, and within the scenario.
func (n *normal) time(zxid, ms int64) string {
	switch {
	case ms == 0:
		return "0"
	case zxid <= n.base:
		if time.UnixMilli(ms).After(time.Now().Add(slack)) {
			return "future"
		}
		return "old"
	}
	if t, ok := n.times[zxid]; ok {
		if t != ms {
			return "another"
		}
		return "t"
	}
	n.times[zxid] = ms
	at := time.UnixMilli(ms)
	if at.Before(n.since.Add(-slack)) || at.After(time.Now().Add(slack)) {
		return "not-now"
	}
	for z, t := range n.times {
		if z < zxid && t > ms || z > zxid && t < ms {
			return "disorder"
		}
	}
	return "t"
}

// owner is an ephemeralOwner, or a session id.
func (n *normal) owner(id int64) string {
	if name, ok := n.sessions[id]; ok {
		return "session(" + name + ")"
	}
	switch uint64(id) >> 56 {
	case 0:
		return strconv.FormatInt(id, 10)
	case 0x80, 0xff: // container, TTL
		return fmt.Sprintf("%#x", uint64(id))
	}
	return "foreign"
}

// record is a line of a transcript. For an event, zxid is the one in its header.
type record struct {
	text  string
	event bool
	zxid  int64
}

// settle sorts the events of transactions that no request of the scenario was answered with, or that end a session: in
// what order a session's ephemerals go is not determined.
func (n *normal) settle(records []record) []string {
	for i := 0; i < len(records); {
		j := i + 1
		for j < len(records) && records[i].event && records[j].event && records[j].zxid == records[i].zxid {
			j++
		}
		if records[i].event && records[i].zxid > 0 && !n.own[records[i].zxid] {
			slices.SortFunc(records[i:j], func(a, b record) int {
				if a.text < b.text {
					return -1
				} else if a.text > b.text {
					return 1
				}
				return 0
			})
		}
		i = j
	}
	lines := make([]string, len(records))
	for i := range records {
		lines[i] = records[i].text
	}
	return lines
}
