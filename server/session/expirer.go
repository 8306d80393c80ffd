package session

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
)

// sliceLen is the number of sessions handled under one hold of the lock.
const sliceLen = 1024

// Config is what an Expirer needs.
type Config struct {
	// TickTime is the width of a bucket, and how often they are looked at
	// (zoo.cfg tickTime). Required.
	TickTime time.Duration

	// Now is a monotonic clock, time.Now by default.
	Now func() time.Time

	// Expire gets the ids of sessions whose deadline has passed, in ascending
	// order, and the term in which this server led when it found so. It is
	// called by one goroutine, without locks. It may block for a while, which
	// delays expiry, but must not wait for Lead, Follow or Close. Required.
	Expire func(term uint64, ids []protocol.SessionID)

	// Paused hears that the process did not run, or not enough, for so long. It
	// must not block. May be nil.
	Paused func(time.Duration)

	// Logger, or nil for none.
	Logger hclog.Logger
}

// Expirer finds the sessions that have gone silent, while this server leads.
// Its methods may be called by any goroutine; Opened, Attached, Closed, Retry
// and Touch do nothing while it does not lead.
type Expirer struct {
	cfg   Config
	start time.Time // origin of all times inside

	life   sync.Mutex // serialises Lead, Follow and Close; taken before mu
	closed bool
	stop   chan struct{} // closed to end the goroutine; nil without one
	done   chan struct{} // closed by the goroutine at its end

	mu       sync.Mutex
	leading  bool
	sessions map[protocol.SessionID]*session
	buckets  map[int64][]*session // by number: n ends at n * TickTime
	next     int64                // the bucket to look at next

	// gone holds the sessions closed while Lead is being told of them all; it
	// is nil at any other time.
	gone map[protocol.SessionID]struct{}
}

// session is one session's timer.
//
// A touch only moves deadline; the entry stays in its bucket until that one
// ends, and moves then. So a busy session moves once per timeout, not once per
// touch.
//
// Invariant: bucket <= deadline, and buckets[bucket][at] is this session,
// unless it is closing.
type session struct {
	id       protocol.SessionID
	timeout  time.Duration
	deadline int64 // number of the bucket at whose end it expires
	bucket   int64 // number of the bucket it stands in
	at       int   // place in the bucket
	closing  bool  // handed to Expire, in no bucket
	touched  bool  // heard from since it is closing
	again    bool  // handed to Expire before, which came to nothing
}

// New returns an Expirer that does not lead.
func New(cfg Config) *Expirer {
	if cfg.TickTime <= 0 {
		panic("session: TickTime must be positive")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	return &Expirer{cfg: cfg, start: cfg.Now()}
}

// Lead starts expiring, for the given term. sessions calls its argument for
// every session of the replicated state; each gets its full timeout from now.
//
// Sessions opened, attached or closed while sessions runs are dealt with: it
// may take the state lock, for no lock that the apply goroutine needs is held.
// Lead ends an earlier term's expiring first, as Follow does.
func (e *Expirer) Lead(term uint64, sessions func(yield func(id protocol.SessionID, timeout time.Duration))) {
	e.life.Lock()
	defer e.life.Unlock()
	e.followHoldingLife()
	if e.closed {
		return
	}
	e.mu.Lock()
	e.leading = true
	e.sessions = make(map[protocol.SessionID]*session)
	e.buckets = make(map[int64][]*session)
	e.gone = make(map[protocol.SessionID]struct{})
	e.mu.Unlock()

	type known struct {
		id      protocol.SessionID
		timeout time.Duration
	}
	var all []known
	sessions(func(id protocol.SessionID, timeout time.Duration) {
		all = append(all, known{id, timeout})
	})
	for part := range slices.Chunk(all, sliceLen) {
		e.mu.Lock()
		now := e.now()
		for _, k := range part {
			_, gone := e.gone[k.id]
			if e.sessions[k.id] == nil && !gone {
				e.armLocked(k.id, k.timeout, now)
			}
		}
		e.mu.Unlock()
	}

	e.mu.Lock()
	e.gone = nil
	e.next = e.bucketAt(e.now()) + 1
	count := len(e.sessions)
	e.mu.Unlock()
	e.cfg.Logger.Info("watching over sessions", "term", term, "count", count)

	e.stop, e.done = make(chan struct{}), make(chan struct{})
	go e.run(term, e.stop, e.done)
}

// Follow stops expiring and forgets all sessions. It waits for a running
// Expire; none is called after it has returned, until the next Lead.
func (e *Expirer) Follow() {
	e.life.Lock()
	defer e.life.Unlock()
	e.followHoldingLife()
}

// Close is Follow for good: Lead does nothing afterwards. It may be called
// twice.
func (e *Expirer) Close() {
	e.life.Lock()
	defer e.life.Unlock()
	e.followHoldingLife()
	e.closed = true
}

func (e *Expirer) followHoldingLife() {
	if e.stop != nil {
		close(e.stop)
		<-e.done
		e.stop, e.done = nil, nil
	}
	e.mu.Lock()
	e.leading = false
	e.sessions, e.buckets, e.gone = nil, nil, nil
	e.mu.Unlock()
}

// Opened tells of a new session. It is called as the opening is applied.
func (e *Expirer) Opened(id protocol.SessionID, timeout time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leading {
		e.armLocked(id, timeout, e.now())
	}
}

// Attached tells that a session has a new connection, and perhaps a new
// timeout. It is called as the attachment is applied. A session that was
// closing is so no longer: the expiry, ordered behind the attachment, names an
// owner that is none any more.
func (e *Expirer) Attached(id protocol.SessionID, timeout time.Duration) {
	e.Opened(id, timeout)
}

// Closed tells of a session's end, expiry included. It is called as the end is
// applied.
func (e *Expirer) Closed(id protocol.SessionID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.leading {
		return
	}
	if e.gone != nil {
		e.gone[id] = struct{}{}
	}
	if s := e.sessions[id]; s != nil {
		e.leaveLocked(s)
		delete(e.sessions, id)
	}
}

// Retry tells that the expiry of a closing session came to nothing. It is
// handed to Expire again after a tick, or after its whole timeout if it has
// been heard from since.
func (e *Expirer) Retry(id protocol.SessionID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[id]
	if s == nil || !s.closing {
		return
	}
	wait := e.cfg.TickTime
	if s.touched {
		wait = s.timeout
	}
	s.closing, s.touched, s.again = false, false, !s.touched
	s.deadline = e.deadline(e.now(), wait)
	e.enterLocked(s)
}

// Touch tells that sessions have been heard from, just now. Unknown ids are
// passed over: they may have been closed meanwhile.
func (e *Expirer) Touch(ids ...protocol.SessionID) {
	for part := range slices.Chunk(ids, sliceLen) {
		e.mu.Lock()
		now := e.now()
		for _, id := range part {
			s := e.sessions[id]
			switch {
			case s == nil:
			case s.closing:
				s.touched = true
			default:
				s.again = false
				// Never earlier: the grace after a pause may be longer.
				s.deadline = max(s.deadline, e.deadline(now, s.timeout))
			}
		}
		e.mu.Unlock()
	}
}

// Closing reports whether the session has been handed to Expire and nothing
// was heard of the outcome yet.
func (e *Expirer) Closing(id protocol.SessionID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[id]
	return s != nil && s.closing
}

// Again reports whether the session has been handed to Expire before, which came to
// nothing, and has been silent since.
func (e *Expirer) Again(id protocol.SessionID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sessions[id]
	return s != nil && s.again
}

// Deadlines returns when each session that is not closing would be expired if
// it stayed silent. Nil while this server does not lead. For the dump command;
// it copies everything under the lock.
func (e *Expirer) Deadlines() map[protocol.SessionID]time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.leading {
		return nil
	}
	all := make(map[protocol.SessionID]time.Time, len(e.sessions))
	for id, s := range e.sessions {
		if !s.closing {
			all[id] = e.start.Add(time.Duration(s.deadline) * e.cfg.TickTime)
		}
	}
	return all
}
