package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"zooraft/cmd/bench"
	"zooraft/protocol"
	"zooraft/tests/harness"
)

const (
	memoryGroup = "Memory and time"

	retryEvery      = 2 * time.Millisecond
	retryAfter      = 500 * time.Millisecond // without a session
	firstWriteLimit = 5 * time.Minute
)

// memoryAndTime measures what needs no load: memory, starts, pauses.
func memoryAndTime(t *testing.T, b *book, both []side) {
	starts(t, b, both)
	populated(t, b, both)
	idleSessions(t, b, both)
	failures(t, b, both)
}

// each runs measure for each side in each round, in alternation, as a subtest, so that its servers end with it.
func each(t *testing.T, both []side, rounds int, measure func(t *testing.T, s side)) {
	t.Helper()
	for range rounds {
		for _, s := range both {
			t.Run(s.label, func(t *testing.T) { measure(t, s) })
		}
	}
}

// starts measures the first start of one server and of three, and what one takes then.
func starts(t *testing.T, b *book, both []side) {
	const (
		one   = "start of one server to its first write"
		three = "start of three servers to their first write"
		rss   = "memory of one server after its start"
	)
	each(t, both, b.form.rounds, func(t *testing.T, s side) {
		if b.form.wants(one, rss) {
			e := s.make(t, harness.Options{Size: 1})
			b.figure(memoryGroup, one, s.label, millis(e.startToWrite()), "ms", goal{ratio: .4})
			settle(t, e)
			b.figure(memoryGroup, rss, s.label, mib(memoryOf(t, e.PID(1)).rss), "MiB", goal{ratio: .4})
		}
		if b.form.wants(three) {
			e := s.make(t, harness.Options{Size: 3})
			b.figure(memoryGroup, three, s.label, millis(e.startToWrite()), "ms", goal{ratio: .4})
		}
	})
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func mib(bytes int64) float64        { return float64(bytes) / (1 << 20) }

// startToWrite starts all servers, none of which runs, and returns how long it took from the first exec until a client
// had an acknowledged write. There is a client at each server, which tries again and again; the first one counts.
func (e *ensemble) startToWrite() time.Duration {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), firstWriteLimit)
	defer cancel()
	first := make(chan time.Time, e.Size())
	begin := time.Now()
	for sid := 1; sid <= e.Size(); sid++ {
		e.Start(sid)
	}
	var wg sync.WaitGroup
	for _, addr := range e.ClientAddrs() {
		wg.Go(func() {
			for tryWrite(ctx, addr) != nil {
				select {
				case <-ctx.Done():
					return
				case <-time.After(retryEvery):
				}
			}
			first <- time.Now()
			cancel()
		})
	}
	wg.Wait()
	select {
	case at := <-first:
		e.WaitServing()
		return at.Sub(begin)
	default:
		e.t.Fatalf("%s: no write within %v of the start", e.label, firstWriteLimit)
		return 0
	}
}

// tryWrite opens a session and makes one znode.
func tryWrite(ctx context.Context, addr string) error {
	c, err := dialUntil(ctx, addr, retryAfter)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.call(protocol.OpCreate, &protocol.CreateRequest{Path: "/first-", ACL: protocol.OpenACL,
		Flags: protocol.CreateModePersistentSequential})
	return err
}

// populated measures many znodes on one server and on three: memory, pauses while they are written to a snapshot, and
// restarts.
func populated(t *testing.T, b *book, both []side) {
	n := b.form.znodes
	var (
		size     = fmt.Sprintf("memory with %s znodes of %d bytes", thousands(n), znodeBytes)
		overhead = fmt.Sprintf("memory per znode beyond its data, %s znodes", thousands(n))
		read     = fmt.Sprintf("longest read while a snapshot of %s znodes is written", thousands(n))
		write    = fmt.Sprintf("longest write while a snapshot of %s znodes is written", thousands(n))
		restart1 = fmt.Sprintf("restart of one server with %s znodes to its first write", thousands(n))
		restart3 = fmt.Sprintf("restart of three servers with %s znodes to their first write", thousands(n))
	)
	p := spreadOut(n)
	each(t, both, 1, func(t *testing.T, s side) {
		if !b.form.wants(size, overhead, read, write, restart1) {
			return
		}
		e := s.make(t, harness.Options{Size: 1, Lines: snapshotEvery(b.form.snapshot)})
		e.StartAll()
		settle(t, e)
		empty := memoryOf(t, e.PID(1)).rss
		e.extend(p, 0, n)
		time.Sleep(b.form.rest) // a runtime returns memory at its own pace; nothing tells when it is done
		settle(t, e)
		filled := memoryOf(t, e.PID(1)).rss
		b.figure(memoryGroup, size, s.label, mib(filled), "MiB", goal{ratio: .4})
		b.figure(memoryGroup, overhead, s.label, float64(filled-empty)/float64(n)-znodeBytes, "bytes", goal{value: below(250, "bytes")})

		// The snapshot is written for the restarts too: they are to read one, and something of a log after it.
		if b.form.wants(read, write, restart1) {
			if o := e.observeSnapshot(1, p, n, &marker{path: p.path(n / 2)}); o != nil {
				reads, _ := o.around(o.reads)
				writes, _ := o.around(o.writes)
				b.figure(memoryGroup, read, s.label, millis(reads.longest()), "ms", goal{value: below(50, "ms")})
				b.figure(memoryGroup, write, s.label, millis(writes.longest()), "ms", goal{value: below(50, "ms")})
			}
		}
		if b.form.wants(restart1) {
			e.restarts(b, restart1, goal{ratio: .4})
		}
	})
	each(t, both, 1, func(t *testing.T, s side) {
		if !b.form.wants(restart3) {
			return
		}
		e := s.make(t, harness.Options{Size: 3, Lines: snapshotEvery(b.form.snapshot)})
		e.StartAll()
		e.extend(p, 0, n)
		// So many writes more that every server has a snapshot of it all, and something of a log after it.
		e.overwrite(p.path(0), 2*b.form.snapshot, e.ClientAddrs()...)
		e.restarts(b, restart3, goal{ratio: .3})
	})
}

// restarts stops all servers at their rest, as an operator would, and measures their start; as often as the form says.
func (e *ensemble) restarts(b *book, name string, want goal) {
	e.t.Helper()
	for range b.form.rounds {
		settle(e.t, e)
		for sid := 1; sid <= e.Size(); sid++ {
			if code := e.Term(sid); code != 0 && code != 143 { // a JVM tells of the signal
				e.t.Errorf("%s: exit code %d after SIGTERM", e.label, code)
			}
		}
		b.figure(memoryGroup, name, e.label, millis(e.startToWrite()), "ms", want)
	}
}

// overwrite sets one znode n times by many clients of the servers named.
func (e *ensemble) overwrite(path string, n int, addrs ...string) {
	e.t.Helper()
	const writers = 4 // of each server
	set := &protocol.SetDataRequest{Path: path, Data: make([]byte, valueBytes), Version: -1}
	errs := make([]error, writers*len(addrs))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			c, err := dial(addrs[i%len(addrs)])
			if err == nil {
				err = c.pipelined(n/len(errs), manyOpen, func(int) (protocol.OpCode, record) { return protocol.OpSetData, set })
				c.close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		e.t.Fatalf("%s: overwrite: %v", e.label, err)
	}
}

// idleSessions measures what sessions cost that do nothing.
func idleSessions(t *testing.T, b *book, both []side) {
	name := fmt.Sprintf("memory of an idle session, of %s", thousands(b.form.sessions))
	if !b.form.wants(name) {
		return
	}
	each(t, both, b.form.rounds, func(t *testing.T, s side) {
		e := s.make(t, harness.Options{Size: 1}) // not warmed up: what that leaves in a heap would hide the growth
		e.StartAll()
		settle(t, e)
		before := memoryOf(t, e.PID(1)).rss
		c := b.config(e, bench.Workload{Name: bench.Idle, Connections: b.form.sessions}, everywhere)
		c.Group, c.Scenario = memoryGroup, name
		r := execute(t, c)
		if r == nil || len(r.Processes) != 1 {
			return
		}
		growth := float64(r.Processes[0].RSS-before) / float64(b.form.sessions)
		b.figure(memoryGroup, name, s.label, growth/1024, "KiB", goal{ratio: .5, value: below(12, "KiB")})
	})
}

// thousands prints 1000000 as 1,000,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
