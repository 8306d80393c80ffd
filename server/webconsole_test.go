package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/console"
	"zooraft/tests/testkit"
)

// idle is a source of the console for a server that does nothing.
type idle struct{ *pageSource }

func (idle) Identity() console.Identity     { return console.Identity{} }
func (idle) Writable(protocol.OpCode) error { return nil }

type deaf struct{}

func (deaf) Notify(*watch.Event) {}

// The watches of the console's pages are not counted among those of clients.
func TestPagesWatchesAreNotCounted(t *testing.T) {
	s := &Server{fsm: fsm.New(1, hclog.NewNullLogger())}
	client := s.fsm.Watches().NewWatcher(deaf{})
	defer client.Close()
	client.AddData("/a")
	client.AddChild("/b")
	want := admin.WatchSummary{Connections: 1, Paths: 1, Watches: 1}
	check := func(when string) {
		t.Helper()
		if n, sum := s.watchCount(), s.watchSummary(); n != 2 || sum != want {
			t.Errorf("%s: %d watches, %+v; want 2, %+v", when, n, sum, want)
		}
	}
	check("without a console")

	page := console.New(console.Config{
		SuperDigest: acl.DigestID([]byte("super:secret")), Knows: func(string) bool { return true },
	}, s.fsm, idle{&pageSource{s: s}}, hclog.NewNullLogger())
	defer page.Close()
	s.console.Store(page)
	srv := httptest.NewServer(page)
	defer srv.Close()
	resp, err := http.Post(srv.URL+"/ui/api/session", "application/json", strings.NewReader(`{"user":"super","password":"secret"}`))
	if err != nil || len(resp.Cookies()) != 1 {
		t.Fatalf("sign-in: %v, %v", resp, err)
	}
	q, err := http.NewRequest("GET", srv.URL+"/ui/api/events?path=/a&path=/c", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.AddCookie(resp.Cookies()[0])
	stream, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := io.ReadFull(stream.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the page watches", func() bool { return s.fsm.Watches().NumWatches() == 4 })
	check("beside a page")
}
