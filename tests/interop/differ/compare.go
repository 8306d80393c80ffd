package differ

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Difference is the first step of a scenario at which two servers disagree.
type Difference struct {
	Scenario *Scenario
	Step     int // len(Scenario.Steps) is what was left at the end
	Want     []string
	Got      []string
	Why      string
}

// String shows the scenario up to the difference, as a script, and both answers.
func (d *Difference) String() string {
	var b strings.Builder
	upto := *d.Scenario
	upto.Steps = upto.Steps[:min(d.Step+1, len(upto.Steps))]
	fmt.Fprintf(&b, "%s, %s:\n%s", d.Scenario.Name, d.Why, upto.Text())
	if d.Step == len(d.Scenario.Steps) {
		b.WriteString("# and at the end:\n")
	}
	for _, l := range d.Want {
		fmt.Fprintf(&b, "#   zookeeper  %s\n", l)
	}
	for _, l := range d.Got {
		fmt.Fprintf(&b, "#   zooraft    %s\n", l)
	}
	return b.String()
}

// Outcome is what came of playing a scenario to both servers.
type Outcome struct {
	Difference *Difference // nil if there is none
	Oracle     *Transcript // what ZooKeeper answered
}

// Both plays a scenario to both servers at once, below a node with the given name.
func Both(zookeeper, zooraft Target, s *Scenario, root string) (*Outcome, error) {
	var want, got *Transcript
	var wantErr, gotErr error
	var both sync.WaitGroup
	both.Go(func() { want, wantErr = Play(zookeeper, s, root) })
	both.Go(func() { got, gotErr = Play(zooraft, s, root) })
	both.Wait()
	if wantErr != nil {
		return nil, fmt.Errorf("%s: %w", zookeeper.Name(), wantErr)
	}
	if gotErr != nil {
		return nil, fmt.Errorf("%s: %w", zooraft.Name(), gotErr)
	}
	return &Outcome{Difference: Compare(s, want, got), Oracle: want}, nil
}

// Show is the scenario with what was answered, for who writes one.
func (t *Transcript) Show(s *Scenario) string {
	var b strings.Builder
	for i, lines := range t.Steps {
		if i < len(s.Steps) {
			b.WriteString(s.Steps[i].Text + "\n")
		} else {
			b.WriteString("(end)\n")
		}
		for _, l := range lines {
			b.WriteString("    " + l + "\n")
		}
	}
	return b.String()
}

// Compare finds the first step whose answers differ, or do not differ as the scenario says they do.
func Compare(s *Scenario, want, got *Transcript) *Difference {
	for i := range want.Steps {
		d := &Difference{Scenario: s, Step: i, Want: want.Steps[i], Got: got.Steps[i]}
		equal := slices.Equal(d.Want, d.Got)
		if i < len(s.Steps) && s.Steps[i].Differs != nil {
			switch {
			case equal:
				d.Why = "no difference any more"
			case !slices.Equal(d.Got, s.Steps[i].Differs):
				d.Why = "not the difference that is meant"
			default:
				continue
			}
			return d
		}
		if !equal {
			d.Why = "a difference"
			return d
		}
	}
	return nil
}
