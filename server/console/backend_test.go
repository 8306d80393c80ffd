package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
)

// backend is a log without Raft and what a Source has to tell: a real state
// machine, applied where it is proposed.
type backend struct {
	*fsm.FSM
	now    int64 // ms, of every entry
	origin fsm.Origin

	mu       sync.Mutex
	index    uint64
	seq      uint64
	inflight []fsm.Completion
	held     bool // apply nothing
	refuse   error
	sampled  Sample
	ensemble Ensemble
	told     []Warning
	asked    int // for the ensemble
}

func newBackend() *backend {
	b := &backend{FSM: fsm.New(1, hclog.NewNullLogger()), now: 1_700_000_000_000}
	b.Observe(b)
	r := fsm.Register{SID: 1, Nonce: [16]byte{1}}
	b.apply(fsm.Origin{}, 0, r.Append(nil))
	return b
}

func (b *backend) apply(o fsm.Origin, seq uint64, payload []byte) {
	entry := fsm.AppendEntryHeader(nil, b.now)
	entry = fsm.AppendRequest(entry, o, seq, payload)
	fsm.SetEntryCount(entry, 1)
	b.index++
	b.Apply(&raft.Log{Index: b.index, Term: 1, Type: raft.LogCommand, Data: entry})
}

func (b *backend) Propose(_ string, payload []byte, done fsm.Completion) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	if b.held {
		return nil
	}
	b.seq++
	b.inflight = append(b.inflight, done)
	b.apply(b.origin, b.seq, payload)
	return nil
}

func (b *backend) Writable(protocol.OpCode) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refuse
}

func (b *backend) Identity() Identity {
	return Identity{SID: 1, Version: "test", Cluster: "c", State: "standalone", Serving: true}
}

func (b *backend) Sample() Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sampled
}

func (b *backend) Ensemble(context.Context) Ensemble {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.ensemble
}

func (b *backend) Sessions() []Session {
	return []Session{{ID: 0x100}, {ID: -1}}
}

func (b *backend) Session(id int64) (SessionDetail, bool) {
	return SessionDetail{Session: Session{ID: Hex(id)}}, id == -1
}

func (b *backend) Connections() []Connection    { return nil }
func (b *backend) Settings() []Setting          { return nil }
func (b *backend) Slow() SlowRequests           { return SlowRequests{} }
func (b *backend) Warnings(*Ensemble) []Warning { return b.told }

// The observer.
func (b *backend) Completed(v fsm.View, _ uint64, r *fsm.Result) {
	done := b.inflight[0]
	b.inflight = b.inflight[1:]
	done.Complete(v, r)
}
func (b *backend) OutOfSequence(uint64) {}
func (b *backend) Registered(sid int64, incarnation uint64, _ [16]byte) {
	b.origin = fsm.Origin{SID: sid, Incarnation: incarnation}
}
func (b *backend) Led(uint64)                                           {}
func (b *backend) SessionOpened(protocol.SessionID, int32, fsm.Owner)   {}
func (b *backend) SessionAttached(protocol.SessionID, int32, fsm.Owner) {}
func (b *backend) SessionClosed(protocol.SessionID, bool)               {}
func (b *backend) Wrote(string, int)                                    {}
func (b *backend) EphemeralsDeleted(protocol.SessionID, []string)       {}
func (b *backend) OverQuota(*fsm.Excess)                                {}
func (b *backend) Reconfigured(fsm.View, fsm.Owner, *fsm.Result)        {}
func (b *backend) Membership(fsm.View)                                  {}
func (b *backend) SnapshotInstalled(fsm.View)                           {}
func (b *backend) EnsembleRestored(fsm.View)                            {}
func (b *backend) Applied(fsm.View, uint64)                             {}
func (b *backend) Flush()                                               {}

// fixture is a console with its backend, its server and somebody who is signed in.
type fixture struct {
	*testing.T
	b      *backend
	c      *Console
	srv    *httptest.Server
	cookie *http.Cookie
}

const password = "secret"

func testConfig() Config {
	return Config{
		LoopbackOnly: true, Write: true, SuperDigest: acl.DigestID([]byte("super:" + password)),
		Options: fsm.ExtendedTypes, MaxBuffer: 1 << 20,
		Knows: func(host string) bool { return !strings.Contains(host, "example") },
	}
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	f := &fixture{T: t, b: newBackend()}
	f.c = New(cfg, f.b, f.b, hclog.NewNullLogger())
	f.srv = httptest.NewServer(f.c)
	t.Cleanup(func() {
		f.c.Close()
		f.srv.Close()
	})
	return f
}

// signIn signs in as the super user.
func (f *fixture) signIn() *fixture {
	f.Helper()
	resp := f.send("POST", "session", `{"user":"super","password":"`+password+`"}`, nil)
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		f.Fatalf("sign-in: %s, cookies %v", resp.Status, resp.Cookies())
	}
	f.cookie = resp.Cookies()[0]
	return f
}

// send asks the API; change may alter the request.
func (f *fixture) send(method, call, body string, change func(*http.Request)) *http.Response {
	f.Helper()
	req, err := http.NewRequest(method, f.srv.URL+Base+"api/"+call, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if f.cookie != nil {
		req.AddCookie(f.cookie)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp
}

// get asks for something and decodes the answer into v.
func (f *fixture) get(call string, v any) {
	f.Helper()
	resp := f.send("GET", call, "", nil)
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		f.Fatalf("GET %s: %s: %s", call, resp.Status, b)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		f.Fatalf("GET %s: %v", call, err)
	}
}

// post sends v, and returns the status and what failed.
func (f *fixture) post(call string, v any) (int, failure, written) {
	f.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	resp := f.send("POST", call, string(body), nil)
	b, _ := io.ReadAll(resp.Body)
	var no failure
	var yes written
	if err := errors.Join(json.Unmarshal(b, &no), json.Unmarshal(b, &yes)); err != nil {
		f.Fatalf("POST %s: %v in %s", call, err, b)
	}
	return resp.StatusCode, no, yes
}

// makeNode creates a znode straight in the state.
func (b *backend) makeNode(path string, data []byte) {
	r := fsm.ClientRequest{
		Op: protocol.OpCreate, Options: fsm.LocalSession | fsm.SkipACL,
		Body: (&protocol.CreateRequest{Path: path, Data: data, ACL: protocol.OpenACL}).Append(nil),
	}
	done := make(completion, 1)
	if err := b.Propose("", r.Append(nil), done); err != nil {
		panic(err)
	}
	if o := <-done; o.code != protocol.ErrOK {
		panic(path + ": " + o.code.Error())
	}
}
