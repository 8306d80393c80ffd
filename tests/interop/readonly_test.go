//go:build interop

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// withReadOnly starts three servers that may serve reads without a quorum. The stock ones do so only with local
// sessions; ours with and without.
func withReadOnly(t *testing.T, test func(t *testing.T, e *harness.Ensemble)) {
	for _, local := range []bool{true, false} {
		if isOracle() && !local {
			continue
		}
		t.Run(fmt.Sprintf("localSessions=%v", local), func(t *testing.T) {
			test(t, startWith(t, harness.Options{
				Size: 3, TickTime: 500 * time.Millisecond, Defines: []string{"readonlymode.enabled=true"},
				Lines: []string{fmt.Sprintf("localSessionsEnabled=%v", local), "localSessionsUpgradingEnabled=true", "4lw.commands.whitelist=srvr,stat,mntr"},
			}))
		})
	}
}

// cut takes its quorum from server 1, by ending the others or by stopping them, and returns what gives it back.
func cut(t *testing.T, e *harness.Ensemble, freeze bool) (heal func()) {
	for _, sid := range []int{2, 3} {
		if freeze {
			e.Stop(sid)
		} else {
			e.Kill(sid)
		}
	}
	awaitWord(t, e, 1, "isro", "ro")
	return func() {
		for _, sid := range []int{2, 3} {
			if freeze {
				e.Cont(sid)
			} else {
				e.Start(sid)
			}
		}
		awaitWord(t, e, 1, "isro", "rw")
	}
}

func awaitWord(t *testing.T, e *harness.Ensemble, sid int, word, want string) {
	t.Helper()
	eventually(t, word+" "+want, func() error {
		got, err := harness.FourLetter(e.Server(sid).ClientAddr, word)
		if err == nil && got != want {
			err = fmt.Errorf("got %q", got)
		}
		return err // a server that has just been started may not listen yet
	})
}

func TestReadOnlyMode(t *testing.T) {
	for _, freeze := range []bool{false, true} {
		t.Run(fmt.Sprintf("freeze=%v", freeze), func(t *testing.T) {
			withReadOnly(t, func(t *testing.T, e *harness.Ensemble) { testReadOnlyMode(t, e, freeze) })
		})
	}
}

func testReadOnlyMode(t *testing.T, e *harness.Ensemble, freeze bool) {
	addr := e.Server(1).ClientAddr
	global := open(t, addr, true)
	if code, _ := global.call(protocol.OpCreate, node("/a", persistent)); code != protocol.ErrOK {
		t.Fatal(code)
	}
	global.call(protocol.OpCreate, node("/e", ephemeral)) // and so it is of the ensemble, if it was not
	awaitWord(t, e, 1, "isro", "rw")
	heal := cut(t, e, freeze)
	global.ended(wireTimeout)

	// What it says of itself.
	for _, word := range []string{"srvr", "stat"} {
		said := e.FourLetter(1, word)
		if !strings.Contains(said, "UTC\nREAD-ONLY mode; serving only read-only clients\n") || !strings.Contains(said, "\nMode: read-only\n") {
			t.Errorf("%s: %q", word, said)
		}
	}
	if said := e.FourLetter(1, "mntr"); !strings.Contains(said, "zk_server_state\tread-only\n") ||
		strings.Contains(said, "zk_peer_state") || strings.Contains(said, "zk_quorum_size") {
		t.Errorf("mntr: %q", said)
	}

	// Who is let in, and to what.
	old := ask(false)
	old.HasReadOnly = false
	ahead := ask(true)
	ahead.LastZxidSeen = 1 << 60
	for name, q := range map[string]*protocol.ConnectRequest{
		"of old": old, "not read-only": ask(false), "ahead": ahead, "of the ensemble": global.resume(true),
	} {
		if w := shake(t, addr, q); w != nil {
			t.Errorf("a client %s: %+v", name, w.ConnectResponse)
		}
	}
	unknown := ask(true)
	unknown.SessionID = 4711
	if w := shake(t, addr, unknown); w == nil || w.SessionID != 0 || !w.ReadOnly {
		t.Errorf("unknown session: %+v", w)
	}
	w := open(t, addr, true)
	if !w.ReadOnly || w.Timeout != 6000 {
		t.Errorf("response %+v", w.ConnectResponse)
	}
	if code, b := w.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/a", Watch: true}); code != protocol.ErrOK || !strings.HasPrefix(string(b), "\x00\x00\x00\x01d") {
		t.Errorf("get: %v, %q", code, b)
	}
	if w.zxid != global.zxid {
		t.Errorf("zxid %#x, want %#x", w.zxid, global.zxid)
	}
	for _, op := range []protocol.OpCode{
		protocol.OpCreate, protocol.OpCreate2, protocol.OpCreateContainer, protocol.OpCreateTTL, protocol.OpDelete,
		protocol.OpSetData, protocol.OpSetACL, protocol.OpMulti, protocol.OpReconfig, protocol.OpSync,
	} {
		w.want(protocol.ErrNotReadOnly, 0, op, get("/a")) // whatever its body
	}
	w.want(protocol.ErrOK, 0, protocol.OpExists, get("/e")) // nobody can expire it
	w.want(protocol.ErrOK, 0, protocol.OpGetEphemerals, &protocol.SyncRequest{Path: "/"})
	w.want(protocol.ErrOK, 0, protocol.OpWhoAmI, nil)
	w.want(protocol.ErrOK, 0, protocol.OpCheckWatches, &protocol.WatchesRequest{Path: "/a", Type: protocol.WatcherTypeData})
	again := shake(t, addr, w.resume(true))
	if again == nil || again.SessionID != w.SessionID || !again.ReadOnly {
		t.Fatalf("reconnect: %+v", again)
	}
	w.ended(5 * time.Second)
	again.want(protocol.ErrOK, 0, protocol.OpExists, get("/e"))
	closing := open(t, addr, true)
	closing.call(protocol.OpExists, get("/"))
	closing.want(protocol.ErrOK, 0, protocol.OpCloseSession, nil)
	quick := ask(true)
	quick.Timeout = 1000
	silent := shake(t, addr, quick)
	silent.ended(wireTimeout)

	// The quorum comes back, and with it everything.
	heal()
	again.ended(5 * time.Second)
	var back *wire
	eventually(t, "session of the ensemble taken up", func() error {
		if back = shake(t, addr, global.resume(true)); back == nil {
			return errors.New("refused")
		}
		return nil
	})
	if back.SessionID != global.SessionID || back.ReadOnly {
		t.Fatalf("session of the ensemble: %+v", back.ConnectResponse)
	}
	if code, _ := back.call(protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: 0}); code != protocol.ErrOK {
		t.Errorf("write: %v", code)
	}
	back.call(protocol.OpCloseSession, nil)
}

// TestReadOnlyStart starts one server of three whose others do not come.
func TestReadOnlyStart(t *testing.T) {
	withReadOnly(t, func(t *testing.T, e *harness.Ensemble) {
		addr := e.Server(1).ClientAddr
		w := open(t, addr, true)
		if code, _ := w.call(protocol.OpCreate, node("/a", persistent)); code != protocol.ErrOK {
			t.Fatal(code)
		}
		for sid := 1; sid <= 3; sid++ {
			e.Term(sid)
		}
		started := time.Now()
		e.Start(1)
		awaitWord(t, e, 1, "isro", "null")
		awaitWord(t, e, 1, "isro", "ro")
		if took := time.Since(started); took < 2*time.Second {
			t.Errorf("read-only after %v, want 2s at least", took)
		}
		r := open(t, addr, true)
		if code, b := r.call(protocol.OpGetData, get("/a")); code != protocol.ErrOK || !r.ReadOnly {
			t.Errorf("get: %v, %q, read-only %v", code, b, r.ReadOnly)
		}
	})
}

// TestReadOnlyKazoo follows kazoo through a time without a quorum.
func TestReadOnlyKazoo(t *testing.T) {
	python := filepath.Join(deps(t), kazooDir, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		lacking(t, "kazoo in "+python)
	}
	withReadOnly(t, func(t *testing.T, e *harness.Ensemble) {
		w := open(t, e.Server(1).ClientAddr, false)
		w.call(protocol.OpCreate, node("/a", persistent))
		heal := cut(t, e, false)
		c := openTerminal(t, exec.CommandContext(withDeadline(t, clientTimeout), python, "-B", "kazoo_readonly.py", e.Connect()), false)
		c.expect(`^read-only\n`)
		heal()
		c.expect(`^read-write\n`)
		if code := c.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestReadOnlyCShell does so with the C client.
func TestReadOnlyCShell(t *testing.T) {
	shell := cShell(t)
	withReadOnly(t, func(t *testing.T, e *harness.Ensemble) {
		w := open(t, e.Server(1).ClientAddr, false)
		w.call(protocol.OpCreate, node("/a", persistent))
		heal := cut(t, e, false)
		c := openTerminal(t, exec.CommandContext(withDeadline(t, clientTimeout), shell, "-r", "-h", e.Connect()), false)
		c.expect(`Watcher SESSION_EVENT state = READONLY_STATE
`)
		c.send("get /a")
		c.expect(`/a: rc = 0
 value_len = 1
d
`)
		c.send("create /b")
		c.expect(`\[/b\]: rc = -119
`)
		heal()
		c.expect(`Watcher SESSION_EVENT state = CONNECTED_STATE
`)
		c.send("create /b")
		c.expect(`\[/b\]: rc = 0
`)
		c.send("quit")
		c.wait()
	})
}

// TestReadOnlyZkCli does so with ZooKeeper's own client.
func TestReadOnlyZkCli(t *testing.T) {
	zooKeeperJars(t)
	withReadOnly(t, func(t *testing.T, e *harness.Ensemble) {
		w := open(t, e.Server(1).ClientAddr, false)
		w.call(protocol.OpCreate, node("/a", persistent))
		heal := cut(t, e, false)
		c := openTerminal(t, zkCli(t, e.Connect(), "-r"), true)
		c.expect(`WatchedEvent state:ConnectedReadOnly type:None path:null`)
		c.send("get /a")
		c.expect(`[\n ]d\n`) // the prompt may come first
		c.send("create /b")
		c.expect(`Not a read-only call: /b\n`)
		heal()
		c.expect(`WatchedEvent state:SyncConnected type:None path:null`)
		c.send("create /b")
		c.expect(`Created /b\n`)
		c.send("quit")
		c.wait()
	})
}
