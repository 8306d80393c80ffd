package console

import (
	"zooraft/fsm"
	"zooraft/fsm/watch"
)

// State is the replicated state of this server; *fsm.FSM is one.
type State interface {
	// View calls fn with the state lock held for reading.
	View(fn func(v fsm.View))
	Watches() *watch.Table
}

// Completion takes the outcome of a proposed request. v and r are valid during the
// call.
type Completion = interface {
	Complete(v fsm.View, r *fsm.Result)
}

// Source is the server as the console sees it. Its methods may be called by many
// goroutines at once; each answer is taken anew.
type Source interface {
	// Identity says who this server is.
	Identity() Identity
	// Writable is nil if the server takes writes now, and else says why not.
	Writable() error
	// Propose has a request of this server committed. It does not block and retains
	// payload. done is called from the apply goroutine, with the state lock held for
	// writing; never if the server stops first or its state is replaced by a
	// snapshot.
	Propose(payload []byte, done Completion) error
}

// Identity is who a server is.
type Identity struct {
	SID     int64  `json:"sid"`
	Version string `json:"version"`
	Cluster string `json:"cluster"` // the ensemble's id, "" before it has one
	// State is what the server does, in ZooKeeper's words: standalone, leader,
	// follower, observer, read-only; "" while it looks for a leader for the first
	// time.
	State   string `json:"state"`
	Serving bool   `json:"serving"`
}
