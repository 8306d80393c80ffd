package quorum

import (
	"time"

	"github.com/hashicorp/raft"
)

// While a leader's disk writes, its Raft commits nothing, whoever else has the
// entries; its heartbeats go on, so that nobody else stands. One slow disk would hold up
// all clients. Entries leave for the others before the own disk has them
// (appender.go), so a leader sees when a majority of the others has what its own
// disk has not. If that is so for most of some seconds it makes one of them the
// leader, by the message that Raft would send: it needs neither Raft's goroutine nor
// the disk for that. The others elect without its vote.

const (
	// slowWrite is how long a write lasts at least that holds the others up.
	slowWrite = 30 * time.Millisecond
	// slowFor is over what time it counts, and slowShare how much of it is too much: a disk
	// that hangs has 2.7 s, one that syncs in half a second 3.
	slowFor   = 3 * time.Second
	slowShare = 0.6
	// hungWrite is from when on a write hangs.
	hungWrite = time.Second
)

// slowDisk is how slow the leader's disk is beside the others'.
type slowDisk struct {
	share float64 // of the last slowFor that it held up the others, an exponential average
	at    time.Time
}

// note takes note of whether the disk holds up the others. What the caller did not see,
// as the whole process stood still, does not count.
func (d *slowDisk) note(now time.Time, holdsUp bool) {
	took := min(now.Sub(d.at), 2*observeEvery)
	d.at = now
	is := 0.0
	if holdsUp {
		is = 1
	}
	d.share += (is - d.share) * float64(took) / float64(slowFor)
}

func (d *slowDisk) slow() bool { return d.share > slowShare }

// holdsUp says whether a majority of the voters, this server not among them, has
// what its disk has been writing for some time.
func (n *Node) holdsUp(r *raft.Raft) bool {
	if n.stores.Writing() < slowWrite {
		return false
	}
	own, voters, have := r.LastIndex(), n.roster.Load().voters, 0
	for sid := range voters {
		if stored, ok := n.trans.stored(serverID(sid)); ok && stored > own {
			have++
		}
	}
	return have > len(voters)/2
}

// furthest says whether no other server has more of this leader's log than one has.
func (n *Node) furthest(sid int64) bool {
	most, _ := n.trans.stored(serverID(sid))
	for other := range n.roster.Load().voters {
		if stored, _ := n.trans.stored(serverID(other)); stored > most {
			return false
		}
	}
	return true
}

// diskHangs says whether a write has not returned for long.
func (n *Node) diskHangs() bool { return n.stores.Writing() > hungWrite }

// superseded says whether others have another leader than this server had, which does not
// know, for its Raft waits for the disk: its clients are better off with them.
func (n *Node) superseded() bool {
	r := n.raft.Load()
	return r != nil && n.trans.newest.Load() > r.CurrentTerm() && n.diskHangs()
}
