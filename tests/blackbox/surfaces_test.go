package blackbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"zooraft/protocol"
	"zooraft/tests/harness"
)

// surfaces is an ensemble with its admin servers and exporters on free ports.
func surfaces(t *testing.T, size int) *harness.Ensemble {
	t.Helper()
	return harness.StartZooraft(t, harness.Options{Size: size, Lines: []string{
		"admin.enableServer=true", "admin.serverPort=0",
		"metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
		"metricsProvider.httpHost=127.0.0.1", "metricsProvider.httpPort=0",
	}})
}

func fetch(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// scrape reads one server's metrics with Prometheus's own parser.
func scrape(t *testing.T, s *harness.Server) map[string]*dto.MetricFamily {
	t.Helper()
	status, body := fetch(t, harness.Page(t, s, "Starting /metrics endpoint")+"/metrics")
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil || status != http.StatusOK {
		t.Fatalf("server %d: status %d, %v", s.SID, status, err)
	}
	return families
}

// Each metric that the dashboard and the alert rules name is there in a scrape of a
// real ensemble.
func TestMonitoringNamesWhatIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	e := surfaces(t, 3)
	known := make(map[string]bool)
	for sid := 1; sid <= 3; sid++ {
		for name, f := range scrape(t, e.Server(sid)) {
			known[name] = true
			if f.GetType() == dto.MetricType_SUMMARY {
				known[name+"_sum"], known[name+"_count"] = true, true
			}
		}
	}
	known["up"] = true                                 // Prometheus's own
	known["quota_exceeded_error_per_namespace"] = true // there from the first refusal on

	exprs := slices.Concat(dashboardExprs(t, "../../deploy/monitoring/grafana-dashboard.json"), alertExprs(t, "../../deploy/monitoring/alerts.yaml"))
	if len(exprs) < 40 {
		t.Fatalf("only %d expressions found", len(exprs))
	}
	for _, expr := range exprs {
		for _, name := range metricNames(expr) {
			if !known[name] {
				t.Errorf("%s is in no scrape: %s", name, expr)
			}
		}
	}
}

func dashboardExprs(t *testing.T, path string) (exprs []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	return exprs
}

func alertExprs(t *testing.T, path string) (exprs []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s: incomplete rule %+v", g.Name, r)
			}
			exprs = append(exprs, r.Expr)
		}
	}
	return exprs
}

var (
	notNames = regexp.MustCompile(`"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)|\b(or|and|unless)\b`)
	nameLike = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
)

// metricNames are the names in an expression that are neither functions nor labels.
func metricNames(expr string) (names []string) {
	for _, word := range nameLike.FindAllString(notNames.ReplaceAllString(expr, " "), -1) {
		if !strings.HasSuffix(word, "(") {
			names = append(names, strings.TrimSpace(word))
		}
	}
	return names
}

// What clients do shows in the figures, on the wire and in every surface.
func TestSurfacesAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	e := surfaces(t, 3)
	leader := e.Leader()
	follower := leader%3 + 1
	c := mustConnect(t, e.Server(follower).ClientAddr)
	const writes = 20
	for i := range writes {
		must(t, "create", c.create(fmt.Sprintf("/n%d", i), "x"))
	}
	_, err := c.call(protocol.OpGetData, &protocol.PathWatchRequest{Path: "/n1", Watch: true})
	must(t, "watch", err)
	value := func(f *dto.MetricFamily) float64 {
		switch {
		case f == nil || len(f.Metric) == 0:
			return -1
		case f.GetType() == dto.MetricType_GAUGE:
			return f.Metric[0].Gauge.GetValue()
		case f.GetType() == dto.MetricType_COUNTER:
			return f.Metric[0].Counter.GetValue()
		}
		return float64(f.Metric[0].Summary.GetSampleCount())
	}
	onLeader, onFollower := scrape(t, e.Server(leader)), scrape(t, e.Server(follower))
	for name, least := range map[string]float64{
		"proposal_count": writes, "proposal_count_total": writes, "fsynctime": 1, "quorum_ack_latency": 1,
		"sync_processor_batch_size": 1, "synced_followers": 2, "quorum_size": 3, "zooraft_leading": 1,
		"commit_count": writes, "ack_latency": 1, "learner_handler_qp_time_ms": 1, "election_time": 1, "unavailable_time": 1, "leader_unavailable_time": 1, "looking_count": 1,
	} {
		if got := value(onLeader[name]); got < least {
			t.Errorf("leader: %s is %v, want %v at least", name, got, least)
		}
	}
	for name, least := range map[string]float64{
		"updatelatency": writes, "readlatency": 1, "watch_count": 1, "znode_count": 5 + writes,
		"propagation_latency": 1, "fsynctime": 1, "num_alive_connections": 1, "process_resident_memory_bytes": 1 << 20,
		"learner_commit_received_count": writes, "learner_proposal_received_count": 1, "connection_request_count": 1,
		"bytes_received_count": 1000,
	} {
		if got := value(onFollower[name]); got < least {
			t.Errorf("follower: %s is %v, want %v at least", name, got, least)
		}
	}

	// A header of 16 bytes and the path for each create, and of the read the data and
	// the Stat: what a ZooKeeper counts for the same requests.
	if got := value(onFollower["response_bytes"]); got != 10*(16+4+3)+10*(16+4+4)+16+4+1+68 {
		t.Errorf("follower: response_bytes is %v", got)
	}

	admin := harness.Page(t, e.Server(follower), "Started AdminServer")
	var monitor map[string]any
	if _, body := fetch(t, admin+"/commands/monitor"); json.Unmarshal(body, &monitor) != nil || monitor["error"] != nil ||
		monitor["server_state"] != "follower" || monitor["watch_count"] != 1.0 {
		t.Errorf("monitor: %v", monitor)
	}
	if _, body := fetch(t, admin+"/commands/system_properties"); !strings.Contains(string(body), "\"zookeeper.admin.serverPort\" : \"0\"") {
		t.Errorf("system_properties: %s", body)
	}
	for word, want := range map[string]string{
		"wchp": fmt.Sprintf("/n1\n\t0x%x\n", uint64(c.session)), "wchs": "1 connections watching 1 paths\nTotal watches:1\n",
		"cons": fmt.Sprintf("sid=0x%x,lop=GETD", uint64(c.session)), "dump": fmt.Sprintf("Global Sessions(1):\n0x%x\t", uint64(c.session)),
		"conf": "initLimit=10\nsyncLimit=5\nelectionAlg=3\n", "mntr": "zk_watch_count\t1\n", "ruok": "imok", "isro": "rw",
	} {
		if got := e.FourLetter(follower, word); !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", word, want, got)
		}
	}
	if got := e.FourLetter(leader, "dump"); !strings.Contains(got, "Session Sets (1)/(1):\n1 expire at ") {
		t.Errorf("dump of the leader:\n%s", got)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/safe-to-stop": 200} {
		if status, body := fetch(t, admin+path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}

	// Without the third server, nobody may stop.
	third := 6 - leader - follower
	e.Kill(third)
	harness.Eventually(t, startTimeout, "not safe to stop", func() error {
		if status, body := fetch(t, admin+"/safe-to-stop"); status != http.StatusServiceUnavailable || !strings.Contains(string(body), fmt.Sprintf("server %d", third)) {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if status, body := fetch(t, admin+"/readyz"); status != 200 {
		t.Errorf("/readyz with two of three: %d %s", status, body)
	}
	// Without a quorum a server is alive, not ready, and says so everywhere.
	e.Kill(leader)
	harness.Eventually(t, startTimeout, "not ready", func() error {
		if status, body := fetch(t, admin+"/readyz"); status != http.StatusServiceUnavailable {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if status, _ := fetch(t, admin+"/livez"); status != 200 {
		t.Errorf("/livez without a quorum: %d", status)
	}
	if _, body := fetch(t, admin+"/commands/stat"); !strings.Contains(string(body), "not currently serving requests") {
		t.Errorf("stat without a quorum: %s", body)
	}
	if got := value(scrape(t, e.Server(follower))["zooraft_serving"]); got != 0 {
		t.Errorf("zooraft_serving without a quorum: %v", got)
	}
}
