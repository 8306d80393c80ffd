package zabcompat

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Membership is who belongs to an ensemble, in which role, and since when. The
// zero value is that of a server without an ensemble.
type Membership struct {
	// Servers are the members in order of their ids. They are shared by copies of
	// the Membership and not to be changed.
	Servers []ServerSpec
	// Version is the zxid of the change that made this membership.
	Version int64
}

// Server returns the member with an id.
func (m Membership) Server(sid int64) (ServerSpec, bool) {
	i, ok := slices.BinarySearchFunc(m.Servers, sid, func(s ServerSpec, sid int64) int { return cmp.Compare(int64(s.ID), sid) })
	if !ok {
		return ServerSpec{}, false
	}
	return m.Servers[i], true
}

// Voters counts the members that vote.
func (m Membership) Voters() int {
	n := 0
	for _, s := range m.Servers {
		if !s.Observer {
			n++
		}
	}
	return n
}

// String is the text that /zookeeper/config holds: a line for each server, and
// the version in hexadecimal, with no newline behind it. A membership without
// servers has no text. It follows QuorumMaj.toString, whose order, that of a hash
// table, is ours wherever ids are small.
func (m Membership) String() string {
	if len(m.Servers) == 0 {
		return ""
	}
	var b strings.Builder
	for _, s := range m.Servers {
		fmt.Fprintf(&b, "server.%d=%s\n", s.ID, s)
	}
	b.WriteString("version=" + strconv.FormatUint(uint64(m.Version), 16))
	return b.String()
}

var errMembership = errors.New("not a membership")

// ParseMembership is the inverse of [Membership.String]. It takes nothing else.
func ParseMembership(text string) (Membership, error) {
	var m Membership
	if text == "" {
		return m, nil
	}
	lines := strings.Split(text, "\n")
	last := len(lines) - 1
	for _, line := range lines[:last] {
		key, value, ok := strings.Cut(line, "=")
		id, err := strconv.Atoi(strings.TrimPrefix(key, "server."))
		if !ok || err != nil {
			return Membership{}, fmt.Errorf("%w: line %q", errMembership, line)
		}
		s, err := ParseServerSpec(id, value, false)
		if err != nil {
			return Membership{}, fmt.Errorf("%w: line %q: %w", errMembership, line, err)
		}
		m.Servers = append(m.Servers, s)
	}
	version, err := strconv.ParseUint(strings.TrimPrefix(lines[last], "version="), 16, 64)
	m.Version = int64(version)
	if err != nil || m.String() != text {
		return Membership{}, fmt.Errorf("%w: %q", errMembership, text)
	}
	return m, nil
}
