package metrics

import "strings"

// Namespace is the first element of a znode's path, by which the figures per
// namespace are kept; "" for the root, which has none.
func Namespace(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return name
}

// Spaces collects sizes by namespace for one goroutine at a time and folds them
// into a Keyed now and then, so that recording one costs no atomic operation, as
// long as those that follow one another are of one namespace and of few sizes. The
// zero Spaces is empty.
type Spaces struct {
	root  string // "/" and the namespace
	into  *Summary
	last  int // of sizes: the one that came last
	sizes [4]struct{ size, n int64 }
}

// Note collects a path and its bytes of data, whose sum is recorded. What is
// collected of another namespace goes into the figures of k first. path is copied
// if it has to be kept.
func (s *Spaces) Note(k *Keyed[Summary], path string, bytes int) {
	n := len(s.root)
	if s.into == nil || len(path) < n || path[:n] != s.root || len(path) > n && path[n] != '/' {
		name := Namespace(path)
		if name == "" {
			return
		}
		s.Fold()
		s.root = "/" + name
		s.into = k.For(s.root[1:])
	}
	size := int64(len(path) + bytes)
	if e := &s.sizes[s.last&3]; e.size == size && e.n > 0 {
		e.n++
		return
	}
	s.noteSize(size)
}

func (s *Spaces) noteSize(size int64) {
	for i := range s.sizes {
		e := &s.sizes[i]
		if e.n == 0 {
			e.size = size
		}
		if e.size == size {
			s.last = i
			e.n++
			return
		}
	}
	s.Fold()
	s.last, s.sizes[0].size, s.sizes[0].n = 0, size, 1
}

// More collects n more, if any, like the last that came, if that has not been
// recorded.
func (s *Spaces) More(n int64) {
	if e := &s.sizes[s.last&3]; e.n > 0 && n > 0 {
		e.n += n
	}
}

// Fold records what is collected. The namespace is kept for what comes next.
func (s *Spaces) Fold() {
	for i := range s.sizes {
		e := &s.sizes[i]
		if e.n == 0 {
			return
		}
		s.into.ObserveN(e.size, e.n)
		e.n = 0
	}
}
