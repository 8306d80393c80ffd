package audit

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
)

const (
	// maxWaiting bounds the bytes that wait for the disk: some 100,000 lines.
	maxWaiting = 16 << 20
	// retryAfter is when the disk is asked again after it failed.
	retryAfter = time.Second
	// chunk is about how much is written at a time.
	chunk = 64 << 10
)

// Config says where the log is.
type Config struct {
	File string // its path; its directory must be there
	User string // who runs this server
	Log  hclog.Logger
}

// Log is an open audit log. Its methods may be called from any goroutine, but for
// Request and Reconfigured, which belong to the apply goroutine; none but Close waits
// for the disk.
type Log struct {
	cfg  Config
	now  func() time.Time
	file *file
	done chan struct{}

	reconfigBy *event // whose reconfig is being carried out; of the apply goroutine

	mu      sync.Mutex
	wake    sync.Cond // on mu: there is something to write, or closed
	waiting []byte
	lost    int  // lines left out since the last that was taken
	full    bool // for want of room, and that has been told
	closed  bool
	telling sync.WaitGroup
	stopped chan struct{} // closed with closed

	once sync.Once
}

// Open opens the log, or makes it.
func Open(cfg Config) (*Log, error) {
	f, err := openFile(cfg.File)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, now: time.Now, file: f, done: make(chan struct{}), stopped: make(chan struct{})}
	l.wake.L = &l.mu
	go l.run()
	return l, nil
}

// Started notes that this server has started, or could not.
func (l *Log) Started(ok bool) {
	e := event{user: l.cfg.User, op: opStart, result: Success}
	if !ok {
		e.result = Failure
	}
	l.note(&e)
}

// Stopping notes that this server was told to stop.
func (l *Log) Stopping() { l.note(&event{user: l.cfg.User, op: opStop, result: Invoked}) }

// Request notes the outcome of a client's write. r.Request must be there.
func (l *Log) Request(w Who, r *fsm.Result) {
	q := r.Request
	who := event{session: w.Session, ip: w.IP, user: users(q.IDs)}
	if r.Pending {
		l.reconfigBy = &who
		return
	}
	events(q.Op, q.Body, r, func(e event) {
		e.session, e.ip, e.user = who.session, who.ip, who.user
		l.note(&e)
	})
}

// Reconfigured notes the outcome of the reconfig whose request was pending.
func (l *Log) Reconfigured(r *fsm.Result) {
	who := l.reconfigBy
	if l.reconfigBy = nil; who == nil {
		return // asked for before this process began
	}
	events(protocol.OpReconfig, nil, r, func(e event) {
		e.session, e.ip, e.user = who.session, who.ip, who.user
		l.note(&e)
	})
}

// Command notes what came of a command of the admin server, which is the operation of
// that name. ZooKeeper's audit log has none of these.
func (l *Log) Command(ip string, ids []protocol.ID, command, result string) {
	l.note(&event{ip: ip, user: users(ids), op: command, result: result})
}

// Ephemerals notes the znodes that went with a session.
func (l *Log) Ephemerals(session protocol.SessionID, paths []string) {
	for _, path := range paths {
		l.note(&event{session: session, user: l.cfg.User, op: opEphemeral, znode: path, hasZnode: true, result: Success})
	}
}

func (l *Log) note(e *event) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if len(l.waiting) >= maxWaiting {
		if l.lost++; !l.full {
			l.full = true
			l.telling.Go(func() { // the server's log may block, too
				l.cfg.Log.Error("the audit log takes nothing for long: lines are being lost", "file", l.cfg.File)
			})
		}
		return
	}
	l.gapLocked(now)
	l.waiting = e.append(l.waiting, now)
	l.wake.Signal()
}

// gapLocked writes that lines are missing, where they are.
func (l *Log) gapLocked(now time.Time) {
	if l.lost == 0 {
		return
	}
	e := event{user: l.cfg.User, op: opLost, count: l.lost, result: Failure}
	l.waiting = e.append(l.waiting, now)
	l.lost = 0
}

// Lost notes that so many outcomes are not known to this server.
func (l *Log) Lost(n int) {
	l.mu.Lock()
	l.lost += n
	l.mu.Unlock()
}

// Close writes what waits, as far as the disk takes it at once, and ends. It may be
// called twice; nothing is taken after it.
func (l *Log) Close() error {
	var err error
	l.once.Do(func() {
		l.mu.Lock()
		l.gapLocked(l.now())
		l.closed = true
		l.mu.Unlock()
		close(l.stopped)
		l.wake.Signal()
		<-l.done
		l.telling.Wait()
		err = l.file.close()
	})
	return err
}

// run writes. What fails is tried again, so that a full disk costs lines only once
// maxWaiting is full, too.
func (l *Log) run() {
	defer close(l.done)
	var lines []byte
	failing, last := false, false
	for {
		if len(lines) == 0 {
			var ok bool
			if lines, ok = l.take(lines); !ok {
				return
			}
		}
		n := min(len(lines), chunk)
		for n < len(lines) && lines[n-1] != '\n' {
			n++
		}
		n, err := l.file.write(lines[:n])
		lines = lines[n:]
		switch {
		case err == nil && failing:
			failing = false
			l.cfg.Log.Info("the audit log is written again", "file", l.cfg.File)
		case err != nil:
			if !failing {
				failing = true
				l.cfg.Log.Error("the audit log cannot be written, and is tried again", "file", l.cfg.File, "error", err)
			}
			if last {
				l.cfg.Log.Error("audit lines are lost", "file", l.cfg.File, "bytes", len(lines)+l.left(), "error", err)
				return
			}
			last = !l.pause()
		}
	}
}

// take waits for lines; false once there are none and will be none.
func (l *Log) take(old []byte) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 {
		if l.closed {
			return nil, false
		}
		l.wake.Wait()
	}
	lines := l.waiting
	l.waiting, l.full = nil, false
	if cap(old) <= 4*chunk {
		l.waiting = old[:0]
	}
	return lines, true
}

func (l *Log) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// pause waits until the disk is to be tried again; false if the log is closed.
func (l *Log) pause() bool {
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.stopped:
		return false
	}
}
