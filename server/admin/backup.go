package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
	"zooraft/zabcompat/metrics"
)

// Caller is who asks for a snapshot or a restore.
type Caller struct {
	Scheme, Credential string // what it has sent to be known by
	From               netip.Addr
}

// Backups are what the commands snapshot and restore ask a server for. Its methods may
// be called by many goroutines at once.
type Backups interface {
	// Authorize says whether a caller can be known by what it has sent with a scheme,
	// and whether it has all permissions on the root.
	Authorize(c Caller) (known, allowed bool)
	// Note hears of each command, snapshot or restore, that a caller who can be known
	// has asked for, once it has ended.
	Note(c Caller, command string, o Outcome)
	// Snapshot writes a snapshot of all that was committed before the call, and opens
	// it. It blocks until that is on the disk.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Restore puts a snapshot in the place of the state of all servers. It blocks until
	// that is done, or will not be; ctx ends it as long as nothing has changed. length
	// is that of body, -1 if it is not known. The error wraps one of those below, or the reader's.
	Restore(ctx context.Context, body io.Reader, length int64) (Restored, error)
}

// Guesses bounds how often somebody may try to be known who is not. Its methods may be
// called by many goroutines at once.
type Guesses interface {
	// Take counts a try, or returns how long there is to wait for the next.
	Take(from netip.Addr) (wait time.Duration)
	// Back takes one back that was right.
	Back(from netip.Addr)
}

// Outcomes of a restore. Nothing has changed but where ErrUnknown says so.
var (
	ErrNoSnapshot  = errors.New("the body is no snapshot that can be restored")
	ErrTooLarge    = errors.New("there is not enough room on the disks for it")
	ErrRestoring   = errors.New("another restore is under way")
	ErrUnavailable = errors.New("it did not come through the log: is there a quorum?")
	ErrUnknown     = errors.New("it was asked for, and whether it has been carried out is not known")
)

// Outcome is what came of a command.
type Outcome int

// The outcomes.
const (
	Failed  Outcome = iota // nothing has changed
	Done                   // it was carried out
	Unknown                // it was asked for; see ErrUnknown
)

// Snapshot is a snapshot, opened.
type Snapshot struct {
	io.ReadCloser
	Zxid  int64
	Bytes int64
	File  string // where it stands
}

// Restored is what a restore has done.
type Restored struct {
	Zxid         int64 // at which the state was replaced
	SnapshotZxid int64
}

// BackupConfig says how snapshot and restore behave (zookeeper.admin.KEY).
type BackupConfig struct {
	Snapshot, Restore bool // they are there (snapshot.enabled, restore.enabled)
	// Serialized is false where snapshots are to be without their last zxid
	// (serializeLastProcessedZxid.enabled, no key of the admin server): ZooKeeper
	// refuses both then.
	Serialized bool
	// Interval is how long after one of them the next one is refused
	// (rateLimiterIntervalInMS); 0: at once.
	Interval time.Duration
}

// backups answers the two commands.
type backups struct {
	cfg       BackupConfig
	src       Source
	do        Backups
	guesses   Guesses
	log       hclog.Logger
	snapshots limiter
	restores  limiter
	refusals  limiter // of the log
}

// limiter lets one call through in an interval.
type limiter struct {
	mu           sync.Mutex
	last, before time.Time // of those let through, the zero time if none was
}

// allow lets a call through, or says how long ago the last one was.
func (l *limiter) allow(interval time.Duration) (ok bool, ago time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if ago = now.Sub(l.last); !l.last.IsZero() && ago < interval {
		return false, ago
	}
	l.last, l.before = now, l.last
	return true, 0
}

// back has the last call that was let through not count.
func (l *limiter) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = l.before
}

// answer is what a command is answered with if nothing is streamed.
type answer struct {
	status  int
	problem string // "" for none
	unknown bool   // whether it was carried out in spite of the problem
	fields  object
}

// outcome is what it says; nil stands for a snapshot that was streamed.
func (a *answer) outcome() Outcome {
	switch {
	case a == nil || a.problem == "":
		return Done
	case a.unknown:
		return Unknown
	}
	return Failed
}

func refused(status int, problem string) *answer { return &answer{status: status, problem: problem} }

// command serves one of the two, names[0] being its name.
func (b *backups) command(w http.ResponseWriter, r *http.Request, asked, name, method string) {
	var a *answer
	switch {
	case r.Method != method:
		w.Header().Set("Allow", method)
		a = refused(http.StatusMethodNotAllowed, "this command is asked with "+method)
	case !b.src.Working():
		// ZooKeeper's status is 200, and a script would keep the text for a snapshot.
		a = refused(http.StatusServiceUnavailable, errNotServing.Error())
	default:
		var c Caller
		var known bool
		if c, known, a = b.authorize(w, r); a == nil && name == "snapshot" {
			a = b.snapshot(w, r)
		} else if a == nil {
			a = b.restore(w, r)
		}
		if known {
			b.do.Note(c, name, a.outcome())
		}
	}
	switch {
	case a == nil: // it has been streamed
	case a.problem != "":
		refuse(w, a.status, asked, a.problem)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(render(name, a.fields))
	}
}

// authorize asks for "Authorization: SCHEME [CREDENTIAL]", in plain text as ZooKeeper
// does (Commands.authenticate, authorize). What is sent as a credential may be a guess
// of the super user's, and counts as one unless it lets its caller through.
func (b *backups) authorize(w http.ResponseWriter, r *http.Request) (c Caller, known bool, a *answer) {
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	if header == "" {
		return c, false, refused(http.StatusUnauthorized, "Auth info is missing for the command")
	}
	scheme, credential, _ := strings.Cut(header, " ")
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return c, false, refused(http.StatusInternalServerError, "Error occurred during auth")
	}
	c = Caller{Scheme: scheme, Credential: strings.TrimSpace(credential), From: from.Addr()}
	guess := c.Credential != ""
	peer := c.From.Unmap().WithZone("")
	if guess {
		if wait := b.guesses.Take(peer); wait > 0 {
			seconds := int(wait/time.Second) + 1
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
			b.logRefusal(r, http.StatusTooManyRequests)
			return c, false, refused(http.StatusTooManyRequests, fmt.Sprintf("too many wrong credentials; try again in %d s", seconds))
		}
	}
	known, allowed := b.do.Authorize(c)
	switch {
	case !known:
		a = refused(http.StatusUnauthorized, "Not authenticated")
	case !allowed:
		a = refused(http.StatusForbidden, "Not authorized")
	case guess:
		b.guesses.Back(peer)
	}
	if a != nil {
		b.logRefusal(r, a.status)
	}
	return c, known, a
}

// logRefusal logs that somebody was not let through, one in a second at most.
func (b *backups) logRefusal(r *http.Request, status int) {
	if ok, _ := b.refusals.allow(time.Second); ok {
		b.log.Warn("a caller of the admin server was refused", "client", r.RemoteAddr, "path", protocol.OnOneLine(r.URL.Path), "status", status)
	}
}

// allowed is what keeps a command from being carried out by anybody now.
func (b *backups) allowed(w http.ResponseWriter, on bool, l *limiter, limited *metrics.Counter) *answer {
	switch {
	case !on:
		return refused(http.StatusServiceUnavailable, "this command is disabled")
	case !b.cfg.Serialized:
		return refused(http.StatusInternalServerError, "serializeLastProcessedZxid.enabled is false")
	}
	ok, ago := l.allow(b.cfg.Interval)
	if ok {
		return nil
	}
	limited.Inc()
	again := (b.cfg.Interval - ago).Truncate(time.Second) + time.Second
	w.Header().Set("Retry-After", strconv.Itoa(int(again/time.Second)))
	return refused(http.StatusTooManyRequests, fmt.Sprintf("one is taken in %v: the last was %v ago; again in %v", b.cfg.Interval, ago.Truncate(time.Second), again))
}

func (b *backups) snapshot(w http.ResponseWriter, r *http.Request) *answer {
	streaming := true
	if v := r.URL.Query().Get("streaming"); v != "" {
		streaming = strings.EqualFold(v, "true") // as Java's Boolean.parseBoolean
	}
	m := b.src.Metrics()
	if a := b.allowed(w, b.cfg.Snapshot, &b.snapshots, &m.SnapshotRateLimited); a != nil {
		return a
	}
	defer unhurried(r)()
	s, err := b.do.Snapshot(r.Context())
	if err != nil {
		m.SnapshotErrors.Inc()
		b.log.Warn("no snapshot for the admin server", "client", r.RemoteAddr, "error", err)
		return refused(http.StatusInternalServerError, err.Error())
	}
	defer s.Close()
	// As ZooKeeper writes them, for scripts that look at the text.
	w.Header()["last_zxid"] = []string{hex(s.Zxid)}
	w.Header()["snapshot_size"] = []string{strconv.FormatInt(s.Bytes, 10)}
	if !streaming {
		return &answer{fields: object{{"last_zxid", hex(s.Zxid)}, {"snapshot_size", s.Bytes}, {"file", s.File}}}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(s.Bytes, 10))
	if _, err := io.Copy(w, s); err != nil {
		m.SnapshotErrors.Inc()
		b.log.Warn("a snapshot was not sent to its end", "client", r.RemoteAddr, "error", err)
	}
	return nil
}

func hex(zxid int64) string { return fmt.Sprintf("%#x", uint64(zxid)) }

func (b *backups) restore(w http.ResponseWriter, r *http.Request) *answer {
	m := b.src.Metrics()
	body := r.Body
	start := make([]byte, 10)
	n, err := io.ReadFull(body, start)
	if n == 0 {
		return refused(http.StatusBadRequest, "give the snapshot as the request's body")
	}
	if a := b.allowed(w, b.cfg.Restore, &b.restores, &m.RestoreRateLimited); a != nil {
		return a
	}
	defer unhurried(r)()
	if err == nil {
		err = foreign(start)
	}
	var done Restored
	began := time.Now()
	if err == nil || err == io.ErrUnexpectedEOF {
		done, err = b.do.Restore(r.Context(), io.MultiReader(bytes.NewReader(start[:n]), body), r.ContentLength)
	}
	if err != nil {
		m.RestoreErrors.Inc()
		if !errors.Is(err, ErrUnknown) {
			b.restores.back() // nothing has changed, and the right file may be the next
		}
		b.log.Warn("nothing restored for the admin server", "client", r.RemoteAddr, "error", err)
		return &answer{status: restoreStatus(err), problem: err.Error(), unknown: errors.Is(err, ErrUnknown)}
	}
	m.RestoreTime.Time(time.Since(began))
	return &answer{fields: object{
		{"last_zxid", done.Zxid},
		{"snapshot_zxid", hex(done.SnapshotZxid)},
		{"restored", "all servers of the ensemble"},
	}}
}

func restoreStatus(err error) int {
	switch {
	case errors.Is(err, ErrNoSnapshot):
		return http.StatusBadRequest
	case errors.Is(err, ErrTooLarge):
		return http.StatusInsufficientStorage
	case errors.Is(err, ErrRestoring):
		return http.StatusConflict
	case errors.Is(err, ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// foreign names what a body is that can be told by its beginning and is none of ours.
func foreign(start []byte) error {
	for _, f := range []struct{ magic, name string }{
		{"ZKSN", "a snapshot file of ZooKeeper"},
		{"ZKLG", "a log file of ZooKeeper"},
		{"\x1f\x8b", "compressed by gzip"},
		{"\x82SNAPPY\x00", "compressed by snappy"},
		{"{", "JSON"},
	} {
		if strings.HasPrefix(string(start), f.magic) {
			return fmt.Errorf("%w: it is %s", ErrNoSnapshot, f.name)
		}
	}
	return nil
}
