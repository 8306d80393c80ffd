package bench

import (
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zooraft/protocol"
)

// fakeServer speaks enough of the protocol for every workload: it keeps the
// paths of znodes and who watches them, and no data.
type fakeServer struct {
	addr string
	ln   net.Listener
	wg   sync.WaitGroup

	// answer may take over an answer: it returns the reply's bytes, and false to
	// have the usual one. It is called by one goroutine for each connection.
	answer func(h protocol.RequestHeader, path string) ([]byte, bool)
	// refuse says whether to refuse a session.
	refuse func(id protocol.SessionID) bool

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	nodes    map[string]bool
	children map[string]map[string]bool // names by parent
	watches  map[string][]*fakeConn
	sessions int64 // granted
	counts   map[protocol.OpCode]int
	sequence int
}

// fakeConn is a connection that may get events from others.
type fakeConn struct {
	mu sync.Mutex
	nc net.Conn
}

func (c *fakeConn) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc.Write(b) // an error shows at the next read
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{addr: ln.Addr().String(), ln: ln, conns: make(map[net.Conn]struct{}), nodes: map[string]bool{"": true},
		children: make(map[string]map[string]bool), watches: make(map[string][]*fakeConn), counts: make(map[protocol.OpCode]int)}
	s.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[nc] = struct{}{}
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(&fakeConn{nc: nc}) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.dropAll()
		s.wg.Wait()
	})
	return s
}

// dropAll closes all connections.
func (s *fakeServer) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
	}
}

func (s *fakeServer) count(op protocol.OpCode) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[op]
}

// left is how many znodes there are.
func (s *fakeServer) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.nodes) - 1
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func replyFrame(xid int32, code protocol.ErrCode, body record) []byte {
	b, mark := protocol.BeginFrame(nil)
	b = (&protocol.ReplyHeader{Xid: xid, Zxid: 1, Err: code}).Append(b)
	if body != nil && code == protocol.ErrOK {
		b = body.Append(b)
	}
	return protocol.EndFrame(b, mark)
}

// strs is a vector of strings as a record.
type strs []string

func (v strs) Append(b []byte) []byte { return protocol.AppendStrings(b, v) }

func (s *fakeServer) serve(c *fakeConn) {
	defer func() {
		c.nc.Close()
		s.mu.Lock()
		delete(s.conns, c.nc)
		s.mu.Unlock()
	}()
	frame, err := readFrame(c.nc)
	if err != nil {
		return
	}
	var q protocol.ConnectRequest
	d := protocol.NewDecoder(frame)
	q.Decode(&d)
	r := protocol.ConnectResponse{HasReadOnly: true}
	refused := s.refuse != nil && s.refuse(q.SessionID)
	if !refused {
		s.mu.Lock()
		s.sessions++
		r.Timeout, r.SessionID = q.Timeout, q.SessionID
		if r.SessionID == 0 {
			r.SessionID = protocol.SessionID(s.sessions)
		}
		s.mu.Unlock()
	}
	b, mark := protocol.BeginFrame(nil)
	c.write(protocol.EndFrame(r.Append(b), mark))
	if refused {
		return
	}
	for {
		frame, err := readFrame(c.nc)
		if err != nil {
			return
		}
		d := protocol.NewDecoder(frame)
		var h protocol.RequestHeader
		h.Decode(&d)
		path := ""
		if d.Remaining() > 4 && h.Op != protocol.OpMulti {
			path = d.Path()
		}
		if s.answer != nil {
			if b, ok := s.answer(h, path); ok {
				c.write(b)
				continue
			}
		}
		s.apply(c, h, path, &d)
		if h.Op == protocol.OpCloseSession {
			return
		}
	}
}

func (s *fakeServer) apply(c *fakeConn, h protocol.RequestHeader, path string, d *protocol.Decoder) {
	code, body := protocol.ErrOK, record(&protocol.Stat{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[h.Op]++
	exists := s.nodes[path]
	parent, name := "", ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	switch h.Op {
	case protocol.OpPing, protocol.OpCloseSession:
		body = nil
	case protocol.OpMulti:
		ops, err := protocol.DecodeMulti(d)
		if err != nil {
			code = protocol.ErrMarshalling
		}
		for _, op := range ops {
			if !s.nodes[op.SetData.Path] {
				code = protocol.ErrNoNode
			}
		}
		s.counts[protocol.OpSetData] += len(ops)
		body = nil
	case protocol.OpCreate:
		d.Buffer()
		protocol.DecodeACLs(d)
		if protocol.Sequential(d.Int32()) {
			suffix := protocol.SessionID(s.sequence).String()
			path, name = path+suffix, name+suffix
			s.sequence++
			exists = false
		}
		switch {
		case exists:
			code = protocol.ErrNodeExists
		case !s.nodes[parent]:
			code = protocol.ErrNoNode
		default:
			s.nodes[path] = true
			if s.children[parent] == nil {
				s.children[parent] = make(map[string]bool)
			}
			s.children[parent][name] = true
		}
		body = &protocol.PathRequest{Path: path}
	case protocol.OpGetChildren:
		body = strs(slices.Collect(maps.Keys(s.children[path])))
	default:
		if !exists {
			code = protocol.ErrNoNode
			break
		}
		switch h.Op {
		case protocol.OpDelete:
			delete(s.nodes, path)
			delete(s.children[parent], name)
		case protocol.OpGetData:
			if d.Bool() {
				s.watches[path] = append(s.watches[path], c)
			}
		case protocol.OpSetData:
			for _, w := range s.watches[path] {
				w.write(replyFrame(protocol.XidNotification, protocol.ErrOK,
					&protocol.WatcherEvent{Type: protocol.EventNodeDataChanged, State: protocol.StateSyncConnected, Path: path}))
			}
			delete(s.watches, path)
		}
	}
	c.write(replyFrame(h.Xid, code, body))
}

// config is a short run against s.
func (s *fakeServer) config(w Workload) Config {
	return Config{Workload: w, Servers: []string{s.addr}, Duration: 150 * time.Millisecond, Interval: 50 * time.Millisecond, Seed: 1}
}
