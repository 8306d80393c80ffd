package blackbox

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// neighbour is a well-behaved client of a server that others abuse: it writes and reads back at an even pace, and must
// be served all the time.
type neighbour struct {
	t     *testing.T
	stop  chan struct{}
	ended chan struct{}

	// Written until ended is closed.
	calls   int
	slowest time.Duration
	err     error
}

const (
	neighbourPace = 5 * time.Millisecond
	// neighbourLimit bounds the slowest of its calls. The machine may stand still for seconds.
	neighbourLimit = 15 * time.Second
)

func startNeighbour(t *testing.T, addr string) *neighbour {
	t.Helper()
	c := mustConnect(t, addr)
	must(t, "create", c.create("/neighbour", ""))
	n := &neighbour{t: t, stop: make(chan struct{}), ended: make(chan struct{})}
	go n.run(c)
	t.Cleanup(n.end)
	return n
}

func (n *neighbour) run(c *client) {
	defer close(n.ended)
	pace := time.NewTicker(neighbourPace)
	defer pace.Stop()
	for n.err == nil {
		select {
		case <-n.stop:
			return
		case <-pace.C:
		}
		want := strconv.Itoa(n.calls)
		began := time.Now()
		err := c.set("/neighbour", want)
		between := time.Now()
		got := ""
		if err == nil {
			got, err = c.get("/neighbour")
		}
		if err == nil && got != want {
			err = fmt.Errorf("read %q after the write of %q", got, want)
		}
		n.slowest = max(n.slowest, between.Sub(began), time.Since(between))
		n.calls += 2
		n.err = err
	}
}

func (n *neighbour) end() {
	select {
	case <-n.stop:
	default:
		close(n.stop)
	}
	<-n.ended
}

// check ends the neighbour and holds what it saw against what it may see.
func (n *neighbour) check() {
	n.t.Helper()
	n.end()
	n.t.Logf("neighbour: calls=%d slowest=%v", n.calls, n.slowest.Round(10*time.Microsecond))
	if n.err != nil {
		n.t.Errorf("the neighbour was disturbed: %v", n.err)
	}
	if n.calls == 0 || n.slowest > neighbourLimit {
		n.t.Errorf("slowest of %d calls of the neighbour: got %v, want at most %v", n.calls, n.slowest, neighbourLimit)
	}
}

// connections is what a server says of its client connections, without the one that asks.
func connections(addr string) (int, error) {
	answer, err := harness.FourLetter(addr, "srvr")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^Connections: (\d+)$`).FindStringSubmatch(answer)
	if m == nil {
		return 0, fmt.Errorf("srvr: %q", answer)
	}
	n, err := strconv.Atoi(m[1])
	return n - 1, err
}

// awaitConnections waits until no more than n connections are left.
func awaitConnections(t *testing.T, addr string, n int) {
	t.Helper()
	harness.Eventually(t, startTimeout, fmt.Sprintf("no more than %d connections", n), func() error {
		if got, err := connections(addr); err != nil || got > n {
			return fmt.Errorf("%d connections, %v", got, err)
		}
		return nil
	})
}

// grown checks what a server has grown by, against a limit for a build without the race detector. With it, memory is
// several times as much.
func grown(t *testing.T, what string, before, after, limit int64) {
	t.Helper()
	t.Logf("%s: grown-by=%.1f MiB, resident=%.1f MiB, race=%v", what, mib(after-before), mib(after), racing)
	if racing {
		limit *= 6
	}
	if after-before > limit {
		t.Errorf("%s: the server has grown by %.1f MiB, want at most %.1f", what, mib(after-before), mib(limit))
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
