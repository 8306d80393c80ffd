package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// cons describes every connection. What comes after "sent" stands there only if
// there is a session.
func cons(src Source) string {
	var b strings.Builder
	for _, c := range src.Connections() {
		fmt.Fprintf(&b, " %s[%d](queued=%d,recved=%d,sent=%d", c.Remote, c.interest(), c.Queued, c.Received, c.Sent)
		if c.HasSession {
			fmt.Fprintf(&b, ",sid=%s,lop=%s,est=%d,to=%d", sessionID(c.Session), c.Last, c.Established.UnixMilli(), c.Timeout.Milliseconds())
			if c.LastXid >= 0 {
				fmt.Fprintf(&b, ",lcxid=%#x", uint32(c.LastXid))
			}
			fmt.Fprintf(&b, ",lzxid=%#x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d",
				uint64(c.LastZxid), millisOf(c.LastReply), c.LatencyLast, c.LatencyMin, int64(c.LatencyAvg), c.LatencyMax)
		}
		b.WriteString(")\n")
	}
	b.WriteByte('\n')
	return b.String()
}

// interest is what ZooKeeper's selector waits for on the socket: 1 is reading, 5
// reading and writing. It is nothing for the connection that asks.
func (c *ConnInfo) interest() int {
	if c.Asking {
		return 0
	}
	return 1
}

func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func sessionID(id int64) string { return fmt.Sprintf("%#x", uint64(id)) }

// javaDate prints a time as java.util.Date does.
func javaDate(t time.Time) string { return t.Format("Mon Jan 02 15:04:05 MST 2006") }

// dump lists sessions by when they expire, ephemerals by session, and connections
// by when they end. Where another server watches over the sessions there are their
// timeouts instead.
func dump(src Source) string {
	s := src.Sessions()
	var b strings.Builder
	b.WriteString("SessionTracker dump:\n")
	switch {
	case !s.Tracked:
		if s.LocalEnabled {
			sessionSets(&b, "Local Session", s.Local) // these this server watches over itself
		}
		timeouts(&b, "Global", s.Global)
	case s.LocalEnabled:
		sessionSets(&b, "Local Session", s.Local)
		sessionSets(&b, "Global Session", s.Global)
	default:
		sessionSets(&b, "Session", s.Global)
	}
	b.WriteString("ephemeral nodes dump:\n")
	fmt.Fprintf(&b, "Sessions with Ephemerals (%d):\n", len(s.Ephemerals))
	for _, e := range s.Ephemerals {
		fmt.Fprintf(&b, "%s:\n", sessionID(e.Session))
		for _, path := range e.Paths {
			fmt.Fprintf(&b, "\t%s\n", path)
		}
	}
	b.WriteString("Connections dump:\n")
	var lines []expiring
	for _, c := range src.Connections() {
		lines = append(lines, expiring{c.Expires.Truncate(time.Second), fmt.Sprintf("ip: %s sessionId: %s", c.Remote, sessionID(c.Session))})
	}
	sets(&b, "Connections", lines)
	return b.String()
}

func timeouts(b *strings.Builder, kind string, sessions []SessionInfo) {
	fmt.Fprintf(b, "%s Sessions(%d):\n", kind, len(sessions))
	for _, s := range sessions {
		fmt.Fprintf(b, "%s\t%dms\n", sessionID(s.ID), s.Timeout.Milliseconds())
	}
}

func sessionSets(b *strings.Builder, kind string, sessions []SessionInfo) {
	lines := make([]expiring, len(sessions))
	for i, s := range sessions {
		lines[i] = expiring{s.Expires, sessionID(s.ID)}
	}
	sets(b, kind, lines)
}

// expiring is a line about something that ends at a time.
type expiring struct {
	at   time.Time
	text string
}

// sets prints lines in groups of those that end together: "kind Sets (groups)/(lines)".
func sets(b *strings.Builder, kind string, lines []expiring) {
	groups := make(map[int64][]expiring)
	for _, l := range lines {
		groups[l.at.UnixMilli()] = append(groups[l.at.UnixMilli()], l)
	}
	fmt.Fprintf(b, "%s Sets (%d)/(%d):\n", kind, len(groups), len(lines))
	for _, at := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(b, "%d expire at %s:\n", len(groups[at]), javaDate(time.UnixMilli(at)))
		for _, l := range groups[at] {
			fmt.Fprintf(b, "\t%s\n", l.text)
		}
	}
}

func wchs(src Source) string {
	s := src.WatchSummary()
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d\n", s.Connections, s.Paths, s.Watches)
}

// wchc lists watches by session, wchp by path. An empty line ends them.
func wchc(src Source) string {
	return grouped(src.Watches(), func(w Watch) (string, string) { return sessionID(w.Session), w.Path })
}

func wchp(src Source) string {
	return grouped(src.Watches(), func(w Watch) (string, string) { return w.Path, sessionID(w.Session) })
}

// grouped prints each head once, with its items below.
func grouped(watches []Watch, split func(Watch) (head, item string)) string {
	heads := make(map[string][]string)
	for _, w := range watches {
		head, item := split(w)
		heads[head] = append(heads[head], item)
	}
	var b strings.Builder
	for _, head := range slices.Sorted(maps.Keys(heads)) {
		b.WriteString(head + "\n")
		slices.Sort(heads[head])
		for _, item := range heads[head] {
			b.WriteString("\t" + item + "\n")
		}
	}
	b.WriteByte('\n')
	return b.String()
}
