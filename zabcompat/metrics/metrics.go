package metrics

import (
	"iter"
	"reflect"
	"strings"
)

// Metrics are the counters and summaries of one server. The tag zk is the name in
// ZooKeeper, with which a figure is shown; "percentiles" marks the summaries that
// show p50 to p99.9 in mntr. A name that ends in _ms or _time is in milliseconds,
// as are the latencies.
type Metrics struct {
	// The client port: connections and sessions.
	ConnectionRequests     Counter `zk:"connection_request_count"`        // session requests, new and renewed
	UnsuccessfulHandshakes Counter `zk:"unsuccessful_handshake"`          // of TLS
	TLSHandshakesExceeded  Counter `zk:"tls_handshake_exceeded"`          // connections beyond netty.server.outstandingHandshake.limit
	ConnectionsRejected    Counter `zk:"connection_rejected"`             // by maxClientCnxns, maxCnxns, the limit of open files or the throttle
	ConnectionsDropped     Counter `zk:"connection_drop_count"`           // the client went away without closing its session
	ConnectionsRevalidated Counter `zk:"connection_revalidate_count"`     // came back with a session id
	SessionlessExpired     Counter `zk:"sessionless_connections_expired"` // made no session in time
	NotServing             Counter `zk:"cnxn_closed_without_zk_server_running"`
	StaleSessionsExpired   Counter `zk:"stale_sessions_expired"`
	BytesReceived          Counter `zk:"bytes_received_count"`
	ResponseBytes          Counter `zk:"response_bytes"`
	WatchBytes             Counter `zk:"watch_bytes"`
	EnsembleAuthSuccess    Counter `zk:"ensemble_auth_success"`
	EnsembleAuthFail       Counter `zk:"ensemble_auth_fail"`
	EnsembleAuthSkip       Counter `zk:"ensemble_auth_skip"`

	// The client port: requests.
	ThrottledOps          Counter `zk:"throttled_ops"`
	RequestThrottleWaits  Counter `zk:"request_throttle_wait_count"`
	StaleRequests         Counter `zk:"stale_requests"`
	StaleRequestsDropped  Counter `zk:"stale_requests_dropped"`
	StaleReplies          Counter `zk:"stale_replies"`
	LargeRequestsRejected Counter `zk:"large_requests_rejected"`
	ReadLatency           Summary `zk:"readlatency,percentiles"`   // arrival to reply
	UpdateLatency         Summary `zk:"updatelatency,percentiles"` // arrival to reply
	TokenDeficit          Summary `zk:"connection_token_deficit"`
	ThrottleQueueTime     Summary `zk:"request_throttle_queue_time_ms,percentiles"`

	// The state machine.
	NodeCreatedWatches  Summary        `zk:"node_created_watch_count"` // watchers told of one event, and so on
	NodeDeletedWatches  Summary        `zk:"node_deleted_watch_count"`
	NodeChangedWatches  Summary        `zk:"node_changed_watch_count"`
	NodeChildrenWatches Summary        `zk:"node_children_watch_count"`
	WriteBatchTime      Summary        `zk:"write_batch_time_in_commit_processor"` // applying one batch
	Propagation         Summary        `zk:"propagation_latency,percentiles"`      // the leader's clock to applied here
	QuotaExceeded       Keyed[Counter] `zk:"quota_exceeded_error_per_namespace"`
	ReadPerNamespace    Keyed[Summary] `zk:"read_per_namespace"`  // bytes of path and data
	WritePerNamespace   Keyed[Summary] `zk:"write_per_namespace"` // the same

	// The quorum.
	Looking             Counter        `zk:"looking_count"` // times this server was without a leader
	Commits             Counter        `zk:"commit_count"`  // by this leader
	Proposals           Counter        `zk:"proposal_count"`
	CommitsQueued       Counter        `zk:"request_commit_queued"` // requests committed, to be applied here
	ProposalsReceived   Counter        `zk:"learner_proposal_received_count"`
	CommitsReceived     Counter        `zk:"learner_commit_received_count"`
	SyncsByLog          Counter        `zk:"diff_count"`
	SyncsBySnapshot     Counter        `zk:"snap_count"`
	LeaderStepDowns     Counter        `zk:"quit_leading_due_to_disloyal_voter"`
	SessionMoves        Counter        `zk:"revalidate_count"`
	ElectionTime        Summary        `zk:"election_time"`           // without a leader to decided
	UnavailableTime     Summary        `zk:"unavailable_time"`        // without a leader to serving
	LeaderUnavailable   Summary        `zk:"leader_unavailable_time"` // the same, of one that then leads
	QuorumAckLatency    Summary        `zk:"quorum_ack_latency,percentiles"`
	AckLatency          Keyed[Summary] `zk:"ack_latency,percentiles"`                // by server id
	LearnerQueue        Keyed[Summary] `zk:"learner_handler_qp_size"`                // messages under way to a server, by its id, as each is sent
	LearnerQueueTime    Keyed[Summary] `zk:"learner_handler_qp_time_ms,percentiles"` // logged to on its way to that server
	PrepQueued          Counter        `zk:"prep_processor_request_queued"`
	PrepQueueTime       Summary        `zk:"prep_processor_queue_time_ms,percentiles"` // waiting to be proposed
	BatchSize           Summary        `zk:"sync_processor_batch_size"`                // requests in one entry
	LearnerForwardQueue Summary        `zk:"learner_request_processor_queue_size"`

	// Storage.
	FsyncTime           Summary `zk:"fsynctime"`
	LogQueued           Counter `zk:"sync_processor_request_queued"`
	FlushTime           Summary `zk:"sync_processor_queue_flush_time_ms,percentiles"` // writing one batch of entries
	SnapshotTime        Summary `zk:"snapshottime"`
	RestoreTime         Summary `zk:"restore_time"`
	InitTime            Summary `zk:"dbinittime"`             // loading the state at the start
	StartSnapshotTime   Summary `zk:"startup_snap_load_time"` // its snapshot
	StartReplayed       Summary `zk:"startup_txns_loaded"`    // entries of the log applied before there was a leader
	StartReplayTime     Summary `zk:"startup_txns_load_time"` // and how long that took
	SnapshotErrors      Counter `zk:"snapshot_error_count"`
	RestoreErrors       Counter `zk:"restore_error_count"`
	SnapshotRateLimited Counter `zk:"snapshot_rate_limited_count"`
	RestoreRateLimited  Counter `zk:"restore_rate_limited_count"`

	// The process.
	Pauses              Summary `zk:"jvm_pause_time_ms,percentiles"`
	UnrecoverableErrors Counter `zk:"unrecoverable_error_count"`
	InsecureAdmin       Counter `zk:"insecure_admin_count"` // plain text on an admin port that speaks TLS too
}

// Counters ranges over the counters: name, key ("" where there is none) and value,
// in the order of their fields. Those that nothing here can feed follow, as 0: they
// count queues and caches that ZooKeeper has and this server has not.
func (m *Metrics) Counters() iter.Seq2[ID, int64] {
	return func(yield func(ID, int64) bool) {
		for _, e := range m.entries() {
			if e.counter != nil && !yield(e.id, e.counter.Value()) {
				return
			}
		}
		for _, name := range unfedCounters {
			if !yield(ID{Name: name}, 0) {
				return
			}
		}
	}
}

// Summaries ranges over the summaries as Counters does over the counters.
func (m *Metrics) Summaries() iter.Seq2[ID, *Summary] {
	return func(yield func(ID, *Summary) bool) {
		for _, e := range m.entries() {
			if e.summary != nil && !yield(e.id, e.summary) {
				return
			}
		}
		for _, id := range unfedSummaries {
			if !yield(id, new(Summary)) {
				return
			}
		}
	}
}

// Reset begins all of them anew, as the word srst does.
func (m *Metrics) Reset() {
	for _, e := range m.entries() {
		if e.counter != nil {
			e.counter.reset()
		} else {
			e.summary.reset()
		}
	}
}

// ID names a figure.
type ID struct {
	Name        string
	Key         string // of a Keyed, else ""
	Percentiles bool   // a summary that shows p50 to p99.9 in mntr
}

type entry struct {
	id      ID
	counter *Counter
	summary *Summary
}

// entries lists the figures by the fields' tags.
func (m *Metrics) entries() []entry {
	v := reflect.ValueOf(m).Elem()
	list := make([]entry, 0, v.NumField())
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("zk"), ",")
		id := ID{Name: name, Percentiles: option == "percentiles"}
		keyed := func(key string) ID { return ID{id.Name, key, id.Percentiles} }
		switch f := v.Field(i).Addr().Interface().(type) {
		case *Counter:
			list = append(list, entry{id: id, counter: f})
		case *Summary:
			list = append(list, entry{id: id, summary: f})
		case *Keyed[Counter]:
			f.Each(func(key string, c *Counter) { list = append(list, entry{id: keyed(key), counter: c}) })
		case *Keyed[Summary]:
			f.Each(func(key string, s *Summary) { list = append(list, entry{id: keyed(key), summary: s}) })
		}
	}
	return list
}
