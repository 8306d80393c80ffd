package quorum

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"zooraft/fsm"
	"zooraft/server/quorum/store"
)

// stuckAfter is how long the oldest request may wait, with a leader known and
// nothing applied meanwhile, before all are sent again. What is lost is known
// at once in every case we know of (a leader gone, a stream broken, a gap seen
// by apply); this is the net under them.
const stuckAfter = 3 * time.Second

const (
	// maxUnderWay bounds the bytes handed on and not yet applied, so that sending
	// all again does not swamp the stream.
	maxUnderWay = 16 << 20
	// maxQueued bounds the bytes kept in all, while there is no leader to take
	// them.
	maxQueued = 256 << 20
	// maxRequest bounds one request. The log takes entries of up to
	// store.MaxEntryBytes, and a leader that cannot store one would step down for
	// it, and the next one, for ever.
	maxRequest = store.MaxEntryBytes - 4<<20
)

// origin is this process as a source of requests: DESIGN, "Requests are
// numbered by their origin and applied in sequence". Guarded by Node.mu.
type origin struct {
	incarnation uint64 // 0 until registered
	asked       time.Time
	askAfter    time.Duration // and then again
	base        uint64        // number of the request at head of queue[first]
	queue       []request     // in flight, oldest at first
	first       int
	sent        int // queue[:sent] has been handed on
	sentBytes   int // of payloads in queue[first:sent]
	queueBytes  int // of payloads in queue[first:]

	resentAt   uint64 // OutOfSequence(want) answered for this want
	progressAt time.Time
}

type request struct {
	payload []byte
	done    fsm.Completion
}

func (o *origin) len() int { return len(o.queue) - o.first }

// Propose numbers a request, keeps it until it is applied here, and hands it
// on. It does not block. The order of calls is the order of apply. done is
// called once, unless this process ends or its state is replaced first.
func (n *Node) Propose(payload []byte, done fsm.Completion) error {
	alone, err := n.queue(payload, done)
	if alone {
		n.batch.proposeAlone()
	}
	return err
}

// queue is Propose under the lock; alone says that the batch is the caller's to
// propose.
func (n *Node) queue(payload []byte, done fsm.Completion) (alone bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := &n.origin
	if o.incarnation == 0 {
		return false, ErrNotServing
	}
	if len(payload) > maxRequest {
		return false, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	if o.len() == 0 {
		o.progressAt = time.Now()
	}
	if o.queueBytes > maxQueued {
		return false, ErrNotServing
	}
	o.queue = append(o.queue, request{payload, done})
	o.queueBytes += len(payload)
	if o.len() == 1 && n.leaderSID != 0 {
		o.sent++
		o.sentBytes += len(payload)
		if n.leaderSID != n.cfg.SID {
			n.cfg.Metrics.LearnerForwardQueue.Observe(0)
		}
		return n.forwardLocked(fsm.Origin{SID: n.cfg.SID, Incarnation: o.incarnation}, o.base, payload, true), nil
	}
	n.handOnLocked()
	if n.leaderSID != n.cfg.SID {
		n.cfg.Metrics.LearnerForwardQueue.Observe(int64(len(o.queue) - o.sent))
	}
	return false, nil
}

// handOnLocked gives what is in the queue to the leader's batch, as far as that
// may be under way at a time. Where there is no leader it waits: reroute begins
// again.
func (n *Node) handOnLocked() {
	o := &n.origin
	if n.leaderSID == 0 {
		return
	}
	from := fsm.Origin{SID: n.cfg.SID, Incarnation: o.incarnation}
	for o.sent < len(o.queue) && (o.sentBytes < maxUnderWay || o.sent == o.first) {
		r := o.queue[o.sent]
		n.forwardLocked(from, o.base+uint64(o.sent-o.first), r.payload, false)
		o.sent++
		o.sentBytes += len(r.payload)
	}
}

// forwardLocked gives one request to the leader. alone says that there is no
// other of this server; if forwardLocked is then true, the caller is to call
// proposeAlone when it holds no lock.
func (n *Node) forwardLocked(from fsm.Origin, seq uint64, payload []byte, alone bool) bool {
	switch n.leaderSID {
	case 0:
		return false
	case n.cfg.SID:
		if alone {
			return n.batch.addAlone(from, seq, payload, false)
		}
		n.batch.add(from, seq, payload, false)
	default:
		var head [2 * binary.MaxVarintLen64]byte
		b := binary.AppendUvarint(head[:0], from.Incarnation)
		b = binary.AppendUvarint(b, seq)
		if alone {
			n.mesh.SendNow(n.leaderSID, frameAlone, b, payload)
		} else {
			n.mesh.Send(n.leaderSID, framePropose, b, payload)
		}
	}
	return false
}

// received takes a request that a peer sent to this server as the leader. If it
// leads no more the batch fails, and the peer, which hears of the new leader,
// sends again.
//
// What cannot be applied must not come into the log, for there it would stop
// every server, at each start again: a peer of a later release may send it.
func (n *Node) received(from int64, body []byte, alone bool) {
	r := frameReader{b: body}
	inc, seq := r.uvarint(), r.uvarint()
	if r.bad {
		n.malformed(from, body)
		return
	}
	o, payload := fsm.Origin{SID: from, Incarnation: inc}, r.b
	err := fsm.CheckRequest(o, payload)
	if err == nil && len(payload) > maxRequest {
		err = fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	if err != nil {
		n.log.Error("refusing a request of a peer; does it run a later release?", "sid", from, "error", err)
		return
	}
	if inc == 0 {
		if r, ok := fsm.Registration(payload); ok && !n.mayRegister(from, r) {
			return
		}
		o = fsm.Origin{} // a registration
	}
	if !alone {
		n.batch.add(o, seq, payload, true)
	} else if n.batch.addAlone(o, seq, payload, true) {
		n.batch.proposeAlone()
	}
}

// malformed tells of a frame that a peer has sent.
func (n *Node) malformed(from int64, body []byte) {
	n.log.Error("refusing a malformed frame of a peer", "sid", from, "bytes", len(body))
}

// mayRegister says whether a peer may be known by the disk that it comes with. A
// vote stays with the disk that it was given to until it is taken away: whom it was
// given to is known to that disk alone.
func (n *Node) mayRegister(from int64, r fsm.Register) bool {
	known := n.KnownDisk(r.SID)
	if r.SID == from && (known == "" || known == hex.EncodeToString(r.Disk[:]) || n.Voteless(r.SID)) {
		return true
	}
	n.log.Error("refusing the registration of a server under a disk that has no claim to its vote", "sid", r.SID, "peer", from)
	return false
}

// reroute sends everything in flight again, in order, to the leader of now.
func (n *Node) reroute() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.origin.resentAt = 0
	n.resendLocked()
}

func (n *Node) resendLocked() {
	o := &n.origin
	o.progressAt = time.Now()
	if o.incarnation == 0 {
		o.askAfter = 0
		n.registerLocked()
		return
	}
	o.sent, o.sentBytes = o.first, 0
	n.handOnLocked()
}

// registerLocked asks for an incarnation. The nonce makes asking again harmless.
func (n *Node) registerLocked() {
	o := &n.origin
	if n.leaderSID == 0 {
		return
	}
	o.asked = time.Now()
	r := fsm.Register{SID: n.cfg.SID, Nonce: n.nonce, Disk: n.diskID}
	n.forwardLocked(fsm.Origin{}, 0, r.Append(nil), false)
}

const (
	leastAskAfter = 500 * time.Millisecond
	mostAskAfter  = 8 * time.Second
)

// dueToRegister says whether it is time to ask once more for an incarnation: each time
// there is an entry in the log, and a server that catches up may do so for long.
func (o *origin) dueToRegister(now time.Time) bool {
	o.askAfter = max(o.askAfter, leastAskAfter)
	if now.Sub(o.asked) <= o.askAfter {
		return false
	}
	o.askAfter = min(2*o.askAfter, mostAskAfter)
	return true
}

// resendIfStuck is the net under the ways to notice a loss.
func (n *Node) resendIfStuck(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := &n.origin
	switch {
	case n.leaderSID == 0:
	case o.incarnation == 0:
		if o.dueToRegister(now) {
			n.registerLocked()
		}
	case Room(n.takes.Load()) == RoomNone: // they wait for room
	case o.len() > 0 && now.Sub(o.progressAt) > stuckAfter:
		n.log.Warn("requests are not applied: sending them again", "count", o.len(), "leader-sid", n.leaderSID)
		if n.leaderSID != n.cfg.SID {
			n.mesh.Reset(n.leaderSID) // what went into this stream did not arrive
		}
		n.resendLocked()
	}
}

// CaughtUp says whether all has been applied that was in the log before this process
// came to it.
func (n *Node) CaughtUp() bool { return n.registered() }

func (n *Node) registered() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.origin.incarnation != 0
}

// InFlight is the number of this server's requests that are not yet applied.
func (n *Node) InFlight() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.origin.len()
}

// Completed pops the request that apply has just finished. Called under the
// state lock.
func (n *Node) Completed(v fsm.View, seq uint64, r *fsm.Result) {
	n.mu.Lock()
	o := &n.origin
	if o.incarnation == 0 {
		n.mu.Unlock()
		return // the log of an earlier process under this id, being read again
	}
	if o.len() == 0 || o.base != seq {
		next := o.base
		n.mu.Unlock()
		n.log.Error("a request was applied that is not in flight", "seq", seq, "next", next)
		return
	}
	done := o.queue[o.first].done
	o.popLocked(1)
	if o.len() > 0 {
		o.progressAt = time.Now()
		n.handOnLocked()
	}
	n.mu.Unlock()
	done.Complete(v, r)
}

// popLocked forgets the oldest k requests.
func (o *origin) popLocked(k int) {
	for i, r := range o.queue[o.first : o.first+k] {
		o.queueBytes -= len(r.payload)
		if o.first+i < o.sent {
			o.sentBytes -= len(r.payload)
		}
	}
	o.sent = max(o.sent, o.first+k)
	clear(o.queue[o.first : o.first+k])
	o.first += k
	o.base += uint64(k)
	switch {
	case o.first == len(o.queue):
		o.queue, o.first, o.sent = o.queue[:0], 0, 0
		if cap(o.queue) > 4096 {
			o.queue = nil
		}
	case o.first >= 1024 && o.first*2 >= len(o.queue):
		rest := copy(o.queue, o.queue[o.first:])
		clear(o.queue[rest:])
		o.queue, o.sent, o.first = o.queue[:rest], o.sent-o.first, 0
	}
}

// OutOfSequence sends again what apply found missing. Each request behind the
// gap reports it; the first report suffices.
func (n *Node) OutOfSequence(want uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.origin.incarnation != 0 && n.origin.resentAt != want {
		n.origin.resentAt = want
		n.resendLocked()
	}
}

// Registered takes note of this process's incarnation, or of another process
// that took its place.
func (n *Node) Registered(sid int64, incarnation uint64, nonce [16]byte) {
	if sid != n.cfg.SID {
		return
	}
	n.mu.Lock()
	o := &n.origin
	fenced := false
	switch {
	case nonce == n.nonce && o.incarnation == 0:
		o.incarnation, o.base = incarnation, 1
	case nonce != n.nonce && o.incarnation != 0:
		fenced = true
	}
	n.mu.Unlock()
	if fenced {
		n.events.Fatal(ErrFenced)
		return
	}
	n.poke()
}
