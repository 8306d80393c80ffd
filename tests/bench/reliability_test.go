package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"zooraft/cmd/bench"
	"zooraft/tests/harness"
)

const (
	reliabilityGroup    = "Reliability"
	reliabilityClients  = 100
	reliabilityInterval = 250 * time.Millisecond
)

// reliability repeats the experiment of ZooKeeper's overview, section Reliability: an ensemble under a load of 30 %
// writes, whose servers fail and recover.
func reliability(t *testing.T, b *book, both []side) {
	name := fmt.Sprintf("failures: %d servers, 30 %% writes", b.form.servers)
	if !b.form.wants(name) {
		return
	}
	each(t, both, 1, func(t *testing.T, s side) {
		e := s.start(t, b, harness.Options{Size: b.form.servers})
		load := mixed(.7)
		load.Connections = reliabilityClients
		c := b.config(e, load, everywhere)
		c.PIDs = nil // they come and go
		c.Group, c.Scenario, c.Interval, c.Reconnect = reliabilityGroup, name, reliabilityInterval, true
		script := e.failures()
		c.Duration = time.Duration(len(script)+1) * b.form.dwell
		marks := make(chan string, len(script))
		c.Marks = marks
		started := make(chan struct{})
		c.Progress = func(bench.Interval) {
			select {
			case <-started:
			default:
				close(started)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), c.WarmUp+c.Duration+overtime)
		defer cancel()
		ended := make(chan struct{})
		var r *bench.Run
		var err error
		go func() {
			defer close(ended)
			r, err = bench.Execute(ctx, c)
		}()
		select {
		case <-started:
		case <-ended:
		}
		begin := time.Now()
		for i, step := range script {
			select {
			case <-ended:
			case <-time.After(time.Until(begin.Add(time.Duration(i+1)*b.form.dwell - reliabilityInterval))):
				marks <- step.do()
			}
		}
		<-ended
		if err != nil {
			t.Errorf("%s: %s: %v", s.label, name, err)
			return
		}
		// Errors are part of the result: a client of a server that dies loses its connection.
		b.run(r, target{})
	})
}

// step does something to the servers and says what it has done.
type step struct{ do func() string }

// failures are those of the overview: a follower fails and recovers, then another, the leader, two followers, the next
// leader. Who leads is asked when it matters, as it changes on the way.
func (e *ensemble) failures() []step {
	var down []int
	kill := func(sids ...int) {
		for _, sid := range sids {
			e.Kill(sid)
		}
		down = sids
	}
	followers := func() []int {
		var all []int
		leader := e.Leader()
		for sid := 1; sid <= e.Size(); sid++ {
			if sid != leader {
				all = append(all, sid)
			}
		}
		return all
	}
	recovery := step{func() string {
		for _, sid := range down {
			e.Start(sid)
		}
		if len(down) > 1 {
			return "they recover"
		}
		return "it recovers"
	}}
	return []step{
		{func() string { kill(followers()[0]); return "1: a follower fails" }}, recovery,
		{func() string { kill(followers()[1]); return "2: another follower fails" }}, recovery,
		{func() string { kill(e.Leader()); return "3: the leader fails" }}, recovery,
		{func() string { kill(followers()[:2]...); return "4: two followers fail" }}, recovery,
		{func() string { kill(e.Leader()); return "5: another leader fails" }}, recovery,
	}
}
