package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"zooraft/fsm"
	"zooraft/fsm/acl"
	"zooraft/protocol"
	"zooraft/server/admin"
	"zooraft/server/audit"
	"zooraft/server/client"
	"zooraft/server/quorum"
	"zooraft/zabcompat"
)

const (
	// stagePiece is how much of a snapshot one request carries: entries of the log
	// hold several, and others beside them.
	stagePiece = 96 << 10
	// stageWindow is how many of them may be under way: what the clients of this
	// server ask for meanwhile waits behind them.
	stageWindow = 16
	// restoreStall is how long a restore waits for a piece to be applied.
	restoreStall = 30 * time.Second
	// spoolStep is how much is received between two looks at the disk.
	spoolStep = 4 << 20
	// spoolReserve is what a restore leaves free.
	spoolReserve = 64 << 20
)

// Authorize implements admin.Backups, as the admin server of ZooKeeper does it: by the
// schemes of the clients, and the list of the root.
func (a source) Authorize(c admin.Caller) (known, allowed bool) {
	ids := a.s.identities(c)
	if ids == nil {
		return false, false
	}
	a.s.fsm.View(func(v fsm.View) {
		allowed = v.HasAll("/", protocol.PermAll, ids, a.s.cfg.requestOptions())
	})
	return true, allowed
}

// identities are those of a caller of the admin server; none if it cannot be known.
func (s *Server) identities(by admin.Caller) (ids []protocol.ID) {
	c := &s.cfg
	switch o := c.requestOptions(); {
	case by.Scheme == "ip":
		ids = append(ids, protocol.ID{Scheme: "ip", ID: acl.IPText(by.From)})
	case by.Scheme == "digest" && !o.Has(fsm.NoDigest):
		id := c.digest().ID([]byte(by.Credential))
		if id == c.SuperDigest {
			ids = append(ids, protocol.ID{Scheme: "super"})
		}
		ids = append(ids, protocol.ID{Scheme: "digest", ID: id})
	}
	return ids
}

// Note implements admin.Backups.
func (a source) Note(c admin.Caller, command string, o admin.Outcome) {
	if a.s.audit == nil {
		return
	}
	result := audit.Failure
	switch o {
	case admin.Done:
		result = audit.Success
	case admin.Unknown:
		result = audit.Invoked
	}
	a.s.audit.Command(acl.IPText(c.From), a.s.identities(c), command, result)
}

// Snapshot implements admin.Backups: what was committed before the call is in it.
func (a source) Snapshot(ctx context.Context) (admin.Snapshot, error) {
	if err := a.s.synced(ctx); err != nil {
		return admin.Snapshot{}, err
	}
	f, err := a.s.node.TakeSnapshot(ctx)
	if err != nil {
		return admin.Snapshot{}, err
	}
	zxid, err := fsm.SnapshotZxid(f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return admin.Snapshot{}, errors.Join(err, f.Close())
	}
	return admin.Snapshot{ReadCloser: f.File, Zxid: int64(zxid), Bytes: f.Bytes, File: Absolute(f.Name())}, nil
}

// synced waits until this server has applied what was committed before.
func (s *Server) synced(ctx context.Context) error {
	done := make(chan error, 1)
	s.node.Sync(func(_ fsm.View, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Restore implements admin.Backups. One at a time is under way from a server; the state
// machine sees to it that there is one in the ensemble.
func (a source) Restore(ctx context.Context, body io.Reader, length int64) (admin.Restored, error) {
	s := a.s
	if !s.restoring.TryLock() {
		return admin.Restored{}, admin.ErrRestoring
	}
	defer s.restoring.Unlock()
	if s.duty.quorumServes() != client.FullService {
		return admin.Restored{}, admin.ErrUnavailable
	}
	start := time.Now()
	file, size, err := s.spool(body, length)
	if err != nil {
		return admin.Restored{}, err
	}
	defer file.Close()
	zxid, err := fsm.CheckSnapshot(file, size)
	if err != nil {
		return admin.Restored{}, fmt.Errorf("%w: %w", admin.ErrNoSnapshot, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return admin.Restored{}, err
	}
	s.log.Info("restoring a snapshot for the ensemble", "zxid", zxid, "bytes", size)
	at, err := s.restore(ctx, file)
	if err != nil {
		s.log.Error("a snapshot was not restored", "zxid", zxid, "bytes", size, "error", err)
		return admin.Restored{}, err
	}
	s.log.Info("restored a snapshot for the ensemble", "zxid", zabcompat.Zxid(at), "bytes", size, "duration", time.Since(start))
	return admin.Restored{Zxid: at, SnapshotZxid: int64(zxid)}, nil
}

// spool receives a snapshot into a file that has no name any more, so that it goes with
// the process at the latest, and leaves the disk the room that the log needs.
func (s *Server) spool(body io.Reader, length int64) (f *os.File, size int64, err error) {
	if f, err = os.CreateTemp(filepath.Join(s.cfg.DataDir, "raft"), "restore-*.tmp"); err != nil {
		return nil, 0, fmt.Errorf("receive snapshot: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	for {
		if !s.hasRoomFor(size, length) {
			return nil, 0, errors.Join(admin.ErrTooLarge, f.Close())
		}
		n, err := io.CopyN(f, body, spoolStep)
		size += n
		switch err {
		case nil:
			continue
		case io.EOF:
			if !s.hasRoomFor(size, size) {
				err = admin.ErrTooLarge
			} else if _, err = f.Seek(0, io.SeekStart); err == nil {
				return f, size, nil
			}
		}
		return nil, 0, errors.Join(fmt.Errorf("receive snapshot: %w", err), f.Close())
	}
}

// hasRoomFor says whether a snapshot of so many bytes, -1 if that is not known, can be
// restored, of which so many are on the disk: it takes as much of the log, and so does
// the next snapshot.
func (s *Server) hasRoomFor(received, length int64) bool {
	_, data, log := s.node.Space()
	if s.node.Takes() != quorum.RoomPlenty {
		return false
	}
	length = max(length, received)
	free := min(data.Free, log.Free)
	return free > spoolReserve && free-spoolReserve >= uint64(length-received) && (free-spoolReserve)/3 >= uint64(length)
}

// upload is a snapshot on its way into the log.
type upload struct {
	free    chan struct{}         // a slot for each piece under way
	refused chan protocol.ErrCode // the first refusal of a piece
	outcome chan fsm.Result       // of the last request
}

// piece and last are the requests' completions.
type (
	piece struct{ *upload }
	last  struct{ *upload }
)

func (u piece) Complete(_ fsm.View, r *fsm.Result) {
	if r.Err != protocol.ErrOK {
		select {
		case u.refused <- r.Err:
		default:
		}
	}
	<-u.free
}

func (u last) Complete(_ fsm.View, r *fsm.Result) { u.outcome <- fsm.Result{Zxid: r.Zxid, Err: r.Err} }

// restore hands a snapshot to the log, piece by piece, and has it take the state's
// place. It returns the zxid of that.
func (s *Server) restore(ctx context.Context, snapshot io.Reader) (zxid int64, err error) {
	u := &upload{
		free:    make(chan struct{}, stageWindow),
		refused: make(chan protocol.ErrCode, 1),
		outcome: make(chan fsm.Result, 2),
	}
	lost := s.overtaken()
	stall := time.NewTimer(restoreStall)
	defer stall.Stop()
	slot := func() error {
		stall.Reset(restoreStall)
		select {
		case u.free <- struct{}{}:
			return nil
		case code := <-u.refused:
			return outcomeOf(code)
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stop:
		case <-lost:
		case <-stall.C:
		}
		return admin.ErrUnavailable
	}
	buf := make([]byte, stagePiece)
	for first := true; ; first = false {
		n, err := io.ReadFull(snapshot, buf)
		if n == 0 && err == io.EOF {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return 0, s.abandon(u, fmt.Errorf("read what was received: %w", err))
		}
		if s.node.Takes() != quorum.RoomPlenty {
			return 0, s.abandon(u, admin.ErrTooLarge)
		}
		if err := slot(); err != nil {
			return 0, s.abandon(u, err)
		}
		stage := fsm.Stage{First: first, Data: buf[:n]}
		if err := s.node.Propose(stage.Append(make([]byte, 0, n+2)), piece{u}); err != nil {
			return 0, s.abandon(u, admin.ErrUnavailable)
		}
	}
	// All pieces are applied before the swap is asked for: one that waits in a server
	// without a quorum would be carried out whenever there is a quorum again.
	for range stageWindow {
		if err := slot(); err != nil {
			return 0, s.abandon(u, err)
		}
	}
	if err := s.node.Propose((&fsm.Restore{Swap: true}).Append(nil), last{u}); err != nil {
		return 0, s.abandon(u, admin.ErrUnavailable)
	}
	stall.Reset(restoreStall)
	// It is in the log, or will be: the caller may go, the outcome is one.
	select {
	case r := <-u.outcome:
		return r.Zxid, outcomeOf(r.Err)
	case <-lost:
	case <-s.stop:
	case <-stall.C:
	}
	return 0, admin.ErrUnknown
}

// abandon has what was staged dropped, whenever that can be, and returns err.
func (s *Server) abandon(u *upload, err error) error {
	if p := s.node.Propose((&fsm.Restore{}).Append(nil), last{u}); p != nil {
		s.log.Debug("what was staged goes by itself", "error", p)
	}
	return err
}

// ageStaged has the log's clock go on while something is staged, which ends by it if
// its server does not come back. The leader calls it from time to time.
func (s *Server) ageStaged() {
	if term := s.node.LeadTerm(); term != 0 && s.fsm.Staging() {
		s.node.Duty((&fsm.Expire{Term: term}).Append(nil))
	}
}

// outcomeOf is what an answer of the log to a restore means; nil for OK.
func outcomeOf(code protocol.ErrCode) error {
	switch code {
	case protocol.ErrOK:
		return nil
	case protocol.ErrReconfigInProgress:
		return admin.ErrRestoring
	case protocol.ErrDataInconsistency:
		return admin.ErrNoSnapshot
	}
	return admin.ErrUnavailable
}

// overtaken is closed when a snapshot of the leader takes the place of this server's
// state: what becomes of the requests that were under way is not to be known then.
func (s *Server) overtaken() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overtake == nil {
		s.overtake = make(chan struct{})
	}
	return s.overtake
}

func (s *Server) noteOvertaken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overtake != nil {
		close(s.overtake)
		s.overtake = nil
	}
}
