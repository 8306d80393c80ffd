package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// ZooKeeperJars is the directory with the jars of the stock ZooKeeper that tests/interop/setup.sh has installed.
func ZooKeeperJars() (string, error) {
	deps := os.Getenv("ZOORAFT_INTEROP_DEPS")
	if deps == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		deps = filepath.Join(cache, "zooraft-interop")
	}
	jars := filepath.Join(deps, "zookeeper-3.9.5")
	if _, err := os.Stat(filepath.Join(jars, ".complete")); err != nil {
		return "", fmt.Errorf("ZooKeeper's jars: %w", err)
	}
	return jars, nil
}

// SkipShort is called first by tests that start servers.
func SkipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers and takes seconds")
	}
}
