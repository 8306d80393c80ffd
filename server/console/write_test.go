package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm/acl"
	"zooraft/protocol"
	"zooraft/tests/testkit"
)

func (f *fixture) request() *http.Request { return httptest.NewRequest("GET", Base, nil) }

func TestWrites(t *testing.T) {
	f := newFixture(t, nil).signIn()
	for _, tt := range []struct {
		call, body string
		want       int
		code, path string
	}{
		{"create", `{"path":"/a","data":"aGk="}`, 200, "", "/a"},
		{"create", `{"path":"/a","data":"aGk="}`, 409, "NodeExists", ""},
		{"create", `{"path":"/no/a"}`, 404, "NoNode", ""},
		{"create", `{"path":"a"}`, 400, "BadArguments", ""},
		{"create", `{"path":"/a/"}`, 400, "BadArguments", ""},
		{"create", `{"path":"/\u0000"}`, 400, "BadArguments", ""},
		{"create", `{"path":"/a/s-","sequential":true}`, 200, "", "/a/s-0000000000"},
		{"create", `{"path":"/t","type":"ttl","ttlMillis":60000}`, 200, "", "/t"},
		{"create", `{"path":"/t2","type":"ttl"}`, 400, "BadArguments", ""},
		{"create", `{"path":"/t2","ttlMillis":5}`, 400, "BadArguments", ""},
		{"create", `{"path":"/c","type":"container"}`, 200, "", "/c"},
		{"create", `{"path":"/c-","type":"container","sequential":true}`, 400, "BadArguments", ""},
		{"create", `{"path":"/e","type":"ephemeral"}`, 400, "BadArguments", ""},
		{"create", `{"path":"/own","acl":[{"scheme":"auth","id":"","perms":"cdrwa"}]}`, 200, "", "/own"},
		{"create", `{"path":"/x","acl":[]}`, 400, "BadArguments", ""},
		{"create", `{"path":"/x","acl":[{"scheme":"world","id":"anyone","perms":"xyz"}]}`, 400, "BadArguments", ""},
		{"create", `{"path":"/x","acl":[{"scheme":"none","id":"x","perms":"r"}]}`, 400, "InvalidACL", ""},
		{"create", `{"path":"/x","colour":"red"}`, 400, "BadRequest", ""},
		{"create", `{"path":"/x","data":"not base64"}`, 400, "BadRequest", ""},
		{"create", `[]`, 400, "BadRequest", ""},
		{"create", `null`, 400, "BadArguments", ""},
		{"create", `""`, 400, "BadRequest", ""},
		{"set", `{"path":"/a","data":"aG8=","version":0}`, 200, "", "/a"},
		{"set", `{"path":"/a","data":"aG8=","version":0}`, 409, "BadVersion", ""},
		{"set", `{"path":"/a","data":null,"version":-1}`, 200, "", "/a"},
		{"set", `{"path":"/a","data":"aG8="}`, 400, "BadArguments", ""},
		{"set", `{"path":"/none","data":"aG8=","version":-1}`, 404, "NoNode", ""},
		{"acl", `{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"ardwc"}],"aversion":0}`, 200, "", "/a"},
		{"acl", `{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"r"}],"aversion":0}`, 409, "BadVersion", ""},
		{"acl", `{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"r"}]}`, 400, "BadArguments", ""},
		{"acl", `{"path":"/a","acl":null,"aversion":-1}`, 400, "BadArguments", ""},
		{"delete", `{"path":"/a","version":-1}`, 409, "NotEmpty", ""},
		{"delete", `{"path":"/a","version":7,"recursive":true}`, 409, "BadVersion", ""},
		{"delete", `{"path":"/a"}`, 400, "BadArguments", ""},
		{"delete", `{"path":"/a","version":2,"recursive":true}`, 200, "", "/a"},
		{"delete", `{"path":"/a","version":-1,"recursive":true}`, 404, "NoNode", ""},
		{"delete", `{"path":"/","version":-1}`, 400, "BadArguments", ""},
		{"delete", `{"path":"/zookeeper","version":-1}`, 400, "BadArguments", ""},
	} {
		status, no, yes := f.post(tt.call, json.RawMessage(tt.body))
		if status != tt.want || no.Error != tt.code || tt.path != "" && yes.Path != tt.path {
			t.Errorf("%s %s: %d %q %q, want %d %q %q (%s)", tt.call, tt.body, status, no.Error, yes.Path, tt.want, tt.code, tt.path, no.Message)
		}
		if status == 200 && (yes.Zxid == 0 || tt.call != "delete" && yes.Stat == nil) {
			t.Errorf("%s %s: %+v", tt.call, tt.body, yes)
		}
		if no.Error == "BadVersion" && (no.Current == nil || no.Current.Path != "/a") {
			t.Errorf("%s %s: it does not say what is there now", tt.call, tt.body)
		}
	}
	var n node
	f.get("node?path=/own", &n)
	if want := acl.DigestID([]byte("super:secret")); len(n.ACL) != 1 || n.ACL[0].ID != want {
		t.Errorf("ACL of who is signed in: %+v, want %s", n.ACL, want)
	}
	f.get("node?path=/t", &n)
	if n.Type != "ttl" || n.TTLMillis != 60000 {
		t.Errorf("ttl: %+v", n)
	}
	n = node{}
	f.get("node?path=/c", &n)
	if n.Type != "container" || n.TTLMillis != 0 {
		t.Errorf("container: %+v", n)
	}
}

// The console's rights are the super user's, and no more than the configuration
// gives: without admin.uiWrite nothing changes.
func TestReadOnlyConsole(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Write = false }).signIn()
	before := f.body("node?path=/")
	for call, body := range map[string]string{
		"create": `{"path":"/a"}`, "set": `{"path":"/","data":"","version":-1}`, "delete": `{"path":"/zookeeper/config","version":-1}`,
		"acl": `{"path":"/","acl":[{"scheme":"world","id":"anyone","perms":"r"}],"aversion":-1}`,
	} {
		if status, no, _ := f.post(call, json.RawMessage(body)); status != 403 || no.Error != "ReadOnly" {
			t.Errorf("%s: %d %s", call, status, no.Error)
		}
	}
	if after := f.body("node?path=/"); after != before {
		t.Errorf("the root was\n%s and is\n%s", before, after)
	}
	var me aboutMe
	if f.get("me", &me); me.Writable {
		t.Error("the page is told that it may write")
	}
}

// What a server cannot take now is refused; what it may have taken is not called
// refused.
func TestWritesWithoutQuorum(t *testing.T) {
	f := newFixture(t, nil).signIn()
	var logged bytes.Buffer
	f.c.log = hclog.New(&hclog.LoggerOptions{Output: &logged, Mutex: new(sync.Mutex)})
	f.b.makeNode("/a", nil)
	f.b.makeNode("/a/b", nil)
	f.b.mu.Lock()
	f.b.refuse = errors.New("no quorum")
	f.b.mu.Unlock()
	if status, no, _ := f.post("set", json.RawMessage(`{"path":"/","data":"","version":-1}`)); status != 503 || no.Error != "NotServing" || no.Message != "no quorum" {
		t.Errorf("%d %+v", status, no)
	}
	f.b.mu.Lock()
	f.b.refuse, f.b.held = nil, true
	f.b.mu.Unlock()
	type result struct {
		status int
		no     failure
	}
	results := make(chan result, maxWrites)
	asked := [][2]string{
		{"create", `{"path":"/new","sequential":true}`},
		{"delete", `{"path":"/a","version":0,"recursive":true}`},
	}
	for len(asked) < maxWrites {
		asked = append(asked, [2]string{"set", `{"path":"/","data":"","version":-1}`})
	}
	for _, a := range asked {
		go func() {
			status, no, _ := f.post(a[0], json.RawMessage(a[1]))
			results <- result{status, no}
		}()
	}
	testkit.Until(t, "all places are taken", func() bool { return len(f.c.writes) == maxWrites })
	if status, no, _ := f.post("set", json.RawMessage(`{"path":"/","data":"","version":-1}`)); status != 503 || no.Error != "Busy" {
		t.Errorf("one more: %d %+v", status, no)
	}
	f.c.Close()
	for range maxWrites {
		if r := <-results; r.status != 504 || r.no.Error != "UnknownOutcome" {
			t.Errorf("%d %+v", r.status, r.no)
		}
	}
	for about, want := range map[string]int{`act=create path=/new user=super`: 1, `act="delete below" path=/a user=super`: 1, `act=set path=/ user=super`: maxWrites - 2} {
		if got := strings.Count(logged.String(), "outcome unknown: "+about); got != want {
			t.Errorf("the log says %d times, not %d, of what may yet take effect: %s\n%s", got, want, about, &logged)
		}
	}
}

func TestTooLarge(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.MaxBuffer = 1000 }).signIn()
	for _, tt := range []struct{ bytes, want int }{{900, 200}, {1000, 413}, {100_000, 413}, {1_000_000, 413}} {
		status, no, _ := f.post("set", setting{Path: "/", Data: make([]byte, tt.bytes), Version: new(int32)})
		if tt.want == 200 && status == 409 {
			continue // not of that version
		}
		if status != tt.want {
			t.Errorf("%d bytes: %d %+v, want %d", tt.bytes, status, no, tt.want)
		}
	}
}

// A whole tree goes, deepest first, however many requests that takes, and though
// others change it.
func TestDeleteRecursive(t *testing.T) {
	f := newFixture(t, nil).signIn()
	f.b.makeNode("/r", nil)
	f.b.makeNode("/rest", nil)
	want := 1
	for i := range 3 {
		f.b.makeNode(fmt.Sprintf("/r/%d", i), nil)
		for j := range deleteBatch {
			f.b.makeNode(fmt.Sprintf("/r/%d/%d", i, j), nil)
			want++
		}
		want++
	}
	deep := "/r/0"
	for range 50 {
		deep += "/" + strings.Repeat("d", 100)
		f.b.makeNode(deep, nil)
		want++
	}
	status, no, yes := f.post("delete", json.RawMessage(`{"path":"/r","version":0,"recursive":true}`))
	if status != 200 || yes.Deleted != want {
		t.Errorf("%d %+v: %d deleted, want %d", status, no, yes.Deleted, want)
	}
	if f.c.look("/r") != nil || f.c.look("/rest") == nil {
		t.Error("what was to go is there, or what was to stay is not")
	}
	f.b.makeNode("/r", nil)
	f.b.makeNode("/r/a", nil)
	gone := []string{"/r/a", "/r/vanished"}
	n, o, err := f.c.deleteAll(f.request(), f.super(), gone)
	if n != 0 || err != nil || o.code != protocol.ErrNoNode {
		t.Errorf("a batch with one that is gone: %d %v %v", n, o.code, err)
	}
	if f.c.look("/r/a") == nil {
		t.Error("half of a batch has taken effect")
	}
}

func (f *fixture) super() *session {
	_, ids, ok := f.c.prove(&credentials{User: "super", Password: password})
	if !ok {
		f.Fatal("not the super user")
	}
	return &session{ids: ids}
}

// ACLs hold for nobody less than the super user.
func TestWritesCarryIdentities(t *testing.T) {
	f := newFixture(t, nil).signIn()
	none := []entry{{"ip", "192.0.2.1", "r"}}
	if status, no, _ := f.post("create", creation{Path: "/locked", ACL: none}); status != 200 {
		t.Fatalf("%d %+v", status, no)
	}
	if status, no, _ := f.post("create", creation{Path: "/locked/in"}); status != 200 {
		t.Errorf("the super user below it: %d %+v", status, no)
	}
	nobody := &session{}
	body := (&protocol.SetDataRequest{Path: "/locked", Version: -1}).Append(nil)
	if o, err := f.c.propose(f.request(), nobody, protocol.OpSetData, body); err != nil || o.code != protocol.ErrNoAuth {
		t.Errorf("nobody: %v %v, want NoAuth", o.code, err)
	}
}

// Whatever comes as a body, it is answered, and changes nothing unless it says so.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"path":"/a","data":"aGk="}`, `{"path":"/a","version":-1,"recursive":true}`, `{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"r"}],"aversion":0}`,
		`{"user":"super","password":"x"}`, `{"path":"/x","type":"ttl","ttlMillis":1}`, `{"path":"\ud800","data":""}`, `[[[[`, `{"path":1e999}`, "{\"path\":\"/\xff\"}",
	} {
		f.Add(seed)
	}
	b := newBackend()
	cfg := testConfig()
	c := New(cfg, b, b, nopLog())
	s := c.sessions.add("super", []protocol.ID{{Scheme: "super"}}, "")
	f.Fuzz(func(t *testing.T, body string) {
		c.guesses = NewGuesses()
		for _, call := range []string{"create", "set", "acl", "delete", "session"} {
			r := httptest.NewRequest("POST", Base+"api/"+call, strings.NewReader(body))
			r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
			r.Header.Set("Content-Type", "application/json")
			r.AddCookie(&http.Cookie{Name: cookieName(r), Value: s.id})
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if w.Code == 0 || w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %d %q", call, body, w.Code, w.Body)
			}
			if s = c.sessions.get(s.id, true); s == nil {
				s = c.sessions.add("super", []protocol.ID{{Scheme: "super"}}, "")
			}
		}
	})
}
