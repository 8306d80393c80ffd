package blackbox

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"testing"

	"zooraft/tests/harness"
)

// Set by TestMain before any test runs.
var (
	zooraftBin string // the program under test, an absolute path
	racing     bool   // it was built with the race detector: slower, and several times larger
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run finds or builds the binary, the one that package harness starts.
func run(m *testing.M) int {
	if testing.Short() {
		return m.Run()
	}
	// The servers inherit this. A race-built process that ends waits a second for its reports, and the time that a
	// server takes to end is tested.
	for key, value := range map[string]string{"GORACE": "atexit_sleep_ms=0", "JVMFLAGS": "", "SERVER_JVMFLAGS": ""} {
		os.Setenv(key, value)
	}
	var err error
	if zooraftBin, err = harness.FindZooraft(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	info, err := buildinfo.ReadFile(zooraftBin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "read the build of ZOORAFT_BIN:", err)
		return 1
	}
	for _, s := range info.Settings {
		racing = racing || s.Key == "-race" && s.Value == "true"
	}
	return m.Run()
}
