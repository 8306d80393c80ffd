package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// startTimeout bounds what a process takes to do its work or to come up.
const startTimeout = 2 * time.Minute

// process is one that package harness does not run: a command line of its own, stdout and stderr apart, and perhaps an
// end that is expected.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr testkit.Buffer // what it has written so far
	exited         chan struct{}
}

// launch starts the program under test in a directory.
func launch(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(zooraftBin, args...)
	cmd.Dir = dir
	return launchCommand(t, cmd, syscall.SIGKILL)
}

// launchCommand starts a process that ends with the test, by SIGKILL; or, if the test process itself is killed, by last.
func launchCommand(t *testing.T, cmd *exec.Cmd, last syscall.Signal) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	cmd.WaitDelay = 5 * time.Second // for grandchildren that hold the pipes
	dieWithParent(cmd, last)
	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread ends that has forked: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.running() {
			p.signal(syscall.SIGKILL)
			<-p.exited
		}
		harness.Crashed(t, fmt.Sprintf("%q", cmd.Args), []byte(p.stderr.String()), false)
		if t.Failed() {
			t.Logf("%q wrote\n%s%s", cmd.Args, p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("%v to %q: %v", sig, p.cmd.Args, err)
	}
}

// exit waits for the end of the process and returns its exit code.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		p.t.Fatalf("%q has not ended within %v", p.cmd.Args, within)
	}
	return p.cmd.ProcessState.ExitCode()
}

// refuses runs a server that must not start: it ends with the code, and says why in words that the patterns match.
func refuses(t *testing.T, config string, code int, patterns ...string) {
	t.Helper()
	p := launch(t, t.TempDir(), "server", config)
	if got := p.exit(startTimeout); got != code {
		t.Errorf("exit code: got %d, want %d", got, code)
	}
	if got := p.stdout.String(); got != "" {
		t.Errorf("stdout of a server that does not serve: %q", got)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(p.stderr.String()) {
			t.Errorf("stderr does not match %q:\n%s", pattern, p.stderr.String())
		}
	}
}

// awaitLog waits until the log of a server of the ensemble has lines that match each pattern, after the first skip bytes.
func awaitLog(t *testing.T, s *harness.Server, skip int, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		re := regexp.MustCompile(pattern)
		harness.Eventually(t, startTimeout, fmt.Sprintf("server %d logs %q", s.SID, pattern), func() error {
			if log := readLog(t, s); !re.MatchString(log[skip:]) {
				return fmt.Errorf("not in %d bytes of log", len(log)-skip)
			}
			return nil
		})
	}
}

func readLog(t *testing.T, s *harness.Server) string {
	t.Helper()
	b, err := os.ReadFile(s.Log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// memory is the resident set of a process in bytes; it skips the test where the kernel does not tell.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("the memory of a process cannot be read here: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no VmRSS for process %d", pid)
	return 0
}
