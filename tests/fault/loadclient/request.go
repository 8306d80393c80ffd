package loadclient

import (
	"context"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
)

// Request is one that was given to the client to send, and its reply once Done is closed.
type Request struct {
	done  chan struct{}
	reply history.Record
	err   error
	index int // of its call, among the client's records
}

// Done is closed when the request has its reply, or will never have one.
func (r *Request) Done() <-chan struct{} { return r.done }

// Reply is the reply, and an error if there is none or it is one. The error is ErrLost, ErrNotConnected or a
// protocol.ErrCode. It blocks until Done.
func (r *Request) Reply() (history.Record, error) {
	<-r.done
	return r.reply, r.err
}

// Wait is Reply, but ends with ctx; then the request is still under way.
func (r *Request) Wait(ctx context.Context) (history.Record, error) {
	select {
	case <-r.done:
		return r.reply, r.err
	case <-ctx.Done():
		return history.Record{}, ctx.Err()
	}
}

// Create sends a create2 with an open ACL; flags are a create mode.
func (c *Client) Create(path, value string, flags int32) *Request {
	q := protocol.CreateRequest{Path: path, Data: []byte(value), ACL: protocol.OpenACL, Flags: flags}
	return c.send(history.Record{Op: protocol.OpCreate2, Path: path, Value: value, Flags: flags}, q.Append)
}

// SetData sends a setData; version is -1 for any.
func (c *Client) SetData(path, value string, version int32) *Request {
	q := protocol.SetDataRequest{Path: path, Data: []byte(value), Version: version}
	return c.send(history.Record{Op: protocol.OpSetData, Path: path, Value: value, Version: version}, q.Append)
}

// Delete sends a delete; version is -1 for any.
func (c *Client) Delete(path string, version int32) *Request {
	q := protocol.DeleteRequest{Path: path, Version: version}
	return c.send(history.Record{Op: protocol.OpDelete, Path: path, Version: version}, q.Append)
}

// GetData sends a getData.
func (c *Client) GetData(path string, watch bool) *Request {
	return c.readPath(protocol.OpGetData, path, watch)
}

// Exists sends an exists.
func (c *Client) Exists(path string, watch bool) *Request {
	return c.readPath(protocol.OpExists, path, watch)
}

// GetChildren sends a getChildren2.
func (c *Client) GetChildren(path string, watch bool) *Request {
	return c.readPath(protocol.OpGetChildren2, path, watch)
}

func (c *Client) readPath(op protocol.OpCode, path string, watch bool) *Request {
	q := protocol.PathWatchRequest{Path: path, Watch: watch}
	return c.send(history.Record{Op: op, Path: path, Watch: watch}, q.Append)
}

// Sync sends a sync.
func (c *Client) Sync(path string) *Request {
	q := protocol.SyncRequest{Path: path}
	return c.send(history.Record{Op: protocol.OpSync, Path: path}, q.Append)
}

// Reconfig sends a reconfig that adds servers by their lines and removes others by their ids, each list with commas. The
// reply's Value is the text of the new membership.
func (c *Client) Reconfig(joining, leaving string) *Request {
	q := protocol.ReconfigRequest{Joining: joining, Leaving: leaving, NewMembersNull: true, ConfigID: -1}
	return c.send(history.Record{Op: protocol.OpReconfig, Value: joining + " -" + leaving}, q.Append)
}

// Ping sends a ping.
func (c *Client) Ping() *Request {
	return c.send(history.Record{Op: protocol.OpPing, Xid: protocol.XidPing}, nil)
}

// CloseSession asks for the session's end. The server ends the connection after its answer.
func (c *Client) CloseSession() *Request {
	return c.send(history.Record{Op: protocol.OpCloseSession}, nil)
}

// send records, queues and writes a request. Without a connection it is done at once, and not recorded.
func (c *Client) send(rec history.Record, body func([]byte) []byte) *Request {
	r := &Request{done: make(chan struct{})}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()

	c.mu.Lock()
	cn := c.conn
	if cn == nil {
		c.mu.Unlock()
		r.err = ErrNotConnected
		close(r.done)
		return r
	}
	if rec.Xid == 0 {
		c.xid++
		rec.Xid = c.xid
	}
	rec.Kind, rec.Conn, rec.Server, rec.At = history.Call, cn.number, cn.server.SID, c.o.Clock()
	r.index = len(c.records)
	c.records = append(c.records, rec)
	cn.pending = append(cn.pending, r)
	c.mu.Unlock()

	b, mark := protocol.BeginFrame(nil)
	b = (&protocol.RequestHeader{Xid: rec.Xid, Op: rec.Op}).Append(b)
	if body != nil {
		b = body(b)
	}
	if _, err := cn.nc.Write(protocol.EndFrame(b, mark)); err != nil {
		cn.nc.Close() // the reader does the rest
	}
	return r
}
