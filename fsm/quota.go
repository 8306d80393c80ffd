package fsm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zooraft/fsm/tree"
)

// A quota on the znode X is a pair of znodes below /zookeeper/quota + X that
// clients make: one holds its limits, the other what is used, kept up to date
// here (ZooKeeper Programmer's Guide, Quotas; DataTree.updateQuotaStat). Whether
// limits bind is in quota_limit.go.
//
// Which quotas there are is read from the tree each time, so there is nothing to
// undo with a multi, nor to rebuild from a snapshot.

// usage is the text of either znode: what is used, or the limits.
type usage struct {
	count, bytes int64            // -1: not known, or no limit
	others       map[string]int64 // nil if none
}

// parseUsage reads the text as org.apache.zookeeper.StatsTrack does; false for
// what makes that fail.
func parseUsage(text string) (usage, bool) {
	u := usage{count: -1, bytes: -1}
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, ok := strings.Cut(strings.TrimRight(pair, "="), "=")
		if !ok {
			return u, false
		}
		if value, _, _ = strings.Cut(value, "="); value == "" {
			value = "-1"
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return u, false
		}
		switch key {
		case "count":
			u.count = n
		case "bytes":
			u.bytes = n
		default:
			if u.others == nil {
				u.others = make(map[string]int64)
			}
			u.others[key] = n
		}
	}
	return u, true
}

// other returns a value by its key, -1 if it is not there.
func (u *usage) other(key string) int64 {
	if n, ok := u.others[key]; ok {
		return n
	}
	return -1
}

// String is the text that parseUsage reads, with the stray "=" by which older
// clients can read it too.
func (u usage) String() string {
	text := fmt.Sprintf("count=%d,bytes=%d", u.count, u.bytes)
	if len(u.others) == 0 {
		return text
	}
	text += "="
	keys := make([]string, 0, len(u.others))
	for key := range u.others {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		text += fmt.Sprintf(";%s=%d", key, u.others[key])
	}
	return text
}

// used notes that what is stored at path has grown, in the one quota that
// counts it: the deepest on path or above it. A quota without a readable
// znode for what is used counts nothing, where ZooKeeper breaks down.
func (f *FSM) used(path string, count, bytes int64) {
	if f.tree.NumChildren(f.tree.Quota()) == 0 {
		return
	}
	stats := f.quotaStats(path)
	if stats == tree.None {
		return
	}
	if u, ok := parseUsage(string(f.tree.Data(stats))); ok {
		u.count += count
		u.bytes += bytes
		f.setStats(stats, u)
	}
}

// setStats puts what is used into the znode that says so.
func (f *FSM) setStats(node tree.Ref, u usage) {
	if f.quotas.keeps() {
		f.quotas.keep(f.tree, f.tree.Path(node))
	}
	f.tree.ReplaceData(node, []byte(u.String()))
}

// quotaStats finds the znode that says what is used of the deepest quota on
// path or above it, if there is one. The root can have no quota.
func (f *FSM) quotaStats(path string) tree.Ref {
	t := f.tree
	at, stats := t.Quota(), tree.None
	for rest := path[1:]; rest != "" && at != tree.None; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if at = t.Child(at, name); at != tree.None && t.Child(at, tree.LimitsName) != tree.None {
			stats = t.Child(at, tree.StatsName)
		}
	}
	return stats
}

// recount makes a new znode say how much its quota uses, if it is one that does
// so. It visits all that the quota covers.
func (f *FSM) recount(path string, node tree.Ref) {
	covered, ok := strings.CutSuffix(path, "/"+tree.StatsName)
	if !ok {
		return
	}
	if covered, ok = strings.CutPrefix(covered, tree.QuotaPath+"/"); !ok {
		return
	}
	var u usage
	if top := f.tree.Lookup("/" + covered); top != tree.None {
		u.count, u.bytes = f.tree.Usage(top)
	}
	f.setStats(node, u)
}
