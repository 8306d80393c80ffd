// Package report turns results of cmd/bench into something to read: one HTML
// page, or the same tables as Markdown.
//
// It measures nothing and knows nothing of how results came about but what they
// say themselves.
//
// Invariants:
//   - The page needs nothing but itself: no script, no font, no picture from
//     elsewhere. It works from a disk, in light and dark, and on paper.
//   - What comes from a file of results is text: it is escaped wherever it goes.
//   - A figure that is not there is shown as missing, never as zero, and a ratio
//     is shown only where both of its sides are there and the baseline's is not
//     zero.
//   - Colour says nothing that a word beside it does not say too.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"zooraft/cmd/bench"
)

// ErrBaseline reports that no result has the label that was asked for as the
// baseline.
var ErrBaseline = errors.New("no such label")

// Options are what the results do not say.
type Options struct {
	// Title heads the page; empty gives a plain one.
	Title string
	// Baseline is the label that ratios are taken to. Empty: the first label that
	// contains "ZooKeeper", else the second label, else none.
	Baseline string
	// Notes are paragraphs of plain text below the title.
	Notes []string
}

// Write renders all results as one HTML page. Results with the same group,
// scenario and label are repetitions, whichever file they came from, and are
// shown as their median. It fails with ErrBaseline, or if a result holds numbers
// that no measurement gives; nothing is written then.
func Write(w io.Writer, results []bench.Results, o Options) error {
	s, err := summarize(results, o)
	if err != nil {
		return err
	}
	p, err := newPage(s)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pageTemplate().Execute(&out, p); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	_, err = out.WriteTo(w)
	return err
}

// WriteMarkdown renders the tables of Write, without its charts, as GitHub's
// Markdown. It fails as Write does.
func WriteMarkdown(w io.Writer, results []bench.Results, o Options) error {
	s, err := summarize(results, o)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	markdown(&out, s)
	_, err = out.WriteTo(w)
	return err
}

// baselineOf says which of the labels ratios are taken to; empty is none.
func baselineOf(labels []string, wanted string) (string, error) {
	if wanted != "" {
		if !slices.Contains(labels, wanted) {
			return "", fmt.Errorf("baseline %q: %w; there are: %s", wanted, ErrBaseline, strings.Join(labels, ", "))
		}
		return wanted, nil
	}
	for _, l := range labels {
		if strings.Contains(l, "ZooKeeper") {
			return l, nil
		}
	}
	if len(labels) > 1 {
		return labels[1], nil
	}
	return "", nil
}
