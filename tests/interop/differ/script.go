package differ

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// Config is what servers a file of scenarios asks for, in the lines before its first scenario.
type Config struct {
	Size      int           // servers of each ensemble
	Observers int           // how many of them, the last ones, have no vote
	TickTime  time.Duration // zoo.cfg's tickTime
	Lines     []string      // further lines of zoo.cfg
	Defines   []string      // properties for the command line
	TLS       bool          // they have a port for TLS, too
	Login     string        // options of the login module by which clients log in, "" for no login file
}

// Key is equal for configurations that the same servers can serve.
func (c *Config) Key() string {
	return fmt.Sprintf("%d/%d %v %q %q %v %q", c.Size, c.Observers, c.TickTime, c.Lines, c.Defines, c.TLS, c.Login)
}

// Scenario is a sequence of steps that is played to both servers below a node of its own.
type Scenario struct {
	Name   string // file/name
	File   string
	Config Config
	Steps  []Step
}

// Step is one line of a scenario.
type Step struct {
	Line int    // in the file
	Text string // without what surrounds it
	// Differs is what Zooraft is to answer where it differs from ZooKeeper on purpose; nil where it must not differ.
	Differs []string
}

// Text is the scenario as it can be written to a file and replayed.
func (s *Scenario) Text() string {
	var b strings.Builder
	b.WriteString(s.Config.text())
	name := s.Name[strings.LastIndexByte(s.Name, '/')+1:]
	fmt.Fprintf(&b, "\n== %s\n", name)
	for _, step := range s.Steps {
		b.WriteString(step.Text + "\n")
		for _, d := range step.Differs {
			b.WriteString("  differs " + d + "\n")
		}
	}
	return b.String()
}

func (c *Config) text() string {
	var b strings.Builder
	if c.Size != 1 {
		fmt.Fprintf(&b, "size %d\n", c.Size)
	}
	if c.Observers != 0 {
		fmt.Fprintf(&b, "observers %d\n", c.Observers)
	}
	if c.TickTime != defaultTick {
		fmt.Fprintf(&b, "tick %d\n", c.TickTime.Milliseconds())
	}
	for _, l := range c.Lines {
		fmt.Fprintf(&b, "line %s\n", l)
	}
	for _, d := range c.Defines {
		fmt.Fprintf(&b, "define %s\n", d)
	}
	if c.TLS {
		b.WriteString("tls\n")
	}
	if c.Login != "" {
		fmt.Fprintf(&b, "login %s\n", c.Login)
	}
	return b.String()
}

// defaultTick makes short sessions possible.
const defaultTick = 200 * time.Millisecond

// Load reads all scenarios of a directory, in the order of its files' names.
func Load(fsys fs.FS, pattern string) ([]*Scenario, error) {
	files, err := fs.Glob(fsys, pattern)
	if err != nil {
		return nil, err
	}
	var all []*Scenario
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		scenarios, err := Parse(path.Base(file), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, scenarios...)
	}
	return all, nil
}

// Parse reads a file of scenarios.
func Parse(file, text string) ([]*Scenario, error) {
	base := strings.TrimSuffix(file, path.Ext(file))
	config := Config{Size: 1, TickTime: defaultTick}
	var all []*Scenario
	var s *Scenario
	names := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 8<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fault := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", file, n, fmt.Sprintf(format, args...))
		}
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case word == "==":
			if rest == "" || strings.ContainsAny(rest, " /") || names[rest] {
				return nil, fault("a scenario needs a name of its own, without spaces and slashes")
			}
			names[rest] = true
			s = &Scenario{Name: base + "/" + rest, File: file, Config: config}
			all = append(all, s)
		case s == nil:
			if err := config.set(word, rest); err != nil {
				return nil, fault("%v", err)
			}
		case word == "differs":
			if len(s.Steps) == 0 || rest == "" {
				return nil, fault("differs stands behind a step and says what Zooraft answers")
			}
			last := &s.Steps[len(s.Steps)-1]
			last.Differs = append(last.Differs, rest)
		default:
			if _, err := parseCommand(line); err != nil {
				return nil, fault("%v", err)
			}
			s.Steps = append(s.Steps, Step{Line: n, Text: line})
		}
	}
	return all, lines.Err()
}

func (c *Config) set(word, rest string) error {
	number := func(to *int) error {
		n, err := strconv.Atoi(rest)
		*to = n
		return err
	}
	switch word {
	case "size":
		return number(&c.Size)
	case "observers":
		return number(&c.Observers)
	case "tick":
		var ms int
		err := number(&ms)
		c.TickTime = time.Duration(ms) * time.Millisecond
		return err
	case "line":
		c.Lines = append(c.Lines, rest)
	case "define":
		c.Defines = append(c.Defines, rest)
	case "tls":
		c.TLS = true
	case "login":
		c.Login = rest
	default:
		return fmt.Errorf("%q before the first scenario: want size, observers, tick, line, define, tls or login", word)
	}
	return nil
}
