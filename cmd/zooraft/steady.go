package main

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// maxUnread bounds the bytes that wait for the reader of standard error: some
	// 20,000 lines.
	maxUnread = 4 << 20
	// stallAfter is how long a line is waited for until the reader is taken to be stuck.
	stallAfter = 100 * time.Millisecond
	// closeLimit is how long the last lines are waited for.
	closeLimit = time.Second
)

// steadyWriter is what a server writes its log to, and its other output. While its reader takes what
// comes, a line is there when Write returns, so that a crash loses none and its
// message comes behind them. When it does not, lines wait and then are left out:
// what logs may hold a lock, and must not stop for a terminal that was paused. An
// error is no reason to stop either.
type steadyWriter struct {
	out   io.Writer
	ended chan struct{}

	mu      sync.Mutex
	wake    sync.Cond // on mu: there is something to write, or closed
	waiting []byte
	written chan struct{} // closed once what waits is written
	stalled bool          // and Write waits for nothing
	lost    int           // lines, since tell was last called
	closed  bool
	tell    func(lost int) // nil before there is a log
}

func newSteadyWriter(out io.Writer) *steadyWriter {
	w := &steadyWriter{out: out, ended: make(chan struct{}), written: make(chan struct{})}
	w.wake.L = &w.mu
	go w.run()
	return w
}

// OnLoss sets what is called when lines are written again after some were lost.
func (w *steadyWriter) OnLoss(tell func(lines int)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell = tell
}

// Write implements io.Writer, and always succeeds.
func (w *steadyWriter) Write(b []byte) (int, error) {
	written, wait := w.add(b)
	if !wait {
		return len(b), nil
	}
	patience := time.NewTimer(stallAfter)
	defer patience.Stop()
	select {
	case <-written:
	case <-patience.C:
		w.mu.Lock()
		defer w.mu.Unlock()
		select {
		case <-written: // by now
		default:
			w.stalled = true
		}
	}
	return len(b), nil
}

// add takes what is to be written, and says whether to wait until it is.
func (w *steadyWriter) add(b []byte) (written <-chan struct{}, wait bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, false
	case len(w.waiting) > 0 && len(w.waiting)+len(b) > maxUnread:
		w.lost += bytes.Count(b, []byte{'\n'})
		return nil, false
	}
	w.waiting = append(w.waiting, b...)
	w.wake.Signal()
	return w.written, !w.stalled
}

// Close waits for the last lines, but for no reader that is stuck. Nothing is
// taken after it.
func (w *steadyWriter) Close() {
	w.mu.Lock()
	w.closed = true
	w.wake.Signal()
	w.mu.Unlock()
	select {
	case <-w.ended:
	case <-time.After(closeLimit):
	}
}

func (w *steadyWriter) run() {
	defer close(w.ended)
	var telling sync.WaitGroup
	defer telling.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.waiting) == 0 {
			if w.stalled = false; w.closed {
				return
			}
			w.wake.Wait()
		}
		lines, written := w.waiting, w.written
		w.waiting, w.written = nil, make(chan struct{})
		w.mu.Unlock()
		n, err := w.out.Write(lines)
		close(written)
		w.mu.Lock()
		switch {
		case err != nil:
			w.lost += bytes.Count(lines[n:], []byte{'\n'})
		case w.lost > 0 && w.tell != nil:
			tell, lost := w.tell, w.lost
			w.lost = 0
			telling.Go(func() { tell(lost) }) // it writes here
		}
	}
}
