package admin

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// command is one of the AdminServer's (org.apache.zookeeper.server.admin.Commands).
// The first of its names is the one that is shown.
type command struct {
	names    []string
	unserved bool // answered while the server is not serving
	run      func(src Source, args url.Values) (object, error)
}

// commands are those whose answer is a JSON object. Those that stream are in backup.go.
var commands = []command{
	{names: []string{"configuration", "conf", "config"}, run: configuration},
	{names: []string{"connections", "cons"}, run: connections},
	{names: []string{"connection_stat_reset", "crst"}, run: func(src Source, _ url.Values) (object, error) {
		src.ResetConnectionStats()
		return nil, nil
	}},
	{names: []string{"dirs"}, run: func(src Source, _ url.Values) (object, error) {
		data, log := src.DirSizes()
		return object{{"datadir_size", data}, {"logdir_size", log}}, nil
	}},
	{names: []string{"dump"}, run: dumpCommand},
	{names: []string{"environment", "env", "envi"}, unserved: true, run: func(src Source, _ url.Values) (object, error) {
		var o object
		for _, kv := range environment(src.Status().Version) {
			o = append(o, field{kv[0], kv[1]})
		}
		return o, nil
	}},
	{names: []string{"get_trace_mask", "gtmk"}, unserved: true, run: func(Source, url.Values) (object, error) {
		return object{{"tracemask", traceMask.Load()}}, nil
	}},
	{names: []string{"hash"}, run: func(src Source, _ url.Values) (object, error) {
		zxid, digest := src.Digest()
		return object{{"digests", []object{{{"zxid", zxid}, {"digest", int64(digest)}, {"digest_version", int64(digestVersion)}}}}}, nil
	}},
	{names: []string{"initial_configuration", "icfg"}, run: func(src Source, _ url.Values) (object, error) {
		return object{{"initial_configuration", src.Settings().Initial}}, nil
	}},
	{names: []string{"is_read_only", "isro"}, run: func(src Source, _ url.Values) (object, error) {
		return object{{"read_only", src.Status().ReadOnly}}, nil
	}},
	{names: []string{"last_snapshot", "lsnp"}, run: func(src Source, _ url.Values) (object, error) {
		zxid, at := src.LastSnapshot()
		return object{{"zxid", fmt.Sprintf("%x", uint64(zxid))}, {"timestamp", at.Unix()}}, nil
	}},
	{names: []string{"leader", "lead"}, run: leader},
	{names: []string{"monitor", "mntr"}, unserved: true, run: func(src Source, _ url.Values) (object, error) {
		if !src.Working() {
			return nil, errNotServing
		}
		st := src.Status()
		var o object
		for key, value := range monitor(&st, src.Quotas(), src.Metrics()) {
			o = append(o, field{key, value})
		}
		return o, nil
	}},
	{names: []string{"observer_connection_stat_reset", "orst"}, run: func(Source, url.Values) (object, error) {
		return nil, nil // observers are connected as the other members are: there are no figures of their own
	}},
	{names: []string{"observers", "obsr"}, run: observers},
	{names: []string{"ruok"}, run: func(Source, url.Values) (object, error) { return nil, nil }},
	{names: []string{"server_stats", "srvr"}, run: serverStats},
	{names: []string{"set_trace_mask", "stmk"}, unserved: true, run: setTraceMask},
	{names: []string{"slow_requests", "slow"}, unserved: true, run: slowRequests},
	{names: []string{"stats", "stat"}, run: func(src Source, args url.Values) (object, error) {
		o, _ := serverStats(src, args)
		return append(o, byPort(src, briefly)...), nil
	}},
	{names: []string{"stat_reset", "srst"}, run: func(src Source, _ url.Values) (object, error) {
		src.ResetServerStats()
		return nil, nil
	}},
	{names: []string{"system_properties", "sysp"}, unserved: true, run: func(src Source, _ url.Values) (object, error) {
		props := src.Settings().Properties
		var o object
		for _, key := range slices.Sorted(maps.Keys(props)) {
			o = append(o, field{key, props[key]})
		}
		return o, nil
	}},
	{names: []string{"voting_view"}, run: votingView},
	{names: []string{"watches", "wchc"}, run: func(src Source, _ url.Values) (object, error) {
		return object{{"session_id_to_watched_paths", group(src.Watches(), func(w Watch) (string, string) { return decimal(w.Session), w.Path })}}, nil
	}},
	{names: []string{"watches_by_path", "wchp"}, run: func(src Source, _ url.Values) (object, error) {
		return object{{"path_to_session_ids", groupIDs(src.Watches())}}, nil
	}},
	{names: []string{"watch_summary", "wchs"}, run: func(src Source, _ url.Values) (object, error) {
		s := src.WatchSummary()
		return object{{"num_connections", int64(s.Connections)}, {"num_paths", int64(s.Paths)}, {"num_total_watches", int64(s.Watches)}}, nil
	}},
	{names: []string{"zabstate"}, unserved: true, run: zabState},
}

// errNotServing is what a command that needs a serving server answers.
var errNotServing = errors.New(strings.TrimSuffix(notServing, "\n"))

// digestVersion is of what Source.Digest computes: not one of ZooKeeper's.
const digestVersion = 100

func decimal(id int64) string { return strconv.FormatInt(id, 10) }

func configuration(src Source, _ url.Values) (object, error) {
	s := src.Settings()
	return object{
		{"client_port", int64(s.ClientPort)},
		{"data_dir", s.DataDir},
		{"data_log_dir", s.DataLogDir},
		{"tick_time", s.TickTime.Milliseconds()},
		{"max_client_cnxns", int64(s.MaxClientCnxns)},
		{"min_session_timeout", s.MinSessionTimeout.Milliseconds()},
		{"max_session_timeout", s.MaxSessionTimeout.Milliseconds()},
		{"server_id", s.SID},
		{"client_port_listen_backlog", int64(s.ListenBacklog)},
	}, nil
}

func briefly(c *ConnInfo) object {
	return object{
		{"remote_socket_address", strings.TrimPrefix(c.Remote, "/")},
		{"interest_ops", int64(c.interest())},
		{"outstanding_requests", int64(c.Queued)},
		{"packets_received", c.Received},
		{"packets_sent", c.Sent},
	}
}

func connections(src Source, _ url.Values) (object, error) { return byPort(src, fully), nil }

// byPort describes the connections of clientPort and those of secureClientPort.
func byPort(src Source, describe func(*ConnInfo) object) object {
	plain, secure := make([]object, 0), make([]object, 0)
	for _, c := range src.Connections() {
		if c.Secure {
			secure = append(secure, describe(&c))
		} else {
			plain = append(plain, describe(&c))
		}
	}
	return object{{"connections", plain}, {"secure_connections", secure}}
}

func fully(c *ConnInfo) object {
	o := briefly(c)
	if c.HasSession {
		o = append(o,
			field{"session_id", c.Session},
			field{"last_operation", c.Last},
			field{"established", c.Established.UnixMilli()},
			field{"session_timeout", c.Timeout.Milliseconds()},
			field{"last_cxid", int64(c.LastXid)},
			field{"last_zxid", c.LastZxid},
			field{"last_response_time", millisOf(c.LastReply)},
			field{"last_latency", c.LatencyLast},
			field{"min_latency", c.LatencyMin},
			field{"avg_latency", int64(c.LatencyAvg)},
			field{"max_latency", c.LatencyMax})
	}
	return o
}

func dumpCommand(src Source, _ url.Values) (object, error) {
	s := src.Sessions()
	byExpiry := make(map[int64][]int64)
	for _, info := range slices.Concat(s.Local, s.Global) {
		if at := millisOf(info.Expires); s.Tracked {
			byExpiry[at] = append(byExpiry[at], info.ID)
		}
	}
	sets := object{}
	for _, at := range slices.Sorted(maps.Keys(byExpiry)) {
		sets = append(sets, field{decimal(at), byExpiry[at]})
	}
	ephemerals := object{}
	for _, e := range s.Ephemerals {
		ephemerals = append(ephemerals, field{decimal(e.Session), e.Paths})
	}
	return object{{"expiry_time_to_session_ids", sets}, {"session_id_to_ephemeral_paths", ephemerals}}, nil
}

func leader(src Source, _ url.Values) (object, error) {
	st := src.Status()
	if st.ServerState == StateStandalone || st.ReadOnly {
		return nil, errors.New("server is not initialized")
	}
	host := ""
	for _, m := range src.Members() {
		if m.SID == st.LeaderSID {
			host = m.Host
		}
	}
	return object{{"is_leader", st.LeaderSID == st.SID}, {"leader_id", st.LeaderSID}, {"leader_ip", host}}, nil
}

func observers(src Source, _ url.Values) (object, error) {
	st := src.Status()
	list := make([]object, 0)
	for _, p := range st.Peers {
		if p.Observing && st.ServerState == StateLeader {
			list = append(list, object{{"remote_socket_address", "/" + p.Addr}, {"sid", p.SID}})
		}
	}
	return object{{"synced_observers", int64(st.SyncedObservers)}, {"observers", list}}, nil
}

func serverStats(src Source, _ url.Values) (object, error) {
	st := src.Status()
	data, log := src.DirSizes()
	sizes := object{
		{"last_buffer_size", st.ResponseSizeLast}, {"min_buffer_size", st.ResponseSizeMin}, {"max_buffer_size", st.ResponseSizeMax},
	}
	o := object{
		{"version", st.Version},
		{"read_only", st.ReadOnly},
		{"server_stats", object{
			{"packets_sent", st.PacketsSent},
			{"packets_received", st.PacketsReceived},
			{"fsync_threshold_exceed_count", st.SlowSyncs},
			{"client_response_stats", sizes},
			{"data_dir_size", data},
			{"log_dir_size", log},
			{"provider_null", false},
			{"server_state", st.ServerState},
			{"outstanding_requests", st.Outstanding},
			{"min_latency", st.LatencyMin},
			{"avg_latency", st.LatencyAvg},
			{"max_latency", st.LatencyMax},
			{"last_processed_zxid", int64(st.Zxid)},
			{"num_alive_client_connections", int64(st.Connections)},
			{"auth_failed_count", st.AuthFailures},
			{"non_mtlsremote_conn_count", st.RemoteNonMTLS}, // so spelt
			{"non_mtlslocal_conn_count", st.LocalNonMTLS},
			{"uptime", st.UptimeMillis},
		}},
		{"client_response", sizes},
	}
	if st.ServerState == StateLeader {
		o = append(o, field{"proposal_stats", object{
			{"last_buffer_size", st.ProposalSizeLast}, {"min_buffer_size", st.ProposalSizeMin}, {"max_buffer_size", st.ProposalSizeMax},
		}})
	}
	return append(o, field{"node_count", int64(st.NodeCount)}), nil
}

// slowRequests is a command that ZooKeeper has not. Times are in ms.
func slowRequests(src Source, _ url.Values) (object, error) {
	all := make([]object, 0)
	for _, r := range src.SlowRequests() {
		all = append(all, object{
			{"timestamp", r.At.UnixMilli()},
			{"session_id", r.Session},
			{"remote_socket_address", strings.TrimPrefix(r.Client, "/")},
			{"xid", int64(r.Xid)},
			{"operation", r.Op},
			{"path", r.Path},
			{"zxid", r.Zxid},
			{"total", r.Total.Milliseconds()},
			{"queue", r.Queue.Milliseconds()},
			{"fsync", r.Fsync.Milliseconds()},
			{"replicate", r.Replicate.Milliseconds()},
			{"sync", r.Sync.Milliseconds()},
			{"apply", r.Apply.Milliseconds()},
		})
	}
	return object{{"slow_requests", all}}, nil
}

// setTraceMask sets a number that changes nothing: see gtmk.
func setTraceMask(_ Source, args url.Values) (object, error) {
	text := args.Get("traceMask")
	if !args.Has("traceMask") {
		return nil, errors.New("setTraceMask requires long traceMask argument")
	}
	mask, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("setTraceMask requires long traceMask argument, got %s", text)
	}
	traceMask.Store(mask)
	return object{{"tracemask", mask}}, nil
}

func votingView(src Source, _ url.Values) (object, error) {
	view := object{}
	for _, m := range src.Members() {
		if m.Observer {
			continue
		}
		view = append(view, field{decimal(m.SID), object{
			{"server_addresses", []string{m.QuorumAddr}},
			{"election_addresses", []string{m.ElectionAddr}},
			{"client_address", m.ClientAddr},
			{"learner_type", "participant"},
		}})
	}
	return object{{"current_config", view}}, nil
}

// multiAddress is a server's address in the form of ZooKeeper's
// MultipleAddresses, which could hold several.
func multiAddress(addr string) object {
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.ParseInt(port, 10, 64)
	one := []string{addr}
	return object{
		{"empty", addr == ""},
		{"all_addresses", one},
		{"wildcard_addresses", []string{net.JoinHostPort("0.0.0.0", port)}},
		{"all_ports", []int64{number}},
		{"all_host_strings", []string{host}},
		{"reachable_address", addr},
		{"all_reachable_addresses", one},
		{"all_reachable_addresses_or_all", one},
		{"reachable_or_one", addr},
		{"one", addr},
	}
}

func zabState(src Source, _ url.Values) (object, error) {
	st := src.Status()
	if st.ServerState == StateStandalone {
		return object{{"voting", false}, {"zabstate", ""}}, nil
	}
	var self Member
	for _, m := range src.Members() {
		if m.SID == st.SID {
			self = m
		}
	}
	_, state, _ := strings.Cut(st.PeerState, " - ")
	if state == "" {
		state = "election"
	}
	return object{
		{"myid", st.SID},
		{"is_leader", st.LeaderSID == st.SID},
		{"quorum_address", multiAddress(self.QuorumAddr)},
		{"election_address", multiAddress(self.ElectionAddr)},
		{"client_address", self.ClientAddr},
		{"voting", self.SID != 0 && !self.Observer},
		{"last_zxid", fmt.Sprintf("0x%x", uint64(st.Zxid))},
		{"zab_epoch", int64(st.Zxid.Epoch())},
		{"zab_counter", int64(st.Zxid.Counter())},
		{"zabstate", strings.ToLower(state)},
	}, nil
}

// group lists the items of each head, both in order.
func group(watches []Watch, split func(Watch) (head, item string)) object {
	heads := make(map[string][]string)
	for _, w := range watches {
		head, item := split(w)
		heads[head] = append(heads[head], item)
	}
	o := object{}
	for _, head := range slices.Sorted(maps.Keys(heads)) {
		slices.Sort(heads[head])
		o = append(o, field{head, heads[head]})
	}
	return o
}

func groupIDs(watches []Watch) object {
	heads := make(map[string][]int64)
	for _, w := range watches {
		heads[w.Path] = append(heads[w.Path], w.Session)
	}
	o := object{}
	for _, head := range slices.Sorted(maps.Keys(heads)) {
		slices.SortFunc(heads[head], cmp.Compare)
		o = append(o, field{head, heads[head]})
	}
	return o
}

// render makes a command's answer: its fields, and then its name and that there
// was no error.
func render(name string, o object) []byte {
	return appendJSON(nil, append(o, field{"command", name}, field{"error", nil}), 0)
}
