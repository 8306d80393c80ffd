package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestHosts(t *testing.T) {
	some := NewHosts([]string{"", "zk1.example", "Box.", "zk2.example:8080", "2001:db8::1"})
	for _, tt := range []struct {
		hosts Hosts
		host  string
		want  bool
	}{
		{Hosts{}, "", true}, // HTTP/1.0
		{Hosts{}, "localhost", true},
		{Hosts{}, "localhost:8080", true},
		{Hosts{}, "LOCALHOST.", true},
		{Hosts{}, "zk.localhost", true},
		{Hosts{}, "zk1.localhost:8080", true},
		{Hosts{}, "127.0.0.1:8080", true},
		{Hosts{}, "10.0.0.7", true},
		{Hosts{}, "[::1]:8080", true},
		{Hosts{}, "[fe80::1%25eth0]", true},
		{Hosts{}, "evil.example", false},
		{Hosts{}, "evil.example:8080", false},
		{Hosts{}, "evil-localhost:8080", false},
		{Hosts{}, "localhost.evil.example", false},
		{Hosts{}, "127.0.0.1.evil.example", false},
		{Hosts{}, "*", false},
		{some, "zk1.example", true},
		{some, "ZK1.example.:8080", true},
		{some, "box", true},
		{some, "zk2.example", true},
		{some, "zk3.example", false},
		{some, "example", false},
		{some, "evil.zk1.example", false},
		{NewHosts([]string{"*"}), "whatever", true},
	} {
		if got := tt.hosts.Knows(tt.host); got != tt.want {
			t.Errorf("%q, with names %v: %v", tt.host, tt.hosts.names, got)
		}
	}
}

// A site whose name has been made to mean this host is refused: everything where the
// admin server is for this host alone, and else what changes something or gives much
// away.
func TestNamesOfThisHost(t *testing.T) {
	ask := func(listen, host, method, url string) int {
		cfg := HTTPConfig{
			Addr: listen, Hosts: NewHosts([]string{"zk.example"}), CommandURL: "/commands", Profiling: true,
			Backups: struct{ Backups }{},
		}
		r := httptest.NewRequest(method, url, nil)
		r.Host = host
		w := httptest.NewRecorder()
		NewHTTP(cfg, sample(StateStandalone), hclog.NewNullLogger()).srv.Handler.ServeHTTP(w, r)
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: browsers may guess what the answer is", host)
		}
		return w.Code
	}
	for _, listen := range []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080"} {
		for host, want := range map[string]int{"localhost:8080": 200, "zk.example": 200, "evil.example": http.StatusMisdirectedRequest} {
			if code := ask(listen, host, "GET", "/commands/ruok"); code != want {
				t.Errorf("%q on %s: %d, want %d", host, listen, code, want)
			}
		}
	}
	for _, tt := range []struct {
		method, url string
		own, other  int // status by a name of this server, and by another
	}{
		{"GET", "/commands/ruok", 200, 200},
		{"GET", "/livez", 200, 200},
		{"GET", "/log-level", 200, 200},
		{"PUT", "/log-level?level=info", 200, 421},
		{"GET", "/commands/snapshot", 401, 421}, // it has no credentials
		{"GET", "/commands/snap", 401, 421},
		{"POST", "/commands/restore", 401, 421},
		{"POST", "/commands/rest", 401, 421},
		{"GET", "/debug/pprof/", 200, 421},
		{"GET", "/debug/pprof/cmdline", 200, 421},
		{"GET", "/debug/pprof/heap", 200, 421},
	} {
		for host, want := range map[string]int{"10.0.0.7:8080": tt.own, "[2001:db8::1]:8080": tt.own, "zk.example": tt.own, "evil.example": tt.other} {
			if code := ask("0.0.0.0:8080", host, tt.method, tt.url); code != want {
				t.Errorf("%s %s of %q where the network may ask: %d, want %d", tt.method, tt.url, host, code, want)
			}
		}
	}
}

// The console asks for its names itself: its refusals are not this package's.
func TestConsoleKnowsItsNames(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8080", "0.0.0.0:8080"} {
		h := NewHTTP(HTTPConfig{
			Addr: listen, CommandURL: "/commands",
			UI: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		}, sample(StateStandalone), hclog.NewNullLogger()).srv.Handler
		r := httptest.NewRequest("GET", UIPath+"api/login", nil)
		r.Host = "evil.example"
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusTeapot {
			t.Errorf("on %s: %d", listen, w.Code)
		}
	}
}
