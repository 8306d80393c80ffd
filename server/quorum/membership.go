package quorum

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// The membership that is pending, or else the published one, says who is to vote;
// Raft's configuration says who does. It is the leader's duty to bring the second
// to the first, one server at a time, each step decided from what the state and
// the peer streams say now: so a new leader goes on where the last one stopped,
// and a change that is given up is taken back by the same steps.
//
// Everybody who is connected follows, without a vote (a learner), member or not:
// that is ZooKeeper's joiner, which becomes a follower before a reconfig names
// it, and its removed server, which stays one.
//
// Invariants:
//
//   - A server is given a vote only when it has the log, and bears the disk that it
//     is registered by.
//   - A vote given to a disk that is lost is taken away before the server that lost
//     it may start Raft (election.admission).
//   - Joiners vote before leavers lose their votes, and the leader leaves last.

// situation is what a step is decided from.
type situation struct {
	self    int64
	goal    zabcompat.Membership
	pending bool               // goal is pending
	conf    raft.Configuration // committed
	callers []int64            // who is connected
	failed  int64              // who was to take the leadership last, and did not
	// connected says whether a server can be reached; foreign, that it comes with
	// another disk than it has its vote by; keepsUp, that it may be given a vote or
	// the leadership; absent, that it has been away for long.
	connected, foreign, keepsUp, absent func(sid int64) bool
	// scarce: the leader's own disk is nearly full; roomy, that another's is not.
	scarce bool
	roomy  func(sid int64) bool
}

// act is what the leader does next.
type act int

const (
	actNothing  act = iota // all is as it should be
	actWait                // for a server to come or catch up
	actAdd                 // as a learner
	actPromote             // from learner to voter
	actDemote              // from voter to learner
	actRemove              // a learner
	actHandOver            // leadership
)

func (a act) String() string {
	return [...]string{"nothing", "wait", "add", "promote", "demote", "remove", "hand over to"}[a]
}

// votes says of all in conf whether they vote.
func (s *situation) votes() map[int64]bool {
	votes := make(map[int64]bool)
	for _, v := range s.conf.Servers {
		votes[sidOf(v.ID)] = v.Suffrage == raft.Voter
	}
	return votes
}

// next decides the next step.
func (s *situation) next() (act, int64) {
	votes := s.votes()
	all := slices.Sorted(maps.Keys(votes))
	for _, sid := range all {
		if votes[sid] && sid != s.self && s.foreign(sid) && s.quorum(votes, sid, false) {
			return actDemote, sid
		}
	}
	for _, m := range s.goal.Servers {
		if _, in := votes[int64(m.ID)]; !in {
			return actAdd, int64(m.ID)
		}
	}
	for _, sid := range s.callers {
		if _, in := votes[sid]; !in {
			return actAdd, sid
		}
	}
	wait := false
	for _, m := range s.goal.Servers {
		sid := int64(m.ID)
		if m.Observer || votes[sid] {
			continue
		}
		if s.connected(sid) && s.keepsUp(sid) && s.quorum(votes, sid, true) {
			return actPromote, sid
		}
		wait = true
	}
	if wait && s.pending {
		return actWait, 0
	}
	var leaving []int64
	for _, sid := range all {
		if m, in := s.goal.Server(sid); votes[sid] && (!in || m.Observer) {
			leaving = append(leaving, sid)
		}
	}
	if len(leaving) > 0 {
		return s.leave(votes, leaving)
	}
	if s.pending {
		return actNothing, 0
	}
	for _, sid := range all {
		if _, in := s.goal.Server(sid); !in && s.absent(sid) {
			return actRemove, sid
		}
	}
	if s.scarce {
		if heir := s.heir(votes, s.roomy); heir != 0 {
			return actHandOver, heir
		}
	}
	if wait {
		return actWait, 0
	}
	return actNothing, 0
}

// heir is who may be given the leadership, rather not the one that has failed to
// take it; 0 if nobody may.
func (s *situation) heir(votes map[int64]bool, fit func(sid int64) bool) int64 {
	heir := int64(0)
	for _, m := range s.goal.Servers {
		sid := int64(m.ID)
		if !m.Observer && votes[sid] && sid != s.self && s.connected(sid) && fit(sid) && s.keepsUp(sid) && (heir == 0 || heir == s.failed) {
			heir = sid
		}
	}
	return heir
}

// leave takes their votes from those who are to have none: first from those who
// are gone, last from the leader, which makes another one the leader before.
func (s *situation) leave(votes map[int64]bool, leaving []int64) (act, int64) {
	slices.SortStableFunc(leaving, func(a, b int64) int {
		rank := func(sid int64) int {
			switch {
			case sid == s.self:
				return 2
			case s.connected(sid):
				return 1
			}
			return 0
		}
		return rank(a) - rank(b)
	})
	if leaving[0] != s.self {
		if s.quorum(votes, leaving[0], false) {
			return actDemote, leaving[0]
		}
		return actWait, 0
	}
	if heir := s.heir(votes, func(int64) bool { return true }); heir != 0 {
		return actHandOver, heir
	}
	return actWait, 0
}

// quorum says whether a majority would be connected if a server had a vote, or
// had none.
func (s *situation) quorum(votes map[int64]bool, sid int64, vote bool) bool {
	voters, there := 0, 0
	for v, has := range votes {
		if v == sid {
			has = vote
		}
		if !has {
			continue
		}
		voters++
		if v == s.self || s.connected(v) && !s.foreign(v) {
			there++
		}
	}
	return there > voters/2
}

// duty is what the leader remembers between two steps. Of the main loop.
type duty struct {
	term      uint64              // that it works in
	took      time.Time           // when it began
	zxid      int64               // of the change that it has seen pending
	found     int64               // of the one that was pending when it began
	passed    bool                // a quorum of its target was connected
	index     uint64              // of Raft's configuration
	moved     time.Time           // when that, or the goal, was last another one
	asked     chan error          // Raft has been asked for a change; nil if it has not
	notBefore time.Time           // of the next step: Raft has refused one
	ended     time.Time           // when the end of what is pending was last proposed
	rounds    map[int64]round     // of servers that catch up
	away      map[int64]time.Time // since when servers are that cannot be reached
	limit     time.Time           // who is away since before then is for long
	handing   handing
	disk      slowDisk
}

// round is one lap of a server that catches up: has it, soon after, what the
// leader had logged? (Raft dissertation, section 4.2.1.)
type round struct {
	target uint64
	begun  time.Time
}

const (
	// officeGrace is how long after taking office a leader leaves to the members to
	// be connected, before it gives up a change that it found pending.
	officeGrace = 2 * time.Second
	// endAgain is how long it waits before it proposes an end once more, and changeAgain
	// before it asks Raft for a change after a refusal.
	endAgain    = time.Second
	changeAgain = 200 * time.Millisecond
)

// reconcile takes the next step. Called in the main loop.
func (n *Node) reconcile(r *raft.Raft, now time.Time) {
	term := n.leadTerm.Load()
	d := &n.duty
	if d.term != term {
		if d.handing.to != 0 {
			n.batch.pause(false)
		}
		*d = duty{term: term, took: now, rounds: make(map[int64]round), away: make(map[int64]time.Time)}
		n.trans.watching.Store(false)
	}
	if term == 0 || n.standalone() {
		return
	}
	if n.trans.newest.Load() > term { // there is another leader: this Raft is about to hear, or waits for its disk
		if d.handing.to != 0 {
			d.handing.to = 0
			n.batch.pause(false)
		}
		return
	}
	d.disk.note(now, n.holdsUp(r))
	if d.handing.to != 0 && !n.stillHanding(r, now) {
		return
	}
	waits := d.waitsForRaft(n, now) || now.Before(d.notBefore)
	if waits && !d.disk.slow() {
		return
	}
	s, zxid, index := n.situation(r, now)
	if len(s.goal.Servers) == 0 || r.CurrentTerm() != term {
		return
	}
	if d.disk.slow() { // nothing else would get on
		if heir := s.heir(s.votes(), n.furthest); heir != 0 {
			n.beginHandOver(r, heir, true, "this server's disk is slower than those of the others", now)
			return
		}
	}
	if waits {
		return
	}
	if d.index == 0 {
		d.found = zxid
	}
	if index != d.index || zxid != d.zxid {
		d.passed = d.passed && zxid == d.zxid
		d.index, d.zxid, d.moved = index, zxid, now
	}
	if s.pending && !d.passed {
		// The check that ZooKeeper makes last before it proposes a reconfig.
		if d.passed = s.quorumOfGoal(); !d.passed {
			if zxid != d.found || now.Sub(d.took) > officeGrace {
				n.endReconfig(now, protocol.ErrNewConfigNoQuorum, "no quorum of the new members is connected")
			}
			return
		}
	}
	what, sid := s.next()
	n.trans.watching.Store(what == actWait)
	switch {
	case what == actNothing && s.pending:
		n.endReconfig(now, protocol.ErrOK, "")
	case what == actWait && s.pending && now.Sub(d.moved) > n.cfg.InitLimit:
		n.endReconfig(now, protocol.ErrNewConfigNoQuorum, "the new members did not catch up in time")
	case what == actHandOver:
		why := "this server is to vote no more"
		if m, in := s.goal.Server(s.self); in && !m.Observer {
			why = "this server's disk is nearly full"
		}
		n.beginHandOver(r, sid, false, why, now)
	case what != actNothing && what != actWait:
		n.change(r, what, sid, index)
	}
}

// situation looks at what there is. zxid is that of what is pending, 0 if nothing
// is, and index that of the configuration.
func (n *Node) situation(r *raft.Raft, now time.Time) (s situation, zxid int64, index uint64) {
	s = situation{self: n.cfg.SID, failed: n.duty.handing.failed, connected: n.reachable, foreign: n.foreign, absent: n.duty.absent}
	own, _, _ := n.Space()
	s.scarce, s.roomy = own != RoomPlenty, func(sid int64) bool { return n.roomOf(sid) == RoomPlenty }
	n.fsm.View(func(v fsm.View) {
		s.goal, s.conf, index = v.Membership(), v.Actual(), v.ActualIndex()
		if p := v.Pending(); p != nil {
			s.goal, s.pending, zxid = p.Target, true, p.Target.Version
		}
	})
	if index == 0 {
		s.conf = r.GetConfiguration().Configuration() // of a snapshot of before
	}
	for _, id := range n.mesh.Callers() {
		if n.mesh.Connected(id.SID) {
			s.callers = append(s.callers, id.SID)
		}
	}
	n.duty.noteAway(s, now, n.cfg.InitLimit)
	s.keepsUp = func(sid int64) bool { return n.keepsUp(r, sid, now) }
	return s, zxid, index
}

// reachable says whether the streams to and from a server work.
func (n *Node) reachable(sid int64) bool {
	_, calls := n.mesh.Caller(sid)
	return sid == n.cfg.SID || calls && n.mesh.Connected(sid)
}

// foreign says whether a server is connected that the ensemble knows by another
// disk.
func (n *Node) foreign(sid int64) bool {
	id, calls := n.mesh.Caller(sid)
	known := n.KnownDisk(sid)
	return calls && known != "" && id.Disk != known
}

// keepsUp says whether a server that is registered has now what this leader had
// logged a moment ago.
func (n *Node) keepsUp(r *raft.Raft, sid int64, now time.Time) bool {
	d := &n.duty
	stored, ok := n.trans.stored(serverID(sid))
	if id, _ := n.mesh.Caller(sid); !ok || n.KnownDisk(sid) != id.Disk {
		delete(d.rounds, sid)
		return false
	}
	lap, begun := d.rounds[sid]
	if !begun || stored >= lap.target && now.Sub(lap.begun) > n.cfg.Heartbeat {
		lap = round{r.LastIndex(), now}
		d.rounds[sid] = lap
	}
	return stored >= lap.target
}

// noteAway takes note of the learners that are no members and not there.
func (d *duty) noteAway(s situation, now time.Time, limit time.Duration) {
	for _, v := range s.conf.Servers {
		sid := sidOf(v.ID)
		if s.connected(sid) {
			delete(d.away, sid)
		} else if _, noted := d.away[sid]; !noted {
			d.away[sid] = now
		}
	}
	maps.DeleteFunc(d.away, func(sid int64, _ time.Time) bool {
		return !slices.ContainsFunc(s.conf.Servers, func(v raft.Server) bool { return v.ID == serverID(sid) })
	})
	d.limit = now.Add(-limit)
}

// absent says whether a server has been away for as long as it may take to catch
// up: a restart does not take that long, and comes too early for one that has
// gone for good only in Raft's attempts to reach it.
func (d *duty) absent(sid int64) bool {
	since, away := d.away[sid]
	return away && since.Before(d.limit)
}

// quorumOfGoal says whether a majority of those who are to vote is connected.
func (s *situation) quorumOfGoal() bool {
	there := 0
	for _, m := range s.goal.Servers {
		if !m.Observer && (int64(m.ID) == s.self || s.connected(int64(m.ID))) {
			there++
		}
	}
	return there > s.goal.Voters()/2
}

// endReconfig proposes that the pending change is over, with code as its outcome.
func (n *Node) endReconfig(now time.Time, code protocol.ErrCode, why string) {
	d := &n.duty
	if now.Sub(d.ended) < endAgain {
		return
	}
	d.ended = now
	if code != protocol.ErrOK {
		n.log.Warn("a change of the membership is given up: "+why, "zxid", zabcompat.Zxid(d.zxid))
	}
	end := fsm.Abandon{Term: d.term, Zxid: d.zxid, Code: code}
	n.Duty(end.Append(nil))
}

// change asks Raft for one change, on condition that its configuration is the one
// at index.
func (n *Node) change(r *raft.Raft, what act, sid int64, index uint64) {
	n.log.Info("changing raft's configuration: "+what.String(), "sid", sid)
	id, done := serverID(sid), make(chan error, 1)
	n.duty.asked = done
	// Raft may leave the future without an answer when it is shut down, so nobody
	// waits for this goroutine to end; it touches nothing that Close takes away.
	go func() {
		var f raft.IndexFuture
		switch what {
		case actAdd:
			f = r.AddNonvoter(id, label(sid), index, 0)
		case actPromote:
			f = r.AddVoter(id, label(sid), index, 0)
		case actDemote:
			f = r.DemoteVoter(id, index, 0)
		case actRemove:
			f = r.RemoveServer(id, index, 0)
		}
		done <- f.Error()
		n.poke()
	}()
}

// waitsForRaft says whether what Raft was asked for has no answer yet. There is one
// when it is applied here, or the leadership lost.
func (d *duty) waitsForRaft(n *Node, now time.Time) bool {
	if d.asked == nil {
		return false
	}
	select {
	case err := <-d.asked:
		d.asked = nil
		if err != nil {
			n.log.Warn("raft's configuration was not changed", "error", err)
			d.notBefore = now.Add(changeAgain)
		}
		return false
	default:
		return true
	}
}
