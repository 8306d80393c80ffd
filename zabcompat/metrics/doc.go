// Package metrics holds the figures that ZooKeeper servers export, under the
// names that dashboards and alert rules know ("ZooKeeper Monitor Guide" and
// org.apache.zookeeper.server.ServerMetrics of 3.9), and the kinds of figures
// they are: counters, and summaries with and without percentiles.
//
// It leaves to others who records what, and how the figures are shown: mntr and
// the Prometheus exporter render what [Metrics.Counters] and [Metrics.Summaries]
// give them. Gauges are not here, since they are read off a server when asked.
//
// Recording takes no lock and allocates nothing once a summary has been used; a
// nil *Metrics is not allowed, for a test that does not look just makes one.
package metrics
