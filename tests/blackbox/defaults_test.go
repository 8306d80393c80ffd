package blackbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// Exit codes, those of ZooKeeper.
const (
	exitInvalid      = 2
	exitElectionBind = 14
)

// serving waits for the line that a server prints when it serves, and returns the address to connect to.
func serving(t *testing.T, p *process) string {
	t.Helper()
	line := regexp.MustCompile(`^zooraft is serving on \S+ \(standalone\); connect with: zkCli\.sh -server (\S+)\n$`)
	var addr string
	harness.Eventually(t, startTimeout, "a line on stdout", func() error {
		if !p.running() {
			t.Fatalf("the server has ended: %v", p.cmd.ProcessState)
		}
		m := line.FindStringSubmatch(p.stdout.String())
		if m == nil {
			return fmt.Errorf("stdout is %q", p.stdout.String())
		}
		addr = m[1]
		return nil
	})
	return addr
}

// Without a file, a server serves with its data in ./data, and says so in one line on stdout.
func TestDefaults(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	for _, tt := range []struct {
		name, addr string
		args       []string
	}{
		{"no arguments", "127.0.0.1:2181", nil},
		{"any port", "", []string{"-D", "clientPort=0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.addr != "" && !free(tt.addr) {
				t.Skipf("%s is taken on this machine", tt.addr)
			}
			dir := t.TempDir()
			p := launch(t, dir, append([]string{"server"}, tt.args...)...)
			addr := serving(t, p)
			if tt.addr != "" && addr != tt.addr {
				t.Errorf("address: got %s, want %s", addr, tt.addr)
			}
			c := mustConnect(t, addr)
			must(t, "create", c.create("/a", "1"))
			if answer, err := harness.FourLetter(addr, "srvr"); err != nil || !strings.Contains(answer, "Mode: standalone\n") {
				t.Errorf("srvr: %q, %v", answer, err)
			}
			if answer, err := harness.FourLetter(addr, "stat"); err != nil || !strings.Contains(answer, "not in the whitelist") {
				t.Errorf("stat, which is off by default: %q, %v", answer, err)
			}
			p.signal(syscall.SIGTERM)
			if code := p.exit(startTimeout); code != 0 {
				t.Errorf("exit code after SIGTERM: got %d, want 0", code)
			}
			if lines := strings.Count(p.stdout.String(), "\n"); lines != 1 {
				t.Errorf("lines on stdout: got %d, want 1:\n%s", lines, p.stdout.String())
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != "data" || !entries[0].IsDir() {
				t.Errorf("in the working directory: %v, %v; want data alone", entries, err)
			}

			p = launch(t, dir, append([]string{"server"}, tt.args...)...)
			mustConnect(t, serving(t, p)).mustHold(t, "/a", "1")
			p.signal(syscall.SIGINT)
			if code := p.exit(startTimeout); code != 0 {
				t.Errorf("exit code after SIGINT: got %d, want 0", code)
			}
		})
	}
}

// free says whether a server could listen there, on all addresses.
func free(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// All faults of a configuration are told at once, each with its line.
func TestFaultsOfTheConfiguration(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	config := filepath.Join(t.TempDir(), "zoo.cfg")
	text := strings.Join([]string{
		"# a comment",
		"tickTime=quick",
		"dataDir=" + filepath.Join(filepath.Dir(config), "data"),
		"clientPort=123456",
		"globalOutstandingLimit=0",
		"server.1=localhost:2888",
		"raft.logStore=paper",
	}, "\n")
	must(t, "write zoo.cfg", os.WriteFile(config, []byte(text), 0o600))
	file := regexp.QuoteMeta(config)
	refuses(t, config, exitInvalid,
		`(?m)^`+file+`:2: tickTime: "quick"`,
		`(?m)^`+file+`:4: clientPort: .*123456`,
		`(?m)^`+file+`:5: globalOutstandingLimit: 0`,
		`(?m)^`+file+`:6: server\.1: `,
		`(?m)^`+file+`:7: raft\.logStore: "paper"`,
		`Invalid config, exiting abnormally\n$`)
	if _, err := os.Stat(filepath.Join(filepath.Dir(config), "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server with a faulty configuration made its data directory (%v)", err)
	}
	refuses(t, filepath.Join(filepath.Dir(config), "none.cfg"), exitInvalid, `none\.cfg`, `Invalid config, exiting abnormally\n$`)
}

// A port that another process holds ends the start, with a code of its own for the election port.
func TestPortInUse(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	e := harness.NewZooraft(t, harness.Options{Size: 3})
	s := e.Server(1)
	_, client, err := net.SplitHostPort(s.ClientAddr)
	must(t, "client port", err)
	for _, tt := range []struct {
		name, port string
		code       int
	}{
		{"election", strconv.Itoa(s.ElectionPort), exitElectionBind},
		{"quorum", strconv.Itoa(s.QuorumPort), exitElectionBind},
		{"client", client, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:"+tt.port)
			must(t, "listen", err)
			defer l.Close()
			refuses(t, s.Config, tt.code, `127\.0\.0\.1:`+tt.port+`.*address already in use`)
		})
	}
}

// SIGQUIT shows what a server is at, and it goes on; SIGHUP ends it in order, unless it is ignored as by nohup.
func TestSignals(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, "server", "-D", "clientPort=0")
	addr := serving(t, p)
	for range 2 {
		before := strings.Count(p.stderr.String(), "zooraft/server.(*Server)")
		p.signal(syscall.SIGQUIT)
		harness.Eventually(t, startTimeout, "stacks", func() error {
			if strings.Count(p.stderr.String(), "zooraft/server.(*Server)") == before {
				return errors.New("no stack of the server")
			}
			return nil
		})
	}
	if out, err := exec.Command(zooraftBin, "4lw", "srvr", addr).CombinedOutput(); err != nil {
		t.Errorf("after SIGQUIT: %v: %s", err, out)
	}
	end := syscall.SIGHUP
	if signal.Ignored(end) { // this test runs below nohup itself
		end = syscall.SIGTERM
	}
	p.signal(end)
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code after %v: got %d, want 0", end, code)
	}
	nohup := launchCommand(t, exec.Command("nohup", zooraftBin, "server", "-D", "clientPort=0", "-D", "dataDir="+dir+"/data"), syscall.SIGKILL)
	serving(t, nohup)
	nohup.signal(syscall.SIGHUP)
	nohup.signal(syscall.SIGTERM)
	if code := nohup.exit(startTimeout); code != 0 || !strings.Contains(nohup.stderr.String(), "signal=terminated") {
		t.Errorf("exit code %d, or it was not SIGTERM that ended it: %s", code, nohup.stderr.String())
	}
}

// The script that starts three servers on one machine does so, and stops them all by Ctrl-C. It is run as it is; its
// zoo.cfg files only get other ports.
func TestEnsembleScript(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	configs := filepath.Join(dir, "configs")
	must(t, "copy configs", os.CopyFS(configs, os.DirFS("../../configs")))
	ports := testkit.Ports(t, 12)
	var addrs []string
	for n := 1; n <= 3; n++ {
		edit(t, filepath.Join(configs, fmt.Sprintf("zoo%d.cfg", n)), func(b []byte) []byte {
			text := string(b)
			for i, from := range []string{"2181", "2182", "2183", "2888", "2889", "2890", "3888", "3889", "3890", "8080", "8081", "8082"} {
				text = regexp.MustCompile(`\b`+from+`\b`).ReplaceAllString(text, strconv.Itoa(ports[i]))
			}
			return []byte(text)
		})
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", ports[n-1]))
	}
	cmd := exec.Command(bash, filepath.Join(configs, "ensemble.sh"), zooraftBin)
	cmd.Dir = dir
	p := launchCommand(t, cmd, syscall.SIGTERM)
	t.Cleanup(func() { // before the script is killed, which would leave its servers
		if p.running() {
			p.signal(syscall.SIGTERM)
			p.exit(startTimeout)
		}
	})
	harness.Eventually(t, startTimeout, "three servers", func() error {
		if !p.running() {
			t.Fatal("the script has ended")
		}
		modes := ""
		for _, addr := range addrs {
			answer, err := harness.FourLetter(addr, "srvr")
			if err != nil {
				return err
			}
			if _, mode, ok := strings.Cut(answer, "Mode: "); ok {
				modes += mode[:1]
			}
		}
		if strings.Count(modes, "l") != 1 || strings.Count(modes, "f") != 2 {
			return fmt.Errorf("modes %q", modes)
		}
		return nil
	})
	c := mustConnect(t, addrs[0])
	must(t, "create", c.create("/a", "1"))
	mustConnect(t, addrs[2]).mustHold(t, "/", "")

	began := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code of the script after SIGINT: got %d, want 0", code)
	}
	t.Logf("all ended after %v", time.Since(began).Round(time.Millisecond))
	for n, addr := range addrs {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			t.Errorf("server %d still listens on %s", n+1, addr)
		}
		shown := fmt.Sprintf("[%d] zooraft is serving on %s (server %d of 3)", n+1, addr, n+1)
		if all := p.stdout.String(); !strings.Contains(all, shown) {
			t.Errorf("the script did not show %q", shown)
		}
		shown = fmt.Sprintf("Started AdminServer on address 127.0.0.1, port %d ", ports[9+n])
		if all := p.stdout.String(); !strings.Contains(all, shown) {
			t.Errorf("the script did not show %q", shown)
		}
	}
}
