package blackbox

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// TestMajorityLost: two of three disks are gone, and with them the quorum. What the third one holds is taken from it,
// and restored into an ensemble that begins anew.
func TestMajorityLost(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := backed(t, 3)
	c := mustConnect(t, e.Server(3).ClientAddr)
	for i := range 20 {
		must(t, "create", c.create(fmt.Sprintf("/n%d", i), "x"))
	}
	for sid := 1; sid <= 3; sid++ {
		e.Kill(sid)
	}
	must(t, "lose two disks", os.RemoveAll(filepath.Join(e.Server(1).DataDir, "raft")))
	must(t, "lose two disks", os.RemoveAll(filepath.Join(e.Server(2).DataDir, "raft")))

	last := e.Server(3)
	file := filepath.Join(t.TempDir(), "state")
	stdout, stderr, code := zooraft(t, "snapshot", "extract", last.Config, file)
	if code != 0 || !strings.Contains(stdout, "znodes") {
		t.Fatalf("extract: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code := zooraft(t, "snapshot", "extract", last.Config, file); code == 0 || !strings.Contains(stderr, "file exists") {
		t.Errorf("extract to a file that is there: exit code %d\n%s", code, stderr)
	}
	if _, stderr, code := zooraft(t, "snapshot", "extract", e.Server(1).Config, file+".1"); code != 3 || !strings.Contains(stderr, e.Server(1).DataDir) {
		t.Errorf("extract from a lost disk: exit code %d\n%s", code, stderr)
	}

	must(t, "make room for a new ensemble", os.Rename(filepath.Join(last.DataDir, "raft"), filepath.Join(last.DataDir, "raft.former")))
	e.StartAll()
	e.WaitServing(1, 2, 3)
	state, err := os.ReadFile(file)
	must(t, "read what was extracted", err)
	if r, b := command(t, e.Server(1), http.MethodPost, "restore", bytes.NewReader(state)); r.StatusCode != http.StatusOK {
		t.Fatalf("restore: %s\n%s", r.Status, b)
	}
	c = mustConnect(t, e.Server(2).ClientAddr)
	for i := range 20 {
		if _, err := c.get(fmt.Sprintf("/n%d", i)); err != nil {
			t.Errorf("what was acknowledged: %v", err)
		}
	}
}

// TestAloneOnMembersDisk: the directory of a member is not taken by a server whose configuration names no others.
func TestAloneOnMembersDisk(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3})
	s := e.Server(3)
	for sid := 1; sid <= 3; sid++ {
		e.Kill(sid)
	}
	cfg := filepath.Join(t.TempDir(), "alone.cfg")
	must(t, "write a configuration", os.WriteFile(cfg, fmt.Appendf(nil, "dataDir=%s\nclientPort=%d\nadmin.enableServer=false\n", s.DataDir, testkit.Ports(t, 1)[0]), 0o644))
	stdout, stderr, code := zooraft(t, "server", cfg)
	if code != 3 || !strings.Contains(stderr, "voters are the servers 1, 2, 3") || strings.Contains(stderr, "panic") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
