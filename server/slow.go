package server

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/client"
	"zooraft/server/quorum"
)

const (
	// slowPause is how long slow requests are gathered before they are logged, and
	// slowLines how many of them then are, the worst ones first: a stall delays
	// thousands at once.
	slowPause = time.Second
	slowLines = 10
	// slowKept is how many are kept to be asked for.
	slowKept = 100
)

// slowLog tells of requests that took long, and where: in the log, and to whoever
// asks for the last ones. Nothing of it is touched by a request that did not.
type slowLog struct {
	log    hclog.Logger
	stages func(index uint64) (quorum.Stages, bool) // of the apply goroutine
	wake   chan struct{}                            // one slot: worst is not empty
	stop   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	ring  []admin.SlowRequest // slowKept at most; ring[next] is the oldest once it is full
	next  int
	worst []admin.SlowRequest // not logged yet, the longest first
	rest  int                 // others not logged yet
}

func newSlowLog(log hclog.Logger, stages func(uint64) (quorum.Stages, bool)) *slowLog {
	l := &slowLog{
		log: log, stages: stages,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// close logs what is left. It may be called once.
func (l *slowLog) close() {
	close(l.stop)
	<-l.done
}

// note takes a request. See [client.Config.Slow] for who calls it.
func (l *slowLog) note(w *client.Slow) {
	r := l.divide(w)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < slowKept {
		l.ring = append(l.ring, r)
	} else {
		l.ring[l.next] = r
		l.next = (l.next + 1) % slowKept
	}
	if len(l.worst) == 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	l.rest += w.More
	if n := len(l.worst); n == slowLines {
		l.rest++
		if r.Total <= l.worst[n-1].Total {
			return
		}
		l.worst = l.worst[:n-1]
	}
	at, _ := slices.BinarySearchFunc(l.worst, r.Total, func(x admin.SlowRequest, total time.Duration) int {
		if x.Total >= total {
			return -1
		}
		return 1
	})
	l.worst = slices.Insert(l.worst, at, r)
}

// divide says where the time went.
func (l *slowLog) divide(w *client.Slow) admin.SlowRequest {
	r := admin.SlowRequest{
		At: w.Replied, Session: int64(w.Session), Client: w.Client, Xid: w.Xid, Op: w.Op.String(), Path: w.Path, Zxid: w.Zxid,
		Total: w.Replied.Sub(w.Arrived),
	}
	at := w.Arrived
	until := func(end time.Time) time.Duration {
		d := max(end.Sub(at), 0)
		at = at.Add(d)
		return d
	}
	switch {
	case w.Index != 0:
		if st, ok := l.stages(w.Index); ok {
			r.Queue, r.Fsync, r.Replicate = until(st.Logged), until(st.Stored), until(st.Applied)
		}
	case w.Sync:
		r.Sync = until(w.Turn)
	case !w.Turn.IsZero():
		r.Queue = until(w.Turn)
	}
	r.Apply = until(w.Replied)
	return r
}

// recent returns the last ones, the newest first.
func (l *slowLog) recent() []admin.SlowRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Concat(l.ring[l.next:], l.ring[:l.next])
	slices.Reverse(all)
	return all
}

// run logs, away from those who are answered: the log may be slow, too.
func (l *slowLog) run() {
	defer close(l.done)
	for {
		select {
		case <-l.wake:
		case <-l.stop:
			l.write()
			return
		}
		pause := time.NewTimer(slowPause)
		select {
		case <-pause.C:
		case <-l.stop:
			pause.Stop()
		}
		l.write()
	}
}

func (l *slowLog) write() {
	l.mu.Lock()
	worst, rest := l.worst, l.rest
	l.worst, l.rest = nil, 0
	l.mu.Unlock()
	for i := range worst {
		r := &worst[i]
		l.log.Warn("slow request",
			"session", "0x"+strconv.FormatUint(uint64(r.Session), 16), "client", r.Client, "xid", r.Xid, "op", r.Op, "path", protocol.OnOneLine(r.Path),
			"zxid", "0x"+strconv.FormatUint(uint64(r.Zxid), 16), "total-ms", r.Total.Milliseconds(),
			"queue-ms", r.Queue.Milliseconds(), "fsync-ms", r.Fsync.Milliseconds(), "replicate-ms", r.Replicate.Milliseconds(),
			"sync-ms", r.Sync.Milliseconds(), "apply-ms", r.Apply.Milliseconds())
	}
	if rest > 0 {
		l.log.Warn("slow requests left out", "count", rest)
	}
}
