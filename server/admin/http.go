package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// HTTPConfig says how the admin server behaves. The keys are those of
// "ZooKeeper Administrator's Guide, AdminServer configuration", zookeeper.admin.*.
type HTTPConfig struct {
	// Addr is host:port to listen on (serverAddress, serverPort).
	Addr string
	// Hosts are what the server may be called by: for everything if it listens for this
	// host alone, and else for what changes something or gives much away.
	Hosts Hosts
	// CommandURL is the path below which the commands stand (commandURL).
	CommandURL string
	// IdleTimeout ends connections that are silent for so long (idleTimeout).
	IdleTimeout time.Duration
	// Profiling serves net/http/pprof below /debug/pprof/.
	Profiling bool
	// UI serves the web console, below UIPath; nil for none (admin.ui).
	UI http.Handler
	// Backup says how snapshot and restore behave, and Backups carries them out; without
	// it they are not there. Guesses bounds how often its callers may be wrong.
	Backup  BackupConfig
	Backups Backups
	Guesses Guesses
	// Secure is for TLS, nil for plain text (forceHttps, portUnification).
	Secure Secure
}

// UIPath is the path that the web console stands below.
const UIPath = "/ui/"

// Page serves one port. It is made by NewHTTP or NewExporter and does not listen
// before Listen.
type Page struct {
	addr    string
	started string // the log line, with address and port to be filled in
	secure  Secure // nil for plain text
	log     hclog.Logger
	srv     http.Server
	ln      net.Listener
	end     chan struct{} // closed when the server's goroutine has ended
}

func newPage(addr, started string, handler http.Handler, idle time.Duration, secure Secure, log hclog.Logger) *Page {
	return &Page{addr: addr, started: started, secure: secure, log: log, srv: http.Server{
		Handler:           withTLS(noTrace(paced(handler, stall(idle), bodyTimeout))),
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idle,
		ErrorLog:          log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}}
}

// stall is how long a connection may stand still within a request: as long as
// between two, which is ZooKeeper's rule, but not for ever.
func stall(idle time.Duration) time.Duration {
	if idle <= 0 {
		return time.Minute
	}
	return idle
}

// ownPaths are those that the commands may not stand at, or below.
var ownPaths = []string{path.Clean(UIPath), "/livez", "/readyz", "/safe-to-stop", "/log-level", "/debug/pprof"}

// CheckCommandURL says what is wrong with a path for the commands, nil if nothing is:
// it is written as it is asked for, and no other page stands there.
func CheckCommandURL(url string) error {
	base := strings.TrimSuffix(url, "/")
	for _, own := range ownPaths {
		if base == own || strings.HasPrefix(base, own+"/") {
			return fmt.Errorf("%q belongs to other pages of the admin server; give another path, for example /commands", url)
		}
	}
	if !strings.HasPrefix(url, "/") {
		return fmt.Errorf("%q is no path; begin it with a slash, for example /commands", url)
	}
	if base == "/" || base != "" && path.Clean(base) != base || strings.Trim(base, pathLetters) != "" {
		return fmt.Errorf("%q is no path that can be asked for; give letters, digits, slashes and any of -._~, for example /commands", url)
	}
	return nil
}

// pathLetters need no escaping in a path.
const pathLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"

// commander answers ZooKeeper's commands as JSON, and what probes ask.
type commander struct {
	base    string // path of the commands, without a slash at its end
	src     Source
	log     hclog.Logger
	hosts   Hosts
	backups *backups // nil without
}

// NewHTTP makes the admin server.
func NewHTTP(cfg HTTPConfig, src Source, log hclog.Logger) *Page {
	h := &commander{base: strings.TrimSuffix(cfg.CommandURL, "/"), src: src, log: log, hosts: cfg.Hosts}
	if cfg.Backups != nil {
		h.backups = &backups{cfg: cfg.Backup, src: src, do: cfg.Backups, guesses: cfg.Guesses, log: log}
	}
	base := h.base
	mux := http.NewServeMux()
	if base != "" {
		mux.HandleFunc(base, h.index)
	}
	mux.HandleFunc(base+"/{$}", h.index)
	mux.HandleFunc(base+"/{name...}", h.command)
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /safe-to-stop", h.safeToStop)
	mux.HandleFunc("GET /log-level", h.logLevel)
	// Probes and reads may come by any name, such as a balancer's; what changes something
	// or gives memory away must not be asked for by another site's page.
	named := func(pattern string, handle http.HandlerFunc) { mux.Handle(pattern, ownName(handle, cfg.Hosts)) }
	named("PUT /log-level", h.setLogLevel)
	if cfg.Profiling {
		named("/debug/pprof/", pprof.Index)
		named("/debug/pprof/cmdline", pprof.Cmdline)
		named("/debug/pprof/profile", pprof.Profile)
		named("/debug/pprof/symbol", pprof.Symbol)
		named("/debug/pprof/trace", pprof.Trace)
	}
	if cfg.UI != nil {
		mux.Handle(UIPath, cfg.UI)
	}
	started := "Started AdminServer on address %s, port %s and command URL " + strings.ReplaceAll(cfg.CommandURL, "%", "%%")
	var all http.Handler = mux
	if loopback(cfg.Addr) {
		guarded := http.NewServeMux()
		guarded.Handle("/", ownName(mux, cfg.Hosts))
		if cfg.UI != nil {
			guarded.Handle(UIPath, cfg.UI) // it asks for the name itself, and answers in its own way
		}
		all = guarded
	}
	return newPage(cfg.Addr, started, all, cfg.IdleTimeout, cfg.Secure, log)
}

// Listen binds the port and serves in the background.
func (p *Page) Listen() error {
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.ln, p.end = ln, make(chan struct{})
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	p.log.Info(fmt.Sprintf(p.started, host, port))
	go func() {
		defer close(p.end)
		if err := p.srv.Serve(guard(ln, stall(p.srv.IdleTimeout), p.secure)); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("page has ended", "address", p.addr, "error", err)
		}
	}()
	return nil
}

// Addr is the address bound by Listen, nil before.
func (p *Page) Addr() net.Addr {
	if p.ln == nil {
		return nil
	}
	return p.ln.Addr()
}

// Close ends the server, requests under way included, and waits. It may be called
// twice.
func (p *Page) Close() {
	if p.ln == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.srv.Shutdown(ctx) != nil {
		p.srv.Close()
	}
	<-p.end
}

// index lists the commands with links.
func (h *commander) index(w http.ResponseWriter, _ *http.Request) {
	var names []string
	for _, c := range commands {
		names = append(names, c.names[0])
	}
	if h.backups != nil {
		names = append(names, "restore", "snapshot")
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	for _, name := range names {
		fmt.Fprintf(w, "<a href=\"%s/%s\">%s</a>\n<br/>\n", h.base, name, name)
	}
}

// command answers one command. ZooKeeper's status is 200 whatever the error, which
// stands in the body.
func (h *commander) command(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if h.backups != nil {
		switch name {
		case "snapshot", "snap":
			if called(w, r, h.hosts) {
				h.backups.command(w, r, name, "snapshot", http.MethodGet)
			}
			return
		case "restore", "rest":
			if called(w, r, h.hosts) {
				h.backups.command(w, r, name, "restore", http.MethodPost)
			}
			return
		}
	}
	c := lookup(name)
	switch {
	case c == nil:
		refuse(w, http.StatusOK, name, "Unknown command: "+name)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, name, "this command is asked with GET")
		return
	case !c.unserved && !h.src.Working():
		refuse(w, http.StatusOK, name, errNotServing.Error())
		return
	}
	o, err := c.run(h.src, r.URL.Query())
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.Write(appendJSON(nil, object{{"error", err.Error()}, {"command", c.names[0]}}, 0))
		return
	}
	w.Write(render(c.names[0], o))
}

// refuse answers a command that has not been run, under the name it was asked by.
func refuse(w http.ResponseWriter, status int, name, problem string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(appendJSON(nil, object{{"command", name}, {"error", problem}}, 0))
}

func lookup(name string) *command {
	for i := range commands {
		if slices.Contains(commands[i].names, name) {
			return &commands[i]
		}
	}
	return nil
}

// live says that the process answers.
func (h *commander) live(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

// ready says whether clients should be sent here: it serves, and has applied
// nearly all that the leader has committed.
func (h *commander) ready(w http.ResponseWriter, _ *http.Request) { say(w, h.src.Ready()) }

// safeToStop says whether the ensemble keeps its quorum without this member.
func (h *commander) safeToStop(w http.ResponseWriter, _ *http.Request) { say(w, h.src.SafeToStop()) }

// say answers a probe: 200, or 503 with the reason.
func say(w http.ResponseWriter, problem error) {
	if problem != nil {
		http.Error(w, problem.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// logLevel tells how much is logged, setLogLevel changes it for the life of the
// process: PUT /log-level?level=debug.
func (h *commander) logLevel(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, h.log.GetLevel())
}

func (h *commander) setLogLevel(w http.ResponseWriter, r *http.Request) {
	level := hclog.LevelFromString(r.URL.Query().Get("level"))
	if level == hclog.NoLevel {
		http.Error(w, "give level=trace, debug, info, warn, error or off", http.StatusBadRequest)
		return
	}
	h.log.SetLevel(level)
	h.log.Info("log level is set", "level", level, "client", r.RemoteAddr)
	fmt.Fprintln(w, level)
}
