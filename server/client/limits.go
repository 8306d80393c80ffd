package client

import "time"

// Limits are bounds that operators set; each key is that of zoo.cfg, and a
// property zookeeper.KEY in ZooKeeper ("ZooKeeper Administrator's Guide, Advanced
// Configuration"). DefaultLimits holds nobody back.
type Limits struct {
	// SessionlessTimeout is how long a connection may go without a session
	// (nio.sessionlessCnxnTimeout, ms). ZooKeeper begins anew with each byte that
	// comes and cuts in rounds, so after one to two of it; here it is counted
	// once, from the accept, for a client that sends its handshake byte by byte
	// is none.
	SessionlessTimeout time.Duration
	// Handshakes is how many TLS handshakes may be under way, 0 or less for no limit;
	// a connection on top of them is closed (netty.server.outstandingHandshake.limit).
	Handshakes int
	// KeepAlive turns TCP's keep-alive on for clients' sockets (clientTcpKeepAlive).
	KeepAlive bool
	// ListenBacklog is how many connections the system may hold that have not
	// been accepted; 0 or less leaves it to the system (clientPortListenBacklog).
	ListenBacklog int
	// LargeRequestThreshold is the frame size in bytes above which a request
	// counts as large; 0 or less means that none does (largeRequestThreshold).
	LargeRequestThreshold int
	// LargeRequestMaxBytes is what all large requests under way may add up to. One
	// that comes on top closes its connection (largeRequestMaxBytes).
	LargeRequestMaxBytes int

	Connects ConnectThrottle
	Requests RequestThrottle
}

// ConnectThrottle says how many sessions may be opened and renewed, as a bucket of
// tokens (ZooKeeper's BlueThrottle).
type ConnectThrottle struct {
	// Tokens is what the bucket holds, 0 for no throttle (connection_throttle_tokens).
	Tokens int
	// FillCount tokens come back every FillTime (connection_throttle_fill_count,
	// connection_throttle_fill_time in ms).
	FillCount int
	FillTime  time.Duration
	// FreezeTime is the least time between two changes of the share of connections
	// that is refused by chance while tokens are short; negative for no such
	// refusals (connection_throttle_freeze_time, ms).
	FreezeTime time.Duration
	// DropIncrease is added to that share when the bucket is empty, DropDecrease
	// taken from it when no more than DecreaseRatio of the tokens are out
	// (connection_throttle_drop_increase, _drop_decrease, _decrease_ratio).
	DropIncrease, DropDecrease, DecreaseRatio float64
	// Weighted makes sessions cost what the weights say, and the bucket and what
	// comes back GlobalWeight times as big, so that Tokens still counts new global
	// sessions (connection_throttle_weight_enabled and
	// connection_throttle_global_session_weight, _local_, _renew_).
	Weighted                               bool
	GlobalWeight, LocalWeight, RenewWeight int
}

// RequestThrottle holds requests back before they take effect (ZooKeeper's
// RequestThrottler).
type RequestThrottle struct {
	// MaxRequests is the number of requests under way at which further ones of any
	// connection wait; 0 for no limit (request_throttle_max_requests).
	MaxRequests int
	// StallTime is how often one that waits looks whether it has become stale
	// (request_throttle_stall_time, ms).
	StallTime time.Duration
	// DropStale drops a request that has become stale, with its connection
	// (request_throttle_drop_stale). It is looked at only with MaxRequests.
	DropStale bool
	// StaleConnection takes a request for stale when its client has hung up
	// (request_stale_connection_check), StaleLatency when it has waited longer than
	// the session timeout (request_stale_latency_check). The end of a session is
	// never stale.
	StaleConnection, StaleLatency bool
	// OpWaitTime is how long a request may have waited to be carried out still;
	// after that it is answered with ErrThrottledOp. 0 for ever
	// (throttled_op_wait_time, ms). Pings and the end of a session are exempt.
	OpWaitTime time.Duration
}

// DefaultLimits returns ZooKeeper's defaults.
func DefaultLimits() Limits {
	return Limits{
		SessionlessTimeout:    10 * time.Second,
		Handshakes:            -1,
		ListenBacklog:         -1,
		LargeRequestThreshold: -1,
		LargeRequestMaxBytes:  100 << 20,
		Connects: ConnectThrottle{
			FillCount:    1,
			FillTime:     time.Millisecond,
			FreezeTime:   -time.Millisecond,
			DropIncrease: 0.02,
			DropDecrease: 0.002,
			GlobalWeight: 3,
			LocalWeight:  1,
			RenewWeight:  2,
		},
		Requests: RequestThrottle{
			StallTime:       100 * time.Millisecond,
			DropStale:       true,
			StaleConnection: true,
		},
	}
}
