//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/testkit"
)

// TestKafka runs the program under kafka/ with a Kafka broker, in ZooKeeper mode, on an ensemble of three whose servers
// are killed under it; each of its cases is a subtest here. At the end it shows what the broker's log says of its ZooKeeper
// session. It takes half a minute to a minute, and so runs when asked only.
func TestKafka(t *testing.T) {
	onlyFull(t)
	jars := filepath.Join(deps(t), kafkaDir)
	if _, err := os.Stat(filepath.Join(jars, ".complete")); err != nil {
		lacking(t, "Kafka's jars in "+jars)
	}
	classes := compileJava(t, filepath.Join(jars, "*"), "kafka/*.java", "curator/Check.java")
	e := start(t, 3)
	b := newBroker(t, jars, e.Connect()+kafkaChroot)
	b.start()
	killed := 0
	cmd := exec.CommandContext(withDeadline(t, 5*time.Minute), java(t), "-Xmx256m", "-XX:+UseSerialGC",
		"-cp", strings.Join([]string{b.dir, classes, filepath.Join(jars, "*")}, string(os.PathListSeparator)),
		"Journey", b.addr, e.Connect()+kafkaChroot)
	runCases(t, cmd, func(what string) {
		t.Logf("%s %s", time.Now().UTC().Format("15:04:05.000"), what)
		switch what {
		case "kill-leader":
			killed = e.Leader()
			t.Logf("server %d leads, the broker is connected to %d", killed, b.connectedTo(e))
			e.Kill(killed)
		case "kill-connected":
			killed = b.connectedTo(e)
			e.Kill(killed)
		case "restart":
			e.Start(killed)
			e.WaitServing(killed)
		case "restart-broker":
			b.stop()
			b.start()
		default:
			t.Errorf("it asks for what nobody can do: %q", what)
		}
	})
	b.stop()
	b.showSession()
}

const (
	kafkaChroot = "/kafka"
	// Its session outlives any election.
	brokerProperties = `broker.id=1
listeners=PLAINTEXT://%s
log.dirs=%s
zookeeper.connect=%s
zookeeper.session.timeout.ms=18000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
authorizer.class.name=kafka.security.authorizer.AclAuthorizer
super.users=User:ANONYMOUS
`
	brokerLog4j = `log4j.rootLogger=%s, ERR
log4j.appender.ERR=org.apache.log4j.ConsoleAppender
log4j.appender.ERR.target=System.err
log4j.appender.ERR.layout=org.apache.log4j.PatternLayout
log4j.appender.ERR.layout.ConversionPattern=%%d{HH:mm:ss,SSS} %%p %%c{1}: %%m%%n
`
)

// broker is a Kafka broker: a process, its directory and its log over all its starts.
type broker struct {
	t          *testing.T
	jars       string
	dir        string // holds the log configuration of those who have it on their class path
	addr       string
	properties string
	log        string
	cmd        *exec.Cmd
}

func newBroker(t *testing.T, jars, connect string) *broker {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("ZOORAFT_KEEP"); keep != "" {
		var err error
		dir, err = os.MkdirTemp(keep, "broker-")
		must(t, "directory", err)
	}
	b := &broker{t: t, jars: jars, dir: dir, addr: fmt.Sprintf("127.0.0.1:%d", testkit.Ports(t, 1)[0]),
		properties: filepath.Join(dir, "server.properties"), log: filepath.Join(dir, "broker.log")}
	for name, text := range map[string]string{
		b.properties:                           fmt.Sprintf(brokerProperties, b.addr, filepath.Join(dir, "data"), connect),
		filepath.Join(dir, "log4j.properties"): fmt.Sprintf(brokerLog4j, "ERROR"),
		filepath.Join(dir, "broker-log4j"):     fmt.Sprintf(brokerLog4j, "INFO"),
	} {
		must(t, "write", os.WriteFile(name, []byte(text), 0o600))
	}
	t.Cleanup(func() {
		if b.cmd != nil && b.cmd.ProcessState == nil {
			_ = b.cmd.Process.Kill()
			_ = b.cmd.Wait()
		}
		if t.Failed() {
			text, _ := os.ReadFile(b.log)
			t.Logf("end of the broker's log:\n%s", text[max(0, len(text)-8<<10):])
		}
	})
	return b
}

// start starts the broker; its clients wait until it serves. It is killed before the test's deadline could be.
func (b *broker) start() {
	b.t.Helper()
	out, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(b.t, "open log", err)
	defer out.Close()
	b.cmd = exec.CommandContext(withDeadline(b.t, 5*time.Minute), java(b.t), "-Xmx512m", "-XX:+UseSerialGC",
		"-Dlog4j.configuration=file:"+filepath.Join(b.dir, "broker-log4j"),
		"-cp", filepath.Join(b.jars, "*"), "kafka.Kafka", b.properties)
	b.cmd.Stdout, b.cmd.Stderr = out, out
	must(b.t, "start broker", b.cmd.Start())
}

// stop asks the broker to end, and waits for it.
func (b *broker) stop() {
	b.t.Helper()
	must(b.t, "signal", b.cmd.Process.Signal(syscall.SIGTERM))
	_ = b.cmd.Wait() // a JVM that a signal ends says 143
}

var established = regexp.MustCompile(`Session establishment complete on server \S*?:(\d+),`)

// connectedTo is the server that the broker's session is on, as it last said.
func (b *broker) connectedTo(e *harness.Ensemble) int {
	b.t.Helper()
	text, err := os.ReadFile(b.log)
	must(b.t, "read log", err)
	if all := established.FindAllSubmatch(text, -1); len(all) > 0 {
		for sid, addr := range e.ClientAddrs() {
			if strings.HasSuffix(addr, ":"+string(all[len(all)-1][1])) {
				return sid + 1
			}
		}
	}
	b.t.Fatal("the broker does not say where its session is")
	return 0
}

var warning = regexp.MustCompile(`^\S+ (WARN|ERROR|FATAL) `)

// showSession shows where the broker's sessions were, and all its warnings, but for those that it could not reach itself
// while it started. A session that expired fails the test: none was without a server for that long.
func (b *broker) showSession() {
	b.t.Helper()
	text, err := os.ReadFile(b.log)
	must(b.t, "read log", err)
	var said []string
	connected, warnings := 0, 0
	for _, line := range lines(string(text)) {
		switch {
		case strings.Contains(line, "has expired"), strings.Contains(line, "session expired"):
			b.t.Errorf("a session expired: %s", line)
		case strings.Contains(line, "RequestSendThread"), strings.Contains(line, "Connection to node 1 "):
			continue
		case warning.MatchString(line):
			warnings++
		case established.MatchString(line):
			connected++
		default:
			continue
		}
		said = append(said, line)
	}
	b.t.Logf("the broker's log: connected %d times, %d warnings and errors\n%s", connected, warnings, strings.Join(said, "\n"))
}
