package client

import (
	"context"

	"zooraft/protocol"
)

// Multi is a transaction being put together: all of its changes are made, or
// none. The zero value has none. It does not check paths.
type Multi struct {
	ops   []func(c *Client, b []byte) []byte
	bytes int
}

// Len is the number of changes.
func (m *Multi) Len() int { return len(m.ops) }

// Bytes is about how long the request will be; servers refuse those above their
// jute.maxbuffer, 1 MiB by default.
func (m *Multi) Bytes() int { return m.bytes }

func (m *Multi) add(size int, op protocol.OpCode, body func(c *Client) []byte) {
	m.bytes += size
	m.ops = append(m.ops, func(c *Client, b []byte) []byte {
		b = (&protocol.MultiHeader{Type: op, Err: -1}).Append(b)
		return append(b, body(c)...)
	})
}

// Create adds a creation; see Client.Create.
func (m *Multi) Create(path string, data []byte, acl []protocol.ACL, mode int32, ttl int64) {
	op := protocol.OpCreate
	switch {
	case mode == protocol.CreateModeContainer:
		op = protocol.OpCreateContainer
	case protocol.HasTTL(mode):
		op = protocol.OpCreateTTL
	}
	m.add(len(path)+len(data)+64*(1+len(acl)), op, func(c *Client) []byte {
		_, body := c.createRequest(path, data, acl, mode, ttl)
		return body
	})
}

// Delete adds a deletion.
func (m *Multi) Delete(path string, version int32) {
	m.add(len(path)+32, protocol.OpDelete, func(c *Client) []byte {
		return (&protocol.DeleteRequest{Path: c.above(path), Version: version}).Append(nil)
	})
}

// Set adds a change of data.
func (m *Multi) Set(path string, data []byte, version int32) {
	m.add(len(path)+len(data)+32, protocol.OpSetData, func(c *Client) []byte {
		return (&protocol.SetDataRequest{Path: c.above(path), Data: data, Version: version}).Append(nil)
	})
}

// Under is a transaction under way.
type Under struct {
	c *Client
	p *call
}

// StartMulti sends a transaction without waiting for its result.
func (c *Client) StartMulti(m *Multi) Under {
	var b []byte
	for _, op := range m.ops {
		b = op(c, b)
	}
	b = (&protocol.MultiHeader{Type: -1, Done: true, Err: -1}).Append(b)
	return Under{c, c.start(protocol.OpMulti, b, nil)}
}

// Wait returns the result: nil, or an Error with the code of the change that failed
// and which one that is, counted from 0; -1 if it is none of them.
func (u Under) Wait(ctx context.Context) (failed int, err error) {
	b, err := u.c.finish(ctx, u.p, "")
	if err != nil {
		return -1, err
	}
	d := protocol.NewDecoder(b)
	for i := 0; ; i++ {
		var h protocol.MultiHeader
		h.Decode(&d)
		if d.Err() != nil {
			return -1, d.Err()
		}
		if h.Done {
			return -1, nil
		}
		switch h.Type {
		case protocol.OpCreate, protocol.OpCreateContainer, protocol.OpCreateTTL:
			d.Path()
		case protocol.OpCreate2:
			d.Path()
			new(protocol.Stat).Decode(&d)
		case protocol.OpSetData:
			new(protocol.Stat).Decode(&d)
		case protocol.OpError:
			// Those before the failing one have ErrOK, those behind it another.
			code := protocol.ErrCode(d.Int32())
			if code != protocol.ErrOK && code != protocol.ErrRuntimeInconsistency {
				return i, &Error{Code: code}
			}
		}
	}
}

// Multi makes a transaction; see Under.Wait.
func (c *Client) Multi(ctx context.Context, m *Multi) (failed int, err error) {
	return c.StartMulti(m).Wait(ctx)
}
