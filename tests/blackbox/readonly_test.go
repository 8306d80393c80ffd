package blackbox

import (
	"errors"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

const cutOffTick = 500 * time.Millisecond // so a server without a leader knows it after 2.5 s

func awaitMode(t *testing.T, e *harness.Ensemble, sid int, want string) {
	t.Helper()
	harness.Eventually(t, startTimeout, "mode "+want, func() error {
		if got := e.Mode(sid); got != want {
			return errors.New("got " + got)
		}
		return nil
	})
}

// readOnlySession opens a session for which a read-only server will do.
func readOnlySession(t *testing.T, addr string) *client {
	t.Helper()
	c := mustDial(t, addr)
	c.readOnly = true
	must(t, "read-only session", c.shake(nil))
	return c
}

// TestReadOnly takes its quorum from a server: it serves reads, to those who take that, until the others are back; also
// when it starts without them, after an end of which it had no warning. Then it shows what it had applied a second before
// that; the znode is older.
func TestReadOnly(t *testing.T) {
	e := harness.StartZooraft(t, harness.Options{Size: 3, TickTime: cutOffTick, Defines: []string{"readonlymode.enabled=true"}})
	addr := e.Server(1).ClientAddr
	c := mustConnect(t, addr)
	must(t, "create", c.create("/a", "x"))
	for _, how := range []struct {
		name       string
		stop, cont func(sid int)
	}{
		{"killed", e.Kill, e.Start},
		{"frozen", e.Stop, e.Cont},
		{"killed with it", func(sid int) {
			e.Kill(sid)
			if sid == 3 {
				e.Kill(1)
				e.Start(1)
			}
		}, e.Start},
	} {
		t.Run(how.name, func(t *testing.T) {
			how.stop(2)
			how.stop(3)
			awaitMode(t, e, 1, "read-only")
			if c, err := connect(addr, nil); err == nil {
				c.nc.Close()
				t.Error("a client that does not take it was let in")
			}
			r := readOnlySession(t, addr)
			r.mustHold(t, "/a", "x")
			if err := r.set("/a", "y"); !errors.Is(err, protocol.ErrNotReadOnly) {
				t.Errorf("write: %v", err)
			}
			how.cont(2)
			how.cont(3)
			must(t, "end of the read-only connection", r.ended(callTimeout))
			e.WaitServing(1, 2, 3)
			w := mustConnect(t, addr)
			must(t, "write", w.set("/a", "x"))
		})
	}
}

// TestNotReadOnly: unless it is told to, a server without a quorum serves nobody.
func TestNotReadOnly(t *testing.T) {
	e := harness.StartZooraft(t, harness.Options{Size: 3, TickTime: cutOffTick})
	e.Kill(2)
	e.Kill(3)
	awaitMode(t, e, 1, "")
	if got := e.FourLetter(1, "isro"); got != "null" {
		t.Errorf("isro: %q", got)
	}
	c := mustDial(t, e.Server(1).ClientAddr)
	c.readOnly = true
	if err := c.shake(nil); err == nil {
		t.Error("a session without a quorum")
	}
}

// TestLocalSessionOverElection: a session that no other server knows keeps its connection when the leader dies, and can
// become one of the ensemble.
func TestLocalSessionOverElection(t *testing.T) {
	e := harness.StartZooraft(t, harness.Options{Size: 3, Lines: []string{"localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"}})
	leader := e.Leader()
	sid, other := leader%3+1, (leader+1)%3+1
	c := mustConnect(t, e.Server(sid).ClientAddr)
	must(t, "create", c.create("/a", "x"))
	e.Kill(leader)
	must(t, "write during the election", c.set("/a", "y"))
	_, err := c.call(protocol.OpCreate, &protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
	must(t, "ephemeral", err)

	moved := mustResume(t, e.Server(other).ClientAddr, c)
	moved.mustHold(t, "/e", "")
	_, err = moved.call(protocol.OpCloseSession, nil)
	must(t, "close", err)
	if err := c.set("/a", "z"); err == nil {
		t.Error("the old connection could still write")
	}
}
