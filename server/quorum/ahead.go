package quorum

import (
	"slices"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/zabcompat"
)

// ahead is what the log said at the start behind the newest snapshot. It is
// learnt while the stores verify the log, so that nobody has to read it once more
// before it is applied. Immutable once settled.
type ahead struct {
	// disks are those by which servers register behind what was applied at the
	// start: a server that had its disk exchanged must not be refused for what has
	// yet to be read.
	disks map[int64]registered
	// first and until are the first entry and the last one, 0 if there was none.
	first, until uint64
	// configs are the entries that Raft looks for when it starts: all but commands,
	// noops and barriers.
	configs []uint64
	terms   []termAhead
	// snapshot is the snapshot's index, and clock the state's with all behind it
	// applied; see Node.loggedZxid.
	snapshot uint64
	clock    zabcompat.Clock
}

// registered is how a server registers last.
type registered struct {
	disk  [16]byte
	index uint64
}

// termAhead is what the log has of a term.
type termAhead struct {
	term, first uint64
	commands    bool // there are some
	zxids       int  // that they give to requests
}

// note learns of the next entry.
func (a *ahead) note(l *raft.Log) {
	if a.until = l.Index; a.first == 0 {
		a.first = l.Index
	}
	if n := len(a.terms); n == 0 || a.terms[n-1].term != l.Term {
		a.terms = append(a.terms, termAhead{term: l.Term, first: l.Index})
	}
	switch l.Type {
	case raft.LogCommand:
		for _, r := range fsm.Registrations(l.Data) {
			if a.disks == nil {
				a.disks = make(map[int64]registered)
			}
			a.disks[r.SID] = registered{r.Disk, l.Index}
		}
		t := &a.terms[len(a.terms)-1]
		t.commands = true
		t.zxids += fsm.CountZxids(l.Data)
	case raft.LogNoop, raft.LogBarrier:
	default:
		a.configs = append(a.configs, l.Index)
	}
}

// settle takes the clock and the index of the snapshot, and how far the log was
// applied meanwhile.
func (a *ahead) settle(clock zabcompat.Clock, snapshot, applied uint64) {
	a.clock, a.snapshot = clock, snapshot
	for _, t := range a.terms {
		if t.commands {
			advance(&a.clock, t.term, t.zxids)
		}
	}
	for sid, r := range a.disks {
		if r.index <= applied {
			delete(a.disks, sid)
		}
	}
}

// advance has a clock give n zxids to requests of commands of a term.
func advance(c *zabcompat.Clock, term uint64, n int) {
	c.Begin(term)
	for range n {
		c.Next(term)
	}
}

// stands says whether the log still has what was learnt of it, and was not
// replaced in part.
func (a *ahead) stands(log raft.LogStore) bool {
	var l raft.Log
	return a.until > 0 && log.GetLog(a.until, &l) == nil && l.Term == a.term(a.until)
}

// config is the last entry that holds a configuration of Raft's, 0 if none does.
func (a *ahead) config() uint64 {
	if len(a.configs) == 0 {
		return 0
	}
	return a.configs[len(a.configs)-1]
}

// term is that of an entry.
func (a *ahead) term(index uint64) uint64 {
	for _, t := range slices.Backward(a.terms) {
		if t.first <= index {
			return t.term
		}
	}
	return 0
}

// scanned is the log for raft.NewRaft, which reads all of it behind the snapshot
// only to find configurations. As long as it asks for one entry after the other,
// it gets the others without their data, from what ahead knows. The last entry is
// always read from the log. The scan ends there, before Raft starts anything;
// from then on next is that entry, and every read goes to the log.
type scanned struct {
	*logCache
	ahead *ahead
	next  uint64 // of the scan
	// beforeRead is called before each other entry that ahead knows is read.
	beforeRead func(index uint64)
}

// GetLog implements raft.LogStore.
func (s *scanned) GetLog(index uint64, l *raft.Log) error {
	if index != s.next || index >= s.ahead.until {
		if index <= s.ahead.until {
			s.beforeRead(index)
		}
		return s.logCache.GetLog(index, l)
	}
	s.next++
	if _, config := slices.BinarySearch(s.ahead.configs, index); config {
		return s.logCache.GetLog(index, l)
	}
	*l = raft.Log{Index: index, Term: s.ahead.term(index), Type: raft.LogCommand}
	return nil
}
