package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// markdown writes the tables of a summary.
func markdown(out *bytes.Buffer, s *summary) {
	fmt.Fprintf(out, "# %s\n", plain(s.title))
	for _, n := range s.notes {
		fmt.Fprintf(out, "\n%s\n", plain(n))
	}
	if len(s.labels) == 0 {
		out.WriteString("\nNothing was measured: the results hold neither runs nor figures.\n")
	}
	if s.baseline != "" && len(s.labels) > 1 {
		fmt.Fprintf(out, "\nRatios are to %s. Of operations/s more is better, of server CPU and latencies less. Server CPU is processor\n"+
			"seconds of all server processes per 100,000 operations. Of repeated runs the median is shown, with the least and the\n"+
			"most behind it. Even: within 5 %%, or repeated runs of both overlap.\n", plain(s.baseline))
	}
	var seen []string
	for _, e := range s.environments {
		var b strings.Builder
		v := environmentOf(e)
		for _, f := range v.Facts {
			fmt.Fprintf(&b, "- %s: %s\n", f[0], plain(f[1]))
		}
		if v.Commands != "" {
			fence := fenceFor(v.Commands)
			fmt.Fprintf(&b, "\n%s\n%s\n%s\n", fence, v.Commands, fence)
		}
		if text := b.String(); text != "" && !slices.Contains(seen, text) {
			seen = append(seen, text)
			out.WriteString("\n" + text)
		}
	}
	if t := s.targets(); t.Any() {
		fmt.Fprintf(out, "\n## Targets\n\n%s.\n", t.Count())
		var rows [][]string
		for _, o := range t.Missed {
			rows = append(rows, []string{plain(o.Name), plain(o.What), plain(o.Measured), plain(o.Wanted)})
		}
		if len(rows) > 0 {
			out.WriteString("\n")
			tableOf(out, []string{"missed", "figure", "measured", "wanted"}, "--rr", rows)
		}
	}
	for _, t := range s.glance() {
		fmt.Fprintf(out, "\n## At a glance: %s in proportion to %s\n\n", plain(t.Label), plain(s.baseline))
		rows := [][]string{}
		for _, r := range t.Rows {
			rows = append(rows, []string{r.Metric, "**" + r.Typical + "**", r.Best + " (" + plain(r.BestAt) + ")", r.Worst + " (" + plain(r.WorstAt) + ")",
				fmt.Sprint(r.Better), fmt.Sprint(r.Even), fmt.Sprint(r.Worse)})
		}
		tableOf(out, []string{"figure", "median", "best", "worst", "better", "even", "worse"}, "-r--rrr", rows)
	}
	for _, g := range s.groups {
		fmt.Fprintf(out, "\n## %s\n", plain(g.name))
		s.runsOf(out, g)
		s.figuresOf(out, g)
	}
}

func (s *summary) runsOf(out *bytes.Buffer, g *group) {
	if len(g.scenarios) == 0 {
		return
	}
	head := []string{"scenario", "label"}
	for _, m := range metrics {
		head = append(head, m.name)
	}
	var rows [][]string
	for _, sc := range g.scenarios {
		for i, r := range sc.rows {
			cells := []string{"", plain(r.label)}
			if i == 0 {
				cells[0] = plain(sc.name)
				if sc.wanted != "" {
					cells[0] += "<br>wanted: " + plain(sc.wanted)
				}
			}
			for k, c := range r.cells {
				cells = append(cells, markdownCell(c.view(metrics[k].format, metrics[k].name == "errors")))
			}
			rows = append(rows, cells)
		}
	}
	out.WriteString("\n")
	tableOf(out, head, "--"+strings.Repeat("r", len(metrics)), rows)
}

func (s *summary) figuresOf(out *bytes.Buffer, g *group) {
	labels, figures := s.figureViews(g)
	if len(figures) == 0 {
		return
	}
	head := []string{"figure"}
	for _, l := range labels {
		head = append(head, plain(l))
	}
	wanted := anyWanted(figures)
	var rows [][]string
	for _, f := range figures {
		cells := []string{plain(f.Name)}
		for _, c := range f.Cells {
			cells = append(cells, markdownCell(c))
		}
		if wanted {
			cells = append(cells, plain(f.Wanted))
		}
		rows = append(rows, cells)
	}
	if wanted {
		head = append(head, "wanted")
	}
	out.WriteString("\n")
	tableOf(out, head, "-"+strings.Repeat("r", len(labels))+"-", rows)
}

func markdownCell(v cellView) string {
	text := plain(v.Text)
	if v.Bad {
		text = "**" + text + "**"
	}
	if v.Range != "" {
		text += " <sub>" + plain(v.Range) + "</sub>"
	}
	if v.Ratio != "" {
		text += "<br>" + strings.TrimSpace(v.Ratio+" "+v.Verdict)
	}
	for _, t := range v.Targets {
		text += "<br><sub>wanted " + plain(t.Wanted)
		if t.Verdict != "" {
			text += ": " + t.Verdict
		}
		text += "</sub>"
	}
	return text
}

// tableOf writes cells that are Markdown already; align has an r for each column
// to be set to the right.
func tableOf(out *bytes.Buffer, head []string, align string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
		if align[i] == 'r' {
			rule[i] = "--:"
		}
	}
	line(rule)
	for _, r := range rows {
		line(r)
	}
}

var markdownEscapes = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "|", "\\|", "~", "\\~",
	"#", "\\#", "<", "&lt;", ">", "&gt;", "&", "&amp;", "://", ":&#47;&#47;", "\r", " ", "\n", " ")

// plain writes text that stays text wherever it stands, in one line.
func plain(text string) string { return markdownEscapes.Replace(text) }

// fenceFor returns a fence that the text does not close.
func fenceFor(text string) string {
	longest, run := 2, 0
	for _, r := range text {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return strings.Repeat("`", longest+1)
}
