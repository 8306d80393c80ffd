package session

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
)

const tick = 2 * time.Second

// rig is an Expirer in a synctest bubble. Its clock is the bubble's plus jump,
// which stands for time that passed while nothing ran.
type rig struct {
	*Expirer
	begin time.Time
	jump  atomic.Int64
	hook  func(ids []protocol.SessionID)

	mu      sync.Mutex
	expired expiries // when, since begin
	term    uint64   // of the last Expire
	calls   int
}

func newRig(t *testing.T) *rig {
	r := &rig{begin: time.Now(), expired: expiries{}}
	r.Expirer = New(Config{
		TickTime: tick,
		Now:      func() time.Time { return time.Now().Add(time.Duration(r.jump.Load())) },
		Expire: func(term uint64, ids []protocol.SessionID) {
			if !slices.IsSorted(ids) {
				t.Errorf("ids not in order: %v", ids)
			}
			r.mu.Lock()
			r.term = term
			r.calls++
			for _, id := range ids {
				r.expired[id] = append(r.expired[id], r.at())
			}
			r.mu.Unlock()
			if r.hook != nil {
				r.hook(ids)
			}
		},
	})
	return r
}

// at returns the rig's time since begin.
func (r *rig) at() time.Duration { return time.Since(r.begin) + time.Duration(r.jump.Load()) }

// until lets the rig's time pass up to at, and all that is due then happen.
func (r *rig) until(at time.Duration) {
	time.Sleep(at - r.at())
	synctest.Wait()
}

// seen returns what has been handed to Expire, in which term last, and in how
// many calls.
func (r *rig) seen() (expired expiries, term uint64, calls int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.expired), r.term, r.calls
}

// expect fails unless exactly these sessions have expired, at these times.
func (r *rig) expect(t *testing.T, want expiries) {
	t.Helper()
	got, _, _ := r.seen()
	if len(want) == 0 && len(got) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("at %v: expired %v, want %v", r.at(), got, want)
	}
}

type expiries = map[protocol.SessionID][]time.Duration

func times(at ...time.Duration) []time.Duration { return at }

func nobody(func(protocol.SessionID, time.Duration)) {}

func these(list map[protocol.SessionID]time.Duration) func(func(protocol.SessionID, time.Duration)) {
	return func(yield func(protocol.SessionID, time.Duration)) {
		for id, timeout := range list {
			yield(id, timeout)
		}
	}
}

func TestSilentSessionExpires(t *testing.T) {
	tests := []struct{ opened, timeout, want time.Duration }{
		{0, 4 * time.Second, 6 * time.Second},
		{1, 4 * time.Second, 6 * time.Second},
		{tick - 1, 4 * time.Second, 6 * time.Second},
		{tick, 4 * time.Second, 8 * time.Second},
		{tick + 1, 4*time.Second - 2, 6 * time.Second},
		{tick + 1, 4*time.Second - 1, 8 * time.Second},
		{500 * time.Millisecond, 5 * time.Second, 6 * time.Second},
		{500 * time.Millisecond, 0, 2 * time.Second},
		{500 * time.Millisecond, 40 * time.Second, 42 * time.Second},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("opened=%v/timeout=%v", tt.opened, tt.timeout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.Close()
				r.Lead(7, nobody)
				r.until(tt.opened)
				r.Opened(1, tt.timeout)
				if got := r.Deadlines()[1].Sub(r.begin); got != tt.want {
					t.Errorf("Deadlines = %v, want %v", got, tt.want)
				}
				r.until(tt.want - 1)
				r.expect(t, nil)
				r.until(tt.want + 10*tick)
				r.expect(t, expiries{1: times(tt.want)})
				if _, term, _ := r.seen(); term != 7 {
					t.Errorf("term = %d, want 7", term)
				}
				if tt.want < tt.opened+tt.timeout || tt.want > tt.opened+tt.timeout+tick {
					t.Errorf("want %v outside of the promised window", tt.want)
				}
			})
		})
	}
}

// TestAgainstModel plays random events. The model is a table of deadlines,
// worked out anew for each event.
func TestAgainstModel(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			r := newRig(t)
			defer r.Close()
			r.Lead(1, nobody)
			type modelled struct{ timeout, deadline time.Duration }
			model := map[protocol.SessionID]*modelled{}
			want := expiries{}
			deadline := func(timeout time.Duration) time.Duration {
				return ((r.at()+timeout)/tick + 1) * tick
			}
			for at := time.Duration(1); at < 3*time.Minute; at += time.Duration(1 + rnd.Int64N(int64(300*time.Millisecond))) {
				if at%tick == 0 {
					at++ // not in the moment of a sweep
				}
				r.until(at)
				for id, m := range model {
					if m.deadline <= at {
						want[id] = append(want[id], m.deadline)
						delete(model, id)
					}
				}
				id := protocol.SessionID(rnd.Int64N(20))
				timeout := time.Duration(rnd.Int64N(int64(20 * time.Second)))
				m := model[id]
				switch n := rnd.IntN(10); {
				case m == nil:
					r.Opened(id, timeout)
					model[id] = &modelled{timeout, deadline(timeout)}
				case n == 0:
					r.Attached(id, timeout)
					model[id] = &modelled{timeout, deadline(timeout)}
				case n == 1:
					r.Closed(id)
					delete(model, id)
				case n < 6:
					r.Touch(id, id+100)
					m.deadline = deadline(m.timeout)
				}
				r.expect(t, want)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
				// A session that is closing counts, but not as waiting.
				if got := len(r.Deadlines()); got != len(model) {
					t.Fatalf("seed %d at %v: %d sessions wait, want %d", seed, at, got, len(model))
				}
			}
			if len(want) < 10 {
				t.Fatalf("seed %d: only %d expiries", seed, len(want))
			}
		})
	}
}

func TestLeadAndFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Close()
		r.Opened(1, tick) // ignored: not leading
		r.Touch(1)
		r.Closed(1)
		r.Retry(1)
		r.until(10 * tick)
		r.expect(t, nil)
		if r.Len() != 0 || r.Closing(1) || r.Deadlines() != nil {
			t.Errorf("a server that does not lead knows of %d sessions", r.Len())
		}

		r.Lead(1, these(map[protocol.SessionID]time.Duration{1: 4 * time.Second, 2: 8 * time.Second}))
		if r.Len() != 2 {
			t.Errorf("Len = %d, want 2", r.Len())
		}
		r.until(13*tick - 1)
		r.Follow()
		r.Follow()
		r.until(20 * tick)
		r.expect(t, nil)

		// A new term starts all timeouts again, without Follow in between too.
		r.Lead(2, these(map[protocol.SessionID]time.Duration{1: 4 * time.Second, 2: 8 * time.Second}))
		r.until(22 * tick)
		r.Lead(3, these(map[protocol.SessionID]time.Duration{1: 4 * time.Second, 2: 8 * time.Second}))
		r.until(23*tick + 1)
		r.Touch(2)
		r.until(40 * tick)
		r.expect(t, expiries{1: times(25 * tick), 2: times(28 * tick)})
		if _, term, _ := r.seen(); term != 3 {
			t.Errorf("term = %d, want 3", term)
		}

		r.Close()
		r.Close()
		r.Lead(4, these(map[protocol.SessionID]time.Duration{9: tick}))
		r.until(60 * tick)
		if got, _, _ := r.seen(); len(got) != 2 || r.Len() != 0 {
			t.Errorf("expires after Close: %v", got)
		}
	})
}

// TestEventsDuringLead has sessions come and go while Lead is being told of
// them, from the state as it was before or after.
func TestEventsDuringLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Close()
		r.Lead(1, func(yield func(protocol.SessionID, time.Duration)) {
			r.Closed(1)
			r.Opened(2, 8*time.Second)
			r.Opened(3, 4*time.Second)
			r.Closed(3)
			r.Attached(4, 8*time.Second)
			for id := protocol.SessionID(1); id <= 5; id++ {
				yield(id, 4*time.Second)
			}
		})
		r.Opened(1, 20*time.Second) // what was closed meanwhile is forgotten
		r.until(20 * tick)
		r.expect(t, expiries{1: times(11 * tick), 2: times(5 * tick), 4: times(5 * tick), 5: times(3 * tick)})
	})
}

// A session whose expiry comes to nothing is told of once, and known to have been
// handed over before, until something is heard of it.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t)
		defer r.Close()
		r.cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: &log})
		var again []bool
		r.hook = func(ids []protocol.SessionID) { again = append(again, r.Again(ids[0])) }
		r.Lead(1, func(yield func(protocol.SessionID, time.Duration)) { yield(1, 4*time.Second) })
		for range 3 {
			r.until(r.at() + 10*tick)
			r.Retry(1)
		}
		r.Touch(1)
		r.until(r.at() + 10*tick)
		r.Attached(1, 4*time.Second)
		r.until(r.at() + 10*tick)
		r.Lead(2, func(yield func(protocol.SessionID, time.Duration)) { yield(1, 4*time.Second) })
		r.until(r.at() + 10*tick)
		if want := []bool{false, true, true, false, false, false}; !slices.Equal(again, want) {
			t.Errorf("again: %v, want %v", again, want)
		}
		if n := strings.Count(log.String(), "expiring silent sessions"); n != 4 {
			t.Errorf("told %d times, want 4:\n%s", n, &log)
		}
	})
}

func TestClosingSessions(t *testing.T) {
	const timeout = 4 * time.Second // opened at 0, so expired at 3 ticks
	tests := []struct {
		name string
		act  func(r *rig) // at 3 ticks and a half
		want []time.Duration
	}{
		{"stays out", func(r *rig) {}, times(3 * tick)},
		{"touch does not bring it back", func(r *rig) { r.Touch(1) }, times(3 * tick)},
		{"closed", func(r *rig) { r.Closed(1); r.Retry(1); r.Touch(1) }, times(3 * tick)},
		{"retried after a tick", func(r *rig) { r.Retry(1) }, times(3*tick, 5*tick)},
		{"retried after its timeout if touched", func(r *rig) { r.Touch(1); r.Retry(1) }, times(3*tick, 6*tick)},
		{"retried and touched", func(r *rig) { r.Retry(1); r.Touch(1) }, times(3*tick, 6*tick)},
		{"retried twice", func(r *rig) { r.Retry(1); r.Retry(1) }, times(3*tick, 5*tick)},
		{"attached", func(r *rig) { r.Attached(1, 10*time.Second); r.Retry(1) }, times(3*tick, 9*tick)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.Close()
				r.Lead(1, nobody)
				r.Opened(1, timeout)
				r.until(3*tick - 1)
				if r.Closing(1) {
					t.Error("closing before its time")
				}
				r.until(3*tick + tick/2)
				if !r.Closing(1) || len(r.Deadlines()) != 0 || r.Len() != 1 {
					t.Errorf("Closing = %v, Deadlines = %v, Len = %d", r.Closing(1), r.Deadlines(), r.Len())
				}
				tt.act(r)
				if got, want := r.Closing(1), len(tt.want) == 1 && tt.name != "closed"; got != want {
					t.Errorf("Closing = %v, want %v", got, want)
				}
				r.until(30 * tick)
				r.expect(t, expiries{1: tt.want})
			})
		})
	}
}

// TestPause stops everything for a while: the clock jumps by whole ticks, and
// the timer, which does not know, sweeps half a tick later.
func TestPause(t *testing.T) {
	// Session 5 stands in the same bucket as session 1, and has been touched at
	// 1.5 ticks.
	timeouts := map[protocol.SessionID]time.Duration{1: 2 * tick, 2: 4 * tick, 3: 5 * tick, 4: 30 * tick, 5: 2 * tick}
	tests := []struct {
		name  string
		pause time.Duration // begins at 2.5 ticks; the next sweep is due at 3
		want  expiries
	}{
		{"none", 0, expiries{1: times(3 * tick), 2: times(5 * tick), 3: times(6 * tick), 4: times(31 * tick), 5: times(4 * tick)}},
		// Swept at 4, a tick late, which is not more: sessions 1 and 5 go.
		{"a tick", tick, expiries{1: times(4 * tick), 2: times(5 * tick), 3: times(6 * tick), 4: times(31 * tick), 5: times(4 * tick)}},
		// Swept at 5, 2 late: sessions 1, 2 and 5 are overdue and get 2, session 3
		// is due next and gets 1.
		{"short", 2 * tick, expiries{1: times(8 * tick), 2: times(8 * tick), 3: times(7 * tick), 4: times(31 * tick), 5: times(8 * tick)}},
		// Swept at 13, 10 late: all but session 4 get their timeout.
		{"long", 10 * tick, expiries{1: times(16 * tick), 2: times(18 * tick), 3: times(19 * tick), 4: times(31 * tick), 5: times(16 * tick)}},
		// Swept at 43, 40 late: all get their timeout.
		{"very long", 40 * tick, expiries{1: times(46 * tick), 2: times(48 * tick), 3: times(49 * tick), 4: times(74 * tick), 5: times(46 * tick)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.Close()
				r.Lead(1, nobody)
				for id, timeout := range timeouts {
					r.Opened(id, timeout)
				}
				r.until(tick + tick/2)
				r.Touch(5)
				r.until(2*tick + tick/2)
				r.jump.Add(int64(tt.pause))
				r.until(100 * tick)
				r.expect(t, tt.want)
			})
		})
	}
}

// TestTouchesAfterAPauseWin is what the grace is for: clients that spoke all
// the time are heard only after the sweep has run.
func TestTouchesAfterAPauseWin(t *testing.T) {
	for _, pause := range []time.Duration{2 * tick, 5 * tick, 100 * tick} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.Close()
			r.Lead(1, nobody)
			for id := protocol.SessionID(1); id <= 8; id++ {
				r.Opened(id, time.Duration(id)*tick)
			}
			r.until(tick / 2)
			r.jump.Add(int64(pause))
			time.Sleep(tick/2 + 1) // the late sweep
			synctest.Wait()
			r.expect(t, nil)
			time.Sleep(tick - 2) // the next, one tick on, is not due yet
			synctest.Wait()
			r.expect(t, nil)
			back := r.at()
			r.Touch(1, 2, 3, 4, 5, 6, 7, 8)
			time.Sleep(tick - 1)
			synctest.Wait()
			r.expect(t, nil)
			r.until(back + 20*tick)
			got, _, _ := r.seen()
			if len(got) != 8 {
				t.Errorf("pause of %v: %d sessions expired in the end, want 8", pause, len(got))
			}
			for id, at := range got {
				if len(at) != 1 || at[0] < back+time.Duration(id)*tick {
					t.Errorf("pause of %v: session %v expired at %v, touched at %v", pause, id, at, back)
				}
			}
		})
	}
}

// TestSlowExpire blocks in the callback for longer than a tick: nothing may be
// lost or expired early, and the rest goes on afterwards.
func TestSlowExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Close()
		r.hook = func(ids []protocol.SessionID) { time.Sleep(3 * tick) }
		r.Lead(1, nobody)
		r.Opened(1, 2*tick)
		r.Opened(2, 3*tick)
		r.Opened(3, 9*tick)
		r.until(60 * tick)
		got, _, _ := r.seen()
		if len(got) != 3 {
			t.Errorf("expired %v, want all three", got)
		}
		for id, at := range got {
			if len(at) != 1 {
				t.Errorf("session %v expired at %v, want once", id, at)
			}
		}
	})
}

// TestManyAtOnce is the moment after an election: all deadlines are one.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5*sliceLen + 7
		r := newRig(t)
		defer r.Close()
		all := map[protocol.SessionID]time.Duration{}
		for id := range protocol.SessionID(n) {
			all[id] = 4 * time.Second
		}
		r.Lead(1, these(all))
		r.until(tick + 1)
		var touched []protocol.SessionID
		for id := range protocol.SessionID(n) {
			if id%2 == 0 {
				touched = append(touched, id)
			}
		}
		r.Touch(touched...)
		r.until(3 * tick)
		if got, _, calls := r.seen(); len(got) != n/2 || calls != 1 {
			t.Fatalf("at three ticks: %d expired in %d calls, want %d in 1", len(got), calls, n/2)
		}
		r.until(4 * tick)
		got, _, calls := r.seen()
		if len(got) != n || calls != 2 {
			t.Fatalf("at four ticks: %d expired in %d calls, want %d in 2", len(got), calls, n)
		}
		for id := range got {
			r.Closed(id)
		}
		if r.Len() != 0 || len(r.buckets) != 0 {
			t.Errorf("%d sessions and %d buckets left", r.Len(), len(r.buckets))
		}
	})
}

// Len is the number of sessions watched over, closing ones included.
func (e *Expirer) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions)
}
