package session

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"zooraft/protocol"
)

// TestStorm calls everything at once, with real clocks and a short tick. It is for the race detector above all; it
// asserts that silent sessions go, busy ones stay and nothing is left over.
func TestStorm(t *testing.T) {
	const (
		short = 20 * time.Millisecond
		busy  = 64 // sessions that somebody touches all the time
	)
	var early atomic.Int64
	due := make(chan struct{}, 1)
	var e *Expirer
	e = New(Config{TickTime: short, Expire: func(_ uint64, ids []protocol.SessionID) {
		for _, id := range ids {
			if id < busy {
				early.Add(1)
				continue
			}
			select {
			case due <- struct{}{}:
			default:
			}
			if id%3 == 0 {
				e.Retry(id)
			} else {
				e.Closed(id)
			}
		}
	}})
	state := func(yield func(protocol.SessionID, time.Duration)) {
		for id := range protocol.SessionID(busy) {
			yield(id, 10*time.Second)
		}
	}
	e.Lead(1, state)
	stop := make(chan struct{})
	var all sync.WaitGroup
	loop := func(do func(n int)) {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					do(n)
				}
			}
		})
	}
	var touches Touches
	marks := make([]*Touch, busy)
	for i := range marks {
		marks[i] = touches.Session(protocol.SessionID(i))
	}
	loop(func(n int) { marks[n%busy].Mark() })
	loop(func(n int) { marks[n*7%busy].Mark() })
	loop(func(n int) {
		var ids []protocol.SessionID
		touches.Drain(func(id protocol.SessionID) { ids = append(ids, id) })
		e.Touch(ids...)
	})
	loop(func(n int) {
		id := protocol.SessionID(busy + n%1000)
		e.Opened(id, time.Duration(n%5)*short)
		if n%4 == 0 {
			e.Closed(id)
		}
		e.Attached(id, short)
	})
	loop(func(n int) { e.Closing(protocol.SessionID(n % 2000)); e.Len(); e.Deadlines() })
	term := uint64(1)
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		if term++; term%3 == 0 {
			e.Follow()
		}
		e.Lead(term, state)
	}
	close(stop)
	all.Wait()
	e.Opened(busy, short)
	<-due
	e.Close()
	if n := early.Load(); n > 0 {
		t.Errorf("%d expiries of busy sessions", n)
	}
	if e.Len() != 0 {
		t.Errorf("Len = %d after Close", e.Len())
	}
}

// TestNoExpireAfterFollow stops while a callback runs: Follow must wait for
// it, and nothing may follow.
func TestNoExpireAfterFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		inside := make(chan struct{})
		var finished atomic.Bool
		r.hook = func([]protocol.SessionID) {
			close(inside) // a second call would panic
			time.Sleep(10 * tick)
			finished.Store(true)
		}
		r.Lead(1, nobody)
		r.Opened(1, tick)
		r.Opened(2, 3*tick)
		<-inside
		r.Follow()
		if !finished.Load() {
			t.Error("Follow did not wait for Expire")
		}
		r.until(50 * tick)
		if got, _, _ := r.seen(); len(got) != 1 {
			t.Errorf("expired %v, want session 1 alone", got)
		}
	})
}

func TestTouches(t *testing.T) {
	var touches Touches
	drain := func() map[protocol.SessionID]int {
		got := map[protocol.SessionID]int{}
		touches.Drain(func(id protocol.SessionID) { got[id]++ })
		return got
	}
	a, b, other := touches.Session(1), touches.Session(2), touches.Session(1)
	if got := drain(); len(got) != 0 {
		t.Errorf("nothing marked: %v", got)
	}
	a.Mark()
	a.Mark()
	b.Mark()
	if got := drain(); len(got) != 2 || got[1] != 1 || got[2] != 1 {
		t.Errorf("after marks of 1 and 2: %v", got)
	}
	if got := drain(); len(got) != 0 {
		t.Errorf("drained twice: %v", got)
	}
	a.Mark()
	other.Mark()
	if got := drain(); len(got) != 1 || got[1] != 2 {
		t.Errorf("two connections of session 1: %v", got)
	}
	// Marked again from within: for the next Drain.
	a.Mark()
	n := 0
	touches.Drain(func(protocol.SessionID) {
		n++
		a.Mark()
	})
	if got := drain(); n != 1 || got[1] != 1 {
		t.Errorf("marked while draining: %d now, %v next", n, got)
	}
}

// TestNoMarkIsLost counts what each session said before its mark, and what was
// known of it when it was drained.
func TestNoMarkIsLost(t *testing.T) {
	const sessions, each = 8, 20_000
	var touches Touches
	var spoken, heard [sessions]atomic.Int64
	hear := func(id protocol.SessionID) { heard[id].Store(spoken[id].Load()) }
	var speakers, drains sync.WaitGroup
	for id := range sessions {
		touch := touches.Session(protocol.SessionID(id))
		speakers.Go(func() {
			for range each {
				spoken[id].Add(1)
				touch.Mark()
			}
		})
	}
	stop := make(chan struct{})
	drains.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				touches.Drain(hear)
			}
		}
	})
	speakers.Wait()
	close(stop)
	drains.Wait()
	touches.Drain(hear)
	for id := range sessions {
		if got := heard[id].Load(); got != each {
			t.Errorf("session %d: heard %d of %d", id, got, each)
		}
	}
}

func BenchmarkMark(b *testing.B) {
	var touches Touches
	b.RunParallel(func(pb *testing.PB) {
		touch := touches.Session(1)
		for n := 0; pb.Next(); n++ {
			touch.Mark()
			if n%10_000 == 0 {
				touches.Drain(func(protocol.SessionID) {})
			}
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	const n = 100_000
	e := New(Config{TickTime: 2 * time.Second, Expire: func(uint64, []protocol.SessionID) {}})
	defer e.Close()
	ids := make([]protocol.SessionID, n)
	e.Lead(1, func(yield func(protocol.SessionID, time.Duration)) {
		for i := range ids {
			ids[i] = protocol.SessionID(i)
			yield(ids[i], time.Minute)
		}
	})
	b.Run("sessions=100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e.Touch(ids...)
		}
	})
}
