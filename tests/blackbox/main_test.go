package blackbox

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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

// run finds or builds the binary. Package harness takes it from ZOORAFT_BIN, so that all servers are of the same build.
func run(m *testing.M) int {
	if testing.Short() {
		return m.Run()
	}
	// The servers inherit this. A race-built process that ends waits a second for its reports, and the time that a
	// server takes to end is tested.
	for key, value := range map[string]string{"GORACE": "atexit_sleep_ms=0", "JVMFLAGS": "", "SERVER_JVMFLAGS": ""} {
		os.Setenv(key, value)
	}
	zooraftBin = os.Getenv("ZOORAFT_BIN")
	if zooraftBin == "" {
		dir, err := os.MkdirTemp("", "zooraft-blackbox-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		zooraftBin = filepath.Join(dir, "zooraft")
		if err := build(zooraftBin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	path, err := filepath.Abs(zooraftBin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	zooraftBin = path
	os.Setenv("ZOORAFT_BIN", zooraftBin)
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

func build(path string) error {
	args := []string{"build", "-o", path}
	if os.Getenv("ZOORAFT_RACE") != "0" {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "zooraft/cmd/zooraft")...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s(ZOORAFT_RACE=0 builds without the race detector)", err, out)
	}
	return nil
}

// skipShort is called first by every test of this package.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers and takes seconds")
	}
}
