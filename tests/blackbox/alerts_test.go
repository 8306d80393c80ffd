package blackbox

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The alerts of deploy/monitoring ring when they should.
func TestAlerts(t *testing.T) {
	promtool := need(t, "promtool", "ALERTS NOT TESTED", "prometheus")
	if out, err := exec.Command(promtool, "test", "rules", filepath.Join(deployDir, "monitoring", "alerts_test.yaml")).CombinedOutput(); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
}
