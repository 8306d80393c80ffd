package cli

import (
	"io"
	"os"
	"reflect"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"

	"zooraft/cmd/client"
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
	go io.Copy(io.Discard, person)
	return person, program
}

func TestTerminalIsRestored(t *testing.T) {
	_, program := openTerminal(t)
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
