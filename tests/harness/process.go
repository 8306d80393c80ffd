package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// errNotRunning says that a signal was meant for a process that has ended or was never started.
var errNotRunning = errors.New("server is not running")

// process is one running server: a command whose output is appended to its log file.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process has been waited for
	frozen atomic.Bool   // between SIGSTOP and SIGCONT
}

// startProcess runs cmd with its output going to the end of the file log.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open server log: %w", err)
	}
	defer f.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = f, f
	dieWithParent(cmd)
	if err := startOnLastingThread(cmd); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends sig, unless the process has been waited for: then its id may belong to somebody else.
func (p *process) signal(sig syscall.Signal) error {
	if !p.running() {
		return errNotRunning
	}
	if err := p.cmd.Process.Signal(sig); errors.Is(err, os.ErrProcessDone) {
		return errNotRunning
	} else if err != nil {
		return err
	}
	switch sig {
	case syscall.SIGSTOP:
		p.frozen.Store(true)
	case syscall.SIGCONT:
		p.frozen.Store(false)
	}
	return nil
}

// wait waits for the end of the process, or reports false after timeout.
func (p *process) wait(timeout time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(timeout):
		return false
	}
}

// exitCode is the code that an ended process gave, -1 if a signal ended it.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

type startRequest struct {
	cmd *exec.Cmd
	err chan error
}

// starter runs for the life of the test process on a thread of its own. The kernel sends a child its parent's death
// signal when the thread that forked it ends, and Go ends threads as it likes; this one it may not.
var starter = sync.OnceValue(func() chan<- startRequest {
	requests := make(chan startRequest)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.err <- r.cmd.Start()
		}
	}()
	return requests
})

func startOnLastingThread(cmd *exec.Cmd) error {
	r := startRequest{cmd: cmd, err: make(chan error, 1)}
	starter() <- r
	return <-r.err
}
