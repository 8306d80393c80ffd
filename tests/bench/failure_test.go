package bench

import (
	"context"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	probeEvery     = time.Millisecond
	probedBefore   = 200 // writes before the fault
	probedBy       = 30 * time.Second
	recoveredAfter = 2 * time.Minute
)

// failures measures how long writes pause when the leader of three is killed, and when it freezes; and how a follower
// comes back that was down for long.
func failures(t *testing.T, b *book, both []side) {
	const (
		kill   = "pause of writes when the leader is killed"
		freeze = "pause of writes when the leader freezes"
	)
	missed := rejoinNames(b)
	if !b.form.wants(kill, freeze, missed.took, missed.kept) {
		return
	}
	each(t, both, 1, func(t *testing.T, s side) {
		e := s.start(t, b, harness.Options{Size: 3})
		if b.form.wants(kill) {
			for range 2*b.form.rounds + 1 {
				p := e.pause(e.Kill)
				b.figure(memoryGroup, kill, s.label, millis(p.took), "ms", goal{ratio: .15})
				e.Start(p.leader)
				e.whole()
			}
		}
		if b.form.wants(freeze) {
			for range b.form.freezes {
				p := e.pause(e.Stop)
				b.figure(memoryGroup, freeze, s.label, millis(p.took), "ms", goal{ratio: .25})
				e.Cont(p.leader)
				e.whole()
			}
		}
		if b.form.wants(missed.took, missed.kept) {
			e.rejoin(b, missed)
		}
	})
}

// whole waits until one server leads, all serve, and nothing is left to do of what went before.
func (e *ensemble) whole() {
	e.t.Helper()
	e.WaitServing()
	e.Leader()
	settle(e.t, e)
}

// paused is what a fault did to writes, and to whom it was done.
type paused struct {
	leader int
	took   time.Duration // between two acknowledged writes, at most
}

// pause writes each millisecond through a follower, does something to the leader, and waits until there is another one
// and writes go on. The writer moves to the other survivor when it loses its connection, and back, until it is taken.
func (e *ensemble) pause(fault func(leader int)) paused {
	e.t.Helper()
	leader := e.Leader()
	var survivors []string
	for sid := 1; sid <= e.Size(); sid++ {
		if sid != leader {
			survivors = append(survivors, e.Server(sid).ClientAddr)
		}
	}
	ctx, cancel := context.WithCancel(e.t.Context())
	defer cancel()
	acks := make(chan time.Time, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tenaciousWriter(ctx, survivors, acks)
	}()
	defer func() { cancel(); <-done }()

	var last time.Time
	next := func(within time.Duration) (at time.Time, gap time.Duration) {
		select {
		case at = <-acks:
			if !last.IsZero() {
				gap = at.Sub(last)
			}
			last = at
		case <-time.After(within):
			e.t.Fatalf("%s: no write for %v", e.label, within)
		}
		return at, gap
	}
	for range probedBefore {
		next(probedBy)
	}
	at := time.Now()
	fault(leader)
	elected := make(chan time.Time, 1)
	asker := make(chan struct{})
	go func() {
		defer close(asker)
		awaitLeader(ctx, survivors, elected)
	}()
	defer func() { cancel(); <-asker }()
	// Who is elected may be known before the writer's first success, or after many.
	var longest time.Duration
	for since := (time.Time{}); ; {
		ack, gap := next(recoveredAfter)
		longest = max(longest, gap)
		if since.IsZero() {
			select {
			case since = <-elected:
			default:
			}
		}
		if !since.IsZero() && ack.After(since.Add(probedBefore*probeEvery)) && ack.After(at) {
			return paused{leader, longest}
		}
	}
}

// awaitLeader tells when one of the servers first says that it leads, unless ctx ends before.
func awaitLeader(ctx context.Context, addrs []string, elected chan<- time.Time) {
	for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		for _, addr := range addrs {
			answer, err := harness.FourLetter(addr, "srvr")
			if err != nil {
				continue
			}
			if mode, err := field(answer, "Mode"); err == nil && mode == "leader" {
				elected <- time.Now()
				return
			}
		}
	}
}

// tenaciousWriter writes again and again and tells when each write was acknowledged, until ctx ends. A lost connection
// is opened again at the next server.
func tenaciousWriter(ctx context.Context, addrs []string, acks chan<- time.Time) {
	set := &protocol.SetDataRequest{Path: probePath, Data: make([]byte, znodeBytes), Version: -1}
	pace := time.NewTicker(probeEvery)
	defer pace.Stop()
	for at := 0; ; at++ {
		c, err := dialUntil(ctx, addrs[at%len(addrs)], retryAfter)
		for err == nil {
			if _, err = c.call(protocol.OpSetData, set); err != nil {
				break
			}
			select {
			case acks <- time.Now():
			case <-ctx.Done():
			}
			select {
			case <-pace.C:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if c != nil {
			c.close()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
	}
}
