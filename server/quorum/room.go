package quorum

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"zooraft/server/quorum/store"
)

// A log that meets a full disk is lost for this process: after a failed write
// nobody knows what the disk holds. So a server looks how much room there is, and
// stops before. Below a low-water mark it makes somebody else the leader; when
// no majority has more, writes that could grow the state are refused, while
// deletions, and sessions that open and close, still get through. Below the
// reserve a server takes nothing into its log. It survives, and goes on by itself
// when there is room again.
//
// Each server tells the others how much room it has with its notifications, and
// decides for its own clients.

// Room is how much a server's disks can take.
type Room int32

// More is worse. The zero value is what a server has of which nothing is known.
const (
	RoomPlenty Room = iota
	RoomScarce      // below the low-water mark
	RoomNone        // the reserve is reached
)

func (r Room) String() string { return [...]string{"plenty", "scarce", "none"}[r] }

const (
	// roomEvery is how often the file systems are asked. A segment of the log is
	// not filled meanwhile.
	roomEvery = 100 * time.Millisecond
	// roomSlack is what besides the log may grow: votes, identities, whoever else
	// writes on this disk.
	roomSlack = 32 << 20
	// roomGrace is how long a server without room keeps its clients while others have
	// some: their disks may be as full in a moment.
	roomGrace = time.Second
)

// room is what this server knows of its disks.
type room struct {
	mu      sync.Mutex
	now     Room
	since   time.Time // now is what it is
	data    store.Space
	log     store.Space
	thrifty bool          // the log keeps no spare files
	changed chan struct{} // closed, and replaced, when now changes
}

// Space is what the file systems of the snapshots and of the log take, and what
// that means.
func (n *Node) Space() (r Room, data, log store.Space) {
	n.room.mu.Lock()
	defer n.room.mu.Unlock()
	return n.room.now, n.room.data, n.room.log
}

// Takes is what clients may write, as Events.Room told it last.
func (n *Node) Takes() Room { return Room(n.takes.Load()) }

// lowWater are the bytes free below which there is little room, or none, for a log
// that grows by segments and a state whose snapshot is that large, which the next
// one needs again. On a small disk a quarter of it, besides, is little.
func lowWater(log store.Space, segment, snapshot uint64) (scarce, none uint64) {
	none = segment + roomSlack
	return max(min(none+2*segment, log.Total/4)+snapshot, none), none
}

// roomOf is the room that there is, after there was another. It takes an eighth
// more than the mark to come back, so that it does not change all the time.
func roomOf(was Room, data, log store.Space, segment, snapshot uint64) Room {
	below := func(free, mark uint64, r Room) bool {
		if was >= r {
			mark += mark / 8
		}
		return free < mark
	}
	scarce, none := lowWater(log, segment, snapshot)
	switch {
	case below(log.Free, none, RoomNone):
		return RoomNone
	case below(log.Free, scarce, RoomScarce), below(data.Free, min(roomSlack+snapshot, data.Total/4), RoomScarce):
		return RoomScarce
	}
	return RoomPlenty
}

// thrifty says whether the spare files of the log are to be given back, which take
// so much at most: before there is little room, and for longer, so that what they
// give back does not change anything else.
func thrifty(was bool, log store.Space, segment, snapshot, spares uint64) bool {
	scarce, _ := lowWater(log, segment, snapshot)
	mark := scarce + scarce/8 + spares
	if was {
		mark += mark/8 + spares
	}
	return log.Free < mark
}

// measure asks the file systems, and says whether there is another Room than
// before. It blocks for as long as they take to answer, and to remove spare files
// of the log.
func (n *Node) measure() (changed bool) {
	data, log, err := n.stores.Space()
	if err != nil {
		n.log.Debug("cannot tell how much room the disk has", "error", err)
		return false
	}
	m := &n.room
	m.mu.Lock()
	was := m.now
	m.data, m.log = data, log
	segment, snapshot := n.stores.SegmentBytes(), n.snaps.size.Load()
	m.now = roomOf(was, data, log, segment, snapshot)
	now := m.now
	wasThrifty := m.thrifty
	m.thrifty = thrifty(wasThrifty, log, segment, snapshot, n.stores.SpareBytes())
	thrift := m.thrifty
	if now != was {
		m.since = time.Now()
		close(m.changed)
		m.changed = make(chan struct{})
	}
	m.mu.Unlock()
	if thrift != wasThrifty {
		n.stores.Thrift(thrift)
	}
	if now == was {
		return false
	}
	free := []any{"free-data-dir", bytesText(data.Free), "free-data-log-dir", bytesText(log.Free)}
	switch now {
	case RoomPlenty:
		n.log.Info("the disk has room again", free...)
	case RoomScarce:
		n.log.Warn("the disk is nearly full", free...)
	case RoomNone:
		n.log.Error("the disk is full up to the reserve: nothing is taken into the log before there is room", free...)
	}
	return true
}

// measureRoom measures until the node stops.
func (n *Node) measureRoom() {
	defer n.wg.Done()
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-tick.C:
		}
		if n.measure() {
			n.election.tell()
			n.poke()
		}
	}
}

// hasRoom says whether something may be taken into the log.
func (n *Node) hasRoom() bool {
	n.room.mu.Lock()
	defer n.room.mu.Unlock()
	return n.room.now != RoomNone
}

// awaitRoom blocks until something may be taken into the log; false if done was
// closed before.
func (n *Node) awaitRoom(done <-chan struct{}) bool {
	for {
		n.room.mu.Lock()
		now, changed := n.room.now, n.room.changed
		n.room.mu.Unlock()
		if now != RoomNone {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

// majorityRoom is what a majority of those who vote have at least, given what
// each of those that can be reached has. Without a majority in reach it is what
// all of them have: that writes wait then has another reason.
func majorityRoom(there []Room, voters int) Room {
	count := [RoomNone + 1]int{}
	for _, r := range there {
		count[r]++
	}
	need, have := min(voters/2+1, len(there)), 0
	for r := RoomPlenty; r < RoomNone; r++ {
		if have += count[r]; have >= need {
			return r
		}
	}
	return RoomNone
}

// noteRoom decides what this server's clients may write. Called in the main loop.
func (n *Node) noteRoom() {
	own, _, _ := n.Space()
	of := own
	sid, _ := n.Leader()
	if !n.standalone() {
		of = n.election.majorityRoom(own)
		if n.roomOf(sid) == RoomNone {
			of = RoomNone
		}
	}
	n.batch.full(of == RoomNone && n.leadTerm.Load() != 0)
	if Room(n.takes.Swap(int32(of))) == of {
		return
	}
	switch of {
	case RoomPlenty:
		n.log.Info("writes are taken again")
	case RoomScarce:
		n.log.Warn("too few servers have room on their disks: clients may delete, but neither create nor set")
	case RoomNone:
		n.log.Error("too few servers have room on their disks: no write is taken")
	}
	n.events.Room(of)
}

// roomOf is what a server has said of its room.
func (n *Node) roomOf(sid int64) Room {
	if sid == n.cfg.SID {
		own, _, _ := n.Space()
		return own
	}
	n.election.mu.Lock()
	defer n.election.mu.Unlock()
	return n.election.peers[sid].Room
}

// majorityRoom is what a majority of the voters have at least.
func (e *election) majorityRoom(own Room) Room {
	var there []Room
	e.mu.Lock()
	for sid := range e.n.roster.Load().voters {
		switch h, known := e.peers[sid]; {
		case sid == e.n.cfg.SID:
			there = append(there, own)
		case known && e.n.mesh.Connected(sid):
			there = append(there, h.Room)
		}
	}
	e.mu.Unlock()
	return majorityRoom(there, e.n.voters())
}

// OutOfRoom says whether this server serves nobody because it alone has no room left.
func (n *Node) OutOfRoom() bool { return n.outOfRoom(time.Now()) }

// outOfRoom says whether this server alone has no room left, so that its clients
// are better off with others.
func (n *Node) outOfRoom(at time.Time) bool {
	n.room.mu.Lock()
	own, since := n.room.now, n.room.since
	n.room.mu.Unlock()
	sid, _ := n.Leader()
	return own == RoomNone && at.Sub(since) > roomGrace && !n.standalone() && sid != n.cfg.SID && n.election.majorityRoom(own) != RoomNone
}

// errNoRoom is what a leader hears of a follower whose disk is full.
var errNoRoom = errors.New("no room on the disk")

// refuseFull answers what Raft would take into its log, if there is no room for
// it, and says whether it has.
func (t *transport) refuseFull(rpc raft.RPC) bool {
	q, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok || len(q.Entries) == 0 || t.owner.hasRoom() {
		return false
	}
	rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, errNoRoom)
	return true
}

func bytesText(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }
