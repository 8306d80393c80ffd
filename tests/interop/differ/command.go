package differ

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// command is a step, taken apart.
type command struct {
	who    string // the connection, "" for the steps that concern none or many
	queued bool   // who+ : goes out with the next step of this connection
	verb   string
	args   []arg
}

// arg is one word of a step: value, or key=value.
type arg struct {
	key    string
	val    string
	null   bool // a bare ~
	quoted bool
}

var errQuote = errors.New("bad quoting")

// parseCommand takes a step apart. Words are parted by spaces; a part of a word in double quotes is a Go string.
func parseCommand(line string) (command, error) {
	words, err := split(line)
	if err != nil {
		return command{}, err
	}
	var c command
	first := words[0].val
	if words[0].key != "" {
		return c, fmt.Errorf("%q does not begin with a connection or a verb", line)
	}
	if arity, ok := lonely[first]; ok {
		c.verb, c.args = first, words[1:]
		if len(c.args) < arity {
			return c, fmt.Errorf("%s wants %d arguments", first, arity)
		}
		return c, nil
	}
	if len(words) < 2 {
		return c, fmt.Errorf("%q: want a connection and what it does", line)
	}
	c.who = strings.TrimSuffix(first, "+")
	c.queued = c.who != first
	c.verb, c.args = words[1].val, words[2:]
	if c.verb == "fence" {
		return c, nil
	}
	if c.verb == "until" {
		if len(c.args) < 2 {
			return c, errors.New("until wants an error's number and a request")
		}
		return c, nil
	}
	if _, ok := operations[c.verb]; !ok {
		return c, fmt.Errorf("no operation %q", c.verb)
	}
	if op := operations[c.verb]; len(positional(c.args)) < op.arity {
		return c, fmt.Errorf("%s wants %d arguments", c.verb, op.arity)
	}
	return c, nil
}

// lonely are the steps that begin with their verb, and how many arguments they need at least.
var lonely = map[string]int{
	"connect": 1, "drop": 1, "await": 1, "closed": 1, "expire": 1, "word": 1, "restart": 0, "silent": 2,
}

func split(line string) ([]arg, error) {
	var words []arg
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		var w arg
		var b strings.Builder
		for line != "" && line[0] != ' ' && line[0] != '\t' {
			switch {
			case line[0] == '"':
				q, err := strconv.QuotedPrefix(line)
				if err != nil {
					return nil, fmt.Errorf("%w: %s", errQuote, line)
				}
				s, err := strconv.Unquote(q)
				if err != nil {
					return nil, fmt.Errorf("%w: %s", errQuote, line)
				}
				b.WriteString(s)
				w.quoted = true
				line = line[len(q):]
			case line[0] == '=' && w.key == "" && !w.quoted && isKey(b.String()):
				w.key = b.String()
				b.Reset()
				line = line[1:]
			default:
				b.WriteByte(line[0])
				line = line[1:]
			}
		}
		w.val = b.String()
		w.null = w.val == "~" && !w.quoted
		words = append(words, w)
	}
	return words, nil
}

func isKey(s string) bool {
	for _, r := range s {
		if r < 'a' || r > 'z' {
			return false
		}
	}
	return s != ""
}

// positional are the arguments without a key.
func positional(args []arg) []arg {
	var p []arg
	for _, a := range args {
		if a.key == "" {
			p = append(p, a)
		}
	}
	return p
}

// named looks up key=value.
func named(args []arg, key string) (arg, bool) {
	for _, a := range args {
		if a.key == key {
			return a, true
		}
	}
	return arg{}, false
}
