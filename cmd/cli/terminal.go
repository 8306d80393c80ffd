package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"zooraft/cmd/client"
)

// terminalFile returns the terminal that a stream is, or nil.
func terminalFile(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func isTerminal(stream any) bool { return terminalFile(stream) != nil }

// colourful reports whether to colour what goes to a stream; https://no-color.org.
func colourful(stream any) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(stream)
}

func paint(code, text string) string { return "\033[" + code + "m" + text + "\033[0m" }
func red(text string) string         { return paint("31", text) }
func green(text string) string       { return paint("32", text) }
func yellow(text string) string      { return paint("33", text) }
func dim(text string) string         { return paint("2", text) }

// Keys that mean something here; term.Terminal has the others.
const (
	keyTab    = '\t'
	keyCtrlR  = 'R' - '@'
	keyCtrlC  = 'C' - '@'
	clearLine = "\x05\x15\r" // to the end, delete to the start, return
)

// Of a longer line the rest is lost without a word: at a prompt term.Terminal drops
// the keys beyond so many characters, and what is typed ahead of one the system, at
// the latest behind so many bytes.
const (
	maxLineCharacters = 4096
	maxLineBytes      = 4095
)

var errLongLine = failed("the line is longer than a prompt takes (%d characters) and nothing of it is run; a pipe takes more, and so does edit", maxLineCharacters)

// editor reads lines from a person. Between two lines the terminal is as the
// commands' own input and Ctrl-C need it.
type editor struct {
	sh       *shell
	in       *os.File
	terminal *term.Terminal
	history  *history
	cut      bool // keys of the line being read have been dropped

	// prompt makes that of the line being read, nil while none is; guarded by
	// sh.events.
	prompt func(client.State) string

	// Of a search through the history by Ctrl-R.
	query string
	found string // the line it has put there; another ends the search
	at    int
}

// newEditor takes over standard output, so that what is printed while a line is
// being typed goes above it. It returns nil if there is no person.
func newEditor(sh *shell) *editor {
	in, out := terminalFile(sh.Stdin), terminalFile(sh.Stdout)
	if in == nil || out == nil {
		return nil
	}
	e := &editor{sh: sh, in: in, history: openHistory(historyPath())}
	e.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&keys{from: in}, out}, "")
	e.terminal.History = e.history
	e.terminal.AutoCompleteCallback = e.key
	stderr := sh.Stderr
	if isTerminal(stderr) {
		stderr = e.terminal
	}
	sh.setOutput(e.terminal, stderr)
	return e
}

func (e *editor) close() { e.history.close() }

// sessionStates are the states that a session's events lead to.
var sessionStates = map[string]client.State{
	"SyncConnected":     client.Connected,
	"ConnectedReadOnly": client.ConnectedReadOnly,
	"SaslAuthenticated": client.Connected,
	"Disconnected":      client.Connecting,
	"AuthFailed":        client.AuthFailed,
	"Expired":           client.Expired,
	"Closed":            client.Closed,
}

// stateLocked draws the prompt anew, with what is written next, if a line is being
// read.
//
// REQUIRES: sh.events is locked.
func (e *editor) stateLocked(event string) {
	if e.prompt != nil {
		e.terminal.SetPrompt(e.prompt(sessionStates[event]))
	}
}

// setPrompt says what line is being read; nil for none.
func (e *editor) setPrompt(prompt func(client.State) string) {
	e.sh.events.mu.Lock()
	defer e.sh.events.mu.Unlock()
	e.prompt = prompt
	if prompt != nil {
		e.terminal.SetPrompt(prompt(e.sh.zk.State()))
	}
}

// readLine returns the next line, io.EOF at Ctrl-D, errLongLine in the place of one
// that may not be whole. Ctrl-C gives an empty one.
func (e *editor) readLine(prompt func(client.State) string) (string, error) {
	fd := int(e.in.Fd())
	if w, h, err := term.GetSize(fd); err == nil && w > 0 && h > 0 {
		e.terminal.SetSize(w, h)
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(fd, before) // after a panic, too
	e.setPrompt(prompt)
	defer e.setPrompt(nil)
	e.cut = false
	line, err := e.terminal.ReadLine()
	if err != nil {
		io.WriteString(e.sh.Stdout, "\r\n")
	} else if e.cut || len(line) >= maxLineBytes {
		return "", errLongLine
	}
	return line, err
}

// ask reads an answer, which is not kept.
func (e *editor) ask(question string) (string, error) {
	e.history.mute = true
	defer func() { e.history.mute = false }()
	return e.readLine(func(client.State) string { return question })
}

// keys makes of Ctrl-C the keys that clear the line, which is what a person means
// by it at a prompt.
type keys struct {
	from  io.Reader
	ready []byte
}

func (k *keys) Read(b []byte) (int, error) {
	if len(k.ready) == 0 {
		buf := make([]byte, len(b))
		n, err := k.from.Read(buf)
		if n == 0 {
			return 0, err
		}
		for _, c := range buf[:n] {
			if c == keyCtrlC {
				k.ready = append(k.ready, clearLine...)
			} else {
				k.ready = append(k.ready, c)
			}
		}
	}
	n := copy(b, k.ready)
	k.ready = k.ready[n:]
	return n, nil
}

// key is told of the keys that are no command of the terminal's, before they become
// part of the line or are dropped.
func (e *editor) key(line string, pos int, key rune) (string, int, bool) {
	if line == "" {
		e.cut = false
	} else if key >= ' ' && utf8.RuneCountInString(line) >= maxLineCharacters {
		e.cut = true
	}
	switch key {
	case keyCtrlR:
		if line != e.found || line == "" {
			e.query, e.at = line, 0
		}
		for ; e.at < e.history.Len(); e.at++ {
			if old := e.history.At(e.at); strings.Contains(old, e.query) && old != line {
				e.found = old
				e.at++
				return old, len(old), true
			}
		}
		return line, pos, true
	case keyTab:
		return e.complete(line, pos)
	}
	return "", 0, false
}

// complete extends the word before pos as far as it is certain, and else shows what
// there is.
func (e *editor) complete(line string, pos int) (string, int, bool) {
	start, word, quote := lastWord(line[:pos])
	found := e.candidates(splitWords(line[:start]), word)
	if len(found) == 0 {
		return line, pos, true
	}
	longest := commonPrefix(found)
	whole := len(found) == 1 && longest != word
	switch {
	case len(found) == 1 && !strings.HasPrefix(longest, "/"):
		longest += " "
	case len(found) == 1 && longest == word:
		longest += "/"
	case longest == word:
		e.show(found)
		return line, pos, true
	}
	longest = quoted(longest, quote, whole)
	return line[:start] + longest + line[pos:], start + len(longest), true
}

// lastWord returns where the last word of a line begins, for splitWords, the word
// without its quotes, and the quote before it, 0 for none.
func lastWord(line string) (start int, word string, quote byte) {
	i := 0
	for {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if i == len(line) {
			return i, "", 0
		}
		if q := line[i]; q == '"' || q == '\'' {
			inside, _, closed := strings.Cut(line[i+1:], string(q))
			end := i + 1 + len(inside) + 1
			if !closed || end == len(line) {
				return i, inside, q
			}
			i = end
			continue
		}
		n := strings.IndexAny(line[i:], " \t")
		if n < 0 {
			return i, line[i:], 0
		}
		i += n
	}
}

// quoted writes a word so that splitWords reads it as one: in quotes if it had one or
// has a space, which stay open for as long as it is not whole.
func quoted(word string, quote byte, whole bool) string {
	if quote == 0 && strings.HasPrefix(word, "/") && strings.ContainsAny(word, " \t") {
		quote = '"'
		if strings.Contains(word, `"`) {
			quote = '\''
		}
	}
	if quote == 0 {
		return word
	}
	word = string(quote) + word
	if whole {
		word += string(quote)
	}
	return word
}

func commonPrefix(words []string) string {
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			_, size := utf8.DecodeLastRuneInString(prefix)
			prefix = prefix[:len(prefix)-size]
		}
	}
	return prefix
}

// maxShown bounds what a completion shows.
const maxShown = 200

func (e *editor) show(found []string) {
	more := ""
	if len(found) > maxShown {
		more = fmt.Sprintf("\n… and %d more", len(found)-maxShown)
		found = found[:maxShown]
	}
	fmt.Fprintf(e.terminal, "%s%s\n", strings.Join(found, "  "), more)
}

// candidates are the words that may stand where word begins: commands, the flags of
// one, or paths.
func (e *editor) candidates(before []string, word string) []string {
	if len(before) == 0 || before[0] == "help" && len(before) == 1 {
		return withPrefix(commandNames, word, func(name string) bool { return !commands[name].old })
	}
	if strings.HasPrefix(word, "-") {
		var flags []string
		if c := commands[before[0]]; c != nil {
			for _, o := range c.opts.list {
				flags = append(flags, "-"+o.name)
			}
		}
		slices.Sort(flags)
		return withPrefix(flags, word, nil)
	}
	if word == "" {
		word = "/"
	}
	if word[0] != '/' {
		return nil
	}
	return e.paths(word)
}

func withPrefix(words []string, prefix string, also func(string) bool) []string {
	var found []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) && (also == nil || also(w)) {
			found = append(found, w)
		}
	}
	return found
}

// completionTimeout bounds how long a Tab may take.
const completionTimeout = 2 * time.Second

func (e *editor) paths(word string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	i := strings.LastIndexByte(word, '/')
	parent := word[:max(i, 1)]
	names, _, err := e.sh.zk.Children(ctx, parent, false)
	if err != nil {
		return nil
	}
	paths := withPrefix(joinAll(parent, names), word, nil)
	slices.Sort(paths)
	if len(paths) == 1 && paths[0] == word {
		// Whole already: go on below it, if there is anything.
		if stat, err := e.sh.zk.Exists(ctx, word, false); err != nil || stat == nil || stat.NumChildren == 0 {
			return nil
		}
	}
	return paths
}

// progressAfter is how long work lasts before it tells how far it is, and how often
// it does.
const progressAfter = 400 * time.Millisecond

// progress returns what long work calls with a count: a line on a terminal, drawn
// over itself, and nothing elsewhere. A negative count takes the line away.
func (sh *shell) progress(format string) func(n int) {
	out := terminalFile(sh.Stderr)
	if out == nil || sh.inv.json {
		return func(int) {}
	}
	drawn, shown := time.Now(), false
	return func(n int) {
		switch {
		case n < 0 && shown:
			fmt.Fprint(out, "\r\033[K")
			shown = false
		case n >= 0 && time.Since(drawn) >= progressAfter:
			fmt.Fprintf(out, "\r"+format+"\033[K", n)
			drawn, shown = time.Now(), true
		}
	}
}
