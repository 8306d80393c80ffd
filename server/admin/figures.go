package admin

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"zooraft/zabcompat/metrics"
)

func srvr(src Source) string {
	st := src.Status()
	var b strings.Builder
	appendVersion(&b, &st)
	appendServer(&b, &st)
	return b.String()
}

// stat is srvr with the clients between the version and the figures.
func stat(src Source) string {
	st := src.Status()
	var b strings.Builder
	appendVersion(&b, &st)
	b.WriteString("Clients:\n")
	for _, c := range src.Connections() {
		fmt.Fprintf(&b, " %s[%d](queued=%d,recved=%d,sent=%d)\n", c.Remote, c.interest(), c.Queued, c.Received, c.Sent)
	}
	b.WriteByte('\n')
	appendServer(&b, &st)
	return b.String()
}

func appendVersion(b *strings.Builder, st *Status) {
	fmt.Fprintf(b, "Zookeeper version: %s\n", st.Version)
	if st.ReadOnly {
		b.WriteString("READ-ONLY mode; serving only read-only clients\n")
	}
}

func appendServer(b *strings.Builder, st *Status) {
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", st.LatencyMin, javaDouble(st.LatencyAvg), st.LatencyMax)
	fmt.Fprintf(b, "Received: %d\n", st.PacketsReceived)
	fmt.Fprintf(b, "Sent: %d\n", st.PacketsSent)
	fmt.Fprintf(b, "Connections: %d\n", st.Connections)
	fmt.Fprintf(b, "Outstanding: %d\n", st.Outstanding)
	fmt.Fprintf(b, "Zxid: %v\n", st.Zxid)
	fmt.Fprintf(b, "Mode: %s\n", st.ServerState)
	fmt.Fprintf(b, "Node count: %d\n", st.NodeCount)
	if st.ServerState == StateLeader {
		fmt.Fprintf(b, "Proposal sizes last/min/max: %d/%d/%d\n", st.ProposalSizeLast, st.ProposalSizeMin, st.ProposalSizeMax)
	}
}

// mntr prints one "zk_KEY<tab>VALUE" a line. What scrapers look for comes
// first: some read no more than 2 KiB. No line may hold anything but word
// characters in its key, or telegraf drops the whole answer.
func mntr(src Source) string {
	st := src.Status()
	var b strings.Builder
	for key, value := range monitor(&st, src.Quotas(), src.Metrics()) {
		if v, ok := value.(float64); ok {
			value = javaDouble(v)
		}
		fmt.Fprintf(&b, "zk_%s\t%v\n", wordOnly(key), value)
	}
	return b.String()
}

// wordOnly escapes what must not stand in a key of mntr: parts of it come from the
// names of znodes. A character becomes _0xHEX_, and so does a _ that begins what looks
// like one: no two keys fall together.
func wordOnly(key string) string {
	var b strings.Builder
	for i, r := range key {
		if r == '_' && looksEscaped(key[i+1:]) || r != '_' && !wordLetter(r) {
			fmt.Fprintf(&b, "_%#x_", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func wordLetter(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// looksEscaped says whether what stands behind a _, with its own escapes, makes one
// of it.
func looksEscaped(rest string) bool {
	digits, ok := strings.CutPrefix(rest, "0x")
	end := strings.TrimLeft(digits, "0123456789abcdef")
	if !ok || len(end) == len(digits) || end == "" {
		return false
	}
	next, _ := utf8.DecodeRuneInString(end)
	return !wordLetter(next)
}

// monitor ranges over all figures under their names in mntr without the prefix.
// Values are strings, int64 or float64.
func monitor(st *Status, quotas []Quota, m *metrics.Metrics) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if !yield("version", st.Version) || !yield("server_state", st.ServerState) {
			return
		}
		if st.PeerState != "" && !yield("peer_state", st.PeerState) {
			return
		}
		if st.ServerState == StateObserver && !yield("observer_master_id", st.LeaderSID) {
			return
		}
		for name, value := range gauges(st) {
			if !yield(name, value) {
				return
			}
		}
		for id, v := range quotaGauges(quotas) {
			if !yield(keyed(id.Key, id.Name), v) {
				return
			}
		}
		for id, n := range m.Counters() {
			if !yield(keyed(id.Key, id.Name), n) {
				return
			}
		}
		for id, s := range m.Summaries() {
			if !summary(id, s, yield) {
				return
			}
		}
	}
}

func keyed(key, name string) string {
	if key == "" {
		return name
	}
	return key + "_" + name
}

// summary yields the parts of one summary.
func summary(id metrics.ID, s *metrics.Summary, yield func(string, any) bool) bool {
	f := s.Figures(0.5, 0.95, 0.99, 0.999)
	name := keyed(id.Key, id.Name)
	ok := yield("avg_"+name, f.Avg) && yield("min_"+name, f.Min) && yield("max_"+name, f.Max) &&
		yield("cnt_"+name, f.Count) && yield("sum_"+name, f.Sum)
	if id.Percentiles {
		for i, p := range []string{"p50_", "p95_", "p99_", "p999_"} {
			ok = ok && yield(p+name, int64(f.Quantiles[i]))
		}
	}
	return ok
}

// gauges ranges over the figures that are read off a Status, int64 or float64,
// in the order of mntr.
func gauges(st *Status) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		all := []struct {
			name  string
			value any
		}{
			{"avg_latency", st.LatencyAvg},
			{"max_latency", st.LatencyMax},
			{"min_latency", st.LatencyMin},
			{"packets_received", st.PacketsReceived},
			{"packets_sent", st.PacketsSent},
			{"num_alive_connections", int64(st.Connections)},
			{"outstanding_requests", st.Outstanding},
			{"znode_count", int64(st.NodeCount)},
			{"watch_count", int64(st.WatchCount)},
			{"ephemerals_count", int64(st.EphemeralsCount)},
			{"approximate_data_size", st.ApproximateDataSize},
			{"open_file_descriptor_count", st.OpenFDs},
			{"max_file_descriptor_count", st.MaxFDs},
		}
		for _, g := range all {
			if !yield(g.name, g.value) {
				return
			}
		}
		if st.ServerState == StateLeader {
			for _, g := range []struct {
				name  string
				value int64
			}{
				{"learners", int64(st.Learners)},
				{"followers", int64(st.Learners)}, // the name up to 3.5, which metricbeat reads
				{"synced_followers", int64(st.SyncedFollowers)},
				{"synced_non_voting_followers", int64(st.SyncedNonVotingFollowers)},
				{"synced_observers", int64(st.SyncedObservers)},
				{"pending_syncs", int64(st.PendingSyncs)},
				{"leader_uptime", st.LeaderUptimeMillis},
				{"last_proposal_size", st.ProposalSizeLast},
				{"min_proposal_size", st.ProposalSizeMin},
				{"max_proposal_size", st.ProposalSizeMax},
			} {
				if !yield(g.name, g.value) {
					return
				}
			}
		}
		if st.QuorumSize > 0 && st.ServerState != StateStandalone && !st.ReadOnly && !yield("quorum_size", int64(st.QuorumSize)) {
			return
		}
		_ = yield("global_sessions", int64(st.GlobalSessions)) &&
			yield("local_sessions", int64(st.LocalSessions)) &&
			yield("connection_drop_probability", st.ConnectionDropProbability) &&
			yield("last_client_response_size", st.ResponseSizeLast) &&
			yield("max_client_response_size", st.ResponseSizeMax) &&
			yield("min_client_response_size", st.ResponseSizeMin) &&
			yield("auth_failed_count", st.AuthFailures) &&
			yield("non_mtls_remote_conn_count", st.RemoteNonMTLS) &&
			yield("non_mtls_local_conn_count", st.LocalNonMTLS) &&
			yield("outstanding_tls_handshake", st.TLSHandshakes) &&
			yield("uptime", st.UptimeMillis)
	}
}

// quotaGauges ranges over the figures of quotas.
func quotaGauges(quotas []Quota) iter.Seq2[metrics.ID, int64] {
	return func(yield func(metrics.ID, int64) bool) {
		for _, q := range quotas {
			if !yield(metrics.ID{Name: "quota_count_limit_per_namespace", Key: q.Namespace}, q.CountLimit) ||
				!yield(metrics.ID{Name: "quota_bytes_limit_per_namespace", Key: q.Namespace}, q.BytesLimit) ||
				!yield(metrics.ID{Name: "quota_count_usage_per_namespace", Key: q.Namespace}, q.Count) ||
				!yield(metrics.ID{Name: "quota_bytes_usage_per_namespace", Key: q.Namespace}, q.Bytes) {
				return
			}
		}
	}
}

// javaDouble prints a figure as ZooKeeper prints averages: up to four decimals,
// at least one.
func javaDouble(v float64) string {
	s := strconv.FormatFloat(math.Round(v*10000)/10000, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
