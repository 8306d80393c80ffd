package fault

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/fault/history"
	"zooraft/tests/harness"
)

const (
	sessionTimeout = 10 * time.Second
	// ackSpacing is how long before a fault the last acknowledgement may have come, so that a pause is not cut short.
	ackSpacing = 20 * time.Millisecond
)

// loadExpiry are the bounds for sessions of the load, of which none may end.
var loadExpiry = history.Expiry{Tick: time.Second, Slack: time.Minute}

// writePeriod is the time between two writes of one client.
func writePeriod() time.Duration { return scaled(60*time.Millisecond, 20*time.Millisecond) }

// checkSurvivors reports connections that were lost, where Zooraft promises that none is.
func (f *fleet) checkSurvivors(h *history.History, from, to time.Duration, servers []int) {
	f.t.Helper()
	lost := history.Losses(h, from, to, servers)
	if oracle {
		f.t.Logf("survivors: connections-lost=%d (the oracle may)", len(lost))
		return
	}
	failOver(f.t, lost)
}

// checkPause holds a pause against a limit, where Zooraft promises one.
func (f *fleet) checkPause(what string, got, limit time.Duration) {
	f.t.Helper()
	if !full { // the promise is for a quiet machine; here it has to end
		limit = max(limit, 15*time.Second)
	}
	if !oracle && got > limit {
		f.t.Errorf("%s of acknowledged writes: got %v, want at most %v", what, got, limit)
	}
}

// TestKillLeader kills the leader under load, again and again. No client of another server may notice more than a pause.
func TestKillLeader(t *testing.T) {
	rounds := scaled(3, 50)
	if *roundsFlag > 0 {
		rounds = *roundsFlag
	}
	e := startServers(t, harness.Options{})
	f := newFleet(t, addresses(e), sessionTimeout, time.Duration(rounds)*30*time.Second+time.Minute, nil)
	f.startLoad(*connsFlag, writePeriod())
	type round struct {
		leader   int
		from, to time.Duration
	}
	var done []round
	for range rounds {
		f.goHome()
		f.awaitSteps(3, 30*time.Second)
		r := round{leader: e.Leader(), from: f.clock()}
		e.Kill(r.leader)
		f.awaitSteps(5, 30*time.Second) // the dead server's clients, too, have moved
		r.to = f.clock()
		done = append(done, r)
		e.Start(r.leader)
		e.WaitServing(r.leader)
	}
	f.goHome()
	f.awaitSteps(3, 30*time.Second)
	h := f.history()
	var p pauses
	for _, r := range done {
		p.rounds = append(p.rounds, history.LongestPause(h, r.from-ackSpacing, r.to, others(r.leader)))
		f.checkSurvivors(h, r.from, r.to, others(r.leader))
	}
	t.Logf("pause: %v", &p)
	f.checkPause("longest pause", p.max(), scaled(3*time.Second, 1500*time.Millisecond))
	if full {
		f.checkPause("median pause", p.median(), 50*time.Millisecond)
	}
	f.verify(loadExpiry)
}

// TestKillAll kills all servers at once, under load. What was acknowledged must be there
// after a kill of the processes; that of the machines is what the tests of server/quorum/store are about.
func TestKillAll(t *testing.T) {
	e := startServers(t, harness.Options{})
	rounds := scaled(2, 10)
	f := newFleet(t, addresses(e), sessionTimeout, time.Duration(rounds)*time.Minute+time.Minute, nil)
	f.startLoad(*connsFlag, writePeriod())
	for range rounds {
		f.awaitSteps(10, 30*time.Second)
		for sid := 1; sid <= e.Size(); sid++ {
			// Not e.Kill, which waits for the end: they shall die together.
			if err := syscall.Kill(e.PID(sid), syscall.SIGKILL); err != nil {
				t.Fatalf("kill server %d: %v", sid, err)
			}
		}
		harness.Eventually(t, 10*time.Second, "all servers have ended", func() error {
			for sid := 1; sid <= e.Size(); sid++ {
				if e.Running(sid) {
					return fmt.Errorf("server %d runs", sid)
				}
			}
			return nil
		})
		down := f.clock()
		e.StartAll()
		up := f.clock()
		f.awaitSteps(3, 30*time.Second)
		t.Logf("restart: serving=%v all-clients-writing=%v", (up - down).Round(time.Millisecond),
			(f.clock() - down).Round(time.Millisecond))
	}
	f.verify(loadExpiry)
}

// TestTermLeader asks the leader to end, under load: it hands over and goes.
func TestTermLeader(t *testing.T) {
	e := startServers(t, harness.Options{})
	rounds := scaled(2, 10)
	f := newFleet(t, addresses(e), sessionTimeout, time.Duration(rounds)*time.Minute+time.Minute, nil)
	f.startLoad(*connsFlag, writePeriod())
	var p pauses
	var slowest time.Duration
	for range rounds {
		f.goHome()
		f.awaitSteps(3, 30*time.Second)
		leader, from := e.Leader(), f.clock()
		code := e.Term(leader)
		took := f.clock() - from
		slowest = max(slowest, took)
		if !oracle && code != 0 {
			t.Errorf("exit code of server %d after SIGTERM: got %d, want 0", leader, code)
		}
		// In the short form the server's own limit counts, which its exit code tells.
		if limit := time.Second; full && !oracle && took > limit {
			t.Errorf("server %d took %v to end after SIGTERM, want at most %v", leader, took, limit)
		}
		f.awaitSteps(5, 30*time.Second)
		to := f.clock()
		h := f.history()
		p.rounds = append(p.rounds, history.LongestPause(h, from-ackSpacing, to, others(leader)))
		f.checkSurvivors(h, from, to, others(leader))
		e.Start(leader)
		e.WaitServing(leader)
	}
	t.Logf("pause: %v exit-max=%v", &p, slowest.Round(time.Millisecond))
	f.checkPause("longest pause", p.max(), scaled(3*time.Second, 1500*time.Millisecond))
	f.goHome()
	f.verify(loadExpiry)
}
