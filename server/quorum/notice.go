package quorum

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
)

// Raft tells a follower of a commit with the next AppendEntries, which when
// writes pause is one or two CommitTimeouts away: each lone write of a
// follower's client would feel it. So a leader that has applied an entry, with
// nothing newer on its way, sends an empty AppendEntries itself, one at most
// under way to each follower, the newest winning.
//
// Invariant: Term and PrevLogTerm are the entry's own term, and only entries
// that this server proposed while leading are announced. So a leader out of
// office never speaks in its successor's term, and to Raft the message is one
// of its own (Raft, section 5.3).

// noticeAgain is how long a follower is given to store an entry before it is
// told again that it is committed.
const noticeAgain = time.Millisecond

// noticeAtMost is where doubling that ends: by then Raft has told it as well.
const noticeAtMost = 64 * time.Millisecond

// notifier tells one follower of commits.
type notifier struct {
	n    *Node
	id   raft.ServerID
	addr raft.ServerAddress

	mu    sync.Mutex
	index uint64
	term  uint64
	wake  chan struct{}
	stop  chan struct{}
	wg    sync.WaitGroup
}

func newNotifier(n *Node, m Member) *notifier {
	t := &notifier{
		n: n, id: serverID(m.SID), addr: raft.ServerAddress(m.electionAddr()),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	t.wg.Add(1)
	go t.run()
	return t
}

// Applied takes note that everything up to the Raft index is applied here. It
// is called under the state lock, and does not block.
func (n *Node) Applied(v fsm.View, index, term uint64) {
	n.applied.Store(index)
	n.releaseSyncs(v, index)
	if len(n.notices) == 0 || n.leadTerm.Load() != term {
		return
	}
	if r := n.raft.Load(); r == nil || r.LastIndex() != index {
		return // something newer carries the news
	}
	for _, t := range n.notices {
		t.announce(index, term)
	}
}

func (t *notifier) announce(index, term uint64) {
	t.mu.Lock()
	if index >= t.index {
		t.index, t.term = index, term
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *notifier) run() {
	defer t.wg.Done()
	self := t.n.trans.LocalAddr()
	var refused uint64 // the index refused last, and the pause after it
	var pause time.Duration
	for {
		select {
		case <-t.stop:
			return
		case <-t.wake:
		}
		t.mu.Lock()
		index, term := t.index, t.term
		t.mu.Unlock()
		addr := t.n.trans.EncodePeer(serverID(t.n.cfg.SID), self)
		req := raft.AppendEntriesRequest{
			RPCHeader:         raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(serverID(t.n.cfg.SID)), Addr: addr},
			Term:              term,
			PrevLogEntry:      index,
			PrevLogTerm:       term,
			LeaderCommitIndex: index,
		}
		// Whatever comes of it, Raft's own replication goes on. A refusal means
		// that the follower has not stored the entry yet.
		var resp raft.AppendEntriesResponse
		if err := t.n.trans.AppendEntries(t.id, t.addr, &req, &resp); err != nil {
			t.n.log.Trace("commit notice not delivered", "peer", t.id, "error", err)
		} else if !resp.Success && t.n.leadTerm.Load() == term && t.n.raft.Load().LastIndex() == index {
			if index != refused {
				refused, pause = index, noticeAgain
			}
			timer := time.NewTimer(pause)
			select {
			case <-t.stop:
			case <-timer.C:
				t.announce(index, term)
			}
			timer.Stop()
			pause = min(2*pause, noticeAtMost)
		}
	}
}

func (t *notifier) close() {
	close(t.stop)
	t.wg.Wait()
}
