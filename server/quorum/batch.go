package quorum

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
)

const (
	// maxEntry bounds what travels together; a larger request travels alone.
	maxEntry = 256 << 10
	// maxBatched bounds the bytes that wait for the proposing goroutine.
	maxBatched = 128 << 20
	// maxFutures bounds the entries on their way through Raft.
	maxFutures = 4096
	// afterFailure is the pause before lost requests are asked for again, so that
	// a leader that cannot accept does not spin.
	afterFailure = 50 * time.Millisecond
)

// batcher is the leader's proposer: the one goroutine that calls raft.Apply. It
// takes what has queued meanwhile as one entry. There is no timer: an idle
// server sends at once, and the entry grows as the disk slows.
type batcher struct {
	n       *Node
	futures chan raft.ApplyFuture
	sizes   proposalSizes

	mu      sync.Mutex
	queue   []queued
	bytes   int  // of payloads in queue
	dropped bool // something did not fit
	closed  bool
	wake    chan struct{}
}

type queued struct {
	from    fsm.Origin
	seq     uint64
	payload []byte
}

func newBatcher(n *Node) *batcher {
	return &batcher{n: n, futures: make(chan raft.ApplyFuture, maxFutures), wake: make(chan struct{}, 1)}
}

// add queues a request. It does not block; payload is retained. While Raft takes
// nothing, as when the disk stalls, what is beyond maxBatched is dropped: its
// origin keeps it, and is asked for it later.
func (b *batcher) add(from fsm.Origin, seq uint64, payload []byte) {
	b.mu.Lock()
	if b.bytes < maxBatched {
		b.queue = append(b.queue, queued{from, seq, payload})
		b.bytes += len(payload)
	} else {
		b.dropped = true
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run packs and proposes until close.
func (b *batcher) run() {
	defer b.n.wg.Done()
	defer close(b.futures)
	var spare []queued
	for range b.wake {
		b.mu.Lock()
		batch, closed, dropped := b.queue, b.closed, b.dropped
		b.queue, b.bytes, b.dropped = spare[:0], 0, false
		b.mu.Unlock()
		if closed {
			return
		}
		b.propose(batch)
		if dropped {
			b.n.askAgain()
		}
		clear(batch)
		spare = batch
		if cap(spare) > 1<<16 {
			spare = nil
		}
	}
}

// propose makes entries of the requests, in order, and gives them to Raft.
func (b *batcher) propose(batch []queued) {
	r := b.n.raft.Load()
	if r == nil {
		return
	}
	for len(batch) > 0 {
		size, count := 0, 0
		for _, q := range batch {
			if add := len(q.payload) + fsm.RequestOverhead; count == 0 || size+add <= maxEntry {
				size += add
				count++
			} else {
				break
			}
		}
		entry := fsm.AppendEntryHeader(make([]byte, 0, size+16), time.Now().UnixMilli())
		for _, q := range batch[:count] {
			entry = fsm.AppendRequest(entry, q.from, q.seq, q.payload)
		}
		fsm.SetEntryCount(entry, count)
		b.futures <- r.Apply(entry, 0)
		b.sizes.note(len(entry))
		batch = batch[count:]
	}
}

// drain reads the futures for their errors. An error means that requests were
// lost on the way: after a moment everybody is asked to send again. Raft leaves
// futures without an answer when it is shut down, so nobody waits for this
// goroutine to end; it touches nothing that Close takes away.
func (b *batcher) drain() {
	for f := range b.futures {
		err := f.Error()
		if err == nil {
			continue
		}
		b.n.log.Debug("entries were not committed by this leader", "error", err)
		b.skipFailed()
		select {
		case <-b.n.stop:
		case <-time.After(afterFailure):
			b.n.askAgain()
		}
	}
}

// skipFailed drains the futures that have failed already, for the one answer to
// them all.
func (b *batcher) skipFailed() {
	for {
		select {
		case f, ok := <-b.futures:
			if !ok || f.Error() == nil {
				return
			}
		default:
			return
		}
	}
}

// askAgain has every origin send again what is in flight.
func (n *Node) askAgain() {
	n.mu.Lock()
	leads := n.leaderSID == n.cfg.SID
	n.mu.Unlock()
	if !leads {
		return // all hear of the next leader
	}
	for _, m := range n.cfg.Members {
		if m.SID != n.cfg.SID {
			n.mesh.Send(m.SID, frameResend, nil)
		}
	}
	n.reroute()
}

// proposalSizes are the sizes of the entries proposed, in bytes.
type proposalSizes struct{ last, least, most atomic.Int64 }

// note is called by the one proposing goroutine.
func (s *proposalSizes) note(size int) {
	n := int64(size)
	s.last.Store(n)
	if least := s.least.Load(); least == 0 || n < least {
		s.least.Store(n)
	}
	s.most.Store(max(s.most.Load(), n))
}

// ProposalSizes returns the sizes in bytes of the last, the smallest and the
// largest entry that this server proposed, -1 each before the first.
func (n *Node) ProposalSizes() (last, least, most int64) {
	s := &n.batch.sizes
	if s.most.Load() == 0 {
		return -1, -1, -1
	}
	return s.last.Load(), s.least.Load(), s.most.Load()
}
