package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
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

// restorer restores what says ok.
type restorer struct{ callers }

func (restorer) Restore(_ context.Context, body io.Reader, _ int64) (Restored, error) {
	switch b, err := io.ReadAll(body); {
	case err != nil:
		return Restored{}, err
	case string(b) == "unknown":
		return Restored{}, fmt.Errorf("ask: %w", ErrUnknown)
	case string(b) != "ok":
		return Restored{}, fmt.Errorf("%w: torn", ErrNoSnapshot)
	}
	return Restored{Zxid: 1, SnapshotZxid: 1}, nil
}

// A restore that has changed nothing does not keep the next one waiting; one that has,
// or may have, does, and says for how long.
func TestRestoresAreLimited(t *testing.T) {
	for _, first := range []struct {
		name, body string
		want       int
	}{
		{"done", "ok", http.StatusOK},
		{"outcome unknown", "unknown", http.StatusInternalServerError},
	} {
		h := NewHTTP(HTTPConfig{
			CommandURL: "/commands", Backups: restorer{}, Guesses: &few{left: 9},
			Backup: BackupConfig{Restore: true, Serialized: true, Interval: 5 * time.Minute},
		}, sample(StateStandalone), hclog.NewNullLogger()).srv.Handler
		ask := func(body string, want int) *httptest.ResponseRecorder {
			t.Helper()
			r := httptest.NewRequest("POST", "/commands/restore", strings.NewReader(body))
			r.Host = "localhost"
			r.Header.Set("Authorization", "digest super:secret")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s: %q is answered with %d %s; want %d", first.name, body, w.Code, w.Body, want)
			}
			return w
		}
		ask("torn", http.StatusBadRequest)
		ask("ZKSN of another", http.StatusBadRequest)
		ask(first.body, first.want)
		w := ask("ok", http.StatusTooManyRequests)
		if after := w.Header().Get("Retry-After"); after != "300" && after != "299" {
			t.Errorf("%s: Retry-After %q", first.name, after)
		}
		if !strings.Contains(w.Body.String(), "one is taken in 5m0s: the last was 0s ago; again in 5m0s") && !strings.Contains(w.Body.String(), "ago; again in 4m59s") {
			t.Errorf("%s: %s", first.name, w.Body)
		}
	}
}
