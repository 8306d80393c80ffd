package fsm

import (
	"crypto/subtle"
	"fmt"

	"github.com/hashicorp/raft"

	"zooraft/protocol"
)

// applyRequest applies one request: is it the next of its origin, what kind is
// it, what does it do, and who must hear of it.
func (f *FSM) applyRequest(l *raft.Log, o Origin, seq uint64, payload []byte) error {
	if len(payload) == 0 {
		return fmt.Errorf("%w: empty request", ErrBadEntry)
	}
	k, p := kind(payload[0]), payloadReader{b: payload[1:]}
	switch k {
	case kindRegister:
		return f.register(&p)
	case kindLead:
		return f.lead(l.Term, &p)
	case kindExpire:
		return f.expire(l.Term, &p)
	case kindReap:
		return f.reap(l.Term, &p)
	case kindAbandon:
		return f.abandon(l.Term, &p)
	}
	if !f.inSequence(o, seq) {
		return nil
	}
	r := &f.result
	clear(r.Multi) // paths, which are parts of the last entry
	*r = Result{Multi: r.Multi[:0], Index: l.Index}
	var err error
	switch k {
	case kindClient:
		err = f.applyClient(l.Term, o, &p, r)
	case kindOpen:
		err = f.openSession(l.Term, o, &p, r)
	case kindAttach:
		err = f.attachSession(o, &p, r)
	case kindClose:
		err = f.closeSession(l.Term, o, &p, r)
	case kindStage:
		err = f.stage(o, &p, r)
	case kindRestore:
		err = f.applyRestore(l.Term, o, &p, r)
	default:
		err = fmt.Errorf("%w: request kind %d", ErrBadEntry, k)
	}
	if err == nil && f.isLocal(o) {
		f.obs.Completed(View{f}, seq, r)
	}
	return err
}

func (f *FSM) isLocal(o Origin) bool { return o.SID == f.sid }

// inSequence takes seq if it is the next request of its origin's current
// incarnation. One at or below the last is a resent duplicate and is skipped;
// one beyond a gap is refused, and its origin sends again.
func (f *FSM) inSequence(o Origin, seq uint64) bool {
	s := f.servers[o.SID]
	if s == nil || s.incarnation != o.Incarnation || seq <= s.lastSeq {
		return false
	}
	if seq != s.lastSeq+1 {
		if f.isLocal(o) {
			f.obs.OutOfSequence(s.lastSeq + 1)
		}
		return false
	}
	s.lastSeq = seq
	return true
}

// register gives a server process its incarnation. The same nonce again is a
// resent duplicate; that of an earlier start on the same disk is a straggler.
func (f *FSM) register(p *payloadReader) error {
	var r Register
	if err := r.decode(p); err != nil {
		return err
	}
	s := f.servers[r.SID]
	if s == nil {
		s = &server{}
		f.servers[r.SID] = s
	}
	if s.incarnation == 0 || r.newer(s) {
		s.incarnation++
		s.lastSeq = 0
		s.nonce, s.disk = r.Nonce, r.Disk
		f.unstage(func(o Origin) bool { return o.SID == r.SID }) // nobody goes on with it
	}
	f.obs.Registered(r.SID, s.incarnation, s.nonce)
	return nil
}

// lead notes a leader's first entry. That it stands in the log has begun the
// epoch; the first of all gives the ensemble its id and its members.
func (f *FSM) lead(term uint64, p *payloadReader) error {
	var r Lead
	if err := r.decode(p); err != nil {
		return err
	}
	if f.cluster == "" {
		f.cluster = r.Cluster
	}
	f.found(r.Servers, r.Versioned)
	f.obs.Led(term)
	return nil
}

func (f *FSM) openSession(term uint64, o Origin, p *payloadReader, res *Result) error {
	var r OpenSession
	if err := r.decode(p); err != nil {
		return err
	}
	res.Op = protocol.OpCreateSession
	res.Zxid = int64(f.clock.Next(term))
	if f.sessions[r.Session] != nil {
		res.Err = protocol.ErrSessionMoved // the id is taken; the origin chooses another
		return nil
	}
	s := &session{timeout: r.Timeout, passwd: r.Passwd, owner: Owner{o, r.Conn}}
	f.sessions[r.Session] = s
	f.obs.SessionOpened(r.Session, s.timeout, s.owner)
	return nil
}

func (f *FSM) attachSession(o Origin, p *payloadReader, res *Result) error {
	var r OpenSession
	if err := r.decode(p); err != nil {
		return err
	}
	res.Op = protocol.OpCreateSession
	s := f.sessions[r.Session]
	if s == nil || subtle.ConstantTimeCompare(s.passwd[:], r.Passwd[:]) != 1 {
		res.Err = protocol.ErrSessionExpired
		return nil
	}
	s.timeout = r.Timeout
	s.owner = Owner{o, r.Conn}
	f.obs.SessionAttached(r.Session, s.timeout, s.owner)
	return nil
}

func (f *FSM) closeSession(term uint64, o Origin, p *payloadReader, res *Result) error {
	var r CloseSession
	if err := r.decode(p); err != nil {
		return err
	}
	res.Op = protocol.OpCloseSession
	res.Zxid = int64(f.clock.Next(term))
	if res.Err = f.checkOwner(r.Session, Owner{o, r.Conn}); res.Err == protocol.ErrOK {
		f.endSession(r.Session, res.Zxid, false)
	}
	return nil
}

// expire ends the sessions that the leader of term found silent, each unless it
// has another owner by now or is gone.
func (f *FSM) expire(term uint64, p *payloadReader) error {
	var r Expire
	if err := r.decode(p); err != nil {
		return err
	}
	if r.Term != term {
		return nil
	}
	for _, e := range r.Sessions {
		if s := f.sessions[e.Session]; s != nil && s.owner == e.Owner {
			f.endSession(e.Session, int64(f.clock.Next(term)), true)
		}
	}
	return nil
}

// checkOwner says whether a request of conn may act for the session.
func (f *FSM) checkOwner(id protocol.SessionID, conn Owner) protocol.ErrCode {
	s := f.sessions[id]
	switch {
	case s == nil:
		return protocol.ErrSessionExpired
	case s.owner != conn:
		return protocol.ErrSessionMoved
	}
	return protocol.ErrOK
}

// endSession removes a session and its ephemerals under one zxid.
func (f *FSM) endSession(id protocol.SessionID, zxid int64, expired bool) {
	delete(f.sessions, id)
	paths := f.tree.EphemeralsOf(int64(id))
	for _, path := range paths {
		f.deleteNode(path, f.tree.Lookup(path), zxid)
	}
	f.fireEvents()
	if len(paths) > 0 {
		f.obs.EphemeralsDeleted(id, paths)
	}
	f.obs.SessionClosed(id, expired)
}
