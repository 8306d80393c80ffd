package loadclient

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
)

// errBroken says that a server sent what no server may send.
var errBroken = errors.New("loadclient: broken stream")

// conn is one connection after its handshake. All fields below nc are guarded by the client's mu, or fixed.
type conn struct {
	c       *Client
	nc      net.Conn
	number  int
	server  Server
	ended   chan struct{} // closed by read when it returns
	pending []*Request    // in the order sent; the replies come in the same order
	leaving bool          // Disconnect was called
	closed  bool          // the answer to a closeSession has come: the server will end the connection
}

// read takes frames until the connection ends, and then makes an end of its requests. It is the connection's only
// goroutine, and ends with the socket.
func (cn *conn) read() {
	defer close(cn.ended)
	in := bufio.NewReaderSize(cn.nc, 8<<10)
	var err error
	for err == nil {
		var frame []byte
		if frame, err = readFrame(in); err == nil {
			err = cn.take(frame)
		}
	}
	cn.nc.Close()

	c := cn.c
	c.mu.Lock()
	defer c.mu.Unlock()
	rec := history.Record{Kind: history.Lost, At: c.o.Clock(), Conn: cn.number, Server: cn.server.SID, Value: err.Error()}
	switch {
	case errors.Is(err, errBroken):
		rec.Kind = history.Broken
	case cn.leaving || cn.closed:
		rec.Kind, rec.Value = history.Left, ""
	}
	c.records = append(c.records, rec)
	c.conn = nil
	for _, r := range cn.pending {
		r.err = ErrLost
		close(r.done)
	}
	cn.pending = nil
}

// readFrame reads a length and so many bytes.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || n > maxReplyBytes {
		return nil, fmt.Errorf("%w: frame of %d bytes", errBroken, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b, nil
}

// take records one frame and finishes the request that it answers.
func (cn *conn) take(frame []byte) error {
	d := protocol.NewDecoder(frame)
	var head protocol.ReplyHeader
	head.Decode(&d)
	c := cn.c
	c.mu.Lock()
	defer c.mu.Unlock()
	rec := history.Record{Kind: history.Reply, At: c.o.Clock(), Conn: cn.number, Server: cn.server.SID, Zxid: head.Zxid,
		Err: head.Err}

	if head.Xid == protocol.XidNotification {
		var e protocol.WatcherEvent
		e.Decode(&d)
		if d.Err() != nil || e.State != protocol.StateSyncConnected || d.Remaining() != 0 {
			return fmt.Errorf("%w: event %x", errBroken, frame)
		}
		rec.Kind, rec.Event, rec.Path = history.Event, e.Type, e.Path
		c.records = append(c.records, rec)
		c.watches.fired(&rec)
		return nil
	}

	if d.Err() != nil || len(cn.pending) == 0 {
		return fmt.Errorf("%w: frame without a request: %x", errBroken, frame)
	}
	r := cn.pending[0]
	call := &c.records[r.index]
	if head.Xid != call.Xid {
		return fmt.Errorf("%w: reply to xid %d, the oldest request is %d", errBroken, head.Xid, call.Xid)
	}
	rec.Xid, rec.Op, rec.Path, rec.Flags, rec.Version, rec.Call = call.Xid, call.Op, call.Path, call.Flags, call.Version,
		r.index
	if head.Err == protocol.ErrOK {
		decodeBody(&d, &rec)
	}
	if d.Err() != nil || d.Remaining() != 0 {
		return fmt.Errorf("%w: reply to %v (%v, %d bytes left): %x", errBroken, rec.Op, d.Err(), d.Remaining(), frame)
	}
	c.records = append(c.records, rec)
	cn.pending = cn.pending[1:]
	c.lastZxid = max(c.lastZxid, head.Zxid)
	if call.Watch {
		c.watches.set(&rec)
	}
	if rec.Op == protocol.OpCloseSession && rec.OK() {
		cn.closed = true
	}
	r.reply = rec
	if head.Err != protocol.ErrOK {
		r.err = head.Err
	}
	close(r.done)
	return nil
}

// decodeBody reads the body of a good reply.
func decodeBody(d *protocol.Decoder, rec *history.Record) {
	switch rec.Op {
	case protocol.OpCreate2:
		rec.Path = d.Path()
		decodeStat(d, rec)
	case protocol.OpSetData, protocol.OpExists:
		decodeStat(d, rec)
	case protocol.OpGetData:
		rec.Value = string(d.Buffer())
		decodeStat(d, rec)
	case protocol.OpReconfig: // its stat is of a znode that no call names
		rec.Value = string(d.Buffer())
		new(protocol.Stat).Decode(d)
	case protocol.OpGetChildren2:
		rec.Children = d.Strings()
		decodeStat(d, rec)
	case protocol.OpSync:
		d.StringNull()
	}
}

func decodeStat(d *protocol.Decoder, rec *history.Record) {
	rec.Stat = new(protocol.Stat)
	rec.Stat.Decode(d)
}
