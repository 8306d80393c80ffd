//go:build interop

package interop

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

func isOracle() bool { return os.Getenv("ZOORAFT_ORACLE") == "1" }

const (
	persistent = protocol.CreateModePersistent
	ephemeral  = protocol.CreateModeEphemeral
)

// onEach starts three servers and runs test with each of them, and another, as a client's.
func onEach(t *testing.T, lines []string, test func(t *testing.T, e *harness.Ensemble, sid int, addr, other string)) {
	e := startWith(t, harness.Options{Size: 3, TickTime: 500 * time.Millisecond, Lines: lines})
	first := open(t, e.Server(1).ClientAddr, false) // a stock follower says zxid 0 before the first write of an epoch
	first.call(protocol.OpCreate, node("/first", persistent))
	first.call(protocol.OpCloseSession, nil)
	for sid := 1; sid <= 3; sid++ {
		t.Run(fmt.Sprintf("%d-%s", sid, e.Mode(sid)), func(t *testing.T) {
			test(t, e, sid, e.Server(sid).ClientAddr, e.Server(sid%3+1).ClientAddr)
		})
	}
}

// known says how many sessions of each kind a server counts.
func known(e *harness.Ensemble, sid int) (counts string) {
	for line := range strings.Lines(e.FourLetter(sid, "mntr")) {
		if strings.HasPrefix(line, "zk_global_sessions") || strings.HasPrefix(line, "zk_local_sessions") {
			counts += strings.Join(strings.Fields(line), "=") + " "
		}
	}
	return counts
}

func TestLocalSessions(t *testing.T) {
	onEach(t, []string{"localSessionsEnabled=true"}, func(t *testing.T, e *harness.Ensemble, sid int, addr, other string) {
		root := fmt.Sprintf("/local%d", sid)
		w := open(t, addr, true)
		w.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"}) // that the server has seen what was done through another
		w.call(protocol.OpExists, get("/"))                       // for the zxid
		if w.ReadOnly || !w.HasReadOnly {
			t.Errorf("response %+v", w.ConnectResponse)
		}
		second := open(t, addr, false)
		w.want(protocol.ErrOK, 0, protocol.OpExists, get("/"))
		if got := known(e, sid); !strings.Contains(got, "zk_global_sessions=0 ") || !strings.Contains(got, "zk_local_sessions=2 ") {
			t.Errorf("sessions: %s", got)
		}
		said, global := e.FourLetter(sid, "dump"), "Global Sessions(0):\n"
		if e.Mode(sid) == "leader" {
			global = "Global Session Sets (0)/(0):\n"
		}
		for _, want := range []string{")/(2):\n", fmt.Sprintf("\t0x%x\n", int64(w.SessionID)), fmt.Sprintf("\t0x%x\n", int64(second.SessionID)), global} {
			if !strings.HasPrefix(said, "SessionTracker dump:\nLocal Session Sets (") || !strings.Contains(said, want) {
				t.Errorf("dump without %q:\n%s", want, said)
			}
		}
		w.want(protocol.ErrOK, 1, protocol.OpCreate, node(root, persistent))
		w.want(protocol.ErrEphemeralOnLocalSession, 1, protocol.OpCreate, node(root+"/e", ephemeral))
		w.want(protocol.ErrEphemeralOnLocalSession, 1, protocol.OpCreate2, node(root+"/none/e", ephemeral))
		w.want(protocol.ErrBadArguments, 1, protocol.OpCreate, node(root+"/e", 99))
		w.want(protocol.ErrSessionExpired, 1, protocol.OpCreateContainer, node(root+"/c", ephemeral))
		w.want(protocol.ErrOK, 1, protocol.OpSetData, &protocol.SetDataRequest{Path: root, Version: -1})
		w.want(protocol.ErrOK, 0, protocol.OpSync, &protocol.SyncRequest{Path: root})
		w.want(protocol.ErrOK, 0, protocol.OpWhoAmI, nil)
		if code, b := w.call(protocol.OpGetEphemerals, &protocol.SyncRequest{Path: "/"}); code != protocol.ErrOK || len(b) != 4 {
			t.Errorf("ephemerals: %v, %x", code, b)
		}
		before := w.zxid
		code, b := w.call(protocol.OpMulti, multiOf{node(root+"/m", persistent), node(root+"/me", ephemeral), node(root+"/m2", persistent)})
		want := []protocol.ErrCode{protocol.ErrOK, protocol.ErrEphemeralOnLocalSession, protocol.ErrRuntimeInconsistency}
		if isOracle() && e.Mode(sid) != "leader" {
			want[1] = protocol.ErrSessionExpired // see server/client/DESIGN.md
		}
		d := protocol.NewDecoder(b)
		for i, c := range want {
			var h protocol.MultiHeader
			h.Decode(&d)
			if got := protocol.ErrCode(d.Int32()); got != c || h.Err != c {
				t.Errorf("result %d of the multi: %v, %v, want %v", i, h.Err, got, c)
			}
		}
		if code != protocol.ErrOK || w.zxid != before+1 {
			t.Errorf("multi: %v, %d zxids", code, w.zxid-before)
		}

		// Who may take it up, and where.
		if r := shake(t, other, w.resume(false)); r != nil && r.SessionID != 0 { // nil if it has not come so far
			t.Errorf("taken up elsewhere: %+v", r.ConnectResponse)
		}
		w.want(protocol.ErrOK, 0, protocol.OpExists, get(root))
		again := shake(t, addr, w.resume(false))
		if again == nil || again.SessionID != w.SessionID || again.Timeout != 6000 {
			t.Fatalf("reconnect: %+v", again)
		}
		w.ended(5 * time.Second)
		bad := again.resume(false)
		bad.Passwd[3]++
		if r := shake(t, addr, bad); r == nil || r.SessionID != 0 || r.Timeout != 0 {
			t.Errorf("wrong password: %+v", r)
		}
		again.ended(5 * time.Second)
		again = shake(t, addr, again.resume(false))
		again.call(protocol.OpExists, get(root))
		again.want(protocol.ErrOK, 0, protocol.OpCloseSession, nil)
		if r := shake(t, addr, again.resume(false)); r == nil || r.SessionID != 0 {
			t.Errorf("closed session: %+v", r)
		}
		second.call(protocol.OpExists, get(root))
		second.want(protocol.ErrOK, 0, protocol.OpCloseSession, nil)

		// Silence ends it, by the clock of its server.
		quick := ask(false)
		quick.Timeout = 1000
		silent := shake(t, addr, quick)
		silent.ended(wireTimeout)
		eventually(t, "no session left", func() error { // the socket may go before it
			if got := known(e, sid); !strings.Contains(got, "zk_local_sessions=0 ") {
				return errors.New(got)
			}
			return nil
		})
		if r := shake(t, addr, silent.resume(false)); r == nil || r.SessionID != 0 {
			t.Errorf("expired session: %+v", r)
		}
	})
}

func TestLocalSessionUpgrade(t *testing.T) {
	onEach(t, []string{"localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"}, func(t *testing.T, e *harness.Ensemble, sid int, addr, other string) {
		root := fmt.Sprintf("/up%d", sid)
		fresh := func() *wire {
			w := open(t, addr, false)
			w.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"})
			w.call(protocol.OpExists, get("/"))
			return w
		}
		w := fresh()
		w.want(protocol.ErrOK, 1, protocol.OpCreate, node(root, persistent))
		w.want(protocol.ErrBadArguments, 1, protocol.OpCreate, node(root+"/e", 99))
		w.want(protocol.ErrSessionExpired, 1, protocol.OpCreateContainer, node(root+"/c", ephemeral))
		if got := known(e, sid); !strings.Contains(got, "zk_local_sessions=1 ") {
			t.Errorf("before: %s", got)
		}
		w.want(protocol.ErrOK, 2, protocol.OpCreate, node(root+"/e", ephemeral))
		if got := known(e, sid); !strings.Contains(got, "zk_global_sessions=1 ") || !strings.Contains(got, "zk_local_sessions=0 ") {
			t.Errorf("after: %s", got)
		}
		w.want(protocol.ErrOK, 1, protocol.OpCreate, node(root+"/e2", ephemeral))

		failing := fresh()
		failing.want(protocol.ErrNoNode, 2, protocol.OpCreate2, node(root+"/none/e", ephemeral))
		failing.want(protocol.ErrOK, 1, protocol.OpCloseSession, nil)
		multi := fresh()
		multi.want(protocol.ErrOK, 1, protocol.OpMulti, multiOf{node(root+"/m", persistent)})
		multi.want(protocol.ErrOK, 2, protocol.OpMulti, multiOf{node(root+"/m2", persistent), node(root+"/me", ephemeral)})
		multi.want(protocol.ErrOK, 1, protocol.OpCloseSession, nil)

		// It is like any other: it moves, keeps what is its own, and ends everywhere.
		var moved *wire
		eventually(t, "session taken up elsewhere", func() error {
			if moved = shake(t, other, w.resume(false)); moved == nil {
				return fmt.Errorf("that server has not come so far")
			}
			return nil
		})
		if moved.SessionID != w.SessionID {
			t.Fatalf("elsewhere: %+v", moved.ConnectResponse)
		}
		code, b := moved.call(protocol.OpGetEphemerals, &protocol.SyncRequest{Path: "/"})
		d := protocol.NewDecoder(b)
		if got := d.Strings(); code != protocol.ErrOK || len(got) != 2 {
			t.Errorf("ephemerals: %v, %q", code, got)
		}
		moved.want(protocol.ErrOK, 1, protocol.OpCloseSession, nil)
		look := fresh()
		look.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"})
		look.want(protocol.ErrNoNode, 0, protocol.OpExists, get(root+"/e"))
		look.want(protocol.ErrOK, 0, protocol.OpCloseSession, nil)
	})
}

// TestLocalSessionsEndWithTheirServer restarts it.
func TestLocalSessionsEndWithTheirServer(t *testing.T) {
	e := startWith(t, harness.Options{Size: 3, TickTime: 500 * time.Millisecond, Lines: []string{"localSessionsEnabled=true"}})
	w := open(t, e.Server(1).ClientAddr, false)
	e.Restart(1)
	if r := shake(t, e.Server(1).ClientAddr, w.resume(false)); r == nil || r.SessionID != 0 {
		t.Errorf("after a restart: %+v", r)
	}
}

// TestLocalSessionsAlone: a standalone server takes no notice.
func TestLocalSessionsAlone(t *testing.T) {
	e := startWith(t, harness.Options{Lines: []string{"localSessionsEnabled=true"}})
	w := open(t, e.Server(1).ClientAddr, false)
	w.call(protocol.OpExists, get("/"))
	w.want(protocol.ErrOK, 1, protocol.OpCreate, node("/e", ephemeral))
	w.want(protocol.ErrOK, 1, protocol.OpCloseSession, nil)
}
