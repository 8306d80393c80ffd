package quorum

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// A leader that is to vote no more, or whose disk is nearly full or slow, makes another
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
	slow   bool  // the heir has more than this server's disk, and is not waited for
	sent   bool
	begun  time.Time
	failed int64 // who has not taken it
}

// beginHandOver begins to hand leadership to a voter, for a reason to be logged; slow
// says that it is the own disk.
func (n *Node) beginHandOver(r *raft.Raft, to int64, slow bool, why string, now time.Time) {
	d := &n.duty
	if now.Sub(d.handing.begun) < handOverAgain {
		return
	}
	d.handing = handing{to: to, slow: slow, begun: now, failed: d.handing.failed}
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
	case h.sent || !h.slow && (!ok || stored < r.LastIndex() || n.batch.unstored()):
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
	heir := n.firstHeir()
	if heir == 0 {
		return // there is nobody
	}
	leaders := make(chan raft.Observation, 4)
	o := raft.NewObserver(leaders, false, func(o *raft.Observation) bool {
		l, ok := o.Data.(raft.LeaderObservation)
		return ok && l.LeaderID != "" && l.LeaderID != serverID(n.cfg.SID)
	})
	r.RegisterObserver(o)
	defer r.DeregisterObserver(o)
	// Raft's own transfer will do for a process that ends.
	done := make(chan error, 1)
	go func() { done <- r.LeadershipTransferToServer(serverID(heir), label(heir)).Error() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				n.log.Info("leadership was not handed over", "sid", heir, "error", err) // they may be stopped together
				return
			}
			done = nil // this server has given it up, and has yet to vote for the heir
		case <-leaders:
			return
		case <-ctx.Done():
			// Raft may never end a transfer; the process does.
			n.log.Warn("leadership was not handed over in time", "sid", heir)
			return
		}
	}
}

// firstHeir is the voter that is there and that the exchange of votes would have
// stand when this server's connections break, so that no two stand at once: the one
// with most of the log, and the highest id of those; 0 if nobody is there.
func (n *Node) firstHeir() int64 {
	heir, most := int64(0), uint64(0)
	for sid := range n.roster.Load().voters {
		if sid == n.cfg.SID || !n.entitled(sid) || !n.mesh.Connected(sid) {
			continue
		}
		if stored, _ := n.trans.stored(serverID(sid)); heir == 0 || stored > most || stored == most && sid > heir {
			heir, most = sid, stored
		}
	}
	return heir
}
