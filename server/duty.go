package server

import (
	"sync"
	"time"
)

// duty decides whether this server serves clients: while it is in touch with its
// quorum, unless it leads and leaderServes=no keeps clients from the leader.
type duty struct {
	leaderServes bool
	tell         func(serves bool, why string) // called with mu held, when it changes

	mu             sync.Mutex
	inTouch, leads bool
	serves, served bool // now; ever
}

// change notes that something is different; why is the reason if it ends the
// service.
func (d *duty) change(why string, set func(*duty)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(d)
	serves := d.inTouch && (d.leaderServes || !d.leads)
	if serves != d.serves {
		d.serves = serves
		d.tell(serves, why)
		d.served = d.served || serves
	}
}

// serve opens the client port for sessions or closes all it has. It does not
// block; duty calls it.
func (s *Server) serve(on bool, why string) {
	s.clients.SetServing(on)
	if !on {
		s.servingSince.Store(0)
		s.clients.DropAll(why)
		return
	}
	s.servingSince.Store(time.Now().UnixNano())
	if !s.duty.served {
		close(s.serving)
	}
}
