package fault

import (
	"testing"
	"time"

	"zooraft/tests/fault/history"
	"zooraft/tests/harness"
)

// TestFreezeLeader stops the leader for longer than any election takes, and lets it go on. The others elect without it;
// thawed, it must neither acknowledge nor show what is no longer so.
func TestFreezeLeader(t *testing.T) {
	const frozen = 5 * time.Second
	e := startServers(t, harness.Options{})
	rounds := scaled(1, 10)
	f := newFleet(t, addresses(e), sessionTimeout, time.Duration(rounds)*time.Minute+time.Minute, nil)
	f.startLoad(*connsFlag, writePeriod())
	var p pauses
	var recovery time.Duration
	for range rounds {
		f.goHome()
		f.awaitSteps(3, 30*time.Second)
		leader, from := e.Leader(), f.clock()
		e.Stop(leader)
		hold(frozen)
		to := f.clock()
		e.Cont(leader)
		thawed := f.clock()
		f.awaitSteps(5, 20*time.Second) // the thawed server's clients, too
		recovery = max(recovery, f.clock()-thawed)
		h := f.history()
		p.rounds = append(p.rounds, history.LongestPause(h, from-ackSpacing, to, others(leader)))
		f.checkSurvivors(h, from, f.clock(), others(leader))
		e.WaitServing(leader)
	}
	t.Logf("pause: %v all-clients-again=%v", &p, recovery.Round(time.Millisecond))
	f.checkPause("longest pause", p.max(), 3*time.Second)
	f.verify(loadExpiry)
}
