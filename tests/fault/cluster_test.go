package fault

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"zooraft/tests/fault/loadclient"
	"zooraft/tests/harness"
)

var (
	full   = os.Getenv("ZOORAFT_FAULT_FULL") == "1"
	oracle = os.Getenv("ZOORAFT_ORACLE") == "1"

	roundsFlag = flag.Int("rounds", 0, "rounds of TestKillLeader (default 3, or 50 in full)")
	connsFlag  = flag.Int("conns", 32, "client connections per server")
)

// scaled is one of two sizes: of a run beside the other tests, or in full.
func scaled[T any](short, long T) T {
	if full {
		return long
	}
	return short
}

// startServers starts an ensemble of three: Zooraft, or the stock ZooKeeper when that is to be the oracle.
func startServers(t *testing.T, o harness.Options) *harness.Ensemble {
	t.Helper()
	skipShort(t)
	o.Size = 3
	if oracle {
		return harness.StartZooKeeper(t, zooKeeperJars(t), o)
	}
	return harness.StartZooraft(t, o)
}

func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers and takes seconds")
	}
}

// zooKeeperJars is the directory of the stock server that the interop tests have set up.
func zooKeeperJars(t *testing.T) string {
	t.Helper()
	deps := os.Getenv("ZOORAFT_INTEROP_DEPS")
	if deps == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		deps = filepath.Join(cache, "zooraft-interop")
	}
	found, _ := filepath.Glob(filepath.Join(deps, "zookeeper-*", ".complete"))
	if len(found) == 0 {
		t.Fatalf("no stock ZooKeeper in %s: run the interop tests' setup.sh first", deps)
	}
	return filepath.Dir(found[len(found)-1])
}

// addresses are the servers of an ensemble as the load client wants them.
func addresses(e *harness.Ensemble) []loadclient.Server {
	var out []loadclient.Server
	for i, addr := range e.ClientAddrs() {
		out = append(out, loadclient.Server{SID: i + 1, Addr: addr})
	}
	return out
}

// others are all sids but one.
func others(sid int) []int {
	var out []int
	for s := 1; s <= 3; s++ {
		if s != sid {
			out = append(out, s)
		}
	}
	return out
}

func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("ZOORAFT_FAULT_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ZOORAFT_FAULT_SEED: %v", err)
		}
	}
	t.Logf("seed: ZOORAFT_FAULT_SEED=%d", s)
	return s
}

// hold lets a fault last for d. It awaits nothing: the length of the fault is what is tested.
func hold(d time.Duration) { <-time.After(d) }
