package harness

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	exitTimeout  = time.Minute
	stopTimeout  = time.Minute
	pollInterval = 50 * time.Millisecond
	logTailBytes = 8 << 10
)

// Start starts a server that does not run, and does not wait until it serves.
func (e *Ensemble) Start(sid int) {
	e.t.Helper()
	s := e.Server(sid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.running() {
		e.t.Fatalf("server %d runs already", sid)
	}
	cmd, err := e.program.command(s, &e.options)
	if err != nil {
		e.t.Fatalf("server %d: %v", sid, err)
	}
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), e.options.Env...)
	if s.process, err = startProcess(cmd, s.Log); err != nil {
		e.t.Fatalf("server %d: %v", sid, err)
	}
}

// StartAll starts all servers and waits until all of them serve.
func (e *Ensemble) StartAll() {
	e.t.Helper()
	for _, s := range e.servers {
		e.Start(s.SID)
	}
	e.WaitServing()
}

// WaitServing waits until each of the servers, or without arguments all, answers srvr with a mode. It fails the test
// at once when one of them has ended, and when one does not serve within Options.StartTimeout.
func (e *Ensemble) WaitServing(sids ...int) {
	e.t.Helper()
	if len(sids) == 0 {
		for _, s := range e.servers {
			sids = append(sids, s.SID)
		}
	}
	deadline := time.Now().Add(e.options.StartTimeout)
	for _, sid := range sids {
		s := e.Server(sid)
		for {
			_, err := mode(s.ClientAddr)
			if err == nil {
				break
			}
			p := s.current()
			if p == nil {
				e.t.Fatalf("server %d was never started", sid)
			}
			if !p.running() {
				e.t.Fatalf("server %d ended (%v) before it served", sid, p.cmd.ProcessState)
			}
			if time.Now().After(deadline) {
				e.t.Fatalf("server %d does not serve after %v: %v", sid, e.options.StartTimeout, err)
			}
			time.Sleep(pollInterval)
		}
	}
}

// Mode is what a server says of itself now: standalone, leader, follower, observer, read-only, or "" when it does not
// serve or does not answer within 5 s.
func (e *Ensemble) Mode(sid int) string {
	e.t.Helper()
	m, err := mode(e.Server(sid).ClientAddr)
	if err != nil {
		return ""
	}
	return m
}

// Leader waits until exactly one running server says that it leads (or stands alone) and returns its sid. Servers that
// are stopped by a signal are passed over.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	leader := 0
	Eventually(e.t, e.options.StartTimeout, "one leader", func() error {
		var modes []string
		leader = 0
		leaders := 0
		for _, s := range e.servers {
			p := s.current()
			if p == nil || !p.running() || p.frozen.Load() {
				continue
			}
			m := e.Mode(s.SID)
			modes = append(modes, fmt.Sprintf("%d:%q", s.SID, m))
			if m == "leader" || m == "standalone" {
				leader = s.SID
				leaders++
			}
		}
		if leaders != 1 {
			return fmt.Errorf("modes %s", strings.Join(modes, " "))
		}
		return nil
	})
	return leader
}

// Eventually calls check every 50 ms until it returns nil, and fails the test with its last error after timeout.
func Eventually(t testing.TB, timeout time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, timeout, err)
		}
		time.Sleep(pollInterval)
	}
}

// FourLetter sends a four-letter word to a server and returns the answer.
func (e *Ensemble) FourLetter(sid int, word string) string {
	e.t.Helper()
	answer, err := FourLetter(e.Server(sid).ClientAddr, word)
	if err != nil {
		e.t.Fatalf("%s to server %d: %v", word, sid, err)
	}
	return answer
}

// Kill ends a server by SIGKILL and waits for its end.
func (e *Ensemble) Kill(sid int) {
	e.t.Helper()
	p := e.signal(sid, syscall.SIGKILL)
	if !p.wait(exitTimeout) {
		e.t.Fatalf("server %d does not end after SIGKILL", sid)
	}
}

// Term asks a server to end by SIGTERM, waits up to a minute for it and returns its exit code.
func (e *Ensemble) Term(sid int) int {
	e.t.Helper()
	p := e.signal(sid, syscall.SIGTERM)
	if !p.wait(exitTimeout) {
		e.t.Fatalf("server %d does not end within %v of SIGTERM", sid, exitTimeout)
	}
	return p.exitCode()
}

// Stop freezes a server by SIGSTOP: its connections stay open and nothing in it moves until Cont.
func (e *Ensemble) Stop(sid int) {
	e.t.Helper()
	p := e.signal(sid, syscall.SIGSTOP)
	Eventually(e.t, stopTimeout, fmt.Sprintf("server %d stands still", sid), func() error { return stopped(p.cmd.Process.Pid) })
}

// Cont lets a frozen server go on.
func (e *Ensemble) Cont(sid int) {
	e.t.Helper()
	e.signal(sid, syscall.SIGCONT)
}

// Restart ends a server by SIGTERM if it runs, starts it again and waits until it serves.
func (e *Ensemble) Restart(sid int) {
	e.t.Helper()
	if e.Running(sid) {
		e.Term(sid)
	}
	e.Start(sid)
	e.WaitServing(sid)
}

// Running says whether a server's process lives, frozen or not.
func (e *Ensemble) Running(sid int) bool {
	e.t.Helper()
	p := e.Server(sid).current()
	return p != nil && p.running()
}

// PID is the process id of a running server.
func (e *Ensemble) PID(sid int) int {
	e.t.Helper()
	p := e.Server(sid).current()
	if p == nil || !p.running() {
		e.t.Fatalf("server %d: %v", sid, errNotRunning)
	}
	return p.cmd.Process.Pid
}

func (e *Ensemble) signal(sid int, sig syscall.Signal) *process {
	e.t.Helper()
	p := e.Server(sid).current()
	if p == nil {
		e.t.Fatalf("%v to server %d: %v", sig, sid, errNotRunning)
	}
	if err := p.signal(sig); err != nil {
		e.t.Fatalf("%v to server %d: %v", sig, sid, err)
	}
	return p
}

// close ends all servers, then looks through their logs: a data race or a crash fails the test that did not see it,
// and the logs of a failed test are shown.
func (e *Ensemble) close() {
	for _, s := range e.servers {
		p := s.current()
		if p == nil {
			continue
		}
		if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, errNotRunning) {
			e.t.Errorf("kill server %d: %v", s.SID, err)
		}
		if !p.wait(exitTimeout) {
			e.t.Errorf("server %d does not end after SIGKILL", s.SID)
		}
	}
	for _, s := range e.servers {
		log, err := os.ReadFile(s.Log)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			e.t.Errorf("read log of server %d: %v", s.SID, err)
			continue
		}
		Crashed(e.t, fmt.Sprintf("server %d", s.SID), log, e.options.CrashOK)
		if e.t.Failed() {
			e.t.Logf("end of the log of server %d:\n%s", s.SID, log[max(0, len(log)-logTailBytes):])
		}
	}
}
