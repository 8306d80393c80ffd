package console

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// How often one may be wrong: so many times in a row from one network, and then
// once each guessEvery. allGuesses is for all of them together.
const (
	guessBurst = 8
	guessEvery = 5 * time.Second
	allBurst   = 200
	allEvery   = 200 * time.Millisecond
	maxPeers   = 1000 // networks remembered
)

// Guesses remembers who was wrong lately, wherever a password can be tried. One that
// was not has nothing to wait for, unless many others are guessing. It may be used by
// many goroutines at once.
type Guesses struct {
	now   func() time.Time
	mu    sync.Mutex
	peers map[netip.Prefix]debt
	all   debt
}

// debt is when all the guesses made so far will have been paid off.
type debt struct{ until time.Time }

// NewGuesses makes one that remembers nobody.
func NewGuesses() *Guesses { return newGuesses(time.Now) }

func newGuesses(now func() time.Time) *Guesses {
	return &Guesses{now: now, peers: make(map[netip.Prefix]debt)}
}

// network is what counts as one peer: an address, or the part of one that its
// holder does not choose.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}

// Take counts a guess as a wrong one, for as long as it is not known to be right.
// If the peer, or all together, have guessed too often, it counts nothing and
// returns how long there is to wait.
func (g *Guesses) Take(from netip.Addr) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, p := g.now(), network(from)
	wait = max(
		g.peers[p].owed(now)-(guessBurst-1)*guessEvery,
		g.all.owed(now)-(allBurst-1)*allEvery,
	)
	if wait > 0 {
		return wait
	}
	if g.peers[p] == (debt{}) && len(g.peers) >= maxPeers {
		for p, d := range g.peers {
			if d.until.Before(now) {
				delete(g.peers, p)
			}
		}
		if len(g.peers) >= maxPeers { // the limit for all holds
			clear(g.peers)
		}
	}
	g.peers[p] = g.peers[p].more(now, guessEvery)
	g.all = g.all.more(now, allEvery)
	return 0
}

// Right takes back what Take has counted, and whatever the peer was wrong in
// before.
func (g *Guesses) Right(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.peers, network(from))
	g.all.until = g.all.until.Add(-allEvery)
}

// Back takes back what Take has counted, and no more: what was let through need not
// have been a right guess.
func (g *Guesses) Back(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := network(from)
	if d, ok := g.peers[p]; ok {
		g.peers[p] = debt{d.until.Add(-guessEvery)}
	}
	g.all.until = g.all.until.Add(-allEvery)
}

// owed is how long there is to pay.
func (d debt) owed(now time.Time) time.Duration { return max(d.until.Sub(now), 0) }

func (d debt) more(now time.Time, by time.Duration) debt {
	if d.until.Before(now) {
		d.until = now
	}
	return debt{d.until.Add(by)}
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := int(wait/time.Second) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	fail(w, http.StatusTooManyRequests, "TooManyGuesses", fmt.Sprintf("too many wrong sign-ins; try again in %d s", seconds))
}
