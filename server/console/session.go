package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"zooraft/protocol"
)

// How long one stays signed in, and how many may be.
const (
	idleLimit   = 30 * time.Minute // without a request that somebody has made
	wholeLimit  = 12 * time.Hour
	maxSessions = 100
)

// backgroundHeader marks a request that the page makes by itself, which does not
// show that anybody is there.
const backgroundHeader = "X-Console-Background"

// maxCredentials bounds the body of a sign-in.
const maxCredentials = 4 << 10

// tokenUser is what somebody is called who has signed in with the token.
const tokenUser = "console"

// session is somebody who has signed in. Its fields do not change, but for those
// that sessions guards.
type session struct {
	id    string
	user  string
	ids   []protocol.ID // that its writes carry
	token string        // that it has signed in with, "" if with a password
	since time.Time

	ctx context.Context // ends with the session
	end context.CancelFunc

	seen time.Time // guarded by sessions.mu
}

// sessions are those who are signed in, in memory: a server that restarts has none.
type sessions struct {
	now  func() time.Time
	news chan struct{} // one slot: somebody has signed in
	mu   sync.Mutex
	all  map[string]*session
}

func (t *sessions) init(now func() time.Time) {
	t.now, t.news, t.all = now, make(chan struct{}, 1), make(map[string]*session)
}

// any says whether anybody is signed in.
func (t *sessions) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all) > 0
}

// add begins a session. Where there are too many, the one that has been silent
// longest ends.
func (t *sessions) add(user string, ids []protocol.ID, token string) *session {
	s := &session{id: rand.Text(), user: user, ids: ids, token: token}
	s.ctx, s.end = context.WithCancel(context.Background())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked()
	if len(t.all) >= maxSessions {
		var oldest *session
		for _, o := range t.all {
			if oldest == nil || o.seen.Before(oldest.seen) {
				oldest = o
			}
		}
		t.endLocked(oldest)
	}
	s.since = t.now()
	s.seen = s.since
	t.all[s.id] = s
	select {
	case t.news <- struct{}{}:
	default:
	}
	return s
}

// get finds a session that still holds; touch says that somebody is there.
func (t *sessions) get(id string, touch bool) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.all[id]
	if s == nil || t.overLocked(s) {
		return nil
	}
	if touch {
		s.seen = t.now()
	}
	return s
}

func (t *sessions) remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.all[id]; s != nil {
		t.endLocked(s)
	}
}

// sweep ends the sessions that are over, and those for which also is true.
func (t *sessions) sweep(also func(*session) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweepLocked()
	for _, s := range t.all {
		if also(s) {
			t.endLocked(s)
		}
	}
}

func (t *sessions) sweepLocked() {
	for _, s := range t.all {
		t.overLocked(s)
	}
}

// overLocked ends a session whose time is over, and says whether it was.
func (t *sessions) overLocked(s *session) bool {
	now := t.now()
	if now.Sub(s.seen) < idleLimit && now.Sub(s.since) < wholeLimit {
		return false
	}
	t.endLocked(s)
	return true
}

func (t *sessions) endLocked(s *session) {
	s.end()
	delete(t.all, s.id)
}

// methods says in which ways one can sign in.
type methods struct {
	Super bool `json:"super"`
	Token bool `json:"token"`
	// TokenProblem says why a token that is configured cannot be used.
	TokenProblem string `json:"tokenProblem,omitempty"`
	// SignedIn: who asks is.
	SignedIn bool `json:"signedIn"`
}

func (c *Console) loginMethods(w http.ResponseWriter, r *http.Request) {
	m := methods{Super: c.cfg.SuperDigest != "", SignedIn: c.sessions.get(c.cookie(r), false) != nil}
	if c.cfg.TokenFile != "" {
		_, err := readToken(c.cfg.TokenFile)
		if m.Token = err == nil; !m.Token {
			// What it says of files is for the log.
			m.TokenProblem = "the token file cannot be used; the server's log says why"
			c.log.Warn("console token", "error", err)
		}
	}
	answer(w, m)
}

// credentials are what one signs in with: a user and a password, or a token.
type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Token    string `json:"token"`
}

// signIn begins a session. It answers the same, and about as fast, whatever was
// wrong.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	var cr credentials
	if !decode(w, r, maxCredentials, &cr) {
		return
	}
	from := peer(r)
	if wait := c.guesses.Take(from); wait > 0 {
		tooMany(w, wait)
		return
	}
	user, ids, ok := c.prove(&cr)
	if !ok {
		c.log.Warn("console: sign-in refused", "client", r.RemoteAddr)
		fail(w, http.StatusUnauthorized, "WrongCredentials", "these credentials are not right")
		return
	}
	c.guesses.Right(from)
	if old := c.cookie(r); old != "" {
		c.sessions.remove(old) // an id from before is nobody's to keep
	}
	s := c.sessions.add(user, ids, cr.Token)
	c.log.Info("console: signed in", "user", user, "client", r.RemoteAddr)
	setCookie(w, r, s.id, int(wholeLimit/time.Second))
	answer(w, c.about(s))
}

// prove says who somebody is, and with which identities.
func (c *Console) prove(cr *credentials) (user string, ids []protocol.ID, ok bool) {
	super := protocol.ID{Scheme: "super"}
	switch {
	case cr.Token != "":
		token, err := readToken(c.cfg.TokenFile)
		if err != nil {
			return "", nil, false
		}
		super.ID = tokenUser // the scheme counts; the id is for the audit log
		return tokenUser, []protocol.ID{super}, subtle.ConstantTimeCompare([]byte(token), []byte(cr.Token)) == 1
	case c.cfg.SuperDigest == "":
		return "", nil, false
	}
	id := c.cfg.Digest.ID([]byte(cr.User + ":" + cr.Password))
	if subtle.ConstantTimeCompare([]byte(id), []byte(c.cfg.SuperDigest)) != 1 {
		return "", nil, false
	}
	user, _, _ = strings.Cut(id, ":")
	return user, []protocol.ID{super, {Scheme: "digest", ID: id}}, true
}

// signOut ends the session of a request, if it has one.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if id := c.cookie(r); id != "" {
		c.sessions.remove(id)
	}
	setCookie(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

// signedIn lets through who is.
func (c *Console) signedIn(next handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := c.sessions.get(c.cookie(r), r.Header.Get(backgroundHeader) == "")
		if s == nil {
			fail(w, http.StatusUnauthorized, "SignIn", "sign in first")
			return
		}
		next(w, r, s)
	}
}

// cookieName is another one for each port that a browser may reach servers at
// under one name, for cookies do not look at ports.
func cookieName(r *http.Request) string {
	port := "80"
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		port = p
	}
	for _, digit := range port {
		if digit < '0' || digit > '9' {
			return "zooraft-console"
		}
	}
	return "zooraft-console-" + port
}

func (c *Console) cookie(r *http.Request) string {
	k, err := r.Cookie(cookieName(r))
	if err != nil {
		return ""
	}
	return k.Value
}

// setCookie gives a cookie that goes over TLS alone if it came so, be it to a proxy.
func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: Base, MaxAge: maxAge,
		HttpOnly: true, Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"), SameSite: http.SameSiteStrictMode,
	})
}

// aboutMe is what the page knows of who is signed in, and of where.
type aboutMe struct {
	User     string `json:"user"`
	Writable bool   `json:"writable"` // the configuration lets the console write
	// WriteProblem says why a write would be refused now, "" if it would not.
	WriteProblem string `json:"writeProblem"`
	Identity
	MaxBuffer int       `json:"maxBuffer"` // bytes of the largest request
	Ends      time.Time `json:"ends"`      // when one has to sign in again at the latest
	IdleMs    int64     `json:"idleMs"`    // after which a session without a request ends
}

func (c *Console) about(s *session) aboutMe {
	me := aboutMe{
		User: s.user, Writable: c.cfg.Write, Identity: c.src.Identity(), MaxBuffer: c.cfg.MaxBuffer,
		Ends: s.since.Add(wholeLimit).UTC(), IdleMs: idleLimit.Milliseconds(),
	}
	if err := c.src.Writable(protocol.OpSetData); err != nil {
		me.WriteProblem = err.Error()
	}
	return me
}

func (c *Console) me(w http.ResponseWriter, _ *http.Request, s *session) { answer(w, c.about(s)) }
