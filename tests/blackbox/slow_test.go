package blackbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// slowRequest is what the command slow_requests shows, as far as it is tested.
type slowRequest struct {
	Op        string `json:"operation"`
	Path      string `json:"path"`
	Total     int64  `json:"total"`
	Queue     int64  `json:"queue"`
	Fsync     int64  `json:"fsync"`
	Replicate int64  `json:"replicate"`
	Sync      int64  `json:"sync"`
	Apply     int64  `json:"apply"`
}

func askSlow(t *testing.T, s *harness.Server) []slowRequest {
	t.Helper()
	code, body := fetch(t, harness.Page(t, s, "Started AdminServer")+"/commands/slow")
	var got struct {
		SlowRequests []slowRequest `json:"slow_requests"`
	}
	if err := json.Unmarshal(body, &got); err != nil || code != http.StatusOK {
		t.Fatalf("slow: %d, %v\n%s", code, err, body)
	}
	return got.SlowRequests
}

// Where the time of a slow request is shown to have gone is where it went: the followers are frozen for a moment under a
// write of the leader's client, and then the leader under one of a follower's. Too short for an election, both; where the
// machine stands still meanwhile the figures are its own, so that they have to be right once of some runs.
func TestSlowRequestsAreDivided(t *testing.T) {
	harness.SkipShort(t)
	const runs = 10
	e := harness.StartZooraft(t, harness.Options{Size: 3, Lines: []string{
		"admin.enableServer=true", "admin.serverPort=0", "slowRequest.thresholdMs=200",
	}})
	var quick time.Duration // what the requests took that nothing held up, the slowest of them
	for run := 1; ; run++ {
		leader := e.Leader()
		c := mustConnect(t, e.Server(leader).ClientAddr)
		began := time.Now()
		must(t, "create", c.create(fmt.Sprintf("/quick-%d", run), ""))
		quick = max(quick, time.Since(began))
		err := divided(t, e, leader, c, run)
		if err == nil {
			namesSlow(t, e.Server(leader).Log, run, c.xid, quick)
			return
		}
		if run == runs {
			t.Fatal(err)
		}
		t.Logf("run %d: %v", run, err)
	}
}

// divided makes three slow requests, the first by a client of the leader's, and says what is wrong with the figures.
func divided(t *testing.T, e *harness.Ensemble, leader int, c *client, run int) error {
	const frozen = 300 * time.Millisecond
	var followers []int
	for sid := 1; sid <= 3; sid++ {
		if sid != leader {
			followers = append(followers, sid)
		}
	}
	d := mustConnect(t, e.Server(followers[0]).ClientAddr)
	// during returns what a request took on top of the time that servers were frozen for, as its client saw it.
	during := func(sids []int, do func() error) time.Duration {
		t.Helper()
		for _, sid := range sids {
			e.Stop(sid)
		}
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- do() }()
		time.Sleep(frozen)
		for _, sid := range sids {
			e.Cont(sid)
		}
		thawed := time.Since(began)
		must(t, "a request under way", <-done)
		return time.Since(began) - thawed
	}
	check := func(sid int, path, op string, rest time.Duration, part func(r slowRequest) int64) error {
		for _, r := range askSlow(t, e.Server(sid)) {
			if r.Path != path || r.Op != op {
				continue
			}
			if sum := r.Queue + r.Fsync + r.Replicate + r.Sync + r.Apply; sum > r.Total || sum < r.Total-5 {
				return fmt.Errorf("the parts of %+v are %d ms in all", r, sum)
			}
			if part(r) < 200 || r.Total-part(r) > 100+rest.Milliseconds() {
				return fmt.Errorf("server %d: %+v, of which %v were after the thaw", sid, r, rest)
			}
			return nil
		}
		return fmt.Errorf("server %d: nothing of %s %s: %+v", sid, op, path, askSlow(t, e.Server(sid)))
	}

	under, over := fmt.Sprintf("/followers-frozen-%d", run), fmt.Sprintf("/leader-frozen-%d", run)
	rest := during(followers, func() error { return c.create(under, "") })
	first := check(leader, under, "create", rest, func(r slowRequest) int64 { return r.Replicate })
	rest = during([]int{leader}, func() error { return d.create(over, "") })
	second := check(followers[0], over, "create", rest, func(r slowRequest) int64 { return r.Queue })
	rest = during([]int{leader}, func() error {
		_, err := d.call(protocol.OpSync, &protocol.SyncRequest{Path: over})
		return err
	})
	return errors.Join(first, second, check(followers[0], over, "sync", rest, func(r slowRequest) int64 { return r.Sync }))
}

// namesSlow looks for the line about the first slow request of a run in a leader's log; xid is that of the last request of
// its client.
func namesSlow(t *testing.T, path string, run int, xid int32, quick time.Duration) {
	t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`slow request: session=0x[0-9a-f]+ client=/127\.0\.0\.1:\d+ xid=(\d+) op=create path=/followers-frozen-%d zxid=0x[0-9a-f]+ total-ms=(\d+) queue-ms=\d+ fsync-ms=\d+ replicate-ms=(\d+) sync-ms=0 apply-ms=\d+\n`, run))
	harness.Eventually(t, startTimeout, "a line about the first", func() error {
		log, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m := line.FindSubmatch(log)
		if m == nil {
			return errors.New("not there yet")
		}
		if got, _ := strconv.Atoi(string(m[1])); int32(got) != xid {
			t.Errorf("%s: the last xid is %d", m[0], xid)
		}
		t.Logf("%s", m[0])
		return nil
	})
	if log, _ := os.ReadFile(path); quick < 200*time.Millisecond && regexp.MustCompile(`slow request: .*path=/quick-`).Match(log) {
		t.Error("a quick request is called slow")
	}
}
