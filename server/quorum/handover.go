package quorum

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// A leader that is to vote no more, or whose disk is nearly full, makes another
// one the leader first. Raft's own transfer will not do, but for a process that ends
// (Retire): it may never end, and the leader then takes nothing any more
// (hashicorp/raft issue 696). So this leader proposes nothing for a moment, waits
// until the heir has stored all that it has logged, and sends it the message that
// Raft would. If nothing comes of it, the leader goes on.

const (
	// handOverPause bounds the time in which nothing is proposed.
	handOverPause = 500 * time.Millisecond
	// handOverAgain is after how long another attempt may follow.
	handOverAgain = 2 * time.Second
)

// handing is a transfer of leadership under way, or the last one.
type handing struct {
	to     int64 // 0 if none is under way
	sent   bool
	begun  time.Time
	failed int64 // who has not taken it
}

// beginHandOver begins to hand leadership to a voter, for a reason to be logged.
func (n *Node) beginHandOver(r *raft.Raft, to int64, why string, now time.Time) {
	d := &n.duty
	if now.Sub(d.handing.begun) < handOverAgain {
		return
	}
	d.handing = handing{to: to, begun: now, failed: d.handing.failed}
	n.log.Info("handing leadership over: "+why, "sid", to)
	n.batch.pause(true)
	n.trans.watching.Store(true)
	n.stillHanding(r, now)
}

// stillHanding goes on with a transfer. It returns true once that has failed.
func (n *Node) stillHanding(r *raft.Raft, now time.Time) (failed bool) {
	h := &n.duty.handing
	stored, ok := n.trans.stored(serverID(h.to))
	switch {
	case now.Sub(h.begun) > handOverPause:
		n.log.Warn("leadership was not handed over", "sid", h.to, "sent", h.sent)
		h.to, h.failed = 0, h.to
		n.batch.pause(false)
		return true
	case h.sent || !ok || stored < r.LastIndex() || n.batch.unstored():
		return false
	}
	h.sent = true
	to := serverID(h.to)
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		if err := n.trans.standNow(to); err != nil {
			n.log.Warn("cannot hand leadership over", "sid", to, "error", err)
		}
	}()
	return false
}

// handOverLimit bounds the transfer of leadership. Where it does not come off at once,
// the end of the process tells the others as fast.
const handOverLimit = 250 * time.Millisecond

// Retire ceases to serve and hands leadership over, if this server leads, so
// that the others need no election. It blocks until the transfer is done or ctx
// ends.
func (n *Node) Retire(ctx context.Context) {
	n.gone.Store(true)
	n.setServing(None)
	r := n.raft.Load()
	if r == nil || r.State() != raft.Leader || n.voters() < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.raftTransfer(r).Error() }()
	select {
	case err := <-done:
		if err != nil {
			n.log.Warn("leadership was not handed over", "error", err)
		}
	case <-ctx.Done():
		// Raft may never end a transfer; the process does.
		n.log.Warn("leadership was not handed over in time")
	}
}

// raftTransfer passes leadership to a voter that is there by Raft's own transfer, which
// will do for a process that ends. Raft by itself may choose one that is not there, if
// nothing was written since the election.
func (n *Node) raftTransfer(r *raft.Raft) raft.Future {
	for sid := range n.roster.Load().voters {
		if sid != n.cfg.SID && n.entitled(sid) && n.mesh.Connected(sid) {
			return r.LeadershipTransferToServer(serverID(sid), label(sid))
		}
	}
	return r.LeadershipTransfer()
}
