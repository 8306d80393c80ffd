package admin

import (
	"math"
	"net/http"
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
func NewExporter(addr string, src Source, runtime bool, log hclog.Logger) *Page {
	reg := prometheus.NewRegistry()
	reg.MustRegister(exporter{src})
	if runtime {
		reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), jvm{})
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return newPage(addr, "Starting /metrics endpoint at HTTP address %s, port %s", mux, exporterIdle, log)
}

// exporter collects ZooKeeper's figures. It describes nothing beforehand, since
// the keys of some come and go.
type exporter struct{ src Source }

func (e exporter) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e exporter) Collect(to chan<- prometheus.Metric) {
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
	m := e.src.Metrics()
	for id, n := range m.Counters() {
		for _, name := range []string{id.Name, id.Name + "_total"} {
			to <- counter(metrics.ID{Name: name, Key: id.Key}, n)
		}
	}
	for id, s := range m.Summaries() {
		to <- summaryMetric(id, s)
	}
}

func counter(id metrics.ID, n int64) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc(id.Name, id.Key), prometheus.CounterValue, float64(n), labels(id.Key)...)
}

// summaryMetric has the quantiles that ZooKeeper's provider exports: the median,
// and for those with percentiles two more.
func summaryMetric(id metrics.ID, s *metrics.Summary) prometheus.Metric {
	at := []float64{0.5}
	if id.Percentiles {
		at = append(at, 0.95, 0.99)
	}
	f := s.Figures(at...)
	quantiles := make(map[float64]float64, len(at))
	for i, q := range at {
		quantiles[q] = f.Quantiles[i]
		if f.Count == 0 {
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
