package quorum

import (
	"runtime"
	"slices"
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
	// doubtAfter is how long an entry may be with Raft before it is asked whether
	// it has been refused.
	doubtAfter = 100 * time.Millisecond
)

// batcher is the leader's proposer. One goroutine at a time calls raft.Apply: its
// own, or on a quiet server that of the request. It gives Raft what has queued,
// then waits until that is stored, and as a rule committed, and what comes
// meanwhile is the next entry. There is no timer: an idle server sends at once,
// and the entry grows as the disk slows.
type batcher struct {
	n     *Node
	sizes proposalSizes
	wake  chan struct{}
	doubt chan []raft.ApplyFuture // to drain: entries that Raft has had for long

	mu      sync.Mutex
	queue   []queued
	spare   []queued           // queue's other storage
	copied  []byte             // payloads in queue that are copies, one behind the other
	scrap   []byte             // copied's other storage
	bytes   int                // of payloads in queue
	busy    bool               // somebody proposes
	company bool               // what was proposed last were several requests
	handed  int                // entries that Raft was given and has not stored
	futures []raft.ApplyFuture // theirs, behind some that are stored
	since   time.Time          // when the oldest of them came to be so
	began   time.Time          // when the oldest entry that is not applied was handed to Raft
	waiting time.Time          // when the oldest request in queue came
	stored  uint64             // index of the last entry stored
	at      time.Time          // when it was
	done    uint64             // index of the last entry applied

	storing, committing time.Duration // how long an entry takes, and then takes to be applied, on average
	dropped             bool          // something did not fit
	paused              bool          // nothing is proposed: leadership is being handed over
	fullDisk            bool          // nothing is proposed: there is no room for it
	closed              bool
}

type queued struct {
	from    fsm.Origin
	seq     uint64
	payload []byte
}

func newBatcher(n *Node) *batcher {
	return &batcher{n: n, doubt: make(chan []raft.ApplyFuture), wake: make(chan struct{}, 1)}
}

// add queues a request. It does not block; payload is retained, unless borrowed
// says that it is the caller's, and has to be copied. While Raft takes nothing, as
// when the disk stalls, what is beyond maxBatched is dropped: its origin keeps it,
// and is asked for it later.
func (b *batcher) add(from fsm.Origin, seq uint64, payload []byte, borrowed bool) {
	b.mu.Lock()
	if b.bytes < maxBatched {
		b.pushLocked(queued{from, seq, payload}, borrowed)
	} else {
		b.dropped = true
	}
	b.kickIfDueLocked()
	b.mu.Unlock()
}

func (b *batcher) pushLocked(q queued, borrowed bool) {
	if len(b.queue) == 0 {
		b.waiting = time.Now()
	}
	if borrowed {
		// One that has outgrown its place moves; the requests that were copied before
		// keep the old one until they are proposed.
		at := len(b.copied)
		b.copied = append(b.copied, q.payload...)
		q.payload = b.copied[at:]
	}
	b.queue = append(b.queue, q)
	b.bytes += len(q.payload)
}

// holdLocked says whether the queue waits until what is stored is committed. An
// entry costs each server a sync, some messages and changes of goroutines,
// whatever is in it, and the commit of one usually comes soon after this
// server's disk has it: fewer entries that carry more are better for all. Not so
// if the network takes far longer than the disk: then there is more to gain by
// having entries under way.
func (b *batcher) holdLocked() bool {
	return b.done < b.stored && b.bytes < maxEntry && b.committing <= 2*b.storing
}

// dueLocked says whether what has queued is to be given to Raft.
func (b *batcher) dueLocked() bool {
	return b.handed == 0 && len(b.queue) > 0 && !b.paused && !b.fullDisk && !b.holdLocked()
}

// pause keeps what comes from being proposed, or lets it go on.
func (b *batcher) pause(on bool) {
	b.mu.Lock()
	b.paused = on
	b.kickIfDueLocked()
	b.mu.Unlock()
}

// full keeps what comes from being proposed while no majority has room for it.
func (b *batcher) full(on bool) {
	b.mu.Lock()
	if b.fullDisk != on {
		b.fullDisk = on
		b.kickIfDueLocked()
	}
	b.mu.Unlock()
}

// unstored says whether Raft has something that it has not stored, or is about to
// be given it.
func (b *batcher) unstored() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy || b.handed > 0
}

func (b *batcher) kickIfDueLocked() {
	if b.dueLocked() {
		b.kick()
	}
}

// addAlone is add for a request that is not expected to have company. If it is
// true, nothing is in its way, and the caller is to call proposeAlone, holding
// no lock: so a lone write takes one change of goroutines less. Behind an entry
// that carried many it is false: others are likely to be right behind it.
func (b *batcher) addAlone(from fsm.Origin, seq uint64, payload []byte, borrowed bool) bool {
	b.mu.Lock()
	if b.company || b.handed > 0 || len(b.queue) > 0 || b.busy || b.paused || b.fullDisk || b.closed || b.holdLocked() {
		b.mu.Unlock()
		b.add(from, seq, payload, borrowed)
		return false
	}
	b.pushLocked(queued{from, seq, payload}, borrowed)
	b.busy = true
	b.mu.Unlock()
	return true
}

// proposeAlone proposes what addAlone has queued, and what has come to it.
func (b *batcher) proposeAlone() {
	b.mu.Lock()
	b.proposeLocked()
	b.kickIfDueLocked()
	b.mu.Unlock()
}

// maxScrap bounds the storage of copies that is kept: a stall, or one large
// request, is not to be paid for ever.
const maxScrap = 1 << 20

// scribble has storage that is free overwritten: in tests, so that whoever still
// reads it is found out.
var scribble bool

// proposeLocked proposes what has queued; it gives the lock away meanwhile. When
// propose returns all payloads are in entries, and what they were copied to is
// free.
// REQUIRES: b.busy, set by the caller.
func (b *batcher) proposeLocked() {
	batch, copied, dropped := b.queue, b.copied, b.dropped
	m := b.n.cfg.Metrics
	m.PrepQueued.Add(int64(len(batch)))
	if len(batch) > 0 {
		m.PrepQueueTime.Time(time.Since(b.waiting))
	}
	b.queue, b.spare, b.bytes, b.dropped, b.company = b.spare[:0], nil, 0, false, len(batch) > 1
	b.copied, b.scrap = b.scrap[:0], nil
	b.mu.Unlock()
	b.propose(batch)
	if dropped {
		b.n.askAgain()
	}
	clear(batch)
	if scribble {
		for i := range copied {
			copied[i] = 0xdb
		}
	}
	b.mu.Lock()
	if cap(batch) <= 1<<16 {
		b.spare = batch
	}
	if cap(copied) <= maxScrap {
		b.scrap = copied
	}
	b.busy = false
}

func (b *batcher) kick() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.kick()
}

// run packs and proposes until close.
func (b *batcher) run() {
	defer b.n.wg.Done()
	defer close(b.doubt)
	for range b.wake {
		// Who is ready to add to the batch goes first: on a busy server the next
		// entry then carries what many connections have just read.
		runtime.Gosched()
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			return
		}
		if b.dueLocked() && !b.busy {
			b.busy = true
			b.proposeLocked()
		}
		b.mu.Unlock()
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
		b.hand(r, entry)
		b.sizes.note(len(entry))
		b.n.cfg.Metrics.Proposals.Add(int64(count))
		b.n.cfg.Metrics.BatchSize.Observe(int64(count))
		batch = batch[count:]
	}
}

// hand gives an entry to Raft. The lock is not held meanwhile: Raft's goroutine,
// which calls noteStored, must not wait for Apply, which waits for it.
func (b *batcher) hand(r *raft.Raft, entry []byte) {
	b.mu.Lock()
	if b.handed == 0 {
		clear(b.futures)
		b.futures, b.since = b.futures[:0], time.Now()
		if b.done >= b.stored {
			b.began = b.since
		}
	}
	b.handed++
	b.mu.Unlock()
	f := r.Apply(entry, 0)
	b.mu.Lock()
	b.futures = append(b.futures, f)
	b.mu.Unlock()
}

// beforeStore is called when Raft is about to write entries. On the leader they
// leave for the followers at once, so that all disks work at the same time.
func (n *Node) beforeStore(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.trans.sendEarly(logs, r.CommitIndex())
	}
}

// afterStore is called when Raft has written entries.
func (n *Node) afterStore(logs []*raft.Log) {
	if r := n.raft.Load(); r != nil && r.State() == raft.Leader {
		n.batch.noteStored(logs)
	}
}

// noteStored takes note that Raft, leading, has stored entries. Called in Raft's
// goroutine.
func (b *batcher) noteStored(logs []*raft.Log) {
	n := 0
	now := time.Now()
	b.mu.Lock()
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			n++
			b.stored = l.Index
		}
	}
	b.handed -= min(n, b.handed)
	average(&b.storing, now.Sub(b.since))
	b.since, b.at = now, now
	b.kickIfDueLocked()
	b.mu.Unlock()
}

// noteApplied takes note that what this server has proposed is committed, and
// applied here, up to an index. Called under the state lock.
func (b *batcher) noteApplied(index uint64) {
	b.mu.Lock()
	if b.done < b.stored && index >= b.stored {
		now := time.Now()
		average(&b.committing, now.Sub(b.at))
		b.n.cfg.Metrics.QuorumAckLatency.Time(now.Sub(b.began))
		b.began = now
	}
	b.done = index
	b.kickIfDueLocked()
	b.mu.Unlock()
}

// average moves d towards a new value.
func average(d *time.Duration, took time.Duration) { *d += (took - *d) / 8 }

// reset forgets what Raft was given: there is another leader, or term, and all
// is sent again.
func (b *batcher) reset() {
	b.mu.Lock()
	b.handed, b.stored = 0, 0 // the log behind the commit may be another one
	b.mu.Unlock()
	b.kick()
}

// askIfDoubtful has Raft asked about entries that it was given and does not
// store: it refuses them while it hands leadership over, for one.
func (b *batcher) askIfDoubtful(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.handed == 0 || now.Sub(b.since) < doubtAfter { // closed: nobody drains any more
		return
	}
	select {
	case b.doubt <- slices.Clone(b.futures[max(len(b.futures)-b.handed, 0):]):
		b.since = now
	default: // it is at it
	}
}

// drain asks for the fate of doubtful entries. If one was refused, everybody is
// asked to send again. Raft leaves futures without an answer when it is shut
// down, so nobody waits for this goroutine to end; it touches nothing that Close
// takes away.
func (b *batcher) drain() {
	for futures := range b.doubt {
		for _, f := range futures {
			if err := f.Error(); err != nil {
				b.n.log.Debug("entries were not committed by this leader", "error", err)
				b.reset()
				b.n.askAgain()
				break
			}
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
	if n.mesh != nil {
		for _, sid := range n.mesh.Others() {
			n.mesh.Send(sid, frameResend, nil)
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
