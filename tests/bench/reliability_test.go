package bench

import (
	"context"
	"fmt"
	"sync"
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
		script := e.script()
		c.Duration = time.Duration(len(script))*b.form.dwell + overtime // at most; it ends with the script
		marks := make(chan string, len(script))
		c.Marks = marks
		started := make(chan struct{})
		begin := sync.OnceFunc(func() { close(started) })
		c.Progress = func(bench.Interval) { begin() }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		defer func() { cancel(); <-ended }()
		var r *bench.Run
		var err error
		go func() {
			defer close(ended)
			r, err = bench.Execute(ctx, c)
		}()
		wait := func(what <-chan struct{}) bool {
			select {
			case <-ended: // too early
				return false
			case <-what:
				return true
			}
		}
		playing := wait(started)
		for _, do := range script {
			if playing = playing && wait(after(b.form.dwell)); playing {
				marks <- do()
			}
		}
		if playing {
			e.WaitServing()
			wait(after(b.form.dwell))
			cancel()
		}
		<-ended
		if err != nil {
			t.Errorf("%s: %s: %v", s.label, name, err)
			return
		}
		if !playing {
			t.Errorf("%s: %s: the load ended before the failures", s.label, name)
		}
		// Errors are part of the result: a client of a server that dies loses its connection.
		b.run(r, target{})
	})
}

// after is closed when d has passed.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// script are the failures of the overview: a follower fails and recovers, then another, the leader, two followers, the
// next leader. Each step does something to the servers and says what it has done. Who leads is asked when it matters, as
// it changes on the way, and nothing fails before all that failed has recovered.
func (e *ensemble) script() []func() string {
	var down []int
	kill := func(sids ...int) {
		for _, sid := range sids {
			e.Kill(sid)
		}
		down = sids
	}
	leader := func() int {
		e.WaitServing()
		return e.Leader()
	}
	followers := func() []int {
		var all []int
		leader := leader()
		for sid := 1; sid <= e.Size(); sid++ {
			if sid != leader {
				all = append(all, sid)
			}
		}
		return all
	}
	recovery := func() string {
		for _, sid := range down {
			e.Start(sid)
		}
		if len(down) > 1 {
			return "they recover"
		}
		return "it recovers"
	}
	return []func() string{
		func() string { kill(followers()[0]); return "1: a follower fails" }, recovery,
		func() string { kill(followers()[1]); return "2: another follower fails" }, recovery,
		func() string { kill(leader()); return "3: the leader fails" }, recovery,
		func() string { kill(followers()[:2]...); return "4: two followers fail" }, recovery,
		func() string { kill(leader()); return "5: another leader fails" }, recovery,
	}
}
