package bench

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Target is what is wanted of something that was measured; empty asks for
// nothing. As text, in Run.Target and Figure.Target, its bounds stand one after
// the other: "throughput ≥ 2.5, CPU ≤ 0.35", "ratio ≤ 0.5, < 12 KiB".
type Target []Bound

// What a bound may speak of. All but OfValue speak of a ratio: the first label's
// figure in parts of another's.
const (
	OfValue      = "" // a figure itself, in its own unit
	OfRatio      = "ratio"
	OfThroughput = "throughput"
	OfCPU        = "CPU" // per operation
	OfP50        = "p50"
	OfP99        = "p99"
)

// Bound is the most or the least that something may be.
type Bound struct {
	Of       string
	Relation string // one of < ≤ ≥ >
	Limit    float64
	Unit     string // with OfValue: that of the figure
}

var boundText = regexp.MustCompile(`^(?:(throughput|CPU|p50|p99|ratio) )?([<≤≥>]) ([0-9]+(?:\.[0-9]+)?)(?: (\S+))?$`)

// ParseTarget reads what String writes. It fails on text that is not wholly of
// that form.
func ParseTarget(text string) (Target, error) {
	if text == "" {
		return nil, nil
	}
	var t Target
	for part := range strings.SplitSeq(text, ", ") {
		m := boundText.FindStringSubmatch(part)
		if m == nil || m[1] != OfValue && m[4] != "" {
			return nil, fmt.Errorf("target %q: %q is no bound", text, part)
		}
		limit, err := strconv.ParseFloat(m[3], 64)
		if err != nil || math.IsInf(limit, 0) {
			return nil, fmt.Errorf("target %q: %q is no number", text, m[3])
		}
		t = append(t, Bound{Of: m[1], Relation: m[2], Limit: limit, Unit: m[4]})
	}
	return t, nil
}

// String writes the bounds in their order.
func (t Target) String() string {
	parts := make([]string, len(t))
	for i, b := range t {
		parts[i] = strings.TrimSpace(b.Of + " " + b.Wanted())
	}
	return strings.Join(parts, ", ")
}

// Bound returns the first bound of something, and false if there is none.
func (t Target) Bound(of string) (Bound, bool) {
	for _, b := range t {
		if b.Of == of {
			return b, true
		}
	}
	return Bound{}, false
}

// Wanted is the bound without what it speaks of: "≤ 0.35", "< 50 ms".
func (b Bound) Wanted() string {
	return strings.TrimSpace(b.Relation + " " + strconv.FormatFloat(b.Limit, 'f', -1, 64) + " " + b.Unit)
}

// Met says whether v, a ratio or a value in the bound's unit, is as wanted.
func (b Bound) Met(v float64) bool {
	switch b.Relation {
	case "<":
		return v < b.Limit
	case "≤":
		return v <= b.Limit
	case "≥":
		return v >= b.Limit
	case ">":
		return v > b.Limit
	}
	return false
}
