package quorum

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"zooraft/server/quorum/store"
)

func TestRestAfter(t *testing.T) {
	for _, c := range []struct {
		took         time.Duration
		sent, logged uint64
		want         time.Duration
	}{
		{10 * time.Millisecond, 128, 0, 0}, // nobody writes
		{10 * time.Millisecond, 0, 20, 0},  // a heartbeat
		{10 * time.Millisecond, 128, 1, 50 * time.Millisecond},
		{10 * time.Millisecond, 128, 32, 10 * time.Millisecond}, // the gap is to close
		{10 * time.Millisecond, 128, 64, 0},
		{10 * time.Millisecond, 128, 500, 0}, // it does not: no rest at all
		{5 * time.Second, 128, 1, maxRest},
	} {
		if got := restAfter(c.took, c.sent, c.logged); got != c.want && !(c.want == 0 && got < 0) {
			t.Errorf("after %v for %d entries, %d logged: got %v, want %v", c.took, c.sent, c.logged, got, c.want)
		}
	}
}

// A follower that can take more than is logged catches up, whatever the rests.
func TestRestsLetCatchUp(t *testing.T) {
	const rate, took = 10_000.0, 10 * time.Millisecond // entries a second, for messages of maxAppend
	for _, load := range []float64{100, 1000, 3000, 6000, 9000, 9900} {
		behind, spent := 100_000.0, time.Duration(0)
		for behind > maxAppend {
			during := load * took.Seconds()
			cycle := took + max(restAfter(took, uint64(rate*took.Seconds()), uint64(during)), 0)
			behind += load*cycle.Seconds() - rate*took.Seconds()
			if spent += cycle; spent > time.Hour {
				t.Fatalf("with %v entries a second logged it is %v behind after an hour", load, behind)
			}
		}
		alone := 100_000 / (rate - load)
		if limit := 10 * alone; spent.Seconds() > limit {
			t.Errorf("with %v entries a second logged it took %v, without rests %.1f s", load, spent, alone)
		}
	}
}

func TestRests(t *testing.T) {
	const step = lookEvery
	for _, c := range []struct {
		what  string
		waits []time.Duration // from one look to the next, each after one step of work
		known bool
		want  time.Duration // of rests
	}{
		{"processors are idle", []time.Duration{0, 0, 0}, true, 0},
		{"others had them", []time.Duration{time.Millisecond, 3 * time.Millisecond}, true, 8 * time.Millisecond},
		{"now and then", []time.Duration{0, time.Millisecond, 0}, true, 2 * time.Millisecond},
		{"for long", []time.Duration{time.Second, time.Second}, true, 2 * maxWaitRest},
		{"a thread has ended, which takes its share along", []time.Duration{-time.Second, time.Millisecond}, true, 2 * time.Millisecond},
		{"the kernel does not tell", []time.Duration{time.Second}, false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			waited := time.Hour // before it started
			s := rests{delay: func() (time.Duration, bool) { return waited, c.known }}
			s.giveWay()
			began := time.Now()
			for _, w := range c.waits {
				time.Sleep(step)
				waited += w
				for range 3 { // of which the last two come too soon to look again
					s.giveWay()
				}
			}
			if got := time.Since(began) - time.Duration(len(c.waits))*step; got != c.want || s.total != c.want {
				t.Errorf("%s: rested for %v, counted %v, want %v", c.what, got, s.total, c.want)
			}
			time.Sleep(lookStale + 1)
			waited += time.Second
			began = time.Now()
			if s.giveWay(); time.Since(began) > 0 {
				t.Errorf("%s: rested for what it did long ago", c.what)
			}
		})
	}
}

// TestRunDelay keeps more threads busy than there are processors.
func TestRunDelay(t *testing.T) {
	before, ok := runDelay()
	if !ok {
		t.Skip("not told here")
	}
	n := 4 * runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	var stop atomic.Bool
	defer stop.Store(true)
	for range n {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	until(t, "these threads wait for a processor", func() bool {
		now, ok := runDelay()
		return ok && now-before > 100*time.Millisecond
	})
}

// TestStartGivesWay: a follower gives way before it reads the log that it started
// with, a leader and a server without others do not.
func TestStartGivesWay(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	create := all[0].session(1)
	for range 20 {
		all[0].do(create("/a"))
	}
	for _, s := range all {
		if err := s.node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	looks := make([]atomic.Int32, len(all))
	for i, s := range all {
		s.open()
		if s.node.rests.looked.IsZero() {
			t.Errorf("server %d has verified its log without a look", i+1)
		}
		if s.node.snaps.began.IsZero() {
			t.Errorf("server %d may take a snapshot at once, by count", i+1)
		}
		s.node.rests.delay = func() (time.Duration, bool) {
			looks[i].Add(1)
			return 0, true
		}
	}
	for _, s := range all {
		s.node.Start()
	}
	for _, s := range all {
		await(t, s.serving, "service")
	}
	for i, s := range all {
		leads := s.node.leadTerm.Load() > 0
		if !leads && looks[i].Load() == 0 {
			t.Errorf("server %d, a follower, has read its log without a look", i+1)
		}
		s.node.rests.mu.Lock()
		looks[i].Store(0)
		s.node.rests.looked = time.Time{}
		s.node.rests.mu.Unlock()
		if s.node.beforeRead(1); (looks[i].Load() == 0) != leads {
			t.Errorf("server %d leads: %v; looked %d times", i+1, leads, looks[i].Load())
		}
	}

	alone := newStandalone(t)
	alone.start()
	await(t, alone.serving, "service")
	if alone.node.rests.delay != nil {
		t.Error("a standalone server rests")
	}
}
