package console

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm/acl"
)

func nopLog() hclog.Logger { return hclog.NewNullLogger() }

func TestSignIn(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sha256, _ := acl.NewDigest("SHA-256")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		body   string
		want   int
		user   string
	}{
		{"password", nil, `{"user":"super","password":"secret"}`, 200, "super"},
		{"wrong password", nil, `{"user":"super","password":"Secret"}`, 401, ""},
		{"wrong user", nil, `{"user":"root","password":"secret"}`, 401, ""},
		{"the digest is no password", nil, `{"user":"super","password":"` + acl.DigestID([]byte("super:secret")) + `"}`, 401, ""},
		{"a colon in the user", nil, `{"user":"super:secret","password":""}`, 401, ""},
		{"nothing", nil, `{}`, 401, ""},
		{"no super user", func(c *Config) { c.SuperDigest = "" }, `{"user":"","password":""}`, 401, ""},
		{"another hash", func(c *Config) { c.Digest, c.SuperDigest = sha256, sha256.ID([]byte("super:secret")) }, `{"user":"super","password":"secret"}`, 200, "super"},
		{"of another hash", func(c *Config) { c.Digest = sha256 }, `{"user":"super","password":"secret"}`, 401, ""},
		{"token", func(c *Config) { c.TokenFile = token }, `{"token":"0123456789abcdef"}`, 200, "console"},
		{"wrong token", func(c *Config) { c.TokenFile = token }, `{"token":"0123456789abcdeF"}`, 401, ""},
		{"no token here", nil, `{"token":"0123456789abcdef"}`, 401, ""},
		{"token file gone", func(c *Config) { c.TokenFile = token + "x" }, `{"token":"0123456789abcdef"}`, 401, ""},
		{"no JSON", nil, `user=super`, 400, ""},
		{"more than JSON", nil, `{"user":"super","password":"secret"}{}`, 400, ""},
		{"another field", nil, `{"user":"super","password":"secret","admin":true}`, 400, ""},
		{"endless", nil, `{"user":"` + strings.Repeat("x", maxCredentials) + `"}`, 413, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, tt.change)
			resp := f.send("POST", "session", tt.body, nil)
			if resp.StatusCode != tt.want {
				t.Fatalf("status %d, want %d", resp.StatusCode, tt.want)
			}
			if tt.want != 200 {
				if len(resp.Cookies()) != 0 {
					t.Errorf("a cookie for nobody: %v", resp.Cookies())
				}
				return
			}
			k := resp.Cookies()[0]
			if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != Base || k.Secure || len(k.Value) < 26 {
				t.Errorf("cookie %v", k)
			}
			f.cookie = k
			var m methods
			if f.get("login", &m); !m.SignedIn {
				t.Error("the page is told that nobody is signed in")
			}
			var me aboutMe
			f.get("me", &me)
			if me.User != tt.user || !me.Writable || me.SID != 1 {
				t.Errorf("me: %+v", me)
			}
			if resp := f.send("DELETE", "session", "", nil); resp.StatusCode != 204 {
				t.Errorf("sign-out: %d", resp.StatusCode)
			}
			if resp := f.send("GET", "me", "", nil); resp.StatusCode != 401 {
				t.Errorf("after the sign-out: %d, want 401", resp.StatusCode)
			}
		})
	}
}

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		good       bool
	}{
		{"own", "0123456789abcdef", 0o600, true},
		{"group", "  0123456789abcdef\n", 0o440, true},
		{"all", "0123456789abcdef", 0o644, false},
		{"group writes", "0123456789abcdef", 0o660, false},
		{"short", "0123456789abcde\n", 0o600, false},
		{"long", strings.Repeat("x", maxToken+1), 0o600, false},
	} {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		if err := CheckToken(path); (err == nil) != tt.good {
			t.Errorf("%s: %v, want good %v", tt.name, err, tt.good)
		}
	}
	if CheckToken(dir) == nil {
		t.Error("a directory is no token file")
	}
}

// One session of a browser ends when it signs in again, and cookies of servers that
// share a name are kept apart by their ports.
func TestCookies(t *testing.T) {
	f := newFixture(t, nil).signIn()
	old := f.cookie
	f.signIn()
	if old.Value == f.cookie.Value {
		t.Error("the same id again")
	}
	now := f.cookie
	f.cookie = old
	if got := f.send("GET", "me", "", nil).StatusCode; got != 401 {
		t.Errorf("with the old cookie: %d, want 401", got)
	}
	f.cookie = now
	if !strings.HasSuffix(now.Name, f.srv.URL[strings.LastIndexByte(f.srv.URL, ':')+1:]) {
		t.Errorf("cookie %q without the port of %s", now.Name, f.srv.URL)
	}
}

func TestSessionsEnd(t *testing.T) {
	now := time.Unix(1e9, 0)
	var all sessions
	all.init(func() time.Time { return now })
	s := all.add("a", nil, "")
	for range 20 {
		now = now.Add(idleLimit - time.Second)
		if all.get(s.id, true) == nil {
			t.Fatalf("gone %v after it began, though it was used", now.Sub(time.Unix(1e9, 0)))
		}
	}
	for now.Sub(s.since) < wholeLimit-time.Second {
		now = now.Add(time.Minute)
		all.get(s.id, true)
	}
	now = now.Add(time.Minute)
	if all.get(s.id, true) != nil {
		t.Error("it outlives its whole time")
	}
	idle := all.add("b", nil, "")
	for range 5 {
		now = now.Add(idleLimit / 4)
		all.get(idle.id, false)
	}
	if all.get(idle.id, false) != nil {
		t.Error("what the page does by itself keeps it alive")
	}
	select {
	case <-idle.ctx.Done():
	default:
		t.Error("its streams go on")
	}
	first := all.add("c", nil, "t")
	for range maxSessions {
		now = now.Add(time.Millisecond)
		all.add("d", nil, "")
	}
	if all.get(first.id, false) != nil || len(all.all) != maxSessions {
		t.Errorf("%d sessions, the first one among them: %v", len(all.all), all.get(first.id, false) != nil)
	}
	all.sweep(func(s *session) bool { return s.user == "d" })
	if len(all.all) != 0 {
		t.Errorf("%d sessions after all were ended", len(all.all))
	}
}

// A token that is not the token any more signs nobody in, and those who came by it
// out.
func TestTokenChanges(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("0123456789abcdef")
	f := newFixture(t, func(c *Config) { c.TokenFile = token })
	resp := f.send("POST", "session", `{"token":"0123456789abcdef"}`, nil)
	f.cookie = resp.Cookies()[0]
	f.c.sweep()
	if got := f.send("GET", "me", "", nil).StatusCode; got != 200 {
		t.Fatalf("with its token: %d", got)
	}
	write("fedcba9876543210")
	f.c.sweep()
	if got := f.send("GET", "me", "", nil).StatusCode; got != 401 {
		t.Errorf("with the token of before: %d, want 401", got)
	}
}

func TestGuesses(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuesses(func() time.Time { return now })
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for i := range guessBurst {
		if w := g.Take(a); w != 0 {
			t.Fatalf("guess %d: wait %v", i, w)
		}
	}
	if w := g.Take(a); w <= 0 || w > guessEvery {
		t.Errorf("one more: wait %v, want up to %v", w, guessEvery)
	}
	if w := g.Take(b); w != 0 {
		t.Errorf("another peer: wait %v", w)
	}
	now = now.Add(guessEvery)
	if w := g.Take(a); w != 0 {
		t.Errorf("after the wait: %v", w)
	}
	if w := g.Take(a); w <= 0 {
		t.Error("and at once again")
	}
	now = now.Add(guessEvery)
	if g.Take(a) != 0 {
		t.Fatal("cannot guess")
	}
	g.Right(a)
	if w := g.Take(a); w != 0 {
		t.Errorf("after one that was right: wait %v", w)
	}
	// What is taken back is one, and not those before.
	c := netip.MustParseAddr("10.0.0.3")
	for range guessBurst {
		g.Take(c)
	}
	g.Back(c)
	if w := g.Take(c); w != 0 {
		t.Errorf("after one that was taken back: wait %v", w)
	}
	if w := g.Take(c); w <= 0 {
		t.Error("all were taken back")
	}
	// Neighbours of one network are one, and all together have a limit.
	for i := range guessBurst {
		ip := netip.MustParseAddr("2001:db8::").As16()
		ip[15] = byte(i)
		g.Take(netip.AddrFrom16(ip))
	}
	if w := g.Take(netip.MustParseAddr("2001:db8::ff")); w <= 0 {
		t.Error("addresses of one network guess without end")
	}
	blocked := false
	for i := range 2 * allBurst {
		if g.Take(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)})) > 0 {
			blocked = true
			break
		}
	}
	if !blocked {
		t.Error("many peers guess without end")
	}
	if len(g.peers) > maxPeers {
		t.Errorf("%d peers remembered", len(g.peers))
	}
}

// The limit holds on the wire, for the right password too.
func TestGuessesAreLimited(t *testing.T) {
	f := newFixture(t, nil)
	for range guessBurst {
		if got := f.send("POST", "session", `{"user":"super","password":"x"}`, nil).StatusCode; got != 401 {
			t.Fatalf("status %d, want 401", got)
		}
	}
	resp := f.send("POST", "session", `{"user":"super","password":"secret"}`, nil)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q; want 429 and some seconds", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

func TestLoginMethods(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.SuperDigest, c.TokenFile = "", "/nowhere" })
	var m methods
	f.get("login", &m)
	if m.Super || m.Token || m.SignedIn || m.TokenProblem == "" || strings.Contains(m.TokenProblem, "nowhere") {
		t.Errorf("%+v", m)
	}
	b, _ := json.Marshal(m)
	if !strings.HasPrefix(string(b), `{"super":false,"token":false`) {
		t.Errorf("%s", b)
	}
}
