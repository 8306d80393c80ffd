package console

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/tree"
)

// Bounds of a search.
const (
	someResults  = 50
	mostResults  = 500
	searchStep   = 1000 // znodes looked at under one hold of the state lock
	searchTime   = 2 * time.Second
	maxSearches  = 4 // under way at a time
	maxQueryText = 1024
)

// found is what a search has found: paths, in order.
type found struct {
	Results []string `json:"results"`
	// Truncated: there may be more.
	Truncated bool `json:"truncated"`
	Scanned   int  `json:"scanned"` // znodes looked at
}

// search finds znodes. What begins with a slash is the beginning of a path, down to
// the last of its names; anything else is a part of a name or, with slashes in it,
// of a path, whatever the case of its letters.
func (c *Console) search(w http.ResponseWriter, r *http.Request, _ *session) {
	q := r.URL.Query().Get("q")
	limit, ok := number(w, r, "limit", someResults, 1, mostResults)
	if !ok {
		return
	}
	switch {
	case q == "" || len(q) > maxQueryText:
		fail(w, http.StatusBadRequest, "BadArguments", "q: give 1 to 1024 bytes")
		return
	case q[0] == '/':
		answer(w, c.complete(q, limit))
		return
	}
	select {
	case c.searches <- struct{}{}:
	default:
		fail(w, http.StatusServiceUnavailable, "Busy", "too many searches are under way")
		return
	}
	defer func() { <-c.searches }()
	answer(w, c.scan(r, q, limit))
}

// complete lists the paths that begin as prefix does, of one level.
func (c *Console) complete(prefix string, limit int) found {
	i := strings.LastIndexByte(prefix, '/')
	parent, begin := max(prefix[:i], tree.RootPath), prefix[i+1:]
	out := found{Results: []string{}}
	l, ok := c.lists.get(parent)
	if !ok {
		return out
	}
	out.Scanned = l.len()
	for i := l.seek(begin); i < l.len() && strings.HasPrefix(l.name(i), begin); i++ {
		if len(out.Results) == limit {
			out.Truncated = true
			break
		}
		out.Results = append(out.Results, join(parent, l.name(i)))
	}
	return out
}

// scan goes through all znodes, in steps.
func (c *Console) scan(r *http.Request, q string, limit int) found {
	out := found{Results: []string{}}
	whole := strings.Contains(q, "/")
	q = strings.ToLower(q)
	var low []byte
	matches := func(s fsm.Scanned) bool {
		if s.PathLen() < len(q) {
			return false
		}
		text := s.Name()
		if whole {
			text = s.Path()
		}
		low = appendLower(low[:0], text)
		return bytes.Contains(low, []byte(q))
	}
	end := time.Now().Add(searchTime)
	for at, more := uint32(0), true; more; {
		c.state.View(func(v fsm.View) {
			at = v.Scan(at, searchStep, func(s fsm.Scanned) {
				out.Scanned++
				if len(out.Results) <= limit && matches(s) {
					out.Results = append(out.Results, s.Path())
				}
			})
		})
		more = at != 0
		if len(out.Results) > limit || more && (time.Now().After(end) || r.Context().Err() != nil) {
			out.Truncated = true
			break
		}
	}
	slices.Sort(out.Results)
	out.Results = out.Results[:min(limit, len(out.Results))]
	return out
}

// appendLower appends a text in lower case, allocating nothing for ASCII, which
// nearly all names are.
func appendLower(b []byte, text string) []byte {
	for i := range len(text) {
		ch := text[i]
		switch {
		case ch >= 0x80:
			return append(b[:0], strings.ToLower(text)...)
		case 'A' <= ch && ch <= 'Z':
			ch += 'a' - 'A'
		}
		b = append(b, ch)
	}
	return b
}
