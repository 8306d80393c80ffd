package blackbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

const membershipTimeout = 2 * time.Minute

// With reconfigEnabled the server lines move into a file of their own, as ZooKeeper moves them, and are read from there
// at the next start. What the ensemble has agreed on counts, whatever the files say.
func TestMembershipFiles(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3, Lines: []string{"reconfigEnabled=true"}})
	var dynamic string
	for sid := 1; sid <= 3; sid++ {
		s := e.Server(sid)
		harness.Eventually(t, membershipTimeout, "the file of the membership", func() error {
			found, _ := filepath.Glob(s.Config + ".dynamic.*")
			if len(found) != 1 {
				return errors.New("not there")
			}
			dynamic = found[0]
			cfg, err := os.ReadFile(s.Config)
			if err == nil && !strings.HasSuffix(string(cfg), "\ndynamicConfigFile="+dynamic+"\n") {
				err = errors.New("not named in zoo.cfg")
			}
			return err
		})
		cfg, err := os.ReadFile(s.Config)
		must(t, "read zoo.cfg", err)
		if regexp.MustCompile(`(?m)^server\.`).Match(cfg) || !strings.Contains(string(cfg), "\nclientPort=") {
			t.Errorf("zoo.cfg of server %d:\n%s", sid, cfg)
		}
		lines, err := os.ReadFile(dynamic)
		must(t, "read the server lines", err)
		if !regexp.MustCompile(`^(server\.\d=127\.0\.0\.1:\d+:\d+:participant\n){2}server\.3=[^\n]*:participant$`).Match(lines) {
			t.Errorf("%s:\n%s", dynamic, lines)
		}
		kept, err := os.ReadFile(s.Config + ".bak")
		must(t, "read zoo.cfg.bak", err)
		if got := regexp.MustCompile(`(?m)^server\.`).FindAll(kept, -1); len(got) != 3 {
			t.Errorf("zoo.cfg.bak of server %d:\n%s", sid, kept)
		}
	}

	// A line that the ensemble knows nothing of.
	s := e.Server(3)
	f, err := os.OpenFile(dynamic, os.O_APPEND|os.O_WRONLY, 0)
	must(t, "open the server lines", err)
	_, err = f.WriteString("\nserver.4=127.0.0.1:1:2")
	must(t, "add a server line", errors.Join(err, f.Close()))
	e.Restart(3)
	harness.Eventually(t, membershipTimeout, "a warning of what differs", func() error {
		log, err := os.ReadFile(s.Log)
		if err == nil && !regexp.MustCompile(`not those of the ensemble.*-server\.4=127\.0\.0\.1:1:2:participant`).Match(log) {
			err = errors.New("not in the log")
		}
		return err
	})
	harness.Eventually(t, membershipTimeout, "the file as the ensemble has it", func() error {
		lines, err := os.ReadFile(dynamic)
		if err == nil && strings.Contains(string(lines), "server.4") {
			err = errors.New("as it was changed")
		}
		return err
	})
	e.Kill(1) // a majority of three, where one of four would be missing
	e.WaitServing(2, 3)
	c := mustConnect(t, s.ClientAddr)
	must(t, "create", c.create("/a", "1"))
}

// TestMovedByLines: without reconfig a server is moved as one of ZooKeeper's is, by its line in each zoo.cfg and a
// restart of each server, itself first. Until the others have the line it waits.
func TestMovedByLines(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	ports := testkit.Ports(t, 2)
	for sid := 1; sid <= 3; sid++ {
		s := e.Server(sid)
		cfg, err := os.ReadFile(s.Config)
		must(t, "read zoo.cfg", err)
		moved := regexp.MustCompile(`(?m)^(server\.3=127\.0\.0\.1):\d+:\d+`).ReplaceAll(cfg, fmt.Appendf(nil, "$1:%d:%d", ports[0], ports[1]))
		if bytes.Equal(moved, cfg) {
			t.Fatalf("no line of server 3 in\n%s", cfg)
		}
		must(t, "write zoo.cfg", os.WriteFile(s.Config, moved, 0o644))
	}
	e.Term(3)
	e.Start(3)
	e.Restart(1)
	e.Restart(2)
	e.WaitServing(1, 2, 3)
}
