package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/cmd/client"
	"zooraft/protocol"
	"zooraft/server"
)

// IO is what a run reads and writes, and what it cannot know itself.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Version is what the command version prints behind "ZooKeeper CLI version: ".
	Version string
	// Properties are Java properties from outside of -client-configuration, which
	// wins over them.
	Properties []Property
}

// Property is KEY=VALUE, with where it was found, for messages.
type Property struct{ Text, Where string }

// shell is one run of the command line.
type shell struct {
	IO
	inv        invocation
	configured configured
	secure     func(nc net.Conn, host string) (net.Conn, error) // nil for plain text
	bare       bool                                             // standard output is for results alone

	events  *lockedWriter // standard output, for the client's goroutine
	out     *bufio.Writer // standard output, for commands; flushed before anything else is written
	err     io.Writer
	typed   *editor // lines come from a person; nil if not
	colour  bool
	zk      *client.Client
	host    string
	history map[int]string
	count   int // commands so far
	code    int // of the last command
	quit    bool
	said    []identity // by addauth, in this session and others before it

	interrupted bool // a command was, by Ctrl-C

	printWatches bool // guarded by events
	follow       func(client.Event)
}

// lockedWriter writes one block at a time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

// flusher writes behind what another writer still holds.
type flusher struct {
	before *bufio.Writer
	w      io.Writer
}

func (f flusher) Write(b []byte) (int, error) {
	f.before.Flush()
	return f.w.Write(b)
}

// Run runs the command line with the arguments behind "cli" and returns the exit
// code: that of the last command.
func Run(args []string, std IO) int {
	inv, err := parseInvocation(args, std.Stderr)
	if err != nil {
		fmt.Fprintln(std.Stderr, err)
		return errorCode(err)
	}
	if inv.help {
		fmt.Fprint(std.Stdout, Help)
		return exitOK
	}
	sh := &shell{IO: std, inv: inv, history: map[int]string{}, printWatches: true}
	sh.bare = inv.json || exportsToOutput(inv.words)
	sh.setOutput(std.Stdout, std.Stderr)
	sh.colour = colourful(std.Stdout)
	defer sh.flush()
	if err := sh.configured.read(sh.Properties, inv.clientConfig); err != nil {
		fmt.Fprintln(sh.err, err)
		return exitInvalid
	}
	if cfg := sh.configured.tls; cfg != nil {
		certs, err := server.OpenTLS(*cfg, hclog.NewNullLogger())
		if err != nil {
			fmt.Fprintf(sh.err, "%s%v\n", keySSL, err)
			return exitInvalid
		}
		defer certs.Close()
		sh.secure = certs.Dial
	}
	if len(inv.words) == 0 {
		sh.typed = newEditor(sh)
		if sh.typed != nil {
			defer sh.typed.close()
		}
	}
	if !sh.bare {
		fmt.Fprintln(sh.out, "Connecting to "+inv.server)
		sh.flush()
	}
	defer func() { sh.end() }()
	if err := sh.connect(inv.server); err != nil {
		sh.complain(err)
		return errorCode(err)
	}
	if len(inv.words) > 0 {
		sh.process(inv.words)
		return sh.code
	}
	sh.interact()
	return sh.code
}

// exportsToOutput reports whether a command is an export to standard output: what
// goes there is to be imported again.
func exportsToOutput(words []string) bool {
	if len(words) == 0 || words[0] != "export" {
		return false
	}
	p, err := commands["export"].opts.parse(words)
	return err == nil && !p.has("d") && (len(p.args) < 3 || p.args[2] == "-")
}

func (sh *shell) setOutput(stdout, stderr io.Writer) {
	sh.events = &lockedWriter{w: stdout}
	sh.out = bufio.NewWriterSize(sh.events, 32<<10)
	sh.err = flusher{sh.out, stderr}
}

// flush writes what commands have printed. What could not be written is lost, and
// later output is tried again.
func (sh *shell) flush() error {
	err := sh.out.Flush()
	if err != nil {
		sh.out.Reset(sh.events)
	}
	return err
}

// connect opens a session in the place of the one there is and, with
// -waitforconnection, waits for it. A list that names no servers leaves that one open.
func (sh *shell) connect(host string) error {
	if _, _, err := client.ParseServers(host); err != nil {
		return failed("-server %s: %v", host, err)
	}
	if sh.zk != nil {
		sh.zk.Close() // first, so that its last event is told before the new one's first
	}
	zk, err := client.New(client.Config{
		Servers:        host,
		Timeout:        sh.inv.timeout,
		ReadOnly:       sh.inv.readOnly,
		RequestTimeout: sh.configured.requestTimeout,
		MaxReplyBytes:  sh.configured.maxReplyBytes,
		OnEvent:        sh.event,
		Secure:         sh.secure,
		Login:          sh.configured.beginLogin(),
	})
	if err != nil {
		return failed("-server %s: %v", host, err)
	}
	sh.zk, sh.host = zk, host
	if sh.inv.wait {
		ctx, cancel := context.WithTimeout(context.Background(), sh.inv.timeout)
		defer cancel()
		if err := zk.Await(ctx, false); errors.Is(err, protocol.ErrAuthFailed) {
			return err
		} else if err != nil {
			return failed("KeeperErrorCode = ConnectionLoss; not connected within %v (%v)", sh.inv.timeout, zk.Failure())
		}
	}
	return nil
}

// end closes the session without a word.
func (sh *shell) end() {
	sh.events.mu.Lock()
	sh.printWatches = false
	sh.events.mu.Unlock()
	if sh.zk != nil {
		sh.zk.Close()
	}
}

// event prints what the client tells, on the client's goroutine.
func (sh *shell) event(e client.Event) {
	sh.events.mu.Lock()
	defer sh.events.mu.Unlock()
	switch {
	case sh.follow != nil:
		sh.follow(e)
	case sh.printWatches && !sh.bare:
		text := e.String()
		if sh.colour {
			text = yellow(text)
		}
		if sh.typed != nil && e.Type == "None" {
			sh.typed.stateLocked(e.State)
		}
		io.WriteString(sh.events.w, "\nWATCHER::\n\n"+text+"\n")
	}
}

// interact runs lines until there are no more.
func (sh *shell) interact() {
	if sh.inv.json {
		sh.readLines()
		return
	}
	fmt.Fprintln(sh.out, "Welcome to ZooKeeper!")
	if sh.typed == nil {
		fmt.Fprintln(sh.out, "JLine support is disabled")
		sh.flush()
		sh.readLines()
		return
	}
	fmt.Fprintln(sh.out, "JLine support is enabled")
	sh.flush()
	// So that the first prompt tells more than CONNECTING, mostly.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	sh.zk.Await(ctx, true)
	cancel()
	for !sh.quit {
		line, err := sh.typed.readLine(sh.promptIn)
		if err == errLongLine {
			sh.code = errorCode(err)
			sh.complain(err)
			continue
		}
		if err != nil {
			return
		}
		sh.line(line)
	}
}

// readLines runs lines that are typed without a prompt, or a script.
func (sh *shell) readLines() {
	in := bufio.NewReader(sh.Stdin)
	for !sh.quit {
		line, err := in.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" || err == nil {
			sh.line(line)
		}
		if sh.interrupted && !isTerminal(sh.Stdin) {
			// Of a script Ctrl-C ends all; zkCli dies of it.
			sh.code = errInterrupted.code
			return
		}
		if err != nil {
			return
		}
	}
}

// promptIn is the prompt in a state of the session.
func (sh *shell) promptIn(s client.State) string {
	state := s.String()
	if sh.colour {
		paint := green
		if s != client.Connected {
			paint = red
		}
		state = paint(state)
	}
	return "[zk: " + sh.host + "(" + state + ") " + strconv.Itoa(sh.count) + "] "
}

func (sh *shell) line(line string) {
	if line == "" {
		return
	}
	words := splitWords(line)
	if len(words) == 0 {
		return
	}
	sh.history[sh.count] = line
	sh.process(words)
	sh.count++
}

// process runs one command, says what went wrong, and keeps its exit code.
func (sh *shell) process(words []string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := sh.dispatch(ctx, words)
	if ctx.Err() != nil {
		sh.interrupted = true
		if sh.typed != nil {
			fmt.Fprintln(sh.out) // behind the ^C that the terminal has written
		}
	}
	stop()
	if unwritten := sh.flush(); err == nil && unwritten != nil {
		err = fmt.Errorf("the output is not all written: %w", unwritten)
	}
	if !sh.quit {
		sh.code = errorCode(err)
	}
	if err != nil {
		sh.complain(err)
	}
}

func (sh *shell) complain(err error) {
	text := errorText(err)
	if text == "" {
		return
	}
	if sh.inv.json {
		told := map[string]any{"error": text, "code": errorCode(err)}
		if cause := sh.unreached(err); cause != "" {
			told["cause"] = cause
		}
		b, _ := json.Marshal(told)
		fmt.Fprintln(sh.err, string(b))
		return
	}
	if sh.typed != nil && sh.colour {
		text = red(text)
	}
	fmt.Fprintln(sh.err, text)
	hint := sh.unreached(err) // a script's log is to have it, too
	if hint == "" && sh.personal() {
		hint = sh.advice(err)
	}
	if hint != "" {
		if sh.colour {
			hint = dim(hint)
		}
		fmt.Fprintln(sh.err, hint)
	}
}

// personal reports whether a person reads what goes to standard error.
func (sh *shell) personal() bool { return sh.typed != nil || isTerminal(sh.Stderr) }

func (sh *shell) dispatch(ctx context.Context, words []string) error {
	name := words[0]
	c, known := commands[name]
	if !known {
		return sh.notFound(name)
	}
	if c.local != nil {
		if err := c.local(sh, words); err != nil || sh.quit {
			return err
		}
	}
	if sh.zk == nil || !sh.zk.State().Alive() {
		fmt.Fprintln(sh.out, "Not connected")
		if sh.unknown() != "" { // zkCli ends with 0, or with 1 if it had begun
			return &client.Error{Code: protocol.ErrAuthFailed}
		}
		return nil
	}
	if c.run == nil {
		return nil
	}
	p, err := c.parse(sh, words)
	if err != nil {
		return err
	}
	err = c.run(sh, ctx, p)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// notFound answers a word that is no command: with ZooKeeper's usage screen, of
// which a person at the prompt is spared.
func (sh *shell) notFound(name string) error {
	text := "Command not found: Command not found " + name
	if sh.typed == nil {
		sh.usage()
	} else if near := nearest(name); near != "" {
		text += "; do you mean " + near + "?"
	} else {
		text += "; help lists the commands"
	}
	return &failure{text, exitNotFound}
}

// emit prints a value as JSON.
func (sh *shell) emit(v any) error {
	enc := json.NewEncoder(sh.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (sh *shell) usage() {
	if sh.inv.json {
		return
	}
	fmt.Fprintln(sh.err, "ZooKeeper -server host:port -client-configuration properties-file cmd args")
	for _, own := range []bool{false, true} {
		for _, name := range commandNames {
			if c := commands[name]; c.own == own && !c.old {
				fmt.Fprintln(sh.err, "\t"+name+" "+c.args)
			}
		}
	}
}

// nearest is the command that a name that is none may stand for: the same without
// regard to case, or a letter off.
func nearest(name string) string {
	for _, c := range commandNames {
		if strings.EqualFold(c, name) {
			return c
		}
	}
	i := slices.IndexFunc(commandNames, func(c string) bool { return len(c) > 2 && !commands[c].old && oneOff(c, name) })
	if i < 0 {
		return ""
	}
	return commandNames[i]
}

// oneOff reports whether two words differ in one letter, missing or another.
func oneOff(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > 1 {
		return false
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	return a[min(i+1, len(a)):] == b[i:] || len(a) == len(b) && a[min(i+1, len(a)):] == b[min(i+1, len(b)):]
}
