package quorum

import (
	"encoding/binary"
	"sort"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
)

// A sync is a read-index round (Raft dissertation, section 6.4): the leader
// notes its commit index, has a majority confirm, by answers to questions sent
// afterwards, that no later term has begun, and only then gives the index out;
// the asking server waits until it has applied it. raft.VerifyLeader will not
// do: it counts answers to heartbeats sent before the question.
//
// Both steps serve whatever has queued: one question is under way from a server
// to the leader, and one round from the leader to its peers.

// resyncAfter is how long an unanswered question waits before it is asked again.
const resyncAfter = time.Second

// syncs is the state of both sides. Guarded by Node.mu.
type syncs struct {
	// Asking.
	fresh   []func(fsm.View, error) // not in a question yet
	asked   []func(fsm.View, error) // waiting for the answer to question
	number  uint64                  // of the question under way
	askedAt time.Time
	waiting []indexWaiter // answered, waiting for apply; by index

	// Answering, on the leader.
	questions map[int64]uint64 // waiting for the next round: the newest number of each server
	inRound   map[int64]uint64
	round     uint64
	roundTerm uint64
	roundIdx  uint64
	roundAt   time.Time
	confirmed map[int64]bool // whether it has; the voters of the round
	ownNumber uint64         // this server's own question, answered; 0 if none is
	ownIndex  uint64
}

type indexWaiter struct {
	index uint64
	done  func(fsm.View, error)
}

// Sync calls done, with the state lock held, once this server has applied all
// that the leader had committed at some moment after the call. It does not
// block. err is not nil when the server ceases to serve first.
func (n *Node) Sync(done func(v fsm.View, err error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.syncs.fresh = append(n.syncs.fresh, done)
	if len(n.syncs.asked) == 0 {
		n.askLocked()
	}
}

// PendingSyncs counts the syncs that wait on this server.
func (n *Node) PendingSyncs() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.syncs.fresh) + len(n.syncs.asked) + len(n.syncs.waiting)
}

// askLocked puts all that wait into one question to the leader.
func (n *Node) askLocked() {
	s := &n.syncs
	s.asked = append(s.asked, s.fresh...)
	s.fresh = nil
	s.number++ // whatever comes: an answer on its way is not for those who came after it
	if len(s.asked) == 0 || n.leaderSID == 0 {
		return
	}
	s.askedAt = time.Now()
	if n.leaderSID == n.cfg.SID {
		n.questionLocked(n.cfg.SID, s.number)
		return
	}
	n.mesh.Send(n.leaderSID, frameAskIndex, binary.AppendUvarint(nil, s.number))
}

// restartSync asks again after the leader changed, or its stream broke, and
// begins the round for those who asked this server before it took office.
func (n *Node) restartSync() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.askLocked()
	if s := &n.syncs; len(s.questions)+len(s.inRound) > 0 {
		n.startRoundLocked()
	}
}

// resyncIfStuck asks again what has not been answered for long.
func (n *Node) resyncIfStuck(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.syncs.asked) > 0 && now.Sub(n.syncs.askedAt) > resyncAfter {
		n.askLocked()
	}
}

// failSyncs ends all that wait: the server ceases to serve.
func (n *Node) failSyncs() {
	n.mu.Lock()
	s := &n.syncs
	failed := append(s.fresh, s.asked...)
	for _, w := range s.waiting {
		failed = append(failed, w.done)
	}
	s.fresh, s.asked, s.waiting = nil, nil, nil
	n.mu.Unlock()
	n.fsm.View(func(v fsm.View) {
		for _, done := range failed {
			done(v, ErrNotServing)
		}
	})
}

// askedIndex takes a peer's question.
func (n *Node) askedIndex(from int64, body []byte) {
	r := frameReader{b: body}
	number := r.uvarint()
	if r.bad {
		n.malformed(from, body)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questionLocked(from, number)
}

func (n *Node) questionLocked(from int64, number uint64) {
	s := &n.syncs
	if s.questions == nil {
		s.questions = make(map[int64]uint64)
	}
	s.questions[from] = number
	if len(s.inRound) == 0 || time.Since(s.roundAt) > resyncAfter {
		n.startRoundLocked()
	}
}

// startRoundLocked notes the commit index and asks all voters for their term.
func (n *Node) startRoundLocked() {
	s := &n.syncs
	r := n.raft.Load()
	term := n.leadTerm.Load()
	if r == nil || term == 0 {
		return // not in office yet: enterOffice begins again
	}
	for from, number := range s.inRound { // of a round that found no majority
		if _, newer := s.questions[from]; !newer {
			s.questions[from] = number
		}
	}
	s.inRound, s.questions = s.questions, make(map[int64]uint64)
	s.round++
	s.roundTerm, s.roundIdx, s.roundAt = term, r.CommitIndex(), time.Now()
	// By Raft's latest configuration, committed or not: whoever is elected from now
	// on is so by a majority that shares a server with this one's.
	s.confirmed = make(map[int64]bool)
	for _, v := range r.GetConfiguration().Configuration().Servers {
		if v.Suffrage != raft.Voter {
			continue
		}
		sid := sidOf(v.ID)
		s.confirmed[sid] = sid == n.cfg.SID
		if sid != n.cfg.SID {
			n.mesh.Send(sid, frameAskTerm, binary.AppendUvarint(nil, s.round))
		}
	}
	n.endRoundLocked()
}

// askedTerm tells a leader this server's term.
func (n *Node) askedTerm(from int64, body []byte) {
	r := n.raft.Load()
	if r == nil {
		return
	}
	b := append([]byte(nil), body...)
	n.mesh.Send(from, frameTerm, binary.AppendUvarint(b, r.CurrentTerm()))
}

// gotTerm counts a voter's answer.
func (n *Node) gotTerm(from int64, body []byte) {
	r := frameReader{b: body}
	round, term := r.uvarint(), r.uvarint()
	if r.bad {
		n.malformed(from, body)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.syncs
	if round != s.round || term != s.roundTerm || len(s.inRound) == 0 {
		return
	}
	if confirmed, votes := s.confirmed[from]; confirmed || !votes {
		return
	}
	s.confirmed[from] = true
	n.endRoundLocked()
}

// endRoundLocked gives the index out once a majority has confirmed.
func (n *Node) endRoundLocked() {
	s := &n.syncs
	r := n.raft.Load()
	confirmed := 0
	for _, is := range s.confirmed {
		if is {
			confirmed++
		}
	}
	if len(s.inRound) == 0 || confirmed <= len(s.confirmed)/2 || r.State() != raft.Leader || r.CurrentTerm() != s.roundTerm {
		return
	}
	index := n.commandIndex(s.roundIdx)
	ended := s.inRound
	s.inRound = nil
	for from, number := range ended {
		if from == n.cfg.SID {
			s.ownNumber, s.ownIndex = number, index
			n.poke() // the main loop answers: the state lock comes before this one
			continue
		}
		b := binary.AppendUvarint(nil, number)
		n.mesh.Send(from, frameIndex, binary.AppendUvarint(b, index))
	}
	if len(s.questions) > 0 {
		n.startRoundLocked()
	}
}

// commandIndex is the last index up to i that the state machine gets to see:
// Raft's own entries do not reach it.
func (n *Node) commandIndex(i uint64) uint64 {
	for ; i > 0; i-- {
		var l raft.Log
		if err := n.logs.GetLog(i, &l); err != nil {
			break // only a snapshot holds it
		}
		if l.Type == raft.LogCommand || l.Type == raft.LogConfiguration {
			return i
		}
	}
	// A leader in office has applied all that came before its term.
	return n.applied.Load()
}

// answerOwn lets the syncs of this server go, where it leads.
func (n *Node) answerOwn() {
	n.mu.Lock()
	number, index := n.syncs.ownNumber, n.syncs.ownIndex
	n.syncs.ownNumber = 0
	n.mu.Unlock()
	if number != 0 {
		n.answered(number, index)
	}
}

// gotIndex takes the leader's answer.
func (n *Node) gotIndex(from int64, body []byte) {
	r := frameReader{b: body}
	number, index := r.uvarint(), r.uvarint()
	if r.bad {
		n.malformed(from, body)
		return
	}
	n.answered(number, index)
}

// answered lets the syncs of a question wait for the index, or go.
func (n *Node) answered(number, index uint64) {
	n.fsm.View(func(v fsm.View) {
		n.mu.Lock()
		s := &n.syncs
		if number != s.number {
			n.mu.Unlock()
			return
		}
		answered := s.asked
		s.asked = nil
		if v.AppliedIndex() < index {
			for _, done := range answered {
				s.waiting = append(s.waiting, indexWaiter{index, done})
			}
			sort.SliceStable(s.waiting, func(i, j int) bool { return s.waiting[i].index < s.waiting[j].index })
			answered = nil
		}
		n.askLocked()
		n.mu.Unlock()
		for _, done := range answered {
			done(v, nil)
		}
	})
}

// releaseSyncs lets those go that wait for an index up to this one. Called
// under the state lock.
func (n *Node) releaseSyncs(v fsm.View, index uint64) {
	n.mu.Lock()
	s := &n.syncs
	k := 0
	for k < len(s.waiting) && s.waiting[k].index <= index {
		k++
	}
	released := s.waiting[:k:k]
	s.waiting = s.waiting[k:]
	n.mu.Unlock()
	for _, w := range released {
		w.done(v, nil)
	}
}
