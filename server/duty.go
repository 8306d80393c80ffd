package server

import (
	"sync"
	"time"

	"zooraft/server/client"
)

// duty decides what this server does for clients: what the quorum allows, but
// nothing while it leads and leaderServes=no keeps clients from the leader.
type duty struct {
	leaderServes bool
	tell         func(now client.Service, why string) // called with mu held, when it changes

	mu     sync.Mutex
	quorum client.Service
	leads  bool
	now    client.Service
	served bool // all there is to serve, ever
}

// quorumServes is what the quorum could do for clients, were they taken here.
func (d *duty) quorumServes() client.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.quorum
}

// change notes that something is different; why is the reason for those whose
// connections end by it.
func (d *duty) change(why string, set func(*duty)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(d)
	now := d.quorum
	if d.leads && !d.leaderServes {
		now = client.NoService
	}
	if now != d.now {
		d.now = now
		d.tell(now, why)
		d.served = d.served || now == client.FullService
	}
}

// serve opens the client port for sessions as far as it may, and closes those
// that were opened under another service. Where the server keeps sessions
// alone it waits for an expiry of these that is under way, which waits for no more
// than locks. duty calls it.
func (s *Server) serve(now client.Service, why string) {
	s.clients.SetService(now)
	s.clients.DropAll(why)
	since := time.Now().UnixNano()
	if now == client.NoService {
		since = 0
	}
	s.readOnly.Store(now == client.ReadOnly)
	s.servingSince.Store(since)
	s.locals.watch(now != client.NoService)
	if now == client.FullService && !s.duty.served {
		close(s.serving)
	}
}
