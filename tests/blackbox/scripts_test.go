package blackbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// deployDir holds what is tested here.
const deployDir = "../../deploy"

// scriptLines are what zkServer.sh writes to standard error before anything else.
const scriptLines = "ZooKeeper JMX enabled by default\nUsing config: %s\n"

// installation is a directory as an operator unpacks one: bin, conf, logs, data.
type installation struct {
	t    *testing.T
	root string
	env  []string
}

// newInstallation installs the scripts, with the program under test. The servers that are started by them end with the test.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SCRIPTS NOT TESTED: no bash")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{t: t, root: root}
	must(t, "install", os.CopyFS(in.path("bin"), os.DirFS(filepath.Join(deployDir, "bin"))))
	must(t, "install", os.Symlink(zooraftBin, in.path("bin", "zooraft")))
	must(t, "install", os.Mkdir(in.path("conf"), 0o755))
	for _, name := range []string{"GORACE", "PATH"} {
		in.env = append(in.env, name+"="+os.Getenv(name))
	}
	in.env = append(in.env, "USER=operator")
	in.watch()
	t.Cleanup(func() {
		if logs, _ := filepath.Glob(in.path("logs", "*.out")); t.Failed() {
			for _, log := range logs {
				b, _ := os.ReadFile(log)
				t.Logf("%s:\n%s", log, b)
			}
		}
	})
	return in
}

func (in *installation) path(elem ...string) string {
	return filepath.Join(append([]string{in.root}, elem...)...)
}

func (in *installation) write(text string, elem ...string) string {
	in.t.Helper()
	path := in.path(elem...)
	must(in.t, "write", os.MkdirAll(filepath.Dir(path), 0o755))
	must(in.t, "write", os.WriteFile(path, []byte(text), 0o644))
	return path
}

// server writes a standalone server's configuration.
func (in *installation) server(name string, lines ...string) (config, dataDir string, port int) {
	in.t.Helper()
	port = testkit.Ports(in.t, 1)[0]
	dataDir = in.path("data-" + name)
	text := fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%d\nadmin.enableServer=false\n%s\n", dataDir, port, strings.Join(lines, "\n"))
	return in.write(text, "conf", name), dataDir, port
}

// watch ends the servers that have a pid file below the installation when the test ends, in whatever way: they are no
// children of the test's.
func (in *installation) watch() {
	in.t.Helper()
	const program = `cat
for file in "$0"/*/*.pid; do
  pid=$(cat "$file") && [[ $(cat "/proc/$pid/comm") == zooraft ]] && kill -KILL "$pid"
done`
	watcher := exec.Command("bash", "-c", program, in.root)
	alive, err := watcher.StdinPipe()
	must(in.t, "watch", err)
	must(in.t, "watch", watcher.Start())
	in.t.Cleanup(func() {
		alive.Close()
		_ = watcher.Wait() // its code says whether the last of the files named a server
	})
}

// run runs a program from /, waits for its end, and returns what it wrote and its exit code.
func (in *installation) run(env []string, name string, args ...string) (stdout, stderr string, code int) {
	in.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = append(append([]string(nil), in.env...), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		in.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// expect runs a script and compares all that can be seen of it. A %d in want stands for any number.
func (in *installation) expect(stdout, stderr string, code int, env []string, name string, args ...string) {
	in.t.Helper()
	gotOut, gotErr, gotCode := in.run(env, name, args...)
	for _, stream := range []struct{ name, got, want string }{{"stdout", gotOut, stdout}, {"stderr", gotErr, stderr}} {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(stream.want), "%d", "[0-9]+") + "$"
		if !regexp.MustCompile(pattern).MatchString(stream.got) {
			in.t.Errorf("%s %v %q, %s:\n got %q\nwant %q", filepath.Base(name), env, args, stream.name, stream.got, stream.want)
		}
	}
	if gotCode != code {
		in.t.Errorf("%s %v %q: exit code %d, want %d; stderr: %s", filepath.Base(name), env, args, gotCode, code, gotErr)
	}
}

// awaitStatus waits until zkServer.sh status succeeds.
func (in *installation) awaitStatus(env []string, name string, args ...string) (stdout string) {
	in.t.Helper()
	harness.Eventually(in.t, startTimeout, "zkServer.sh status", func() error {
		out, stderr, code := in.run(env, name, args...)
		if stdout = out; code != 0 {
			return fmt.Errorf("exit code %d, %s%s", code, out, stderr)
		}
		return nil
	})
	return stdout
}

// The verbs, run from another directory through a link, print ZooKeeper's lines and end with its codes.
func TestServerScript(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	_, dataDir, port := in.server("zoo.cfg")
	pidFile := filepath.Join(dataDir, "zookeeper_server.pid")
	lines := fmt.Sprintf(scriptLines, in.root+"/bin/../conf/zoo.cfg")
	link := in.path("elsewhere", "zkServer.sh")
	must(t, "link", os.Mkdir(filepath.Dir(link), 0o755))
	must(t, "link", os.Symlink("../bin/zkServer.sh", link))
	found := fmt.Sprintf("Client port found: %d. Client address: localhost. Client SSL: false.\n", port)

	in.expect("", lines+"Usage: "+link+" [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}\n", 1, nil, link)
	in.expect(found+"Error contacting service. It is probably not running.\n", lines, 1, nil, link, "status")
	in.expect("Stopping zookeeper ... no zookeeper to stop (could not find file "+pidFile+")\n", lines, 0, nil, link, "stop")
	in.expect("Starting zookeeper ... STARTED\n", lines, 0, nil, link, "start")
	in.expect("Starting zookeeper ... already running as process %d.\n", lines, 1, nil, link, "start")
	if got := in.awaitStatus(nil, link, "status"); got != found+"Mode: standalone\n" {
		t.Errorf("status: got %q", got)
	}
	first, err := os.ReadFile(pidFile)
	must(t, "read the pid file", err)
	in.expect("Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n", lines+lines+lines, 0, nil, link, "restart")
	if second, err := os.ReadFile(pidFile); err != nil || bytes.Equal(first, second) {
		t.Errorf("pid file after restart: %q, before %q, %v", second, first, err)
	}
	host, err := os.Hostname()
	must(t, "host name", err)
	log, err := os.ReadFile(in.path("logs", "zookeeper-operator-server-"+host+".out"))
	must(t, "read the output", err)
	if !strings.Contains(string(log), "Reading configuration from: ") {
		t.Errorf("output of the server:\n%s", log)
	}
	in.expect("Stopping zookeeper ... STOPPED\n", lines, 0, nil, link, "stop")
	in.expect("Stopping zookeeper ... no zookeeper to stop (could not find file "+pidFile+")\n", lines, 0, nil, link, "stop")

	// What a reboot leaves is no server: not its number alone, nor another program under it.
	must(t, "write a stale pid", os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())), 0o644))
	in.expect("Starting zookeeper ... STARTED\n", lines, 0, nil, link, "start")
	pid, err := os.ReadFile(pidFile)
	must(t, "read the pid file", err)
	server, err := strconv.Atoi(string(pid))
	must(t, "read the pid file", err)
	must(t, "kill the server", syscall.Kill(server, syscall.SIGKILL))
	harness.Eventually(t, startTimeout, "the server is dead", func() error {
		if err := syscall.Kill(server, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal 0: %v", err)
		}
		return nil
	})
	in.expect("Stopping zookeeper ... STOPPED\n", lines, 0, nil, link, "stop")
	if _, err := os.Stat(pidFile); !os.IsNotExist(err) {
		t.Errorf("the pid file is still there: %v", err)
	}

	out, stderr, code := in.run(nil, link, "version")
	if !regexp.MustCompile(`^Apache ZooKeeper, version 3\.9\.\d+-zooraft-\S+ \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$`).MatchString(out) || stderr != lines || code != 0 {
		t.Errorf("version: %q, %q, code %d", out, stderr, code)
	}
}

// A server that cannot start is not said to be started, and why is shown.
func TestServerScriptFailure(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	script := in.path("bin", "zkServer.sh")
	in.server("bad.cfg", "syncLimit=many")
	out, stderr, code := in.run(nil, script, "start", "bad.cfg")
	if out != "Starting zookeeper ... FAILED TO START\n" || code != 1 || !strings.Contains(stderr, "Invalid config, exiting abnormally") {
		t.Errorf("bad configuration: %q, %q, code %d", out, stderr, code)
	}
	out, stderr, code = in.run(nil, script, "start", "missing.cfg")
	if out != "Starting zookeeper ... FAILED TO START\n" || code != 1 || !strings.Contains(stderr, "missing.cfg file is missing") {
		t.Errorf("no configuration: %q, %q, code %d", out, stderr, code)
	}
	config, dataDir, _ := in.server("good.cfg")
	in.expect("ZooKeeper data directory is missing at "+dataDir+" fix the path or run initialize\n", fmt.Sprintf(scriptLines, config),
		1, []string{"ZOO_DATADIR_AUTOCREATE_DISABLE=1"}, script, "start", config)
	out, stderr, code = in.run([]string{"ZOORAFT=/nowhere/zooraft"}, script, "start", config)
	if out != "Starting zookeeper ... SERVER DID NOT START\n" || code != 1 || !strings.Contains(stderr, "/nowhere/zooraft") {
		t.Errorf("no program: %q, %q, code %d", out, stderr, code)
	}
	if os.Getuid() == 0 {
		return // root may write anywhere
	}
	must(t, "lock the directory", os.Mkdir(dataDir, 0o555))
	if out, _, code := in.run(nil, script, "start", config); !strings.HasSuffix(out, "FAILED TO WRITE PID\n") || code != 1 {
		t.Errorf("pid file not writable: %q, code %d", out, code)
	}
}

// Files and variables reach the server: java.env, zookeeper-env.sh, --config, ZOOPIDFILE, ZOO_LOG_DIR, JVMFLAGS, the log level.
func TestServerScriptEnvironment(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	script := in.path("bin", "zkServer.sh")
	_, _, port := in.server("other.cfg")
	must(t, "move", os.Rename(in.path("conf"), in.path("etc")))
	pidFile := in.path("run", "zk.pid")
	in.write("ZOOPIDFILE="+pidFile+"\nZOO_LOG_DIR="+in.path("log")+"\n", "etc", "zookeeper-env.sh")
	in.write("SERVER_JVMFLAGS='-Xmx512m -Dzookeeper.4lw.commands.whitelist=ruok'\n", "etc", "java.env")
	env := []string{"ZOO_LOG4J_PROP=DEBUG,CONSOLE", "JVMFLAGS=-Dzookeeper.maxCnxns=50"}
	lines := fmt.Sprintf(scriptLines, in.path("etc", "other.cfg"))

	in.expect("Starting zookeeper ... STARTED\n", lines, 0, env, script, "--config", in.path("etc"), "start", "other.cfg")
	in.awaitStatus(env, script, "--config", in.path("etc"), "status", "other.cfg")
	if answer, err := harness.FourLetter(fmt.Sprintf("localhost:%d", port), "ruok"); err != nil || answer != "imok" {
		t.Errorf("ruok: %q, %v; SERVER_JVMFLAGS of java.env has not arrived", answer, err)
	}
	logs, err := filepath.Glob(in.path("log", "zookeeper-operator-server-*.out"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("files in ZOO_LOG_DIR: %q, %v", logs, err)
	}
	log, err := os.ReadFile(logs[0])
	must(t, "read the output", err)
	if !strings.Contains(string(log), "[DEBUG]") {
		t.Errorf("ZOO_LOG4J_PROP=DEBUG,CONSOLE has brought no debugging output:\n%s", log)
	}
	in.expect("Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n", lines+lines+lines, 0, env, script, "--config", in.path("etc"), "restart", "other.cfg")
	in.expect("Stopping zookeeper ... STOPPED\n", lines, 0, env, script, "--config", in.path("etc"), "stop", "other.cfg")

	// The command that is printed is one that a shell runs, with all that the server would get.
	out, _, code := in.run(env, script, "--config", in.path("etc"), "print-cmd", "other.cfg")
	if code != 0 {
		t.Fatalf("print-cmd: exit code %d", code)
	}
	p := launchCommand(t, exec.Command("bash", "-c", "exec env "+strings.TrimSpace(out)), syscall.SIGKILL)
	in.awaitStatus(env, script, "--config", in.path("etc"), "status", "other.cfg")
	if answer, err := harness.FourLetter(fmt.Sprintf("localhost:%d", port), "ruok"); err != nil || answer != "imok" {
		t.Errorf("ruok to what print-cmd prints: %q, %v", answer, err)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code of what print-cmd prints: %d", code)
	}

	out, stderr, _ := in.run([]string{"JMXPORT=9999", "JMXHOSTNAME=zk1"}, script, "print-cmd")
	for _, want := range []string{"ZooKeeper remote JMX Port set to 9999\n", "JMX authenticate set to false\n", "JMX Hostname set to zk1\n", "nothing will listen on 9999"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("JMXPORT: no %q in %q (%s)", want, stderr, out)
		}
	}
	if _, stderr, _ := in.run([]string{"JMXDISABLE=true"}, script, "print-cmd"); !strings.HasPrefix(stderr, "JMX disabled by user request\nUsing config: ") {
		t.Errorf("JMXDISABLE: %q", stderr)
	}
}

// In the foreground the server is the process itself, or with ZOO_NOEXEC the script's child; the exit code is its own.
func TestServerScriptForeground(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	script := in.path("bin", "zkServer.sh")
	_, dataDir, port := in.server("zoo.cfg")
	cmd := exec.Command(script, "start-foreground")
	cmd.Env = in.env
	p := launchCommand(t, cmd, syscall.SIGKILL)
	harness.Eventually(t, startTimeout, "serves", func() error {
		answer, err := harness.FourLetter(fmt.Sprintf("localhost:%d", port), "srvr")
		if err == nil && !strings.Contains(answer, "Mode: ") {
			err = errors.New(answer)
		}
		return err
	})
	if _, err := exec.LookPath("flock"); err == nil { // nothing is taken from under a server that runs
		in.expect("A server is running on "+dataDir+"; stop it first\n", "", 1, nil, in.path("bin", "zkServer-initialize.sh"), "--force")
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(startTimeout); code != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0", code)
	}
	in.write("dataDir=\n", "conf", "bad.cfg")
	for _, env := range [][]string{nil, {"ZOO_NOEXEC=1"}} {
		if _, stderr, code := in.run(env, script, "start-foreground", "bad.cfg"); code != exitInvalid || !strings.HasSuffix(stderr, "Invalid config, exiting abnormally\n") {
			t.Errorf("bad configuration, %q: exit code %d, %s", env, code, stderr)
		}
	}
}

// zkServer.sh status looks for the client port where ZooKeeper's does.
func TestServerScriptFindsThePort(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	in.write("2\n", "data", "myid")
	dynamic := in.write("server.1=a:2888:3888;2191\nserver.2=b:2888:3888;2192\n", "conf", "zoo.cfg.dynamic.100000000")
	data := "dataDir=" + in.path("data") + "\n"
	const (
		nobody   = "Error contacting service. It is probably not running.\n"
		static   = "Client port not found in static config file. Looking in dynamic config file.\n"
		notThere = "Client port not found in the server configs\n"
		secure   = "Client port not found. Looking for secureClientPort in the static config.\n"
		none     = "Unable to find either secure or unsecure client port in any configs. Terminating.\n"
	)
	found := func(port int, address string, tls bool) string {
		return fmt.Sprintf("Client port found: %d. Client address: %s. Client SSL: %v.\n", port, address, tls) + nobody
	}
	closed := testkit.Ports(t, 1)[0]
	tests := []struct{ name, config, want string }{
		{"clientPort", data + fmt.Sprintf(" clientPort = %d \r\n#clientPort=1\n", closed), found(closed, "localhost", false)},
		{"the last one counts", data + fmt.Sprintf("clientPort=1\nclientPort: %d\n", closed), found(closed, "localhost", false)},
		{"its address", data + fmt.Sprintf("clientPort=%d\nclientPortAddress=127.0.0.1\n", closed), found(closed, "127.0.0.1", false)},
		{"server line", data + fmt.Sprintf("server.1=a:1:2;3\nserver.2=b:2888:3888;%d\n", closed), found(closed, "localhost", false)},
		{"server line with an address", data + fmt.Sprintf("server.2=b:2888:3888:participant;[::1]:%d\n", closed), found(closed, "::1", false)},
		{"dynamic file", data + "dynamicConfigFile=" + dynamic + "\n", static + found(2192, "localhost", false)},
		{"TLS", data + "secureClientPort=2281\nserver.2=b:2888:3888\n", static + notThere + secure + found(2281, "localhost", true)},
		{"none", data + "server.2=b:2888:3888\n", static + notThere + secure + none},
		{"no myid", "dataDir=/nowhere\n", "myid could not be determined, will not able to locate clientPort in the server configs.\n" + secure + none},
	}
	for _, tt := range tests {
		config := in.write(tt.config, "conf", strings.ReplaceAll(tt.name, " ", "-")+".cfg")
		in.expect(tt.want, fmt.Sprintf(scriptLines, config), 1, nil, in.path("bin", "zkServer.sh"), "status", config)
	}
}

func TestOtherScripts(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	data, log := in.path("data"), in.path("log")
	config := in.write("dataDir="+data+"\ndataLogDir="+log+"\nclientPort=2181\nautopurge.snapRetainCount=5\n", "conf", "zoo.cfg")
	initialize := in.path("bin", "zkServer-initialize.sh")
	file := "--configfile=" + config

	in.expect("Using myid of 3\n", "", 0, nil, initialize, file, "--myid=3")
	if b, err := os.ReadFile(filepath.Join(data, "myid")); err != nil || string(b) != "3\n" {
		t.Errorf("myid: %q, %v", b, err)
	}
	for _, path := range []string{filepath.Join(data, "initialize"), log} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	in.write("", "data", "raft", "identity")
	in.expect("ZooKeeper data directory already exists at "+data+" (or use --force to force re-initialization)\n", "", 1, nil, initialize, file)
	in.expect("Force enabled, data/txnlog directories will be re-initialized\nNo myid provided, be sure to specify it in "+data+"/myid if using non-standalone\n",
		"", 0, nil, initialize, file, "--force")
	for _, gone := range []string{"raft", "myid"} {
		if _, err := os.Stat(filepath.Join(data, gone)); !os.IsNotExist(err) {
			t.Errorf("%s after --force: %v", gone, err)
		}
	}
	in.write("", "log", "raft", "log", "segments")
	in.expect("ZooKeeper txnlog directory already exists at "+log+" (or use --force to force re-initialization)\n", "", 1, nil, initialize, file)
	usage := "usage: " + initialize + " [-h|--help] [--configfile=FILE] [--myid=N] [--force]\n"
	in.expect(usage, "", 1, nil, initialize, "--help")
	in.expect("Unknown option: --purge\n"+usage, "", 1, nil, initialize, "--purge")

	cleanup := in.path("bin", "zkCleanup.sh")
	usage = "Usage: " + cleanup + " [--config <conf-dir>] [dataLogDir [snapDir]] -n count   (count of 3 or more)\n"
	in.expect("", usage, 1, nil, cleanup)
	in.expect("", "count should be greater than or equal to 3\n"+usage, 1, nil, cleanup, "-n", "2")
	kept := "Nothing removed: the server itself keeps its 5 newest snapshots and the log that they need (autopurge.snapRetainCount in " + in.root + "/bin/../conf/zoo.cfg).\n"
	in.expect(kept, "", 0, nil, cleanup, "-n", "3")
	in.expect(kept, "", 0, nil, cleanup, log, data, "-n", "10")

	toolkit := in.path("bin", "zkSnapShotToolkit.sh")
	in.expect("", "USAGE: "+toolkit+" [-d|-json] snapshot_file\n", 2, nil, toolkit)
	if _, stderr, code := in.run(nil, toolkit, "-json", in.path("none")); code != 1 || !strings.Contains(stderr, in.path("none")) {
		t.Errorf("zkSnapShotToolkit.sh: %d, %s", code, stderr)
	}
	for _, name := range []string{"zkTxnLogToolkit.sh", "zkSnapshotComparer.sh", "zkSnapshotRecursiveSummaryToolkit.sh"} {
		if stdout, stderr, code := in.run(nil, in.path("bin", name), "-x"); stdout != "" || code != 1 || !strings.HasPrefix(stderr, name+": not supported") {
			t.Errorf("%s: %d, %s%s", name, code, stdout, stderr)
		}
	}

	stdout, stderr, code := in.run(nil, in.path("bin", "zkCli.sh"), "-server", "localhost:1", "ls", "/")
	if stdout != "Connecting to localhost:1\n" || code != 1 ||
		!strings.HasPrefix(stderr, "KeeperErrorCode = ConnectionLoss for /\nno server of localhost:1 answers: ") {
		t.Errorf("zkCli.sh where nobody listens: %d, %q, %q", code, stdout, stderr)
	}
}

// A service script of System V's kind works on top: the one that comes along, and one that calls zkServer.sh by sh as old
// instructions do.
func TestServiceScript(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	in.server("zoo.cfg")
	who, err := exec.Command("id", "-un").Output()
	must(t, "id", err)
	defaults := in.write("ZOOKEEPER_HOME="+in.root+"\nRUN_AS="+string(who), "defaults")
	script, err := filepath.Abs(filepath.Join(deployDir, "init.d", "zooraft"))
	must(t, "path", err)
	env := []string{"DEFAULTS=" + defaults}
	check := func(script, verb string, code int, want string) {
		t.Helper()
		out, stderr, got := in.run(env, script, verb)
		if got != code || !strings.Contains(out, want) {
			t.Errorf("%s %s: exit code %d, %q, %q; want %d and %q", filepath.Base(script), verb, got, out, stderr, code, want)
		}
	}
	check(script, "status", 3, "It is probably not running")
	check(script, "start", 0, "STARTED")
	check(script, "start", 0, "already running as process")
	in.awaitStatus(env, script, "status")
	check(script, "restart", 0, "STOPPED\nStarting zookeeper ... STARTED")
	check(script, "stop", 0, "STOPPED")
	check(script, "stop", 0, "no zookeeper to stop")
	check(script, "reload", 2, "")

	bash, err := exec.LookPath("bash")
	must(t, "bash", err)
	must(t, "link", os.Symlink(bash, in.path("sh")))
	old := in.write(fmt.Sprintf(`#!%[1]s/sh
case "$1" in
  start) %[1]s/sh %[1]s/bin/zkServer.sh start %[1]s/conf/zoo.cfg ;;
  stop) %[1]s/sh %[1]s/bin/zkServer.sh stop %[1]s/conf/zoo.cfg ;;
  status) %[1]s/sh %[1]s/bin/zkServer.sh status %[1]s/conf/zoo.cfg ;;
esac
`, in.root), "old")
	must(t, "chmod", os.Chmod(old, 0o755))
	check(old, "start", 0, "STARTED")
	if got := in.awaitStatus(nil, old, "status"); !strings.HasSuffix(got, "Mode: standalone\n") {
		t.Errorf("status: %q", got)
	}
	check(old, "stop", 0, "STOPPED")
}

// Three configurations on one host, as in every first tutorial.
func TestThreeConfigurationsOnOneHost(t *testing.T) {
	harness.SkipShort(t)
	t.Parallel()
	in := newInstallation(t)
	script := in.path("bin", "zkServer.sh")
	ports := testkit.Ports(t, 6)
	var members strings.Builder
	for i := range 3 {
		fmt.Fprintf(&members, "server.%d=localhost:%d:%d\n", i+1, ports[2*i], ports[2*i+1])
	}
	for i := range 3 {
		name := fmt.Sprintf("zoo%d.cfg", i+1)
		_, dataDir, _ := in.server(name, "initLimit=10", "syncLimit=5", members.String())
		in.write(strconv.Itoa(i+1), filepath.Base(dataDir), "myid")
		env := []string{"ZOO_LOG_DIR=" + filepath.Join(dataDir, "log")}
		if out, stderr, code := in.run(env, script, "start", name); code != 0 || out != "Starting zookeeper ... STARTED\n" {
			t.Fatalf("start %s: exit code %d, %q, %q", name, code, out, stderr)
		}
	}
	harness.Eventually(t, startTimeout, "one leader and two followers", func() error {
		modes := make(map[string]int)
		for i := range 3 {
			out := in.awaitStatus(nil, script, "status", fmt.Sprintf("zoo%d.cfg", i+1))
			modes[out[strings.Index(out, "Mode:"):]]++
		}
		if modes["Mode: leader\n"] != 1 || modes["Mode: follower\n"] != 2 {
			return fmt.Errorf("modes: %v", modes)
		}
		return nil
	})
	leaders := 0
	for i := range 3 {
		logs, err := filepath.Glob(in.path(fmt.Sprintf("data-zoo%d.cfg", i+1), "log", "*.out"))
		if err != nil || len(logs) != 1 {
			t.Fatalf("output: %q, %v", logs, err)
		}
		b, err := os.ReadFile(logs[0])
		must(t, "read the output", err)
		checkOperatorsLog(t, i+1, string(b))
		leaders += strings.Count(string(b), "LEADING - LEADER ELECTION TOOK - ")
		in.expect("Stopping zookeeper ... STOPPED\n", fmt.Sprintf(scriptLines, fmt.Sprintf("%s/bin/../conf/zoo%d.cfg", in.root, i+1)),
			0, nil, script, "stop", fmt.Sprintf("zoo%d.cfg", i+1))
	}
	if leaders == 0 {
		t.Error("nobody has said LEADING")
	}
}

// checkOperatorsLog looks for what an operator looks for at the first start of a member, in that order.
func checkOperatorsLog(t *testing.T, sid int, log string) {
	t.Helper()
	rest := log
	for _, pattern := range []string{
		`Reading configuration from: \S+\n`,
		`tickTime set to 2000\n`,
		`initLimit set to 10\n`,
		fmt.Sprintf(`Starting quorum peer, myid=%d\n`, sid),
		`my election bind port: /\S+:\d+\n`,
		`LOOKING\n`,
		fmt.Sprintf(`New election\. My id = %d, proposed zxid=0x0\n`, sid),
		`(FOLLOWING|LEADING)\n`,
		`(FOLLOWING|LEADING) - LEADER ELECTION TOOK - \d+ MS`,
		`zooraft is serving on `,
	} {
		at := regexp.MustCompile(pattern).FindStringIndex(rest)
		if at == nil {
			t.Errorf("server %d: no %q, where it belongs, in its log:\n%s", sid, pattern, log)
			return
		}
		rest = rest[at[1]:]
	}
	// It is no matter of order: a leader's word may come before the votes.
	if !regexp.MustCompile(`Notification: my state:(LOOKING|FOLLOWING|LEADING); n\.sid:\d, n\.state:`).MatchString(log) {
		t.Errorf("server %d: no notification in its log:\n%s", sid, log)
	}
}

// need finds a program that looks at files of ours. Without it the test is skipped, with word in front; it fails where
// .ci/run, which sets CI, has installed the package.
func need(t *testing.T, name, word, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: no %s, which .ci/run installs", word, name)
		}
		t.Skipf("%s: no %s (package %s)", word, name, pkg)
	}
	return path
}

// The scripts hold what shellcheck looks for.
func TestShellcheck(t *testing.T) {
	shellcheck := need(t, "shellcheck", "SCRIPTS NOT CHECKED", "shellcheck")
	scripts, err := filepath.Glob("../../deploy/bin/*.sh")
	if err != nil || len(scripts) < 5 {
		t.Fatalf("scripts: %q, %v", scripts, err)
	}
	more, err := filepath.Glob("../../configs/*.sh")
	must(t, "list", err)
	scripts = append(append(scripts, more...), "../../deploy/init.d/zooraft", "../../.ci/run")
	if out, err := exec.Command(shellcheck, append([]string{"-x", "-P", "../.."}, scripts...)...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
