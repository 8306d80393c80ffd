package fsm

import (
	"cmp"
	"slices"

	"zooraft/fsm/tree"
)

// Subtree is a znode with all below it.
type Subtree struct {
	Path   string `json:"path"`
	Znodes int64  `json:"znodes"`
	Bytes  int64  `json:"bytes"` // of data
}

// dominates is the share of a subtree from which a child stands for it: what is
// large is the child.
const dominates = 0.8

// LargestSubtrees lists the n subtrees with most bytes of data, largest first; of
// those that are nearly all one child's it is the child. The root itself is left
// out. It reads the whole tree.
func (v View) LargestSubtrees(n int) []Subtree {
	s := subtrees{t: v.f.tree, n: n}
	s.measure(tree.Root, "")
	slices.SortFunc(s.found, bySize)
	return s.found[:min(n, len(s.found))]
}

func bySize(a, b Subtree) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Znodes, a.Znodes), cmp.Compare(a.Path, b.Path))
}

type subtrees struct {
	t     *tree.Tree
	n     int
	found []Subtree
}

// measure returns the size of the subtree at a node and notes it if it is worth
// to be named.
func (s *subtrees) measure(node tree.Ref, path string) Subtree {
	all := Subtree{Path: path, Znodes: 1, Bytes: int64(len(s.t.Data(node)))}
	var most int64
	s.t.EachChild(node, func(name string) bool {
		child := s.measure(s.t.Child(node, name), path+"/"+name)
		all.Znodes += child.Znodes
		all.Bytes += child.Bytes
		most = max(most, child.Bytes)
		return true
	})
	if path != "" && float64(most) < dominates*float64(all.Bytes) {
		s.found = append(s.found, all)
		if len(s.found) >= 4*s.n+1024 { // so that a large tree does not gather as many
			slices.SortFunc(s.found, bySize)
			s.found = s.found[:s.n]
		}
	}
	return all
}
