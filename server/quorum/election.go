package quorum

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
	"zooraft/zabcompat"
)

// Raft elects; this file decides who stands first, and when. Waiting for Raft's
// heartbeat timeout is slow, and a short one elects on every disk stall. So
// when the stream to the leader breaks and nobody listens there any more, the
// servers tell each other so, with their votes. Once a majority has lost the
// leader, the one that ZooKeeper's rule (epoch, zxid, sid) puts first stands at
// once; the next waits its turn. The same exchange begins an ensemble. Raft's
// own rules keep all of this safe whatever is said here, and its timers stand
// behind it for hosts that vanish or freeze.
const (
	settle         = 50 * time.Millisecond  // where another server may be standing already
	turn           = 250 * time.Millisecond // between one candidate's try and the next one's
	standAgain     = 2 * time.Second        // before this server tries again
	repeatNotice   = time.Second            // while looking, for notifications that were lost
	patience       = time.Hour              // Raft's timeouts until this server first had a leader
	patienceRunOut = 3 * time.Second        // looking this long with a majority at hand: let Raft's timers work
	missedAfter    = 2 * time.Second        // looking this long without one: tell who is missing
)

// notification is what the servers tell each other, ZooKeeper's message of that
// name: a state and a vote.
type notification struct {
	State  zabcompat.State `json:"state"`
	Leader int64           `json:"leader"` // the leader, or whom the sender would elect; 0 none
	Round  uint64          `json:"round"`  // Raft term
	Vote   zabcompat.Vote  `json:"vote"`   // the sender's own
	Index  uint64          `json:"index"`  // of the sender's last log entry, for equal votes
	// InOffice: the sender leads and has applied all that came before its term, so
	// that Known is the ensemble's word.
	InOffice bool `json:"in_office,omitempty"`
	// Founded: the sender's disk belongs to an ensemble that has had a leader.
	Founded bool `json:"founded,omitempty"`
	// Silent: the sender's disk is blank, and it has no Raft yet to vote with.
	Silent bool `json:"silent,omitempty"`
	// Known is the disk that the sender knows the receiver by, "" if none, and Since
	// the number of the start that it was learned at.
	Known string `json:"known,omitempty"`
	Since uint64 `json:"since,omitempty"`
	// Votes: the receiver has a vote, by the last configuration committed that the
	// sender knows, which is the entry Config.
	Votes  bool   `json:"votes,omitempty"`
	Config uint64 `json:"config,omitempty"`
	// Membership is the version of the membership that the sender knows, and Members
	// its text, for those who have not been heard to know as much: the zoo.cfg of one
	// that comes late may not name the leader, nor anybody who could tell it of one.
	Membership zabcompat.Zxid `json:"membership,omitempty"`
	Members    string         `json:"members,omitempty"`
	// Founders are those who vote by the sender's zoo.cfg. Only servers that agree on
	// them may begin an ensemble. Empty: the sender is not to begin one.
	Founders []int64 `json:"founders,omitempty"`
	// Room is what the sender's disks can take.
	Room Room `json:"room,omitempty"`
	// Greets: asks for a notification in return. One that looks for a leader asks
	// too, but in answer to another.
	Greets bool `json:"greets,omitempty"`
	Answer bool `json:"answer,omitempty"`
}

// heard is the last notification of a peer whose process has not ended since.
type heard struct {
	notification
	at time.Time
}

// election is the exchange of votes. Its lock is taken before the state lock and
// before Node.mu.
type election struct {
	n        *Node
	founders []int64 // who votes by zoo.cfg
	mayBegin bool    // an ensemble with them, if it is blank

	mu       sync.Mutex
	peers    map[int64]heard
	began    bool
	looking  bool
	since    time.Time     // looking, or settled, since
	hold     time.Duration // before this server may stand
	ready    time.Time     // a majority looks, and nobody has joined it, since; zero if none does
	own      zabcompat.Vote
	index    uint64         // of the last log entry when own was made
	proposal zabcompat.Vote // the best vote seen while looking
	leader   int64          // as Raft says
	lost     int64          // the leader whose stream broke
	stood    time.Time
	told     time.Time
	missed   time.Time // who is missing was told; zero if not since there was a leader
	waits    time.Time // for its vote to be taken from a lost disk, since
	patient  bool

	history []Election // the last keptElections
}

func (e *election) init(n *Node) {
	e.n = n
	e.peers = make(map[int64]heard)
	e.patient = !n.standalone()
	for _, m := range n.cfg.Members {
		if !m.Observer {
			e.founders = append(e.founders, int64(m.ID))
		}
	}
	slices.Sort(e.founders)
	e.mayBegin = n.mayInitialize()
}

// begin starts to look for a leader.
func (e *election) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.began {
		return
	}
	e.began = true
	e.lookLocked(settle) // others may start at the same time
}

// lookLocked enters the state LOOKING and tells the peers. hold is what this
// server leaves to others before it stands.
func (e *election) lookLocked(hold time.Duration) {
	e.hold = hold
	zxid, term, index := e.n.loggedZxid()
	e.index = index
	e.own = zabcompat.Vote{Epoch: max(zxid.Epoch(), e.n.fsm.Epoch(term)), Zxid: zxid, SID: e.n.cfg.SID}
	e.proposal = e.own
	e.looking, e.since, e.ready, e.stood = true, time.Now(), time.Time{}, time.Time{}
	if e.n.standalone() {
		return
	}
	e.n.cfg.Metrics.Looking.Inc()
	e.n.downSince.CompareAndSwap(0, time.Now().UnixNano())
	e.n.log.Info(zabcompat.Looking.String())
	e.n.log.Info(fmt.Sprintf("New election. My id = %d, proposed zxid=%s", e.n.cfg.SID, e.own.Zxid))
	for sid := range e.peers {
		if h := e.peers[sid]; h.State == zabcompat.Looking && e.n.voter(sid) && h.Vote.Beats(e.proposal) {
			e.proposal = h.Vote
		}
	}
	e.tellLocked()
}

// tell sends a notification to every peer.
func (e *election) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tellLocked()
}

// tellLocked sends a notification to every peer, member or not.
func (e *election) tellLocked() {
	e.told = time.Now()
	if e.n.standalone() {
		return
	}
	for _, sid := range e.n.mesh.Others() {
		e.sendLocked(sid, notification{})
	}
}

// sendLocked fills the notification in and sends it.
func (e *election) sendLocked(to int64, msg notification) {
	msg.State, msg.Leader, msg.Vote, msg.Index = e.stateLocked(), e.leader, e.own, e.index
	msg.InOffice = e.n.leadTerm.Load() != 0
	msg.Room, _, _ = e.n.Space()
	if msg.Founded = e.n.founded(); e.mayBegin {
		msg.Founders = e.founders
	}
	e.n.fsm.View(func(v fsm.View) {
		if inc, _, disk := v.Server(to); inc > 0 {
			msg.Known, msg.Since = fmt.Sprintf("%x", disk), inc
		}
		msg.Votes, msg.Config = votes(v.Actual(), to), v.ActualIndex()
		members := v.Membership()
		msg.Membership = zabcompat.Zxid(members.Version)
		if e.peers[to].Membership < msg.Membership {
			msg.Members = members.String()
		}
	})
	if e.looking {
		msg.Leader = e.proposal.SID
	}
	if r := e.n.raft.Load(); r != nil {
		msg.Round = r.CurrentTerm()
	} else {
		msg.Silent = true
	}
	body, err := json.Marshal(msg)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	e.n.mesh.Send(to, frameVote, body)
}

func (e *election) stateLocked() zabcompat.State {
	switch {
	case e.looking:
		return zabcompat.Looking
	case e.leader == e.n.cfg.SID:
		return zabcompat.Leading
	case e.n.observer(e.n.cfg.SID):
		return zabcompat.Observing
	}
	return zabcompat.Following
}

// founded says whether this server's disk belongs to an ensemble that has had a
// leader: it knows the ensemble's id, or has more in its log than the first
// configuration.
func (n *Node) founded() bool {
	if n.cluster() != "" {
		return true
	}
	index, err := n.stores.Log.LastIndex()
	return err == nil && index > 1
}

// receive takes a peer's notification.
func (e *election) receive(from int64, body []byte) {
	var msg notification
	err := json.Unmarshal(body, &msg)
	switch {
	case err != nil:
	case msg.Vote.SID != from:
		err = fmt.Errorf("the vote is that of server %d", msg.Vote.SID)
	case msg.Room < RoomPlenty || msg.Room > RoomNone:
		err = fmt.Errorf("room %d is unknown", int(msg.Room))
	}
	if err != nil {
		e.n.log.Warn("unreadable notification", "sid", from, "error", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.began {
		return
	}
	e.n.heardOf(msg.Members)
	old, had := e.peers[from]
	e.peers[from] = heard{msg, time.Now()}
	if msg.State == zabcompat.Looking && (!had || old.State != zabcompat.Looking) {
		e.ready = time.Time{} // a newcomer's turn may come before ours
	}
	if !had || old.State != msg.State || old.Leader != msg.Leader || old.Vote != msg.Vote {
		e.n.log.Info(fmt.Sprintf("Notification: my state:%s; n.sid:%d, n.state:%s, n.leader:%d, n.round:0x%x, n.peerEpoch:0x%x, n.zxid:%s, message format version:0x2, n.config version:%s",
			e.stateLocked(), from, msg.State, msg.Leader, msg.Round, msg.Vote.Epoch, msg.Vote.Zxid, msg.Membership))
	}
	if msg.State == zabcompat.Leading && from == e.lost {
		e.lost = 0 // it has been elected again
	}
	if msg.State == zabcompat.Looking && from == e.leader && !e.looking {
		e.lost = from // it is our leader no more, and says so itself: who made it?
		e.lookLocked(settle)
	}
	if e.looking && msg.State == zabcompat.Looking && e.n.entitled(from) && msg.Vote.Beats(e.proposal) {
		e.proposal = msg.Vote
		e.tellLocked()
	} else if (msg.Greets || msg.State == zabcompat.Looking) && !msg.Answer {
		e.sendLocked(from, notification{Answer: true})
	}
	e.considerLocked()
	e.n.poke()
}

// peerUp greets a peer whose stream has come up.
func (e *election) peerUp(sid int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.began {
		e.sendLocked(sid, notification{Greets: true})
	}
}

// peerDown takes note that a peer's stream broke. If nobody listens there any
// more and it was the leader, the election begins.
func (e *election) peerDown(sid int64, gone bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if gone {
		delete(e.peers, sid)
	}
	if gone && sid == e.leader && !e.looking {
		e.lost = sid
		e.lookLocked(0)
		e.considerLocked()
	}
}

// leaderChanged takes note of what Raft says.
func (e *election) leaderChanged(sid int64, term uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leader = sid
	if sid == 0 {
		if !e.looking {
			e.lookLocked(settle) // a vote for another may be under way
		}
		return
	}
	e.lost = 0
	if !e.looking {
		e.tellLocked()
		return
	}
	e.settleLocked(sid, term)
}

// settleLocked ends the search for a leader.
func (e *election) settleLocked(sid int64, term uint64) {
	took := time.Since(e.since)
	e.looking, e.since, e.missed = false, time.Now(), time.Time{}
	e.hurryRaftLocked()
	state := e.stateLocked()
	if !e.n.standalone() {
		e.n.cfg.Metrics.ElectionTime.Time(took)
		e.history = append(e.history[max(len(e.history)-keptElections+1, 0):], Election{
			At: e.since, Took: took, Leader: sid, Term: term, State: state, Vote: e.own,
		})
		e.n.log.Info(state.String())
		e.n.log.Info(fmt.Sprintf("%s - LEADER ELECTION TOOK - %d MS", state, took.Milliseconds()),
			"leader-sid", sid, "term", term, "vote", e.own.String())
	}
	e.tellLocked()
}

// keptElections is how many elections are remembered.
const keptElections = 10

// Election is one that has ended, as this server saw it.
type Election struct {
	At     time.Time // when the leader was known
	Took   time.Duration
	Leader int64
	Term   uint64          // Raft's
	State  zabcompat.State // this server's from then on
	Vote   zabcompat.Vote  // this server's own
}

// Elections are the last ones, oldest first; none of a server alone.
func (n *Node) Elections() []Election {
	e := &n.election
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.history)
}

// hurryRaftLocked gives Raft its working timeouts, once.
func (e *election) hurryRaftLocked() {
	r := e.n.raft.Load()
	if !e.patient || r == nil {
		return
	}
	e.patient = false
	e.n.reload(r, func(c *raft.ReloadableConfig) {
		c.HeartbeatTimeout, c.ElectionTimeout = e.n.cfg.Heartbeat, e.n.cfg.Heartbeat
	})
}

// lookersLocked are the voters that look for a leader as this server does.
func (e *election) lookersLocked() []heard {
	var l []heard
	for sid, h := range e.peers {
		if h.State == zabcompat.Looking && !h.Silent && e.n.entitled(sid) && e.n.mesh.Connected(sid) {
			l = append(l, h)
		}
	}
	return l
}

// considerLocked stands for election if a majority has lost the leader and it
// is this server's turn.
func (e *election) considerLocked() {
	r := e.n.raft.Load()
	if !e.looking || r == nil || e.n.standalone() || !e.n.voter(e.n.cfg.SID) || e.n.gone.Load() {
		return
	}
	now := time.Now()
	lookers := e.lookersLocked()
	voters := e.n.voters()
	if 1+len(lookers) <= voters/2 {
		return
	}
	if e.ready.IsZero() {
		e.ready = now
	}
	if now.Sub(e.ready) > patienceRunOut {
		e.hurryRaftLocked()
	}
	if e.otherLeaderLocked() || e.barredLocked() {
		return
	}
	better := 0
	for _, h := range lookers {
		if e.beatsOwnLocked(h.notification) {
			better++
		}
	}
	if now.Sub(e.ready) < e.hold+time.Duration(better)*turn || now.Sub(e.stood) < standAgain || r.State() == raft.Leader {
		return
	}
	e.stood = now
	e.n.log.Info("standing for election", "vote", e.own.String(), "better-votes", better, "count", 1+len(lookers), "voters", voters)
	e.n.wg.Add(1)
	go e.stand()
}

// otherLeaderLocked says whether a voter has told, since this server looks, that
// it leads or follows somebody: Raft will bring the news here too, and to stand
// now would only depose the one just elected.
func (e *election) otherLeaderLocked() bool {
	for sid, h := range e.peers {
		if h.State != zabcompat.Looking && h.Leader != 0 && h.Leader != e.lost && h.at.After(e.since) && e.n.entitled(sid) && e.n.mesh.Connected(sid) {
			return true
		}
	}
	return false
}

// beatsOwnLocked ranks by ZooKeeper's rule; between equal zxids by the log, for
// not every entry takes a zxid and Raft elects by the log.
func (e *election) beatsOwnLocked(o notification) bool {
	if o.Vote.Epoch == e.own.Epoch && o.Vote.Zxid == e.own.Zxid && o.Index != e.index {
		return o.Index > e.index
	}
	return o.Vote.Beats(e.own)
}

func (e *election) stand() {
	defer e.n.wg.Done()
	if err := e.n.trans.standNow(serverID(e.n.cfg.SID)); err != nil {
		e.n.log.Warn("cannot stand for election", "error", err)
	}
	e.mu.Lock()
	e.hurryRaftLocked()
	e.mu.Unlock()
	e.n.poke()
}

// tick sees to turns and repeats. sid leads according to Raft; heard says that
// it did so after this server began to look: then it was a false alarm.
func (e *election) tick(now time.Time, sid int64, term uint64, heard bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.looking {
		return
	}
	if sid != 0 && heard && now.Sub(e.since) > e.n.cfg.Heartbeat {
		e.lost = 0
		e.settleLocked(sid, term)
		return
	}
	if e.n.standalone() {
		return
	}
	if now.Sub(e.told) > repeatNotice {
		e.tellLocked()
	}
	e.tellMissingLocked(now)
	e.considerLocked()
}

// tellMissing logs which voters are missing for a quorum, while that is so: at the
// beginning, and then once a minute.
func (e *election) tellMissing(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tellMissingLocked(now)
}

func (e *election) tellMissingLocked(now time.Time) {
	if now.Sub(e.since) < missedAfter || now.Sub(e.missed) < peer.TellAgain {
		return
	}
	voters := e.n.roster.Load().voters
	var missing []string
	for _, sid := range slices.Sorted(maps.Keys(voters)) {
		if sid != e.n.cfg.SID && !e.n.mesh.Connected(sid) {
			missing = append(missing, fmt.Sprintf("%d (%s)", sid, cmp.Or(e.n.QuorumAddr(sid), "no address")))
		}
	}
	connected := len(voters) - len(missing)
	if connected > len(voters)/2 || len(missing) == 0 {
		return
	}
	e.missed = now
	e.n.log.Warn("no quorum: too few voters are connected", "missing", strings.Join(missing, ", "), "connected", connected, "voters", len(voters),
		"duration", now.Sub(e.since).Round(time.Second))
}

// State is what this server does, in ZooKeeper's words.
func (n *Node) State() zabcompat.State {
	n.election.mu.Lock()
	defer n.election.mu.Unlock()
	return n.election.stateLocked()
}

// Vote is a member's vote as this server knows it.
type Vote struct {
	zabcompat.Vote
	State     zabcompat.State
	Leader    int64
	Connected bool
	Room      Room // on its disks, as last told
}

// Votes returns what is known of every member, this one included, in the order
// in which ZooKeeper's rule would elect them; members never heard of come last.
func (n *Node) Votes() []Vote {
	e := &n.election
	e.mu.Lock()
	defer e.mu.Unlock()
	zxid, _, _ := n.loggedZxid()
	own := zabcompat.Vote{Epoch: zxid.Epoch(), Zxid: zxid, SID: n.cfg.SID}
	votes := []Vote{{Vote: own, State: e.stateLocked(), Leader: e.leader, Connected: true}}
	votes[0].Room, _, _ = n.Space()
	for _, sid := range slices.Sorted(maps.Keys(e.peers)) {
		h := e.peers[sid]
		votes = append(votes, Vote{Vote: h.Vote, State: h.State, Leader: h.Leader, Connected: n.mesh.Connected(sid), Room: h.Room})
	}
	r := n.roster.Load()
	silent := slices.Clone(r.waits)
	for _, p := range r.peers {
		silent = append(silent, p.SID)
	}
	for _, sid := range silent {
		if _, ok := e.peers[sid]; !ok {
			votes = append(votes, Vote{Vote: zabcompat.Vote{SID: sid}})
		}
	}
	slices.SortStableFunc(votes, func(a, b Vote) int {
		switch {
		case a.Beats(b.Vote):
			return -1
		case b.Beats(a.Vote):
			return 1
		}
		return 0
	})
	return votes
}

// Since is when this server began to look for a leader, or settled on one.
func (n *Node) Since() time.Time {
	e := &n.election
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.since
}
