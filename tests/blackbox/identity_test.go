package blackbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
)

const exitDataDir = 3 // ZooKeeper's exit code for a data directory that cannot be used

// A member that comes back with an empty disk has forgotten whom it voted for: it must not vote, helps to elect nobody,
// and serves again once the ensemble has taken its vote from the lost disk.
func TestBlankDiskOfAMember(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	c := mustConnect(t, e.Server(1).ClientAddr)
	must(t, "create", c.create("/a", "1"))
	settle(t, e)
	leader := e.Leader()
	victim := leader%3 + 1
	third := 6 - leader - victim
	e.Kill(victim)
	e.Kill(leader)
	s := e.Server(victim)
	must(t, "lose the disk", os.RemoveAll(s.DataDir))
	must(t, "lose the disk", os.Mkdir(s.DataDir, 0o700))
	writeMyid(t, s.DataDir, victim)
	skip := len(readLog(t, s))
	e.Start(victim)
	awaitLog(t, s, skip, "the data directory is blank")
	awaitLog(t, s, skip, fmt.Sprintf("Notification: .*n.sid:%d", third))
	if of, blank := e.Mode(third), e.Mode(victim); of != "" && of != "follower" || blank != "" {
		t.Errorf("with one member and one blank disk: %q and %q", of, blank)
	}
	e.Start(leader)
	e.WaitServing(leader, third, victim)
	c = mustResume(t, s.ClientAddr, c)
	c.mustHold(t, "/a", "1")
	// With its vote again it makes a majority with one other.
	promoted := regexp.MustCompile(fmt.Sprintf("promote.*sid=%d", victim))
	harness.Eventually(t, startTimeout, "the vote is given back", func() error {
		for sid := 1; sid <= 3; sid++ {
			if promoted.MatchString(readLog(t, e.Server(sid))) {
				return nil
			}
		}
		return errors.New("nobody has said so")
	})
	settle(t, e) // and all know
	e.Kill(third)
	harness.Eventually(t, startTimeout, "writes with the returned member's vote", func() error {
		err := c.set("/a", "2")
		if err != nil {
			if again, failed := connect(s.ClientAddr, c); failed == nil {
				c.nc.Close()
				c = again
			}
		}
		return err
	})
	c.mustHold(t, "/a", "2")
}

func writeMyid(t *testing.T, dir string, sid int) {
	t.Helper()
	must(t, "write myid", os.WriteFile(filepath.Join(dir, "myid"), []byte(strconv.Itoa(sid)+"\n"), 0o600))
}

// exchangeDisk gives a server the data directory of another one, but keeps its myid.
func exchangeDisk(t *testing.T, of, with *harness.Server) {
	t.Helper()
	must(t, "remove the data directory", os.RemoveAll(of.DataDir))
	must(t, "copy a data directory", os.CopyFS(of.DataDir, os.DirFS(with.DataDir)))
	writeMyid(t, of.DataDir, of.SID)
}

// The data directory of another server is refused, as is one of two that do not belong together.
func TestExchangedDisk(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	settle(t, e)
	killAll(t, e, 1, 2, 3)
	exchangeDisk(t, e.Server(3), e.Server(2))
	refuses(t, e.Server(3).Config, exitDataDir, regexp.QuoteMeta(e.Server(3).DataDir), "belongs to server 2, this is server 3", "Unable to access datadir")

	running := harness.StartZooraft(t, harness.Options{})
	refuses(t, running.Server(1).Config, exitDataDir, regexp.QuoteMeta(running.Server(1).DataDir), fmt.Sprintf("in use by process %d", running.PID(1)))
	if !running.Running(1) {
		t.Error("the first process has ended")
	}
}

// A server that belongs to another ensemble is refused by its peers, by name, and never serves; they do not notice.
func TestServerOfAnotherEnsemble(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	ours, others := harness.StartZooraft(t, harness.Options{Size: 3}), harness.StartZooraft(t, harness.Options{Size: 3})
	our, their := cluster(t, ours.Server(1)), cluster(t, others.Server(1))
	if our == their {
		t.Fatalf("two ensembles have the id %q", our)
	}
	c := mustConnect(t, ours.Server(1).ClientAddr)
	must(t, "create", c.create("/a", "ours"))
	settle(t, ours)
	settle(t, others)
	ours.Term(3)
	others.Term(3)
	modes := func() error {
		if got := ours.Mode(1) + ours.Mode(2); got != "leaderfollower" && got != "followerleader" {
			return fmt.Errorf("modes of the others: %s", got)
		}
		return nil
	}
	harness.Eventually(t, startTimeout, "the two that are left to lead and to follow", modes)
	c = mustResume(t, ours.Server(1).ClientAddr, c)
	exchangeDisk(t, ours.Server(3), others.Server(3))
	// As server 3 of ours by its configuration, of theirs by its disk. Membership is from its disk, too, but its peers
	// are those of zoo.cfg.
	skip1, skip2 := len(readLog(t, ours.Server(1))), len(readLog(t, ours.Server(2)))
	ours.Start(3)
	named := fmt.Sprintf("refus.*server 3 belongs to ensemble %s, this server to %s", their, our)
	awaitLog(t, ours.Server(1), skip1, named)
	awaitLog(t, ours.Server(2), skip2, named)
	awaitLog(t, ours.Server(3), 0, fmt.Sprintf("refus.*ensemble %s", our))
	for range 50 {
		must(t, "set", c.set("/a", "ours"))
		if got := ours.Mode(3); got != "" {
			t.Fatalf("the stranger serves as %s", got)
		}
	}
	must(t, "after all of it", modes())
}

// cluster is the ensemble's id, from a server's disk.
func cluster(t *testing.T, s *harness.Server) string {
	t.Helper()
	var id string
	harness.Eventually(t, startTimeout, "the ensemble's id on the disk", func() error {
		b, err := os.ReadFile(filepath.Join(s.DataDir, "raft", "identity"))
		if err != nil {
			return err
		}
		m := regexp.MustCompile(`(?m)^cluster=([0-9a-f]+)$`).FindSubmatch(b)
		if m == nil {
			return errors.New("not there yet")
		}
		id = string(m[1])
		return nil
	})
	return id
}

// A peer that speaks another version of the peers' protocol, that is no member, or no server at all, is refused with a
// line that says who and why.
func TestStrangePeer(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	c := mustConnect(t, e.Server(1).ClientAddr)
	must(t, "create", c.create("/a", "1"))
	s := e.Server(1)
	hello := func(version, sid, to int) string {
		return fmt.Sprintf(`{"version":%d,"sid":%d,"purpose":"stream","to":%d}`, version, sid, to)
	}
	for _, tt := range []struct {
		name, send, answer, line string
		port                     int
	}{
		{"other version, quorum port", handshake(hello(99, 2, 1)), "version 99", `sid=2.*version 99 of the peer protocol, this server speaks \d+`, s.QuorumPort},
		{"other version, election port", handshake(hello(98, 3, 1)), "version 98", `version 98 of the peer protocol`, s.ElectionPort},
		{"no server id", handshake(hello(1, 900, 1)), "no server id", `sid=900.*900 is no server id`, s.QuorumPort},
		{"an id in use", handshake(hello(1, 2, 1)), "another process", `sid=2.*another process is connected as server 2`, s.QuorumPort},
		{"another is meant", handshake(hello(1, 2, 3)), "this is server 1, not 3", `this is server 1, not 3`, s.QuorumPort},
		{"no server, quorum port", "GET / HTTP/1.1\r\n\r\n", "", `not a zooraft server.*GET / HT`, s.QuorumPort},
		{"no server, election port", "GET / HTTP/1.0\r\n\r\n", "", `not a zooraft server`, s.ElectionPort},
		{"handshake without end", handshakeLead + "\xff\xff\xff\xff", "", `handshake of 4294967295 bytes`, s.QuorumPort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			skip := len(readLog(t, s))
			nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(tt.port)))
			must(t, "dial", err)
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(callTimeout))
			_, err = io.WriteString(nc, tt.send)
			must(t, "write", err)
			answer, err := io.ReadAll(nc)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("read to the end of the connection: %v", err)
			}
			if tt.answer == "" && len(answer) > 0 {
				t.Errorf("answer to no handshake: %q", answer)
			}
			if tt.answer != "" {
				if refusal := welcome(t, answer); !strings.Contains(refusal, tt.answer) {
					t.Errorf("refusal %q does not say %q", refusal, tt.answer)
				}
			}
			awaitLog(t, s, skip, `\[WARN\].*refus.*`+tt.line)
		})
	}
	c.mustHold(t, "/a", "1")
}

const handshakeLead = "ZOORAFT\n"

func handshake(body string) string {
	return handshakeLead + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
}

// welcome takes the refusal out of the answer to a handshake.
func welcome(t *testing.T, b []byte) string {
	t.Helper()
	body, ok := strings.CutPrefix(string(b), handshakeLead)
	if !ok || len(body) < 4 || int(binary.BigEndian.Uint32([]byte(body))) != len(body)-4 {
		t.Fatalf("answer to the handshake: %q", b)
	}
	var w struct {
		SID     int    `json:"sid"`
		Version int    `json:"version"`
		Refusal string `json:"refusal"`
	}
	if err := json.Unmarshal([]byte(body[4:]), &w); err != nil || w.SID != 1 || w.Version == 0 {
		t.Fatalf("answer to the handshake: %q, %v", b, err)
	}
	return w.Refusal
}
