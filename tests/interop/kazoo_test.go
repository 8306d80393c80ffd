//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
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
		runCases(t, exec.CommandContext(withDeadline(t, 10*time.Minute), python, "-B", "kazoo_recipes.py", e.Connect()), nil)
	})
}
