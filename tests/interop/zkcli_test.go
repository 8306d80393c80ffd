//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/harness"
)

// Errors alone, and on stderr: where zkCli.sh's own configuration has them.
const clientLogback = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{ISO8601} - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
  </appender>
  <root level="ERROR"><appender-ref ref="ERR"/></root>
</configuration>
`

// zkCli is the command that zkCli.sh ends in. It does not wait for a JVM's slow compiler.
func zkCli(t *testing.T, server string, args ...string) *exec.Cmd {
	t.Helper()
	conf := t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "logback.xml"), []byte(clientLogback), 0o600); err != nil {
		t.Fatal(err)
	}
	full := []string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
		conf + string(os.PathListSeparator) + filepath.Join(zooKeeperJars(t), "*"),
		"org.apache.zookeeper.ZooKeeperMain", "-server", server}
	return exec.CommandContext(withDeadline(t, clientTimeout), java(t), append(full, args...)...)
}

// cliCommand is a command line, zkCli or what takes its place, on its way to a server.
type cliCommand func(t *testing.T, server string, args ...string) *exec.Cmd

func TestZkCli(t *testing.T) {
	zooKeeperJars(t)
	java(t)
	eachSize(t, func(t *testing.T, e *harness.Ensemble) {
		t.Run("typed", func(t *testing.T) { testZkCliTyped(t, e, zkCli) })
		t.Run("arguments", func(t *testing.T) { testZkCliArguments(t, e) })
		t.Run("piped", func(t *testing.T) { testZkCliPiped(t, e, zkCli) })
	})
}

// statBlock is what -s and stat print, as a pattern; %s stand for the version, the owner, the length and the children.
const statBlock = `cZxid = 0x[0-9a-f]+
ctime = \w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}
mZxid = 0x[0-9a-f]+
mtime = \w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}
pZxid = 0x[0-9a-f]+
cversion = \d+
dataVersion = %s
aclVersion = 0
ephemeralOwner = %s
dataLength = %s
numChildren = %s
`

func stat(version, owner, length, children string) string {
	return fmt.Sprintf(statBlock, version, owner, length, children)
}

// event is the block that a watch prints, as a pattern, with the zxid of the change. The command's own answer and the next
// prompt may come between its two parts.
func event(kind, path string) string {
	return eventBlock + `type:` + kind + ` path:` + path + ` zxid: [1-9]\d*\n`
}

const (
	eventBlock     = `\nWATCHER::\n(.*\n)?(\[zk: .*\] )?\nWatchedEvent state:SyncConnected `
	connectedEvent = eventBlock + `type:None path:null zxid: -1\n`
)

// testZkCliTyped is a person's session: each line is typed once the prompt has come back.
func testZkCliTyped(t *testing.T, e *harness.Ensemble, client cliCommand) {
	// Without waiting, the first prompt may say CONNECTING and stand before or after the event.
	c := openTerminal(t, client(t, e.Connect(), "-waitforconnection"), true)
	c.expect(`^Connecting to ` + regexp.QuoteMeta(e.Connect()) + `\n`)
	c.expect(connectedEvent)
	c.expect(`^Welcome to ZooKeeper!\nJLine support is enabled\n`)

	number := 0
	prompt := func() string {
		return fmt.Sprintf(`\[zk: %s\(CONNECTED\) %d\] `, regexp.QuoteMeta(e.Connect()), number)
	}
	c.expect(prompt())
	typed := func(line, want string) {
		t.Helper()
		c.send(line)
		number++
		said := c.expect(prompt())
		if !regexp.MustCompile(`(?s)` + want).MatchString(said) {
			t.Errorf("%s: got\n%s\nwant a match of\n%s", line, said, want)
		}
	}

	typed(`create /app hello`, `\nCreated /app\n`)
	typed(`create /app again`, `\nNode already exists: /app\n`)
	typed(`get /app`, `\nhello\n`)
	typed(`get -s /app`, `\nhello\n`+stat("0", "0x0", "5", "0"))
	typed(`create -s /app/s-`, `\nCreated /app/s-0000000000\n`)
	typed(`create -s /app/s-`, `\nCreated /app/s-0000000001\n`)
	typed(`create -e /app/e mine`, `\nCreated /app/e\n`)
	typed(`create /app/e/x`, `\nEphemerals cannot have children: /app/e/x\n`)
	typed(`stat /app/e`, stat("0", "0x[0-9a-f]+", "4", "0"))
	typed(`getEphemerals /app`, `\n\[/app/e\]\n`)
	typed(`ls /`, `\n\[app, zookeeper\]\n`)
	typed(`ls -s /app`, `\n\[e, s-0000000000, s-0000000001\]\n?`+stat("0", "0x0", "5", "3"))
	typed(`ls -R /app`, `\n/app\n/app/e\n/app/s-0000000000\n/app/s-0000000001\n`)
	typed(`getAllChildrenNumber /app`, `\n3\n`)
	typed(`set -s /app world`, stat("1", "0x0", "5", "3"))
	typed(`set -v 0 /app late`, `\nversion No is not valid : /app\n`)
	typed(`delete /app`, `\nNode not empty: /app\n`)
	typed(`delete -v 5 /app/s-0000000000`, `\nversion No is not valid : /app/s-0000000000\n`)
	typed(`delete /app/s-0000000000`, `\n`)
	typed(`get /none`, `\nNode does not exist: /none\n`)
	typed(`get none`, `Path must start with / character`)
	typed(`sync /app`, `\nSync is OK\n`)

	typed(`getAcl /app`, `\n'world,'anyone\n: cdrwa\n`)
	typed(`create /locked secret`, `\nCreated /locked\n`)
	typed(`addauth digest bob:pw`, `\n`)
	typed(`setAcl -s /locked auth:bob:pw:cdrwa`, `aclVersion = 1\n`)
	typed(`getAcl /locked`, `\n'digest,'bob:[A-Za-z0-9+/=]+\n: cdrwa\n`)
	typed(`get /locked`, `\nsecret\n`)
	typed(`setAcl /app bad:acl`, `Acl is not valid`)
	typed(`whoami`, `\ndigest: bob\n`)
	typed(`reconfig -remove 3`, `\nKeeperErrorCode = Reconfig is disabled\n`)
	typed(`create -t 1000 /ttl`, `\nKeeperErrorCode = Unimplemented for /ttl\n`)

	// A watch, then the change that it waits for. The event comes on its own time, before or after the next prompt.
	watched := func(line, event string) {
		t.Helper()
		c.send(line)
		number++
		c.expectAll(event, prompt())
	}
	typed(`get -w /app`, `\nworld\n`)
	watched(`set /app changed`, event("NodeDataChanged", "/app"))
	typed(`ls -w /app`, `\[e, s-0000000001\]`)
	watched(`create /app/new`, event("NodeChildrenChanged", "/app"))
	typed(`stat -w /app/new`, `dataLength = 0`)
	watched(`delete /app/new`, event("NodeDeleted", "/app/new"))
	typed(`addWatch /app`, `\n`)
	watched(`create /app/deep`, event("NodeCreated", "/app/deep"))
	typed(`removewatches /app`, `\n`)
	typed(`removewatches /app`, `KeeperErrorCode = No such watcher for /app`)
	typed(`get /app`, `\nchanged\n`)

	c.send(`quit`)
	if code := c.wait(); code != 0 {
		t.Errorf("exit code after quit: got %d, want 0", code)
	}
}

// testZkCliArguments is a shell script's way: one command in the arguments, and the exit code tells. Each costs a JVM,
// so these are the ones that differ in streams and codes. They follow the typed session, whose znodes are there.
func testZkCliArguments(t *testing.T, e *harness.Ensemble) {
	tests := []struct {
		args           []string
		stdout, stderr string // the last line of each, where not empty; a pattern
		code           int
	}{
		{[]string{"create", "/shell", "first"}, ``, `Created /shell`, 0},
		{[]string{"get", "/shell"}, `first`, ``, 0},
		{[]string{"get", "/app/e"}, ``, `Node does not exist: /app/e`, 1}, // ended with the session that made it
		{[]string{"get", "/locked"}, ``, `Insufficient permission : /locked`, 1},
		{[]string{"deleteall", "/shell"}, ``, ``, 0},
		{[]string{"ls", "/"}, `\[app, locked, zookeeper\]`, ``, 0},
		{[]string{"ls2", "/"}, ``, `Command not found: Command not found ls2`, 127},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			stdout, stderr, code := run(t, zkCli(t, e.Connect(), tt.args...))
			if code != tt.code {
				t.Errorf("exit code: got %d, want %d\nstderr:\n%s", code, tt.code, stderr)
			}
			if first := "Connecting to " + e.Connect() + "\n"; !strings.HasPrefix(stdout, first) {
				t.Errorf("stdout: got\n%s\nwant it to begin with %q", stdout, first)
			}
			if tt.stdout != "" && !lastLineMatches(stdout, tt.stdout) {
				t.Errorf("stdout: got\n%s\nwant a last line like %q", stdout, tt.stdout)
			}
			if tt.stderr != "" && !lastLineMatches(stderr, tt.stderr) {
				t.Errorf("stderr: got\n%s\nwant a last line like %q", stderr, tt.stderr)
			}
		})
	}
}

// lastLineMatches looks at the last line that is not the client's own log.
func lastLineMatches(text, pattern string) bool {
	said := slices.DeleteFunc(lines(text), func(l string) bool { return strings.Contains(l, " - ERROR ") })
	return len(said) > 0 && regexp.MustCompile("^"+pattern+"$").MatchString(said[len(said)-1])
}

// prompts are what the client may write before an answer: since JLine 3 also where there is no terminal.
var prompts = regexp.MustCompile(`\[zk: [^\]]*\] `)

// testZkCliPiped gives the commands on stdin: errors do not end it, the end of the input does.
func testZkCliPiped(t *testing.T, e *harness.Ensemble, client cliCommand) {
	cmd := client(t, e.Connect(), "-waitforconnection")
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		`create /piped one`,
		`get /absent`,
		`setquota -n 2 /piped`,
		`create /piped/a`,
		`listquota /piped`,
		`delquota /piped`,
		`create -c /piped/box`,
		`getAcl -s /piped`,
		`set /piped two`,
		`get /piped`,
		`deleteall /piped`,
		`ls /piped`,
		`version`, // the exit code is that of the last command
	}, "\n") + "\n")
	stdout, stderr, code := run(t, cmd)
	if code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	stdout = prompts.ReplaceAllString(stdout, "")
	for _, want := range []string{
		`Welcome to ZooKeeper!`,
		`Output quota for /piped count=2,bytes=-1=;byteHardLimit=-1;countHardLimit=-1`,
		`Output stat for /piped count=2,bytes=3`,
		`'world,'anyone`,
		`two`,
	} {
		if !slices.Contains(lines(stdout), want) {
			t.Errorf("stdout lacks the line %q:\n%s", want, stdout)
		}
	}
	for _, want := range []string{
		`Created /piped`,
		`Node does not exist: /absent`,
		`Created /piped/a`,
		`Created /piped/box`,
		`Node does not exist: /piped`,
	} {
		if !slices.Contains(lines(stderr), want) {
			t.Errorf("stderr lacks the line %q:\n%s", want, stderr)
		}
	}
}
