package history

import (
	"fmt"

	"zooraft/protocol"
)

// Watches checks one-shot watches (ZooKeeper Programmer's Guide, "Watches").
//
//   - event-first: a reply that shows a change comes after the event that announces it, if there was a watch.
//   - event-asked: an event comes only of a watch, once, and only for a change after the watch was set.
//   - event-order: of one connection, events come in the order of their zxids, each before any reply at its zxid or later
//     and after every reply at an earlier one. Events without a zxid (-1: setWatches, and old servers) are left out.
//
// The watches of setWatches count from its call, since what they missed is announced before its reply. Watches of
// addWatch are not known here.
func Watches(h *History) []Violation {
	var out []Violation
	for _, c := range h.Clients {
		w := watchView{client: c.Name}
		for i := range c.Records {
			w.see(&c.Records[i], c.Records)
		}
		out = append(out, w.out...)
	}
	return out
}

// armed is a watch that has not fired: the state of its znode that the client knows.
type armed struct {
	absent bool
	upTo   int64 // mzxid (pzxid for children) that a reply may show without an event; if absent, zxid of that knowledge
}

type watchView struct {
	client      string
	data, child map[string]armed
	catchUp     bool // a setWatches is on its way
	replied     int64
	announced   int64
	out         []Violation
}

func (w *watchView) violate(rule string, r *Record, format string, args ...any) {
	w.out = append(w.out, Violation{rule, w.client, r.At, fmt.Sprintf("server %d, xid %d, %s: ", r.Server, r.Xid, r.Path) +
		fmt.Sprintf(format, args...)})
}

func (w *watchView) see(r *Record, all []Record) {
	switch r.Kind {
	case Connected:
		w.data, w.child = make(map[string]armed), make(map[string]armed)
		w.catchUp, w.replied, w.announced = false, 0, 0
	case Call:
		if r.Op == protocol.OpSetWatches {
			w.rewatch(r.Watches)
		}
	case Event:
		w.event(r)
	case Reply:
		if r.Zxid > 0 {
			if r.Zxid < w.announced {
				w.violate("event-order", r, "reply at zxid 0x%x after an event of 0x%x", r.Zxid, w.announced)
			}
			w.replied = max(w.replied, r.Zxid)
		}
		if r.Op == protocol.OpSetWatches {
			w.catchUp = false
			return
		}
		w.shown(r)
		if all[r.Call].Watch {
			w.arm(r)
		}
	}
}

func (w *watchView) rewatch(s *protocol.SetWatches) {
	w.catchUp = true
	for _, p := range s.Data {
		w.data[p] = armed{upTo: s.RelativeZxid}
	}
	for _, p := range s.Exist {
		w.data[p] = armed{absent: true, upTo: s.RelativeZxid}
	}
	for _, p := range s.Child {
		w.child[p] = armed{upTo: s.RelativeZxid}
	}
}

// shown holds what a reply shows against the watches that have not fired.
func (w *watchView) shown(r *Record) {
	data, hasData := w.data[r.Path]
	child, hasChild := w.child[r.Path]
	switch {
	case r.OK() && r.Stat != nil:
		if hasData && data.absent {
			w.violate("event-first", r, "shows the znode without the event of its creation")
			delete(w.data, r.Path)
		} else if hasData && r.Stat.Mzxid > data.upTo {
			w.violate("event-first", r, "shows mzxid 0x%x without an event since 0x%x", r.Stat.Mzxid, data.upTo)
			delete(w.data, r.Path)
		}
		if hasChild && r.Stat.Pzxid > child.upTo {
			w.violate("event-first", r, "shows pzxid 0x%x without an event since 0x%x", r.Stat.Pzxid, child.upTo)
			delete(w.child, r.Path)
		}
	case r.OK() && r.Op == protocol.OpDelete, r.Err == protocol.ErrNoNode && reads(r.Op):
		if hasData && !data.absent || hasChild {
			w.violate("event-first", r, "shows the znode gone without the event of its deletion")
			delete(w.data, r.Path)
			delete(w.child, r.Path)
		}
	}
}

func (w *watchView) arm(r *Record) {
	switch {
	case r.Op == protocol.OpExists && r.Err == protocol.ErrNoNode:
		w.data[r.Path] = armed{absent: true, upTo: r.Zxid}
	case !r.OK():
	case r.Op == protocol.OpExists, r.Op == protocol.OpGetData:
		w.data[r.Path] = armed{upTo: r.Stat.Mzxid}
	case r.Op == protocol.OpGetChildren2:
		w.child[r.Path] = armed{upTo: r.Stat.Pzxid}
	}
}

func (w *watchView) event(r *Record) {
	if r.Zxid > 0 {
		if r.Zxid <= w.replied {
			w.violate("event-order", r, "event of zxid 0x%x after a reply at 0x%x", r.Zxid, w.replied)
		}
		if r.Zxid < w.announced {
			w.violate("event-order", r, "event of zxid 0x%x after one of 0x%x", r.Zxid, w.announced)
		}
		w.announced = max(w.announced, r.Zxid)
	}
	data, hasData := w.data[r.Path]
	child, hasChild := w.child[r.Path]
	asked := false
	switch r.Event {
	case protocol.EventNodeCreated:
		asked = hasData && data.absent && later(r.Zxid, data.upTo)
	case protocol.EventNodeDataChanged:
		asked = hasData && !data.absent && later(r.Zxid, data.upTo)
	case protocol.EventNodeDeleted:
		asked = hasData && !data.absent && later(r.Zxid, data.upTo) || hasChild && later(r.Zxid, child.upTo)
	case protocol.EventNodeChildrenChanged:
		asked = hasChild && later(r.Zxid, child.upTo)
	}
	// Lists of setWatches are not merged: a znode gone that was in two of them is announced twice.
	if !asked && !(w.catchUp && r.Zxid <= 0) {
		w.violate("event-asked", r, "%v of zxid 0x%x without a watch for it (data %v %+v, child %v %+v)", r.Event, r.Zxid,
			hasData, data, hasChild, child)
	}
	switch r.Event {
	case protocol.EventNodeCreated, protocol.EventNodeDataChanged:
		delete(w.data, r.Path)
	case protocol.EventNodeDeleted:
		delete(w.data, r.Path)
		delete(w.child, r.Path)
	case protocol.EventNodeChildrenChanged:
		delete(w.child, r.Path)
	}
}

func later(zxid, upTo int64) bool { return zxid <= 0 || zxid > upTo }
