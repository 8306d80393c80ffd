package cli

import (
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

// openTerminal returns the two ends of a terminal: what a person has before them, and
// what a program reads and writes.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	t.Setenv("ZOORAFT_HISTORY", "")
	person, program, err := pty.Open()
	if err != nil {
		t.Skip("no terminal: ", err)
	}
	t.Cleanup(func() { person.Close(); program.Close() })
	return person, program
}

func TestTerminalIsRestored(t *testing.T) {
	person, program := openTerminal(t)
	go io.Copy(io.Discard, person)
	zk, err := client.New(client.Config{Servers: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer zk.Close()
	sh := &shell{IO: IO{Stdin: program, Stdout: program, Stderr: program}, zk: zk}
	before, err := term.GetState(int(program.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	e := newEditor(sh)
	func() {
		defer func() { recover() }()
		e.readLine(func(client.State) string { panic("in the midst of a line") })
	}()
	if after, err := term.GetState(int(program.Fd())); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the terminal is left as %v, %v; it was %v", after, err, before)
	}
}

// A line that is too long for a prompt is not run in part, whether it is typed at the
// prompt or ahead of it.
func TestLinesTooLong(t *testing.T) {
	var mu sync.Mutex
	var set []int
	server := serve(t, func(op protocol.OpCode, body protocol.Decoder) ([]byte, protocol.ErrCode, bool) {
		if op == protocol.OpSetData {
			var req protocol.SetDataRequest
			req.Decode(&body)
			mu.Lock()
			defer mu.Unlock()
			set = append(set, len(req.Data))
			return new(protocol.Stat).Append(nil), protocol.ErrOK, true
		}
		return znodes(op, body)
	})
	line := func(n int) string { return "set / " + strings.Repeat("x", n) + "\r" }
	for _, ahead := range []bool{true, false} {
		if ahead && runtime.GOOS != "linux" {
			continue // how much is kept of what is typed ahead differs
		}
		person, program := openTerminal(t)
		said := make(chan string, 100)
		go func() {
			defer close(said)
			b := make([]byte, 1<<10)
			for {
				n, err := person.Read(b)
				if err != nil {
					return
				}
				said <- string(b[:n])
			}
		}()
		all := ""
		expect := func(text string) {
			t.Helper()
			for !strings.Contains(all, text) {
				select {
				case more, ok := <-said:
					if !ok {
						t.Fatalf("it ended before %q; behind the last: %q", text, all)
					}
					all += more
				case <-time.After(time.Minute):
					t.Fatalf("no %q in %q", text, all)
				}
			}
			_, all, _ = strings.Cut(all, text)
		}
		if ahead {
			io.WriteString(person, line(5000))
		}
		code := make(chan int, 1)
		go func() {
			code <- Run([]string{"-server", server}, IO{Stdin: program, Stdout: program, Stderr: program})
			program.Close()
		}()
		if !ahead {
			expect(" 0] ")
			io.WriteString(person, line(5000))
		}
		expect("nothing of it is run")
		expect(" 0] ")
		io.WriteString(person, line(5000)[:5000]+"\x7f\x7f\x7f\r") // torn, and then shortened
		expect("nothing of it is run")
		expect(" 0] ")
		io.WriteString(person, line(4000))
		expect(" 1] ")
		io.WriteString(person, "quit\r")
		if got := <-code; got != exitOK {
			t.Errorf("exit code: got %d", got)
		}
	}
	if want := []int{4000, 4000}; !slices.Equal(set, want) {
		t.Errorf("data of these lengths were set: %v, want %v", set, want)
	}
}
