package blackbox

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// plugin is what monitoring plugins take of the answer to mntr, and refuse whole
// for one line that they cannot read: figures by name, and the server's state.
func plugin(answer string) (figures map[string]int64, state string, err error) {
	line := regexp.MustCompile(`^zk_(\w+)\s+([\w\.\-]+)`)
	figures = make(map[string]int64)
	for text := range strings.SplitSeq(strings.TrimSuffix(answer, "\n"), "\n") {
		m := line.FindStringSubmatch(text)
		switch {
		case m == nil:
			return nil, "", fmt.Errorf("cannot read %q", text)
		case m[1] == "server_state":
			state = m[2]
			continue
		}
		if n, err := strconv.ParseInt(m[2], 10, 64); err == nil {
			figures[m[1]] = n
		}
	}
	return figures, state, nil
}

// pipe is what `echo WORD | nc HOST PORT` prints, and fails unless the server
// closes behind its answer.
func pipe(t *testing.T, addr, word string) string {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, callTimeout)
	must(t, "dial", err)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(callTimeout))
	_, err = io.WriteString(nc, word+"\n")
	must(t, "ask", errors.Join(err, nc.(*net.TCPConn).CloseWrite()))
	answer, err := io.ReadAll(nc)
	must(t, word, err)
	return string(answer)
}

// oneRead is what one read of 2 KiB brings, which is all that some plugins take.
func oneRead(t *testing.T, addr, word string) string {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, callTimeout)
	must(t, "dial", err)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(callTimeout))
	_, err = io.WriteString(nc, word)
	must(t, "ask", err)
	buf := make([]byte, 2048)
	n, err := nc.Read(buf)
	must(t, word, err)
	return string(buf[:n])
}

// Probes and plugins made for ZooKeeper find what they look for on a server of
// each kind, and on one that does not serve.
func TestProbes(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.StartZooraft(t, harness.Options{Size: 3, Observers: 1, Lines: []string{
		"admin.enableServer=true", "admin.serverPort=0",
		"metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
		"metricsProvider.httpHost=127.0.0.1", "metricsProvider.httpPort=0",
	}})
	leader := e.Leader()
	for sid, state := range map[int]string{leader: "leader", 3 - leader: "follower", 3: "observer"} {
		addr := e.Server(sid).ClientAddr
		figures, got, err := plugin(pipe(t, addr, "mntr"))
		if err != nil || got != state || len(figures) < 400 {
			t.Errorf("%s: mntr says %q and has %d figures, error %v", state, got, len(figures), err)
		}
		for _, name := range []string{"avg_latency", "max_latency", "packets_received", "num_alive_connections", "outstanding_requests", "znode_count", "watch_count", "ephemerals_count", "approximate_data_size", "open_file_descriptor_count", "max_file_descriptor_count"} {
			// ZooKeeper's average is no whole number either.
			if _, ok := figures[name]; !ok && name != "avg_latency" {
				t.Errorf("%s: mntr has no whole number for %s", state, name)
			}
		}
		if n, ok := figures["synced_followers"]; ok != (state == "leader") || ok && n != 1 {
			t.Errorf("%s: synced_followers %d, there: %t", state, n, ok)
		}
		first := oneRead(t, addr, "mntr")
		for _, key := range []string{"version", "server_state", "avg_latency", "num_alive_connections", "outstanding_requests", "znode_count", "open_file_descriptor_count"} {
			if !strings.Contains(first, "zk_"+key+"\t") {
				t.Errorf("%s: zk_%s is not in what one read brings", state, key)
			}
		}
		for word, want := range map[string]string{
			"ruok": `^imok$`, "isro": `^rw$`, "srvr": `(?m)^Mode: ` + state + `$`, "stat": `(?m)^Mode: ` + state + `$`,
			"envi": `(?m)^zookeeper\.version=`, "conf": `(?m)^serverId=` + strconv.Itoa(sid) + `$`,
		} {
			if got := pipe(t, addr, word); !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s: %s answers %q", state, word, got)
			}
		}
		if families := scrape(t, e.Server(sid)); len(families) < 240 {
			t.Errorf("%s: a scrape has %d families", state, len(families))
		}
		if code, body := fetch(t, harness.Page(t, e.Server(sid), "Started AdminServer")+"/commands/ruok"); code != http.StatusOK || !strings.Contains(string(body), `"error" : null`) {
			t.Errorf("%s: /commands/ruok: %d %s", state, code, body)
		}
	}

	// Alive, and of no use to clients: ruok does not tell, everything else does.
	e.Kill(leader)
	const refusal = "This ZooKeeper instance is not currently serving requests\n"
	for _, sid := range []int{3 - leader, 3} {
		addr := e.Server(sid).ClientAddr
		harness.Eventually(t, startTimeout, "a server that does not serve", func() error {
			if got := pipe(t, addr, "srvr"); got != refusal {
				return errors.New(got)
			}
			return nil
		})
		for word, want := range map[string]string{"ruok": "imok", "isro": "null", "mntr": refusal, "stat": refusal} {
			if got := pipe(t, addr, word); got != want {
				t.Errorf("server %d: %s answers %q, want %q", sid, word, got, want)
			}
		}
		if _, _, err := plugin(pipe(t, addr, "mntr")); err == nil {
			t.Errorf("server %d: mntr reads as if it served", sid)
		}
		scrape(t, e.Server(sid))
	}
}
