package admin

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"zooraft/zabcompat/metrics"
)

// exporterIdle ends idle connections of scrapers.
const exporterIdle = 2 * time.Minute

// NewExporter makes the page that Prometheus scrapes, /metrics: every figure of
// mntr under its name in ZooKeeper's PrometheusMetricsProvider of 3.9, counters
// also with the suffix _total that later releases give them. runtime adds those of
// the process and the Go runtime, and the few of the JVM's that alert rules look at.
// secure is for TLS, nil for plain text.
func NewExporter(addr string, src Source, runtime bool, secure Secure, log hclog.Logger) *Page {
	reg := prometheus.NewRegistry()
	reg.MustRegister(&exporter{src: src, recent: make(map[metrics.ID]*metrics.Sliding)})
	if runtime {
		reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), jvm{})
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	started := "Starting /metrics endpoint at HTTP address %s, port %s"
	if secure != nil {
		started = "Starting /metrics endpoint at HTTPS address %s, port %s"
	}
	return newPage(addr, started, mux, exporterIdle, secure, log)
}

// exporter collects ZooKeeper's figures. It describes nothing beforehand, since
// the keys of some come and go.
type exporter struct {
	src Source

	mu     sync.Mutex
	recent map[metrics.ID]*metrics.Sliding // what quantiles are of
}

func (e *exporter) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(to chan<- prometheus.Metric) {
	st := e.src.Status()
	for name, value := range gauges(&st) {
		var v float64
		switch n := value.(type) {
		case int64:
			v = float64(n)
		case float64:
			v = n
		}
		to <- prometheus.MustNewConstMetric(desc(name, ""), prometheus.GaugeValue, v)
	}
	for id, v := range quotaGauges(e.src.Quotas()) {
		to <- prometheus.MustNewConstMetric(desc(id.Name, id.Key), prometheus.GaugeValue, float64(v), labels(id.Key)...)
	}
	ownFigures(&st, to)
	m := e.src.Metrics()
	for id, n := range m.Counters() {
		for _, name := range []string{id.Name, id.Name + "_total"} {
			to <- counter(metrics.ID{Name: name, Key: id.Key}, n)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for id, s := range m.Summaries() {
		w := e.recent[id]
		if w == nil {
			w = new(metrics.Sliding)
			e.recent[id] = w
		}
		to <- summaryMetric(id, s, w, now)
	}
}

// ownFigures are of what ZooKeeper has not: Raft, and the other members as this one
// sees them.
func ownFigures(st *Status, to chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, v)
	}
	bit := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge("zooraft_serving", "1 while clients are served.", bit(st.Serving))
	gauge("zooraft_read_only", "1 while only readers are served, without a quorum.", bit(st.ReadOnly))
	gauge("zooraft_leading", "1 on the leader.", bit(st.ServerState == StateLeader))
	gauge("zooraft_leader_sid", "Server id of the leader, 0 when none is known.", float64(st.LeaderSID))
	gauge("zooraft_raft_term", "Term of Raft.", float64(st.RaftTerm))
	gauge("zooraft_raft_last_index", "Index of the last entry in the log.", float64(st.RaftLastIndex))
	gauge("zooraft_raft_commit_index", "Index of the last entry known to be committed.", float64(st.RaftCommitIndex))
	gauge("zooraft_raft_applied_index", "Index of the last entry applied.", float64(st.RaftAppliedIndex))
	gauge("zooraft_slow_syncs", "Writes of the log that took longer than fsync.warningthresholdms, since the start.", float64(st.SlowSyncs))
	gauge("zooraft_disk_room", "What the disks can take: 2 plenty, 1 little (only some writes are taken), 0 nothing.", float64(st.Room))
	free := prometheus.NewDesc("zooraft_disk_free_bytes", "Bytes free on the file system of the snapshots (data) or of the log.", []string{"dir"}, nil)
	to <- prometheus.MustNewConstMetric(free, prometheus.GaugeValue, float64(st.DataFree), "data")
	to <- prometheus.MustNewConstMetric(free, prometheus.GaugeValue, float64(st.LogFree), "log")
	connected := prometheus.NewDesc("zooraft_peer_connected", "1 while the member is connected to this one.", []string{"sid"}, nil)
	for _, p := range st.Peers {
		to <- prometheus.MustNewConstMetric(connected, prometheus.GaugeValue, bit(p.Connected), strconv.FormatInt(p.SID, 10))
	}
	build := prometheus.NewDesc("zooraft_build_info", "1, with the version as a label.", []string{"version"}, nil)
	to <- prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, st.Version)
}

func counter(id metrics.ID, n int64) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc(id.Name, id.Key), prometheus.CounterValue, float64(n), labels(id.Key)...)
}

// summaryMetric has the quantiles that ZooKeeper's provider exports: the median,
// and for those with percentiles two more: of the last ten minutes, as its client
// library has them, whereas count and sum are since the start.
func summaryMetric(id metrics.ID, s *metrics.Summary, w *metrics.Sliding, now time.Time) prometheus.Metric {
	at := []float64{0.5}
	if id.Percentiles {
		at = append(at, 0.95, 0.99)
	}
	f := s.Figures()
	recent, n := w.Quantiles(s, now, at...)
	quantiles := make(map[float64]float64, len(at))
	for i, q := range at {
		quantiles[q] = recent[i]
		if n == 0 {
			quantiles[q] = math.NaN()
		}
	}
	return prometheus.MustNewConstSummary(desc(id.Name, id.Key), uint64(f.Count), f.Avg*float64(f.Count), quantiles, labels(id.Key)...)
}

func labels(key string) []string {
	if key == "" {
		return nil
	}
	return []string{key}
}

// desc has the name for its help, as ZooKeeper's has.
func desc(name, key string) *prometheus.Desc {
	if key == "" {
		return prometheus.NewDesc(name, name, nil, nil)
	}
	return prometheus.NewDesc(name, name, []string{"key"}, nil)
}
