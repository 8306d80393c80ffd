package console

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/fsm/acl"
)

// Base is the path that the console stands below.
const Base = "/ui/"

// Config says how the console behaves. The zoo.cfg key is named with each field.
type Config struct {
	// LoopbackOnly refuses all peers but those of this host (admin.ui=loopback).
	LoopbackOnly bool
	// Knows says whether the Host of a request is a way to name this server
	// (admin.uiHosts, and what the server calls itself). Who makes a name of its own
	// mean this server's address would pass for the same origin. It is called by many
	// at a time.
	Knows func(host string) bool
	// Write lets those who are signed in change znodes (admin.uiWrite).
	Write bool
	// SuperDigest is the digest id of the super user, "" for none
	// (DigestAuthenticationProvider.superDigest). Digest makes such ids.
	SuperDigest string
	Digest      acl.Digest
	// Guesses are how often one may be wrong at a sign-in; nil for its own.
	Guesses *Guesses
	// TokenFile is the path of a file with the token to sign in with, "" for none
	// (admin.uiTokenFile). It is read at each sign-in.
	TokenFile string
	// Options are what the configuration says of writes.
	Options fsm.Options
	// MaxBuffer is the size in bytes of the largest request taken (jute.maxbuffer).
	MaxBuffer int
}

// Console is the web console. It implements http.Handler for all below Base.
type Console struct {
	cfg   Config
	state State
	src   Source
	log   hclog.Logger

	mux      *http.ServeMux
	origins  *http.CrossOriginProtection
	assets   map[string]asset
	sessions sessions
	guesses  *Guesses
	lists    lists
	streams  streams
	history  history
	members  ensembleView
	largest  largest
	warned   atomic.Int32  // warnings there were when they were last counted
	writes   chan struct{} // a place for each write under way
	searches chan struct{} // and for each search

	life context.Context // ended by Close
	stop <-chan struct{} // closed then
	end  context.CancelFunc
	wg   sync.WaitGroup
}

// maxWrites is how many writes may be under way at a time.
const maxWrites = 16

// New makes a console.
func New(cfg Config, state State, src Source, log hclog.Logger) *Console {
	c := &Console{
		cfg: cfg, state: state, src: src, log: log,
		origins: http.NewCrossOriginProtection(),
		assets:  loadAssets(),
		members: ensembleView{now: time.Now},
		writes:  make(chan struct{}, maxWrites), searches: make(chan struct{}, maxSearches),
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.stop = c.life.Done()
	c.sessions.init(time.Now)
	if c.guesses = cfg.Guesses; c.guesses == nil {
		c.guesses = NewGuesses()
	}
	c.lists.init(state, time.Now)
	c.streams.init()
	c.routes()
	return c
}

// Close ends what is under way: streams, the waiting for writes, and what Start has
// begun, for which it waits. Requests that come after it are refused. It may be
// called twice.
func (c *Console) Close() {
	c.end()
	c.wg.Wait()
}

// routes are the pages and the API. What stands behind open needs no session.
func (c *Console) routes() {
	c.mux = http.NewServeMux()
	c.mux.HandleFunc("GET "+Base, c.page)
	api := func(pattern string, handle handler) {
		method, name, _ := strings.Cut(pattern, " ")
		c.mux.HandleFunc(method+" "+path.Join(Base, "api", name), c.signedIn(handle))
	}
	c.mux.HandleFunc("GET "+Base+"api/login", c.loginMethods)
	c.mux.HandleFunc("POST "+Base+"api/session", c.signIn)
	c.mux.HandleFunc("DELETE "+Base+"api/session", c.signOut)
	c.mux.HandleFunc("GET "+Base+"api/", unknown)
	c.mux.HandleFunc(Base, unknown)
	api("GET me", c.me)
	api("GET node", c.node)
	api("GET children", c.children)
	api("GET search", c.search)
	api("GET events", c.events)
	api("GET history", c.serveHistory)
	api("GET ensemble", c.ensemble)
	api("GET sessions", c.listSessions)
	api("GET sessions/{id}", c.oneSession)
	api("GET connections", c.connections)
	api("GET config", c.config)
	api("GET slow", c.slow)
	api("GET warnings", c.warnings)
	api("POST create", c.create)
	api("POST set", c.set)
	api("POST delete", c.delete)
	api("POST acl", c.setACL)
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	select {
	case <-c.stop:
		fail(w, http.StatusServiceUnavailable, "NotServing", "the server is stopping")
		return
	default:
	}
	if c.admit(w, r) {
		c.mux.ServeHTTP(w, r)
	}
}

func unknown(w http.ResponseWriter, _ *http.Request) {
	fail(w, http.StatusNotFound, "NoSuchCall", "the console's API has no such call")
}
