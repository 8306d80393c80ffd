//go:build interop

package interop

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// expectTimeout bounds the wait for one answer of an interactive program.
const expectTimeout = 2 * time.Minute

// escapes are what a terminal program writes that is not text: control sequences, and the returns before newlines.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07")

// unfinished is a control sequence of which the rest has not been read yet.
var unfinished = regexp.MustCompile("\x1b(\\[[0-9;?]*)?$")

// terminal is an interactive program whose output is read as it comes.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer

	mu   sync.Mutex
	text []byte        // all output so far
	more chan struct{} // closed and replaced when text grows
	over bool          // nothing more will come

	seen   int // how much of text has been expected already
	reader sync.WaitGroup
	err    error // of the program, once waited for
}

// openTerminal runs cmd with a pseudo-terminal as its stdout and stderr. With typed, it is its stdin as well, as for a
// person who types; otherwise stdin is a pipe, as for a script.
func openTerminal(t *testing.T, cmd *exec.Cmd, typed bool) *terminal {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatalf("open pseudo-terminal: %v", err)
	}
	defer tty.Close()
	if err := pty.Setsize(ptmx, &pty.Winsize{Rows: 50, Cols: 400}); err != nil {
		t.Fatalf("size pseudo-terminal: %v", err)
	}
	c := &terminal{t: t, cmd: cmd, in: ptmx, more: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = tty, tty
	if typed {
		cmd.Stdin = tty
	} else if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "TERM=dumb")
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	c.reader.Go(func() { c.read(ptmx) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		c.wait()
		c.reader.Wait()
		ptmx.Close()
		if t.Failed() {
			t.Logf("all that the program said:\n%s", c.text)
		}
	})
	return c
}

// read gathers the output until the last holder of the terminal's other end is gone.
func (c *terminal) read(from io.Reader) {
	buf := make([]byte, 4096)
	var kept []byte
	for {
		n, err := from.Read(buf)
		fresh := append(kept, buf[:n]...)
		whole := len(fresh)
		if loc := unfinished.FindIndex(fresh); loc != nil {
			whole = loc[0]
		}
		kept = slices.Clone(fresh[whole:])
		c.mu.Lock()
		c.text = append(c.text, escapes.ReplaceAll(fresh[:whole], nil)...)
		c.over = err != nil
		close(c.more)
		c.more = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// send gives the program a line, or several.
func (c *terminal) send(lines string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, lines+"\n"); err != nil {
		c.t.Fatalf("send %.40q: %v", lines, err)
	}
}

// expect waits until the output since the last expectation matches pattern, and returns the output up to the end of the
// match. Later expectations begin there.
func (c *terminal) expect(pattern string) string {
	c.t.Helper()
	return c.expectAll(pattern)
}

// expectAll is expect for several patterns, which may match in any order.
func (c *terminal) expectAll(patterns ...string) string {
	c.t.Helper()
	said, missing := c.appears(expectTimeout, patterns...)
	if missing != "" {
		c.t.Fatalf("no %q within %v:\n%s", missing, expectTimeout, said)
	}
	return said
}

// appears is expectAll for what need not come: it returns the pattern that has had no match when the time was over.
func (c *terminal) appears(limit time.Duration, patterns ...string) (said, missing string) {
	c.t.Helper()
	deadline := time.After(limit)
	for {
		c.mu.Lock()
		fresh, more, over := c.text[c.seen:], c.more, c.over
		c.mu.Unlock()
		end, missing := matchAll(fresh, patterns)
		if missing == "" {
			c.seen += end
			return string(fresh[:end]), ""
		}
		if over {
			c.t.Fatalf("the program ended before %q:\n%s", missing, fresh)
		}
		select {
		case <-more:
		case <-deadline:
			return string(fresh), missing
		}
	}
}

// matchAll returns the end of the last of the patterns' matches in text, or the first pattern that has none.
func matchAll(text []byte, patterns []string) (end int, missing string) {
	for _, p := range patterns {
		m := regexp.MustCompile("(?m)" + p).FindIndex(text)
		if m == nil {
			return 0, p
		}
		end = max(end, m[1])
	}
	return end, ""
}

// wait waits for the program's end and returns its exit code.
func (c *terminal) wait() int {
	if c.cmd.ProcessState == nil {
		c.err = c.cmd.Wait()
	}
	return c.cmd.ProcessState.ExitCode()
}

// run runs a program to its end and returns what it wrote and its exit code.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", cmd.Path, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// wantSaid runs a program that has to exit with the code and to say all of these, on either stream. It returns all that
// was said.
func wantSaid(t *testing.T, cmd *exec.Cmd, code int, said ...string) string {
	t.Helper()
	stdout, stderr, got := run(t, cmd)
	all := stdout + stderr
	if got != code {
		t.Errorf("%q: exit code %d, want %d; said\n%s", cmd.Args, got, code, all)
	}
	for _, text := range said {
		if !strings.Contains(all, text) {
			t.Errorf("%q: said\n%s\nwant %q", cmd.Args, all, text)
		}
	}
	return all
}

// lines splits text into its lines without their ends, the empty ones left out.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}
