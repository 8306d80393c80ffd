package tree

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zooraft/protocol"
)

// model is the dumb second implementation: a map from path to record.
type model struct {
	nodes map[string]*record
	eph   map[int64][]string // paths by owner, oldest first
}

type record struct {
	data     []byte
	null     bool
	acl      []protocol.ACL
	stat     protocol.Stat // NumChildren, Cversion, DataLength unset
	owner    int64
	created  int32
	children []string
}

func newModel() *model {
	open := protocol.OpenACL
	return &model{
		nodes: map[string]*record{
			"/":                 {acl: open, children: []string{"zookeeper"}},
			"/zookeeper":        {acl: open, children: []string{"quota", "config"}},
			"/zookeeper/quota":  {acl: open},
			"/zookeeper/config": {acl: []protocol.ACL{{Perms: 1, Scheme: "world", ID: "anyone"}}, stat: protocol.Stat{Aversion: -1}},
		},
		eph: map[int64][]string{},
	}
}

func (m *model) clone() *model {
	c := &model{nodes: map[string]*record{}, eph: map[int64][]string{}}
	for path, r := range m.nodes {
		r := *r
		r.children = slices.Clone(r.children)
		c.nodes[path] = &r
	}
	for owner, paths := range m.eph {
		c.eph[owner] = slices.Clone(paths)
	}
	return c
}

func join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

func (m *model) create(parent, name string, data []byte, acl []protocol.ACL, owner, zxid, now int64) {
	p := m.nodes[parent]
	p.children = append(p.children, name)
	p.created++
	p.stat.Pzxid = zxid
	path := join(parent, name)
	m.nodes[path] = &record{
		data: slices.Clone(data), null: data == nil, acl: acl, owner: owner,
		stat: protocol.Stat{Czxid: zxid, Mzxid: zxid, Pzxid: zxid, Ctime: now, Mtime: now},
	}
	if owner != 0 {
		m.eph[owner] = append(m.eph[owner], path)
	}
}

func (m *model) delete(path string, zxid int64) {
	parent, name := splitPath(path)
	p := m.nodes[parent]
	p.children = slices.DeleteFunc(p.children, func(s string) bool { return s == name })
	p.stat.Pzxid = zxid
	owner := m.nodes[path].owner
	if m.eph[owner] = slices.DeleteFunc(m.eph[owner], func(s string) bool { return s == path }); len(m.eph[owner]) == 0 {
		delete(m.eph, owner)
	}
	delete(m.nodes, path)
}

func (m *model) setData(path string, data []byte, zxid, now int64) {
	r := m.nodes[path]
	r.data, r.null = slices.Clone(data), data == nil
	r.stat.Version++
	r.stat.Mzxid, r.stat.Mtime = zxid, now
}

// compare checks that tr shows exactly what m says.
func (m *model) compare(tr *Tree) error {
	size, ephemerals := int64(0), 0
	for path, rec := range m.nodes {
		r := tr.Lookup(path)
		if r == None {
			return fmt.Errorf("%q is missing", path)
		}
		if got := tr.Path(r); got != path {
			return fmt.Errorf("Path(Lookup(%q)) = %q", path, got)
		}
		stat := rec.stat
		stat.NumChildren = int32(len(rec.children))
		stat.Cversion = 2*rec.created - stat.NumChildren
		stat.DataLength = int32(len(rec.data))
		if IsEphemeralOwner(rec.owner) {
			stat.EphemeralOwner = rec.owner
			ephemerals++
		}
		if got := tr.Stat(r); got != stat {
			return fmt.Errorf("Stat(%q)\n got %+v\nwant %+v", path, got, stat)
		}
		if got := tr.Data(r); !bytes.Equal(got, rec.data) || (got == nil) != rec.null {
			return fmt.Errorf("Data(%q) = %q (null %v), want %q (null %v)", path, got, got == nil, rec.data, rec.null)
		}
		if got := tr.ACL(r); !reflect.DeepEqual(got, rec.acl) {
			return fmt.Errorf("ACL(%q) = %v, want %v", path, got, rec.acl)
		}
		if tr.Owner(r) != rec.owner || tr.NextSequence(r) != rec.created {
			return fmt.Errorf("%q: owner %#x, next sequence %d; want %#x, %d", path, tr.Owner(r), tr.NextSequence(r), rec.owner, rec.created)
		}
		var names []string
		tr.EachChild(r, func(name string) bool { names = append(names, name); return true })
		if !slices.Equal(names, rec.children) {
			return fmt.Errorf("children of %q: %q, want %q", path, names, rec.children)
		}
		if parent, name := splitPath(path); path != "/" && (tr.Path(tr.Parent(r)) != parent || tr.Child(tr.Parent(r), name) != r) {
			return fmt.Errorf("parent of %q is %q", path, tr.Path(tr.Parent(r)))
		}
		size += int64(len(path) + len(rec.data))
	}
	for owner, paths := range m.eph {
		if !IsEphemeralOwner(owner) {
			continue
		}
		if got := tr.EphemeralsOf(owner); !slices.Equal(got, paths) {
			return fmt.Errorf("EphemeralsOf(%#x) = %q, want %q", owner, got, paths)
		}
	}
	sessions := slices.DeleteFunc(slices.Sorted(maps.Keys(m.eph)), func(o int64) bool { return !IsEphemeralOwner(o) })
	if got := tr.EphemeralSessions(); !slices.Equal(got, sessions) {
		return fmt.Errorf("EphemeralSessions() = %d, want %d", got, sessions)
	}
	var containers []string
	tr.EachContainerFrom(None, func(r Ref) bool { containers = append(containers, tr.Path(r)); return true })
	if !slices.Equal(containers, m.eph[ContainerOwner]) {
		return fmt.Errorf("containers %q, want %q", containers, m.eph[ContainerOwner])
	}
	for i, path := range containers {
		first := ""
		tr.EachContainerFrom(tr.Lookup(path), func(r Ref) bool { first = tr.Path(r); return false })
		if first != path {
			return fmt.Errorf("containers from %q, number %d, on: the first is %q", path, i, first)
		}
	}
	whole := 0
	tr.EachContainerFrom(Root, func(Ref) bool { whole++; return true }) // which is none
	if whole != len(containers) {
		return fmt.Errorf("%d containers from a node that is none, want %d", whole, len(containers))
	}
	if tr.Quota() != tr.Lookup(QuotaPath) {
		return fmt.Errorf("Quota() = %d, want %d", tr.Quota(), tr.Lookup(QuotaPath))
	}
	if tr.NodeCount() != len(m.nodes) || tr.EphemeralCount() != ephemerals || tr.ApproximateDataSize() != size || tr.Descendants(Root) != len(m.nodes)-1 {
		return fmt.Errorf("%d nodes, %d ephemerals, size %d, %d descendants; want %d, %d, %d", tr.NodeCount(), tr.EphemeralCount(),
			tr.ApproximateDataSize(), tr.Descendants(Root), len(m.nodes), ephemerals, size)
	}
	return nil
}

// checkInvariants checks what the comments of the package promise of its insides.
func checkInvariants(t *testing.T, tr *Tree) {
	t.Helper()
	refs := make([]int64, len(tr.acls.refs))
	refs[openACL]++
	indexed, owned, inUse := 0, 0, 0
	for w, word := range tr.used.levels[0] {
		for i := range 64 {
			r := Ref(w<<6 + i)
			if r == None {
				continue
			}
			if word&(1<<i) == 0 {
				if int(r>>chunkBits) < len(tr.chunks) && tr.chunks[r>>chunkBits] != nil && tr.imageAt(r) != (image{}) {
					t.Fatalf("free slot %d is not empty", r)
				}
				continue
			}
			inUse++
			n := tr.at(r)
			refs[n.acl]++
			if n.owner != 0 {
				owned++
			}
			if tr.Lookup(tr.Path(r)) != r {
				t.Fatalf("slot %d (%q) is not found", r, tr.Path(r))
			}
			prev := None
			for c := n.first; c != None; c = tr.at(c).next {
				if tr.at(c).parent != r || c != n.first && tr.at(c).prev != prev {
					t.Fatalf("child %d of %d: parent %d, prev %d, want prev %d", c, r, tr.at(c).parent, tr.at(c).prev, prev)
				}
				prev = c
			}
			if n.first != None && tr.at(n.first).prev != prev {
				t.Fatalf("first child of %d: prev %d, want the last, %d", r, tr.at(n.first).prev, prev)
			}
		}
	}
	if inUse != tr.NodeCount() {
		t.Fatalf("%d slots in use, %d nodes", inUse, tr.NodeCount())
	}
	for hash, r := range tr.index {
		if r == None {
			t.Fatalf("an empty list of hash %#x", hash)
		}
		for ; r != None; r = tr.at(r).hashNext {
			if got := tr.at(r).hash; got != hash {
				t.Fatalf("node %d has hash %#x and is with those of %#x", r, got, hash)
			}
			indexed++
		}
	}
	if indexed != inUse-1 {
		t.Fatalf("%d nodes indexed, want %d", indexed, inUse-1)
	}
	for key, list := range tr.owners {
		prev, count := None, 0
		for r := list.first; r != None; r = tr.at(r).ownerNext {
			if tr.at(r).ownerPrev != prev || ownerKey(tr.at(r).owner) != key {
				t.Fatalf("owner %#x: node %d has prev %d, owner %#x", key, r, tr.at(r).ownerPrev, tr.at(r).owner)
			}
			prev = r
			count++
		}
		if list.last != prev || list.count != count || count == 0 {
			t.Fatalf("owner %#x: %+v, found %d, last %d", key, list, count, prev)
		}
		owned -= count
	}
	if owned != 0 {
		t.Fatalf("%d owned nodes in no list", owned)
	}
	if !slices.Equal(refs, tr.acls.refs) {
		t.Fatalf("ACL references %d, want %d", tr.acls.refs, refs)
	}
	live := 0
	for id, n := range refs {
		if has := tr.acls.used.has(uint32(id)); has != (n > 0) || has != (tr.acls.lists[id] != nil) {
			t.Fatalf("ACL %d has %d references, in use %v, list %v", id, n, has, tr.acls.lists[id])
		}
		if n > 0 {
			live++
		}
	}
	if live != len(tr.acls.byText) {
		t.Fatalf("%d ACLs in use, %d in the table", live, len(tr.acls.byText))
	}
}

// player makes random changes to a tree and its model.
type player struct {
	rng   *rand.Rand
	tree  *Tree
	model *model
	paths []string // those that may go, some gone already
	zxid  int64
	owned []int64
}

func newPlayer(seed uint64) *player {
	return &player{
		rng: rand.New(rand.NewPCG(seed, 1)), tree: New(), model: newModel(),
		owned: []int64{0, 0, 0, 1, 2, -5, ContainerOwner, TTLOwner(77)},
	}
}

func (p *player) data() []byte {
	switch p.rng.IntN(4) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	b := make([]byte, p.rng.IntN(40))
	for i := range b {
		b[i] = byte(p.rng.Uint32())
	}
	return b
}

func (p *player) acl() []protocol.ACL {
	if p.rng.IntN(2) == 0 {
		return protocol.OpenACL
	}
	list := make([]protocol.ACL, 1+p.rng.IntN(2))
	for i := range list {
		list[i] = protocol.ACL{Perms: int32(p.rng.IntN(4)), Scheme: "digest", ID: fmt.Sprint("u:", p.rng.IntN(3)), NullID: p.rng.IntN(8) == 0}
	}
	return list
}

// pick returns a node that the player made, or "".
func (p *player) pick() string {
	for len(p.paths) > 0 {
		i := p.rng.IntN(len(p.paths))
		if path := p.paths[i]; p.model.nodes[path] != nil {
			return path
		}
		p.paths[i] = p.paths[len(p.paths)-1]
		p.paths = p.paths[:len(p.paths)-1]
	}
	return ""
}

// step makes one change; grow is the chance, of 10, that it is a creation.
func (p *player) step(grow int) {
	p.zxid++
	now := p.zxid * 3
	if p.rng.IntN(10) < grow {
		parent := "/"
		if p.rng.IntN(4) > 0 {
			if path := p.pick(); path != "" && !IsEphemeralOwner(p.model.nodes[path].owner) {
				parent = path
			}
		}
		name := fmt.Sprintf("n%03d", p.rng.IntN(300))
		if p.rng.IntN(5) == 0 {
			name = fmt.Sprintf("seq-%010d", p.tree.NextSequence(p.tree.Lookup(parent)))
		}
		path := join(parent, name)
		if p.model.nodes[path] != nil {
			return
		}
		data, acl, owner := p.data(), p.acl(), p.owned[p.rng.IntN(len(p.owned))]
		p.tree.Create(p.tree.Lookup(parent), name, data, acl, owner, p.zxid, now)
		p.model.create(parent, name, data, acl, owner, p.zxid, now)
		p.paths = append(p.paths, path)
		return
	}
	path := p.pick()
	if path == "" {
		return
	}
	r := p.tree.Lookup(path)
	switch p.rng.IntN(6) {
	case 0:
		data := p.data()
		p.tree.SetData(r, data, p.zxid, now)
		p.model.setData(path, data, p.zxid, now)
	case 1:
		acl := p.acl()
		p.tree.SetACL(r, acl)
		p.model.nodes[path].acl = acl
		p.model.nodes[path].stat.Aversion++
	case 2:
		data := p.data()
		p.tree.SetConfig(data, p.zxid, now)
		p.model.setData(ConfigPath, data, p.zxid, now)
		p.model.nodes[ConfigPath].stat.Version = -1
		p.tree.ReplaceData(r, data)
		p.model.nodes[path].data, p.model.nodes[path].null = data, data == nil
	default:
		if len(p.model.nodes[path].children) == 0 {
			p.tree.Delete(r, p.zxid)
			p.model.delete(path, p.zxid)
		}
	}
}

// multi makes some changes in one transaction, and takes back half of those.
func (p *player) multi(grow int) {
	before := p.model.clone()
	p.tree.Begin()
	for range 1 + p.rng.IntN(12) {
		p.step(grow)
	}
	if p.rng.IntN(2) == 0 {
		p.tree.Commit()
		return
	}
	p.tree.Rollback()
	for path := range p.model.nodes {
		delete(p.model.nodes, path)
	}
	p.model = before
	p.paths = p.paths[:0]
	for path := range before.nodes {
		if !IsSystem(path) {
			p.paths = append(p.paths, path)
		}
	}
	slices.Sort(p.paths) // the seed decides, not the map
}

func TestAgainstModel(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		p := newPlayer(seed)
		if seed%2 == 0 {
			p.tree = newHashed(0x1f) // of no consequence but for speed
		}
		for i := range 3000 {
			grow := 5
			if i/700%2 == 1 {
				grow = 2
			}
			if p.rng.IntN(20) == 0 {
				p.multi(grow)
			} else {
				p.step(grow)
			}
			if i%250 == 0 {
				if err := p.model.compare(p.tree); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, i, err)
				}
				checkInvariants(t, p.tree)
			}
		}
		if err := p.model.compare(p.tree); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkInvariants(t, p.tree)
	}
}

// TestRollbackLeavesNoTrace compares snapshots, which show slots and orders too.
func TestRollbackLeavesNoTrace(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		p := newPlayer(seed)
		for range 400 {
			p.step(6)
		}
		before := snapshotBytes(t, p.tree)
		digest, next := p.tree.Digest(), p.tree.used.lowest()
		saved := p.model.clone()
		p.tree.Begin()
		// Enough to empty chunks and fill new ones.
		for range 4000 {
			p.step(1)
		}
		for range 3000 {
			p.step(10)
		}
		if p.tree.Digest() == digest {
			t.Fatalf("seed %d: nothing has changed", seed)
		}
		p.tree.Rollback()
		if err := saved.compare(p.tree); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkInvariants(t, p.tree)
		if !bytes.Equal(snapshotBytes(t, p.tree), before) || p.tree.used.lowest() != next || p.tree.Digest() != digest {
			t.Fatalf("seed %d: the snapshot after Rollback differs from the one before Begin", seed)
		}
	}
}

func TestDigest(t *testing.T) {
	base := func() *Tree {
		tr := New()
		a := tr.Create(Root, "a", []byte("x"), protocol.OpenACL, 0, 1, 1)
		tr.Create(a, "b", []byte{}, protocol.OpenACL, 5, 2, 2)
		tr.Create(a, "c", nil, protocol.OpenACL, 0, 2, 2)
		return tr
	}
	want := base().Digest()
	if got := base().Digest(); got != want {
		t.Fatalf("equal trees: %#x and %#x", got, want)
	}
	other := New()
	a := other.Create(Root, "a", []byte("x"), protocol.OpenACL, 0, 1, 1)
	other.Create(a, "c", nil, protocol.OpenACL, 0, 2, 2)
	other.Create(a, "b", []byte{}, protocol.OpenACL, 5, 2, 2)
	if got := other.Digest(); got != want {
		t.Errorf("other order of creation: %#x, want %#x", got, want)
	}
	for name, change := range map[string]func(*Tree, *node){
		"czxid":    func(_ *Tree, n *node) { n.czxid++ },
		"mzxid":    func(_ *Tree, n *node) { n.mzxid++ },
		"pzxid":    func(_ *Tree, n *node) { n.pzxid++ },
		"ctime":    func(_ *Tree, n *node) { n.ctime++ },
		"mtime":    func(_ *Tree, n *node) { n.mtime++ },
		"owner":    func(_ *Tree, n *node) { n.owner++ },
		"version":  func(_ *Tree, n *node) { n.version++ },
		"aversion": func(_ *Tree, n *node) { n.aversion++ },
		"created":  func(_ *Tree, n *node) { n.created++ },
		"null":     func(_ *Tree, n *node) { n.dataLen = nullData },
		"data":     func(tr *Tree, _ *node) { tr.ReplaceData(tr.Lookup("/a/b"), []byte("y")) },
		"acl":      func(tr *Tree, n *node) { tr.SetACL(tr.Lookup("/a/b"), nil); n.aversion-- },
		"name":     func(tr *Tree, n *node) { tr.chunks[0].blobs[tr.Lookup("/a/b")] = newBlob("B", nil) },
	} {
		tr := base()
		change(tr, tr.at(tr.Lookup("/a/b")))
		if tr.Digest() == want {
			t.Errorf("%s: the digest does not tell", name)
		}
	}
}

// TestSameCallsSameBytes is the promise that replicas rely on.
func TestSameCallsSameBytes(t *testing.T) {
	one, two := newPlayer(3), newPlayer(3)
	for range 2000 {
		one.step(5)
		two.step(5)
	}
	if !bytes.Equal(snapshotBytes(t, one.tree), snapshotBytes(t, two.tree)) {
		t.Error("snapshots differ")
	}
	if one.tree.Digest() != two.tree.Digest() {
		t.Error("digests differ")
	}
}

func TestDeepTree(t *testing.T) {
	const depth = 5000
	tr := New()
	r := Root
	for range depth {
		r = tr.Create(r, "d", nil, protocol.OpenACL, 0, 1, 1)
	}
	path := strings.Repeat("/d", depth)
	if got := tr.Path(r); got != path || tr.Lookup(path) != r {
		t.Fatalf("path of %d bytes, want %d", len(got), len(path))
	}
	if got := tr.Descendants(Root); got != depth+3 {
		t.Errorf("Descendants = %d, want %d", got, depth+3)
	}
	back, err := Read(bytes.NewReader(snapshotBytes(t, tr)))
	if err != nil {
		t.Fatal(err)
	}
	if back.Digest() != tr.Digest() {
		t.Error("digests differ after a restore")
	}
}

// splitPath cuts a path at its last slash, for a node and the name it has below its
// parent. The parent of "/a" is "/"; the root gives "/" and "".
func splitPath(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i == 0 {
		return RootPath, path[1:]
	}
	return path[:max(i, 0)], path[i+1:]
}
