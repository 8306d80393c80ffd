package bench

import (
	"fmt"
	"strconv"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	rejoinWriters = 16
	rejoinLimit   = 3 * time.Minute
)

// rejoined are the names of what rejoin measures.
type rejoined struct{ took, kept string }

func rejoinNames(b *book) rejoined {
	return rejoined{
		fmt.Sprintf("return of a follower that missed %s writes", thousands(b.form.missed)),
		fmt.Sprintf("write throughput during it, of that before, %s writes missed", thousands(b.form.missed)),
	}
}

// rejoin measures how a follower comes back that has missed many writes, while clients write to the two others: how long
// it takes, and what is left of their throughput meanwhile.
func (e *ensemble) rejoin(b *book, names rejoined) {
	e.t.Helper()
	follower := e.follower()
	e.Kill(follower)
	var others []string
	for sid := 1; sid <= e.Size(); sid++ {
		if sid != follower {
			others = append(others, e.Server(sid).ClientAddr)
		}
	}
	e.overwrite(probePath, b.form.missed, others...)
	settle(e.t, e)

	set := &protocol.SetDataRequest{Path: probePath, Data: make([]byte, valueBytes), Version: -1}
	var writers []*probe
	for i := range rejoinWriters {
		c, err := dial(others[i%len(others)])
		if err != nil {
			e.t.Fatal(err)
		}
		defer c.close()
		writers = append(writers, startProbe("writer", 0, func() error {
			_, err := c.call(protocol.OpSetData, set)
			return err
		}))
	}
	time.Sleep(b.form.measure / 2) // until they are at their pace
	before := interval{start: time.Now()}
	time.Sleep(b.form.measure)
	before.end = time.Now()
	during := interval{start: before.end}
	e.Start(follower)
	caughtUp := e.waitCaughtUp(follower)
	during.end = time.Now()
	var done samples
	for _, w := range writers {
		done = append(done, w.finish(e.t)...)
	}
	if !caughtUp {
		e.t.Errorf("%s: the follower has not caught up after %v", e.label, rejoinLimit)
		return
	}
	b.figure(memoryGroup, names.took, e.label, during.end.Sub(during.start).Seconds(), "s", goal{})
	b.figure(memoryGroup, names.kept, e.label, 100*done.rate(during)/done.rate(before), "%", goal{value: above(70, "%")})
}

// rate is the number of operations a second that ended within an interval.
func (s samples) rate(i interval) float64 {
	n := 0
	for _, x := range s {
		if end := x.start.Add(x.took); end.After(i.start) && !end.After(i.end) {
			n++
		}
	}
	return float64(n) / i.end.Sub(i.start).Seconds()
}

// waitCaughtUp waits until a server serves and has applied what the leader had applied when it was asked.
func (e *ensemble) waitCaughtUp(sid int) bool {
	e.t.Helper()
	leader := e.Leader()
	for deadline := time.Now().Add(rejoinLimit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		want, err := e.zxid(leader)
		if err != nil {
			e.t.Fatalf("%s: leader: %v", e.label, err)
		}
		if got, err := e.zxid(sid); err == nil && got >= want {
			return true
		}
	}
	return false
}

// zxid is the last one that a server has applied; an error while it does not serve.
func (e *ensemble) zxid(sid int) (uint64, error) {
	answer, err := harness.FourLetter(e.Server(sid).ClientAddr, "srvr")
	if err != nil {
		return 0, err
	}
	text, err := field(answer, "Zxid")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 0, 64)
}
