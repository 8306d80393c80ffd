package fsm

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"zooraft/fsm/tree"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// reconfig checks a change of the membership in ZooKeeper's order
// (PrepRequestProcessor.pRequest2Txn). One that asks nothing new of Raft is
// published at once. Any other is pending from here on.
//
// ZooKeeper looks last but one, before the ACL, whether a quorum of the new
// members is connected and has caught up. That is not in the state: the leader
// looks, and abandons the change.
func (w *write) reconfig(c *protocol.ReconfigRequest, o Origin, res *Result) protocol.ErrCode {
	f := w.f
	now := View{f}.Shown()
	switch {
	case !w.req.Options.Has(Reconfig):
		return protocol.ErrReconfigDisabled
	case w.session != protocol.ErrOK:
		return w.session
	case len(now.Servers) == 0:
		return protocol.ErrUnimplemented // a standalone server
	case f.members.pending != nil:
		return protocol.ErrReconfigInProgress
	case c.ConfigID != -1 && c.ConfigID != now.Version:
		return protocol.ErrBadVersion
	}
	leastVoters := 2
	if w.req.Options.Has(NoStandalone) {
		leastVoters = 1
	}
	var target zabcompat.Membership
	var code protocol.ErrCode
	if c.NewMembersNull {
		target.Servers, code = changed(now.Servers, c.Joining, c.Leaving)
	} else {
		target.Servers, code = replaced(c.NewMembers, leastVoters)
	}
	switch {
	case code != protocol.ErrOK:
		return code
	case target.Voters() < leastVoters || !distinct(target.Servers):
		return protocol.ErrBadArguments
	case !w.allowed(f.tree.ACL(f.tree.Lookup(tree.ConfigPath)), protocol.PermWrite):
		return protocol.ErrNoAuth
	case slices.ContainsFunc(target.Servers, func(s zabcompat.ServerSpec) bool { return s.ID < 1 || s.ID > zabcompat.MaxSID }):
		return protocol.ErrBadArguments // ZooKeeper takes any id
	}
	if sameForRaft(now.Servers, target.Servers) {
		res.Data, res.Stat = f.publishChange(target.Servers, w.zxid)
		return protocol.ErrOK
	}
	target.Version = w.zxid
	f.members.pending = &Pending{Target: target, Owner: Owner{o, w.req.Conn}}
	res.Pending = true
	return protocol.ErrOK
}

// changed is now without the servers leaving, a list of ids of which unknown ones
// do not matter, and then with those of joining, a list of server lines that
// replace others of the same id.
func changed(now []zabcompat.ServerSpec, joining, leaving string) ([]zabcompat.ServerSpec, protocol.ErrCode) {
	next := slices.Clone(now)
	for _, item := range items(leaving, ",") {
		sid, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			return nil, protocol.ErrMarshalling
		}
		next = slices.DeleteFunc(next, func(s zabcompat.ServerSpec) bool { return int64(s.ID) == sid })
	}
	for _, item := range items(joining, ",") {
		parts := items(item, "=")
		if len(parts) != 2 {
			return nil, protocol.ErrBadArguments
		}
		// server.N, but whatever stands before the last dot will do.
		s, code := member(parts[0][strings.LastIndexByte(parts[0], '.')+1:], parts[1])
		switch {
		case code != protocol.ErrOK:
			return nil, code
		case s.ClientPort == 0:
			return nil, protocol.ErrBadArguments
		}
		next = slices.DeleteFunc(next, func(other zabcompat.ServerSpec) bool { return other.ID == s.ID })
		if slices.ContainsFunc(next, func(other zabcompat.ServerSpec) bool { return clash(s, other) }) {
			return nil, protocol.ErrBadArguments
		}
		next = insert(next, s)
	}
	return next, protocol.ErrOK
}

// items splits a list and drops what is blank in it (StringUtils.split).
func items(list, sep string) []string {
	var all []string
	for item := range strings.SplitSeq(list, sep) {
		if item = trim(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

// trim is Java's String.trim.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// replaced reads a whole membership: Java properties, with commas for newlines
// if one likes (QuorumPeerConfig.parseDynamicConfig). Where ZooKeeper finds too
// few voters here it throws what it does not foresee.
func replaced(text string, leastVoters int) ([]zabcompat.ServerSpec, protocol.ErrCode) {
	props := zabcompat.ParseProperties([]byte(strings.ReplaceAll(text, ",", "\n")))
	values := make(map[string]string)
	var keys []string // in order
	for _, p := range props {
		if p.Err != nil {
			return nil, protocol.ErrMarshalling
		}
		if _, again := values[p.Key]; !again {
			keys = append(keys, p.Key)
		}
		values[p.Key] = p.Value
	}
	for _, key := range keys {
		// Groups and weights are known to ZooKeeper, but no quorums of ours.
		if key := trim(key); !strings.HasPrefix(key, "server.") && key != "version" {
			return nil, protocol.ErrBadArguments
		}
	}
	var m zabcompat.Membership
	for _, key := range keys {
		if key == "version" {
			if _, err := strconv.ParseInt(values[key], 16, 64); err != nil {
				return nil, protocol.ErrMarshalling
			}
		}
		id, ok := strings.CutPrefix(key, "server.")
		if !ok {
			continue
		}
		s, code := member(id, values[key])
		if code != protocol.ErrOK {
			return nil, code
		}
		m.Servers = slices.DeleteFunc(m.Servers, func(other zabcompat.ServerSpec) bool { return other.ID == s.ID })
		m.Servers = insert(m.Servers, s)
	}
	switch voters, observers := m.Voters(), len(m.Servers)-m.Voters(); {
	case voters == 0 && leastVoters == 1, voters < leastVoters && observers > 0:
		return nil, protocol.ErrMarshalling
	}
	return m.Servers, protocol.ErrOK
}

// member reads one server line.
func member(id, value string) (zabcompat.ServerSpec, protocol.ErrCode) {
	sid, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return zabcompat.ServerSpec{}, protocol.ErrMarshalling
	}
	s, err := zabcompat.ParseServerSpec(int(sid), value, false)
	switch {
	case errors.Is(err, zabcompat.ErrUnforeseen):
		return s, protocol.ErrMarshalling
	case err != nil, s.Host == "", s.QuorumPort == s.ElectionPort:
		return s, protocol.ErrBadArguments
	}
	return s, protocol.ErrOK
}

func insert(list []zabcompat.ServerSpec, s zabcompat.ServerSpec) []zabcompat.ServerSpec {
	i := 0
	for i < len(list) && list[i].ID < s.ID {
		i++
	}
	return slices.Insert(list, i, s)
}

// address is one that a server listens at.
type address struct {
	host string
	port int
}

// clash says whether two servers would listen at one address. As in ZooKeeper,
// addresses that any machine has do not count. But ZooKeeper compares what the
// names stand for, as its resolver has it at the moment; here they are compared
// as they are written.
func clash(a, b zabcompat.ServerSpec) bool {
	for _, one := range addresses(a) {
		if !everywhere(one.host) && slices.Contains(addresses(b), one) {
			return true
		}
	}
	return false
}

func addresses(s zabcompat.ServerSpec) []address {
	host := strings.ToLower(s.Host)
	return []address{{host, s.QuorumPort}, {host, s.ElectionPort}, {strings.ToLower(s.ClientHost), s.ClientPort}}
}

func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsUnspecified() || ip.IsLoopback())
}

// distinct says whether each server has ports of its own for its peers, on the
// loopback address too: Raft could not tell two apart that have not. ZooKeeper
// takes such a membership and cannot work with it.
func distinct(servers []zabcompat.ServerSpec) bool {
	taken := make(map[address]bool)
	for _, s := range servers {
		for _, a := range addresses(s)[:2] {
			if taken[a] {
				return false
			}
			taken[a] = true
		}
	}
	return true
}

// sameForRaft says whether two memberships ask the same of Raft: the same servers
// at the same addresses in the same roles.
func sameForRaft(a, b []zabcompat.ServerSpec) bool {
	return slices.EqualFunc(a, b, func(a, b zabcompat.ServerSpec) bool {
		return a.ID == b.ID && a.Observer == b.Observer && a.ElectionAddr() == b.ElectionAddr()
	})
}
