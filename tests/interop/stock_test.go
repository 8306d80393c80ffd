//go:build interop

package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// The versions that setup.sh installs; the directories are named after them.
const (
	kazooDir    = "kazoo-2.11.0"
	curatorDir  = "curator-5.9.0"
	kafkaDir    = "kafka-3.9.1"
	ownTestsDir = "zookeeper-tests-3.9.5"
)

// clientTimeout bounds a single run of a client program. It is far above what one takes, for a loaded machine.
const clientTimeout = 3 * time.Minute

// eachSize runs test against a lone server and against an ensemble of three, each freshly started.
func eachSize(t *testing.T, test func(t *testing.T, e *harness.Ensemble)) {
	for _, size := range []struct {
		name string
		n    int
	}{{"one", 1}, {"three", 3}} {
		t.Run(size.name, func(t *testing.T) { test(t, start(t, size.n)) })
	}
}

// start starts n servers of the kind under test, or of ZooKeeper with ZOORAFT_ORACLE=1.
func start(t *testing.T, n int) *harness.Ensemble {
	t.Helper()
	return startWith(t, harness.Options{Size: n})
}

// startWith is start for those who need more than a number.
func startWith(t *testing.T, o harness.Options) *harness.Ensemble {
	t.Helper()
	if os.Getenv("ZOORAFT_ORACLE") == "1" {
		return harness.StartZooKeeper(t, zooKeeperJars(t), o)
	}
	return harness.StartZooraft(t, o)
}

// deps is the directory that setup.sh fills, by the same rule.
func deps(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("ZOORAFT_INTEROP_DEPS"); dir != "" {
		return dir
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "zooraft-interop")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, ".cache", "zooraft-interop")
}

// onlyFull skips a test that is not for each run, unless ZOORAFT_INTEROP=full asks for all.
func onlyFull(t *testing.T) {
	t.Helper()
	if os.Getenv("ZOORAFT_INTEROP") != "full" {
		t.Skip("runs with ZOORAFT_INTEROP=full")
	}
}

// lacking ends a test whose tool is not there.
func lacking(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("MISSING: %s; tests/interop/setup.sh installs it", tool)
	}
	t.Skipf("MISSING: %s; tests/interop/setup.sh installs it", tool)
}

func zooKeeperJars(t *testing.T) string {
	t.Helper()
	jars, err := harness.ZooKeeperJars()
	if err != nil {
		lacking(t, err.Error())
	}
	return jars
}

func java(t *testing.T) string {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		lacking(t, "java")
	}
	return java
}

// withDeadline is a context that ends a client program before it can hold up the tests.
func withDeadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
