//go:build interop

package interop

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zooraft/tests/harness"
)

// survives checks that a session goes on over what happen does to its connection: the same id, its ephemeral, and its
// watches, of which one fires for a change that came about while it was away.
func survives(t *testing.T, c, other *goClient, root string, happen func()) {
	t.Helper()
	session := c.SessionID()
	create(t, c, root, "", 0)
	create(t, c, root+"/e", "", zk.FlagEphemeral)
	create(t, c, root+"/quiet", "0", 0)
	create(t, c, root+"/busy", "0", 0)
	_, _, quiet, err := c.GetW(root + "/quiet")
	must(t, "get", err)
	_, _, busy, err := c.GetW(root + "/busy")
	must(t, "get", err)
	_, _, later, err := c.ExistsW(root + "/later")
	must(t, "exists", err)

	happen()
	eventually(t, "the other's writes", func() error {
		_, err := other.Set(root+"/busy", []byte("1"), -1)
		return err
	})
	// Before any request of this session: a reply that overtakes this client's setWatches has it ask for later events only.
	wantEvent(t, busy, zk.EventNodeDataChanged, root+"/busy")
	eventually(t, "the session's reads", func() error {
		ok, stat, err := c.Exists(root + "/e")
		if err != nil {
			return err
		}
		if !ok || stat.EphemeralOwner != session {
			t.Fatalf("the ephemeral: got %v, %+v; want one of session %#x", ok, stat, session)
		}
		return nil
	})
	if got := c.SessionID(); got != session {
		t.Errorf("session: got %#x, want %#x", got, session)
	}
	eventually(t, "the session's writes", func() error {
		_, err := c.Create(root+"/later", nil, 0, anyone)
		if errors.Is(err, zk.ErrNodeExists) { // the answer to an earlier try was lost
			return nil
		}
		return err
	})
	wantEvent(t, later, zk.EventNodeCreated, root+"/later")
	select {
	case ev := <-quiet:
		t.Errorf("event of what did not change: %+v", ev)
	default:
	}
	_, err = other.Set(root+"/quiet", []byte("1"), 0)
	must(t, "set", err)
	wantEvent(t, quiet, zk.EventNodeDataChanged, root+"/quiet")
}

// eventually tries again while the client has no connection. It sees to it that a test does not go on for ever.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	harness.Eventually(t, goEventTimeout, what, try)
}

func testGoBrokenConnection(t *testing.T, e *harness.Ensemble) {
	c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	other := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	survives(t, c, other, "/broken", func() { c.breakConnection(false) })
}

// testGoExpiry has a client vanish without a word. Its ephemeral goes after its timeout, not before.
func testGoExpiry(t *testing.T, e *harness.Ensemble) {
	const timeout = 3 * time.Second
	doomed := connectGo(t, e.ClientAddrs(), timeout)
	other := connectGo(t, e.ClientAddrs(), goSessionTimeout)
	create(t, doomed, "/doomed", "", zk.FlagEphemeral)
	_, err := other.Sync("/doomed")
	must(t, "sync", err)
	ok, _, gone, err := other.ExistsW("/doomed")
	if !ok || err != nil {
		t.Fatalf("exists: got %v, %v; want true", ok, err)
	}
	_, _, err = doomed.Exists("/doomed") // the server hears from it now, whenever its last ping was
	must(t, "exists", err)
	began := time.Now()
	doomed.breakConnection(true)
	wantEvent(t, gone, zk.EventNodeDeleted, "/doomed")
	// The server last heard from it a ping ago: at most a third of the timeout, for this client pings twice in it.
	if took := time.Since(began); took < timeout/2 {
		t.Errorf("session with a timeout of %v expired after %v", timeout, took)
	}
	if ok, _, err := other.Exists("/doomed"); ok || err != nil {
		t.Errorf("exists after the event: got %v, %v; want false", ok, err)
	}
}

// TestGoClientOverServerDeaths kills servers of three, by SIGKILL, under a session.
func TestGoClientOverServerDeaths(t *testing.T) {
	e := start(t, 3)
	for _, tt := range []struct {
		name   string
		victim func(leader int) int
	}{
		{"follower", func(leader int) int { return leader%3 + 1 }},
		{"leader", func(leader int) int { return leader }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			victim := tt.victim(e.Leader())
			var rest []string
			for i, addr := range e.ClientAddrs() {
				if i+1 != victim {
					rest = append(rest, addr)
				}
			}
			// This client is with the victim: its host list has the others only for later.
			c := connectTo(t, e, victim)
			other := connectGo(t, rest, goSessionTimeout)
			survives(t, c, other, "/death-of-"+tt.name, func() { e.Kill(victim) })
			e.Start(victim)
			e.WaitServing()
		})
	}
}

// connectTo returns a client of the whole ensemble that happens to be with one server of it.
func connectTo(t *testing.T, e *harness.Ensemble, sid int) *goClient {
	t.Helper()
	want := e.Server(sid).ClientAddr
	for range 50 {
		c := connectGo(t, e.ClientAddrs(), goSessionTimeout)
		if c.Server() == want {
			return c
		}
		c.Close()
	}
	t.Fatalf("no client came to server %d", sid)
	return nil
}
