package fsm

import (
	"encoding/binary"
	"strconv"

	"github.com/hashicorp/raft"

	"zooraft/fsm/tree"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// membership is who belongs to the ensemble: what is published in
// /zookeeper/config, what is to come of it, and what Raft makes of it.
type membership struct {
	published zabcompat.Membership
	// unversioned: no leader has allowed changes yet, and clients are shown 0 for the
	// version.
	unversioned bool
	pending     *Pending           // replaced, never changed
	actual      raft.Configuration // the last in the log; empty if it lies before a snapshot of an earlier release
	index       uint64             // of the entry that holds actual
}

// Pending is a change of the membership that has passed its checks and is still
// to be carried out.
type Pending struct {
	// Target is the membership to come. Its Version is the zxid of the request
	// and names the change in Abandon; the published version is another, later
	// one.
	Target zabcompat.Membership
	// Owner is the connection whose client waits for the outcome.
	Owner Owner
}

// Membership is what /zookeeper/config shows: the zero Membership on a server
// without an ensemble, and before the first leader has brought it.
func (v View) Membership() zabcompat.Membership { return v.f.members.published }

// Pending is the change of the membership under way, nil if there is none. It is
// not to be changed, and may be kept.
func (v View) Pending() *Pending { return v.f.members.pending }

// Actual is Raft's configuration as of the last entry applied. It is not to be
// changed, and may be kept. It is empty on a state that comes from a snapshot of
// an earlier release, until the next change.
func (v View) Actual() raft.Configuration { return v.f.members.actual }

// ActualIndex is the Raft index of the entry that brought Actual, 0 where that is
// empty.
func (v View) ActualIndex() uint64 { return v.f.members.index }

// Abandon ends a change of the membership that is pending. Like Expire it stands
// outside any sequence and counts only in the term that it was decided in, and
// for the change that Zxid names (Pending.Target.Version). The client gets Code;
// with ErrOK the change is published, for a leader that finds nothing left to be
// carried out.
type Abandon struct {
	Term uint64
	Zxid int64
	Code protocol.ErrCode
}

// Append encodes the request.
func (r *Abandon) Append(b []byte) []byte {
	b = append(b, byte(kindAbandon))
	b = binary.AppendUvarint(b, r.Term)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Zxid))
	return binary.AppendVarint(b, int64(r.Code))
}

func (r *Abandon) decode(p *payloadReader) error {
	r.Term = p.uvarint()
	r.Zxid = int64(p.uint64())
	r.Code = protocol.ErrCode(p.varint())
	return p.err("abandon")
}

func (f *FSM) abandon(term uint64, p *payloadReader) error {
	var r Abandon
	if err := r.decode(p); err != nil {
		return err
	}
	if now := f.members.pending; r.Term == term && now != nil && now.Target.Version == r.Zxid {
		f.endReconfig(term, r.Code)
	}
	return nil
}

// configured takes a configuration of Raft out of the log. What is pending is
// published when it has been carried out.
//
// Not StoreConfiguration of raft.ConfigurationStore: Raft gives a BatchingFSM its
// configurations among the other entries.
func (f *FSM) configured(l *raft.Log) {
	f.members.actual, f.members.index = raft.DecodeConfiguration(l.Data), l.Index
	if p := f.members.pending; p != nil && CarriedOut(f.members.actual, p.Target) {
		f.endReconfig(l.Term, protocol.ErrOK)
	}
}

// CarriedOut says whether c is what target asks for: each of its servers in its
// role, and no other voter. Who follows besides, as a server that asks to join or
// was removed, does not matter; nor do the addresses in c, which are mere labels.
func CarriedOut(c raft.Configuration, target zabcompat.Membership) bool {
	found := 0
	for _, s := range c.Servers {
		want, ok := zabcompat.ServerSpec{}, false
		if sid, err := strconv.ParseInt(string(s.ID), 10, 64); err == nil {
			want, ok = target.Server(sid)
		}
		switch {
		case !ok && s.Suffrage != raft.Nonvoter:
			return false
		case !ok:
		case want.Observer != (s.Suffrage == raft.Nonvoter):
			return false
		default:
			found++
		}
	}
	return found == len(target.Servers)
}

// endReconfig ends what is pending, by publishing it if code is ErrOK, and lets
// the waiting client know. A change that is published takes a zxid: its client
// asked for it under another, but who has seen zxids between the two must hear of
// it when it sets its watches again.
func (f *FSM) endReconfig(term uint64, code protocol.ErrCode) {
	p := f.members.pending
	f.members.pending = nil
	r := Result{Op: protocol.OpReconfig, Err: code}
	if code == protocol.ErrOK {
		r.Zxid = int64(f.clock.Next(term))
		r.Data, r.Stat = f.publishChange(p.Target.Servers, r.Zxid)
	}
	f.obs.Reconfigured(View{f}, p.Owner, &r)
}

// publishChange is publish for what clients have asked for.
func (f *FSM) publishChange(servers []zabcompat.ServerSpec, zxid int64) ([]byte, protocol.Stat) {
	f.members.unversioned = false
	return f.publish(servers, zxid)
}

// publish makes the membership known: in /zookeeper/config, to its watchers and
// to the observer.
func (f *FSM) publish(servers []zabcompat.ServerSpec, zxid int64) ([]byte, protocol.Stat) {
	f.members.published = zabcompat.Membership{Servers: servers, Version: zxid}
	shown := View{f}.Shown()
	data := []byte(shown.String())
	f.tree.SetConfig(data, shown.Version, f.now)
	node := f.tree.Lookup(tree.ConfigPath)
	f.events = append(f.events, event{protocol.EventNodeDataChanged, tree.ConfigPath, zxid, f.tree.ACL(node), nil, len(data)})
	f.fireEvents()
	f.obs.Membership(View{f})
	return data, f.tree.Stat(node)
}

// found begins the membership with what a leader's zoo.cfg says, unless there is
// one. Its version is the zxid at the beginning of the epoch, as in ZooKeeper
// (Leader.lead). Clients are shown it from the first leader on that allows changes.
func (f *FSM) found(servers []zabcompat.ServerSpec, versioned bool) {
	m := &f.members
	begun := int64(zabcompat.MakeZxid(f.clock.Epoch, 0))
	switch {
	case len(servers) > 0 && len(m.published.Servers) == 0:
		m.unversioned = !versioned
		f.publish(servers, begun)
	case versioned && m.unversioned:
		m.unversioned = false
		f.publish(m.published.Servers, begun)
	}
}

// Shown is Membership as clients are shown it, with 0 for a version that no leader
// has given out.
func (v View) Shown() zabcompat.Membership {
	shown := v.f.members.published
	if v.f.members.unversioned {
		shown.Version = 0
	}
	return shown
}

// Flags of a membership in a snapshot.
const (
	flagPending     = 1
	flagUnversioned = 2
)

// append encodes the membership for a snapshot.
func (m *membership) append(b []byte) []byte {
	b = appendBytes(b, m.published.String())
	var flags byte
	if m.pending != nil {
		flags |= flagPending
	}
	if m.unversioned {
		flags |= flagUnversioned
	}
	b = append(b, flags)
	if m.pending != nil {
		b = appendBytes(b, m.pending.Target.String())
		b = appendOwner(b, m.pending.Owner)
	}
	b = binary.AppendUvarint(b, m.index)
	b = binary.AppendUvarint(b, uint64(len(m.actual.Servers)))
	for _, s := range m.actual.Servers {
		b = appendBytes(b, string(s.ID))
		b = appendBytes(b, string(s.Address))
		b = append(b, byte(s.Suffrage))
	}
	return b
}

// read is the inverse of append.
func (m *membership) read(p *payloadReader) (err error) {
	*m = membership{}
	if m.published, err = zabcompat.ParseMembership(string(p.bytes())); err != nil {
		return err
	}
	var flags byte
	if b := p.take(1); len(b) == 1 {
		flags = b[0]
	}
	m.unversioned = flags&flagUnversioned != 0
	if flags&flagPending != 0 {
		m.pending = new(Pending)
		if m.pending.Target, err = zabcompat.ParseMembership(string(p.bytes())); err != nil {
			return err
		}
		m.pending.Owner = p.owner()
	}
	m.index = p.uvarint()
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		s := raft.Server{ID: raft.ServerID(p.bytes()), Address: raft.ServerAddress(p.bytes())}
		if suffrage := p.take(1); len(suffrage) == 1 {
			s.Suffrage = raft.ServerSuffrage(suffrage[0])
		}
		m.actual.Servers = append(m.actual.Servers, s)
	}
	return nil
}
