//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/interop/differ"
)

// pair is the oracle beside what is under test, with equal configurations.
type pair struct{ zookeeper, zooraft *target }

// roots numbers the nodes that scenarios work under.
var roots atomic.Int64

// startPair starts both. Neither keeps what it is given: the oracle need not sync its log.
func startPair(t *testing.T, c *differ.Config) *pair {
	t.Helper()
	o := harness.Options{Size: c.Size, Observers: c.Observers, TickTime: c.TickTime, Defines: c.Defines}
	// Sessions are to end when a scenario says so, not when the machine is slow; and nothing is to happen between two
	// requests that none of them asked for.
	o.Lines = append(o.Lines, "maxSessionTimeout=120000", "preAllocSize=1024", "forceSync=no")
	o.Lines = append(o.Lines, c.Lines...)
	if !strings.Contains(strings.Join(o.Defines, " "), "checkIntervalMs") {
		o.Defines = append(o.Defines, "znode.container.checkIntervalMs=3600000")
	}
	// With several threads ZooKeeper may answer a sync before it has applied what was committed before it.
	o.Defines = append(o.Defines, "zookeeper.commitProcessor.numWorkerThreads=0")
	if c.Login != "" {
		o.Defines = append(o.Defines, loginProperty+loginFile(t, c.Login))
	}
	jars := zooKeeperJars(t)
	tls := newTLSPair(t, c, &o)
	zookeeper := harness.NewZooKeeper(t, jars, tls.with(o, 0))
	zooraft := harness.NewZooraft(t, tls.with(o, 1))
	for _, e := range []*harness.Ensemble{zookeeper, zooraft} {
		for sid := 1; sid <= e.Size(); sid++ {
			e.Start(sid)
		}
	}
	p := &pair{&target{"zookeeper", zookeeper, tls.dialer(0)}, &target{"zooraft", zooraft, tls.dialer(1)}}
	for _, e := range []*harness.Ensemble{zookeeper, zooraft} {
		e.WaitServing()
		e.Leader()
	}
	// A first write, so that all have left behind whatever an election leaves.
	first, err := differ.Parse("first.txt", "== write\nconnect a\na create $/x\na close")
	if err != nil {
		t.Fatal(err)
	}
	first[0].Config = *c
	if _, err := p.play(first[0]); err != nil {
		t.Fatal(err)
	}
	return p
}

// play plays a scenario to both.
func (p *pair) play(s *differ.Scenario) (*differ.Outcome, error) {
	return differ.Both(p.zookeeper, p.zooraft, s, fmt.Sprintf("d%d", roots.Add(1)))
}

// target is an ensemble as package differ wants it.
type target struct {
	name    string
	e       *harness.Ensemble
	dialTLS func(client string) (net.Conn, error)
}

func (t *target) Name() string { return t.name }

func (t *target) Addr(server string) string { return t.e.Server(t.sid(server)).ClientAddr }

func (t *target) DialTLS(client string) (net.Conn, error) { return t.dialTLS(client) }

func (t *target) sid(server string) int {
	switch server {
	case "":
		return 1
	case "leader":
		return t.e.Leader()
	case "follower":
		leader := t.e.Leader()
		for sid := 1; sid <= t.e.Size(); sid++ {
			if sid != leader {
				return sid
			}
		}
	}
	sid, _ := strconv.Atoi(server)
	return sid
}

func (t *target) Restart() {
	for sid := 1; sid <= t.e.Size(); sid++ {
		t.e.Term(sid)
	}
	t.e.StartAll()
	t.e.Leader()
}

func (t *target) Word(server, word string) (string, error) {
	return harness.FourLetter(t.Addr(server), word)
}

// TestScripts plays every scenario of the directory scripts.
func TestScripts(t *testing.T) {
	testScripts(t, os.DirFS("."), "scripts/*.txt")
}

// TestReplay plays the scenarios of the file that ZOORAFT_REPLAY names: a difference is printed as one.
func TestReplay(t *testing.T) {
	file := os.Getenv("ZOORAFT_REPLAY")
	if file == "" {
		t.Skip("ZOORAFT_REPLAY names no script")
	}
	testScripts(t, os.DirFS(filepath.Dir(file)), filepath.Base(file))
}
