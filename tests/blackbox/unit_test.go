package blackbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposure is how much systemd may find open in the unit, in tenths; a unit without any protection has 96.
const exposure = "15"

// The unit holds nothing that systemd does not know or passes over, and leaves the server little that it does not need.
func TestSystemdUnit(t *testing.T) {
	skipShort(t)
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("UNIT NOT TESTED: no systemd-analyze (package systemd)")
	}
	unit, err := os.ReadFile(filepath.Join(deployDir, "systemd", "zooraft.service"))
	must(t, "read the unit", err)
	// It must find the program.
	text := strings.Replace(string(unit), "ExecStart=/opt/zooraft/bin/zooraft ", "ExecStart="+zooraftBin+" ", 1)
	if text == string(unit) {
		t.Fatal("the unit starts another program than /opt/zooraft/bin/zooraft")
	}
	path := filepath.Join(t.TempDir(), "zooraft.service")
	must(t, "write the unit", os.WriteFile(path, []byte(text), 0o644))
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold="+exposure, path).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
