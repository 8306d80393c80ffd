package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"zooraft/protocol"
)

// Pauses between attempts to reach a server again.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// prepare opens the run's connections and returns what starts their loops.
func (r *run) prepare(ctx context.Context) (start func(), err error) {
	w := r.Workload
	switch w.Name {
	case Connect:
		return r.prepareChurn(ctx)
	case Watch:
		return r.prepareWatch(ctx)
	}
	for i := range w.Connections {
		c := newConn(i, r.clock, w.Window, r.sources.replyBytes(), r.SessionTimeout)
		c.src = r.sources.of(i)
		sh := r.rec.shard(i)
		c.locker = &sh.mu
		c.answered = sh.answered
		if w.Name == Idle {
			c.lasting = true
			c.ponged = func(now int64) { sh.recordLocked(0, now-c.pinged.Load()) }
		}
		r.conns = append(r.conns, c)
	}
	if err := r.openAll(ctx); err != nil {
		return nil, err
	}
	return func() {
		if w.Rate > 0 {
			r.startPacing(ctx)
		}
		for _, c := range r.conns {
			r.loops.Go(func() { r.drive(ctx, c) })
		}
	}, nil
}

// answered takes a reply into account; the shard is locked.
func (s *shard) answered(p pending, r reply, now int64) error {
	if r.code == protocol.ErrOK {
		s.recordLocked(p.k, now-p.at)
	} else {
		s.errors[r.code.Name()]++
	}
	return nil
}

// openAll opens all connections.
func (r *run) openAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var opened atomic.Int64
	r.each(func(c *conn) {
		if ctx.Err() != nil {
			return
		}
		nc, err := c.open(ctx, r.Servers[c.index%len(r.Servers)], r.patience())
		if err != nil {
			cancel(err)
			return
		}
		c.attach(nc)
		r.keeper.add(c)
		opened.Add(1)
	})
	if n := int(opened.Load()); n < len(r.conns) {
		return fmt.Errorf("%d of %d connections opened: %w", n, len(r.conns), context.Cause(ctx))
	}
	return nil
}

// drive runs a connection's loop, over lost connections if the run asks for it.
func (r *run) drive(ctx context.Context, c *conn) {
	for {
		err := c.loop()
		if err == nil || ctx.Err() != nil {
			return
		}
		c.sever()
		name := errNameLost
		if errors.Is(err, errMalformed) {
			name = errNameProtocol
		}
		r.rec.shard(c.index).fail(name, int64(max(c.forget(), 1)))
		if !r.Reconnect {
			r.fail(fmt.Errorf("connection %d to %s lost: %w", c.index, c.nc.RemoteAddr(), err))
			return
		}
		if !r.reconnect(ctx, c) {
			return
		}
	}
}

// reconnect goes on with the session at the next server that takes it, or with
// a new session when it has expired. It returns false when ctx has ended.
func (r *run) reconnect(ctx context.Context, c *conn) bool {
	pause := firstPause
	for server := c.index + 1; ; server++ {
		nc, err := c.open(ctx, r.Servers[server%len(r.Servers)], r.patience())
		if err == nil {
			c.attach(nc)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if errors.Is(err, errExpired) {
			r.rec.shard(c.index).fail(errNameExpired, 1)
			c.session = session{timeout: r.SessionTimeout, zxid: c.zxid}
		} else {
			r.rec.shard(c.index).fail(errNameRefused, 1)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}
