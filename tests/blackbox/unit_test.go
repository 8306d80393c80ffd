package blackbox

import (
	"fmt"
	"net"
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

// exposure is how much systemd may find open in the unit, in tenths; a unit without any protection has 96.
const exposure = "15"

// The unit holds nothing that systemd does not know or passes over, and leaves the server little that it does not need.
func TestSystemdUnit(t *testing.T) {
	harness.SkipShort(t)
	analyze := need(t, "systemd-analyze", "UNIT NOT TESTED", "systemd")
	unit, err := os.ReadFile(filepath.Join(deployDir, "systemd", "zooraft.service"))
	must(t, "read the unit", err)
	// It must find the program.
	text := strings.Replace(string(unit), "ExecStart=/opt/zooraft/bin/zooraft ", "ExecStart="+zooraftBin+" ", 1)
	if text == string(unit) {
		t.Fatal("the unit starts another program than /opt/zooraft/bin/zooraft")
	}
	path := filepath.Join(t.TempDir(), "zooraft.service")
	must(t, "write the unit", os.WriteFile(path, []byte(text), 0o644))
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold="+exposure, path).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// A member whose fellows are not there yet tells systemd that it is ready, or it would be killed as one that hangs.
func TestReadyWithoutAQuorum(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	dir := t.TempDir()
	ports := testkit.Ports(t, 7)
	lines := fmt.Sprintf("dataDir=%s/data\nclientPort=%d\ninitLimit=10\nsyncLimit=5\n", dir, ports[6])
	for i := range 3 {
		lines += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, ports[2*i], ports[2*i+1])
	}
	config := filepath.Join(dir, "zoo.cfg")
	must(t, "write", os.Mkdir(filepath.Join(dir, "data"), 0o755))
	must(t, "write", os.WriteFile(filepath.Join(dir, "data", "myid"), []byte("1"), 0o644))
	must(t, "write", os.WriteFile(config, []byte(lines), 0o644))

	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	must(t, "listen", err)
	defer socket.Close()
	must(t, "set a deadline", socket.SetReadDeadline(time.Now().Add(startTimeout)))
	cmd := exec.Command(zooraftBin, "server", config)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	p := launchCommand(t, cmd, syscall.SIGKILL)
	next := func(want string) {
		t.Helper()
		b := make([]byte, 1024)
		n, err := socket.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("message %q, %v; want %q", b[:n], err, want)
		}
	}
	next("READY=1\n")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[6]))
	must(t, "dial the client port of a server that is ready", err)
	conn.Close()
	p.signal(syscall.SIGTERM)
	next("STOPPING=1")
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code: %d", code)
	}
}
