package quorum

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
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
		{"for long, or several threads", []time.Duration{time.Second, time.Second}, true, 2 * waitFactor * step},
		{"for longer than it may rest in all", []time.Duration{time.Second, time.Second, time.Second, time.Second}, true, 3 * waitFactor * step},
		{"a thread has ended, which takes its share along", []time.Duration{-time.Second, time.Millisecond}, true, 2 * time.Millisecond},
		{"the kernel does not tell", []time.Duration{time.Second}, false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			waited := time.Hour // before it started
			s := rests{delay: func() (time.Duration, bool) { return waited, c.known }, left: 3 * waitFactor * step}
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
	testkit.Until(t, "these threads wait for a processor", func() bool {
		now, ok := runDelay()
		return ok && now-before > 100*time.Millisecond
	})
}

// TestStartGivesWay: a follower gives way before it reads the log that it started
// with. A leader and a server without others do not.
func TestStartGivesWay(t *testing.T) {
	all := newEnsemble(t, 3, store.KindWAL)
	startAll(t, all)
	leader := leaderOf(t, all)
	create := leader.session(1)
	for range 20 {
		leader.do(create("/a"))
	}
	follower := all[leader.cfg.SID%3]
	var looks atomic.Int32
	looking := func() (time.Duration, bool) { return time.Duration(looks.Add(1)), true }
	if err := follower.node.Close(); err != nil {
		t.Fatal(err)
	}
	follower.open()
	if follower.node.rests.looked.IsZero() {
		t.Error("it has verified its log without a look")
	}
	follower.node.rests.looked = time.Time{}
	follower.node.rests.delay = looking
	follower.node.Start()
	testkit.Await(t, follower.serving, "service")
	if looks.Load() == 0 {
		t.Error("it has read its log without a look")
	}

	// As a leader it does not.
	n := follower.node
	look := func() bool {
		n.rests.mu.Lock()
		n.rests.looked = time.Time{}
		n.rests.mu.Unlock()
		before := looks.Load()
		n.beforeRead(1)
		return looks.Load() > before
	}
	if !look() {
		t.Error("a follower did not look")
	}
	if err := leader.node.raft.Load().LeadershipTransferToServer(serverID(n.cfg.SID), n.trans.LocalAddr()).Error(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "it leads", func() bool { return n.raft.Load().State() == raft.Leader })
	if looked := look(); looked && n.raft.Load().State() == raft.Leader {
		t.Error("a leader looked")
	}

	alone := newStandalone(t)
	alone.start()
	testkit.Await(t, alone.serving, "service")
	if alone.node.rests.delay != nil {
		t.Error("a standalone server rests")
	}
}
