package blackbox

import (
	"encoding/json"
	"errors"
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
	code, body := fetch(t, page(t, s, "Started AdminServer")+"/commands/slow")
	var got struct {
		SlowRequests []slowRequest `json:"slow_requests"`
	}
	if err := json.Unmarshal(body, &got); err != nil || code != http.StatusOK {
		t.Fatalf("slow: %d, %v\n%s", code, err, body)
	}
	return got.SlowRequests
}

// Where the time of a slow request is shown to have gone is where it went: the followers are frozen for a moment under a
// write of the leader's client, and then the leader under one of a follower's. Too short for an election, both.
func TestSlowRequestsAreDivided(t *testing.T) {
	skipShort(t)
	const frozen, slow = 300 * time.Millisecond, 200 * time.Millisecond
	e := harness.StartZooraft(t, harness.Options{Size: 3, Lines: []string{
		"admin.enableServer=true", "admin.serverPort=0", "slowRequest.thresholdMs=200",
	}})
	leader := e.Leader()
	var followers []int
	for sid := 1; sid <= 3; sid++ {
		if sid != leader {
			followers = append(followers, sid)
		}
	}
	c := mustConnect(t, e.Server(leader).ClientAddr)
	d := mustConnect(t, e.Server(followers[0]).ClientAddr)
	began := time.Now()
	must(t, "create", c.create("/quick", ""))
	quick := time.Since(began)

	var rest time.Duration // what the last request took on top of the time that servers were frozen for, as its client saw it
	during := func(sids []int, do func() error) {
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
		rest = -time.Since(began)
		must(t, "a request under way", <-done)
		rest += time.Since(began)
	}
	check := func(sid int, path, op string, part func(r slowRequest) int64) {
		t.Helper()
		for _, r := range askSlow(t, e.Server(sid)) {
			if r.Path != path || r.Op != op {
				continue
			}
			if sum := r.Queue + r.Fsync + r.Replicate + r.Sync + r.Apply; sum > r.Total || sum < r.Total-5 {
				t.Errorf("the parts of %+v are %d ms in all", r, sum)
			}
			if part(r) < 200 || r.Total-part(r) > 100+rest.Milliseconds() {
				t.Errorf("server %d: %+v, of which %v were after the thaw", sid, r, rest)
			}
			return
		}
		t.Errorf("server %d: nothing of %s %s: %+v", sid, op, path, askSlow(t, e.Server(sid)))
	}

	during(followers, func() error { return c.create("/followers-frozen", "") })
	check(leader, "/followers-frozen", "create", func(r slowRequest) int64 { return r.Replicate })
	during([]int{leader}, func() error { return d.create("/leader-frozen", "") })
	check(followers[0], "/leader-frozen", "create", func(r slowRequest) int64 { return r.Queue })
	during([]int{leader}, func() error {
		_, err := d.call(protocol.OpSync, &protocol.SyncRequest{Path: "/leader-frozen"})
		return err
	})
	check(followers[0], "/leader-frozen", "sync", func(r slowRequest) int64 { return r.Sync })

	line := regexp.MustCompile(`slow request: session=0x[0-9a-f]+ client=/127\.0\.0\.1:\d+ xid=(\d+) op=create path=/followers-frozen zxid=0x[0-9a-f]+ total-ms=(\d+) queue-ms=\d+ fsync-ms=\d+ replicate-ms=(\d+) sync-ms=0 apply-ms=\d+\n`)
	harness.Eventually(t, 10*time.Second, "a line about the first", func() error {
		log, err := os.ReadFile(e.Server(leader).Log)
		if err != nil {
			return err
		}
		m := line.FindSubmatch(log)
		if m == nil {
			return errors.New("not there yet")
		}
		if xid, _ := strconv.Atoi(string(m[1])); int32(xid) != c.xid {
			t.Errorf("%s: the last xid is %d", m[0], c.xid)
		}
		t.Logf("%s", m[0])
		return nil
	})
	if log, _ := os.ReadFile(e.Server(leader).Log); quick < slow && regexp.MustCompile(`slow request: .*path=/quick `).Match(log) {
		t.Error("a quick request is called slow")
	}
}
