//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// runCases runs a program of several cases and makes a subtest of each: by a line "ok NAME" or "not ok NAME", which the
// indented reason follows, then "done N" with the number of them. A line "# ..." is a remark, logged. By a line "ask
// WHAT" the program asks for something that it cannot do itself; when ask returns it gets a line in answer.
func runCases(t *testing.T, cmd *exec.Cmd, ask func(what string)) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	must(t, "pipe", err)
	stdout, err := cmd.StdoutPipe()
	must(t, "pipe", err)
	must(t, "start", cmd.Start())
	defer func() { // what may have failed below is in ask
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("stderr of %s:\n%s", cmd.Path, stderr.Bytes()[max(0, stderr.Len()-20<<10):])
		}
	}()

	cases, failed, done := 0, 0, false
	var name, reason string
	report := func() {
		if name == "" {
			return
		}
		cases++
		t.Run(name, func(t *testing.T) {
			if reason != "" {
				t.Error(reason)
			}
		})
		name, reason = "", ""
	}
	said := bufio.NewScanner(stdout)
	said.Buffer(nil, 1<<20)
	for said.Scan() {
		line := said.Text()
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case verb == "ok":
			report()
			name = rest
		case strings.HasPrefix(line, "not ok "):
			report()
			name, reason = line[len("not ok "):], "failed\n"
			failed++
		case strings.HasPrefix(line, "    "):
			reason += line[len("    "):] + "\n"
		case verb == "#":
			t.Log(rest)
		case verb == "ask" && ask != nil:
			ask(rest)
			_, err := fmt.Fprintln(stdin, "done")
			must(t, "answer", err)
		case verb == "done":
			report()
			n, err := strconv.Atoi(rest)
			done = err == nil && n == cases && n > 0
		default:
			t.Errorf("a line that says nothing: %q", line)
		}
	}
	report()
	must(t, "read what it says", said.Err())
	_ = cmd.Wait() // the code tells
	if !done {
		t.Errorf("the program did not come to its end (%d cases)", cases)
	}
	if code := cmd.ProcessState.ExitCode(); (code == 0) != (failed == 0) {
		t.Errorf("exit code %d with %d failures", code, failed)
	}
}
