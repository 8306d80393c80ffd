package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// command is one word of the command line.
type command struct {
	args string // what follows it, for the usage screen
	opts options
	// tabled says that the usage lists the options.
	tabled bool
	// min is how many words there must be without options, the command counted.
	min int
	// free takes anything: its words are not looked at.
	free bool
	// watch says what a superfluous word means: the 'watch' of old scripts.
	watch string
	// own is no command of ZooKeeper's 3.9; old was one and is no longer told of.
	own, old bool
	// local runs first, and without a connection.
	local func(sh *shell, words []string) error
	run   func(sh *shell, ctx context.Context, p *parsed) error
}

var (
	commands     map[string]*command
	commandNames []string // sorted
)

func init() {
	commands = map[string]*command{
		"connect":      {args: "host:port", local: (*shell).cmdConnect},
		"history":      {local: (*shell).cmdHistory},
		"redo":         {args: "cmdno", local: (*shell).cmdRedo},
		"printwatches": {args: "on|off", local: (*shell).cmdPrintWatches},
		"quit":         {local: (*shell).cmdQuit},
		"exit":         {local: (*shell).cmdQuit, own: true},
		"help":         {args: "[command]", local: (*shell).cmdHelp, own: true},
	}
	for _, more := range []map[string]*command{readCommands, writeCommands, quotaCommands, ensembleCommands, ownCommands} {
		maps.Copy(commands, more)
	}
	commandNames = slices.Sorted(maps.Keys(commands))
}

// usageText is what a wrong use of a command is answered with.
func usageText(name string, c *command) string {
	text := name + " " + c.args
	if c.tabled {
		text += "\n" + c.opts.table()
	}
	return text
}

// parse takes a command's words apart.
func (c *command) parse(sh *shell, words []string) (*parsed, error) {
	if c.free {
		return &parsed{args: words}, nil
	}
	p, err := c.opts.parse(words)
	var fault *optionError
	if c.own && errors.As(err, &fault) {
		return nil, failed("%s; see help %s", fault.text, words[0])
	}
	if err != nil {
		return nil, err
	}
	if len(p.args) < c.min {
		return nil, failed("%s", usageText(words[0], c))
	}
	if c.watch != "" && len(p.args) > 2 {
		fmt.Fprintf(sh.err, "'%s path [watch]' has been deprecated. Please use '%s' instead.\n", words[0], c.watch)
		// As zkCli does: the third word, whatever it is.
		words = slices.Clone(words)
		words[2] = "-w"
		return c.opts.parse(words)
	}
	return p, nil
}

func (sh *shell) cmdConnect(words []string) error {
	host := sh.host
	if len(words) > 1 {
		host = words[1]
	}
	return sh.connect(host)
}

func (sh *shell) cmdHistory([]string) error {
	for i := max(sh.count-10, 0); i <= sh.count; i++ {
		line, ok := sh.history[i]
		if !ok {
			line = "null"
		}
		fmt.Fprintln(sh.out, strconv.Itoa(i)+" - "+line)
	}
	return nil
}

func (sh *shell) cmdRedo(words []string) error {
	if len(words) < 2 {
		return nil
	}
	i, err := strconv.ParseInt(words[1], 0, 32)
	if err != nil {
		return failed("redo %s: it takes the number of a command; see history", words[1])
	}
	n := int(i)
	if n >= sh.count || n < 0 {
		return failed("Command index out of range")
	}
	again := splitWords(sh.history[n])
	if again[0] == "redo" {
		return failed("No redoing redos")
	}
	sh.history[sh.count] = sh.history[n]
	sh.process(again)
	return nil
}

func (sh *shell) cmdPrintWatches(words []string) error {
	sh.events.mu.Lock()
	on := sh.printWatches
	if len(words) > 1 {
		sh.printWatches = words[1] == "on"
	}
	sh.events.mu.Unlock()
	if len(words) == 1 {
		text := "off"
		if on {
			text = "on"
		}
		fmt.Fprintln(sh.out, "printwatches is "+text)
	}
	return nil
}

func (sh *shell) cmdQuit([]string) error {
	sh.quit = true
	sh.out.Flush()
	sh.zk.Close()
	return nil
}

func (sh *shell) cmdHelp(words []string) error {
	if len(words) == 1 {
		fmt.Fprint(sh.out, Help)
		return nil
	}
	c, ok := commands[words[1]]
	if !ok {
		return &failure{"Command not found: Command not found " + words[1], exitNotFound}
	}
	fmt.Fprintln(sh.out, words[1]+" "+c.args)
	fmt.Fprint(sh.out, c.opts.table())
	return nil
}
