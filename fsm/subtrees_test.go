package fsm

import (
	"reflect"
	"testing"

	"zooraft/fsm/tree"
)

func TestLargestSubtrees(t *testing.T) {
	f := New(1, nil)
	put := func(parent, name string, size int) {
		f.tree.Create(f.tree.Lookup(parent), name, make([]byte, size), nil, 0, 1, 0)
	}
	put("/", "a", 0)
	put("/a", "only", 10) // a is all this one's
	put("/a/only", "x", 500)
	put("/a/only", "y", 490)
	put("/", "b", 100)
	put("/b", "x", 1)
	for i := range 3000 {
		put("/b", "n"+string(rune('A'+i%26))+string(rune('A'+i/26%26))+string(rune('A'+i/676)), 0)
	}
	got := View{f}.LargestSubtrees(4)
	want := []Subtree{{"/a/only", 3, 1000}, {"/a/only/x", 1, 500}, {"/a/only/y", 1, 490}, {"/b", 3002, 101}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if f.tree.Lookup("/b") == tree.None {
		t.Fatal("the tree is not as it was made")
	}
}
