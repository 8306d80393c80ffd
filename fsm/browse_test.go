package fsm

import (
	"slices"
	"testing"

	"zooraft/fsm/tree"
	"zooraft/protocol"
)

// What looks at the state from inside sees what clients see.
func TestBrowse(t *testing.T) {
	m := newMachine(t)
	const id = protocol.SessionID(100)
	m.open(id, 1)
	for _, path := range []string{"/a", "/a/1", "/a/2", "/a/3"} {
		m.create(path, protocol.CreateModePersistent)
	}
	m.create("/e1", protocol.CreateModeEphemeral)
	m.create("/e2", protocol.CreateModeEphemeral)
	m.f.View(func(v View) {
		z, ok := v.Znode("/a")
		if !ok || string(z.Data) != "x" || z.Stat.NumChildren != 3 || z.Kind != PersistentZnode || len(z.ACL) != 1 {
			t.Errorf("/a: %+v %v", z, ok)
		}
		if z, _ := v.Znode("/e1"); z.Kind != EphemeralZnode || z.Stat.EphemeralOwner != int64(id) {
			t.Errorf("/e1: %+v", z)
		}
		if _, ok := v.Znode("/none"); ok {
			t.Error("/none is there")
		}
		var names []string
		each := func(name string) bool { names = append(names, name); return true }
		if !v.EachChild("/a", "", 0, each) || !slices.Equal(names, []string{"1", "2", "3"}) {
			t.Errorf("children %q", names)
		}
		names = nil
		if !v.EachChild("/a", "1", v.LastZxid(), each) || !slices.Equal(names, []string{"2", "3"}) {
			t.Errorf("children behind 1: %q", names)
		}
		if v.EachChild("/a", "1", 1, each) || v.EachChild("/a", "9", v.LastZxid(), each) || v.EachChild("/none", "", 0, each) {
			t.Error("found behind one that is too young, behind none, or of none")
		}
		if got := v.EphemeralsOf(id, 9); !slices.Equal(got, []string{"/e1", "/e2"}) || v.NumEphemerals(id) != 2 {
			t.Errorf("ephemerals %q", got)
		}
		if got := v.EphemeralsOf(id, 1); len(got) != 1 {
			t.Errorf("one ephemeral: %q", got)
		}
		if v.NumEphemerals(0) != 0 || v.NumEphemerals(protocol.SessionID(tree.ContainerOwner)) != 0 {
			t.Error("ephemerals of no session")
		}
		if timeout, _, ok := v.Session(id); !ok || timeout != 6000 {
			t.Errorf("session: %d %v", timeout, ok)
		}
		seen := make(map[string]int)
		for at, more := uint32(0), true; more; more = at != 0 {
			at = v.Scan(at, 2, func(s Scanned) { seen[s.Path()]++ })
		}
		if len(seen) != v.NodeCount() || seen["/a/2"] != 1 || seen["/"] != 1 {
			t.Errorf("scanned: %v", seen)
		}
	})
}
