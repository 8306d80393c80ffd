package differ

import (
	"fmt"
	"strings"
	"time"
)

// Shrink leaves out steps as long as what is left still differs, for at most the given time. try plays a scenario and
// says whether it differs.
func Shrink(s *Scenario, limit time.Duration, try func(*Scenario) *Difference) *Difference {
	best := try(s)
	if best == nil {
		return nil
	}
	end := time.Now().Add(limit)
	steps := s.Steps[:min(best.Step+1, len(s.Steps))]
	for size := max(len(steps)/2, 1); size >= 1; {
		removed := false
		// From the end: what comes last before the difference is the likeliest to matter, and goes last.
		for at := len(steps) - size; at > -size && time.Now().Before(end); at -= size {
			from := max(at, 0)
			rest := append([]Step{}, steps[:from]...)
			for _, step := range steps[from:min(at+size, len(steps))] {
				if s.Config.Size > 1 && orders(step.Text) {
					rest = append(rest, step)
				}
			}
			rest = append(rest, steps[min(at+size, len(steps)):]...)
			if len(rest) == len(steps) {
				continue
			}
			if !sound(rest) {
				continue
			}
			smaller := *s
			smaller.Steps = rest
			if d := try(&smaller); d != nil {
				best = d
				steps = rest[:min(d.Step+1, len(rest))]
				removed = true
			}
		}
		if time.Now().After(end) {
			break
		}
		if !removed || size > len(steps) {
			if size == 1 {
				break
			}
			size = max(size/2, 1)
		}
	}
	return best
}

// orders says whether a step of a scenario for several servers sees to it that what follows is determined.
func orders(text string) bool {
	return strings.HasPrefix(text, "connect ") || strings.HasSuffix(text, " fence") || strings.HasSuffix(text, " ping")
}

// sound says whether each connection is opened before it is used, and nothing is left that never goes out.
func sound(steps []Step) bool {
	known := map[string]bool{}
	for _, s := range steps {
		c, err := parseCommand(s.Text)
		if err != nil {
			return false
		}
		switch {
		case c.verb == "connect":
			if a, ok := named(c.args, "session"); ok && a.val != "new" && !known[a.val] {
				return false
			}
			known[c.args[0].val] = true
		case c.who != "":
			if !known[c.who] {
				return false
			}
		case c.verb == "word" || c.verb == "restart":
		case !known[c.args[0].val]:
			return false
		}
	}
	return len(steps) > 0
}

// Script is a difference as a file that can be kept: the scenario, and in comments what was answered.
func (d *Difference) Script(seed uint64) string {
	text := d.String()
	return fmt.Sprintf("# seed %d\n", seed) + text[strings.IndexByte(text, '\n')+1:]
}
