package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who may come in at all, before anybody looks at what is asked.
func TestAdmit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		peer   string
		host   string
		change func(*Config)
		header map[string]string
		want   int
	}{
		{name: "this host", peer: "127.0.0.1:1", host: "localhost:8080", want: 200},
		{name: "this host by IPv6", peer: "[::1]:1", host: "[::1]:8080", want: 200},
		{name: "this host by a mapped address", peer: "[::ffff:127.0.0.1]:1", host: "127.0.0.1:8080", want: 200},
		{name: "another host", peer: "10.0.0.9:1", host: "10.0.0.1:8080", want: 403},
		{name: "no address", peer: "@", host: "localhost", want: 403},
		{name: "another host that may", peer: "10.0.0.9:1", host: "10.0.0.1:8080", change: open, want: 200},
		{name: "another name", peer: "127.0.0.1:1", host: "evil.example:8080", want: 421},
		{name: "a name of its own", peer: "127.0.0.1:1", host: "zk1.example:8080", change: called("zk1.example:8080"), want: 200},
		{name: "of another site, but only looking", peer: "127.0.0.1:1", host: "localhost", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			if tt.change != nil {
				tt.change(&cfg)
			}
			b := newBackend()
			c := New(cfg, b, b, nopLog())
			r := httptest.NewRequest("GET", Base+"api/login", nil)
			r.RemoteAddr, r.Host = tt.peer, tt.host
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if w.Header().Get("Content-Security-Policy") == "" {
				t.Error("an answer without a policy")
			}
		})
	}
}

func open(c *Config) { c.LoopbackOnly = false }

// called knows one Host and no other.
func called(name string) func(*Config) {
	return func(c *Config) { c.Knows = func(host string) bool { return host == name } }
}

// An unsafe request of another site is refused, whatever it carries.
func TestCrossOrigin(t *testing.T) {
	f := newFixture(t, nil).signIn()
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   int
	}{
		{"no browser", nil, 200},
		{"the page", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": f.srv.URL}, 200},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another port", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"an old browser", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a sandboxed page", map[string]string{"Origin": "null"}, 403},
		{"a form", map[string]string{"Content-Type": "text/plain"}, 415},
		{"a form with JSON in it", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := f.send("POST", "set", `{"path":"/","data":"aGk=","version":-1}`, func(r *http.Request) {
				for k, v := range tt.header {
					r.Header.Set(k, v)
				}
			})
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

// Every answer says what a browser may do with it.
func TestHeaders(t *testing.T) {
	f := newFixture(t, nil)
	for _, call := range []string{"", "none", "api/login", "api/node?path=/", "api/none"} {
		resp, err := http.Get(f.srv.URL + Base + call)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		for key, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=()",
		} {
			if got := resp.Header.Get(key); !strings.Contains(got, want) {
				t.Errorf("%q: %s: %q, want %q in it", call, key, got, want)
			}
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
			t.Errorf("%q: a policy with a hole: %s", call, policy)
		}
		if strings.HasPrefix(call, "api/") && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: Cache-Control %q", call, resp.Header.Get("Cache-Control"))
		}
	}
}

// No method but those there are, and nothing without a session.
func TestNothingWithoutSession(t *testing.T) {
	f := newFixture(t, nil)
	for _, call := range []string{
		"me", "node?path=/", "children?path=/", "search?q=a", "events", "history", "ensemble", "sessions", "sessions/0x1", "connections",
		"config", "slow", "warnings",
	} {
		if got := f.send("GET", call, "", nil).StatusCode; got != 401 {
			t.Errorf("GET %s: %d, want 401", call, got)
		}
	}
	for _, call := range []string{"create", "set", "delete", "acl"} {
		if got := f.send("POST", call, `{}`, nil).StatusCode; got != 401 {
			t.Errorf("POST %s: %d, want 401", call, got)
		}
		if got := f.send("GET", call, "", nil).StatusCode; got != 404 {
			t.Errorf("GET %s: %d, want 404", call, got)
		}
	}
	f.signIn()
	f.cookie.Value += "x"
	if got := f.send("GET", "me", "", nil).StatusCode; got != 401 {
		t.Errorf("with a wrong cookie: %d, want 401", got)
	}
}
