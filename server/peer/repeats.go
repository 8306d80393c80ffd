package peer

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// TellAgain is how long the log is silent about what goes on happening.
	TellAgain = time.Minute
	// maxRepeats bounds what is remembered: strangers choose what they are refused for.
	maxRepeats = 1000
)

// Repeats keeps the log calm while something goes on happening, such as a peer that is
// refused once a second: it is told at once, and then once a minute with how often it
// came. Its methods may be called by many goroutines; the zero value is ready.
type Repeats struct {
	mu   sync.Mutex
	seen map[string]repeat
}

type repeat struct {
	told  time.Time
	count int // since then
}

// Warn logs a line, unless what it is about has been told less than TellAgain ago.
func (r *Repeats) Warn(log hclog.Logger, about, msg string, args ...any) {
	count, tell := r.note(about, time.Now())
	switch {
	case !tell:
	case count > 1:
		log.Warn(msg, append(args, "count", count)...)
	default:
		log.Warn(msg, args...)
	}
}

// About is what a refusal is about: who was refused, as far as it has said, and why.
func About(conn net.Conn, id Identity, why error) string {
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	return fmt.Sprintf("%s %d: %v", host, id.SID, why)
}

// note counts what came, and says whether to tell of it, and of how many.
func (r *Repeats) note(about string, now time.Time) (count int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || len(r.seen) >= maxRepeats {
		r.seen = make(map[string]repeat)
	}
	it := r.seen[about]
	it.count++
	if count = it.count; it.told.IsZero() || now.Sub(it.told) >= TellAgain {
		tell = true
		it = repeat{told: now}
	}
	r.seen[about] = it
	return count, tell
}
