package kerberos

import (
	"sync"
	"time"
)

// maxReplays is how many authenticators of a span are remembered: some 200 a second for
// the default skew, in about 8 MiB.
const maxReplays = 1 << 17

// replays remembers the authenticators that were accepted for at least a span, twice
// the skew: so long may pass from when the first clock allows one to when the last does.
//
// It is of this process. Who can read a connection could use an authenticator once more
// on another server of the same principal, or after a restart; but could as well write
// into the connection, which no layer protects. Where that counts there is TLS.
type replays struct {
	span time.Duration

	mu       sync.Mutex
	since    time.Time // when now began
	now, old map[[16]byte]struct{}
}

func newReplays(span time.Duration) *replays { return &replays{span: span} }

// add remembers an authenticator accepted at a time, or gives errReplay or errFull.
func (r *replays) add(authenticator [16]byte, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := at.Sub(r.since); age > r.span {
		r.old = r.now
		if age > 2*r.span {
			r.old = nil
		}
		r.now, r.since = make(map[[16]byte]struct{}), at
	}
	if _, ok := r.now[authenticator]; ok {
		return errReplay
	}
	if _, ok := r.old[authenticator]; ok {
		return errReplay
	}
	if len(r.now) >= maxReplays {
		return errFull
	}
	r.now[authenticator] = struct{}{}
	return nil
}
