package fsm

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm/tree"
	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// applySlice bounds how many requests are applied under one hold of the state
// lock, so that readers wait for microseconds even while a backlog is applied.
const applySlice = 128

// Completion takes the outcome of a request. Complete is called once at most, from the
// apply goroutine with the state lock held for writing; v and r are valid during the
// call.
type Completion interface {
	Complete(v View, r *Result)
}

// Result is the outcome of one request at its origin. It is reused: it and all
// it points to are valid during the call that hands it over.
type Result struct {
	Op    protocol.OpCode
	Zxid  int64 // 0 when the request takes none
	Err   protocol.ErrCode
	Path  string        // create
	Stat  protocol.Stat // create2, setData, setACL, reconfig
	Data  []byte        // reconfig: the new text of /zookeeper/config
	Multi []SubResult   // multi

	// Pending says that this is no outcome yet: the request, a reconfig, has passed
	// its checks, and Observer.Reconfigured will bring the outcome.
	Pending bool

	// Index is that of the entry the request came in.
	Index uint64
	// Request is what a client asked for; nil where no client did, as with sessions
	// that open and end, and with the outcome of a reconfig that was Pending.
	Request *ClientRequest
}

// SubResult is the outcome of one operation of a multi.
type SubResult struct {
	Op   protocol.OpCode
	Err  protocol.ErrCode
	Path string
	Stat protocol.Stat
}

// Observer hears what applying the log does on this server. Its methods run in
// the apply goroutine with the state lock held for writing; they must not block
// and must not call back into the FSM, but through the View they are given.
type Observer interface {
	// Completed reports a request of this process. Requests complete in the
	// order of their numbers, each once.
	Completed(v View, seq uint64, r *Result)
	// OutOfSequence reports that a request of this process was refused because
	// an earlier one is missing from the log: all after want-1 must be sent again.
	OutOfSequence(want uint64)
	// Registered reports that a server process was registered under sid.
	Registered(sid int64, incarnation uint64, nonce [16]byte)
	// Led reports that the first entry of the leader of a Raft term is applied,
	// and with it all that came before its term.
	Led(term uint64)
	// SessionOpened and SessionAttached report a session that begins, or moves
	// to another connection, with its timeout in ms.
	SessionOpened(id protocol.SessionID, timeout int32, owner Owner)
	SessionAttached(id protocol.SessionID, timeout int32, owner Owner)
	// SessionClosed reports the end of a session. If it ended by its client's
	// wish, it is reported before the request completes.
	SessionClosed(id protocol.SessionID, expired bool)
	// EphemeralsDeleted reports the znodes that went with a session that ends, before
	// SessionClosed. paths is not empty.
	EphemeralsDeleted(id protocol.SessionID, paths []string)
	// OverQuota reports a write that goes beyond a limit of a quota, or would if it
	// was not refused. x is valid during the call. Every server is told.
	OverQuota(x *Excess)
	// Wrote reports a znode created, changed or deleted, and the bytes of data that
	// it was given. A multi's are reported once all of it has succeeded.
	Wrote(path string, bytes int)
	// Reconfigured reports the end of the change that was pending, and its outcome.
	// owner, a connection of any server, waits for it.
	Reconfigured(v View, owner Owner, r *Result)
	// Membership reports that View.Membership has changed. It is called before the
	// request that changed it completes or Reconfigured tells of it. One that
	// SnapshotInstalled brings is not reported.
	Membership(v View)
	// SnapshotInstalled reports that the whole state was replaced by a snapshot of
	// Raft's.
	SnapshotInstalled(v View)
	// EnsembleRestored reports that a restore of the ensemble has put the znodes and
	// sessions of a snapshot in the place of those that were. SessionClosed has told of
	// the sessions that it ended, SessionOpened of each that there is now, without an
	// owner.
	EnsembleRestored(v View)
	// Applied reports the end of a batch: everything up to the Raft index is in
	// the state.
	Applied(v View, index uint64)
	// Flush follows Applied, after the lock has been released: what the batch left
	// to be sent may go now.
	Flush()
}

// session is the replicated part of a session. Deadlines are not replicated:
// they live with the leader.
type session struct {
	timeout int32
	passwd  [protocol.PasswdBytes]byte
	owner   Owner
}

// server is what the log knows of one server id.
type server struct {
	incarnation uint64
	lastSeq     uint64
	nonce, disk [16]byte
}

// state is what is replicated, and what a snapshot holds.
type state struct {
	tree     *tree.Tree
	sessions map[protocol.SessionID]*session
	servers  map[int64]*server
	clock    zabcompat.Clock
	now      int64 // ms since 1970, that of the last entry, never going back
	cluster  string
	members  membership
	applied  uint64 // Raft index of the last entry applied
	replaced int64  // zxid of the last restore; 0: none
}

// FSM is the replicated state machine. It implements raft.BatchingFSM.
type FSM struct {
	log hclog.Logger
	sid int64 // of this server

	mu  sync.RWMutex // the state lock
	obs Observer
	state
	staged  *staged
	watches *watch.Table

	requests, bytes atomic.Uint64 // applied since the start
	staging         atomic.Bool   // staged is not nil
	snapshotZxid    atomic.Int64  // of the last snapshot written or restored; -1 before any

	// Scratch of the apply goroutine.
	result  Result
	client  ClientRequest
	events  []event
	ops     []protocol.MultiOp // empty; see decodeMulti
	quotas  quotaImage
	answers []interface{} // to Raft: nils, for nothing travels back
}

var _ raft.BatchingFSM = (*FSM)(nil)

// New makes an empty state machine for the server with the given id.
func New(sid int64, log hclog.Logger) *FSM {
	f := &FSM{
		log: log,
		sid: sid,
		state: state{
			tree:     tree.New(),
			sessions: make(map[protocol.SessionID]*session),
			servers:  make(map[int64]*server),
		},
		watches: watch.NewTable(),
	}
	f.snapshotZxid.Store(-1)
	return f
}

// Observe sets the observer. It must be called before Raft starts.
func (f *FSM) Observe(obs Observer) { f.obs = obs }

// Watches is the watch table; it lives as long as the FSM, across restores.
func (f *FSM) Watches() *watch.Table { return f.watches }

// View gives fn a view of the state under the read lock. fn must not block for
// long: a waiting writer stops all readers.
func (f *FSM) View(fn func(v View)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	fn(View{f})
}

// RLock takes the state lock for reading and gives a view that is valid until
// RUnlock. It is View for callers on the hot path.
func (f *FSM) RLock() View {
	f.mu.RLock()
	return View{f}
}

// Clock returns the zxid clock, and the Raft index up to which it has counted.
func (f *FSM) Clock() (clock zabcompat.Clock, applied uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.clock, f.applied
}

// Work is how much has been applied since the process started: requests, and
// bytes of log entries. It takes no lock.
func (f *FSM) Work() (requests, bytes uint64) { return f.requests.Load(), f.bytes.Load() }

// SnapshotZxid is the zxid of the last snapshot written or restored, -1 before any.
func (f *FSM) SnapshotZxid() int64 { return f.snapshotZxid.Load() }

// Epoch is the epoch that requests of a Raft term belong to.
func (f *FSM) Epoch(term uint64) uint32 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return uint32(term) + f.clock.Offset
}

// RUnlock ends what RLock began.
func (f *FSM) RUnlock() { f.mu.RUnlock() }

// Apply implements raft.FSM.
func (f *FSM) Apply(l *raft.Log) interface{} {
	f.ApplyBatch([]*raft.Log{l})
	return nil
}

// ApplyBatch implements raft.BatchingFSM. It takes the state lock in slices.
func (f *FSM) ApplyBatch(logs []*raft.Log) []interface{} {
	if cap(f.answers) < len(logs) {
		f.answers = make([]interface{}, len(logs))
	}
	answers := f.answers[:len(logs)]
	f.mu.Lock()
	logs = f.unapplied(logs)
	n := 0
	for _, l := range logs {
		switch l.Type {
		case raft.LogCommand:
			n = f.applyEntry(l, n)
		case raft.LogConfiguration:
			f.configured(l)
		default:
			continue // Raft hands over no other, but a replay does
		}
		f.applied = l.Index
	}
	if len(logs) > 0 {
		last := logs[len(logs)-1]
		f.obs.Applied(View{f}, last.Index)
	}
	f.mu.Unlock()
	f.obs.Flush()
	return answers
}

// applyEntry applies the requests of one entry; n counts those applied under
// the current hold of the lock.
func (f *FSM) applyEntry(l *raft.Log, n int) int {
	r, err := readEntry(l.Data)
	if err != nil {
		f.fatal(l, err)
	}
	f.now = max(f.now, r.now)
	f.unstage(func(Origin) bool { return f.now-f.staged.at > stageLimit })
	f.clock.Begin(l.Term)
	f.requests.Add(uint64(r.left))
	f.bytes.Add(uint64(len(l.Data)))
	for r.left > 0 {
		if n >= applySlice {
			f.mu.Unlock()
			f.mu.Lock()
			n = 0
		}
		o, seq, payload, err := r.next()
		if err == nil {
			err = f.applyRequest(l, o, seq, payload)
		}
		if err != nil {
			f.fatal(l, err)
		}
		n++
	}
	return n
}

// fatal ends the process: the log holds what this release cannot apply, and a
// server that skipped it would answer differently from the others.
func (f *FSM) fatal(l *raft.Log, err error) {
	f.log.Error("cannot apply the log; this server must not go on", "index", l.Index, "term", l.Term, "error", err)
	panic(err)
}
