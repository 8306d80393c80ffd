package quorum

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/server/peer"
	"zooraft/server/quorum/store"
	"zooraft/zabcompat"
)

// roster is who takes part in the ensemble, as this server knows it at a moment.
// It is never changed. Who votes is Raft's to say; who is a member and where it
// is dialled, the published membership's; zoo.cfg counts where there is neither, and
// for where one is dialled in the cases of believesFile.
type roster struct {
	published zabcompat.Membership
	target    zabcompat.Membership // of the pending change
	byFile    bool                 // zoo.cfg is to be trusted more than published
	conf      raft.Configuration   // Raft's latest; that of zoo.cfg before there is a Raft
	committed uint64               // the entry of the last one that is committed, and applied here
	voters    map[int64]bool
	peers     []peer.Member // whom to keep streams to
	waits     []int64       // who has to call, for nobody says where they are
}

// look takes note of who takes part, if that has changed. Only the main loop
// calls it, and New before there is one.
func (n *Node) look(lost bool) {
	var r roster
	n.fsm.View(func(v fsm.View) {
		r.published, r.committed = v.Membership(), v.ActualIndex()
		if p := v.Pending(); p != nil {
			r.target = p.Target
		}
	})
	n.remember(&r)
	if told := n.told.Load(); told != nil && told.Version > r.published.Version {
		r.published = *told
	}
	r.conf = n.configuration()
	old := n.roster.Load()
	changed := old == nil || old.published.Version != r.published.Version || old.target.Version != r.target.Version ||
		old.committed != r.committed || !slices.Equal(old.conf.Servers, r.conf.Servers)
	if !changed && lost == n.lost {
		return
	}
	n.lost = lost
	r.voters = make(map[int64]bool)
	for _, s := range r.conf.Servers {
		if s.Suffrage == raft.Voter {
			r.voters[sidOf(s.ID)] = true
		}
	}
	sids := r.members()
	r.byFile = n.believesFile(&r, lost)
	if len(r.published.Servers) == 0 || r.byFile {
		for _, m := range n.cfg.Members {
			sids[int64(m.ID)] = true
		}
	}
	for sid := range sids {
		if sid == n.cfg.SID {
			continue
		}
		if s, ok := n.line(&r, sid); ok {
			r.peers = append(r.peers, peer.Member{SID: sid, Addr: s.QuorumAddr()})
			continue
		}
		// The mesh calls a guest back.
		r.waits = append(r.waits, sid)
		if old == nil || !slices.Contains(old.waits, sid) {
			n.log.Warn("a server's line says 0.0.0.0, which nobody else can dial: waiting for it to call", "sid", sid)
		}
	}
	n.roster.Store(&r)
	if n.mesh == nil {
		return
	}
	n.mesh.Set(r.peers)
	if n.leadTerm.Load() != 0 {
		n.election.tell() // one that waits may hear that it has no vote any more
	}
}

// heardOf takes note of a membership that a peer tells of. It serves to find the
// others until the state says as much.
func (n *Node) heardOf(text string) {
	m, err := zabcompat.ParseMembership(text)
	if told := n.told.Load(); err == nil && m.Version > 0 && (told == nil || told.Version < m.Version) {
		n.told.Store(&m)
		n.poke()
	}
}

// remembered is the key of the membership in the stable store. The state holds it
// too, but a server that starts has applied no further than its snapshot, and
// needs the others before it hears how far the log is committed. zoo.cfg may name
// servers that are all gone.
var remembered = []byte("zooraft-membership")

// remember puts on the disk who takes part, if the disk does not say so; or it takes
// from there what is newer than r.
func (n *Node) remember(r *roster) {
	if n.standalone() {
		return
	}
	if n.onDisk == nil {
		n.onDisk = new(roster)
		b, err := n.stores.Stable.Get(remembered)
		if err == nil {
			published, target, _ := strings.Cut(string(b), "\n\n")
			n.onDisk.published, err = zabcompat.ParseMembership(published)
			if err == nil {
				n.onDisk.target, err = zabcompat.ParseMembership(target)
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			n.log.Warn("who belonged to the ensemble is not to be read from the disk", "error", err)
		}
	}
	d := n.onDisk
	switch {
	case d.published.Version > r.published.Version:
		r.published, r.target = d.published, d.target
	case d.published.Version < r.published.Version || d.target.Version != r.target.Version:
		if !n.saving.CompareAndSwap(false, true) {
			return // the next look tries again
		}
		d.published, d.target = r.published, r.target
		text := []byte(r.published.String() + "\n\n" + r.target.String())
		n.wg.Go(func() { // the main loop must not wait for a disk
			// What fails here is fatal, and the stores tell of it.
			_ = n.stores.Stable.Set(remembered, text)
			n.saving.Store(false)
			n.poke()
		})
	}
}

// noteMembership has the main loop look again if who takes part has changed.
// Called under the state lock.
func (n *Node) noteMembership(v fsm.View) {
	is := seen{v.Membership().Version, v.ActualIndex(), v.Pending()}
	if is != n.seen {
		n.seen = is
		n.poke()
	}
}

// seen says which membership and configuration the state last held.
type seen struct {
	version int64
	index   uint64
	pending *fsm.Pending
}

// members are the servers of the published membership, and of the pending one.
func (r *roster) members() map[int64]bool {
	sids := make(map[int64]bool)
	for _, m := range r.published.Servers {
		sids[int64(m.ID)] = true
	}
	for _, m := range r.target.Servers {
		sids[int64(m.ID)] = true
	}
	return sids
}

// configuration is Raft's latest, which may not be committed yet; that of zoo.cfg
// before there is a Raft. A server that has joined and heard nothing has none.
func (n *Node) configuration() raft.Configuration {
	if r := n.raft.Load(); r != nil {
		return r.GetConfiguration().Configuration()
	}
	return n.firstConfiguration()
}

// line is what counts of the lines about a server, false if none says where it is.
// An address that means any, as operators write for a server in its own file, is of
// no use to others, and another source is asked.
func (n *Node) line(r *roster, sid int64) (zabcompat.ServerSpec, bool) {
	sources := []zabcompat.Membership{r.published, r.target, {Servers: n.cfg.Members}}
	if r.byFile {
		slices.Reverse(sources)
	}
	for _, m := range sources {
		if s, ok := m.Server(sid); ok && !s.AnyHost() {
			return s, true
		}
	}
	return zabcompat.ServerSpec{}, false
}

// place is where a server is dialled: host:port of its quorum and election ports, by
// its line, or by what it said when it called. Both are empty if nobody has said.
func (n *Node) place(r *roster, sid int64) (quorum, election string) {
	if s, ok := n.line(r, sid); ok {
		return s.QuorumAddr(), s.ElectionAddr()
	}
	if n.mesh == nil {
		return "", ""
	}
	id, _ := n.mesh.Caller(sid)
	return id.QuorumAddr, id.ElectionAddr
}

// believesFile says whether servers are where zoo.cfg says. Where clients cannot change
// the membership, operators move a server by these lines, as with ZooKeeper. Who was away
// while all others were replaced finds the ensemble where its zoo.cfg says that it is; and
// one whose own address is another now was moved, or has got the disk of another
// ensemble. lost: there has been no leader for long.
func (n *Node) believesFile(r *roster, lost bool) bool {
	return !n.cfg.Reconfig || lost || n.moved(r)
}

// moved says whether this server is not where the membership has it.
func (n *Node) moved(r *roster) bool {
	was, ok := r.published.Server(n.cfg.SID)
	is, listed := zabcompat.Membership{Servers: n.cfg.Members}.Server(n.cfg.SID)
	return ok && listed && (was.QuorumPort != is.QuorumPort || was.ElectionPort != is.ElectionPort ||
		was.Host != is.Host && !was.AnyHost() && !is.AnyHost())
}

// QuorumAddr is where this server dials another one's quorum port, "" if it does
// not know.
func (n *Node) QuorumAddr(sid int64) string {
	addr, _ := n.place(n.roster.Load(), sid)
	return addr
}

// electionAddr implements owner.
func (n *Node) electionAddr(sid int64) string {
	_, addr := n.place(n.roster.Load(), sid)
	return addr
}

// voter says whether a server has a vote, as Raft knows here.
func (n *Node) voter(sid int64) bool { return n.roster.Load().voters[sid] }

// voters is the number of servers that have a vote.
func (n *Node) voters() int { return len(n.roster.Load().voters) }

// entitled says whether the process connected as a server may vote: it comes with
// the disk that the ensemble knows the server by.
func (n *Node) entitled(sid int64) bool {
	if !n.voter(sid) {
		return false
	}
	id, connected := n.mesh.Caller(sid)
	known := n.KnownDisk(sid)
	return connected && (known == "" || known == id.Disk)
}

// observer says whether a server is a member without a vote, or is to be one by
// zoo.cfg.
func (n *Node) observer(sid int64) bool {
	s, ok := n.roster.Load().published.Server(sid)
	if !ok {
		s, _ = zabcompat.Membership{Servers: n.cfg.Members}.Server(sid)
	}
	return s.Observer
}

// standalone says that there is no ensemble.
func (n *Node) standalone() bool { return len(n.cfg.Members) == 0 }

func serverID(sid int64) raft.ServerID { return raft.ServerID(strconv.FormatInt(sid, 10)) }

func sidOf(id raft.ServerID) int64 {
	sid, _ := strconv.ParseInt(string(id), 10, 64) // we gave it
	return sid
}
