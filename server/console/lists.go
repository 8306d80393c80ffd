package console

import (
	"bytes"
	"slices"
	"sort"
	"sync"
	"time"
	"unsafe"

	"zooraft/fsm"
)

// Bounds of what is kept of lists of children.
const (
	listStep     = 500             // names copied under one hold of the state lock
	maxBytes     = 128 << 20       // of all lists kept
	maxLists     = 64              // kept
	maxListBytes = 1 << 30         // of names in one, beyond which it is cut
	listKept     = 2 * time.Minute // since it was last asked for
	listFresh    = time.Second     // a list that is being changed is not read again sooner
)

// list is the names of the children of a znode, in order. A million
// pointers would keep the collector busy, so it is one string and where names
// begin and end. It does not change.
type list struct {
	names    []byte
	spans    []span
	cversion int32
	pzxid    int64
	torn     bool          // there were changes while it was read
	took     time.Duration // to make
	made     time.Time
}

type span struct{ from, to uint32 }

func (l *list) len() int { return len(l.spans) }

// size is about what it takes in bytes.
func (l *list) size() int { return cap(l.names) + 8*cap(l.spans) }

// name is the name at a place.
func (l *list) name(i int) string {
	b := l.names[l.spans[i].from:l.spans[i].to]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// seek is the place of the first name that is not before name.
func (l *list) seek(name string) int {
	return sort.Search(l.len(), func(i int) bool { return l.name(i) >= name })
}

// lists keeps the lists of children that are being looked at, so that each page of
// a long one need not sort it anew. A znode's pzxid says whether its list has
// changed. One whose children come and go all the time is read again once a second
// at most, and less often if that takes long: what is shown is as old as that, and
// names that are gone are left out.
type lists struct {
	state State
	now   func() time.Time

	mu    sync.Mutex
	all   map[string]*kept
	bytes int // of all of them
}

// kept is a list that is there or being made.
type kept struct {
	making sync.Mutex // held by who makes it
	list   *list      // guarded by lists.mu, as asked is
	asked  time.Time
}

func (t *lists) init(state State, now func() time.Time) {
	t.state, t.now, t.all = state, now, make(map[string]*kept)
}

// get returns the list of the children of path; false if there is no such znode.
// It blocks while the list is made.
func (t *lists) get(path string) (*list, bool) {
	k := t.place(path)
	k.making.Lock()
	defer k.making.Unlock()
	var pzxid int64
	var found bool
	t.state.View(func(v fsm.View) {
		var z fsm.Znode
		z, found = v.Znode(path)
		pzxid = z.Stat.Pzxid
	})
	if !found {
		t.put(path, k, nil)
		return nil, false
	}
	t.mu.Lock()
	l := k.list
	t.mu.Unlock()
	if l != nil {
		if l.pzxid == pzxid && !l.torn {
			return l, true
		}
		// A short list is made in less time than it takes to ask for it.
		if l.len() > listStep && t.now().Sub(l.made) < max(listFresh, 10*l.took) {
			return l, true
		}
	}
	l, found = t.read(path)
	t.put(path, k, l)
	return l, found
}

func (t *lists) place(path string) *kept {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.all[path]
	if k == nil {
		k = new(kept)
		t.all[path] = k
	}
	k.asked = t.now()
	return k
}

// put keeps a list, if there is one, and lets go what has not been asked for
// longest, down to the bounds.
func (t *lists) put(path string, k *kept, l *list) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[path] != k {
		return // let go meanwhile
	}
	t.dropLocked(path)
	if l == nil {
		return
	}
	k.list = l
	t.all[path] = k
	t.bytes += l.size()
	for len(t.all) > maxLists || t.bytes > maxBytes {
		oldest := ""
		for p, o := range t.all {
			if p != path && (oldest == "" || o.asked.Before(t.all[oldest].asked)) {
				oldest = p
			}
		}
		if oldest == "" {
			return // alone, it may be as long as it is
		}
		t.dropLocked(oldest)
	}
}

// forget lets all go: the state is another one.
func (t *lists) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all, t.bytes = make(map[string]*kept), 0
}

func (t *lists) dropLocked(path string) {
	if k := t.all[path]; k != nil && k.list != nil {
		t.bytes -= k.list.size()
	}
	delete(t.all, path)
}

// sweep lets go what nobody has asked for in a while.
func (t *lists) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, k := range t.all {
		if t.now().Sub(k.asked) > listKept {
			t.dropLocked(path)
		}
	}
}

// read makes the list, in steps: children that come and go meanwhile may be in it
// or not.
func (t *lists) read(path string) (*list, bool) {
	l := &list{made: t.now()}
	var z fsm.Znode
	var found bool
	t.state.View(func(v fsm.View) { z, found = v.Znode(path) })
	l.cversion, l.pzxid = z.Stat.Cversion, z.Stat.Pzxid
	if !found || z.Stat.NumChildren == 0 {
		return l, found
	}
	l.spans = make([]span, 0, z.Stat.NumChildren)
	var steps []readSteps
	for more := true; more && found; {
		// Room is made here and not while others wait.
		next := min(listStep, int(z.Stat.NumChildren))
		l.names = slices.Grow(l.names, next*usualName)
		l.spans = slices.Grow(l.spans, next)
		t.state.View(func(v fsm.View) {
			if z, found = v.Znode(path); found {
				l.torn = z.Stat.Pzxid != l.pzxid
				more = l.readStep(v, path, &steps)
			}
		})
	}
	if !found {
		return nil, false
	}
	slices.SortFunc(l.spans, func(a, b span) int {
		return bytes.Compare(l.names[a.from:a.to], l.names[b.from:b.to])
	})
	l.took = t.now().Sub(l.made)
	return l, true
}

// usualName is more than most names have bytes.
const usualName = 48

// readSteps is how many names there were after a step, and the last zxid then.
type readSteps struct {
	names int
	zxid  int64
}

// readStep adds the next names to l, and says whether there are more. It goes on
// behind the last one that is still where it was: children stand in order of their
// creation. Those behind that one have gone.
func (l *list) readStep(v fsm.View, path string, steps *[]readSteps) (more bool) {
	n := 0
	add := func(name string) bool {
		if more = n == listStep; more {
			return false
		}
		n++
		from := uint32(len(l.names))
		l.names = append(l.names, name...)
		l.spans = append(l.spans, span{from, uint32(len(l.names))})
		return len(l.names) < maxListBytes
	}
	for {
		// The step that the last name left was read in.
		done := *steps
		for len(done) > 1 && done[len(done)-2].names >= len(l.spans) {
			done = done[:len(done)-1]
		}
		after, since := "", int64(0)
		if len(l.spans) > 0 {
			after, since = l.name(len(l.spans)-1), done[len(done)-1].zxid
		}
		if v.EachChild(path, after, since, add) || after == "" {
			*steps = append(done, readSteps{len(l.spans), v.LastZxid()})
			return more
		}
		l.spans = l.spans[:len(l.spans)-1]
	}
}
