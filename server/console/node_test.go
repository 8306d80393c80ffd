package console

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
)

// hostile are names that somebody may have given to znodes. The API hands them on
// as they are; that JSON keeps them is what is tested.
var hostile = []string{
	"<script>alert(1)", `"><img src=x onerror=alert(1)>`, "'; DROP TABLE znodes; --", "a b", "%2e%2e", "..%2f", "a\\b", "line", "é", "日本語",
	"\u202etxt.exe", "\u200b", "\u2028", "a&b=c#d?e", "__proto__", "constructor", "-1", "{{7*7}}", "${x}", "C:",
}

func TestNode(t *testing.T) {
	f := newFixture(t, nil).signIn()
	for i, name := range hostile {
		f.b.makeNode("/"+name, []byte(name))
		var n node
		f.get("node?path="+url.QueryEscape("/"+name), &n)
		if n.Path != "/"+name || string(n.Data) != name || n.Size != len(name) || n.Type != "persistent" || n.Stat.Version != 0 {
			t.Errorf("%d, %q: %+v", i, name, n)
		}
	}
	want := slices.Sorted(slices.Values(append([]string{"zookeeper"}, hostile...)))
	var l childList
	f.get("children?path=/", &l)
	var names []string
	for _, c := range l.Children {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, want) || l.Total != len(want) {
		t.Errorf("children %q, want %q", names, want)
	}
	f.b.makeNode("/null", nil)
	f.b.makeNode("/empty", []byte{})
	for path, want := range map[string]string{"/null": `"data":null`, "/empty": `"data":""`} {
		b := f.body("node?path=" + path)
		if !strings.Contains(b, want) {
			t.Errorf("%s: %s without %s", path, b, want)
		}
	}
	for path, want := range map[string]int{
		"": 400, "a": 400, "/a/": 400, "//": 400, "/a/../b": 400, "/a\x00b": 400, "/\x1b[31m": 400, "/none": 404, "/none/none": 404,
		"/\xff": 400, "/" + strings.Repeat("x", 100_000): 404,
	} {
		for _, call := range []string{"node", "children"} {
			if got := f.send("GET", call+"?path="+url.QueryEscape(path), "", nil).StatusCode; got != want {
				t.Errorf("%s of %.20q: %d, want %d", call, path, got, want)
			}
		}
	}
	if b := f.body("node?path=/zookeeper/config"); !strings.Contains(b, `"acl":[{"scheme":"world","id":"anyone","perms":"r"}]`) {
		t.Errorf("ACL: %s", b)
	}
}

func (f *fixture) body(call string) string {
	f.Helper()
	resp := f.send("GET", call, "", nil)
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return b.String()
}

func TestQuota(t *testing.T) {
	f := newFixture(t, nil).signIn()
	f.b.makeNode("/q", nil)
	f.b.makeNode("/q/a", []byte("12345"))
	f.b.makeNode("/zookeeper/quota/q", nil)
	f.b.makeNode("/zookeeper/quota/q/zookeeper_limits", []byte("count=3,bytes=-1=;byteHardLimit=5;countHardLimit=-1"))
	f.b.makeNode("/zookeeper/quota/q/zookeeper_stats", []byte("count=0,bytes=0"))
	var n node
	f.get("node?path=/q/a", &n)
	if q := n.Quota; q == nil || q.Path != "/q" || *q.Count != 2 || *q.Bytes != 5 || *q.CountLimit != 3 || q.BytesLimit != nil ||
		*q.BytesHard != 5 || q.CountHard != nil {
		t.Errorf("quota %+v", n.Quota)
	}
	f.get("node?path=/", &n)
	if n.Quota != nil {
		t.Errorf("quota of the root: %+v", n.Quota)
	}
	var w struct{ Warnings []Warning }
	f.get("warnings", &w)
	if len(w.Warnings) != 1 || w.Warnings[0].Code != "Quota" || w.Warnings[0].Subject != "/q" {
		t.Errorf("warnings %+v, want one of the bytes of /q", w.Warnings)
	}
}

// Any part of a long list is what it would be of all of it, sorted.
func TestChildrenPages(t *testing.T) {
	f := newFixture(t, nil).signIn()
	f.b.makeNode("/p", nil)
	var want []string
	for i := range 3*listStep + 7 {
		name := fmt.Sprintf("n%07d", (i*7919)%1_000_003)
		want = append(want, name)
		f.b.makeNode("/p/"+name, nil)
	}
	slices.Sort(want)
	var got []string
	for from := 0; from < len(want); from += 700 {
		var l childList
		f.get(fmt.Sprintf("children?path=/p&count=700&from=%d", from), &l)
		if l.Total != len(want) || l.From != from {
			t.Fatalf("total %d from %d, want %d and %d", l.Total, l.From, len(want), from)
		}
		for _, c := range l.Children {
			got = append(got, c.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Error("the pages together are not the list")
	}
	var l childList
	f.get("children?path=/p&from=999999999", &l)
	if len(l.Children) != 0 || l.From != len(want) {
		t.Errorf("beyond the end: %d children from %d", len(l.Children), l.From)
	}
	for name, index := range map[string]int{want[0]: 0, "": 0, want[1200]: 1200, want[1200] + "x": 1201, "zzz": len(want)} {
		l = childList{}
		f.get("children?path=/p&count=20&seek="+name, &l)
		if l.Index == nil || *l.Index != index || l.From != max(0, index-10) {
			t.Errorf("seek %q: index %v from %d, want %d", name, l.Index, l.From, index)
		}
	}
	for _, q := range []string{"from=-1", "count=0", "count=x", "from=1e3", "from=99999999999999999999"} {
		if got := f.send("GET", "children?path=/p&"+q, "", nil).StatusCode; got != 400 {
			t.Errorf("%s: %d, want 400", q, got)
		}
	}
}

// A list that is read while children come and go has every child that was there all
// the while, once, in order.
func TestListOfBusyZnode(t *testing.T) {
	b := newBackend()
	b.makeNode("/p", nil)
	stay := make(map[string]bool)
	for i := range 4 * listStep {
		name := fmt.Sprintf("%06d", i)
		b.makeNode("/p/"+name, nil)
		stay[name] = i%3 != 0
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-stop:
				return
			default:
			}
			// What may go and come again does so, at another place.
			name := fmt.Sprintf("%06d", r.IntN(4*listStep/3)*3)
			b.try(protocol.OpDelete, (&protocol.DeleteRequest{Path: "/p/" + name, Version: -1}).Append(nil))
			b.try(protocol.OpCreate, (&protocol.CreateRequest{Path: "/p/" + name, ACL: protocol.OpenACL}).Append(nil))
		}
	})
	var all lists
	all.init(b, time.Now)
	for range 50 {
		l, ok := all.read("/p")
		if !ok {
			t.Fatal("no list")
		}
		there := make(map[string]int)
		for i := range l.len() {
			there[l.name(i)]++
			if i > 0 && l.name(i-1) > l.name(i) {
				t.Fatalf("%s before %s", l.name(i-1), l.name(i))
			}
		}
		for name, stays := range stay {
			if stays && there[name] != 1 {
				t.Fatalf("%s is in the list %d times", name, there[name])
			}
		}
	}
	close(stop)
	busy.Wait()
}

func (b *backend) try(op protocol.OpCode, body []byte) protocol.ErrCode {
	done := make(completion, 1)
	r := fsm.ClientRequest{Op: op, Options: fsm.LocalSession | fsm.SkipACL, Body: body}
	if err := b.Propose("", r.Append(nil), done); err != nil {
		panic(err)
	}
	return (<-done).code
}

// A list is kept as long as nothing changes, read anew when something does, though a
// long one not more than once a second, and let go when nobody asks for it.
func TestListsAreKept(t *testing.T) {
	b := newBackend()
	now := time.Unix(1e9, 0)
	var all lists
	all.init(b, func() time.Time { return now })
	b.makeNode("/p", nil)
	first, _ := all.get("/p")
	if again, _ := all.get("/p"); again != first {
		t.Error("read anew though nothing has changed")
	}
	b.makeNode("/p/a", nil)
	if l, _ := all.get("/p"); l.len() != 1 {
		t.Errorf("%d children, want 1", l.len())
	}
	for i := range listStep + 1 {
		b.makeNode(fmt.Sprintf("/p/b%d", i), nil)
	}
	long, _ := all.get("/p")
	b.makeNode("/p/c", nil)
	if l, _ := all.get("/p"); l != long {
		t.Error("a long list is read again at once")
	}
	now = now.Add(listFresh)
	if l, _ := all.get("/p"); l.len() != listStep+3 {
		t.Errorf("%d children a second later, want %d", l.len(), listStep+3)
	}
	for i := range 2 * maxLists {
		now = now.Add(time.Millisecond)
		all.get(fmt.Sprintf("/p/b%d", i))
	}
	if len(all.all) > maxLists {
		t.Errorf("%d lists are kept", len(all.all))
	}
	for range 3 {
		all.get("/none")
	}
	now = now.Add(2 * listKept)
	all.sweep()
	if len(all.all) != 0 || all.bytes != 0 {
		t.Errorf("%d lists and %d bytes are left", len(all.all), all.bytes)
	}
}

func TestSearch(t *testing.T) {
	f := newFixture(t, nil).signIn()
	for _, path := range []string{"/app", "/app/Workers", "/app/workers-old", "/app/config", "/apple", "/b"} {
		f.b.makeNode(path, nil)
	}
	for q, want := range map[string][]string{
		"/":           {"/app", "/apple", "/b", "/zookeeper"},
		"/app":        {"/app", "/apple"},
		"/app/":       {"/app/Workers", "/app/config", "/app/workers-old"},
		"/app/w":      {"/app/workers-old"},
		"/none/":      {},
		"WORKERS":     {"/app/Workers", "/app/workers-old"},
		"app/con":     {"/app/config"},
		"zookeeper/q": {"/zookeeper/quota"},
		"nothing":     {},
	} {
		var got found
		f.get("search?q="+url.QueryEscape(q), &got)
		if !slices.Equal(got.Results, want) || got.Truncated || got.Scanned == 0 && q != "/none/" {
			t.Errorf("%q: %+v, want %q", q, got, want)
		}
	}
	var got found
	f.get("search?q=/&limit=2", &got)
	if len(got.Results) != 2 || !got.Truncated {
		t.Errorf("two of four: %+v", got)
	}
	f.get("search?q=o&limit=1", &got)
	if len(got.Results) != 1 || !got.Truncated {
		t.Errorf("one of many: %+v", got)
	}
	for _, q := range []string{"", strings.Repeat("x", maxQueryText+1)} {
		if got := f.send("GET", "search?q="+q, "", nil).StatusCode; got != 400 {
			t.Errorf("%d bytes: %d, want 400", len(q), got)
		}
	}
}

// heldState lets nobody see the state until it is released.
type heldState struct {
	State
	seen, release chan struct{}
}

func (h heldState) View(fn func(fsm.View)) {
	h.seen <- struct{}{}
	<-h.release
	h.State.View(fn)
}

func TestSearchesAreBounded(t *testing.T) {
	f := newFixture(t, nil)
	h := heldState{f.c.state, make(chan struct{}, 2*maxSearches), make(chan struct{})}
	f.c.state = h
	search := func() int {
		w := httptest.NewRecorder()
		f.c.search(w, httptest.NewRequest("GET", "/?q=x", nil), nil)
		return w.Code
	}
	codes, late := make(chan int, maxSearches), make(chan int, 1)
	for range maxSearches {
		go func() { codes <- search() }()
		<-h.seen
	}
	go func() { late <- search() }()
	select {
	case code := <-late:
		if code != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", code)
		}
	case <-h.seen:
		t.Errorf("%d searches are under way", maxSearches+1)
	}
	close(h.release)
	for range maxSearches {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one of %d: %d", maxSearches, code)
		}
	}
	if code := search(); code != http.StatusOK {
		t.Errorf("behind them: %d", code)
	}
}

// Every znode is found, however many steps it takes, once.
func TestScanFindsAll(t *testing.T) {
	f := newFixture(t, nil).signIn()
	const n = 3*searchStep + 11
	for i := range n {
		f.b.makeNode(fmt.Sprintf("/x%d", i), nil)
	}
	out := f.c.scan(f.request(), "x", n+10)
	if len(out.Results) != n || out.Truncated || out.Scanned != n+4 {
		t.Errorf("%d of %d found, %d looked at", len(out.Results), n, out.Scanned)
	}
	if len(slices.Compact(out.Results)) != n {
		t.Error("some are found twice")
	}
}

func TestLargeZnodes(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.MaxBuffer = 2000 }).signIn()
	f.b.makeNode("/data", make([]byte, 1700))
	f.b.makeNode("/small", make([]byte, 1000))
	f.b.makeNode("/kids", nil)
	f.b.makeNode("/few", nil)
	for i := range 90 {
		f.b.makeNode(fmt.Sprintf("/kids/child-%010d", i), nil)
		f.b.makeNode(fmt.Sprintf("/few/%d", i), nil)
	}
	f.c.findLarge()
	var w struct{ Warnings []Warning }
	f.get("warnings", &w)
	var got []string
	for _, x := range w.Warnings {
		got = append(got, x.Code+" "+x.Subject)
	}
	slices.Sort(got)
	if want := []string{"LargeChildren /kids", "LargeZnode /data"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}
