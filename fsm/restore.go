package fsm

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"zooraft/protocol"
	"zooraft/zabcompat"
)

// A restore puts the znodes and sessions of a snapshot in the place of those of the
// whole ensemble, at one point of the log. The server that was given the snapshot
// hands it over in pieces, each a request of its own sequence, and every server reads
// them into a state beside its own. One more request makes that the state.
//
// Who belongs to the ensemble, what each server has sent, the clock of zxids: all
// that the log itself rests on stays.

// stageLimit is how long what is staged waits for the next piece, in ms of the log's
// clock.
const stageLimit = 60_000

// maxEpoch is the last epoch of a snapshot that is taken: zxids behind it must be
// left for what follows, and not be negative.
const maxEpoch = math.MaxInt32 / 2

var (
	// ErrStaged refuses a snapshot while something is staged to be restored.
	ErrStaged = errors.New("a restore is under way")
	// ErrForeignZxid reports a snapshot whose zxids leave none for what follows.
	ErrForeignZxid = errors.New("its zxids come to an end")
)

// Stage is a piece of a snapshot that is to be restored, as Snapshot.Persist writes
// it. The outcome is ErrReconfigInProgress while that of another server is staged,
// and ErrNoNode if there is none that the piece belongs to: it has waited too long.
type Stage struct {
	First bool // what this server has staged before is dropped
	Data  []byte
}

// Append encodes the request.
func (r *Stage) Append(b []byte) []byte {
	b = append(b, byte(kindStage), 0)
	if r.First {
		b[len(b)-1] = 1
	}
	return append(b, r.Data...)
}

// decode aliases the payload.
func (r *Stage) decode(p *payloadReader) error {
	first, err := p.truth("stage")
	r.First, r.Data = first, p.b
	return err
}

// Restore ends what Stage began. With Swap what is staged becomes the state; the
// outcome is ErrNoNode if nothing of this server is staged, and ErrDataInconsistency
// if that is no whole snapshot. Without, it is dropped. Either takes a zxid, that of
// a swap being greater than all in the snapshot.
type Restore struct{ Swap bool }

// Append encodes the request.
func (r *Restore) Append(b []byte) []byte {
	b = append(b, byte(kindRestore), 0)
	if r.Swap {
		b[len(b)-1] = 1
	}
	return b
}

func (r *Restore) decode(p *payloadReader) (err error) {
	if r.Swap, err = p.truth("restore"); err == nil && len(p.b) > 0 {
		err = fmt.Errorf("%w: %d bytes behind a restore request", ErrBadEntry, len(p.b))
	}
	return err
}

// staged is a snapshot that is being read as its pieces come. The reader is a
// coroutine of the apply goroutine, so nothing runs beside it, and nothing is kept of
// a piece but what it decodes to.
//
// It is in no snapshot: FSM.Snapshot waits for its end.
type staged struct {
	owner Origin
	at    int64 // FSM.now when the last piece came

	more func() (struct{}, bool) // reads on, until the piece has been used up
	stop func()

	piece []byte
	ended bool
	state *state
	err   error
}

func newStaged(o Origin) *staged {
	s := &staged{owner: o}
	s.more, s.stop = iter.Pull(func(yield func(struct{}) bool) {
		s.state, s.err = readState(pieces{s, yield})
	})
	return s
}

// pieces is what the coroutine reads from.
type pieces struct {
	s     *staged
	yield func(struct{}) bool
}

func (r pieces) Read(p []byte) (int, error) {
	for len(r.s.piece) == 0 {
		if r.s.ended || !r.yield(struct{}{}) {
			return 0, io.EOF
		}
	}
	n := copy(p, r.s.piece)
	r.s.piece = r.s.piece[n:]
	return n, nil
}

// feed reads a piece, of which nothing is kept.
func (s *staged) feed(b []byte) {
	s.piece = b
	s.more()
	s.piece = nil
}

// finish returns the state, once all pieces have been fed.
func (s *staged) finish() (*state, error) {
	s.ended = true
	s.more()
	return s.state, s.err
}

func (s *staged) close() {
	s.ended = true
	s.stop()
	s.state = nil
}

// stage takes a piece. What reading it costs, it costs without the lock: only this
// goroutine knows of what is staged.
func (f *FSM) stage(o Origin, p *payloadReader, res *Result) error {
	var r Stage
	if err := r.decode(p); err != nil {
		return err
	}
	switch {
	case f.staged != nil && f.staged.owner != o:
		res.Err = protocol.ErrReconfigInProgress
		return nil
	case r.First:
		f.unstage(func(Origin) bool { return true })
		f.staged = newStaged(o)
		f.staging.Store(true)
	case f.staged == nil:
		res.Err = protocol.ErrNoNode
		return nil
	}
	s := f.staged
	s.at = f.now
	f.mu.Unlock()
	s.feed(r.Data)
	f.mu.Lock()
	return nil
}

// unstage drops what is staged if it belongs to one of which.
func (f *FSM) unstage(which func(o Origin) bool) {
	if f.staged != nil && which(f.staged.owner) {
		f.staged.close()
		f.staged = nil
		f.staging.Store(false)
	}
}

// Staging says whether something is staged to be restored. It takes no lock.
func (f *FSM) Staging() bool { return f.staging.Load() }

func (f *FSM) applyRestore(term uint64, o Origin, p *payloadReader, res *Result) error {
	var r Restore
	if err := r.decode(p); err != nil {
		return err
	}
	var fresh *state
	if s := f.staged; s == nil || s.owner != o {
		res.Err = protocol.ErrNoNode
	} else if r.Swap {
		var err error
		if fresh, err = s.finish(); err == nil {
			err = fresh.restorable()
		}
		if err != nil {
			f.log.Error("what was to be restored is damaged", "sid", o.SID, "error", err)
			res.Err, fresh = protocol.ErrDataInconsistency, nil
		}
	}
	f.unstage(func(owner Origin) bool { return owner == o })
	if fresh != nil {
		f.clock.LeaveBehind(term, fresh.clock.Last()) // of another ensemble, or of a future that this one has lost
	}
	res.Zxid = int64(f.clock.Next(term))
	if fresh != nil {
		f.replace(fresh, res.Zxid)
	}
	return nil
}

// restorable says what keeps the state of a snapshot from being restored; nil if
// nothing does.
func (f *state) restorable() error {
	if f.clock.Epoch > maxEpoch {
		return fmt.Errorf("%w: the last one is %v", ErrForeignZxid, f.clock.Last())
	}
	if last := zabcompat.Zxid(f.tree.LastZxid()); last > f.clock.Last() {
		return fmt.Errorf("%w: a znode of zxid %v in a snapshot of zxid %v", ErrCorruptSnapshot, last, f.clock.Last())
	}
	return nil
}

// replace makes the znodes and sessions of fresh those of this state. No connection
// owns a session any more: what has been asked for before the restore, and is applied
// after it, must not change what was restored.
func (f *FSM) replace(fresh *state, zxid int64) {
	before, tree := f.sessions, f.tree
	f.sessions, f.tree, f.replaced = fresh.sessions, fresh.tree, zxid
	f.tree.TakeConfig(tree)
	for id := range before {
		if f.sessions[id] == nil {
			f.obs.SessionClosed(id, true)
		}
	}
	for id, s := range f.sessions {
		s.owner = Owner{}
		f.obs.SessionOpened(id, s.timeout, s.owner)
	}
	f.obs.EnsembleRestored(View{f})
}
