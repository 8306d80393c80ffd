package quorum

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/peer"
	"zooraft/zabcompat/metrics"
)

const (
	// maxUnanswered bounds the messages on their way to a follower, each a sync of
	// its disk. What comes meanwhile goes together into the next.
	maxUnanswered = 2
	// maxRequests bounds what Raft may have asked for and not yet heard of.
	maxRequests = 128
	// maxAppendQueue bounds the bytes that the socket has not taken: more than
	// maxUnanswered messages can have.
	maxAppendQueue = maxAppendFrame
)

var (
	errAppendTimeout = errors.New("the follower does not answer")
	errAppendRefused = errors.New("the follower refused an earlier message")
)

// appender is the leader's stream of entries to one follower; Raft knows it as a
// pipeline. It differs from the stock one in when entries leave: Raft stores
// what it logs and tells its senders then; sendEarly sends the entries before,
// so that the disks of the leader and its followers work at the same time (Raft
// dissertation, section 10.2.1). Raft's own request for these entries then only
// waits for the answer.
//
// That is safe. To the follower it is an ordinary message of a leader in office.
// The leader counts its own copy only once StoreLogs has returned, and an answer
// reaches Raft only after Raft has asked. A leader that cannot store what it has
// sent steps down, and writes nothing else into that term.
//
// Invariant: entries leave in order, each once, all under one leader's term.
type appender struct {
	t     *transport
	id    raft.ServerID
	out   *peer.Outlet           // set by begin
	under *metrics.Summary       // how many messages were under way as each was sent
	queue *metrics.Summary       // how long the first entry of each had waited for that
	acks  *metrics.Summary       // how long the follower takes to have a message on its disk
	done  chan raft.AppendFuture // to Raft, in the order of its requests

	room   chan struct{} // one slot: an answer has come
	closed chan struct{}
	once   sync.Once

	opened time.Time

	mu       sync.Mutex
	head     raft.AppendEntriesRequest // the fields that are the same in every message
	first    uint64                    // the entry that the stream begins with
	sent     uint64                    // the last entry that went out
	sentTerm uint64
	told     uint64 // the highest commit index that went out

	messages uint64           // how many that want an answer went out
	answered uint64           // how many of them have one
	unheard  []unheardMessage // those that have none
	has      uint64           // the last entry that the follower is known to have
	since    time.Time
	early    []earlyMessage // those that Raft has not asked for, oldest at first
	keptUp   bool           // there was one
	waiting  []*appendRequest
	answer   raft.AppendEntriesResponse // the newest; once it is a refusal, it stays
	refused  bool
	failed   error // the connection has broken
}

// unheardMessage went out and has no answer.
type unheardMessage struct {
	last   uint64 // entry that the follower has with it
	at     time.Time
	length int // in bytes
}

// earlyMessage went out before Raft asked for its entries.
type earlyMessage struct{ number, last uint64 }

// appendRequest is Raft's request. It implements raft.AppendFuture.
type appendRequest struct {
	number uint64 // the message whose answer it waits for
	start  time.Time
	args   *raft.AppendEntriesRequest
	resp   *raft.AppendEntriesResponse
	err    error
	done   chan struct{}
}

func (r *appendRequest) Error() error {
	<-r.done
	return r.err
}
func (r *appendRequest) Start() time.Time                      { return r.start }
func (r *appendRequest) Request() *raft.AppendEntriesRequest   { return r.args }
func (r *appendRequest) Response() *raft.AppendEntriesResponse { return r.resp }

// newAppender makes an appender without a connection. The connection is served
// by readAnswers, and begin gives it to the sending side.
func newAppender(t *transport, id raft.ServerID) *appender {
	return &appender{
		t: t, id: id, acks: t.metrics.AckLatency.For(string(id)), under: t.metrics.LearnerQueue.For(string(id)),
		queue: t.metrics.LearnerQueueTime.For(string(id)), opened: time.Now(),
		done: make(chan raft.AppendFuture, maxRequests), room: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

func (p *appender) begin(conn net.Conn) { p.out = peer.NewOutlet(conn, maxAppendQueue) }

// AppendEntries implements raft.AppendPipeline. It blocks while the follower is
// behind by maxUnanswered messages.
func (p *appender) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	r := &appendRequest{start: time.Now(), args: args, resp: resp, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting)+len(p.done) >= maxRequests {
		if err := p.waitLocked(); err != nil {
			return nil, err
		}
	}
	if p.messages == 0 {
		p.head = raft.AppendEntriesRequest{RPCHeader: args.RPCHeader, Term: args.Term}
		p.first, p.sent, p.sentTerm = args.PrevLogEntry+1, args.PrevLogEntry, args.PrevLogTerm
	}
	prev, prevTerm, rest := args.PrevLogEntry, args.PrevLogTerm, args.Entries
	if gone := p.goneLocked(args); gone > 0 {
		last := rest[gone-1]
		r.number = p.claimLocked(last.Index)
		prev, prevTerm, rest = last.Index, last.Term, rest[gone:]
	}
	if len(args.Entries) == 0 && commitIn(args.LeaderCommitIndex, prev, 0) <= p.told && p.messages > p.answered {
		r.number = p.messages // says nothing new: the answer under way will do
	}
	for len(rest) > 0 || r.number == 0 {
		for p.messages-p.answered >= maxUnanswered {
			if err := p.waitLocked(); err != nil {
				return nil, err
			}
		}
		n := fitting(rest)
		q := *args
		q.LeaderCommitIndex = commitIn(args.LeaderCommitIndex, prev, n)
		if err := p.sendLocked(encodeAppend(appendEntries, &q, prev, prevTerm, rest[:n]), q.LeaderCommitIndex, rest[:n]); err != nil {
			return nil, err
		}
		r.number = p.messages
		if n > 0 {
			prev, prevTerm, rest = rest[n-1].Index, rest[n-1].Term, rest[n:]
		}
	}
	if p.failed != nil {
		return nil, p.failed
	}
	if p.messages > p.answered && time.Since(p.since) > p.patienceLocked() {
		return nil, errAppendTimeout
	}
	p.waiting = append(p.waiting, r)
	p.settleLocked()
	return r, nil
}

// goneLocked is how many of a request's entries went out early.
func (p *appender) goneLocked(args *raft.AppendEntriesRequest) int {
	if len(args.Entries) == 0 || args.Term != p.head.Term {
		return 0
	}
	if at := args.Entries[0].Index; at >= p.first && at <= p.sent {
		return int(min(p.sent-at+1, uint64(len(args.Entries))))
	}
	return 0
}

// claimLocked returns the message that entry last went out in, and forgets the
// early ones that end at or before it.
func (p *appender) claimLocked(last uint64) uint64 {
	for i, m := range p.early {
		if m.last >= last {
			if m.last == last {
				i++
			}
			p.early = append(p.early[:0], p.early[i:]...)
			return m.number
		}
	}
	return p.messages // it was asked for before
}

// waitLocked waits for an answer, without the lock.
func (p *appender) waitLocked() error {
	if p.failed != nil {
		return p.failed
	}
	patience := p.patienceLocked()
	p.mu.Unlock()
	timer := time.NewTimer(patience)
	var err error
	select {
	case <-p.room:
	case <-p.closed:
		err = raft.ErrPipelineShutdown
	case <-timer.C:
		err = errAppendTimeout
	}
	timer.Stop()
	p.mu.Lock()
	return err
}

// patienceLocked is how long the follower may take for the next answer: longer for
// what is long, as dialledConn has it.
func (p *appender) patienceLocked() time.Duration {
	n := 0
	for _, m := range p.unheard { // maxUnanswered, or few more
		n += m.length
	}
	return raftRPCTimeout + timeFor(n)
}

func (p *appender) sendLocked(frame [][]byte, commit uint64, entries []*raft.Log) error {
	if err := p.out.Send(frame...); err != nil {
		return err
	}
	if p.messages == p.answered {
		p.since = time.Now()
	}
	p.messages++
	p.under.Observe(int64(p.messages - p.answered))
	p.told = max(p.told, commit)
	now := time.Now()
	if n := len(entries); n > 0 {
		p.sent, p.sentTerm = entries[n-1].Index, entries[n-1].Term
		p.queue.Time(min(now.Sub(entries[0].AppendedAt), now.Sub(p.opened))) // who catches up had no stream to wait for
	}
	length := 0
	for _, part := range frame {
		length += len(part)
	}
	p.unheard = append(p.unheard, unheardMessage{p.sent, now, length})
	return nil
}

// sendEarly sends entries that Raft is about to store, if they are the next ones
// for this follower and it keeps up. shared keeps the frame for the next
// follower. It does not block.
func (p *appender) sendEarly(entries []*raft.Log, commit uint64, shared *earlyFrame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	head := entries[0]
	if p.messages == 0 || p.head.Term != head.Term || p.sent+1 != head.Index || p.refused || p.failed != nil ||
		p.messages-p.answered >= maxUnanswered || fitting(entries) < len(entries) {
		return // Raft's own request brings them
	}
	if shared.frame == nil || shared.prevTerm != p.sentTerm {
		q := p.head
		q.LeaderCommitIndex = commit
		shared.frame, shared.prevTerm = encodeAppend(appendEntries, &q, p.sent, p.sentTerm, entries), p.sentTerm
	}
	if p.sendLocked(shared.frame, commit, entries) == nil {
		p.early = append(p.early, earlyMessage{p.messages, p.sent})
		if !p.keptUp {
			p.keptUp = true
			p.t.laggards.forget(string(p.id))
		}
	}
}

// earlyFrame is what several followers are sent alike.
type earlyFrame struct {
	prevTerm uint64
	frame    [][]byte
}

// notice tells the follower of a commit, if it has been sent the entry and told
// of none as high. It does not block, and nothing answers it: it comes behind
// the entry on the same stream.
func (p *appender) notice(index, term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head.Term != term || p.told >= index || p.sent < index || p.refused || p.failed != nil {
		return
	}
	q := p.head
	q.LeaderCommitIndex = index
	if p.out.Send(encodeAppend(appendNotice, &q, index, term, nil)...) == nil {
		p.told = index
	}
}

// readAnswers takes the follower's answers until the connection ends.
func (p *appender) readAnswers(conn net.Conn) {
	br := bufio.NewReaderSize(conn, 512)
	var buf []byte
	var err error
	for err == nil {
		if buf, err = readFrame(br, buf, maxAnswer); err != nil {
			break
		}
		var a raft.AppendEntriesResponse
		var failure error
		if a, failure, err = decodeAnswer(buf); err != nil {
			break
		}
		if failure != nil {
			p.t.layer.log.Warn("a follower could not store entries", "peer", p.id, "error", failure)
		}
		if a.Term > p.t.newest.Load() { // two at once may leave the lower one, until the next
			p.t.newest.Store(a.Term)
		}
		p.mu.Lock()
		p.answered++
		p.since = time.Now()
		if !p.refused {
			p.answer, p.refused = a, !a.Success || failure != nil
			p.answer.Success = !p.refused
		}
		if len(p.unheard) > 0 {
			if !p.refused {
				p.has = p.unheard[0].last // the answer says what was there before
			}
			p.acks.Time(time.Since(p.unheard[0].at))
			p.unheard = append(p.unheard[:0], p.unheard[1:]...)
		}
		p.settleLocked()
		p.mu.Unlock()
		p.nudge()
		if p.t.watching.Load() {
			p.t.owner.poke()
		}
	}
	if errors.Is(err, errAppendFrame) {
		p.t.layer.log.Warn("a follower's answer cannot be read", "peer", p.id, "error", err)
	}
	p.mu.Lock()
	p.failed = err
	p.settleLocked()
	p.mu.Unlock()
	conn.Close()
	p.nudge()
}

// stored is the last entry that the follower has by its newest answer, if that
// was no refusal and the next one is not overdue.
func (p *appender) stored() (last uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := p.messages > p.answered && time.Since(p.since) > answerOverdue
	return p.has, p.answered > 0 && p.answer.Success && p.failed == nil && !late
}

// answerOverdue is how long a follower that keeps up may take to answer.
const answerOverdue = time.Second

// maxAnswer bounds an answer; the text of an error is all that is long in it.
const maxAnswer = 64 << 10

func (p *appender) nudge() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

// settleLocked completes the requests whose answers are known. A refusal is the
// answer to all that follow: Raft gives the stream up at the first one.
func (p *appender) settleLocked() {
	n := 0
	for _, r := range p.waiting {
		if r.number > p.answered && !p.refused && p.failed == nil {
			break
		}
		*r.resp = p.answer
		if r.number > p.answered {
			r.resp.Success = false
			r.err = errors.Join(p.failed)
			if r.err == nil {
				r.err = errAppendRefused
			}
		}
		close(r.done)
		p.done <- r // has room: see maxRequests
		n++
	}
	p.waiting = append(p.waiting[:0], p.waiting[n:]...)
}

// Consumer implements raft.AppendPipeline.
func (p *appender) Consumer() <-chan raft.AppendFuture { return p.done }

// Close implements raft.AppendPipeline. It may be called twice.
func (p *appender) Close() error {
	p.once.Do(func() {
		p.t.forget(p)
		p.t.laggards.forget(string(p.id))
		close(p.closed)
		p.out.Close()
	})
	return nil
}
