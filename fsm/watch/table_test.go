package watch

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"zooraft/protocol"
)

// ear is a Sink that writes down what it hears in a log shared with others.
type ear struct {
	name string
	log  *[]string
}

func (e *ear) Notify(ev *Event) {
	*e.log = append(*e.log, fmt.Sprintf("%s %s %s @%d acl=%s", e.name, typeName(ev.Type), ev.Path, ev.Zxid, aclName(ev.ACL)))
}

func typeName(t protocol.EventType) string {
	switch t {
	case protocol.EventNodeCreated:
		return "created"
	case protocol.EventNodeDeleted:
		return "deleted"
	case protocol.EventNodeDataChanged:
		return "data"
	case protocol.EventNodeChildrenChanged:
		return "children"
	}
	return fmt.Sprint("type ", int32(t))
}

func aclName(list []protocol.ACL) string {
	if len(list) == 0 {
		return "-"
	}
	return list[0].ID
}

var (
	nodeACL   = []protocol.ACL{{Perms: protocol.PermRead, Scheme: "digest", ID: "node"}}
	parentACL = []protocol.ACL{{Perms: protocol.PermRead, Scheme: "digest", ID: "parent"}}
)

// bench is a Table with watchers a, b and c.
type bench struct {
	t   *Table
	w   map[string]*Watcher
	log []string
}

func newBench() *bench {
	b := &bench{t: NewTable(), w: map[string]*Watcher{}}
	for _, name := range []string{"a", "b", "c"} {
		b.w[name] = b.t.NewWatcher(&ear{name, &b.log})
	}
	return b
}

// do runs steps such as "a data /x" or "delete /x"; a trigger's zxid is the
// number of the step.
func (b *bench) do(t *testing.T, steps ...string) {
	t.Helper()
	for i, step := range steps {
		f := strings.Fields(step)
		zxid := int64(i + 1)
		switch f[0] {
		case "create":
			b.t.Created(f[1], zxid, nodeACL, parentACL)
			continue
		case "delete":
			b.t.Deleted(f[1], zxid, nodeACL, parentACL)
			continue
		case "set":
			b.t.DataChanged(f[1], zxid, nodeACL)
			continue
		}
		w := b.w[f[0]]
		switch f[1] {
		case "data":
			w.AddData(f[2])
		case "child":
			w.AddChild(f[2])
		case "persistent":
			w.AddPersistent(f[2])
		case "recursive":
			w.AddRecursive(f[2])
		case "close":
			w.Close()
		default:
			t.Fatalf("unknown step %q", step)
		}
	}
}

func TestTriggers(t *testing.T) {
	tests := []struct {
		name  string
		steps []string
		want  []string
	}{
		{"exists watch fires on creation, once", []string{"a data /p/n", "create /p/n", "create /p/n"},
			[]string{"a created /p/n @2 acl=node"}},
		{"data watch fires on data", []string{"a data /n", "set /n", "set /n"},
			[]string{"a data /n @2 acl=node"}},
		{"data watch is deaf to children", []string{"a data /p", "create /p/n", "delete /p/n"}, nil},
		{"child watch fires on a new child", []string{"a child /p", "create /p/n", "create /p/m"},
			[]string{"a children /p @2 acl=parent"}},
		{"child watch fires on a lost child", []string{"a child /p", "delete /p/n"},
			[]string{"a children /p @2 acl=parent"}},
		{"child watch is deaf to data", []string{"a child /p", "set /p"}, nil},
		{"child watch of the root", []string{"a child /", "create /n"},
			[]string{"a children / @2 acl=parent"}},
		{"child watch hears its own node go", []string{"a child /n", "delete /n"},
			[]string{"a deleted /n @2 acl=node"}},
		{"one NodeDeleted per connection, both watches used up",
			[]string{"a data /n", "a child /n", "b child /n", "delete /n", "delete /n", "create /n/x"},
			[]string{"a deleted /n @4 acl=node", "b deleted /n @4 acl=node"}},
		{"node before parent", []string{"a child /p", "a data /p/n", "delete /p/n"},
			[]string{"a deleted /p/n @3 acl=node", "a children /p @3 acl=parent"}},
		{"persistent sees all four and stays",
			[]string{"a persistent /n", "create /n", "set /n", "create /n/x", "delete /n/x", "delete /n", "create /n"},
			[]string{"a created /n @2 acl=node", "a data /n @3 acl=node", "a children /n @4 acl=parent",
				"a children /n @5 acl=parent", "a deleted /n @6 acl=node", "a created /n @7 acl=node"}},
		{"recursive sees the subtree, never children",
			[]string{"a recursive /r", "create /r", "create /r/x", "create /r/x/y", "set /r/x/y", "delete /r/x/y", "create /rr", "create /q"},
			[]string{"a created /r @2 acl=node", "a created /r/x @3 acl=node", "a created /r/x/y @4 acl=node",
				"a data /r/x/y @5 acl=node", "a deleted /r/x/y @6 acl=node"}},
		{"recursive at the root", []string{"a recursive /", "set /x/y", "set /"},
			[]string{"a data /x/y @2 acl=node", "a data / @3 acl=node"}},
		{"one event for many modes",
			[]string{"a data /r/x", "a persistent /r/x", "a recursive /r/x", "a recursive /r", "set /r/x", "set /r/x"},
			[]string{"a data /r/x @5 acl=node", "a data /r/x @6 acl=node"}},
		{"order: at the path by age, then recursive upwards",
			[]string{"c recursive /", "b recursive /r/x", "a recursive /r", "c data /r/x", "b data /r/x", "set /r/x"},
			[]string{"c data /r/x @6 acl=node", "b data /r/x @6 acl=node", "a data /r/x @6 acl=node"}},
		{"recursive told of a delete is not told by its child watch",
			[]string{"a recursive /", "a child /n", "delete /n", "create /n/x"},
			[]string{"a deleted /n @3 acl=node", "a created /n/x @4 acl=node"}},
		{"adding twice is adding once", []string{"a data /n", "a data /n", "set /n", "set /n"},
			[]string{"a data /n @3 acl=node"}},
		{"closed watchers hear nothing and add nothing",
			[]string{"a data /n", "a recursive /", "a close", "a data /n", "a persistent /n", "set /n", "a close"}, nil},
		{"an invalid path may be watched", []string{"a persistent x//", "create /x", "delete /x"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			b.do(t, tt.steps...)
			if !reflect.DeepEqual(b.log, tt.want) {
				t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(b.log, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

func TestRemoveAndHas(t *testing.T) {
	all := map[string]func(*Watcher){
		"data":       func(w *Watcher) { w.AddData("/n") },
		"child":      func(w *Watcher) { w.AddChild("/n") },
		"persistent": func(w *Watcher) { w.AddPersistent("/n") },
		"recursive":  func(w *Watcher) { w.AddRecursive("/n") },
	}
	hit := map[string]int32{
		"data":       protocol.WatcherTypeData,
		"child":      protocol.WatcherTypeChildren,
		"persistent": protocol.WatcherTypePersistent,
		"recursive":  protocol.WatcherTypePersistentRecursive,
	}
	for mode, add := range all {
		for typ := int32(-1); typ <= 6; typ++ {
			want := typ == hit[mode] || typ == protocol.WatcherTypeAny
			b := newBench()
			w := b.w["a"]
			add(w)
			add(b.w["b"]) // must not count
			if got := w.Has("/n", typ); got != want {
				t.Errorf("%s: Has(%d) = %v, want %v", mode, typ, got, want)
			}
			if got := w.Has("/other", typ); got {
				t.Errorf("%s: Has(%d) = true at another path", mode, typ)
			}
			if got := w.Remove("/n", typ); got != want {
				t.Errorf("%s: Remove(%d) = %v, want %v", mode, typ, got, want)
			}
			if got := w.Has("/n", hit[mode]); got == want {
				t.Errorf("%s: after Remove(%d): Has = %v", mode, typ, got)
			}
			if w.Remove("/n", typ) {
				t.Errorf("%s: second Remove(%d) = true", mode, typ)
			}
			if !b.w["b"].Has("/n", hit[mode]) {
				t.Errorf("%s: Remove(%d) took another watcher's", mode, typ)
			}
		}
	}
	t.Run("modes go one by one", func(t *testing.T) {
		b := newBench()
		b.do(t, "a data /n", "a persistent /n", "a recursive /n")
		w := b.w["a"]
		if !w.Remove("/n", protocol.WatcherTypePersistent) {
			t.Fatal("persistent not found")
		}
		b.do(t, "create /n/x", "set /n", "set /n")
		want := []string{"a created /n/x @1 acl=node", "a data /n @2 acl=node", "a data /n @3 acl=node"}
		if !reflect.DeepEqual(b.log, want) {
			t.Errorf("heard %q, want %q", b.log, want)
		}
		if w.Remove("/n", protocol.WatcherTypeData) {
			t.Error("the one-shot watch outlived its event")
		}
	})
}

func TestCounts(t *testing.T) {
	tests := []struct {
		steps                          []string
		watches, data, paths, watchers int
	}{
		{nil, 0, 0, 0, 0},
		{[]string{"a child /n"}, 1, 0, 0, 0},
		{[]string{"a data /n", "b data /n", "b data /m"}, 3, 3, 2, 2},
		{[]string{"a persistent /n"}, 2, 1, 1, 1},
		{[]string{"a recursive /n"}, 1, 1, 1, 1},
		{[]string{"a recursive /n", "a data /n", "a persistent /n", "a child /n"}, 2, 1, 1, 1},
		{[]string{"a recursive /n", "b data /n"}, 2, 2, 1, 2},
		{[]string{"a recursive /n", "a data /n", "set /n"}, 1, 1, 1, 1},
		{[]string{"a data /n", "a recursive /n", "b data /n", "a close"}, 1, 1, 1, 1},
		{[]string{"a data /n", "a child /n", "delete /n"}, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		b := newBench()
		b.do(t, tt.steps...)
		got := [4]int{b.t.NumWatches(), b.t.NumDataWatches(), b.t.NumPaths(), b.t.NumWatchers()}
		if want := [4]int{tt.watches, tt.data, tt.paths, tt.watchers}; got != want {
			t.Errorf("%q: watches, data watches, paths, watchers = %v, want %v", tt.steps, got, want)
		}
	}
}

func TestDataWatches(t *testing.T) {
	b := newBench()
	b.do(t, "a data /n", "b recursive /n", "a recursive /n", "c child /n", "c recursive /m")
	want := map[string]string{"/n": "ab", "/m": "c"}
	got := map[string]string{}
	for path, sinks := range b.t.DataWatches() {
		for _, s := range sinks {
			got[path] += s.(*ear).name
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("DataWatches = %v, want %v", got, want)
	}
}

// frameSink checks that the place for shared work is shared within an event
// and empty at the start of each.
type frameSink struct{ fresh, reused *int }

func (s frameSink) Notify(ev *Event) {
	if ev.Frame == nil {
		*s.fresh++
		ev.Frame = []byte(ev.Path)
	} else if string(ev.Frame) == ev.Path {
		*s.reused++
	}
}

func TestFrameIsSharedWithinAnEvent(t *testing.T) {
	var fresh, reused int
	table := NewTable()
	for range 3 {
		table.NewWatcher(frameSink{&fresh, &reused}).AddPersistent("/p")
		table.NewWatcher(frameSink{&fresh, &reused}).AddRecursive("/p/n")
	}
	table.Created("/p/n", 1, nil, nil)
	if fresh != 2 || reused != 4 {
		t.Errorf("fresh, reused = %d, %d, want 2, 4", fresh, reused)
	}
}
