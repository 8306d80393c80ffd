package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"zooraft/protocol"
)

// Kinds of the watch workload.
const (
	kindEvent kind = iota
	kindChange
	kindReset
)

// fanOut is the watch workload: connections that watch nodes, and one more that
// changes them.
//
// Invariant: a node is changed only when all connections have a watch on it, so
// that each change brings each of them one event.
type fanOut struct {
	nodes []watched
	armed chan int // nodes that all connections watch; room for all of them
	conns int64
}

// watched is a znode that is watched.
type watched struct {
	changed atomic.Int64 // when the last change was sent
	watches atomic.Int64 // set since then
}

// prepareWatch opens the connections and returns what starts their loops.
func (r *run) prepareWatch(ctx context.Context) (start func(), err error) {
	w := r.Workload
	f := &fanOut{nodes: make([]watched, w.Keys), armed: make(chan int, w.Keys), conns: int64(w.Connections)}
	// A window for the nodes that change at once; at the start all watches have
	// to be set.
	window := min(w.Keys, setUpWindow)
	set := newTemplate(protocol.OpGetData, func(n int) record {
		return &protocol.PathWatchRequest{Path: keyPath(r.root, n), Watch: true}
	})
	for i := range w.Connections {
		c := newConn(i, r.clock, window, r.sources.replyBytes(), r.SessionTimeout)
		s := &queueSource{template: set, kind: kindReset}
		for n := range w.Keys {
			s.todo = append(s.todo, n)
		}
		sh := r.rec.shard(i)
		c.src, c.locker, c.lasting = s, &sh.mu, true
		c.answered = func(p pending, rep reply, now int64) error {
			if rep.code != protocol.ErrOK {
				return fmt.Errorf("set a watch: %w", rep.code)
			}
			sh.recordLocked(p.k, now-p.at)
			f.set(s.answered())
			return nil
		}
		c.unasked = func(rep reply, now int64) error {
			n, err := f.event(rep.body)
			if err != nil {
				return err
			}
			sh.recordLocked(kindEvent, now-f.nodes[n].changed.Load())
			s.todo = append(s.todo, n)
			c.dry = false
			return nil
		}
		r.conns = append(r.conns, c)
	}

	changes := newConn(w.Connections, r.clock, min(w.Window, w.Keys), r.sources.replyBytes(), r.SessionTimeout)
	value := r.sources.value()
	change := &queueSource{kind: kindChange, template: newTemplate(protocol.OpSetData, func(n int) record {
		return &protocol.SetDataRequest{Path: keyPath(r.root, n), Data: value, Version: -1}
	})}
	sh := r.rec.shard(changes.index)
	changes.src, changes.locker, changes.lasting, changes.gate = change, &sh.mu, true, new(sync.Mutex)
	changes.answered = func(p pending, rep reply, now int64) error {
		if rep.code != protocol.ErrOK {
			return fmt.Errorf("change a watched znode: %w", rep.code)
		}
		sh.recordLocked(p.k, now-p.at)
		change.answered()
		return nil
	}
	r.conns = append(r.conns, changes)
	if err := r.openAll(ctx); err != nil {
		return nil, err
	}
	return func() {
		for _, c := range r.conns {
			r.loops.Go(func() { r.drive(ctx, c) })
		}
		r.others.Go(func() { f.change(ctx, changes, change, w.Window) })
	}, nil
}

// set counts a watch that was set.
func (f *fanOut) set(n int) {
	if f.nodes[n].watches.Add(1) == f.conns {
		f.armed <- n
	}
}

// change changes nodes that all watch, up to window of them at a time: until
// all watch them again.
func (f *fanOut) change(ctx context.Context, c *conn, src *queueSource, window int) {
	changing := make([]bool, len(f.nodes))
	var waiting []int
	under := 0
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-f.armed:
			if changing[n] {
				changing[n] = false
				under--
			}
			waiting = append(waiting, n)
		}
		c.gate.Lock()
		for under < window && len(waiting) > 0 {
			n := waiting[0]
			waiting = waiting[1:]
			changing[n] = true
			under++
			f.nodes[n].watches.Store(0)
			f.nodes[n].changed.Store(c.clock.now())
			src.todo = append(src.todo, n)
			c.dry = false
		}
		err := c.send()
		c.gate.Unlock()
		if err != nil {
			c.sever() // its loop accounts for it
			return
		}
	}
}

// event tells which node an event is about.
func (f *fanOut) event(body []byte) (int, error) {
	const head = 12 // type, state and the length of the path
	if len(body) < head+9 {
		return 0, fmt.Errorf("%w: an event of %d bytes", errMalformed, len(body))
	}
	if t := protocol.EventType(binary.BigEndian.Uint32(body)); t != protocol.EventNodeDataChanged {
		return 0, fmt.Errorf("%w: an event %v", errMalformed, t)
	}
	n := 0
	for i, b := range body[len(body)-9:] {
		switch {
		case i == 5 && b == '/':
		case b >= '0' && b <= '9':
			n = 10*n + int(b-'0')
		default:
			return 0, fmt.Errorf("%w: an event of a znode that is not watched", errMalformed)
		}
	}
	if n >= len(f.nodes) {
		return 0, fmt.Errorf("%w: an event of a znode that is not watched", errMalformed)
	}
	return n, nil
}

// queueSource asks for the nodes that are put into todo.
type queueSource struct {
	template *template
	kind     kind
	todo     []int
	under    []int // sent, in order
}

func (s *queueSource) next(out []byte, xid int32) ([]byte, kind, bool) {
	if len(s.todo) == 0 {
		return out, 0, false
	}
	n := s.todo[0]
	s.todo = s.todo[1:]
	s.under = append(s.under, n)
	return numbered(s.template, out, xid, uint64(n)), s.kind, true
}

// answered tells which node the next reply is about.
func (s *queueSource) answered() int {
	n := s.under[0]
	s.under = s.under[1:]
	return n
}
