package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zooraft/protocol"
)

// sequenceDigits is the width of the number that a sequential create appends.
const sequenceDigits = 10

// MarkPath is the path to give to a sequential create in dir that is the client's mark'th write there: the mark stands
// in the name, so that a list of children tells which writes were applied, and in which order.
func MarkPath(dir string, mark int) string { return fmt.Sprintf("%s/%d-", dir, mark) }

// splitMark takes a child's name apart: the mark that the client gave it, the sequence number that the server did.
func splitMark(name string) (mark, sequence int, ok bool) {
	m, s, ok := strings.Cut(name, "-")
	if !ok || len(s) != sequenceDigits {
		return 0, 0, false
	}
	mark, err := strconv.Atoi(m)
	if err != nil {
		return 0, 0, false
	}
	sequence, err = strconv.Atoi(s)
	return mark, sequence, err == nil
}

// Marks checks that a client's sequential creates in dir, of paths by MarkPath with rising marks, were applied exactly
// once and in order, given the children that dir has in the end. dir is one in which nobody else creates and nobody
// deletes.
//
//   - lost: a write that was answered is there, under the path that the answer gave.
//   - twice: no mark is there two times; a write that was not answered may be there or not.
//   - order: the sequence numbers rise with the marks, and none is left out.
//   - unasked: nothing else is there.
func Marks(c *Client, dir string, children []string) []Violation {
	violate := func(out []Violation, rule, format string, args ...any) []Violation {
		return append(out, Violation{rule, c.Name, c.end(), dir + ": " + fmt.Sprintf(format, args...)})
	}
	type child struct{ mark, sequence int }
	var out []Violation
	var there []child
	names := make(map[string]bool, len(children))
	for _, name := range children {
		mark, sequence, ok := splitMark(name)
		if !ok {
			out = violate(out, "unasked", "child %q", name)
			continue
		}
		names[name] = true
		there = append(there, child{mark, sequence})
	}
	slices.SortFunc(there, func(a, b child) int { return a.sequence - b.sequence })

	asked := make(map[int]bool)
	for i := range c.Records {
		r := &c.Records[i]
		name, ok := strings.CutPrefix(r.Path, dir+"/")
		if !ok || r.Op != protocol.OpCreate2 {
			continue
		}
		switch {
		case r.Kind == Call:
			if mark, err := strconv.Atoi(strings.TrimSuffix(name, "-")); err == nil {
				asked[mark] = true
			}
		case r.OK() && !names[name]:
			out = violate(out, "lost", "%s was acknowledged at %v with zxid 0x%x and is not there", name, r.At, r.Zxid)
		}
	}
	seen := make(map[int]bool, len(there))
	last := child{-1, -1}
	for _, ch := range there {
		switch {
		case !asked[ch.mark]:
			out = violate(out, "unasked", "mark %d has number %d", ch.mark, ch.sequence)
		case seen[ch.mark]:
			out = violate(out, "twice", "mark %d is there again with number %d", ch.mark, ch.sequence)
		case ch.mark < last.mark:
			out = violate(out, "order", "mark %d has number %d, after mark %d with %d", ch.mark, ch.sequence, last.mark,
				last.sequence)
		}
		if ch.sequence != last.sequence+1 {
			out = violate(out, "order", "number %d (mark %d) follows %d: a create is missing, or a number was given twice",
				ch.sequence, ch.mark, last.sequence)
		}
		seen[ch.mark] = true
		last = ch
	}
	return out
}
