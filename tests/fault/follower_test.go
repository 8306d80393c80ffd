package fault

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/harness"
)

// How a server's log says that it has written a snapshot, and so has cut its log; and that it has taken its state from
// the leader as a snapshot. The wire shows neither.
var (
	snapshotWritten   = regexp.MustCompile(`snapshot complete up to`)
	snapshotInstalled = regexp.MustCompile(`(?i)installed remote snapshot|getting a snapshot from leader`)
)

// TestFollowerAway keeps a follower down until the log that it needs is gone. It must come back by a snapshot, and hold
// the same data; the clients of the others notice nothing.
func TestFollowerAway(t *testing.T) {
	stores := scaled([]string{"wal"}, []string{"wal", "boltdb"})
	if oracle {
		stores = []string{"of the oracle"}
	}
	for _, store := range stores {
		t.Run(store, func(t *testing.T) { followerAway(t, store) })
	}
}

func followerAway(t *testing.T, store string) {
	const snapCount = 200
	lines := []string{fmt.Sprintf("snapCount=%d", snapCount)}
	if !oracle {
		lines = append(lines, "raft.logStore="+store)
	}
	e := startServers(t, harness.Options{Lines: lines})
	f := newFleet(t, addresses(e), sessionTimeout, 10*time.Minute, nil)
	f.startLoad(*connsFlag, writePeriod())
	f.awaitSteps(3, 30*time.Second)
	leader := e.Leader()
	follower := others(leader)[0]
	from := f.clock()
	e.Kill(follower)
	want := f.writes() + scaled[int64](10, 200)*snapCount
	f.dropBallast(leader)
	harness.Eventually(t, 5*time.Minute, "enough is written", func() error {
		if got := f.writes(); got < want {
			return fmt.Errorf("%d of %d writes", got, want)
		}
		return nil
	})
	if !oracle { // whose log on disk does not end at a snapshot
		size := logSize(t, e.Server(leader).Log)
		harness.Eventually(t, time.Minute, "the leader cuts its log at a snapshot", func() error {
			if !snapshotWritten.Match(logFrom(t, e.Server(leader).Log, size)) {
				return errors.New("its log tells of none")
			}
			return nil
		})
	}
	size := logSize(t, e.Server(follower).Log)
	written := f.writes()
	back := f.clock()
	e.Start(follower)
	e.WaitServing(follower)
	serving := f.clock()
	f.goHome()
	f.awaitSteps(3, 30*time.Second)
	to := f.clock()
	h := f.history()
	f.checkSurvivors(h, from, to, others(follower))
	p := history.LongestPause(h, from-ackSpacing, to, others(follower))
	snapshot := snapshotInstalled.Match(logFrom(t, e.Server(follower).Log, size))
	t.Logf("follower away: down=%v writes-by-then=%d back-serving=%v pause-of-others=%v snapshot=%v",
		(back - from).Round(time.Millisecond), written, (serving - back).Round(time.Millisecond),
		p.Gap.Round(time.Millisecond), snapshot)
	if !oracle && !snapshot {
		t.Errorf("server %d came back without a snapshot from the leader, or its log does not say so: nothing was tested",
			follower)
	}
	f.checkPause("longest pause", p.Gap, scaled(3*time.Second, time.Second))
	f.verify(loadExpiry)
}

// dropBallast fills more than a segment of raft-wal, which is 64 MiB: it hands out what was deleted for as long as that
// stands in the segment being written. The tree stays small.
func (f *fleet) dropBallast(sid int) {
	f.t.Helper()
	const path, size, count = root + "/ballast", 256 << 10, 320
	c := f.client("ballast", f.timeout)
	f.connect(c, sid, 30*time.Second)
	f.must(c.Create(path, "", protocol.CreateModePersistent))
	value := strings.Repeat("ballast.", size/8)
	for range count {
		f.must(c.SetData(path, value, -1))
	}
	f.must(c.CloseSession())
}

func logFrom(t *testing.T, name string, size int64) []byte {
	t.Helper()
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return log[size:]
}

func logSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
