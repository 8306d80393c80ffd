package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zooraft/protocol"
)

// model is the dumb second implementation: one flat set of registrations in
// ZooKeeper's own terms, searched from end to end for everything.
type model struct {
	regs map[modelKey]*modelReg
	seq  int
	log  []string
}

type modelKey struct {
	who   int
	table string // "data", "child"
	path  string
}

type modelReg struct {
	modes map[string]int // "standard", "persistent", "recursive" -> age
}

func (m *model) add(who int, table, path, mode string) {
	k := modelKey{who, table, path}
	if m.regs[k] == nil {
		m.regs[k] = &modelReg{map[string]int{}}
	}
	if _, dup := m.regs[k].modes[mode]; !dup {
		m.seq++
		m.regs[k].modes[mode] = m.seq
	}
}

func (m *model) drop(who int, table, path, mode string) bool {
	k := modelKey{who, table, path}
	r := m.regs[k]
	if r == nil {
		return false
	}
	_, had := r.modes[mode]
	delete(r.modes, mode)
	if len(r.modes) == 0 {
		delete(m.regs, k)
	}
	return had
}

func (m *model) close(who int) {
	maps.DeleteFunc(m.regs, func(k modelKey, _ *modelReg) bool { return k.who == who })
}

// deliver returns who is told, as a set: the order is checked elsewhere.
func (m *model) deliver(table, path string) map[int]bool {
	told := map[int]bool{}
	var used []modelKey
	for k, r := range m.regs {
		if k.table != table {
			continue
		}
		_, rec := r.modes["recursive"]
		below := k.path == path || k.path == "/" || strings.HasPrefix(path, k.path+"/")
		if k.path == path || rec && below && table == "data" {
			told[k.who] = true
		}
		if k.path == path {
			used = append(used, k)
		}
	}
	for _, k := range used {
		m.drop(k.who, k.table, k.path, "standard")
	}
	return told
}

func (m *model) say(told map[int]bool, what string) {
	for _, who := range slices.Sorted(maps.Keys(told)) {
		m.log = append(m.log, fmt.Sprintf("%02d %s", who, what))
	}
}

func (m *model) parent(path string) string {
	return path[:max(1, strings.LastIndex(path, "/"))]
}

func (m *model) counts() [4]int {
	var all, data int
	paths, who := map[string]bool{}, map[int]bool{}
	for k := range m.regs {
		all++
		if k.table == "data" {
			data++
			paths[k.path], who[k.who] = true, true
		}
	}
	return [4]int{all, data, len(paths), len(who)}
}

// note is a Sink that logs like the model does.
type note struct {
	who int
	log *[]string
}

func (n note) Notify(ev *Event) {
	*n.log = append(*n.log, fmt.Sprintf("%02d %s %s", n.who, typeName(ev.Type), ev.Path))
}

// TestAgainstModel runs random sequences through both. More watchers than
// indexAbove, few paths: spots gain and lose their index all the time.
func TestAgainstModel(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	paths := []string{"/", "/a", "/a/b", "/a/b/c", "/a/bb", "/d", "/d/b"}
	for round := range rounds {
		seed := uint64(round)
		rnd := rand.New(rand.NewPCG(seed, 1))
		watchers := 1 + rnd.IntN(3*indexAbove)
		m := &model{regs: map[modelKey]*modelReg{}}
		table := NewTable()
		var log []string
		ws := make([]*Watcher, watchers)
		for i := range ws {
			ws[i] = table.NewWatcher(note{i, &log})
		}
		for step := range 1500 {
			i, p := rnd.IntN(watchers), paths[rnd.IntN(len(paths))]
			w := ws[i]
			m.log, log = nil, nil
			var op string
			switch n := rnd.IntN(100); {
			case n < 20:
				op = "data"
				w.AddData(p)
				m.add(i, "data", p, "standard")
			case n < 40:
				op = "child"
				w.AddChild(p)
				m.add(i, "child", p, "standard")
			case n < 50:
				op = "persistent"
				w.AddPersistent(p)
				m.add(i, "data", p, "persistent")
				m.add(i, "child", p, "persistent")
			case n < 58:
				op = "recursive"
				w.AddRecursive(p)
				m.add(i, "data", p, "recursive")
			case n < 74:
				typ := int32(1 + rnd.IntN(5))
				op = fmt.Sprint("remove ", typ)
				var want bool
				for _, r := range []struct {
					types       []int32
					table, mode string
				}{
					{[]int32{1, 3}, "child", "standard"}, {[]int32{2, 3}, "data", "standard"},
					{[]int32{3, 4}, "data", "persistent"}, {[]int32{3, 4}, "child", "persistent"},
					{[]int32{3, 5}, "data", "recursive"},
				} {
					if slices.Contains(r.types, typ) && m.drop(i, r.table, p, r.mode) {
						want = true
					}
				}
				if got := w.Has(p, typ); got != want {
					t.Fatalf("seed %d step %d: Has(%s, %d) = %v, want %v", seed, step, p, typ, got, want)
				}
				if got := w.Remove(p, typ); got != want {
					t.Fatalf("seed %d step %d: Remove(%s, %d) = %v, want %v", seed, step, p, typ, got, want)
				}
			case n < 79:
				op = "close"
				w.Close()
				w.Close()
				m.close(i)
				ws[i] = table.NewWatcher(note{i, &log})
			case n < 86 && p != "/":
				op = "create"
				table.Created(p, 1, nil, nil)
				m.say(m.deliver("data", p), "created "+p)
				m.say(m.deliver("child", m.parent(p)), "children "+m.parent(p))
			case n < 93 && p != "/":
				op = "delete"
				table.Deleted(p, 1, nil, nil)
				told := m.deliver("data", p)
				maps.Copy(told, m.deliver("child", p))
				m.say(told, "deleted "+p)
				m.say(m.deliver("child", m.parent(p)), "children "+m.parent(p))
			default:
				op = "set"
				table.DataChanged(p, 1, nil)
				m.say(m.deliver("data", p), "data "+p)
			}
			// Events of a step may come in another order of connections, never
			// in another order of steps.
			got := slices.Clone(log)
			slices.SortStableFunc(got, func(a, b string) int {
				return strings.Compare(kindOrder(a)+a, kindOrder(b)+b)
			})
			if !reflect.DeepEqual(got, m.log) || !slices.IsSortedFunc(log, func(a, b string) int {
				return strings.Compare(kindOrder(a), kindOrder(b))
			}) {
				t.Fatalf("seed %d step %d: %d %s %s: heard %q, want %q", seed, step, i, op, p, log, m.log)
			}
			if got, want := [4]int{table.NumWatches(), table.NumDataWatches(), table.NumPaths(), table.NumWatchers()}, m.counts(); got != want {
				t.Fatalf("seed %d step %d: %d %s %s: counts = %v, want %v", seed, step, i, op, p, got, want)
			}
		}
		for _, w := range ws {
			w.Close()
		}
		for in := range table.spots {
			if len(table.spots[in]) != 0 || table.regs[in] != 0 {
				t.Fatalf("seed %d: table %d keeps %d paths, %d registrations after all closed", seed, in, len(table.spots[in]), table.regs[in])
			}
		}
		if table.sharedPaths != 0 || table.sharedRegs != 0 || table.dataWatchers != 0 {
			t.Fatalf("seed %d: shared paths %d, shared registrations %d, watchers %d after all closed", seed, table.sharedPaths, table.sharedRegs, table.dataWatchers)
		}
	}
}

// kindOrder puts NodeChildrenChanged behind the rest.
func kindOrder(line string) string {
	if strings.Contains(line, " children ") {
		return "1"
	}
	return "0"
}

// TestSameRegistrationsSameOrder runs one history on two tables: events must
// come in the same order of connections, index or not.
func TestSameRegistrationsSameOrder(t *testing.T) {
	run := func() (log []string) {
		rnd := rand.New(rand.NewPCG(7, 7))
		table := NewTable()
		var ws []*Watcher
		for i := range 100 {
			ws = append(ws, table.NewWatcher(note{i, &log}))
		}
		for range 5000 {
			w := ws[rnd.IntN(len(ws))]
			switch p := []string{"/a", "/a/b"}[rnd.IntN(2)]; rnd.IntN(7) {
			case 0, 1:
				w.AddData(p)
			case 2:
				w.AddChild(p)
			case 3:
				w.AddRecursive(p)
			case 4:
				w.AddPersistent(p)
			case 5:
				w.Remove(p, protocol.WatcherTypeAny)
			case 6:
				table.Deleted(p, 1, nil, nil)
			}
		}
		return log
	}
	first, second := run(), run()
	if len(first) == 0 || !reflect.DeepEqual(first, second) {
		t.Errorf("two runs of one history differ (%d and %d events)", len(first), len(second))
	}
}
