package console

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/testkit"
)

// listener is a page that reads a stream.
type listener struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Scanner
}

func (f *fixture) listen(paths ...string) *listener {
	f.Helper()
	q := url.Values{"path": paths}
	req, _ := http.NewRequest("GET", f.srv.URL+Base+"api/events?"+q.Encode(), nil)
	req.AddCookie(f.cookie)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	if resp.StatusCode != 200 {
		f.Fatalf("events: %s", resp.Status)
	}
	f.Cleanup(func() { resp.Body.Close() })
	l := &listener{f.T, resp, bufio.NewScanner(resp.Body)}
	l.scan.Buffer(nil, 1<<20)
	for l.scan.Scan() && l.scan.Text() != "retry: 1000" {
	}
	return l
}

// next is the next event, "" at the end.
func (l *listener) next() (name, data string) {
	for l.scan.Scan() {
		line := l.scan.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case line == "" && name != "":
			return name, data
		}
	}
	return "", ""
}

// nodes reads so many events of znodes, in order of what they say.
func (l *listener) nodes(n int) []string {
	l.t.Helper()
	var all []string
	for len(all) < n {
		name, data := l.next()
		switch name {
		case "node":
			var c changed
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				l.t.Fatal(err)
			}
			all = append(all, c.Kind+" "+c.Path)
		case "status":
		default:
			l.t.Fatalf("event %q %q after %q", name, data, all)
		}
	}
	slices.Sort(all)
	return all
}

func TestEvents(t *testing.T) {
	f := newFixture(t, nil).signIn()
	f.b.makeNode("/a", nil)
	f.b.makeNode("/a/b", nil)
	l := f.listen("/a", "/later")
	var n node
	if f.get("node?path=/a", &n); n.Watches.Recursive != 0 {
		t.Errorf("the page's own watch is counted: %+v", n.Watches)
	}
	want := func(when string, events ...string) {
		t.Helper()
		if got := l.nodes(len(events)); !slices.Equal(got, events) {
			t.Errorf("%s: %q, want %q", when, got, events)
		}
	}
	f.b.makeNode("/a/b/c", nil) // below what is shown
	f.b.makeNode("/elsewhere", nil)
	f.b.makeNode("/a/d", nil)
	want("a child", "children /a", "created /a/d")
	f.b.set("/a/b")
	want("a child's data", "changed /a/b")
	f.b.set("/a")
	want("its data", "changed /a")
	f.b.remove("/a/d")
	want("a child that goes", "children /a", "deleted /a/d")
	f.b.makeNode("/later", nil)
	want("what was not there", "created /later")
	name := "<b>\u2028\"\n"[:len("<b>\u2028\"")]
	f.b.makeNode("/a/"+name, nil)
	want("a hostile name", "children /a", "created /a/"+name)
}

func (b *backend) set(path string) {
	b.try(protocol.OpSetData, (&protocol.SetDataRequest{Path: path, Version: -1}).Append(nil))
}

func (b *backend) remove(path string) {
	b.try(protocol.OpDelete, (&protocol.DeleteRequest{Path: path, Version: -1}).Append(nil))
}

// What happens to one path between two tellings is told once, and one that comes and
// goes is told of as it ended.
func TestEventsAreMerged(t *testing.T) {
	st := &stream{watched: map[string]bool{"/": true}, changes: make(map[string]told), wake: make(chan struct{}, 1)}
	b := newBackend()
	w := b.Watches().NewWatcher(st)
	defer w.Close()
	w.AddRecursive("/")
	for range 100 {
		b.makeNode("/x", nil)
		b.set("/x")
		b.remove("/x")
	}
	got := string(st.tellings())
	if n := strings.Count(got, "event:"); n > 3 || strings.Contains(got, "created") || !strings.Contains(got, `"deleted"`) {
		t.Errorf("%d events:\n%s", n, got)
	}
	b.makeNode("/y", nil)
	b.remove("/y")
	b.makeNode("/y", nil)
	if got := string(st.tellings()); !strings.Contains(got, `"/y","kind":"created","zxid":"0x10000012f"`) {
		t.Errorf("one that was made again:\n%s", got)
	}
	for i := range 2 * maxChanges {
		b.makeNode(fmt.Sprintf("/n%d", i), nil)
	}
	if len(st.changes) > maxChanges {
		t.Errorf("%d changes wait", len(st.changes))
	}
	if got := string(st.tellings()); got != "event: resync\ndata: {}\n\n" {
		t.Errorf("too many changes:\n%.200s", got)
	}
	b.set("/x")
	b.set("/n1")
	if got := string(st.tellings()); !strings.Contains(got, `"/n1","kind":"changed"`) {
		t.Errorf("after that:\n%s", got)
	}
}

// What pages watch can be told from what clients do.
func TestWatchesOfPages(t *testing.T) {
	f := newFixture(t, nil).signIn()
	table := f.b.Watches()
	client := table.NewWatcher(&stream{})
	defer client.Close()
	client.AddRecursive("/a")
	client.AddData("/b")
	f.listen("/", "/a")
	f.listen("/", "/b")
	f.listen()
	testkit.Until(t, "they watch", func() bool { return table.NumWatches() == 2+4 })
	if watches, pages, paths := f.c.Watches(); watches != 4 || pages != 2 || paths != 1 {
		t.Errorf("%d watches of %d pages on %d paths that no client watches; want 4, 2, 1", watches, pages, paths)
	}
}

// All that listens ends, and with it what it had.
func TestStreamsEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	f := newFixture(t, nil).signIn()
	var pages []*listener
	for range 3 {
		pages = append(pages, f.listen("/", "/a"))
	}
	testkit.Until(t, "they watch", func() bool { return f.b.Watches().NumWatches() == 6 })
	other := *f
	other.cookie = nil
	other.signIn()
	kept := other.listen("/")

	last := f.listen("/a")
	f.send("DELETE", "session", "", nil)
	for {
		name, data := last.next()
		if name == "status" {
			continue
		}
		if name != "end" || data != `"signed out"` {
			t.Errorf("the last event is %q %q", name, data)
		}
		break
	}
	testkit.Until(t, "nobody watches for who has signed out", func() bool { return f.b.Watches().NumWatches() == 1 })

	gone := other.listen("/b")
	gone.resp.Body.Close()
	testkit.Until(t, "nobody watches for a page that is gone", func() bool { return f.b.Watches().NumWatches() == 1 })

	f.c.Restored()
	for name := ""; name != "resync"; {
		if name, _ = kept.next(); name == "" {
			t.Fatal("the stream has ended at a snapshot")
		}
	}
	f.c.Close()
	for name := ""; name != "end"; {
		if name, _ = kept.next(); name == "" {
			t.Fatal("the stream has ended without a word")
		}
	}
	testkit.Until(t, "nobody watches", func() bool { return f.b.Watches().NumWatches() == 0 })
	if got := f.send("GET", "me", "", nil).StatusCode; got != 503 {
		t.Errorf("after the end: %d, want 503", got)
	}
	f.srv.Close()
	for _, l := range append(pages, kept, last) {
		l.resp.Body.Close()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	testkit.Until(t, fmt.Sprintf("%d goroutines, as before", before), func() bool { return runtime.NumGoroutine() <= before })
}

func TestStreamsAreBounded(t *testing.T) {
	f := newFixture(t, nil).signIn()
	for range maxStreams {
		f.listen("/")
	}
	if got := f.send("GET", "events?path=/", "", nil).StatusCode; got != 503 {
		t.Errorf("one more: %d, want 503", got)
	}
	if got := f.send("GET", "events?"+strings.Repeat("path=/&", maxWatched+1), "", nil).StatusCode; got != 400 {
		t.Errorf("too many paths: %d, want 400", got)
	}
	if got := f.send("GET", "events?path=x", "", nil).StatusCode; got != 400 {
		t.Errorf("no path: %d, want 400", got)
	}
}

// Samples are told as they are taken, and kept for ten minutes.
func TestHistory(t *testing.T) {
	f := newFixture(t, nil).signIn()
	l := f.listen()
	f.b.mu.Lock()
	f.b.sampled = Sample{Reads: 5, WriteP99: 1.5, Zxid: 0x500000001, State: "leader", LeaderSID: 3}
	f.b.sampled.Since = time.UnixMilli(1_600_000_000_000)
	f.b.mu.Unlock()
	at := time.UnixMilli(1_700_000_000_000)
	f.c.sample(at)
	name, data := l.next()
	if name != "status" || !strings.Contains(data, `"zxid":"0x500000001"`) || !strings.Contains(data, `"reads":5`) || !strings.Contains(data, `"leader":3`) || !strings.Contains(data, `"sinceMs":1600000000000`) {
		t.Errorf("%s %s", name, data)
	}
	for i := range keptSamples + 10 {
		f.b.mu.Lock()
		f.b.sampled.Reads = float64(i)
		f.b.mu.Unlock()
		f.c.sample(at.Add(time.Duration(i+1) * time.Second))
	}
	var s series
	f.get("history", &s)
	if reads := s.Series["reads"]; len(s.At) != keptSamples || len(reads) != keptSamples || reads[0] != 10 || reads[keptSamples-1] != keptSamples+9 {
		t.Errorf("%d samples, reads from %v to %v", len(s.At), reads[0], reads[len(reads)-1])
	}
	f.get(fmt.Sprintf("history?sinceMs=%d", s.At[keptSamples-3]), &s)
	if len(s.At) != 2 {
		t.Errorf("%d samples since the last but two, want 2", len(s.At))
	}
}

// The console's own goroutines take samples and end.
func TestTend(t *testing.T) {
	b := newBackend()
	c := New(testConfig(), b, b, nopLog())
	c.Start()
	testkit.Until(t, "a sample", func() bool { return len(c.history.since(time.Time{})) > 0 })
	c.Close()
	c.Close()
}

// However many pages look, the members are asked once a second.
func TestEnsembleIsShared(t *testing.T) {
	f := newFixture(t, nil).signIn()
	f.b.ensemble = Ensemble{SID: 1, Voters: 3, Members: []Member{{SID: 2}}}
	now := time.Now()
	f.c.members.now = func() time.Time { return now }
	for want := 1; want <= 2; want++ {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				var e Ensemble
				f.get("ensemble", &e)
				if len(e.Members) != 1 || e.Members[0].SID != 2 {
					t.Errorf("%+v", e)
				}
			})
		}
		all.Wait()
		f.b.mu.Lock()
		if f.b.asked != want {
			t.Errorf("asked %d times, want %d", f.b.asked, want)
		}
		f.b.mu.Unlock()
		f.c.members.mu.Lock()
		now = now.Add(ensembleFresh + 1)
		f.c.members.mu.Unlock()
	}
}

func TestSessionIDs(t *testing.T) {
	f := newFixture(t, nil).signIn()
	if b := f.body("sessions?from=1"); !strings.Contains(b, `"total":2,"from":1,"sessions":[{"id":"0xffffffffffffffff"`) {
		t.Errorf("sessions: %s", b)
	}
	for id, want := range map[string]int{"0xffffffffffffffff": 200, "0x100": 404, "ff": 400, "0x": 400, "0xg": 400, "0x10000000000000000": 400} {
		if got := f.send("GET", "sessions/"+id, "", nil).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", id, got, want)
		}
	}
}

// The page is served for whatever a browser goes to below it, and files with their
// kinds.
func TestPage(t *testing.T) {
	f := newFixture(t, nil)
	f.c.assets = map[string]asset{
		"index.html":         {body: []byte("<html>"), kind: kinds[".html"], tag: "1"},
		"app-ABCDEFGH.js":    {body: []byte(strings.Repeat("x", 5000)), kind: kinds[".js"], tag: "2", forever: true, zipped: func() []byte { return []byte("z") }},
		"sub/dir-1.html.txt": {body: []byte("t"), kind: kinds[".txt"], tag: "3"},
	}
	for _, tt := range []struct{ path, accept, encoding, body, cache string }{
		{"", "*/*", "", "<html>", "no-cache"},
		{"znode/a/b.txt", "text/html,*/*", "", "<html>", "no-cache"},
		{"app-ABCDEFGH.js", "*/*", "", strings.Repeat("x", 5000), "public, max-age=31536000, immutable"},
		{"app-ABCDEFGH.js", "*/*", "gzip, br", "z", "public, max-age=31536000, immutable"},
		{"sub/dir-1.html.txt", "*/*", "gzip", "t", "no-cache"},
		{"none.js", "*/*", "", "404 page not found\n", "no-store"},
	} {
		req, _ := http.NewRequest("GET", f.srv.URL+Base+tt.path, nil)
		req.Header.Set("Accept", tt.accept)
		req.Header.Set("Accept-Encoding", tt.encoding)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		bufio.NewReader(resp.Body).WriteTo(&b)
		resp.Body.Close()
		if b.String() != tt.body || resp.Header.Get("Cache-Control") != tt.cache {
			t.Errorf("%+v: %.40q, Cache-Control %q", tt, b.String(), resp.Header.Get("Cache-Control"))
		}
	}
	for name, want := range map[string]bool{"app-ABCDEFGH.js": true, "app.1a2b3c4d.css": true, "index.html": false, "favicon.svg": false, "x-1.js": false} {
		if fingerprinted.MatchString(name) != want {
			t.Errorf("%s: for ever %v", name, !want)
		}
	}
	if _, ok := loadAssets()["index.html"]; !ok {
		t.Error("the binary has no page in it")
	}
}
