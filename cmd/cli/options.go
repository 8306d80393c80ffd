package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// option is a flag of a command. All are one dash and a name.
type option struct {
	name  string
	value bool   // it takes an argument
	help  string // of the usage screen
}

// options are a command's flags, taken apart as commons-cli's DefaultParser does,
// on whose habits scripts rest: flags may stand behind arguments, -sw is -s -w,
// -v5 is -v 5, and a negative number is an argument.
type options struct {
	list []option
	// group says that only one of list may be given; must, that one has to be.
	group, must bool
}

// parsed is a command line taken apart; args[0] is the command.
type parsed struct {
	args   []string
	values map[string]string
}

func (p *parsed) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

// any reports whether one of the options was given.
func (p *parsed) any(names ...string) bool {
	for _, n := range names {
		if p.has(n) {
			return true
		}
	}
	return false
}

// optionError is a fault that commons-cli finds; zkCli prints its Java class.
type optionError struct{ class, text string }

func (e *optionError) Error() string { return "org.apache.commons.cli." + e.class + ": " + e.text }

func (o *options) find(name string) *option {
	for i := range o.list {
		if o.list[i].name == name {
			return &o.list[i]
		}
	}
	return nil
}

// parser holds the state of one parse.
type parser struct {
	*options
	out     parsed
	current *option // waits for its argument
	chosen  string  // of a group
}

func (o *options) parse(words []string) (*parsed, error) {
	p := parser{options: o, out: parsed{values: map[string]string{}}}
	rest := false
	for _, w := range words {
		switch {
		case rest:
			p.out.args = append(p.out.args, w)
		case w == "--":
			rest = true
		case p.current != nil && p.isArgument(w):
			p.out.values[p.current.name] = unquote(w)
			p.current = nil
		case len(w) > 1 && w[0] == '-':
			if err := p.flag(w); err != nil {
				return nil, err
			}
		default:
			p.out.args = append(p.out.args, w)
		}
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	if o.must && p.chosen == "" {
		return nil, &optionError{"MissingOptionException", "Missing required option: " + o.groupText()}
	}
	return &p.out, nil
}

// isArgument reports whether a word can be an option's argument: it is none of
// the options, or a number.
func (p *parser) isArgument(w string) bool {
	if len(w) < 2 || w[0] != '-' {
		return true
	}
	if _, err := strconv.ParseFloat(w, 64); err == nil {
		return true
	}
	name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
	return p.find(name) == nil && (name == "" || strings.HasPrefix(w, "--") || p.find(name[:1]) == nil)
}

func (p *parser) flag(w string) error {
	name := strings.TrimLeft(w, "-")
	if o := p.find(name); o != nil && !strings.HasPrefix(w, "--") {
		return p.take(o)
	}
	if strings.HasPrefix(w, "--") {
		return unrecognized(w)
	}
	if before, value, ok := strings.Cut(name, "="); ok {
		o := p.find(before)
		if o == nil || !o.value {
			return unrecognized(w)
		}
		if err := p.take(o); err != nil {
			return err
		}
		p.out.values[o.name], p.current = value, nil
		return nil
	}
	// Several in one word, the last with its argument.
	for i := 1; i < len(w); i++ {
		o := p.find(w[i : i+1])
		if o == nil {
			return unrecognized(w)
		}
		if err := p.take(o); err != nil {
			return err
		}
		if p.current != nil && i+1 < len(w) {
			p.out.values[o.name], p.current = unquote(w[i+1:]), nil
			break
		}
	}
	return nil
}

func (p *parser) take(o *option) error {
	if err := p.complete(); err != nil {
		return err
	}
	if p.group {
		if p.chosen != "" && p.chosen != o.name {
			return &optionError{"AlreadySelectedException", fmt.Sprintf(
				"The option '%s' was specified but an option from this group has already been selected: '%s'", o.name, p.chosen)}
		}
		p.chosen = o.name
	}
	p.out.values[o.name] = ""
	if o.value {
		p.current = o
	}
	return nil
}

// complete refuses an option that lacks its argument.
func (p *parser) complete() error {
	if p.current != nil {
		return &optionError{"MissingArgumentException", "Missing argument for option: " + p.current.name}
	}
	return nil
}

func unrecognized(w string) error {
	return &optionError{"UnrecognizedOptionException", "Unrecognized option: " + w}
}

func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s[1:len(s)-1], `"`) {
		return s[1 : len(s)-1]
	}
	return s
}

func (o *options) groupText() string {
	var b strings.Builder
	for i, one := range o.list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("-" + one.name + " " + one.help)
	}
	return "[" + b.String() + "]"
}

// table is the screen of options as commons-cli's HelpFormatter draws it, in the
// order given.
func (o *options) table() string {
	width := 0
	left := func(one option) string {
		if one.value {
			return " -" + one.name + " <arg>"
		}
		return " -" + one.name
	}
	for _, one := range o.list {
		width = max(width, len(left(one)))
	}
	var b strings.Builder
	for _, one := range o.list {
		fmt.Fprintf(&b, "%-*s   %s\n", width, left(one), one.help)
	}
	return b.String()
}
