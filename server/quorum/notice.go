package quorum

import (
	"sync"
	"time"

	"zooraft/fsm"
)

// Raft tells a follower of a commit with the next AppendEntries, which when
// writes pause is one or two CommitTimeouts away: each lone write of a
// follower's client would feel it. So a leader that has applied an entry, with
// nothing newer on its way, tells the followers by a message without entries.
// While writes follow each other closely the next one carries the news as well,
// so those followers alone are told at once that wait for requests of their own:
// as soon as the commit is known, before this server applies it. The next entry
// would tell them only when it is on their disks, for Raft looks at the commit
// index of a message behind its entries.
//
// Invariant: the term of a message and that of its entry are one, and only
// entries that this server proposed while leading are announced. So a leader out
// of office never speaks in its successor's term, and to Raft the message is one
// of its own (Raft, section 5.3).

// noticeGrace is what counts as closely, and the longest that a follower which
// waits for nothing of its own is left without the news.
const noticeGrace = time.Millisecond

// notices decides when followers are told of commits.
type notices struct {
	mu      sync.Mutex
	owed    map[int64]bool // followers with requests in entries not announced
	index   uint64         // the newest commit to announce; written by the apply goroutine
	term    uint64
	quietAt time.Time // when nothing newer was on its way last
	close   bool      // the next entry came within noticeGrace of that
	timer   *time.Timer
	armed   bool
	due     []*appender // of the apply goroutine: to be told by Flush, or of a commit
}

func (s *notices) init(n *Node) {
	s.owed = make(map[int64]bool)
	s.timer = time.AfterFunc(time.Hour, n.noticeLate)
	s.timer.Stop()
}

// owe takes note that an entry about to be proposed carries a request of sid.
func (s *notices) owe(sid int64) {
	s.mu.Lock()
	s.owed[sid] = true
	s.mu.Unlock()
}

// committed takes note that everything up to the Raft index is committed and about
// to be applied here. Only the apply goroutine calls it, without the state lock; it
// does not block.
func (n *Node) committed(index, term uint64) {
	if !n.newest(index, term) {
		return
	}
	s := &n.notices
	s.mu.Lock()
	for _, p := range *n.trans.appenders.Load() {
		if s.owed[p.sid] {
			s.due = append(s.due, p)
		}
	}
	clear(s.owed)
	s.mu.Unlock()
	s.tell(index, term)
}

// newest says whether nothing is on its way to the followers that will tell them of
// what is committed up to an entry, while this server leads in that entry's term.
func (n *Node) newest(index, term uint64) bool {
	if n.mesh == nil || n.leadTerm.Load() != term {
		return false
	}
	r := n.raft.Load()
	return r != nil && r.LastIndex() == index
}

// tell tells those that are due of a commit.
func (s *notices) tell(index, term uint64) {
	for i, p := range s.due {
		p.notice(index, term)
		s.due[i] = nil
	}
	s.due = s.due[:0]
}

// Applied takes note that everything up to the Raft index is applied here. It
// is called under the state lock, and does not block.
func (n *Node) Applied(v fsm.View, index, term uint64) {
	n.applied.Store(index)
	n.countApplied()
	n.releaseSyncs(v, index)
	n.batch.noteApplied(index)
	n.noteMembership(v)
	if !n.newest(index, term) {
		return
	}
	s := &n.notices
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.term, s.quietAt = index, term, time.Now()
	if !s.close { // those that wait for their own know already
		s.due = append(s.due, *n.trans.appenders.Load()...)
	}
	if s.close && !s.armed {
		s.armed = true
		s.timer.Reset(noticeGrace)
	}
}

// Flush tells those that Applied has chosen. It does not block; only the apply
// goroutine calls it.
func (n *Node) Flush() {
	n.notices.tell(n.notices.index, n.notices.term)
}

// proposing takes note of an entry about to be proposed.
func (s *notices) proposing() {
	s.mu.Lock()
	s.close = time.Since(s.quietAt) < noticeGrace
	s.mu.Unlock()
}

// noticeLate tells those who have not heard otherwise.
func (n *Node) noticeLate() {
	s := &n.notices
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	if n.leadTerm.Load() != s.term || n.raft.Load().LastIndex() != s.index {
		return
	}
	for _, p := range *n.trans.appenders.Load() {
		p.notice(s.index, s.term)
	}
}

// countApplied counts the requests of the batch as committed: by this leader, or
// as it was told.
func (n *Node) countApplied() {
	requests, _ := n.fsm.Work()
	done := int64(requests - n.counted)
	n.counted = requests
	n.cfg.Metrics.CommitsQueued.Add(done)
	if n.leadTerm.Load() != 0 {
		n.cfg.Metrics.Commits.Add(done)
	} else {
		n.cfg.Metrics.CommitsReceived.Add(done)
	}
}
