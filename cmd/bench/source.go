package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"zooraft/protocol"
)

// Workloads returns the names of all workloads.
func Workloads() []string {
	return []string{Get, Exists, Set, Create, Delete, Children, Mixed, Ephemeral, Sequential, Multi, Sync, Connect, Watch, Idle, Fill}
}

// leavesPerNode is how many keys stand below one znode, so that a million of
// them make no list of a million children.
const leavesPerNode = 1000

// keyPath is where a key stands: eight digits, the last three of them the
// znode's name in its directory.
func keyPath(root string, n int) string {
	return fmt.Sprintf("%s/%05d/%03d", root, n/leavesPerNode, n%leavesPerNode)
}

// ownPath is the n-th znode of a connection, below one of its own.
func ownPath(root string, conn, n int) string {
	return fmt.Sprintf("%s/%08d/%08d", root, conn, n)
}

// kindsOf names what a workload's operations are, in the order of kind.
func kindsOf(workload string) []kindSpec {
	switch workload {
	case Mixed:
		return []kindSpec{{name: Get}, {name: Set}}
	case Ephemeral:
		return []kindSpec{{name: Create}, {name: Delete}}
	case Connect:
		return []kindSpec{{name: Connect}, {"open", true}, {"close", true}}
	case Watch:
		return []kindSpec{{name: "event"}, {Set, true}, {"re-set", true}}
	case Idle:
		return []kindSpec{{name: "ping"}}
	}
	return []kindSpec{{name: workload}}
}

// sources makes the sources of a run's connections, which share templates.
type sources struct {
	w         Workload
	seed      uint64
	pick      *skew // nil is uniform
	templates []*template
	shared    *atomic.Int64 // delete and fill: keys taken
}

func newSources(w Workload, root string, seed uint64) *sources {
	s := &sources{w: w, seed: seed, shared: new(atomic.Int64)}
	if w.Hot > 0 {
		s.pick = newSkew(w.Keys, w.Hot)
	}
	value := s.value()
	add := func(op protocol.OpCode, encode func(n int) record) {
		s.templates = append(s.templates, newTemplate(op, encode))
	}
	read := func(n int) record { return &protocol.PathWatchRequest{Path: keyPath(root, n)} }
	set := func(n int) record { return &protocol.SetDataRequest{Path: keyPath(root, n), Data: value, Version: -1} }
	create := func(path string, flags int32) record {
		return &protocol.CreateRequest{Path: path, Data: value, ACL: protocol.OpenACL, Flags: flags}
	}
	switch w.Name {
	case Get:
		add(protocol.OpGetData, read)
	case Exists:
		add(protocol.OpExists, read)
	case Set:
		add(protocol.OpSetData, set)
	case Mixed:
		add(protocol.OpGetData, read)
		add(protocol.OpSetData, set)
	case Children:
		add(protocol.OpGetChildren2, read)
	case Sync:
		add(protocol.OpSync, func(n int) record { return &protocol.SyncRequest{Path: keyPath(root, n)} })
	case Create:
		add(protocol.OpCreate, func(n int) record { return create(ownPath(root, n, n), protocol.CreateModePersistent) })
	case Ephemeral:
		add(protocol.OpCreate, func(n int) record { return create(ownPath(root, n, n), protocol.CreateModeEphemeral) })
		add(protocol.OpDelete, func(n int) record { return &protocol.DeleteRequest{Path: ownPath(root, n, n), Version: -1} })
	case Sequential:
		add(protocol.OpCreate, func(int) record { return create(root+"/n-", protocol.CreateModePersistentSequential) })
	case Multi:
		add(protocol.OpMulti, func(n int) record {
			m := make(multi, w.Batch)
			for i := range m {
				m[i] = protocol.MultiOp{Type: protocol.OpSetData, SetData: *set(n).(*protocol.SetDataRequest)}
			}
			return m
		})
	case Delete:
		add(protocol.OpDelete, func(n int) record { return &protocol.DeleteRequest{Path: keyPath(root, n), Version: -1} })
	case Fill:
		add(protocol.OpCreate, func(n int) record { return create(keyPath(root, n), protocol.CreateModePersistent) })
	}
	return s
}

// multi is the body of a multi.
type multi []protocol.MultiOp

func (m multi) Append(b []byte) []byte { return protocol.AppendMulti(b, m) }

// value is what all znodes of a run hold: bytes that do not compress.
func (s *sources) value() []byte {
	b := make([]byte, s.w.Size)
	r := rand.New(rand.NewPCG(s.seed, math.MaxUint64))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// replyBytes is about how long the reply to a request is.
func (s *sources) replyBytes() int {
	const head, stat = lengthBytes + headerBytes, 68
	switch s.w.Name {
	case Get, Mixed, Watch:
		return head + 4 + s.w.Size + stat
	case Children:
		return head + 4 + 12*s.w.Children + stat
	case Multi:
		return head + 9 + s.w.Batch*(9+stat)
	case Create, Ephemeral, Sequential, Fill:
		return head + 100
	case Idle:
		return head
	}
	return head + stat
}

// of returns the source of a connection.
func (s *sources) of(conn int) source {
	r := rand.New(rand.NewPCG(s.seed, uint64(conn)))
	switch s.w.Name {
	case Mixed:
		return &mixedSource{sources: s, rand: r}
	case Multi:
		return &multiSource{sources: s, rand: r}
	case Create, Ephemeral:
		return &ownSource{sources: s, conn: uint64(conn)}
	case Sequential:
		return &fixedSource{sources: s}
	case Idle:
		return nothing{}
	case Delete, Fill:
		return &sharedSource{sources: s}
	}
	return &keySource{sources: s, rand: r}
}

func (s *sources) key(r *rand.Rand) uint64 {
	if s.pick != nil {
		return s.pick.key(r)
	}
	return r.Uint64N(uint64(s.w.Keys))
}

// numbered appends a request with one number.
func numbered(t *template, out []byte, xid int32, n uint64) []byte {
	out = t.append(out, xid)
	t.set(out, 0, n)
	return out
}

// keySource asks for one key after another, chosen at random.
type keySource struct {
	*sources
	rand *rand.Rand
}

func (s *keySource) next(out []byte, xid int32) ([]byte, kind, bool) {
	return numbered(s.templates[0], out, xid, s.key(s.rand)), 0, true
}

// mixedSource reads or writes a key.
type mixedSource struct {
	*sources
	rand *rand.Rand
}

func (s *mixedSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	k := kind(1)
	if s.rand.Float64() < s.w.ReadShare {
		k = 0
	}
	return numbered(s.templates[k], out, xid, s.key(s.rand)), k, true
}

// multiSource changes several keys at once.
type multiSource struct {
	*sources
	rand *rand.Rand
}

func (s *multiSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	t := s.templates[0]
	out = t.append(out, xid)
	for i := range t.at {
		t.set(out, i, s.key(s.rand))
	}
	return out, 0, true
}

// ownSource makes one znode after another below the connection's own, and with
// two templates deletes each behind its creation. No name comes twice: whether
// a request that was lost with its connection was executed does not matter.
type ownSource struct {
	*sources
	conn uint64
	n    uint64 // requests made
}

func (s *ownSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	steps := uint64(len(s.templates))
	k, n := s.n%steps, s.n/steps
	if n >= maxKeys {
		return out, 0, false
	}
	s.n++
	t := s.templates[k]
	out = t.append(out, xid)
	t.set(out, 0, s.conn)
	t.set(out, 1, n)
	return out, kind(k), true
}

// nothing makes no request.
type nothing struct{}

func (nothing) next(out []byte, _ int32) ([]byte, kind, bool) { return out, 0, false }

// fixedSource sends the same request again and again.
type fixedSource struct{ *sources }

func (s *fixedSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	return s.templates[0].append(out, xid), 0, true
}

// sharedSource takes each key once, whichever connection comes first.
type sharedSource struct{ *sources }

func (s *sharedSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	n := s.shared.Add(1) - 1
	if n >= int64(s.w.Keys) {
		return out, 0, false
	}
	return numbered(s.templates[0], out, xid, uint64(n)), 0, true
}
