package fault

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
)

const (
	porcupineTimeout = 60 * time.Second
	violationsShown  = 10
)

// verify ends the load, asks each server for what it holds, and checks everything. That a read after sync is
// linearizable is more than the oracle promises, and now and then it is not: there it is only counted.
func (f *fleet) verify(x history.Expiry) {
	f.t.Helper()
	f.stop()
	stopped := f.clock()
	children := f.audit()
	audited := f.clock()
	h := f.history()
	dirs := make(map[string]string)
	for _, w := range f.workers {
		if w.dir != "" {
			dirs[w.Name()] = w.dir
		}
	}
	violations := judge(h, x)
	if oracle {
		f.t.Logf("oracle: stale reads after sync: %d", len(history.RegisterOrder(h)))
	} else {
		violations = append(violations, linearizability(h)...)
	}
	for i := range h.Clients {
		c := &h.Clients[i]
		if dir := dirs[c.Name]; dir != "" {
			violations = append(violations, history.Marks(c, dir, children[dir])...)
		}
	}
	f.t.Logf("verify: audit=%v rules=%v", (audited - stopped).Round(time.Millisecond),
		(f.clock() - audited).Round(time.Millisecond))
	f.report(h, violations)
}

// judge applies the rules that need nothing but the history and hold for every server.
func judge(h *history.History, x history.Expiry) []history.Violation {
	return slices.Concat(history.Unbroken(h), history.Sessions(h), history.Watches(h), history.Ephemerals(h, x))
}

func linearizability(h *history.History) []history.Violation {
	return slices.Concat(history.RegisterOrder(h), history.Registers(h, porcupineTimeout))
}

// report prints what a history amounts to, and fails the test over its violations.
func (f *fleet) report(h *history.History, violations []history.Violation) {
	f.t.Helper()
	counts := make(map[history.Kind]int)
	acked := 0
	for _, c := range h.Clients {
		for i := range c.Records {
			counts[c.Records[i].Kind]++
			if c.Records[i].OK() && c.Records[i].Write() {
				acked++
			}
		}
	}
	f.t.Logf("history: clients=%d calls=%d replies=%d writes-acknowledged=%d events=%d connected=%d refused=%d lost=%d"+
		" expired=%d violations=%d", len(h.Clients), counts[history.Call], counts[history.Reply], acked,
		counts[history.Event], counts[history.Connected], counts[history.Refused], counts[history.Lost],
		counts[history.Expired], len(violations))
	if len(violations) == 0 {
		if f.t.Failed() {
			f.save(h)
		}
		return
	}
	broken.Store(true)
	failOver(f.t, violations)
	f.save(h)
}

// broken is set once a history breaks a rule.
var broken atomic.Bool

// TestMain panics over a broken history when all tests have ended. What runs a failed
// test once more, since a machine may have been busy, stops at a panic: what was lost
// or out of order must not be forgiven because it does not come again.
func TestMain(m *testing.M) {
	code := m.Run()
	if broken.Load() {
		panic("a history breaks the rules")
	}
	os.Exit(code)
}

// failOver fails the test over violations; of each rule it shows some.
func failOver(t *testing.T, violations []history.Violation) {
	t.Helper()
	slices.SortStableFunc(violations, func(a, b history.Violation) int { return cmp.Compare(a.At, b.At) })
	shown := make(map[string]int)
	for _, v := range violations {
		if shown[v.Rule]++; shown[v.Rule] <= violationsShown {
			t.Errorf("%v", v)
		}
	}
	for rule, n := range shown {
		if n > violationsShown {
			t.Errorf("%s: %d more", rule, n-violationsShown)
		}
	}
}

func (f *fleet) save(h *history.History) {
	dir := os.Getenv("ZOORAFT_FAULT_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	name := filepath.Join(dir, fmt.Sprintf("zooraft-%s-%d.history.gz", strings.ReplaceAll(f.t.Name(), "/", "_"), f.seed))
	if err := h.WriteFile(name); err != nil {
		f.t.Errorf("save history: %v", err)
		return
	}
	f.t.Logf("history saved: ZOORAFT_FAULT_HISTORY=%s", name)
}

// audit reads the load's znodes from each server, after a sync, demands that all servers hold the same, and returns the
// children of each writer's directory.
func (f *fleet) audit() map[string][]string {
	f.t.Helper()
	paths := []string{root, tide}
	for i := range registers {
		paths = append(paths, registerPath(i))
	}
	for i := range tideNodes {
		paths = append(paths, fmt.Sprintf("%s/x%d", tide, i))
	}
	for _, w := range f.workers {
		if w.dir != "" {
			paths = append(paths, w.dir)
		}
	}
	children := make(map[string][]string)
	states := make(map[string]string) // of each path, at the first server
	first := 0
	for _, s := range f.servers {
		if f.gone[s.SID] {
			continue
		}
		c := f.client(fmt.Sprintf("auditor-%d", s.SID), f.timeout)
		f.connect(c, s.SID, 30*time.Second)
		f.must(c.Sync("/"))
		for _, p := range paths {
			list, data := c.GetChildren(p, false), c.GetData(p, false)
			l, err := list.Wait(f.ctx)
			if err != nil && err != protocol.ErrNoNode {
				f.t.Fatalf("audit of server %d: children of %s: %v", s.SID, p, err)
			}
			d, err := data.Wait(f.ctx)
			if err != nil && err != protocol.ErrNoNode {
				f.t.Fatalf("audit of server %d: data of %s: %v", s.SID, p, err)
			}
			names := slices.Sorted(slices.Values(l.Children))
			state := fmt.Sprintf("%v %+v %q %s", err, d.Stat, d.Value, strings.Join(names, " "))
			if first == 0 || first == s.SID {
				first = s.SID
				states[p], children[p] = state, names
			} else if states[p] != state {
				f.t.Errorf("servers differ: %s at server %d: %.300s; at server %d: %.300s", p, first, states[p], s.SID,
					state)
			}
		}
		f.must(c.CloseSession())
	}
	return children
}

// pauses collects the longest pause of each round.
type pauses struct {
	rounds []history.Pause
}

func (p *pauses) String() string {
	gaps := make([]time.Duration, len(p.rounds))
	var latency time.Duration
	for i, r := range p.rounds {
		gaps[i] = r.Gap
		latency = max(latency, r.Latency)
	}
	list := make([]string, len(gaps))
	for i, g := range gaps {
		list[i] = fmt.Sprint(g.Milliseconds())
	}
	return fmt.Sprintf("rounds=%d median=%v max=%v slowest-write=%v all-ms=%s", len(gaps), p.median().Round(time.Millisecond),
		p.max().Round(time.Millisecond), latency.Round(time.Millisecond), strings.Join(list, ","))
}

func (p *pauses) median() time.Duration {
	gaps := make([]time.Duration, len(p.rounds))
	for i, r := range p.rounds {
		gaps[i] = r.Gap
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

func (p *pauses) max() time.Duration {
	var m time.Duration
	for _, r := range p.rounds {
		m = max(m, r.Gap)
	}
	return m
}

// TestSavedHistory judges a history that another run has saved.
func TestSavedHistory(t *testing.T) {
	name := os.Getenv("ZOORAFT_FAULT_HISTORY")
	if name == "" {
		t.Skip("no ZOORAFT_FAULT_HISTORY")
	}
	h, err := history.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	failOver(t, append(judge(h, history.Expiry{Tick: time.Second, Slack: 5 * time.Second}), linearizability(h)...))
}
