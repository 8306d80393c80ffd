package store

import (
	"fmt"
	"sync"
	"time"
)

// SyncStats counts durable writes.
type SyncStats struct {
	// Count is how many there were, failed ones included, and Slow how many
	// took SlowSync or more.
	Count, Slow uint64
	// Total is the sum of their durations and Max the longest.
	Total, Max time.Duration
}

// What is being written.
const (
	writeLog = iota
	writeStable
	deleteLog
	writeKinds
)

var writeNames = [writeKinds]string{"log write", "term or vote write", "log deletion"}

// watch measures writes and has one goroutine that looks for hung ones.
type watch struct {
	cfg     Config
	logSize func() int64
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once

	mu      sync.Mutex
	counts  [writeKinds]SyncStats
	running map[*write]struct{}
	stalled bool
}

type write struct {
	kind     int
	start    time.Time
	reported bool
}

// newWatch starts the goroutine.
func newWatch(cfg Config) *watch {
	w := &watch{
		cfg: cfg, running: map[*write]struct{}{},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

func (w *watch) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

func (w *watch) stats(kind int) SyncStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[kind]
}

// do runs f under watch. It adds two short critical sections to a disk write.
func (w *watch) do(kind int, f func() error) error {
	op := &write{kind: kind, start: time.Now()}
	w.mu.Lock()
	w.running[op] = struct{}{}
	w.mu.Unlock()
	err := f()
	d := time.Since(op.start)
	slow := d >= w.cfg.SlowSync
	if kind == writeLog {
		w.cfg.Metrics.FlushTime.Time(d)
		if w.cfg.Kind == KindBoltDB { // whose syncs are not seen one by one
			w.cfg.Metrics.FsyncTime.Time(d)
		}
	}
	w.mu.Lock()
	delete(w.running, op)
	c := &w.counts[kind]
	c.Count++
	c.Total += d
	c.Max = max(c.Max, d)
	if slow {
		c.Slow++
	}
	w.mu.Unlock()
	switch {
	case !slow:
	case kind == writeLog:
		// ZooKeeper's own words, blanks and all, for tools look for them
		// (FileTxnLog.commit).
		var size int64
		if w.logSize != nil {
			size = w.logSize()
		}
		w.cfg.Log.Warn(fmt.Sprintf("fsync-ing the write ahead log in SyncThread:%d took %dms which will adversely effect operation latency."+
			"File size is %d bytes. See the ZooKeeper troubleshooting guide", w.cfg.SID, d.Milliseconds(), size))
	default:
		w.cfg.Log.Warn("slow disk", "what", writeNames[kind], "duration", d)
	}
	return err
}

func (w *watch) run() {
	defer close(w.done)
	tick := time.NewTicker(max(min(w.cfg.StallWarn, w.cfg.StallLimit)/5, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.look()
		}
	}
}

func (w *watch) look() {
	type report struct {
		kind int
		d    time.Duration
	}
	var hung []report
	var worst time.Duration
	w.mu.Lock()
	for op := range w.running {
		d := time.Since(op.start)
		if d >= w.cfg.StallWarn && !op.reported {
			op.reported = true
			hung = append(hung, report{op.kind, d})
		}
		worst = max(worst, d)
	}
	stalled := worst >= w.cfg.StallLimit && !w.stalled
	w.stalled = w.stalled || stalled
	w.mu.Unlock()
	for _, r := range hung {
		w.cfg.Log.Warn("disk does not answer", "what", writeNames[r.kind], "duration", r.d)
	}
	if stalled {
		w.cfg.Log.Error("disk stalled", "duration", worst, "limit", w.cfg.StallLimit)
		if w.cfg.OnStall != nil {
			w.cfg.OnStall(worst)
		}
	}
}
