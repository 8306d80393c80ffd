package fsm

import (
	"strings"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// Excess is a limit that a write goes beyond. A hard one refuses the write.
type Excess struct {
	Path  string // what has the quota
	Bytes bool   // or else the count of znodes
	Hard  bool
	Used  int64 // after the write
	Limit int64
}

// overQuota says whether a write at path that adds so much may go on: ErrOK,
// ErrQuotaExceeded, or ErrMarshalling if the quota's znodes cannot be read
// (ZooKeeperServer.checkQuota). Where the origin does not enforce quotas nobody
// looks at limits, soft ones included.
//
// It goes by what was there before the request: a multi does not see its own
// changes, of use or of limits.
func (w *write) overQuota(path string, count, bytes int64) protocol.ErrCode {
	f := w.f
	if !w.req.Options.Has(EnforceQuota) || f.tree.NumChildren(f.tree.Quota()) == 0 && !f.quotas.changed() {
		return protocol.ErrOK
	}
	top, data := f.limitsOf(path)
	if top == "" {
		return protocol.ErrOK
	}
	statsData, ok := f.quotas.before(f.tree, tree.QuotaPath+top+"/"+tree.StatsName)
	if !ok {
		return protocol.ErrOK
	}
	limits, ok := parseUsage(string(data))
	if !ok || data == nil {
		return protocol.ErrMarshalling
	}
	for i, e := range [...]struct {
		growth     int64
		soft, hard int64
	}{
		{count, limits.count, limits.other("countHardLimit")},
		{bytes, limits.bytes, limits.other("byteHardLimit")},
	} {
		x := Excess{Path: top, Bytes: i == 1, Hard: e.hard >= 0, Limit: e.hard}
		if !x.Hard {
			x.Limit = e.soft
		}
		if e.growth == 0 || x.Limit < 0 {
			continue
		}
		stats, ok := parseUsage(string(statsData))
		if !ok || statsData == nil {
			return protocol.ErrMarshalling
		}
		x.Used = stats.count + count
		if x.Bytes {
			x.Used = stats.bytes + bytes
		}
		if x.Used <= x.Limit {
			continue
		}
		f.obs.OverQuota(&x)
		if x.Hard {
			return protocol.ErrQuotaExceeded
		}
	}
	return protocol.ErrOK
}

// limitsOf finds the deepest quota on path or above it: what has it, "" if
// nothing does, and the text of its limits.
func (f *FSM) limitsOf(path string) (top string, limits []byte) {
	for i := 1; i < len(path); {
		end := strings.IndexByte(path[i:], '/')
		if end < 0 {
			end = len(path)
		} else {
			end += i
		}
		data, ok := f.quotas.before(f.tree, tree.QuotaPath+path[:end]+"/"+tree.LimitsName)
		if ok {
			top, limits = path[:end], data
		}
		i = end + 1
	}
	return top, limits
}

// quotaImage keeps the znodes that quotas consist of as they were before the
// multi that changes them, for as long as that is being applied.
type quotaImage struct {
	on    bool
	nodes map[string]quotaNode
}

type quotaNode struct {
	data   []byte
	exists bool
}

// begin opens the image for a multi, if its origin enforces quotas; end closes it.
func (q *quotaImage) begin(enforced bool) { q.on = enforced }

func (q *quotaImage) end() {
	q.on = false
	clear(q.nodes)
}

func (q *quotaImage) keeps() bool   { return q.on }
func (q *quotaImage) changed() bool { return len(q.nodes) > 0 }

// keep must be called before a znode is made, changed or deleted.
func (q *quotaImage) keep(t *tree.Tree, path string) {
	if !q.on || !strings.HasPrefix(path, tree.QuotaPath+"/") ||
		!strings.HasSuffix(path, "/"+tree.LimitsName) && !strings.HasSuffix(path, "/"+tree.StatsName) {
		return
	}
	if _, kept := q.nodes[path]; kept {
		return
	}
	if q.nodes == nil {
		q.nodes = make(map[string]quotaNode)
	}
	data, exists := q.before(t, path)
	q.nodes[path] = quotaNode{data, exists}
}

// before returns a znode's data as it was before the multi; false if it was not
// there.
func (q *quotaImage) before(t *tree.Tree, path string) ([]byte, bool) {
	if n, kept := q.nodes[path]; kept {
		return n.data, n.exists
	}
	node := t.Lookup(path)
	if node == tree.None {
		return nil, false
	}
	return t.Data(node), true
}
