package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
)

const ephemeralRoot = "/ephemeral"

// TestExpiry has sessions end in every way: closed, silent with an open connection, silent without one; before and
// across a change of leader. Others live on, and move when their server is killed. Observers on each server watch every
// ephemeral; when each of them went is judged from what they saw.
func TestExpiry(t *testing.T) {
	const (
		tick         = 500 * time.Millisecond
		shortTimeout = 2 * time.Second // of the sessions that fall silent
		liveTimeout  = 6 * time.Second
		pingPeriod   = 500 * time.Millisecond
		lookPeriod   = 100 * time.Millisecond
		patience     = 20 * time.Second
	)
	perKind := scaled(2, 20)
	e := startServers(t, harness.Options{TickTime: tick})
	f := newFleet(t, addresses(e), liveTimeout, scaled(2*time.Minute, 5*time.Minute), nil)

	prober := f.add("prober", 1, pingPeriod, pinging)
	f.awaitSteps(1, patience)
	f.must(prober.Create(ephemeralRoot, "", protocol.CreateModePersistent))
	path := func(c *loadclient.Client) string { return ephemeralRoot + "/" + c.Name() }

	var kept, silent, cut, closing []*loadclient.Client
	homes := make(map[*loadclient.Client]int)
	for sid := 1; sid <= e.Size(); sid++ {
		for i := range perKind {
			w := f.add(fmt.Sprintf("live-%d-%d", sid, i), sid, pingPeriod, pinging)
			kept = append(kept, w.Client)
			for kind, list := range map[string]*[]*loadclient.Client{"silent": &silent, "cut": &cut, "closing": &closing} {
				timeout := shortTimeout
				if kind == "closing" { // ends by its close, however late that comes
					timeout = 20 * tick
				}
				c := f.client(fmt.Sprintf("%s-%d-%d", kind, sid, i), timeout)
				homes[c] = sid
				*list = append(*list, c)
			}
		}
	}
	f.awaitSteps(1, patience)
	for _, c := range kept {
		f.must(c.Create(path(c), "", protocol.CreateModeEphemeral))
	}
	late := []string{ephemeralRoot + "/late-0", ephemeralRoot + "/late-1"}
	watched := slices.Concat(paths(slices.Concat(kept, silent, cut, closing), path), late)
	for sid := 1; sid <= e.Size(); sid++ {
		f.add(fmt.Sprintf("observer-%d", sid), sid, lookPeriod, looking(watched))
	}
	f.awaitSteps(1, patience)

	// All at once: their sessions are short.
	errs := make(chan error, len(homes))
	for c, sid := range homes {
		go func() { errs <- f.makeEphemeral(c, sid, path(c)) }()
	}
	for range homes {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	f.awaitSteps(1, patience) // the observers watch what is there now

	for _, c := range cut {
		c.Disconnect()
	}
	for _, c := range closing {
		f.must(c.CloseSession())
	}
	f.awaitGone(prober, patience, paths(closing, path))
	f.awaitGone(prober, patience, slices.Concat(paths(silent, path), paths(cut, path)))

	// A follower dies: its sessions move, and keep what is theirs.
	follower := others(e.Leader())[0]
	e.Kill(follower)
	f.awaitSteps(2, patience)
	e.Start(follower)
	e.WaitServing(follower)

	// The leader dies while two sessions are silent: the next gives them their whole timeout again, and no more.
	leader := e.Leader()
	for i, name := range []string{"late-0", "late-1"} {
		c := f.client(name, shortTimeout)
		f.connect(c, others(leader)[i], patience)
		f.must(c.Create(path(c), "", protocol.CreateModeEphemeral))
		silent = append(silent, c)
	}
	e.Kill(leader)
	e.Leader()
	election := f.clock()
	f.awaitSteps(2, patience)
	f.awaitGone(prober, patience, late)
	e.Start(leader)
	e.WaitServing(leader)
	f.awaitSteps(2, patience)

	f.stop()
	for _, s := range f.servers {
		c := f.client(fmt.Sprintf("auditor-%d", s.SID), liveTimeout)
		f.connect(c, s.SID, patience)
		f.must(c.Sync("/"))
		for _, k := range kept {
			if reply := f.must(c.Exists(path(k), false)); reply.Stat.EphemeralOwner != int64(k.Session()) {
				t.Errorf("owner of %s at server %d: got 0x%x, want %v", path(k), s.SID, uint64(reply.Stat.EphemeralOwner),
					k.Session())
			}
		}
		if got := f.must(c.GetChildren(ephemeralRoot, false)).Children; len(got) != len(kept) {
			t.Errorf("ephemerals at server %d: got %d (%s), want the %d of the sessions that live", s.SID, len(got), got,
				len(kept))
		}
	}
	// An election that the machine makes by standing still gives all sessions their time again.
	x := history.Expiry{Tick: tick, Slack: scaled(10*time.Second, time.Second), Elections: []time.Duration{election}}
	h := f.history()
	t.Logf("expiry: %s", lifetimes(h, slices.Concat(silent, cut), path))
	f.report(h, slices.Concat(history.Unbroken(h), history.Sessions(h), history.Watches(h), history.Ephemerals(h, x)))
}

// makeEphemeral opens a client's session and creates what shall go with it.
func (f *fleet) makeEphemeral(c *loadclient.Client, sid int, path string) error {
	ctx, cancel := context.WithTimeout(f.ctx, 30*time.Second)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, handshakeTimeout)
		err := c.Connect(try, f.servers[sid-1])
		end()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		time.Sleep(reconnectPause)
	}
	_, err := c.Create(path, "", protocol.CreateModeEphemeral).Wait(ctx)
	return err
}

func paths(clients []*loadclient.Client, path func(*loadclient.Client) string) []string {
	var out []string
	for _, c := range clients {
		out = append(out, path(c))
	}
	return out
}

// pinging keeps a session alive and does nothing else.
func pinging(w *worker) {
	w.step = func(w *worker) error { return w.all(w.Ping()) }
}

// looking keeps a watch on each path, there or not.
func looking(paths []string) func(*worker) {
	return func(w *worker) {
		w.step = func(w *worker) error {
			var open []*loadclient.Request
			for _, p := range paths {
				open = append(open, w.Exists(p, true))
			}
			return w.all(open...)
		}
	}
}

// awaitGone has a worker look until none of the paths is there.
func (f *fleet) awaitGone(w *worker, timeout time.Duration, paths []string) {
	f.t.Helper()
	harness.Eventually(f.t, timeout, "ephemerals are gone", func() error {
		for _, p := range paths {
			_, err := w.Exists(p, false).Wait(f.ctx)
			if !errors.Is(err, protocol.ErrNoNode) {
				return fmt.Errorf("exists %s: %v", p, err)
			}
		}
		return nil
	})
}

// lifetimes says how long after the last request of their sessions the ephemerals of silent sessions were seen to go.
func lifetimes(h *history.History, clients []*loadclient.Client, path func(*loadclient.Client) string) string {
	gone := make(map[string]time.Duration)
	for _, c := range h.Clients {
		for i := range c.Records {
			r := &c.Records[i]
			if at, ok := gone[r.Path]; r.Event == protocol.EventNodeDeleted && (!ok || r.At < at) {
				gone[r.Path] = r.At
			}
		}
	}
	var lives []time.Duration
	for _, c := range clients {
		records := c.History().Records
		for i := len(records) - 1; i >= 0; i-- {
			if records[i].Kind == history.Call {
				if at, ok := gone[path(c)]; ok {
					lives = append(lives, at-records[i].At)
				}
				break
			}
		}
	}
	if len(lives) == 0 {
		return "none seen"
	}
	slices.Sort(lives)
	return fmt.Sprintf("silent-sessions=%d lived-min=%v median=%v max=%v", len(lives), lives[0].Round(time.Millisecond),
		lives[len(lives)/2].Round(time.Millisecond), lives[len(lives)-1].Round(time.Millisecond))
}
