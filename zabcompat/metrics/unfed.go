package metrics

// unfedCounters are counters of ZooKeeper's for what does not exist here: the
// cleaner of dead watchers, caches of encoded replies, the copies that its
// processors keep of what is under way.
var unfedCounters = []string{
	"add_dead_watcher_stall_time",
	"dead_watchers_queued", "dead_watchers_cleared",
	"response_packet_cache_hits", "response_packet_cache_misses",
	"response_packet_get_children_cache_hits", "response_packet_get_children_cache_misses",
	"outstanding_changes_queued", "outstanding_changes_removed",
	"skip_learner_request_to_next_processor_count", "requests_not_forwarded_to_commit_processor",
	"digest_mismatches_count",
}

// unfedSummaries are summaries of the same kind: stages of ZooKeeper's pipeline
// that a request does not pass here.
var unfedSummaries = []ID{
	{Name: "follower_sync_time"}, {Name: "observer_sync_time"},
	{Name: "inflight_snap_count"}, {Name: "inflight_diff_count"},
	{Name: "proposal_latency", Percentiles: true}, {Name: "proposal_ack_creation_latency", Percentiles: true},
	{Name: "commit_propagation_latency", Percentiles: true},
	{Name: "om_proposal_process_time_ms", Percentiles: true}, {Name: "om_commit_process_time_ms", Percentiles: true},
	{Name: "prep_processor_queue_size"}, {Name: "prep_process_time"},
	{Name: "close_session_prep_time", Percentiles: true}, {Name: "proposal_process_time"},
	{Name: "sync_processor_queue_size"}, {Name: "sync_processor_queue_time_ms", Percentiles: true},
	{Name: "sync_processor_queue_and_flush_time_ms", Percentiles: true}, {Name: "sync_process_time"},
	{Name: "read_commit_proc_req_queued"}, {Name: "write_commit_proc_req_queued"}, {Name: "commit_commit_proc_req_queued"},
	{Name: "read_commit_proc_issued"}, {Name: "write_commit_proc_issued"},
	{Name: "requests_in_session_queue"}, {Name: "pending_session_queue_size"},
	{Name: "reads_after_write_in_session_queue"}, {Name: "reads_issued_from_session_queue"}, {Name: "session_queues_drained"},
	{Name: "time_waiting_empty_pool_in_commit_processor_read_ms"}, {Name: "concurrent_request_processing_in_commit_processor"},
	{Name: "commit_process_time"},
	{Name: "read_commitproc_time_ms", Percentiles: true}, {Name: "write_commitproc_time_ms", Percentiles: true},
	{Name: "local_write_committed_time_ms", Percentiles: true}, {Name: "server_write_committed_time_ms", Percentiles: true},
	{Name: "read_final_proc_time_ms", Percentiles: true}, {Name: "write_final_proc_time_ms", Percentiles: true},
	{Name: "dead_watchers_cleaner_latency", Percentiles: true},
	{Name: "netty_queued_buffer_capacity"}, {Name: "socket_closing_time"},
}
