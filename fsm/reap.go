package fsm

import "zooraft/fsm/tree"

// reap removes what the leader of term found to have run its course, each unless
// that is not so any more. It asks the state and the time of the entry, not the
// leader's word.
func (f *FSM) reap(term uint64, p *payloadReader) error {
	var r Reap
	if err := r.decode(p); err != nil {
		return err
	}
	if r.Term != term {
		return nil
	}
	for _, path := range r.Paths {
		if node := f.tree.Lookup(path); node != tree.None && f.spent(node, f.now, r.NeverUsed) {
			f.deleteNode(path, node, int64(f.clock.Next(term)))
			f.fireEvents()
		}
	}
	return nil
}

// spent says whether a node has no children and is a container that had some, or
// one that has waited for its first for longer than neverUsed (0: for ever), or
// a node that has outlived its TTL. Times are in ms; both count from mtime, so
// setData prolongs them, and children do not (ContainerManager).
func (f *FSM) spent(node tree.Ref, now, neverUsed int64) bool {
	t := f.tree
	owner := t.Owner(node)
	if owner == 0 || t.NumChildren(node) > 0 {
		return false
	}
	if ttl, ok := tree.OwnerTTL(owner); ok {
		return now-t.Mtime(node) > ttl
	}
	if owner != tree.ContainerOwner {
		return false
	}
	return t.NextSequence(node) > 0 || neverUsed > 0 && now-t.Mtime(node) > neverUsed
}

// Spent looks for containers and nodes with a TTL that can be removed at the
// time now, in ms since 1970, and appends their paths to paths, limit in all at
// most. It looks at step nodes at most, from where the last look ended; at tells
// where that is, and begins as the zero Look. more is false when nothing is left
// to look at.
//
// Plain and ephemeral nodes are not looked at.
func (v View) Spent(paths []string, at *Look, now, neverUsed int64, step, limit int) (_ []string, more bool) {
	t := v.f.tree
	each := [...]func(tree.Ref, func(tree.Ref) bool){t.EachContainerFrom, t.EachTTLFrom}
	for ; at.list < len(each); at.list, at.node = at.list+1, tree.None {
		var next tree.Ref
		each[at.list](at.node, func(node tree.Ref) bool {
			if step == 0 || len(paths) >= limit {
				next = node
				return false
			}
			step--
			if v.f.spent(node, now, neverUsed) {
				paths = append(paths, t.Path(node))
			}
			return true
		})
		if at.node = next; next != tree.None {
			return paths, len(paths) < limit
		}
	}
	return paths, false
}

// Look is a place in the lists that View.Spent goes through.
type Look struct {
	list int
	node tree.Ref
}
