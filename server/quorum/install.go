package quorum

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// A snapshot may come late: the network may hold it back until long after its
// sender has given up on it, sent a newer one and had the entries behind that
// acknowledged. Raft compares nothing but the term, and would make this server's
// state and log end where the snapshot does. So one that brings nothing new is
// not given to Raft, but answered as if it had been installed (Raft, figure 13,
// step 6): the leader goes on with what is behind it.

// errTailReplaced ends a server whose log Raft has emptied, and takes to be as long as
// before: a former leader's, with entries of its own where the snapshot ends and behind.
// Raft refuses what follows the snapshot then, and looks anew only when it starts.
var errTailReplaced = errors.New("a snapshot has taken the place of a log that went on beyond it: raft has to start anew")

// tailReplaced says whether the snapshot that Raft has just restored ends where the
// log has another entry. Called by the apply goroutine, for which Raft waits.
func (n *Node) tailReplaced() bool {
	r := n.raft.Load()
	if r == nil {
		return false
	}
	list, err := n.stores.Snapshots.List()
	if err != nil || len(list) == 0 || r.LastIndex() < list[0].Index {
		return false
	}
	var l raft.Log
	return n.logs.GetLog(list[0].Index, &l) != nil || l.Term != list[0].Term
}

// errHeld is what Raft is told of a snapshot that brings nothing new.
var errHeld = errors.New("what the snapshot holds is here already")

// holds says whether all that a snapshot of the leader in office holds is in this
// server's log, or applied. An entry of another term in its place is not: what
// comes with it is to be replaced. Any goroutine may call it; it may read from the
// disk.
func (n *Node) holds(q *raft.InstallSnapshotRequest) bool {
	r := n.raft.Load()
	if r == nil {
		return false
	}
	held := r.AppliedIndex() >= q.LastLogIndex
	if !held {
		var l raft.Log
		held = n.logs.GetLog(q.LastLogIndex, &l) == nil && l.Term == q.LastLogTerm
	}
	// The term comes last: Raft enters a new one before it cuts anything for its
	// leader. An older leader is to be refused by Raft, a newer one to be followed.
	return held && r.CurrentTerm() == q.Term
}

// answerSnapshot answers a snapshot in Raft's place, once its bytes, behind which the
// sender waits, are out of the connection.
func (t *transport) answerSnapshot(rpc raft.RPC, a raft.InstallSnapshotResponse, failure error) {
	t.layer.wg.Go(func() {
		_, err := io.Copy(io.Discard, rpc.Reader)
		rpc.Respond(&a, errors.Join(failure, err))
	})
}

// snapshotSilence is how long a snapshot may bring nothing. Raft's goroutine reads it
// and does nothing else, so as long as the sender is frozen this server would vote for
// nobody.
const snapshotSilence = 5 * time.Second

// arriving is the content of a snapshot that Raft was given. What was on its way
// to Raft then may have brought the same, so Raft's goroutine looks once more
// before it takes anything; the leader will send it again, and hear that it is here.
type arriving struct {
	io.Reader
	held   func() bool
	looked bool

	limit  time.Duration // of one read
	cutOff func()        // ends the connection
	silent *time.Timer
}

func (s *arriving) Read(b []byte) (int, error) {
	if !s.looked {
		s.looked = true
		if s.held() {
			_, err := io.Copy(io.Discard, s)
			return 0, errors.Join(errHeld, err)
		}
	}
	if s.silent == nil {
		s.silent = time.AfterFunc(s.limit, s.cutOff)
	}
	s.silent.Reset(s.limit)
	defer s.silent.Stop()
	return s.Reader.Read(b)
}
