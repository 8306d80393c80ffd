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

// prepareChurn has nothing to open: opening is what is measured.
func (r *run) prepareChurn(ctx context.Context) (start func(), err error) {
	return func() {
		for i := range r.Workload.Connections {
			r.loops.Go(func() { r.churn(ctx, i) })
		}
	}, nil
}

// churn opens and closes one session after another, each at the next server.
func (r *run) churn(ctx context.Context, index int) {
	sh := r.rec.shard(index)
	pause := firstPause
	for server := index; ctx.Err() == nil; server++ {
		begin := r.clock.now()
		s := session{timeout: r.SessionTimeout}
		addr := r.Servers[server%len(r.Servers)]
		nc, err := s.open(ctx, addr, r.patience())
		opened := r.clock.now()
		if err == nil {
			err = closeSession(nc, 1, r.SessionTimeout)
			nc.Close()
		}
		switch {
		case err == nil:
			now := r.clock.now()
			sh.mu.Lock()
			sh.recordLocked(kindSession, now-begin)
			sh.recordLocked(kindOpen, opened-begin)
			sh.recordLocked(kindClose, now-opened)
			sh.mu.Unlock()
			pause = firstPause
			continue
		case ctx.Err() != nil:
			return
		}
		sh.fail(errNameRefused, 1)
		if !r.Reconnect {
			r.fail(fmt.Errorf("session at %s: %w", addr, err))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}
