package console

import (
	"net/http"
	"strconv"

	"zooraft/fsm"
	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// stat is a Stat as JSON. Times are in ms since 1970.
type stat struct {
	Czxid          Hex   `json:"czxid"`
	Mzxid          Hex   `json:"mzxid"`
	Pzxid          Hex   `json:"pzxid"`
	Ctime          int64 `json:"ctime"`
	Mtime          int64 `json:"mtime"`
	Version        int32 `json:"version"`
	Cversion       int32 `json:"cversion"`
	Aversion       int32 `json:"aversion"`
	EphemeralOwner Hex   `json:"ephemeralOwner"`
	DataLength     int32 `json:"dataLength"`
	NumChildren    int32 `json:"numChildren"`
}

func statOf(s *protocol.Stat) stat {
	return stat{
		Hex(s.Czxid), Hex(s.Mzxid), Hex(s.Pzxid), s.Ctime, s.Mtime, s.Version, s.Cversion, s.Aversion,
		Hex(s.EphemeralOwner), s.DataLength, s.NumChildren,
	}
}

// entry is one entry of an ACL. Perms are letters of "cdrwa", in this order.
type entry struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

var permLetters = [...]struct {
	bit    int32
	letter byte
}{
	{protocol.PermCreate, 'c'}, {protocol.PermDelete, 'd'}, {protocol.PermRead, 'r'}, {protocol.PermWrite, 'w'}, {protocol.PermAdmin, 'a'},
}

func entries(list []protocol.ACL) []entry {
	all := make([]entry, len(list))
	for i := range list {
		perms := make([]byte, 0, len(permLetters))
		for _, p := range permLetters {
			if list[i].Perms&p.bit != 0 {
				perms = append(perms, p.letter)
			}
		}
		all[i] = entry{list[i].Scheme, list[i].ID, string(perms)}
	}
	return all
}

// quota is a quota as JSON; null stands for a limit that there is not, and for
// what cannot be told.
type quota struct {
	Path       string `json:"path"` // of what it is on
	Count      *int64 `json:"count"`
	Bytes      *int64 `json:"bytes"`
	CountLimit *int64 `json:"countLimit"` // soft
	BytesLimit *int64 `json:"bytesLimit"`
	CountHard  *int64 `json:"countHardLimit"`
	BytesHard  *int64 `json:"bytesHardLimit"`
}

func quotaOf(q *fsm.Quota) *quota {
	some := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return &quota{q.Path, some(q.Count), some(q.Bytes), some(q.CountLimit), some(q.BytesLimit), some(q.CountHard), some(q.BytesHard)}
}

// watchCounts are how many of this server's connections watch a znode.
type watchCounts struct {
	Data      int `json:"data"`      // its data, or that it exists
	Children  int `json:"children"`  // its children
	Recursive int `json:"recursive"` // it and all below it
}

// node is all there is to know of a znode.
type node struct {
	Path      string       `json:"path"`
	Data      []byte       `json:"data"` // null if it is
	Size      int          `json:"size"` // bytes of data
	Stat      stat         `json:"stat"`
	ACL       []entry      `json:"acl"`
	Type      string       `json:"type"` // persistent, ephemeral, container or ttl
	TTLMillis int64        `json:"ttlMillis,omitempty"`
	Quota     *quota       `json:"quota"`
	Watches   *watchCounts `json:"watches"`
	// MaxBuffer is the size in bytes of the largest request taken, and Frame that
	// of the reply that carries this znode's data.
	MaxBuffer int `json:"maxBuffer"`
	Frame     int `json:"frame"`
}

// frameOverhead is what a reply with a znode's data is longer than that, in bytes:
// its header, the length of the data, and the Stat.
const frameOverhead = 4 + 16 + 4 + 68

// look reads a znode; nil if there is none.
func (c *Console) look(path string) *node {
	var z fsm.Znode
	var q fsm.Quota
	var ok, limited bool
	c.state.View(func(v fsm.View) {
		if z, ok = v.Znode(path); ok {
			q, limited = v.QuotaOf(path)
		}
	})
	if !ok {
		return nil
	}
	n := &node{
		Path: path, Data: z.Data, Size: len(z.Data), Stat: statOf(&z.Stat), ACL: entries(z.ACL), Type: z.Kind.String(), TTLMillis: z.TTLMillis,
		MaxBuffer: c.cfg.MaxBuffer, Frame: len(z.Data) + frameOverhead,
	}
	if limited {
		n.Quota = quotaOf(&q)
	}
	n.Watches = new(watchCounts)
	n.Watches.Data, n.Watches.Children, n.Watches.Recursive = c.state.Watches().Count(path)
	n.Watches.Recursive = max(n.Watches.Recursive-c.streams.watching(path), 0)
	return n
}

func (c *Console) node(w http.ResponseWriter, r *http.Request, _ *session) {
	path, ok := pathOf(w, r)
	if !ok {
		return
	}
	n := c.look(path)
	if n == nil {
		noNode(w, path)
		return
	}
	answer(w, n)
}

// pathOf is the path that a request names. One that breaks the rules is answered.
func pathOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	path := r.URL.Query().Get("path")
	if err := tree.ValidatePath(path); err != nil {
		fail(w, http.StatusBadRequest, "BadArguments", err.Error())
		return "", false
	}
	return path, true
}

func noNode(w http.ResponseWriter, path string) {
	fail(w, http.StatusNotFound, protocol.ErrNoNode.Name(), "there is no znode "+path)
}

// number reads a number of a query, from low to high, or def without one.
func number(w http.ResponseWriter, r *http.Request, name string, def, low, high int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return def, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low {
		fail(w, http.StatusBadRequest, "BadArguments", name+": give a number of "+strconv.Itoa(low)+" or more")
		return 0, false
	}
	return min(n, high), true
}

// How many children one answer has.
const (
	someChildren = 500
	mostChildren = 2000
)

// child is what the tree shows of a znode beside its name.
type child struct {
	Name        string `json:"name"`
	NumChildren int32  `json:"numChildren"`
	Size        int    `json:"size"`
	Type        string `json:"type"`
	Ephemeral   bool   `json:"ephemeral"`
}

// childList is a part of the children of a znode, by name. Total and what has
// become of them need not be of one moment: see lists.
type childList struct {
	Path     string `json:"path"`
	Total    int    `json:"total"`
	Cversion int32  `json:"cversion"` // as the list was when it was read
	Pzxid    Hex    `json:"pzxid"`
	From     int    `json:"from"`
	// Index is the place of the first name that is not before the one that was
	// sought.
	Index    *int    `json:"index,omitempty"`
	Children []child `json:"children"`
}

// detailStep is how many children are looked at under one hold of the state lock.
const detailStep = 100

// children answers with a part of the list: count of them from an index, or around
// the name that is sought.
func (c *Console) children(w http.ResponseWriter, r *http.Request, _ *session) {
	path, ok := pathOf(w, r)
	if !ok {
		return
	}
	from, ok := number(w, r, "from", 0, 0, 1<<31-1)
	if !ok {
		return
	}
	count, ok := number(w, r, "count", someChildren, 1, mostChildren)
	if !ok {
		return
	}
	l, ok := c.lists.get(path)
	if !ok {
		noNode(w, path)
		return
	}
	var index *int
	if q := r.URL.Query(); q.Has("seek") {
		i := l.seek(q.Get("seek"))
		index, from = &i, max(0, i-count/2)
	}
	from = min(from, l.len())
	count = min(count, l.len()-from)
	answer(w, childList{
		Path: path, Total: l.len(), Cversion: l.cversion, Pzxid: Hex(l.pzxid), From: from, Index: index, Children: c.details(path, l, from, count),
	})
}

// details looks at a part of a list's children. Those that have gone since it was
// read are left out.
func (c *Console) details(path string, l *list, from, count int) []child {
	all := make([]child, 0, count)
	for i := 0; i < count; i += detailStep {
		c.state.View(func(v fsm.View) {
			for j := i; j < min(i+detailStep, count); j++ {
				name := l.name(from + j)
				if z, ok := v.Znode(join(path, name)); ok {
					all = append(all, child{
						Name: name, NumChildren: z.Stat.NumChildren, Size: len(z.Data), Type: z.Kind.String(), Ephemeral: z.Kind == fsm.EphemeralZnode,
					})
				}
			}
		})
	}
	return all
}

// join is the path of a child.
func join(parent, name string) string {
	if parent == tree.RootPath {
		return "/" + name
	}
	return parent + "/" + name
}
