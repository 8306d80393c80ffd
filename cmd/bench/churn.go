package bench

import (
	"context"
	"fmt"
	"time"
)

// Kinds of the connect workload.
const (
	kindSession kind = iota
	kindOpen
	kindClose
)

// closeXid is the xid of a session's only request.
const closeXid = 1

// prepareChurn has nothing to open: opening is what is measured.
func (r *run) prepareChurn(ctx context.Context) (start func(), err error) {
	return func() {
		if r.startTurnstiles(ctx) {
			return
		}
		for i := range r.Workload.Connections {
			r.loops.Go(func() { r.churn(ctx, i) })
		}
	}, nil
}

// churn opens and closes one session after another, each at the next server.
func (r *run) churn(ctx context.Context, index int) {
	pause := firstPause
	for server := index; ctx.Err() == nil; server++ {
		begin := r.clock.now()
		s := session{timeout: r.SessionTimeout}
		addr := r.Servers[server%len(r.Servers)]
		nc, err := s.open(ctx, addr, r.patience())
		opened := r.clock.now()
		if err == nil {
			err = closeSession(nc, closeXid, r.SessionTimeout)
			nc.Close()
		}
		switch {
		case err == nil:
			r.visited(index, begin, opened)
			pause = firstPause
			continue
		case ctx.Err() != nil:
			return
		}
		if r.refused(index, addr, err); !r.Reconnect {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// visited takes a session into account that is closed now.
func (r *run) visited(index int, began, opened int64) {
	now := r.clock.now()
	sh := r.rec.shard(index)
	sh.mu.Lock()
	sh.recordLocked(kindSession, now-began)
	sh.recordLocked(kindOpen, opened-began)
	sh.recordLocked(kindClose, now-opened)
	sh.mu.Unlock()
}

// refused takes a session into account that has failed, and ends the run if it is not
// to go on.
func (r *run) refused(index int, addr string, err error) {
	r.rec.shard(index).fail(errNameRefused, 1)
	if !r.Reconnect {
		r.fail(fmt.Errorf("session at %s: %w", addr, err))
	}
}
