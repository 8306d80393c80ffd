package console

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"zooraft/fsm"
)

// How the znodes are looked through for those that clients may soon be unable to
// read. A step is shorter than one of a search and others have the lock in between:
// a million znodes take some seconds of mostly waiting.
const (
	largeEvery = time.Minute
	largeStep  = 2000
	largePause = 5 * time.Millisecond
	largeShare = 0.8 // of jute.maxbuffer
	maxLarge   = 20  // named
)

// large is a znode, or the list of its children, that takes much of what one reply
// may hold.
type large struct {
	path     string
	bytes    int
	children int // if it is the list: how many
}

// largest are those that the last look has found.
type largest struct {
	mu  sync.Mutex
	all []large
}

// findLarge looks through all znodes. It blocks for as long as that takes, and ends
// when the console is closed.
func (c *Console) findLarge() {
	limit := int(largeShare * float64(c.cfg.MaxBuffer))
	var found []large
	for at, more := uint32(0), true; more; {
		c.state.View(func(v fsm.View) {
			at = v.Scan(at, largeStep, func(s fsm.Scanned) {
				if n := s.DataLen() + frameOverhead; n >= limit {
					found = append(found, large{s.Path(), n, 0})
				}
				// Whose names may be too much is looked at more closely.
				if k := s.NumChildren(); k*(longName+nameOverhead) >= limit {
					found = append(found, large{path: s.Path(), children: k})
				}
			})
		})
		if len(found) > 10*maxLarge {
			found = biggest(found, maxLarge)
		}
		more = at != 0
		select {
		case <-c.stop:
			return
		case <-time.After(largePause):
		}
	}
	kept := found[:0]
	for _, l := range found {
		if l.children > 0 {
			if l.bytes = c.namesBytes(l.path); l.bytes < limit {
				continue
			}
		}
		kept = append(kept, l)
	}
	c.largest.mu.Lock()
	defer c.largest.mu.Unlock()
	c.largest.all = biggest(kept, maxLarge)
}

// What the name of a child takes in a reply besides itself, and how long few are.
const (
	nameOverhead = 4
	longName     = 64
)

// namesBytes is the size of the reply that lists the children of a znode.
func (c *Console) namesBytes(path string) int {
	n := frameOverhead
	var since int64
	last, more := "", true
	for more {
		more = false
		ok := false
		c.state.View(func(v fsm.View) {
			k := 0
			ok = v.EachChild(path, last, max(since, 0), func(name string) bool {
				if k++; k > largeStep {
					more = true
					return false
				}
				n += len(name) + nameOverhead
				last = name
				return true
			})
			last, since = string([]byte(last)), v.LastZxid()
		})
		if !ok {
			break // gone, or changing: what was counted so far will do
		}
	}
	return n
}

func biggest(all []large, n int) []large {
	slices.SortFunc(all, func(a, b large) int {
		return cmp.Or(cmp.Compare(max(b.bytes, b.children), max(a.bytes, a.children)), cmp.Compare(a.path, b.path))
	})
	return slices.Clip(all[:min(n, len(all))])
}

// ownWarnings are those about znodes.
func (c *Console) ownWarnings() (all []Warning) {
	c.largest.mu.Lock()
	found := c.largest.all
	c.largest.mu.Unlock()
	for _, l := range found {
		w := Warning{Severity: Warn, Code: "LargeZnode", Subject: l.path, Link: "znode"}
		what := "its data takes"
		if l.children > 0 {
			w.Code, what = "LargeChildren", fmt.Sprintf("the list of its %d children takes", l.children)
		}
		w.Text = fmt.Sprintf("%s %d%% of jute.maxbuffer (%d of %d bytes): clients with the same limit cannot read it beyond 100%%",
			what, int64(l.bytes)*100/int64(c.cfg.MaxBuffer), l.bytes, c.cfg.MaxBuffer)
		all = append(all, w)
	}
	var quotas []fsm.Quota
	c.state.View(func(v fsm.View) { quotas = v.Quotas(maxQuotas) })
	for i := range quotas {
		all = append(all, nearLimits(&quotas[i])...)
	}
	return all
}

// maxQuotas is how many znodes of quotas are looked at, three for each or more.
const maxQuotas = 2000

// nearQuota is the share of a limit from which on it is near.
const nearQuota = 0.9

// nearLimits names the limits of a quota that are near or passed.
func nearLimits(q *fsm.Quota) (all []Warning) {
	for _, l := range [...]struct {
		what        string
		used, limit int64
		hard        bool
	}{
		{"znodes", q.Count, q.CountHard, true},
		{"bytes", q.Bytes, q.BytesHard, true},
		{"znodes", q.Count, q.CountLimit, false},
		{"bytes", q.Bytes, q.BytesLimit, false},
	} {
		if l.limit <= 0 || float64(l.used) < nearQuota*float64(l.limit) {
			continue
		}
		kind := "soft"
		if l.hard {
			kind = "hard"
		}
		all = append(all, Warning{
			Severity: Warn, Code: "Quota", Subject: q.Path, Link: "znode",
			Text: fmt.Sprintf("%d of %d %s of its %s quota are used", l.used, l.limit, l.what, kind),
		})
	}
	return all
}
