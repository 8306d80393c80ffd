package session

import (
	"sync/atomic"

	"zooraft/protocol"
)

// Touches collects the sessions that this server's connections have heard from
// since the last Drain. The zero value is ready.
//
// Every request of every connection passes here, so a mark is one load in most
// cases, and what Drain costs depends on the sessions marked, not on those
// connected. Marked sessions form a list that only grows at its head and is
// taken as a whole: no lock, and no way to lose an entry. There is no registry;
// a Touch goes with the connection that holds it, and a mark made before it
// went still counts, for the client did speak.
type Touches struct {
	head atomic.Pointer[Touch]
}

// Touch marks one session on behalf of one connection.
type Touch struct {
	to     *Touches
	id     protocol.SessionID
	marked atomic.Bool
	next   *Touch // guarded by whoever turned marked on, then by Drain
}

// Session returns a Touch for a connection of the session. Each connection
// takes its own; two of one session may have both marked it when one replaces
// the other, and then Drain reports it twice.
func (t *Touches) Session(id protocol.SessionID) *Touch {
	return &Touch{to: t, id: id}
}

// Mark notes that the session has been heard from. It does not block, and may
// be called by any goroutine.
func (t *Touch) Mark() {
	if t.marked.Load() || !t.marked.CompareAndSwap(false, true) {
		return
	}
	for {
		head := t.to.head.Load()
		t.next = head
		if t.to.head.CompareAndSwap(head, t) {
			return
		}
	}
}

// Drain calls fn for each session marked since the last Drain, the one marked
// last first. A Mark that runs meanwhile is reported now or by the next Drain.
// It must be called from time to time even while there is no leader to tell,
// for it holds on to what is marked. It may be called by any goroutine.
func (t *Touches) Drain(fn func(id protocol.SessionID)) {
	for m := t.head.Swap(nil); m != nil; {
		next := m.next
		m.next = nil
		// From here m may be marked and listed again.
		m.marked.Store(false)
		fn(m.id)
		m = next
	}
}
