package blackbox

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zooraft/cmd/bench"
	"zooraft/tests/harness"
)

// The load generator and a server of the same binary: a table on standard
// output, the same as JSON in a file, and nothing left on the server.
func TestBench(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{})
	file := filepath.Join(t.TempDir(), "results.json")
	cmd := exec.Command(zooraftBin, "bench", "mixed", "--servers", e.Connect(), "--connections", "4", "--window", "2",
		"--read-share", "0.5", "--keys", "50", "--duration", "500ms", "--warmup", "100ms", "--label", "this", "--json", file,
		"--pid", strconv.Itoa(os.Getpid()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"mixed, 4 x 2", "errors      none", "throughput", "p99.9", "get", "set"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the table does not tell %q:\n%s", want, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r bench.Results
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 1 || r.Environment.Cores == 0 {
		t.Fatalf("results: %s", b)
	}
	run := r.Runs[0]
	if run.Label != "this" || run.Operations == 0 || len(run.Errors) > 0 || run.ByOperation["get"].Count == 0 || len(run.Processes) != 1 {
		t.Errorf("run: %+v", run)
	}
	if got := e.FourLetter(1, "srvr"); !strings.Contains(got, "Node count: 5\n") {
		t.Errorf("znodes are left: %s", got)
	}
}
