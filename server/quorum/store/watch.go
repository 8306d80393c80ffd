package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stallWarn is after how long a write that has not returned is reported.
	stallWarn = 5 * time.Second
	// stallLimit is after how long Config.OnStall is called.
	stallLimit = 30 * time.Second
)

// What is being written.
const (
	writeLog = iota
	writeStable
	deleteLog
)

var writeNames = [...]string{"log write", "term or vote write", "log deletion"}

// watch measures writes and has one goroutine that looks for hung ones.
type watch struct {
	cfg     Config
	logSize func() int64
	slow    atomic.Int64 // log writes that were
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once

	mu      sync.Mutex
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

// do runs f under watch. It adds two short critical sections to a disk write.
func (w *watch) do(kind int, f func() error) error {
	op := &write{kind: kind, start: time.Now()}
	w.mu.Lock()
	w.running[op] = struct{}{}
	w.mu.Unlock()
	err := f()
	d := time.Since(op.start)
	if kind == writeLog {
		w.cfg.Metrics.FlushTime.Time(d)
		if w.cfg.Kind == KindBoltDB { // whose syncs are not seen one by one
			w.cfg.Metrics.FsyncTime.Time(d)
		}
	}
	w.mu.Lock()
	delete(w.running, op)
	w.mu.Unlock()
	switch {
	case d < w.cfg.SlowSync:
	case kind == writeLog:
		w.slow.Add(1)
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

// writing is how long the oldest write to the log, or of a term or vote, is under way
// that has not returned; 0 if there is none.
func (w *watch) writing() time.Duration {
	now := time.Now()
	var d time.Duration
	w.mu.Lock()
	defer w.mu.Unlock()
	for op := range w.running {
		if op.kind != deleteLog {
			d = max(d, now.Sub(op.start))
		}
	}
	return d
}

func (w *watch) run() {
	defer close(w.done)
	tick := time.NewTicker(stallWarn / 5)
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
		if d >= stallWarn && !op.reported {
			op.reported = true
			hung = append(hung, report{op.kind, d})
		}
		worst = max(worst, d)
	}
	stalled := worst >= stallLimit && !w.stalled
	w.stalled = w.stalled || stalled
	w.mu.Unlock()
	for _, r := range hung {
		w.cfg.Log.Warn("disk does not answer", "what", writeNames[r.kind], "duration", r.d)
	}
	if stalled {
		w.cfg.Log.Error("disk stalled", "duration", worst, "limit", stallLimit)
		if w.cfg.OnStall != nil {
			w.cfg.OnStall(worst)
		}
	}
}
