package blackbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// term ends a server, which takes some milliseconds where the machine is idle, too. One that is not done after the server's
// own limit ends with another code.
func term(t *testing.T, e *harness.Ensemble, sid int, what string) {
	t.Helper()
	began := time.Now()
	code := e.Term(sid)
	took := time.Since(began)
	t.Logf("%s ended after %v", what, took.Round(time.Millisecond))
	if code != 0 {
		t.Errorf("exit code of %s after SIGTERM: got %d, want 0", what, code)
	}
}

// A server that is told to stop does so at once, with exit code 0, and its sessions live on, ephemerals included.
func TestTermStandalone(t *testing.T) {
	harness.SkipShort(t)
	e := harness.StartZooraft(t, harness.Options{TickTime: 2 * time.Second})
	addr := e.Server(1).ClientAddr
	c := mustConnect(t, addr)
	must(t, "create", c.create("/a", "1"))
	_, err := c.call(protocol.OpCreate, &protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
	must(t, "create ephemeral", err)

	term(t, e, 1, "the server")
	must(t, "end of the connection", c.ended(callTimeout))
	e.Restart(1)
	c = mustResume(t, addr, c)
	c.mustHold(t, "/a", "1")
	c.mustHold(t, "/e", "")
	forged := *c
	forged.passwd = make([]byte, protocol.PasswdBytes)
	if _, err := connect(addr, &forged); err != errExpired {
		t.Errorf("resume the session with a wrong password: got %v, want %v", err, errExpired)
	}
}

func TestTermMembers(t *testing.T) {
	harness.SkipShort(t)
	e := harness.StartZooraft(t, harness.Options{Size: 3, TickTime: 2 * time.Second})
	for _, role := range []string{"follower", "leader"} {
		leader := e.Leader()
		sid, other := leader, leader%3+1
		if role == "follower" {
			sid, other = leader%3+1, leader
		}
		c := mustConnect(t, e.Server(sid).ClientAddr)
		stays := mustConnect(t, e.Server(other).ClientAddr)
		path := "/" + role
		_, err := c.call(protocol.OpCreate, &protocol.CreateRequest{Path: path, Data: []byte("1"), ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral})
		must(t, "create ephemeral", err)

		term(t, e, sid, "the "+role)
		c = mustResume(t, e.Server(other).ClientAddr, c)
		c.mustHold(t, path, "1")
		must(t, "write on a connection to another server", stays.create(path+"-stays", ""))
		e.Restart(sid)
		c = mustResume(t, e.Server(sid).ClientAddr, c)
		c.mustHold(t, path, "1")
		if _, err := c.call(protocol.OpCloseSession, nil); err != nil {
			t.Errorf("close the session: %v", err)
		}
		_, err = stays.call(protocol.OpSync, &protocol.SyncRequest{Path: "/"})
		must(t, "sync", err)
		if _, err := stays.get(path); err != protocol.ErrNoNode {
			t.Errorf("ephemeral of a closed session: got %v, want %v", err, protocol.ErrNoNode)
		}
	}
}

// writer is a session that writes as fast as it is answered, and knows what it was promised.
type writer struct {
	c     *client
	path  string
	sent  int // the last value that was sent
	acked int // the last one that was acknowledged
	names []string
}

// write goes on until its connection ends. Each value takes a setData and a create.
func (w *writer) write() {
	for {
		w.sent++
		if w.c.set(w.path, strconv.Itoa(w.sent)) != nil {
			return
		}
		w.acked = w.sent
		name := fmt.Sprintf("n%06d", w.sent)
		if w.c.create(w.path+"/"+name, "") != nil {
			return
		}
		w.names = append(w.names, name)
	}
}

// check reads back, on the same session, what was acknowledged.
func (w *writer) check(t *testing.T, addr string) {
	t.Helper()
	w.c = mustResume(t, addr, w.c)
	text, err := w.c.get(w.path)
	must(t, "read "+w.path, err)
	if got, err := strconv.Atoi(text); err != nil || got < w.acked || got > w.sent {
		t.Fatalf("%s: got %q, acknowledged %d, sent %d", w.path, text, w.acked, w.sent)
	}
	have, err := w.c.children(w.path)
	must(t, "list "+w.path, err)
	slices.Sort(have)
	for _, name := range w.names {
		if _, ok := slices.BinarySearch(have, name); !ok {
			t.Fatalf("%s/%s was acknowledged and is gone; %d there, %d acknowledged", w.path, name, len(have), len(w.names))
		}
	}
	if extra := len(have) - len(w.names); extra > 1 {
		t.Fatalf("%s has %d children more than were acknowledged, 1 at most was under way", w.path, extra)
	}
	w.names = have // the one under way may have been carried out
}

// A server whose process is killed, at whatever moment, comes back with all that it has acknowledged, and with its sessions.
func TestKillLosesNothing(t *testing.T) {
	harness.SkipShort(t)
	for _, kind := range []string{"wal", "boltdb"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rnd := rand.New(rand.NewPCG(seed, 0))
			// A small snapCount: some kills meet a snapshot being written.
			e := harness.StartZooraft(t, harness.Options{TickTime: 2 * time.Second, Lines: []string{"raft.logStore=" + kind, "snapCount=50"}})
			addr := e.Server(1).ClientAddr
			var writers []*writer
			for i := range 4 {
				w := &writer{c: mustConnect(t, addr), path: fmt.Sprintf("/w%d", i)}
				must(t, "create", w.c.create(w.path, "0"))
				writers = append(writers, w)
			}
			for round := range 8 {
				var writing sync.WaitGroup
				for _, w := range writers {
					writing.Go(w.write)
				}
				killAfter(e, time.Duration(rnd.Int64N(int64(400*time.Millisecond))))
				writing.Wait()
				if round%2 == 1 { // once more, while it reads its log or joins
					e.Start(1)
					killAfter(e, time.Duration(rnd.Int64N(int64(150*time.Millisecond))))
				}
				e.Start(1)
				e.WaitServing()
				for _, w := range writers {
					w.check(t, addr)
				}
			}
			sum := 0
			for _, w := range writers {
				sum += w.acked + len(w.names)
			}
			t.Logf("%d acknowledged writes are there", sum)
		})
	}
}

// killAfter kills the server after d, the moment that the fault is to have.
func killAfter(e *harness.Ensemble, d time.Duration) {
	<-time.After(d)
	e.Kill(1)
}
