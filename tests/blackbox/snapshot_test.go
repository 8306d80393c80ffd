package blackbox

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zooraft/tests/harness"
)

// zooraft runs a command and returns what it printed and its exit code.
func zooraft(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaints strings.Builder
	cmd := exec.Command(zooraftBin, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

// A snapshot that a server has written can be looked at, and damage to it is found.
func TestSnapshotCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	e := harness.StartZooraft(t, harness.Options{Lines: []string{"snapCount=50"}})
	c := mustConnect(t, e.Server(1).ClientAddr)
	must(t, "create", c.create("/big", ""))
	for i := range 200 {
		must(t, "create", c.create(fmt.Sprintf("/big/n%d", i), strings.Repeat("x", 100)))
	}
	var dir string
	harness.Eventually(t, startTimeout, "a snapshot with 150 znodes", func() error {
		dirs, err := filepath.Glob(filepath.Join(e.Server(1).DataDir, "raft", "snapshots", "*-*-*[0-9]"))
		if err != nil || len(dirs) == 0 {
			return fmt.Errorf("no snapshot yet, %v", err)
		}
		dir = dirs[len(dirs)-1]
		return nil
	})
	e.Term(1)

	stdout, stderr, code := zooraft(t, "snapshot", "inspect", "--json", dir)
	var rep struct {
		Znodes, Sessions int
		Zxid             uint64
		Digest           string
		Largest          []struct {
			Path   string
			Znodes int
			Bytes  int
		} `json:"largest_subtrees"`
	}
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil || code != 0 {
		t.Fatalf("inspect: %v, exit code %d\n%s%s", err, code, stdout, stderr)
	}
	if rep.Sessions != 1 || rep.Znodes < 10 || len(rep.Largest) == 0 || rep.Largest[0].Path != "/big" ||
		rep.Largest[0].Bytes != 100*(rep.Largest[0].Znodes-1) || rep.Zxid == 0 {
		t.Errorf("inspect: %s", stdout)
	}
	if stdout, _, code := zooraft(t, "snapshot", "inspect", filepath.Join(dir, "state.bin")); code != 0 || !strings.Contains(stdout, "/big\n") || !strings.Contains(stdout, rep.Digest) {
		t.Errorf("inspect as a table: exit code %d\n%s", code, stdout)
	}
	if stdout, _, code := zooraft(t, "snapshot", "verify", dir); code != 0 || !strings.Contains(stdout, fmt.Sprintf(": whole, zxid %#x,", rep.Zxid)) {
		t.Errorf("verify: exit code %d\n%s", code, stdout)
	}

	state := filepath.Join(dir, "state.bin")
	b, err := os.ReadFile(state)
	must(t, "read", err)
	b[len(b)/2] ^= 1
	must(t, "write", os.WriteFile(state, b, 0o600))
	if stdout, stderr, code := zooraft(t, "snapshot", "verify", dir); code != 1 || stdout != "" || !strings.Contains(stderr, state) {
		t.Errorf("verify of a damaged one: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code := zooraft(t, "snapshot", "verify", filepath.Join(dir, "none")); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("verify of none: exit code %d\n%s", code, stderr)
	}
	if _, _, code := zooraft(t, "snapshot", "verify"); code != 2 {
		t.Errorf("verify without a file: exit code %d", code)
	}
}
