package quorum

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/quorum/store"
	"zooraft/tests/testkit"
)

// churn is five servers, some of them members, that write, come, go and lose their
// disks.
type churn struct {
	t       *testing.T
	rng     *rand.Rand
	all     []*testServer
	members map[int64]bool
	session protocol.SessionID

	mu    sync.Mutex
	acked map[string]int // paths created, and how often
}

// TestChurn changes an ensemble at random, under load, and checks that each write
// that was answered is there, once, on all servers.
func TestChurn(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("ZOORAFT_CHURN_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("seed: ZOORAFT_CHURN_SEED=%d", seed)
	steps := 12
	if text := os.Getenv("ZOORAFT_CHURN_STEPS"); text != "" {
		steps, _ = strconv.Atoi(text)
	}
	c := &churn{t: t, rng: rand.New(rand.NewPCG(seed, 0)), members: map[int64]bool{1: true, 2: true, 3: true}, acked: make(map[string]int)}
	c.all = newEnsemble(t, 3, store.KindWAL)
	startAll(t, c.all)
	for sid := 4; sid <= 5; sid++ {
		s := joiner(c.all[0], sid)
		s.start()
		testkit.Await(t, s.serving, "service of a learner")
		c.all = append(c.all, s)
	}
	for range steps {
		c.step()
	}
	c.settle()
	c.all[0].fsm.View(func(v fsm.View) {
		for path, n := range c.acked {
			if n != 1 {
				t.Errorf("%s was answered %d times", path, n)
			}
			if _, code := v.Read(nil, protocol.OpExists, (&protocol.PathWatchRequest{Path: path}).Append(nil), &fsm.Reader{Options: fsm.SkipACL}); code != protocol.ErrOK {
				t.Errorf("%s was answered and is not there: %v", path, code)
			}
		}
	})
	t.Logf("writes=%d members=%v", len(c.acked), slices.Sorted(maps.Keys(c.members)))
}

// step does one thing to one server, while all others write.
func (c *churn) step() {
	c.t.Helper()
	s := c.all[c.rng.IntN(len(c.all))]
	sid := s.cfg.SID
	through := c.all[c.rng.IntN(len(c.all))]
	what := c.rng.IntN(4)
	c.t.Logf("step: what=%d sid=%d through=%d members=%v", what, sid, through.cfg.SID, slices.Sorted(maps.Keys(c.members)))
	switch what {
	case 0, 1: // in or out
		stop := c.write(c.all...)
		defer stop()
		if c.members[sid] && len(c.members) > 2 {
			c.must(through.reconfig(nil, sid))
			delete(c.members, sid)
		} else if !c.members[sid] {
			c.must(through.reconfig([]*testServer{s}))
			c.members[sid] = true
		}
	case 2, 3: // away, and back with its disk or without
		if len(c.members) < 3 && c.members[sid] {
			return // the other one alone is no majority
		}
		if what == 3 {
			c.settle() // or what one other has alone could be lost
		}
		rest := slices.DeleteFunc(slices.Clone(c.all), func(o *testServer) bool { return o == s })
		stop := c.write(rest...)
		if what == 3 {
			s.wipe()
		} else if err := s.node.Close(); err != nil {
			c.t.Fatal(err)
		}
		if c.rng.IntN(2) == 0 { // a change meanwhile
			if other := rest[c.rng.IntN(len(rest))]; !c.members[other.cfg.SID] {
				c.must(rest[0].reconfig([]*testServer{other}))
				c.members[other.cfg.SID] = true
			}
		}
		s.start()
		testkit.Await(c.t, s.serving, "service again")
		stop()
	}
}

func (c *churn) must(r fsm.Result) {
	c.t.Helper()
	if r.Err != protocol.ErrOK {
		c.t.Fatalf("reconfig: %v", r.Err)
	}
}

// write has servers write until stop is called, which waits for all answers.
func (c *churn) write(servers ...*testServer) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, s := range servers {
		c.session++
		create := s.session(1<<20 + c.session)
		prefix := fmt.Sprintf("/s%d-", c.session)
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				answered := make(chan fsm.Result, 1)
				err := s.node.Propose(create(prefix), completion(func(_ fsm.View, r *fsm.Result) { answered <- *r }))
				if err != nil {
					c.t.Errorf("server %d: %v", s.cfg.SID, err)
					return
				}
				select {
				case r := <-answered:
					if r.Err != protocol.ErrOK {
						c.t.Errorf("server %d: %v", s.cfg.SID, r.Err)
						return
					}
					c.mu.Lock()
					c.acked[r.Path]++
					c.mu.Unlock()
				case <-time.After(2 * time.Minute):
					c.t.Errorf("server %d: a write is not answered", s.cfg.SID)
					return
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// settle waits until all is as it should be: the members vote, nobody else does, and
// all states are equal.
func (c *churn) settle() {
	c.t.Helper()
	testkit.Until(c.t, "the members vote, and all states are equal", func() bool {
		for _, s := range c.all {
			for _, o := range c.all {
				if s.votesBy(o.cfg.SID) != c.members[o.cfg.SID] {
					return false
				}
			}
			if s.fsm.Digest() != c.all[0].fsm.Digest() {
				return false
			}
		}
		return true
	})
	for _, s := range c.all {
		if len(s.fatal) > 0 {
			c.t.Fatalf("server %d: %v", s.cfg.SID, <-s.fatal)
		}
	}
}
