//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// TestKazoo runs kazoo_recipes.py; each of its cases is a subtest here.
func TestKazoo(t *testing.T) {
	python := filepath.Join(deps(t), kazooDir, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		lacking(t, "kazoo in "+python)
	}
	eachSize(t, func(t *testing.T, e *harness.Ensemble) {
		cmd := exec.CommandContext(withDeadline(t, 2*time.Minute), python, "-B", "kazoo_recipes.py", e.Connect())
		stdout, stderr, code := run(t, cmd)
		cases, failed, done := 0, 0, false
		var name, reason string
		report := func() {
			if name == "" {
				return
			}
			cases++
			t.Run(name, func(t *testing.T) {
				if reason != "" {
					t.Error(reason)
				}
			})
			name, reason = "", ""
		}
		for _, line := range lines(stdout) {
			switch {
			case strings.HasPrefix(line, "ok "):
				report()
				name = line[len("ok "):]
			case strings.HasPrefix(line, "not ok "):
				report()
				name, reason = line[len("not ok "):], "failed\n"
				failed++
			case strings.HasPrefix(line, "    "):
				reason += line[len("    "):] + "\n"
			case strings.HasPrefix(line, "done "):
				report()
				n, err := strconv.Atoi(line[len("done "):])
				done = err == nil && n == cases && n > 0
			default:
				t.Errorf("a line that says nothing: %q", line)
			}
		}
		report()
		if !done {
			t.Errorf("the script did not come to its end (%d cases):\n%s", cases, stderr)
		}
		if (code == 0) != (failed == 0) {
			t.Errorf("exit code %d with %d failures:\n%s", code, failed, stderr)
		}
	})
}
