package admin

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"

	"github.com/prometheus/client_golang/prometheus"
)

// jvm gives the figures of the JVM that stock alert rules look at a counterpart:
// the heap in use and its limit, and the number of goroutines for that of threads.
type jvm struct{}

var (
	jvmUsed    = prometheus.NewDesc("jvm_memory_bytes_used", "Bytes of live and not yet swept heap objects.", []string{"area"}, nil)
	jvmMax     = prometheus.NewDesc("jvm_memory_bytes_max", "The memory limit (GOMEMLIMIT), -1 for none.", []string{"area"}, nil)
	jvmThreads = prometheus.NewDesc("jvm_threads_current", "Goroutines.", nil, nil)
)

// Describe implements prometheus.Collector.
func (jvm) Describe(to chan<- *prometheus.Desc) {
	to <- jvmUsed
	to <- jvmMax
	to <- jvmThreads
}

// Collect implements prometheus.Collector.
func (jvm) Collect(to chan<- prometheus.Metric) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	limit := float64(debug.SetMemoryLimit(-1)) // asks only
	if limit >= math.MaxInt64 {
		limit = -1
	}
	to <- prometheus.MustNewConstMetric(jvmUsed, prometheus.GaugeValue, float64(sample[0].Value.Uint64()), "heap")
	to <- prometheus.MustNewConstMetric(jvmMax, prometheus.GaugeValue, limit, "heap")
	to <- prometheus.MustNewConstMetric(jvmThreads, prometheus.GaugeValue, float64(runtime.NumGoroutine()))
}
