package blackbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/zabcompat"
)

// startInOrder starts servers one after the other: before the next one starts, each is LOOKING; or serves, once it takes
// no more for a majority. A server that came while the others still count votes would stand for election with them.
func startInOrder(t *testing.T, e *harness.Ensemble, sids ...int) {
	t.Helper()
	for _, sid := range sids {
		skip := len(readLog(t, e.Server(sid)))
		e.Start(sid)
		awaitLog(t, e.Server(sid), skip, `LOOKING\n`, fmt.Sprintf(`New election\. My id = %d, proposed zxid=0x[0-9a-f]+\n`, sid))
		running := 0
		for other := 1; other <= e.Size(); other++ {
			if e.Running(other) {
				running++
			}
		}
		if running > e.Size()/2 {
			e.WaitServing(sid)
		}
	}
}

// memberStatus is what `zooraft status --json` prints of a member, as far as it is tested.
type memberStatus struct {
	SID    int64  `json:"sid"`
	Error  string `json:"error"`
	Status *struct {
		Vote      zabcompat.Vote `json:"vote"`
		LeaderSID int64          `json:"leader_sid"`
		Last      uint64         `json:"raft_last_index"`
		Applied   uint64         `json:"raft_applied_index"`
		Zxid      zabcompat.Zxid `json:"zxid"`
	} `json:"status"`
}

func askStatus(t *testing.T, config string) []memberStatus {
	t.Helper()
	p := launch(t, t.TempDir(), "status", "--json", config)
	if code := p.exit(startTimeout); code != 0 {
		t.Fatalf("exit code of status: %d\n%s", code, p.stderr.String())
	}
	var members []memberStatus
	if err := json.Unmarshal([]byte(p.stdout.String()), &members); err != nil {
		t.Fatalf("status --json: %v\n%s", err, p.stdout.String())
	}
	return members
}

// settle waits until all servers have applied the same log to its end, and returns their status.
func settle(t *testing.T, e *harness.Ensemble) []memberStatus {
	t.Helper()
	var members []memberStatus
	harness.Eventually(t, startTimeout, "all servers at the same place", func() error {
		members = askStatus(t, e.Server(1).Config)
		for _, m := range members {
			if m.Status == nil {
				return fmt.Errorf("server %d: %s", m.SID, m.Error)
			}
			if s, first := m.Status, members[0].Status; s.Applied != s.Last || s.Last != first.Last || s.Zxid != first.Zxid || s.LeaderSID == 0 || s.LeaderSID != first.LeaderSID {
				return fmt.Errorf("server %d: %+v, server 1: %+v", m.SID, *s, *first)
			}
		}
		return nil
	})
	return members
}

// killAll kills servers at the same time, and waits for their end.
func killAll(t *testing.T, e *harness.Ensemble, sids ...int) {
	t.Helper()
	for _, sid := range sids {
		if err := syscall.Kill(e.PID(sid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, sid := range sids {
		harness.Eventually(t, startTimeout, "end of the process", func() error {
			if e.Running(sid) {
				return fmt.Errorf("server %d runs", sid)
			}
			return nil
		})
	}
}

// Servers that start one after the other elect the last of the first majority, as ZooKeeper's do, and tell of it in
// ZooKeeper's words.
func TestStartOrder(t *testing.T) {
	harness.SkipShort(t)
	for _, tt := range []struct {
		size, leader int
		order        string // of votes, the first one first
	}{{3, 2, "3 > 2 > 1"}, {5, 3, "5 > 4 > 3 > 2 > 1"}} {
		t.Run(fmt.Sprintf("%d servers", tt.size), func(t *testing.T) {
			t.Parallel()
			var sids []int
			for sid := 1; sid <= tt.size; sid++ {
				sids = append(sids, sid)
			}
			var e *harness.Ensemble
			for try := 1; ; try++ {
				e = harness.NewZooraft(t, harness.Options{Size: tt.size})
				startInOrder(t, e, sids...)
				got := e.Leader()
				if got == tt.leader {
					break
				}
				if try == 5 || !turnPassed(t, e, got) {
					t.Fatalf("leader: got %d, want %d", got, tt.leader)
				}
				killAll(t, e, sids...)
			}
			for _, sid := range sids {
				state := "FOLLOWING"
				if sid == tt.leader {
					state = "LEADING"
				}
				awaitLog(t, e.Server(sid), 0, `Notification: my state:[A-Z]+; n\.sid:\d+, n\.state:[A-Z]+, n\.leader:\d+, n\.round:0x[0-9a-f]+, n\.peerEpoch:0x[0-9a-f]+, n\.zxid:0x[0-9a-f]+`,
					state+`\n`, state+` - LEADER ELECTION TOOK - \d+ MS`)
			}
			checkStatus(t, e, tt.leader, tt.order)
		})
	}
}

// turnPassed says that a leader stood only because a better server had let its turn pass: the machine stood still.
func turnPassed(t *testing.T, e *harness.Ensemble, sid int) bool {
	t.Helper()
	m := regexp.MustCompile(`standing for election.*better-votes=(\d+)`).FindAllStringSubmatch(readLog(t, e.Server(sid)), -1)
	return len(m) > 0 && m[len(m)-1][1] != "0"
}

// checkStatus asks `zooraft status` in both forms.
func checkStatus(t *testing.T, e *harness.Ensemble, leader int, order string) {
	t.Helper()
	for i, m := range settle(t, e) {
		if s := m.Status; m.SID != int64(i+1) || s.LeaderSID != int64(leader) || s.Vote.SID != m.SID || s.Vote.Zxid != s.Zxid {
			t.Errorf("status of server %d: %+v", i+1, *s)
		}
	}
	p := launch(t, t.TempDir(), "status", e.Server(1).Config)
	if code := p.exit(startTimeout); code != 0 {
		t.Fatalf("exit code of status: %d", code)
	}
	text := p.stdout.String()
	for _, want := range []string{
		fmt.Sprintf("ensemble of %d: server %d leads epoch 0x", e.Size(), leader),
		"\nvote order: " + order + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("status lacks %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || len(f[0]) != 1 || !strings.Contains("123456789", f[0]) {
			continue
		}
		want := "FOLLOWING"
		if f[0] == fmt.Sprint(leader) {
			want = "LEADING"
		}
		if f[1] != want || f[2] != fmt.Sprint(leader) {
			t.Errorf("status, want state %s and leader %d in %q", want, leader, line)
		}
	}
}

// A whole ensemble that comes back elects by (epoch, zxid, sid): with equal logs the highest sid of the first majority,
// else the one that has more, whatever its sid.
func TestRestartOfTheWhole(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	c := mustConnect(t, e.Server(1).ClientAddr)
	must(t, "create", c.create("/a", "1"))

	settle(t, e)
	killAll(t, e, 1, 2, 3)
	startInOrder(t, e, 2, 1)
	if got := e.Leader(); got != 2 && !turnPassed(t, e, got) {
		t.Errorf("leader after the start of 2, 1 with equal logs: got %d, want 2", got)
	}
	startInOrder(t, e, 3)
	e.WaitServing(3)
	c = mustResume(t, e.Server(3).ClientAddr, c)
	c.mustHold(t, "/a", "1")

	settle(t, e)
	killAll(t, e, 1, 2, 3)
	startInOrder(t, e, 1, 3)
	if got := e.Leader(); got != 3 && !turnPassed(t, e, got) {
		t.Errorf("leader after the start of 1, 3 with equal logs: got %d, want 3", got)
	}
	startInOrder(t, e, 2)

	settle(t, e)
	killAll(t, e, 3)
	e.Leader()
	e.WaitServing(1)
	c = mustResume(t, e.Server(1).ClientAddr, c)
	must(t, "set", c.set("/a", "2"))
	if got := e.Term(2); got != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0", got)
	}
	killAll(t, e, 1)
	startInOrder(t, e, 3, 1)
	if got := e.Leader(); got != 1 {
		t.Errorf("leader after the start of 3, 1 where 3 lacks writes: got %d, want 1", got)
	}
	e.WaitServing(3)
	c = mustResume(t, e.Server(3).ClientAddr, c)
	c.mustHold(t, "/a", "2")

	// In order this time, the leader last.
	startInOrder(t, e, 2)
	for _, sid := range []int{2, 3, 1} {
		began := time.Now()
		if got := e.Term(sid); got != 0 {
			t.Errorf("exit code of server %d after SIGTERM: got %d, want 0", sid, got)
		}
		t.Logf("server %d ended after %v", sid, time.Since(began).Round(time.Millisecond))
	}
	e.StartAll()
	e.Leader()
	e.WaitServing(2)
	c = mustResume(t, e.Server(2).ClientAddr, c)
	c.mustHold(t, "/a", "2")
}
