package admin

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// callers are backups that know one credential by the scheme digest, and let whoever
// asks by address see nothing.
type callers struct{ Backups }

func (callers) Authorize(c Caller) (known, allowed bool) {
	return true, c.Scheme == "digest" && c.Credential == "super:secret"
}
func (callers) Note(Caller, string, Outcome) {}

// few are guesses that run out.
type few struct {
	left int
	from netip.Addr
}

func (g *few) Take(from netip.Addr) time.Duration {
	if g.from = from; g.left == 0 {
		return 1500 * time.Millisecond
	}
	g.left--
	return 0
}

func (g *few) Back(netip.Addr) { g.left++ }

// The super user's password can be guessed so often and no more, and the log says who
// does.
func TestCredentialsAreNotGuessed(t *testing.T) {
	var logged bytes.Buffer
	guesses := &few{left: 2}
	h := NewHTTP(HTTPConfig{CommandURL: "/commands", Backups: callers{}, Guesses: guesses}, sample(StateStandalone),
		hclog.New(&hclog.LoggerOptions{Output: &logged})).srv.Handler
	for _, tt := range []struct {
		name, auth string
		want, left int
	}{
		{"right", "digest super:secret", http.StatusServiceUnavailable, 2}, // let through, and off
		{"right again", "digest super:secret", http.StatusServiceUnavailable, 2},
		{"nothing to guess with", "", http.StatusUnauthorized, 2},
		{"an address", "ip", http.StatusForbidden, 2},
		{"wrong", "digest super:a", http.StatusForbidden, 1},
		{"wrong again", "digest super:b", http.StatusForbidden, 0},
		{"once too often", "digest super:c", http.StatusTooManyRequests, 0},
		{"right, too late", "digest super:secret", http.StatusTooManyRequests, 0},
		{"an address, then", "ip", http.StatusForbidden, 0},
	} {
		r := httptest.NewRequest("GET", "/commands/snapshot", nil)
		r.Host, r.RemoteAddr = "localhost", "[::ffff:10.0.0.7]:1"
		if tt.auth != "" {
			r.Header.Set("Authorization", tt.auth)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want || guesses.left != tt.left {
			t.Errorf("%s: %d, %d guesses left; want %d, %d", tt.name, w.Code, guesses.left, tt.want, tt.left)
		}
		if after := w.Header().Get("Retry-After"); w.Code == http.StatusTooManyRequests && after != "2" {
			t.Errorf("%s: Retry-After %q", tt.name, after)
		}
	}
	if guesses.from != netip.MustParseAddr("10.0.0.7") {
		t.Errorf("guesses of %v", guesses.from)
	}
	if n := strings.Count(logged.String(), "was refused: client=[::ffff:10.0.0.7]:1 path=/commands/snapshot status="); n < 1 || n > 3 {
		t.Errorf("%d lines of the log for seven refusals; want one in a second:\n%s", n, &logged)
	}
}
