package watch

// table numbers the three internal tables.
type table uint8

const (
	dataTable table = iota
	childTable
	recursiveTable
	tableCount
)

// sibling returns the other half of ZooKeeper's DATA table.
//
// REQUIRES: t is dataTable or recursiveTable.
func (t table) sibling() table {
	if t == dataTable {
		return recursiveTable
	}
	return dataTable
}

// Modes of a registration. One in dataTable or childTable may hold several;
// one in recursiveTable holds standing.
const (
	once     uint8 = 1 << iota // STANDARD: goes with the first event
	standing                   // PERSISTENT or RECURSIVE: stays
)

// indexAbove is the number of registrations at one spot beyond which they are
// found by a map instead of a walk. Nearly all spots have one or two.
const indexAbove = 16

// registration is one Watcher at one spot. It is on two lists, the spot's
// (linked, in order of registration) and the Watcher's own, and leaves either
// in constant time: closing a connection costs its own registrations, however
// many others watch the same paths.
type registration struct {
	w          *Watcher
	at         *spot
	prev, next *registration
	own        int32 // place in w.regs
	modes      uint8
}

// spot is one path in one table, there as long as somebody watches it.
type spot struct {
	path       string
	head, tail *registration
	index      map[*Watcher]*registration // nil up to indexAbove entries
	n          int32
	in         table
}

// find returns w's registration at the spot, or nil.
func (s *spot) find(w *Watcher) *registration {
	if s == nil {
		return nil
	}
	if s.index != nil {
		return s.index[w]
	}
	for r := s.head; r != nil; r = r.next {
		if r.w == w {
			return r
		}
	}
	return nil
}

// push appends r, which must not be there yet.
func (s *spot) push(r *registration) {
	r.prev = s.tail
	if s.tail == nil {
		s.head = r
	} else {
		s.tail.next = r
	}
	s.tail = r
	s.n++
	switch {
	case s.index != nil:
		s.index[r.w] = r
	case s.n > indexAbove:
		s.index = make(map[*Watcher]*registration, 2*indexAbove)
		for r := s.head; r != nil; r = r.next {
			s.index[r.w] = r
		}
	}
}

// drop takes r out. It leaves r.next alone, so that a walk standing on r can
// go on.
func (s *spot) drop(r *registration) {
	if r.prev == nil {
		s.head = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		s.tail = r.prev
	} else {
		r.next.prev = r.prev
	}
	s.n--
	if s.index == nil {
		return
	}
	// Half of indexAbove, so that a spot at the edge does not build and drop
	// its index by turns.
	if s.n <= indexAbove/2 {
		s.index = nil
	} else {
		delete(s.index, r.w)
	}
}
