//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/harness"
)

// debianShell is where Debian's package zookeeper-bin puts the C client's shell.
const debianShell = "/usr/lib/zookeeper/bin/cli_mt"

// shellBuffer is how much of its input this shell reads at once. It loses a line that goes over the end.
const shellBuffer = 4096

func cShell(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(debianShell); err == nil {
		return debianShell
	}
	shell, err := exec.LookPath("cli_mt")
	if err != nil {
		lacking(t, "cli_mt, of Debian's package zookeeper-bin")
	}
	return shell
}

// openCShell runs the C client's shell, its commands coming from a pipe and its output going to a terminal: into a pipe
// it would keep what it has to say until the end.
func openCShell(t *testing.T, connect string) *terminal {
	t.Helper()
	c := openTerminal(t, exec.CommandContext(withDeadline(t, clientTimeout), cShell(t), "-h", connect), false)
	c.expect(`^Watcher SESSION_EVENT state = CONNECTED_STATE\n`)
	c.expect(`^Got a new session id: 0x[0-9a-f]+\n`)
	return c
}

func TestCShell(t *testing.T) {
	cShell(t)
	eachSize(t, func(t *testing.T, e *harness.Ensemble) {
		t.Run("commands", func(t *testing.T) { testCShellCommands(t, e) })
		t.Run("pipelined", func(t *testing.T) { testCShellPipelined(t, e) })
		t.Run("twoSessions", func(t *testing.T) { testCShellTwoSessions(t, e) })
	})
}

// testCShellCommands gives one command after the other. This shell sets a watch with each get, ls and wexists, and
// writes "new" into what it creates.
func testCShellCommands(t *testing.T, e *harness.Ensemble) {
	const timed = `\tctime = .*\n\tczxid=[0-9a-f]+\n\tmtime=.*\n\tmzxid=[0-9a-f]+\n`
	c := openCShell(t, e.Connect())
	steps := []struct {
		command string
		want    []string // patterns, in this order
	}{
		{"create /c", []string{`^\[/c\]: rc = 0\n\tname = /c\n`}},
		{"create /c", []string{`^\[/c\]: rc = -110\n`}},
		{"get /c", []string{`^/c: rc = 0\n value_len = 3\nnew\nStat:\n` + timed + `\tversion=0\taversion=0\n\tephemeralOwner = 0\n`}},
		{"set /c two", []string{`^Watcher CHANGED_EVENT state = CONNECTED_STATE for path /c\n`, `^/c: rc = 0 Stat:\n` + timed + `\tversion=1\taversion=0\n`}},
		{"get /c", []string{`^/c: rc = 0\n value_len = 3\ntwo\n`}},
		{"create2 /c/two", []string{`^\[/c/two\]: rc = 0\n\tname = /c/two\n` + timed + `\tversion=0\taversion=0\n`}},
		{"create +s /c/s-", []string{`^\[/c/s-\]: rc = 0\n\tname = /c/s-0000000001\n`}},
		{"create +e /c/e", []string{`^\[/c/e\]: rc = 0\n\tname = /c/e\n`}},
		{"create +c /c/box", []string{`^\[/c/box\]: rc = 0\n\tname = /c/box\n`}},
		{"create /c/e/child", []string{`^\[/c/e/child\]: rc = -108\n`}},
		{"ls2 /c", []string{`^/c: rc = 0\n`, `^\ttwo\n`}},
		{"create /c/more", []string{`^Watcher CHILD_EVENT state = CONNECTED_STATE for path /c\n`, `^\[/c/more\]: rc = 0\n`}},
		{"wexists /later", []string{`^Error -101 for /later\n`}},
		{"create /later", []string{`^Watcher CREATED_EVENT state = CONNECTED_STATE for path /later\n`, `^\[/later\]: rc = 0\n`}},
		{"get /later", []string{`^/later: rc = 0\n value_len = 3\nnew\n`}},
		{"delete /later", []string{`^Watcher DELETED_EVENT state = CONNECTED_STATE for path /later\n`, `^/later: rc = 0\n`}},
		{"delete /c", []string{`^/c: rc = -111\n`}},
		{"delete /none", []string{`^/none: rc = -101\n`}},
		{"set /none x", []string{`^/none: rc = -101 Stat:\n`}},
		{"get /none", []string{`^/none: rc = -101\n`}},
		{"sync /", []string{`^\[/\]: rc = 0\n`}},
		{"config", []string{`rc = 0\n`}},
	}
	for _, s := range steps {
		c.send(s.command)
		for _, want := range s.want {
			c.expect(want)
		}
	}
	c.send("quit")
	if code := c.wait(); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

// testCShellPipelined sends many requests before it reads an answer: all of them are answered, in their order.
func testCShellPipelined(t *testing.T, e *harness.Ensemble) {
	const count = 180
	c := openCShell(t, e.Connect())
	c.send("create /pipe")
	c.expect(`^\[/pipe\]: rc = 0\n\tname = /pipe\n`)
	var commands, want []string
	for i := range count {
		commands = append(commands, "acreate +s /pipe/n-")
		want = append(want, fmt.Sprintf("/pipe/n-%010d", i))
	}
	// Behind them reads of what was just written: they come after it.
	last := want[count-1]
	commands = append(commands, "aget "+last, "aset "+last+" last", "aget "+last, "adelete "+last, "aget "+last)
	burst := strings.Join(commands, "\n")
	if len(burst) >= shellBuffer {
		t.Fatalf("%d bytes of commands are too many at once", len(burst))
	}
	c.send(burst)
	said := c.expect(`^` + last + `: rc = -101\n`)

	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\tname = (.*)$`).FindAllStringSubmatch(said, -1) {
		got = append(got, m[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("created, in the order of the answers: got %d names\n%q\nwant %d, %q to %q", len(got), got, count, want[0], last)
	}
	ordered := regexp.MustCompile(`(?s)value_len = 3\nnew\n.*CHANGED_EVENT.*value_len = 4\nlast\n.*DELETED_EVENT`)
	if !ordered.MatchString(said) {
		t.Errorf("answers and events after the creations: got\n%s\nwant a match of\n%s", said[max(0, len(said)-2000):], ordered)
	}
	c.send("quit")
	c.wait()
}

// testCShellTwoSessions lets one session watch what the other does, its end included.
func testCShellTwoSessions(t *testing.T, e *harness.Ensemble) {
	watcher, doer := openCShell(t, e.Connect()), openCShell(t, e.Connect())
	doer.send("create +e /mortal")
	doer.expect(`^\[/mortal\]: rc = 0\n`)
	watcher.send("sync /mortal")
	watcher.expect(`rc = 0\n`)
	watcher.send("get /mortal")
	watcher.expect(`^/mortal: rc = 0\n value_len = 3\nnew\n`)
	watcher.expect(`\tephemeralOwner = [1-9a-f][0-9a-f]*\n`)
	doer.send("set /mortal soon gone")
	watcher.expect(`^Watcher CHANGED_EVENT state = CONNECTED_STATE for path /mortal\n`)
	watcher.send("get /mortal")
	watcher.expect(`^/mortal: rc = 0\n value_len = 9\nsoon gone\n`)
	doer.send("quit")
	if code := doer.wait(); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	watcher.expect(`^Watcher DELETED_EVENT state = CONNECTED_STATE for path /mortal\n`)
	watcher.send("get /mortal")
	watcher.expect(`^/mortal: rc = -101\n`)
	watcher.send("quit")
	watcher.wait()
}
