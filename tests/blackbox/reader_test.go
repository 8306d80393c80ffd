package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// Who reads the log may pause, or end: the server goes on, and ends in order.
func TestLogUnread(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	read, write, err := os.Pipe()
	must(t, "pipe", err)
	defer read.Close()
	ports := testkit.Ports(t, 1)
	dir := t.TempDir()
	config := filepath.Join(dir, "zoo.cfg")
	must(t, "write zoo.cfg", os.WriteFile(config, fmt.Appendf(nil, "dataDir=%s\nclientPort=%d\nadmin.enableServer=false\n", dir, ports[0]), 0o600))
	cmd := exec.Command("sh", "-c", `exec "$@" 2>&3`, "sh", zooraftBin, "server", config, "--log-level", "trace")
	cmd.ExtraFiles = []*os.File{write}
	p := launchCommand(t, cmd, syscall.SIGKILL)
	write.Close()
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	harness.Eventually(t, startTimeout, "the server serves", func() error {
		_, err := harness.FourLetter(addr, "srvr")
		return err
	})
	use := func(path string) {
		t.Helper()
		for i := range 200 { // more than a pipe takes, in lines
			c := mustConnect(t, addr)
			must(t, "create", c.create(fmt.Sprintf("%s-%d", path, i), ""))
			c.nc.Close()
		}
	}
	use("/unread")
	must(t, "set a deadline", read.SetReadDeadline(time.Now().Add(startTimeout)))
	var text strings.Builder
	for buf := make([]byte, 64<<10); strings.Count(text.String(), "op=create ") < 200; {
		n, err := read.Read(buf)
		must(t, "read the whole log", err)
		text.Write(buf[:n])
	}
	if text.Len() < 70<<10 {
		t.Errorf("%d bytes of log have room in a pipe", text.Len())
	}
	read.Close()
	use("/broken")
	p.signal(syscall.SIGTERM)
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
