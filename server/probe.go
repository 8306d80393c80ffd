package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"zooraft/server/client"
	"zooraft/server/quorum"
	"zooraft/zabcompat"
)

// catchingUp is how many log entries a server may be behind and still count as
// one that has caught up: what is under way at full load.
const catchingUp = 2000

// What a probe is told of full disks.
var (
	errDiskFull  = errors.New("not serving: the disk of this server is full")
	errDisksFull = errors.New("too few servers have room on their disks: no session can be opened and no write is taken")
)

// Ready is nil if clients should be sent to this server: it serves, sessions can be
// opened, and it has applied nearly all that it knows to be committed.
func (a source) Ready() error {
	switch {
	case a.s.readOnly.Load():
		return errors.New("read-only: no quorum")
	case a.s.node.OutOfRoom():
		return errDiskFull
	case a.Working() && a.s.node.Takes() == quorum.RoomNone:
		return errDisksFull
	case a.Serving():
	case a.Working():
		return errors.New("not serving: it leads, and leaderServes=no")
	default:
		return errors.New("not serving: no quorum")
	}
	p := a.s.node.Progress()
	return caughtUp(p.Applied, p.Committed)
}

// caughtUp is nil if nearly all has been applied that is known to be committed.
func caughtUp(applied, committed uint64) error {
	if applied+catchingUp < committed {
		return fmt.Errorf("catching up: applied %d of %d", applied, committed)
	}
	return nil
}

// SafeToStop is nil if the others are a quorum that works without this server: it
// asks each of them, and blocks for a few seconds at most. A server alone is never
// safe to stop, for nobody serves then.
func (a source) SafeToStop() error {
	if a.s.cfg.Standalone() {
		return errors.New("there is no other server")
	}
	self := a.Status()
	switch {
	case a.s.node.OutOfRoom(): // nobody is served here, and what the others can do they are asked
	case a.s.duty.quorumServes() != client.FullService:
		return errors.New("not serving: no quorum")
	case a.s.node.Takes() == quorum.RoomNone:
		return errDisksFull
	default:
		if err := caughtUp(self.RaftAppliedIndex, self.RaftCommitIndex); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	voters, good := 0, 0
	var problems []error
	for _, m := range a.s.membership().Servers {
		if !m.Observer {
			voters++
		}
		if int64(m.ID) == self.SID {
			continue
		}
		wg.Go(func() {
			st, err := queryStatus(context.Background(), a.s.quorumTLS.security(), m.ID, a.s.node.QuorumAddr(int64(m.ID)))
			if err != nil {
				err = fmt.Errorf("server %d: %w", m.ID, err)
			} else if err = fit(&st, &self); err != nil {
				err = fmt.Errorf("server %d %w", m.ID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case m.Observer:
			case err != nil:
				problems = append(problems, err)
			default:
				good++
			}
		})
	}
	wg.Wait()
	return unsafe(good, voters, problems)
}

// unsafe is why a server cannot be stopped when so many of the other voters are good
// and the rest have these problems, on one line.
func unsafe(good, voters int, problems []error) error {
	texts := make([]string, len(problems))
	for i, err := range problems {
		texts[i] = err.Error()
	}
	why := strings.Join(texts, "; ")
	need := voters/2 + 1
	switch {
	case good < need && why == "":
		return fmt.Errorf("without this server %d of %d voters are fit and %d are needed", good, voters, need)
	case good < need:
		return fmt.Errorf("without this server %d of %d voters are fit and %d are needed: %s", good, voters, need, why)
	case why != "":
		return fmt.Errorf("a member is catching up or gone: %s", why)
	}
	return nil
}

// fit is nil if a member follows the leader that self knows and is up to date; else it
// says what the member does.
func fit(st, self *Status) error {
	switch {
	case st.Room == 0:
		return errors.New("has no room on its disk")
	case !st.Serving && st.State != zabcompat.Leading || st.ReadOnly: // a leader need not serve clients (leaderServes)
		return errors.New("does not serve")
	case st.LeaderSID != self.LeaderSID:
		return fmt.Errorf("follows %d and not %d", st.LeaderSID, self.LeaderSID)
	}
	if err := caughtUp(st.RaftAppliedIndex, self.RaftCommitIndex); err != nil {
		return fmt.Errorf("is %w", err)
	}
	return nil
}
