package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"zooraft/fsm/tree"
	"zooraft/fsm/watch"
	"zooraft/protocol"
)

// Bounds of a stream of events.
const (
	maxStreams  = 64                     // in all
	maxWatched  = 200                    // paths of one
	maxChanges  = 1000                   // paths whose change waits to be told
	changePause = 200 * time.Millisecond // between two tellings: changes of one path in it are one
	aliveEvery  = 15 * time.Second
	sendTimeout = 20 * time.Second // for one telling to leave this host
)

// change is what has happened to a path since it was last told of. One that was
// created and deleted, any number of times, was what it was last.
type change uint8

const (
	childrenChange change = 1 << iota
	dataChange
	created
	deleted
)

// told is what a page is to be told of a path, with the zxid of the last change.
type told struct {
	what change
	zxid int64
}

// stream is a page that listens. It is a watch.Sink: what it hears waits in
// changes, one entry for each path, until it is told.
type stream struct {
	watched map[string]bool // paths; read-only

	mu      sync.Mutex
	changes map[string]told
	lost    bool          // more than could wait: the page is to look at everything anew
	wake    chan struct{} // one slot
}

// Notify implements watch.Sink. A recursive watch hears of all below its path; the
// page shows the path and its children.
func (st *stream) Notify(ev *watch.Event) {
	parent := tree.RootPath
	if i := strings.LastIndexByte(ev.Path, '/'); i > 0 {
		parent = ev.Path[:i]
	}
	self, below := st.watched[ev.Path], st.watched[parent] && ev.Path != tree.RootPath
	if !self && !below {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	switch ev.Type {
	case protocol.EventNodeDataChanged:
		st.noteLocked(ev.Path, dataChange, ev.Zxid)
	case protocol.EventNodeCreated:
		st.noteLocked(ev.Path, created, ev.Zxid)
		if below {
			st.noteLocked(parent, childrenChange, ev.Zxid)
		}
	case protocol.EventNodeDeleted:
		st.noteLocked(ev.Path, deleted, ev.Zxid)
		if below {
			st.noteLocked(parent, childrenChange, ev.Zxid)
		}
	}
	st.nudge()
}

func (st *stream) nudge() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// lose forgets what has happened: it is too much, or not known.
func (st *stream) lose() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.loseLocked()
	st.nudge()
}

func (st *stream) loseLocked() {
	st.lost = true
	clear(st.changes)
}

func (st *stream) noteLocked(path string, what change, zxid int64) {
	if st.lost {
		return
	}
	old, there := st.changes[path]
	if !there && len(st.changes) >= maxChanges {
		st.loseLocked()
		return
	}
	switch {
	case what == created && old.what&deleted != 0, what == deleted:
		old.what &^= created | deleted
	}
	if !there {
		path = strings.Clone(path) // it may be of a request's body
	}
	st.changes[path] = told{old.what | what, zxid}
}

// take returns what has happened and forgets it.
func (st *stream) take() (changes map[string]told, lost bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	changes, lost = st.changes, st.lost
	st.changes, st.lost = make(map[string]told), false
	return changes, lost
}

// streams are the pages that listen, for what all are told.
type streams struct {
	mu     sync.Mutex
	all    map[*stream]struct{}
	status []byte        // the newest event of that name
	news   chan struct{} // closed when there is a newer one
}

func (t *streams) init() { t.all, t.news = make(map[*stream]struct{}), make(chan struct{}) }

// enter takes a place; false if there is none.
func (t *streams) enter(st *stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxStreams {
		return false
	}
	t.all[st] = struct{}{}
	return true
}

// watching is how many pages watch a path.
func (t *streams) watching(path string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for st := range t.all {
		if st.watched[path] {
			n++
		}
	}
	return n
}

// watches is how many watches are the pages'.
func (t *streams) watches() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for st := range t.all {
		n += len(st.watched)
	}
	return n
}

// byPath is how many pages have watches, and how many of them watch each path.
func (t *streams) byPath() (pages int, paths map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	paths = make(map[string]int)
	for st := range t.all {
		if len(st.watched) > 0 {
			pages++
		}
		for path := range st.watched {
			paths[path]++
		}
	}
	return pages, paths
}

// NumWatches is how many watches there are for the console's pages, and for no client.
func (c *Console) NumWatches() int { return c.streams.watches() }

// Watches is what there is in the watch table for them: watches, pages that have any,
// and paths that nobody else watches the data of. It looks at each path.
func (c *Console) Watches() (watches, pages, paths int) {
	pages, all := c.streams.byPath()
	for path, n := range all {
		watches += n
		if data, _, recursive := c.state.Watches().Count(path); data == 0 && recursive <= n {
			paths++
		}
	}
	return watches, pages, paths
}

func (t *streams) leave(st *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, st)
}

// Restored tells all pages to look anew, for the state has been replaced by a
// snapshot, of which no watch tells. It does not block and may be called with the
// state lock held.
func (c *Console) Restored() {
	c.lists.forget()
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	for st := range c.streams.all {
		st.lose()
	}
}

// publish makes the event that all streams send next.
func (t *streams) publish(v any) {
	b := event("status", v)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = b
	close(t.news)
	t.news = make(chan struct{})
}

func (t *streams) latest() (status []byte, news <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status, t.news
}

// event is a message of a text/event-stream. JSON has no line breaks.
func event(name string, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain fields
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, b)
}

// changed is the event of a znode.
type changed struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // created, changed, deleted or children
	Zxid Hex    `json:"zxid"` // of the last change of the path
}

// kinds of one path's changes, in the order in which the page is to take them.
func (ch change) kinds() (all []string) {
	for _, k := range [...]struct {
		bit  change
		kind string
	}{{deleted, "deleted"}, {created, "created"}, {dataChange, "changed"}, {childrenChange, "children"}} {
		if ch&k.bit != 0 {
			all = append(all, k.kind)
		}
	}
	return all
}

// events streams what happens to znodes and their children, and once a second how
// the server is doing, until the page goes, its session ends or the server stops.
func (c *Console) events(w http.ResponseWriter, r *http.Request, s *session) {
	paths := r.URL.Query()["path"]
	if len(paths) > maxWatched {
		fail(w, http.StatusBadRequest, "BadArguments", fmt.Sprintf("path: give %d at most", maxWatched))
		return
	}
	st := &stream{watched: make(map[string]bool), changes: make(map[string]told), wake: make(chan struct{}, 1)}
	for _, path := range paths {
		if err := tree.ValidatePath(path); err != nil {
			fail(w, http.StatusBadRequest, "BadArguments", err.Error())
			return
		}
		st.watched[path] = true
	}
	if !c.streams.enter(st) {
		fail(w, http.StatusServiceUnavailable, "Busy", "too many pages listen already")
		return
	}
	defer c.streams.leave(st)
	watcher := c.state.Watches().NewWatcher(st)
	defer watcher.Close()
	for path := range st.watched {
		watcher.AddRecursive(path)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies that would hold events back
	w.WriteHeader(http.StatusOK)
	c.tell(w, r.Context(), s, st)
}

// tell sends events until there is a reason to stop.
func (c *Console) tell(w http.ResponseWriter, page context.Context, s *session, st *stream) {
	rc := http.NewResponseController(w)
	send := func(b []byte) bool {
		// Without a deadline a page that does not read would hold this goroutine. In
		// tests there is nothing to set it on.
		_ = rc.SetWriteDeadline(time.Now().Add(sendTimeout))
		_, err := w.Write(b)
		return err == nil && rc.Flush() == nil
	}
	status, news := c.streams.latest()
	if !send(append([]byte(": the events of this server\nretry: 1000\n\n"), status...)) {
		return
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	var wake <-chan struct{} // nil until the pause is over
	for {
		var b []byte
		select {
		case <-page.Done():
			return
		case <-c.stop:
			send(event("end", "the server is stopping"))
			return
		case <-s.ctx.Done():
			send(event("end", "signed out"))
			return
		case <-news:
			b, news = c.streams.latest()
		case <-alive.C:
			if c.sessions.get(s.id, false) == nil {
				continue // its end is on the way
			}
			b = []byte(":\n\n")
		case <-pause.C:
			wake = st.wake
			continue
		case <-wake:
			b = st.tellings()
			wake = nil
			pause.Reset(changePause)
		}
		if !send(b) {
			return
		}
	}
}

// tellings are the events of what has happened.
func (st *stream) tellings() (b []byte) {
	changes, lost := st.take()
	if lost {
		return event("resync", struct{}{})
	}
	for path, ch := range changes {
		for _, kind := range ch.what.kinds() {
			b = append(b, event("node", changed{path, kind, Hex(ch.zxid)})...)
		}
	}
	return b
}
