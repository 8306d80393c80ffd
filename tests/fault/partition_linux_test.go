package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
	"zooraft/tests/netns"
)

// TestPartition cuts the leader off from the other servers while its clients still reach it. It must acknowledge no
// write and no sync from then on, and give its clients up when it has heard of no leader for syncLimit ticks; the others
// go on. Healed, all three hold the same.
func TestPartition(t *testing.T) {
	const (
		tick      = 500 * time.Millisecond
		syncLimit = 5
		patience  = 30 * time.Second
	)
	n, f := loadInNetwork(t, "PARTITION NOT TESTED", tick, syncLimit, patience)

	leader := f.awaitLeader(patience, 1, 2, 3)
	before := f.clock()
	n.cut(t, leader)
	from := f.clock()
	var gone time.Duration
	harness.Eventually(t, patience, "the leader that was cut off gives its clients up", func() error {
		for _, w := range f.workers {
			if sid, ok := w.Connected(); ok && sid == leader {
				return fmt.Errorf("%s is connected to it", w.Name())
			}
		}
		gone = f.clock()
		return nil
	})
	f.awaitSteps(5, patience)
	to := f.clock()
	n.heal(t, leader)
	f.awaitLeader(patience, 1, 2, 3)
	harness.Eventually(t, patience, "the server that was cut off serves again", func() error {
		_, err := f.mode(leader)
		return err
	})
	healed := f.clock()
	f.goHome()
	f.awaitSteps(5, patience)

	h := f.history()
	p := history.LongestPause(h, before-ackSpacing, to, others(leader))
	t.Logf("partition: leader=%d gave-clients-up-after=%v pause-of-majority=%v serving-again-after=%v", leader,
		(gone - from).Round(time.Millisecond), p.Gap.Round(time.Millisecond), (healed - to).Round(time.Millisecond))
	f.checkSurvivors(h, before, to, others(leader))
	f.checkPause("longest pause", p.Gap, 3*time.Second)
	if limit := syncLimit*tick + scaled(15*time.Second, 1500*time.Millisecond); !oracle && gone-from > limit {
		t.Errorf("the leader that was cut off gave its clients up after %v, want at most %v", gone-from, limit)
	}
	answered := quorumAnswers(h, leader, from, to)
	if oracle {
		t.Logf("oracle: answers that need a quorum, without one: %d", len(answered)) // its sync asks no quorum
	} else {
		failOver(t, answered)
	}
	f.verify(loadExpiry)
}

// TestDeafLeader has nothing arrive of the requests and signs of life that a follower sends to the leader, while it hears
// the leader, and the leader its Raft. It must give its clients up as if there were no leader: their sessions would expire.
func TestDeafLeader(t *testing.T) {
	const (
		tick      = 500 * time.Millisecond
		syncLimit = 5
		patience  = 30 * time.Second
	)
	n, f := loadInNetwork(t, "DEAF LEADER NOT TESTED", tick, syncLimit, patience)

	leader := f.awaitLeader(patience, 1, 2, 3)
	follower := leader%3 + 1
	from := f.clock()
	n.mute(t, follower, leader)
	var gone time.Duration
	harness.Eventually(t, patience, "the follower that is not heard gives its clients up", func() error {
		if _, err := f.mode(follower); err == nil {
			return errors.New("it serves")
		}
		gone = f.clock()
		return nil
	})
	f.awaitSteps(5, patience)
	n.unmute(t, follower, leader)
	healed := f.clock()
	harness.Eventually(t, patience, "the follower serves again", func() error {
		_, err := f.mode(follower)
		return err
	})
	t.Logf("deaf leader: follower=%d gave-clients-up-after=%v serving-again-after=%v", follower,
		(gone - from).Round(time.Millisecond), (f.clock() - healed).Round(time.Millisecond))
	f.goHome()
	f.awaitSteps(5, patience)
	if limit := syncLimit*tick + 4*time.Second; !oracle && gone-from > limit {
		t.Errorf("the follower that was not heard gave its clients up after %v, want at most %v", gone-from, limit)
	}
	f.verify(loadExpiry)
}

// quorumAnswers finds the writes and syncs that a server answered well though it had no quorum from before they were
// sent.
func quorumAnswers(h *history.History, server int, from, to time.Duration) []history.Violation {
	var out []history.Violation
	for _, c := range h.Clients {
		for i := range c.Records {
			r := &c.Records[i]
			if r.Server == server && r.OK() && (r.Write() || r.Op == protocol.OpSync) && c.Records[r.Call].At > from && r.At < to {
				out = append(out, history.Violation{Rule: "quorum", Client: c.Name, At: r.At,
					Text: fmt.Sprintf("%v %s, sent %v after the cut, was answered", r.Op, r.Path, c.Records[r.Call].At-from)})
			}
		}
	}
	return out
}

// awaitLeader waits until exactly one of the servers says that it leads, and the others that they follow or nothing.
func (f *fleet) awaitLeader(timeout time.Duration, sids ...int) (leader int) {
	f.t.Helper()
	harness.Eventually(f.t, timeout, "one leader", func() error {
		var modes []string
		leader = 0
		leaders := 0
		for _, sid := range sids {
			m, err := f.mode(sid)
			modes = append(modes, fmt.Sprintf("%d: %q %v", sid, m, err))
			if m == "leader" {
				leader = sid
				leaders++
			}
		}
		if leaders != 1 {
			return errors.New(strings.Join(modes, ", "))
		}
		return nil
	})
	return leader
}

// mode asks a server what it is, through the fleet's own network.
func (f *fleet) mode(sid int) (string, error) {
	ctx, cancel := context.WithTimeout(f.ctx, handshakeTimeout)
	defer cancel()
	conn, err := f.dial(ctx, f.servers[sid-1].Addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(answer)) {
		if m, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(m), nil
		}
	}
	return "", errors.New("does not serve")
}

// loadInNetwork starts three servers in hosts of their own, under load. It skips the test, with word in front, where there
// can be no such hosts.
func loadInNetwork(t *testing.T, word string, tick time.Duration, syncLimit int, patience time.Duration) (*network, *fleet) {
	t.Helper()
	harness.SkipShort(t)
	netns.Need(t, word)
	n := newNetwork(t, 3)
	servers := startInNetwork(t, n, tick, syncLimit)
	f := newFleet(t, servers, sessionTimeout, 2*time.Minute, n.hub.Dial)
	f.awaitLeader(patience, 1, 2, 3)
	f.startLoad(max(4, *connsFlag/4), scaled(30*time.Millisecond, 20*time.Millisecond))
	f.awaitSteps(5, patience)
	return n, f
}

// startInNetwork starts a server in each host, and returns once all of them serve. They end with the test.
func startInNetwork(t *testing.T, n *network, tick time.Duration, syncLimit int) []loadclient.Server {
	t.Helper()
	command := serverCommand(t)
	var servers []loadclient.Server
	var members bytes.Buffer
	for sid := range n.hosts {
		fmt.Fprintf(&members, "server.%d=10.99.1.%d:2888:3888\n", sid+1, sid+1)
		servers = append(servers, loadclient.Server{SID: sid + 1, Addr: fmt.Sprintf("10.99.2.%d:2181", sid+1)})
	}
	for i, host := range n.hosts {
		dir := t.TempDir()
		cfg := filepath.Join(dir, "zoo.cfg")
		text := fmt.Sprintf("tickTime=%d\ninitLimit=10\nsyncLimit=%d\ndataDir=%s\nclientPort=2181\nclientPortAddress=10.99.2.%d\n"+
			"maxClientCnxns=0\n4lw.commands.whitelist=*\nadmin.enableServer=false\n%s", tick.Milliseconds(), syncLimit, dir, i+1,
			members.Bytes())
		if err := errors.Join(os.WriteFile(cfg, []byte(text), 0o600),
			os.WriteFile(filepath.Join(dir, "myid"), fmt.Appendln(nil, i+1), 0o600)); err != nil {
			t.Fatal(err)
		}
		log, err := os.Create(filepath.Join(dir, "server.log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := command(cfg)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := host.Start(cmd); err != nil {
			t.Fatalf("start server %d: %v", i+1, err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			log.Close()
			text, _ := os.ReadFile(log.Name())
			harness.Crashed(t, fmt.Sprintf("server %d", i+1), text, false)
			if t.Failed() {
				t.Logf("end of the log of server %d:\n%s", i+1, text[max(0, len(text)-8<<10):])
			}
		})
	}
	return servers
}

// serverCommand is how to start a server with a zoo.cfg.
func serverCommand(t *testing.T) func(cfg string) *exec.Cmd {
	t.Helper()
	if oracle {
		jars := zooKeeperJars(t)
		return func(cfg string) *exec.Cmd {
			return exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
				filepath.Join(jars, "*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg)
		}
	}
	bin := harness.ZooraftBinary(t)
	return func(cfg string) *exec.Cmd { return exec.Command(bin, "server", cfg) }
}
