package report

import (
	"slices"

	"zooraft/cmd/bench"
)

// judgement is a bound beside the figure it speaks of.
type judgement struct {
	wanted  string // "≤ 0.35"
	verdict string // "met" or "missed"; empty where there is nothing to judge
}

// outcome is a judgement by itself, as the list of targets shows it.
type outcome struct {
	group    int // its number among the groups
	name     string
	what     string // the figure's name; empty if name says it
	measured string
	judgement
}

// judge holds the first label's figures against what is wanted of them. Targets
// speak of nobody else, nor of ratios to a baseline that is the first label; text
// that is not wholly a target stays in wanted, to be shown as it is.
func (s *summary) judge() {
	for i, g := range s.groups {
		for _, sc := range g.scenarios {
			s.judgeScenario(i, sc)
		}
		for _, f := range g.figures {
			s.judgeFigure(i, f)
		}
	}
}

func (s *summary) judgeScenario(group int, sc *scenario) {
	first := slices.IndexFunc(sc.rows, func(r row) bool { return r.label == s.labels[0] })
	target, err := bench.ParseTarget(sc.wanted)
	place := func(b bench.Bound) int {
		return slices.IndexFunc(metrics, func(m metric) bool { return m.target != "" && m.target == b.Of })
	}
	if err != nil || first < 0 || slices.ContainsFunc(target, func(b bench.Bound) bool { return place(b) < 0 }) {
		return
	}
	sc.wanted = ""
	for _, b := range target {
		c := &sc.rows[first].cells[place(b)]
		j := c.judge(b)
		s.outcomes = append(s.outcomes, outcome{group, sc.name, metrics[place(b)].name, orMissing(c.ratio, c.hasRatio, ratio), j})
	}
}

func (s *summary) judgeFigure(group int, f *figure) {
	target, err := bench.ParseTarget(f.wanted)
	if err != nil || f.cells[0].stat == nil || slices.ContainsFunc(target, func(b bench.Bound) bool {
		return b.Of != bench.OfRatio && (b.Of != bench.OfValue || b.Unit != f.unit)
	}) {
		return
	}
	f.wanted = ""
	for _, b := range target {
		c := &f.cells[0]
		j := c.judge(b)
		o := outcome{group: group, name: f.name, measured: f.format(c.stat.median), judgement: j}
		if b.Of == bench.OfRatio {
			o.what, o.measured = "ratio", orMissing(c.ratio, c.hasRatio, ratio)
		}
		s.outcomes = append(s.outcomes, o)
	}
}

// judge enters what is wanted of a cell that was measured or not.
func (c *cell) judge(b bench.Bound) judgement {
	j := judgement{wanted: b.Wanted()}
	v, ok := c.ratio, c.hasRatio
	if b.Of == bench.OfValue {
		v, ok = c.stat.median, true
	}
	switch {
	case ok && b.Met(v):
		j.verdict = "met"
	case ok:
		j.verdict = "missed"
	}
	c.judgements = append(c.judgements, j)
	return j
}

// outcomesOf returns those with a verdict, in order.
func (s *summary) outcomesOf(verdict string) (some []outcome) {
	for _, o := range s.outcomes {
		if o.verdict == verdict {
			some = append(some, o)
		}
	}
	return some
}
