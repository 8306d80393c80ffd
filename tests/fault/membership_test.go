package fault

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
)

// The tests of the membership are of Zooraft alone: ZooKeeper drops connections as members come and go, and their
// figures do not compare.

// reconfigurable are the lines of a zoo.cfg that let a client without a name reconfigure.
var reconfigurable = []string{"reconfigEnabled=true", "skipACL=yes"}

const reconfigTimeout = 60 * time.Second

// ensemble is servers that come and go, and the load on them.
type ensemble struct {
	*harness.Ensemble
	*fleet
	t       *testing.T
	members map[int]bool
	admin   *loadclient.Client
}

// startEnsemble starts an ensemble of size servers, some of them observers, thinks of others that may join, and puts
// load on the first ones.
func startEnsemble(t *testing.T, size, observers, joiners int, limit time.Duration) *ensemble {
	t.Helper()
	harness.SkipShort(t)
	if oracle {
		t.Skip("tests what Zooraft alone promises")
	}
	e := &ensemble{t: t, members: make(map[int]bool)}
	e.Ensemble = harness.StartZooraft(t, harness.Options{Size: size, Observers: observers, Lines: reconfigurable})
	for sid := 1; sid <= size; sid++ {
		e.members[sid] = true
	}
	for range joiners {
		e.Join(slices.Sorted(maps.Keys(e.members))...)
	}
	e.fleet = newFleet(t, addresses(e.Ensemble), sessionTimeout, limit, nil)
	e.gone = make(map[int]bool)
	for sid := size + 1; sid <= size+joiners; sid++ {
		e.gone[sid] = true // until it is started
	}
	e.startLoadOn(size)
	e.admin = e.client("admin", sessionTimeout)
	return e
}

// startLoadOn is startLoad for the first servers of the fleet.
func (e *ensemble) startLoadOn(size int) {
	e.t.Helper()
	e.fleet.startLoadOn(e.servers[:size], *connsFlag/4, writePeriod())
	e.awaitSteps(3, 30*time.Second)
}

// join starts a server that has been thought of, and puts load on it.
func (e *ensemble) join(sid int) {
	e.t.Helper()
	e.Start(sid)
	e.WaitServing(sid)
	e.gone[sid] = false
	e.addLoad(e.servers[sid-1:sid], *connsFlag/4, writePeriod())
}

// reconfig has the members changed through one server, and returns how long that took. It checks the outcome.
func (e *ensemble) reconfig(through int, joining, leaving []int) time.Duration {
	e.t.Helper()
	began := time.Now()
	text, err := e.tryReconfig(through, joining, leaving)
	if err != nil {
		e.t.Fatalf("reconfig joining=%v leaving=%v: %v", joining, leaving, err)
	}
	took := time.Since(began)
	for _, sid := range joining {
		e.members[sid] = true
	}
	for _, sid := range leaving {
		delete(e.members, sid)
	}
	e.checkText(text)
	return took
}

// tryReconfig asks for a change, and returns the text of the new membership.
func (e *ensemble) tryReconfig(through int, joining, leaving []int) (string, error) {
	e.t.Helper()
	e.admin.Renew() // its session may have ended: it sends nothing in between
	e.connect(e.admin, through, 30*time.Second)
	var lines, sids []string
	for _, sid := range joining {
		lines = append(lines, e.Server(sid).Line())
	}
	for _, sid := range leaving {
		sids = append(sids, fmt.Sprint(sid))
	}
	r := e.admin.Reconfig(strings.Join(lines, ","), strings.Join(sids, ","))
	select {
	case <-r.Done():
	case <-time.After(reconfigTimeout):
		e.t.Fatalf("no answer to a reconfig within %v", reconfigTimeout)
	}
	reply, err := r.Reply()
	return reply.Value, err
}

// checkText compares the text of a membership with who is to be a member.
func (e *ensemble) checkText(text string) {
	e.t.Helper()
	var got []int
	for line := range strings.Lines(text) {
		var sid int
		if n, _ := fmt.Sscanf(line, "server.%d=", &sid); n == 1 {
			got = append(got, sid)
		}
	}
	if want := slices.Sorted(maps.Keys(e.members)); !slices.Equal(got, want) {
		e.t.Errorf("membership %v, want %v: %q", got, want, text)
	}
}

// awaitConfig waits until a server shows who is a member.
func (e *ensemble) awaitConfig(sid int, want string) {
	e.t.Helper()
	// No client of the fleet: this znode has no time of creation, which the rules of histories do not know of.
	c := loadclient.New(loadclient.Options{Name: "reader", Clock: e.clock, Timeout: sessionTimeout})
	e.connect(c, sid, 30*time.Second)
	defer c.Disconnect()
	harness.Eventually(e.t, 30*time.Second, "membership at server "+fmt.Sprint(sid), func() error {
		got, err := c.GetData("/zookeeper/config", false).Wait(e.ctx)
		if err == nil && got.Value != want {
			err = fmt.Errorf("%q", got.Value)
		}
		return err
	})
}

// stop ends a server that is no member, and what is done with it.
func (e *ensemble) stopServer(sid int) {
	e.t.Helper()
	e.gone[sid] = true
	if code := e.Term(sid); code != 0 {
		e.t.Errorf("server %d ended with code %d", sid, code)
	}
}

// except are the sids of all servers that run, but one.
func (e *ensemble) except(sid int) []int {
	var out []int
	for _, s := range e.servers {
		if s.SID != sid && !e.gone[s.SID] {
			out = append(out, s.SID)
		}
	}
	return out
}

// span is a time in which some servers' clients must not notice anything.
type span struct {
	from, to time.Duration
	servers  []int
}

// checkSpans checks connections and gives the longest pauses of writes.
func (e *ensemble) checkSpans(spans []span) {
	e.t.Helper()
	h := e.history()
	var p pauses
	for _, s := range spans {
		failOver(e.t, history.Losses(h, s.from, s.to, s.servers))
		p.rounds = append(p.rounds, history.LongestPause(h, s.from-ackSpacing, s.to, s.servers))
	}
	e.t.Logf("pause: %v", &p)
}

// TestRollingExchange replaces all three servers, one after the other, by new ones, under load. No acknowledged write is
// lost, and no client of a server that stays notices anything.
func TestRollingExchange(t *testing.T) {
	e := startEnsemble(t, 3, 0, 3, 4*time.Minute)
	var spans []span
	var took []string
	began := e.clock()
	for i := range 3 {
		old, young := i+1, i+4
		s := span{from: e.clock(), servers: e.except(0)}
		e.join(young)
		joined := e.clock()
		// The reconfig goes through a server that stays, a leader or not; the leader itself may have to go.
		wasLeader := e.Leader() == old
		d := e.reconfig(i+2, []int{young}, []int{old})
		s.to = e.clock()
		spans = append(spans, s) // the old one is still there, and its clients too
		s = span{from: e.clock(), servers: e.except(old)}
		e.stopServer(old)
		e.awaitSteps(3, 30*time.Second) // the clients of the old one have moved
		s.to = e.clock()
		spans = append(spans, s)
		took = append(took, fmt.Sprintf("join=%v reconfig=%v leader-left=%v", (joined-spans[len(spans)-2].from).Round(time.Millisecond),
			d.Round(time.Millisecond), wasLeader))
	}
	t.Logf("exchange: %s all=%v", strings.Join(took, " "), (e.clock() - began).Round(time.Millisecond))
	e.checkSpans(spans)
	if l := e.Leader(); l < 4 {
		t.Errorf("server %d leads", l)
	}
	e.verify(loadExpiry)
}

// TestExchangeAtOnce replaces all three servers by one reconfig.
func TestExchangeAtOnce(t *testing.T) {
	e := startEnsemble(t, 3, 0, 3, 3*time.Minute)
	for sid := 4; sid <= 6; sid++ {
		e.join(sid)
	}
	s := span{from: e.clock(), servers: e.except(0)}
	d := e.reconfig(2, []int{4, 5, 6}, []int{1, 2, 3})
	e.awaitSteps(3, 30*time.Second)
	s.to = e.clock()
	t.Logf("exchange at once: took=%v", d.Round(time.Millisecond))
	for sid := 1; sid <= 3; sid++ {
		e.stopServer(sid)
	}
	e.awaitSteps(3, 30*time.Second)
	e.checkSpans([]span{s})
	e.verify(loadExpiry)
}

// TestAddAndRemove adds a server and removes it again. It goes on as a learner, with its clients; and when it is gone,
// nobody misses it.
func TestAddAndRemove(t *testing.T) {
	e := startEnsemble(t, 3, 0, 1, 3*time.Minute)
	s := span{from: e.clock(), servers: e.except(0)}
	e.join(4)
	add := e.reconfig(1, []int{4}, nil)
	e.awaitSteps(3, 30*time.Second)
	remove := e.reconfig(4, nil, []int{4})
	e.awaitSteps(3, 30*time.Second)
	s.to = e.clock()
	s.servers = append(s.servers, 4)
	t.Logf("add=%v remove=%v", add.Round(time.Millisecond), remove.Round(time.Millisecond))
	harness.Eventually(t, 30*time.Second, "the removed server follows", func() error {
		if got := e.Mode(4); got != "follower" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	rest := span{from: e.clock(), servers: e.except(4)}
	e.stopServer(4)
	// Two of the three that are left are a majority; of four they would be none.
	frozen, leader := e.followers()[0], e.Leader()
	e.Stop(frozen)
	e.awaitStepsOf(leader, 5)
	e.Cont(frozen)
	e.awaitSteps(3, 30*time.Second)
	rest.to = e.clock()
	e.checkSpans([]span{s})
	failOver(t, history.Losses(e.history(), rest.from, rest.to, []int{leader}))
	e.verify(loadExpiry)
}

// followers are the members that do not lead, as of now.
func (e *ensemble) followers() []int {
	e.t.Helper()
	leader := e.Leader()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(e.members)), func(sid int) bool { return sid == leader })
}

// awaitStepsOf waits until the clients at home at one server have done n more steps.
func (e *ensemble) awaitStepsOf(sid int, n int64) {
	e.t.Helper()
	before := make(map[*worker]int64)
	for _, w := range e.workers {
		if w.home == sid {
			before[w] = w.steps.Load()
		}
	}
	harness.Eventually(e.t, 30*time.Second, fmt.Sprintf("the clients of server %d make progress", sid), func() error {
		for w, was := range before {
			if w.steps.Load() < was+n {
				return errors.New(w.Name() + " does not")
			}
		}
		return nil
	})
}

// TestRemoveLeader removes whoever leads. Nobody's connection is lost, not even the clients' of the leader.
func TestRemoveLeader(t *testing.T) {
	e := startEnsemble(t, 3, 0, 1, 3*time.Minute)
	e.join(4)
	e.reconfig(1, []int{4}, nil)
	var spans []span
	for range 2 {
		leader := e.Leader()
		s := span{from: e.clock(), servers: e.except(0)}
		d := e.reconfig(leader, nil, []int{leader})
		e.awaitSteps(3, 30*time.Second)
		s.to = e.clock()
		spans = append(spans, s)
		next := e.Leader()
		t.Logf("remove leader: took=%v old=%d new=%d", d.Round(time.Millisecond), leader, next)
		if next == leader || !e.members[next] {
			t.Errorf("server %d leads", next)
		}
		// It knows of its successor by what that sends, and says so a moment later.
		harness.Eventually(t, 10*time.Second, "the removed leader follows", func() error {
			if got := e.Mode(leader); got != "follower" {
				return fmt.Errorf("it is %q", got)
			}
			return nil
		})
		// Back again, so that there are enough for the next round.
		e.reconfig(next, []int{leader}, nil)
	}
	e.checkSpans(spans)
	e.verify(loadExpiry)
}

// TestKillLeaderDuringReconfig kills the leader while it carries a change out. The client, at another server, gets an
// answer, and the membership is what the answer says.
func TestKillLeaderDuringReconfig(t *testing.T) {
	e := startEnsemble(t, 5, 0, 2, 4*time.Minute)
	rounds := scaled(4, 20)
	rng := rand.New(rand.NewPCG(e.seed, 0))
	e.join(6)
	e.join(7)
	for round := range rounds {
		leader := e.Leader()
		through := e.followers()[0]
		joining, leaving := []int{6, 7}, []int(nil)
		if e.members[6] {
			joining, leaving = nil, joining
		}
		type answer struct {
			text string
			err  error
		}
		answered := make(chan answer, 1)
		e.admin.Renew() // its session may have ended: it sends nothing in between
		e.connect(e.admin, through, 30*time.Second)
		s := span{from: e.clock(), servers: e.except(leader)}
		var lines, sids []string
		for _, sid := range joining {
			lines = append(lines, e.Server(sid).Line())
		}
		for _, sid := range leaving {
			sids = append(sids, fmt.Sprint(sid))
		}
		r := e.admin.Reconfig(strings.Join(lines, ","), strings.Join(sids, ","))
		go func() {
			reply, err := r.Wait(e.ctx)
			answered <- answer{reply.Value, err}
		}()
		hold(time.Duration(rng.IntN(12000)) * time.Microsecond) // about as long as the change takes
		early := len(answered) > 0
		e.Kill(leader)
		a := <-answered
		switch {
		case a.err == nil:
			for _, sid := range joining {
				e.members[sid] = true
			}
			for _, sid := range leaving {
				delete(e.members, sid)
			}
			e.checkText(a.text)
		case !errors.Is(a.err, protocol.ErrNewConfigNoQuorum):
			t.Errorf("round %d: %v", round, a.err)
		}
		t.Logf("round %d: answer=%v after=%v before-the-kill=%v", round, a.err, (e.clock() - s.from).Round(time.Millisecond), early)
		e.awaitStepsOf(through, 3)
		s.to = e.clock()
		failOver(t, history.Losses(e.history(), s.from, s.to, s.servers))
		e.Start(leader)
		e.WaitServing(leader)
		if a.err == nil {
			for _, sid := range []int{through, leader, 6} {
				e.awaitConfig(sid, a.text)
			}
		}
		e.goHome()
	}
	e.verify(loadExpiry)
}

// TestLostDisk has a voter lose its disk, under load, with another one down for a while. It comes back as a learner,
// gets its vote again, and nothing that was acknowledged is lost.
func TestLostDisk(t *testing.T) {
	e := startEnsemble(t, 3, 0, 0, 3*time.Minute)
	leader := e.Leader()
	victim, other := e.followers()[0], e.followers()[1]
	s := span{from: e.clock(), servers: []int{leader, other}}
	e.Kill(victim)
	e.awaitSteps(3, 30*time.Second)
	s.to = e.clock()
	v := e.Server(victim)
	for _, err := range []error{os.RemoveAll(v.DataDir), os.Mkdir(v.DataDir, 0o700),
		os.WriteFile(filepath.Join(v.DataDir, "myid"), fmt.Appendf(nil, "%d\n", victim), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Without the other one there is no majority to take the lost disk's vote away, nor may the blank one be it.
	e.Kill(other)
	e.Start(victim)
	hold(2 * time.Second)
	if got := e.Mode(victim); got != "" {
		t.Errorf("a blank disk serves as %q without a majority", got)
	}
	e.Start(other)
	began := e.clock()
	e.WaitServing(victim, other)
	served := e.clock()
	// Its vote counts again: it and one other are a majority.
	harness.Eventually(t, 30*time.Second, "the vote is given back", func() error {
		for _, sid := range []int{1, 2, 3} {
			log, err := os.ReadFile(e.Server(sid).Log)
			if err != nil {
				return err
			}
			if strings.Contains(string(log), fmt.Sprintf("changing raft's configuration: promote: sid=%d", victim)) {
				return nil
			}
		}
		return errors.New("not yet")
	})
	t.Logf("lost disk: served-after=%v voted-after=%v", (served - began).Round(time.Millisecond), (e.clock() - began).Round(time.Millisecond))
	e.awaitSteps(3, 30*time.Second)
	e.Kill(other)
	e.awaitSteps(3, 30*time.Second)
	e.Start(other)
	e.WaitServing(other)
	e.checkSpans([]span{s})
	e.verify(loadExpiry)
}

// TestObservers has observers serve and forward writes, and die: nobody else notices. Without a majority of the voters
// they are of no use.
func TestObservers(t *testing.T) {
	e := startEnsemble(t, 5, 2, 0, 3*time.Minute)
	for _, sid := range []int{4, 5} {
		if got := e.Mode(sid); got != "observer" {
			t.Errorf("server %d is %q", sid, got)
		}
	}
	e.awaitStepsOf(4, 5) // they write
	s := span{from: e.clock(), servers: []int{1, 2, 3}}
	e.Kill(4)
	e.Kill(5)
	e.awaitSteps(3, 30*time.Second)
	s.to = e.clock()
	e.Start(4)
	e.Start(5)
	e.WaitServing(4, 5)
	e.goHome()

	// The leader dies: the observers' clients stay, and none of the observers leads.
	leader := e.Leader()
	alive := span{from: e.clock(), servers: []int{4, 5}}
	e.Kill(leader)
	e.awaitSteps(3, 30*time.Second)
	alive.to = e.clock()
	if next := e.Leader(); next > 3 {
		t.Errorf("observer %d leads", next)
	}
	// With two of three voters gone the observers are no majority.
	second := e.Leader()
	e.Kill(second)
	hold(2 * time.Second)
	for _, sid := range e.except(0) {
		if sid != leader && sid != second && e.Mode(sid) == "leader" {
			t.Errorf("server %d leads without a majority", sid)
		}
	}
	e.Start(leader)
	e.Start(second)
	e.WaitServing()
	e.goHome()
	e.checkSpans([]span{s, alive})
	e.verify(loadExpiry)
}

// TestReconfigWithoutQuorum asks for members that are not there. Nothing changes.
func TestReconfigWithoutQuorum(t *testing.T) {
	e := startEnsemble(t, 3, 0, 4, 2*time.Minute)
	s := span{from: e.clock(), servers: e.except(0)}
	began := e.clock()
	_, err := e.tryReconfig(2, []int{4, 5, 6, 7}, nil)
	took := e.clock() - began
	if !errors.Is(err, protocol.ErrNewConfigNoQuorum) {
		t.Errorf("four of seven are not there: got %v, want NewConfigNoQuorum", err)
	}
	e.awaitSteps(3, 30*time.Second)
	s.to = e.clock()
	t.Logf("refused: after=%v", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("refused after %v", took)
	}
	text, err := e.tryReconfig(1, nil, nil)
	if err != nil {
		t.Errorf("an empty reconfig after it: %v", err)
	}
	e.checkText(text)
	e.checkSpans([]span{s})
	e.verify(loadExpiry)
}
