//go:build interop

package interop

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zooraft/tests/harness"
)

// cliRun runs one command and wants its exit code; it returns the results, without what comes before them.
func cliRun(t *testing.T, server string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, got := run(t, zooraftCLI(t, server, args...))
	if got != code {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	_, after, found := strings.Cut(stdout, "type:None path:null zxid: -1\n")
	if !found {
		t.Fatalf("%v: no event of being connected in %q", args, stdout)
	}
	return after, stderr
}

// TestCLIOwnCommands goes through what ZooKeeper's client does not have.
func TestCLIOwnCommands(t *testing.T) {
	e := start(t, 1)
	server := e.Connect()
	do := func(args ...string) string {
		t.Helper()
		stdout, _ := cliRun(t, server, 0, args...)
		return stdout
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	do("create", "/app", "top")
	do("create", "/app/one", "1")
	do("create", "/app/one/deep", "deeper")
	do("create", "/app/two", "22", "world:anyone:cdrwa")
	do("create", "-c", "/app/box")
	want(do("tree", "/app"), "/app\n├── box\n├── one\n│   └── deep\n└── two\n5 znodes\n")
	want(do("tree", "-L", "1", "-s", "/app"), "/app\n├── box  0 B\n├── one  1 B\n└── two  2 B\n4 znodes\n")
	want(do("du", "/app"), "      data     znodes  subtree\n      12 B          5  /app\n       7 B          2  /app/one\n       2 B          1  /app/two\n       0 B          1  /app/box\n")
	want(do("find", "/", "-name", "*ee?"), "/app/one/deep\n")
	want(do("find", "/app", "-data", "22"), "/app/two\n")
	want(do("find", "/app", "-min", "3"), "/app\n/app/one/deep\n")

	// What may not be read does not keep the rest from being seen.
	do("create", "/shut", "secret", "world:anyone:cda")
	for line, seen := range map[string]string{
		"tree /": "├── shut  not readable\n", "du /": " 0 B          1  /shut", "find / -name shut": "/shut", "find / -data deeper": "/app/one/deep",
	} {
		stdout, stderr := cliRun(t, server, 1, strings.Fields(line)...)
		if !strings.Contains(stdout, seen) || !strings.HasSuffix(stderr, "Insufficient permission : /shut\n") {
			t.Errorf("%s beside what may not be read: %q, %q", line, stdout, stderr)
		}
	}
	do("delete", "/shut")

	do("cp", "-R", "/app", "/copy")
	want(do("diff", server, "/app"), "")
	do("set", "/copy/two", "2")
	do("mv", "/copy", "/moved")
	want(do("ls", "-R", "/moved"), "/moved\n/moved/box\n/moved/one\n/moved/two\n/moved/one/deep\n")
	want(do("ls", "/"), "[app, moved, zookeeper]\n")
	if _, stderr := cliRun(t, server, 1, "mv", "/moved", "/app"); !strings.HasSuffix(stderr, "Node already exists: /app\n") {
		t.Errorf("mv onto what is there: %q", stderr)
	}
	// Another server's tree, below a chroot.
	other := start(t, 1)
	dir := t.TempDir()
	files, lines := filepath.Join(dir, "files"), filepath.Join(dir, "lines.json")
	do("export", "-d", "/app", files)
	do("export", "/app", lines)
	if data, err := os.ReadFile(filepath.Join(files, "one", "deep")); err != nil || string(data) != "deeper" {
		t.Errorf("exported file: %q, %v", data, err)
	}
	cliRun(t, other.Connect(), 0, "create", "/root")
	cliRun(t, other.Connect()+"/root", 0, "import", lines, "/app")
	want(do("diff", other.Connect()+"/root", "/app"), "")
	cliRun(t, other.Connect(), 0, "import", files, "/app")
	cliRun(t, other.Connect(), 1, "import", files, "/app")
	cliRun(t, other.Connect(), 0, "set", "/app/two", "two")
	cliRun(t, other.Connect(), 0, "create", "/app/more", "x")
	cliRun(t, other.Connect(), 0, "deleteall", "/app/one")
	stdout, _ := cliRun(t, server, 1, "diff", other.Connect(), "/app")
	want(stdout, "+ /app/more\n- /app/one\n- /app/one/deep\n~ /app/two  2 bytes here, 3 there\n")
	cliRun(t, other.Connect(), 0, "import", "-f", files, "/app")
	stdout, _ = cliRun(t, server, 1, "diff", other.Connect(), "/app")
	want(stdout, "+ /app/more\n")

	t.Run("edit", func(t *testing.T) {
		script := filepath.Join(dir, "editor.sh")
		write := func(text string) {
			if err := os.WriteFile(script, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("VISUAL", "")
		t.Setenv("EDITOR", script)
		t.Setenv("TMPDIR", dir)
		write(`echo edited > "$1"`)
		do("edit", "/app/two")
		want(do("get", "/app/two"), "edited\n")
		write(`echo lost > "$1"; ` + harness.ZooraftBinary(t) + ` cli -server ` + server + ` set /app/two meanwhile >/dev/null`)
		_, stderr := cliRun(t, server, 1, "edit", "/app/two")
		m := regexp.MustCompile(`not overwritten; your text is in (\S+)\n`).FindStringSubmatch(stderr)
		if m == nil {
			t.Fatalf("edit of what has changed meanwhile said %q", stderr)
		}
		if data, err := os.ReadFile(m[1]); err != nil || string(data) != "lost\n" {
			t.Errorf("the text that was not written: %q, %v", data, err)
		}
		want(do("get", "/app/two"), "meanwhile\n")
	})

	t.Run("json", func(t *testing.T) {
		cmd := zooraftCLI(t, server, "-json")
		cmd.Stdin = strings.NewReader("get -s /app/one\nls /app\nget /none\n")
		stdout, stderr, code := run(t, cmd)
		dec := json.NewDecoder(strings.NewReader(stdout))
		var got struct {
			Data string
			Stat struct{ DataLength int }
		}
		var listed struct{ Children []string }
		if err := dec.Decode(&got); err != nil || got.Data != "1" || got.Stat.DataLength != 1 {
			t.Errorf("get: %+v, %v", got, err)
		}
		if err := dec.Decode(&listed); err != nil || strings.Join(listed.Children, " ") != "box one two" {
			t.Errorf("ls: %+v, %v", listed, err)
		}
		if stderr != `{"code":1,"error":"Node does not exist: /none"}`+"\n" || code != 1 {
			t.Errorf("an error: %q, exit code %d", stderr, code)
		}
	})
}

// TestCLIFollows lets watch see its server go and come back, and end by Ctrl-C.
func TestCLIFollows(t *testing.T) {
	e := start(t, 3)
	first, rest := e.Server(1).ClientAddr, e.Server(2).ClientAddr
	cliRun(t, rest, 0, "create", "/app")
	cliRun(t, first, 0, "sync", "/app")
	c := openTerminal(t, zooraftCLI(t, first, "watch", "/app"), false)
	c.expect(`^Watching /app and all below it; Ctrl-C ends this\n`)
	cliRun(t, rest, 0, "create", "/app/x", "new")
	c.expect(`created  /app/x  "new"\n`)
	e.Kill(1)
	c.expect(`^connection lost`)
	e.Start(1)
	c.expect(`^connected again\n`)
	e.WaitServing() // the other may still be about to follow a new leader
	cliRun(t, rest, 0, "set", "/app/x", "newer")
	c.expect(`changed  /app/x  "newer"\n`)
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := c.wait(); code != 0 {
		t.Errorf("exit code after Ctrl-C: got %d, want 0", code)
	}
}

// TestCLIReadOnly reads from a server that has lost its quorum, and writes as soon as there is one.
func TestCLIReadOnly(t *testing.T) {
	withReadOnly(t, func(t *testing.T, e *harness.Ensemble) {
		heal := cut(t, e, false)
		c := openTerminal(t, zooraftCLI(t, e.Connect(), "-r"), false)
		c.expect(`^WatchedEvent state:ConnectedReadOnly type:None path:null zxid: -1\n`)
		c.send("ls /")
		c.expect(`^\[zookeeper\]\n`)
		c.send("create /written")
		c.expect(`^Not a read-only call: /written\n`)
		heal()
		c.expect(`^WatchedEvent state:SyncConnected type:None path:null zxid: -1\n`)
		c.send("create /written")
		c.expect(`^Created /written\n`)
		c.send("quit")
		if code := c.wait(); code != 0 {
			t.Errorf("exit code: got %d, want 0", code)
		}
	})
}

// TestCLIPrompt is what a person at a terminal has besides zkCli's session.
func TestCLIPrompt(t *testing.T) {
	e := start(t, 1)
	t.Setenv("ZOORAFT_HISTORY", filepath.Join(t.TempDir(), "history"))
	number := 0
	prompt := func() string {
		number++
		return `\(CONNECTED\) ` + strconv.Itoa(number-1) + `\] $`
	}
	c := openTerminal(t, zooraftCLI(t, e.Connect()), true)
	c.expect(prompt())
	keys := func(text string) {
		t.Helper()
		if _, err := c.in.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	keys("create /application hello\r")
	c.expect(`^Created /application\n`)
	c.expect(prompt())
	// A Tab does nothing if the server does not answer it soon.
	complete := func(text, want string) {
		t.Helper()
		keys(text)
		harness.Eventually(t, expectTimeout, "completion of "+text, func() error {
			keys("\t")
			if said, missing := c.appears(3*time.Second, want); missing != "" {
				return errors.New(said)
			}
			return nil
		})
	}
	complete("crea\t/app", `create /application$`) // a command, a path
	keys("/below\r")
	c.expect(`^Created /application/below\n`)
	c.expect(prompt())
	keys("getA\t")
	c.expect(`getAcl  getAllChildrenNumber\n`)
	keys("\x03") // the line goes, the number stays
	number--
	c.expect(prompt())

	// An event comes while a line is being typed; the line is whole.
	keys("addWatch /application\r")
	c.expect(prompt())
	keys("get /appl")
	cliRun(t, e.Connect(), 0, "set", "/application", "changed")
	c.expect(event("NodeDataChanged", "/application"))
	keys("ication\r")
	c.expect(`^changed\n`)
	c.expect(prompt())

	// A path with a space is completed as one word, and what is in a znode does not reach the terminal as it is.
	keys("create '/two words'\r")
	c.expect(prompt())
	cliRun(t, e.Connect(), 0, "create", "/two words/below", "\x1b]0;owned\a")
	complete("get /two", `get "/two words"$`)
	complete("\t", `get "/two words/below"$`)
	keys("\r")
	c.expect(`^\\x1b\]0;owned\\a\n`)
	c.expect(prompt())

	keys("deleteall /application\r")
	c.expect(`Delete /application and the 1 znodes below it\? \[y/N\] $`)
	keys("\r")
	c.expect(`^nothing is deleted\n`)
	c.expect(prompt())
	keys("delete /application\r")
	c.expect(`^Node not empty: /application\ndelete it with its children by: deleteall /application\n`)
	c.expect(prompt())
	keys("create /a/b/c\r")
	c.expect(`^Node does not exist: /a/b/c\nthere is no /a; see what is there with: ls /\n`)
	c.expect(prompt())
	keys("getacl /\r")
	c.expect(`^Command not found: Command not found getacl; do you mean getAcl\?\n`)
	c.expect(prompt())
	keys("addauth digest bob:secret\r")
	c.expect(prompt())
	keys("\x04")
	c.wait()

	// The next run has the lines of this one, but for the password.
	c = openTerminal(t, zooraftCLI(t, e.Connect()), true)
	number = 0
	c.expect(prompt())
	keys("hello\x12") // search
	c.expect(`create /application hello$`)
	keys("\x15\x1b[A") // up
	c.expect(`getacl /$`)
	keys("\x15quit\r")
	c.wait()
}

// TestCLIStartsQuickly holds a command to far less than a JVM takes.
func TestCLIStartsQuickly(t *testing.T) {
	const limit = 250 * time.Millisecond
	e := start(t, 1)
	best := time.Hour
	for deadline := time.Now().Add(expectTimeout); best > limit && time.Now().Before(deadline); { // the machine may be busy
		began := time.Now()
		if out, err := zooraftCLI(t, e.Connect(), "ls", "/").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		best = min(best, time.Since(began))
	}
	if best > limit {
		t.Errorf("ls / takes %v, want less than %v", best, limit)
	}
}
