package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zooraft/protocol"
)

// setUpWindow is how many requests are under way at the set-up and the
// clean-up, and setUpBytes what they may hold together: less than the sockets
// take, so that neither side waits for the other to read.
const (
	setUpWindow = 256
	setUpBytes  = 1 << 20
)

// steward makes and deletes znodes: what is not measured.
type steward struct {
	*conn
	stop func() bool
	keep *keeper
}

// steward opens a session at the first server that grants one.
func (r *run) steward(ctx context.Context) (*steward, error) {
	window := max(1, min(setUpWindow, setUpBytes/(r.Workload.Size+200)))
	s := &steward{conn: newConn(0, r.clock, window, 200, r.SessionTimeout), keep: r.keeper}
	var faults []error
	for _, addr := range r.Servers {
		nc, err := s.open(ctx, addr, r.patience())
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s.attach(nc)
		s.keep.add(s.conn)
		s.stop = context.AfterFunc(ctx, s.sever)
		return s, nil
	}
	return nil, errors.Join(faults...)
}

func (s *steward) close() {
	s.stop()
	s.keep.drop(s.conn)
	s.end(time.Second)
}

// sourceFunc makes requests by a function.
type sourceFunc func(out []byte, xid int32) ([]byte, bool)

func (f sourceFunc) next(out []byte, xid int32) ([]byte, kind, bool) {
	out, ok := f(out, xid)
	return out, 0, ok
}

// all sends n requests, pipelined, and returns when all have been answered. got
// gets each reply, in their order; its error ends it.
func (s *steward) all(n int, request func(out []byte, xid int32, i int) []byte, got func(i int, r reply) error) error {
	sent, answered := 0, 0
	s.dry = false
	s.src = sourceFunc(func(out []byte, xid int32) ([]byte, bool) {
		if sent == n {
			return out, false
		}
		sent++
		return request(out, xid, sent-1), true
	})
	s.answered = func(_ pending, r reply, _ int64) error {
		answered++
		return got(answered-1, r)
	}
	return s.loop()
}

// encoded appends a request that is sent once.
func encoded(out []byte, xid int32, op protocol.OpCode, body record) []byte {
	out, mark := protocol.BeginFrame(out)
	out = (&protocol.RequestHeader{Xid: xid, Op: op}).Append(out)
	return protocol.EndFrame(body.Append(out), mark)
}

// create makes n znodes.
func (s *steward) create(n int, path func(i int) string, value []byte) error {
	return s.all(n, func(out []byte, xid int32, i int) []byte {
		return encoded(out, xid, protocol.OpCreate, &protocol.CreateRequest{Path: path(i), Data: value, ACL: protocol.OpenACL})
	}, func(i int, r reply) error {
		if r.code != protocol.ErrOK {
			return fmt.Errorf("create %s: %w", path(i), r.code)
		}
		return nil
	})
}

// ensure makes a znode and what is above it, and tells which were not there,
// from the top.
func (s *steward) ensure(path string) (made []string, err error) {
	var paths []string
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			paths = append(paths, path[:i])
		}
	}
	err = s.all(len(paths), func(out []byte, xid int32, i int) []byte {
		return encoded(out, xid, protocol.OpCreate, &protocol.CreateRequest{Path: paths[i], Data: []byte{}, ACL: protocol.OpenACL})
	}, func(i int, r reply) error {
		switch r.code {
		case protocol.ErrOK:
			made = append(made, paths[i])
		case protocol.ErrNodeExists:
		default:
			return fmt.Errorf("create %s: %w", paths[i], r.code)
		}
		return nil
	})
	return made, err
}

// setUp makes what the workload needs.
func (r *run) setUp(ctx context.Context) error {
	s, err := r.steward(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	made, err := s.ensure(r.Path)
	r.made = made
	if err != nil {
		return err
	}
	if err := s.create(1, func(int) string { return r.root }, []byte{}); err != nil {
		return err
	}
	w, value := r.Workload, r.sources.value()
	own := func(i int) string { return fmt.Sprintf("%s/%08d", r.root, i) }
	switch w.Name {
	case Create, Ephemeral:
		return s.create(w.Connections, own, []byte{})
	case Sequential, Connect, Idle:
		return nil
	}
	dirs := (w.Keys + leavesPerNode - 1) / leavesPerNode
	if err := s.create(dirs, func(i int) string { return fmt.Sprintf("%s/%05d", r.root, i) }, []byte{}); err != nil {
		return err
	}
	if w.Name == Fill {
		return nil
	}
	if err := s.create(w.Keys, func(i int) string { return keyPath(r.root, i) }, value); err != nil {
		return err
	}
	if w.Name == Children {
		return s.create(w.Keys*w.Children, func(i int) string {
			return fmt.Sprintf("%s/%08d", keyPath(r.root, i/w.Children), i%w.Children)
		}, []byte{})
	}
	return nil
}

// cleanUp deletes the run's root with all below it, and what was missing above.
func (r *run) cleanUp(ctx context.Context) error {
	s, err := r.steward(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	// Level by level downwards, then deleted from the bottom.
	var paths []string
	for level := []string{r.root}; len(level) > 0; {
		paths = append(paths, level...)
		if level, err = s.children(level); err != nil {
			return err
		}
	}
	slices.Reverse(paths)
	if err := s.delete(paths); err != nil {
		return err
	}
	made := slices.Clone(r.made)
	slices.Reverse(made)
	return s.delete(made)
}

// children lists the children of all that are there.
func (s *steward) children(parents []string) (paths []string, err error) {
	err = s.all(len(parents), func(out []byte, xid int32, i int) []byte {
		return encoded(out, xid, protocol.OpGetChildren, &protocol.PathWatchRequest{Path: parents[i]})
	}, func(i int, r reply) error {
		switch r.code {
		case protocol.ErrOK:
		case protocol.ErrNoNode:
			return nil
		default:
			return fmt.Errorf("list %s: %w", parents[i], r.code)
		}
		d := protocol.NewDecoder(r.body)
		names := d.Strings()
		if err := d.Err(); err != nil {
			return fmt.Errorf("list %s: %w", parents[i], err)
		}
		for _, name := range names {
			paths = append(paths, strings.TrimSuffix(parents[i], "/")+"/"+name)
		}
		return nil
	})
	return paths, err
}

// delete deletes what is there; what another has put something below stays.
func (s *steward) delete(paths []string) error {
	return s.all(len(paths), func(out []byte, xid int32, i int) []byte {
		return encoded(out, xid, protocol.OpDelete, &protocol.DeleteRequest{Path: paths[i], Version: -1})
	}, func(i int, r reply) error {
		switch r.code {
		case protocol.ErrOK, protocol.ErrNoNode, protocol.ErrNotEmpty:
			return nil
		}
		return fmt.Errorf("delete %s: %w", paths[i], r.code)
	})
}
