package bench

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"zooraft/protocol"
)

const (
	znodeBytes  = 100
	parents     = 1000
	createsEach = 500 // in one multi
	multisOpen  = 16  // under way at once
)

// population says where the znodes stand.
type population struct {
	name string
	path func(i int) string
	dirs []string
}

func spreadOut(n int) population {
	p := population{name: "spread over 1000 parents", path: func(i int) string {
		return fmt.Sprintf("/bench/dir-%04d/node-%08d", i%parents, i)
	}, dirs: []string{"/bench"}}
	for i := range min(parents, n) {
		p.dirs = append(p.dirs, fmt.Sprintf("/bench/dir-%04d", i))
	}
	return p
}

func belowOne() population {
	return population{name: "below one parent", path: func(i int) string { return fmt.Sprintf("/bench/node-%08d", i) },
		dirs: []string{"/bench"}}
}

// fill makes the parents, and the znodes from one number to below another, by multis.
func (p population) fill(c *client, from, to int) error {
	if from == 0 {
		if err := c.pipelined(len(p.dirs), multisOpen, func(i int) (protocol.OpCode, record) {
			return protocol.OpCreate, &protocol.CreateRequest{Path: p.dirs[i], ACL: protocol.OpenACL}
		}); err != nil {
			return fmt.Errorf("create parents: %w", err)
		}
	}
	data := bytes.Repeat([]byte("x"), znodeBytes)
	if err := c.pipelined((to-from+createsEach-1)/createsEach, multisOpen, func(i int) (protocol.OpCode, record) {
		var m multi
		for k := from + i*createsEach; k < min(from+(i+1)*createsEach, to); k++ {
			m = append(m, protocol.MultiOp{Type: protocol.OpCreate,
				Create: protocol.CreateRequest{Path: p.path(k), Data: data, ACL: protocol.OpenACL}})
		}
		return protocol.OpMulti, m
	}); err != nil {
		return fmt.Errorf("create znodes: %w", err)
	}
	return nil
}

// marker is a znode that holds a number which grows with each write, so that it shows what has been lost.
type marker struct {
	path    string
	written atomic.Int64 // what the last acknowledged write wrote
}

// write makes one write, and notes it once it is acknowledged.
func (m *marker) write(c *client) error {
	next := m.written.Load() + 1
	data := fmt.Appendf(nil, "%0*d", znodeBytes, next)
	if _, err := c.call(protocol.OpSetData, &protocol.SetDataRequest{Path: m.path, Data: data, Version: -1}); err != nil {
		return err
	}
	m.written.Store(next)
	return nil
}
