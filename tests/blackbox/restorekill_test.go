package blackbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// fill creates so many znodes of so many bytes without waiting for each.
func (c *client) fill(t *testing.T, path string, count, size int) {
	t.Helper()
	c.nc.SetDeadline(time.Now().Add(2 * time.Minute))
	defer c.nc.SetDeadline(time.Time{})
	sent := make(chan error, 1)
	data := []byte(strings.Repeat("x", size))
	go func() {
		for i := range count {
			q := protocol.CreateRequest{Path: fmt.Sprintf("%s/n%d", path, i), Data: data, ACL: protocol.OpenACL}
			if _, err := c.nc.Write(request(int32(i+1000), protocol.OpCreate, &q)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for range count {
		h, _, err := c.receive()
		if must(t, "create", err); h.Err != protocol.ErrOK {
			t.Fatalf("create: %v", h.Err)
		}
	}
	must(t, "send", <-sent)
}

// lines counts how often a text stands in a server's log.
func lines(t *testing.T, s *harness.Server, text string) int {
	t.Helper()
	b, err := os.ReadFile(s.Log)
	must(t, "read log", err)
	return bytes.Count(b, []byte(text))
}

// A restore during which a server is killed has come about everywhere or nowhere, and
// can be tried again.
func TestRestoreKill(t *testing.T) {
	harness.SkipShort(t)
	e := backed(t, 3)
	c := mustConnect(t, e.Server(e.Leader()).ClientAddr)
	must(t, "create", c.create("/big", ""))
	c.fill(t, "/big", 60_000, 700)
	snapshot := backup(t, e.Server(1))
	whole := digest(t, e.Server(1), c.zxid)
	must(t, "create", c.create("/mark", "0"))
	c.nc.Close()

	for round, test := range []struct {
		name   string
		victim func(leader, through int) int
	}{
		{"the leader", func(leader, _ int) int { return leader }},
		{"the server that is restored through", func(_, through int) int { return through }},
		{"another follower", func(leader, through int) int { return 6 - leader - through }},
	} {
		leader := e.Leader()
		through := leader%3 + 1
		victim := test.victim(leader, through)
		s := e.Server(through)
		w := mustConnect(t, e.Server(leader).ClientAddr)
		if _, err := w.get("/mark"); err != nil {
			must(t, "create", w.create("/mark", ""))
		}
		must(t, "set", w.set("/mark", fmt.Sprint(round)))
		w.nc.Close()
		seen := lines(t, s, "restoring a snapshot for the ensemble")

		type outcome struct {
			status int
			r      restored
		}
		page := harness.Page(t, s, "Started AdminServer")
		done := make(chan outcome, 1)
		go func() {
			var o outcome
			q, err := http.NewRequest(http.MethodPost, page+"/commands/restore", bytes.NewReader(snapshot))
			if err == nil {
				q.Header.Set("Authorization", "ip")
				var resp *http.Response
				if resp, err = http.DefaultClient.Do(q); err == nil {
					o.status = resp.StatusCode
					var b []byte
					b, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					if err == nil {
						err = json.Unmarshal(b, &o.r)
					}
				}
			}
			if err != nil {
				o.status = 0
			}
			done <- o
		}()
		harness.Eventually(t, startTimeout, "the snapshot is on its way", func() error {
			if lines(t, s, "restoring a snapshot for the ensemble") == seen {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		e.Kill(victim)
		o := <-done
		e.Start(victim)
		e.WaitServing(victim)
		// Behind what a new session has to write, all is applied that was under way.
		w = mustConnect(t, e.Server(e.Leader()).ClientAddr)
		must(t, "create", w.create("/after", ""))
		state := digest(t, e.Server(1), w.zxid)
		for sid := 2; sid <= 3; sid++ {
			if got := digest(t, e.Server(sid), w.zxid); got != state {
				t.Errorf("%s is killed: server %d has another state than server 1", test.name, sid)
			}
		}
		_, err := w.get("/mark")
		replaced := err == protocol.ErrNoNode
		t.Logf("%s is killed: status %d, replaced %v", test.name, o.status, replaced)
		switch o.status {
		case http.StatusOK:
			if !replaced {
				t.Errorf("%s is killed: restored, and /mark is there", test.name)
			}
		case 0, http.StatusInternalServerError: // nobody has heard how it ended
		default:
			if replaced {
				t.Errorf("%s is killed: status %d, and the state is another", test.name, o.status)
			}
		}
		must(t, "delete", w.delete("/after"))
		if !replaced {
			w.mustHold(t, "/mark", fmt.Sprint(round))
		}
		w.nc.Close()

		status, r := putBack(t, e.Server(e.Leader()), snapshot)
		if status != http.StatusOK {
			t.Fatalf("again after %s was killed: %d, %v", test.name, status, r.Error)
		}
		for sid := 1; sid <= 3; sid++ {
			if got := digest(t, e.Server(sid), r.LastZxid); got != whole {
				t.Errorf("again after %s was killed: server %d: digest %x, want %x", test.name, sid, got, whole)
			}
		}
	}
}

func (c *client) delete(path string) error {
	_, err := c.call(protocol.OpDelete, &protocol.DeleteRequest{Path: path, Version: -1})
	return err
}
