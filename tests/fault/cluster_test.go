package fault

import (
	"flag"
	"math/rand/v2"
	"os"
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
	harness.SkipShort(t)
	o.Size = 3
	if oracle {
		return harness.StartZooKeeper(t, zooKeeperJars(t), o)
	}
	return harness.StartZooraft(t, o)
}

func zooKeeperJars(t *testing.T) string {
	t.Helper()
	jars, err := harness.ZooKeeperJars()
	if err != nil {
		t.Fatalf("%v: run the interop tests' setup.sh first", err)
	}
	return jars
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
