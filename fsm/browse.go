package fsm

import (
	"strings"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// What this file gives is for those who look at the state from inside the server,
// with no client's identities: nobody's rights are checked. Whoever goes through
// much of it does so in steps, and lets others have the state lock between them.

// ZnodeKind says how long a znode lives.
type ZnodeKind uint8

// The kinds.
const (
	PersistentZnode ZnodeKind = iota
	EphemeralZnode            // ends with its session
	ContainerZnode            // ends some time after its last child
	TTLZnode                  // ends when it has not been changed for its TTL
)

// String is the kind in lower case.
func (k ZnodeKind) String() string {
	return [...]string{"persistent", "ephemeral", "container", "ttl"}[k]
}

// Znode is all there is to know of one znode. Data and ACL must not be changed,
// and may be kept.
type Znode struct {
	Data      []byte // nil: null
	ACL       []protocol.ACL
	Stat      protocol.Stat
	Kind      ZnodeKind
	TTLMillis int64 // of a TTLZnode
}

// Znode returns the znode of path; false if there is none.
func (v View) Znode(path string) (z Znode, ok bool) {
	node := v.f.tree.Lookup(path)
	if node == tree.None {
		return z, false
	}
	return v.f.znode(node), true
}

func (f *FSM) znode(node tree.Ref) Znode {
	z := Znode{Data: f.tree.Data(node), ACL: f.tree.ACL(node), Stat: f.tree.Stat(node)}
	owner := f.tree.Owner(node)
	switch ttl, timed := tree.OwnerTTL(owner); {
	case timed:
		z.Kind, z.TTLMillis = TTLZnode, ttl
	case owner == tree.ContainerOwner:
		z.Kind = ContainerZnode
	case owner != 0:
		z.Kind = EphemeralZnode
	}
	return z
}

// EachChild calls fn with the names of the children of path, oldest first, until
// fn returns false. With after it begins behind the child of that name, which must
// have been created at or before the zxid since: one that was made again later
// stands at another place. found is false if there is no such child, or no znode at
// path; fn is not called then. Names share memory with the state: whoever keeps one
// clones it.
func (v View) EachChild(path, after string, since int64, fn func(name string) bool) (found bool) {
	t := v.f.tree
	parent := t.Lookup(path)
	if parent == tree.None {
		return false
	}
	c := t.FirstChild(parent)
	if after != "" {
		last := t.Child(parent, after)
		if last == tree.None || t.Czxid(last) > since {
			return false
		}
		c = t.NextSibling(last)
	}
	for c != tree.None && fn(t.Name(c)) {
		c = t.NextSibling(c)
	}
	return true
}

// Scanned is a znode that Scan has come by. It is valid during the call.
type Scanned struct {
	t    *tree.Tree
	node tree.Ref
}

// Name is the last component of its path. It shares memory with the state.
func (s Scanned) Name() string { return s.t.Name(s.node) }

// Path is its path.
func (s Scanned) Path() string { return s.t.Path(s.node) }

// DataLen is the length of its data in bytes, PathLen that of its path.
func (s Scanned) DataLen() int { return s.t.DataLen(s.node) }

// PathLen is the length of its path in bytes.
func (s Scanned) PathLen() int { return s.t.PathLen(s.node) }

// NumChildren is how many children it has.
func (s Scanned) NumChildren() int { return s.t.NumChildren(s.node) }

// Scan calls fn for the znodes of one step through all there are, in no order. It
// begins at 0; next is where to go on, 0 at the end. A znode that is there all the
// while is come by once, whatever changes between the steps.
func (v View) Scan(from uint32, step int, fn func(Scanned)) (next uint32) {
	t := v.f.tree
	return uint32(t.Scan(tree.Ref(from), step, func(r tree.Ref) { fn(Scanned{t, r}) }))
}

// EphemeralsOf lists the paths of a session's znodes, oldest first and max at most.
func (v View) EphemeralsOf(id protocol.SessionID, max int) (paths []string) {
	v.f.tree.EachEphemeral(int64(id), func(r tree.Ref) bool {
		if len(paths) == max {
			return false
		}
		paths = append(paths, v.f.tree.Path(r))
		return true
	})
	return paths
}

// NumEphemerals counts them.
func (v View) NumEphemerals(id protocol.SessionID) int { return v.f.tree.NumEphemerals(int64(id)) }

// Session returns the timeout of a session in ms and the connection that it
// belongs to; false if there is none.
func (v View) Session(id protocol.SessionID) (timeout int32, owner Owner, ok bool) {
	s := v.f.sessions[id]
	if s == nil {
		return 0, owner, false
	}
	return s.timeout, s.owner, true
}

// Quota is a quota: its limits, and what is used. A limit of -1 is none, and what
// is used is -1 where it cannot be told.
type Quota struct {
	Path                   string // of what it is on
	Count, Bytes           int64  // used
	CountLimit, BytesLimit int64  // soft
	CountHard, BytesHard   int64
}

// QuotaOf finds the quota that counts a path: the deepest on it or above it. False
// if there is none.
func (v View) QuotaOf(path string) (q Quota, ok bool) {
	t := v.f.tree
	at := t.Quota()
	top := ""
	for rest := strings.TrimPrefix(path, "/"); rest != "" && at != tree.None; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if at = t.Child(at, name); at == tree.None {
			break
		}
		top += "/" + name
		if found, has := v.quotaAt(at, top); has {
			q, ok = found, true
		}
	}
	return q, ok
}

// Quotas lists the quotas there are, of the first max znodes below QuotaPath.
func (v View) Quotas(max int) (all []Quota) {
	t := v.f.tree
	seen := 0
	var walk func(node tree.Ref, path string, depth int)
	walk = func(node tree.Ref, path string, depth int) {
		for c := t.FirstChild(node); c != tree.None && seen < max && depth < maxQuotaDepth; c = t.NextSibling(c) {
			seen++
			name := t.Name(c)
			if name == tree.LimitsName || name == tree.StatsName {
				continue
			}
			below := path + "/" + name
			if q, ok := v.quotaAt(c, below); ok {
				all = append(all, q)
			}
			walk(c, below, depth+1)
		}
	}
	walk(t.Quota(), "", 0)
	return all
}

// maxQuotaDepth bounds how deep Quotas looks: depth is up to clients.
const maxQuotaDepth = 100

// quotaAt reads the quota that a znode below QuotaPath stands for, if it has
// limits.
func (v View) quotaAt(node tree.Ref, path string) (q Quota, ok bool) {
	t := v.f.tree
	limits := t.Child(node, tree.LimitsName)
	if limits == tree.None {
		return q, false
	}
	q = Quota{Path: path, Count: -1, Bytes: -1, CountLimit: -1, BytesLimit: -1, CountHard: -1, BytesHard: -1}
	if u, readable := parseUsage(string(t.Data(limits))); readable {
		q.CountLimit, q.BytesLimit = u.count, u.bytes
		q.CountHard, q.BytesHard = u.other("countHardLimit"), u.other("byteHardLimit")
	}
	if stats := t.Child(node, tree.StatsName); stats != tree.None {
		if u, readable := parseUsage(string(t.Data(stats))); readable {
			q.Count, q.Bytes = u.count, u.bytes
		}
	}
	return q, true
}

// HasAll says whether a holder of ids has each of the permissions in need (an OR of
// protocol.Perm bits) on a znode; not if there is none.
func (v View) HasAll(path string, need int32, ids []protocol.ID, o Options) bool {
	node := v.lookup(path)
	if node == tree.None {
		return false
	}
	for rest := need; rest != 0; rest &= rest - 1 {
		if !o.Allowed(v.f.tree.ACL(node), rest&-rest, ids) {
			return false
		}
	}
	return true
}
