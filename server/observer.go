package server

import (
	"encoding/json"
	"time"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/server/client"
	"zooraft/server/quorum"
	"zooraft/zabcompat"
	"zooraft/zabcompat/metrics"
)

// The adapters below are what the parts of the server see of each other.

type proposer struct{ s *Server }

func (p proposer) Propose(payload []byte, done fsm.Completion) error {
	return p.s.node.Propose(payload, done)
}

func (p proposer) Sync(done func(v fsm.View, err error)) { p.s.node.Sync(done) }

type liveness struct{ s *Server }

func (l liveness) Session(id protocol.SessionID) client.Toucher { return l.s.touches.Session(id) }

// observer hears from the state machine, under the state lock.
type observer struct{ s *Server }

func (o observer) Completed(v fsm.View, seq uint64, r *fsm.Result) { o.s.node.Completed(v, seq, r) }
func (o observer) OutOfSequence(want uint64)                       { o.s.node.OutOfSequence(want) }
func (o observer) Registered(sid int64, incarnation uint64, nonce [16]byte) {
	o.s.node.Registered(sid, incarnation, nonce)
}

func (o observer) Led(term uint64) { o.s.node.Led(term) }

// leads says whether this server is the leader in office, which counts what all
// servers hear of.
func (o observer) leads() bool { return o.s.node != nil && o.s.node.LeadTerm() != 0 }

func (o observer) OverQuota(x *fsm.Excess) {
	if x.Hard {
		o.s.metrics.QuotaExceeded.For(metrics.Namespace(x.Path)).Inc()
	}
	if o.leads() {
		o.s.excess.note(x)
	}
}

func (o observer) Wrote(path string, bytes int) {
	o.s.writes.Note(&o.s.metrics.WritePerNamespace, path, bytes)
}

func (o observer) SessionOpened(id protocol.SessionID, timeout int32, _ fsm.Owner) {
	o.s.expirer.Opened(id, millis(timeout))
}

func (o observer) SessionAttached(id protocol.SessionID, timeout int32, _ fsm.Owner) {
	if o.leads() {
		o.s.metrics.SessionMoves.Inc()
	}
	o.s.expirer.Attached(id, millis(timeout))
}

func (o observer) SessionClosed(id protocol.SessionID, expired bool) {
	if expired && o.leads() {
		o.s.metrics.StaleSessionsExpired.Inc()
	}
	o.s.expirer.Closed(id)
	o.s.clients.SessionClosed(id)
	o.s.mu.Lock()
	delete(o.s.expiring, id)
	o.s.mu.Unlock()
}

// EphemeralsDeleted is for the audit log. A server that starts has the lines of what
// it reads again already, and what happened while it was away stands in the others'.
func (o observer) EphemeralsDeleted(id protocol.SessionID, paths []string) {
	if o.s.audit != nil && o.s.node != nil && o.s.node.CaughtUp() {
		o.s.audit.Ephemerals(id, paths)
	}
}

func (o observer) Reconfigured(v fsm.View, owner fsm.Owner, r *fsm.Result) {
	if owner.SID == int64(o.s.cfg.SID) {
		if o.s.audit != nil {
			o.s.audit.Reconfigured(r)
		}
		o.s.clients.Reconfigured(owner.Conn, v, r)
	}
}
func (o observer) Membership(fsm.View) { o.s.membershipChanged() }
func (o observer) SnapshotInstalled(v fsm.View) {
	if o.s.node == nil {
		return // the start: nobody is here yet
	}
	under := o.s.node.InFlight()
	o.s.node.SnapshotInstalled(v)
	if n := under - o.s.node.InFlight(); n > 0 && o.s.audit != nil {
		o.s.audit.Lost(n)
	}
	o.s.noteOvertaken()
	o.s.membershipChanged()
	o.s.clients.DropAll("the state was replaced by a snapshot")
	if c := o.s.console.Load(); c != nil {
		c.Restored()
	}
}

// EnsembleRestored has every client come again: with it come its watches, and it
// hears of what is different.
func (o observer) EnsembleRestored(v fsm.View) {
	o.s.log.Info("the znodes and sessions of a snapshot have been restored", "zxid", zabcompat.Zxid(v.LastZxid()), "count", v.NodeCount())
	if c := o.s.console.Load(); c != nil {
		c.Restored()
	}
	o.s.clients.DropAll("the state was replaced by a restore")
}

func (o observer) Applied(v fsm.View, index uint64) {
	// The clock is the leader's, and where it differs from this one's, so does the
	// figure, as in ZooKeeper. What a server that comes back catches up with is as
	// old as its absence was long, and says nothing.
	if o.s.servingSince.Load() != 0 {
		o.s.metrics.Propagation.Time(time.Duration(time.Now().UnixMilli()-v.Now()) * time.Millisecond)
	}
	o.s.node.Applied(v, index)
}

func (o observer) Flush() {
	o.s.writes.Fold()
	o.s.clients.Flush()
}

// countTold notes how many watchers have heard of one event.
func (s *Server) countTold(typ protocol.EventType, watchers int) {
	n := int64(watchers)
	switch typ {
	case protocol.EventNodeCreated:
		s.metrics.NodeCreatedWatches.Observe(n)
	case protocol.EventNodeDeleted:
		s.metrics.NodeDeletedWatches.Observe(n)
	case protocol.EventNodeDataChanged:
		s.metrics.NodeChangedWatches.Observe(n)
	case protocol.EventNodeChildrenChanged:
		s.metrics.NodeChildrenWatches.Observe(n)
	}
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

// events hears from the quorum.
type events struct{ s *Server }

func (e events) Serving(now quorum.Service) {
	why := "this server has lost its quorum"
	service := client.NoService
	switch now {
	case quorum.Full:
		service, why = client.FullService, "this server has its quorum back" // said to those who came to read only
	case quorum.Reads:
		service = client.ReadOnly
	}
	e.s.duty.change(why, func(d *duty) { d.quorum = service })
}

// Room passes on how much may be written.
func (e events) Room(now quorum.Room) {
	writes := client.AllWrites
	switch now {
	case quorum.RoomScarce:
		writes = client.FewWrites
	case quorum.RoomNone:
		writes = client.NoWrites
	}
	e.s.clients.SetWrites(writes)
}

func (e events) Leading(term uint64) {
	e.s.expirer.Lead(term, func(yield func(protocol.SessionID, time.Duration)) {
		e.s.fsm.View(func(v fsm.View) {
			for id, timeout := range v.Sessions() {
				yield(id, millis(timeout))
			}
		})
	})
	e.s.duty.change("the leader takes no clients", func(d *duty) { d.leads = true })
}

func (e events) Following() {
	e.s.duty.change("", func(d *duty) { d.leads = false })
	e.s.expirer.Follow()
}

func (e events) Peer(_ int64, kind byte, body []byte) {
	if kind == frameTouch {
		e.s.expirer.Touch(decodeIDs(body)...)
	}
}

func (e events) Status() []byte {
	st := e.s.Status()
	st.Settings = e.s.cfg.shared()
	b, err := json.Marshal(st)
	if err != nil {
		panic(err) // plain fields
	}
	return b
}

func (e events) Fatal(err error) { e.s.fatal(err) }
