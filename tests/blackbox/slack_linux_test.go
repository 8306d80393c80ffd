package blackbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zooraft/tests/harness"
)

// All threads of a server, the Go runtime's monitor among them, may be woken late by the kernel; with one processor, or
// where the process has been given a slack already, it is left alone.
func TestTimerSlack(t *testing.T) {
	skipShort(t)
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct{ procs, want string }{{"2", "1000000"}, {"1", strings.TrimSpace(string(own))}} {
		link := filepath.Join(t.TempDir(), "keeper")
		must(t, "link", os.Symlink(zooraftBin, link))
		cmd := exec.Command(link, "server", "-D", fmt.Sprintf("clientPort=%d", harness.Ports(t, 1)[0]), "-D", "admin.enableServer=false")
		cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "GOMAXPROCS="+tt.procs)
		p := launchCommand(t, cmd, syscall.SIGKILL)
		harness.Eventually(t, startTimeout, "the server serves", func() error {
			if !strings.HasPrefix(p.stdout.String(), "zooraft is serving") {
				return errors.New("not yet")
			}
			return nil
		})
		pid := cmd.Process.Pid
		for file, want := range map[string]string{"cmdline": link + "\x00server\x00", "comm": "keeper\n"} {
			if got, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)); err != nil || !strings.HasPrefix(string(got), want) {
				t.Errorf("%s of the process: %q, %v, want %q", file, got, err, want)
			}
		}
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil || len(threads) < 2 {
			t.Fatalf("threads: %q, %v", threads, err)
		}
		for _, thread := range threads {
			got, err := os.ReadFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"))
			switch {
			case errors.Is(err, fs.ErrPermission):
				t.Skip("to read another thread's slack takes CAP_SYS_NICE")
			case errors.Is(err, fs.ErrNotExist): // it has ended
			case err != nil || strings.TrimSpace(string(got)) != tt.want:
				t.Errorf("GOMAXPROCS=%s: a thread's slack is %q, %v, want %s ns", tt.procs, got, err, tt.want)
			}
		}
		p.signal(syscall.SIGTERM)
		if code := p.exit(startTimeout); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}
