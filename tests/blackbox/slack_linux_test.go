package blackbox

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// All threads of a server may be woken late by the kernel, the Go runtime's monitor later than main's; with one
// processor, or where the process has been given a slack already, it is left alone.
func TestTimerSlack(t *testing.T) {
	harness.SkipShort(t)
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Skip(err)
	}
	const main, monitor = "1000000", "2000000"
	for _, tt := range []struct {
		procs string
		want  []string // each has a thread; sorted
	}{{"2", []string{main, monitor}}, {"1", []string{strings.TrimSpace(string(own))}}} {
		link := filepath.Join(t.TempDir(), "keeper")
		must(t, "link", os.Symlink(zooraftBin, link))
		cmd := exec.Command(link, "server", "-D", fmt.Sprintf("clientPort=%d", testkit.Ports(t, 1)[0]), "-D", "admin.enableServer=false")
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
		seen := make(map[string]bool)
		for _, thread := range threads {
			got, err := os.ReadFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"))
			switch {
			case errors.Is(err, fs.ErrPermission):
				t.Skip("to read another thread's slack takes CAP_SYS_NICE")
			case errors.Is(err, fs.ErrNotExist): // it has ended
			case err != nil:
				t.Error(err)
			default:
				seen[strings.TrimSpace(string(got))] = true
			}
		}
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, tt.want) {
			t.Errorf("GOMAXPROCS=%s: the threads' slacks are %q ns, want %q", tt.procs, got, tt.want)
		}
		p.signal(syscall.SIGTERM)
		if code := p.exit(startTimeout); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}
