package kerberos

import (
	"sync"
	"time"
)

// maxReplays is how many authenticators of a span are remembered: some 200 a second for
// the default skew, in about 8 MiB.
const maxReplays = 1 << 17

// maxReplaysOfOne is how many of them may be of one client, so that no one can use up
// what there is for all: some 13 a second for the default skew.
const maxReplaysOfOne = maxReplays / 16

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
	counts   map[string]int // of now, by client
}

func newReplays(span time.Duration) *replays { return &replays{span: span} }

// add remembers an authenticator of a client, accepted at a time, or gives errReplay or
// errFull. None is forgotten to make room, or it could be used again.
func (r *replays) add(client string, authenticator [16]byte, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := at.Sub(r.since); age > r.span {
		r.old = r.now
		if age > 2*r.span {
			r.old = nil
		}
		r.now, r.counts, r.since = make(map[[16]byte]struct{}), make(map[string]int), at
	}
	if _, ok := r.now[authenticator]; ok {
		return errReplay
	}
	if _, ok := r.old[authenticator]; ok {
		return errReplay
	}
	if len(r.now) >= maxReplays || r.counts[client] >= maxReplaysOfOne {
		return errFull
	}
	r.now[authenticator] = struct{}{}
	r.counts[client]++
	return nil
}
