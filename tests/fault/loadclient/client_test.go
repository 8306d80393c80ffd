package loadclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
)

// fakeServer is the other end of a connection, driven by the test: it reads what it is told to and answers by hand.
type fakeServer struct {
	t  *testing.T
	nc net.Conn
}

// read reads one frame.
func (s *fakeServer) read() protocol.Decoder {
	s.t.Helper()
	b, err := readFrame(s.nc)
	if err != nil {
		s.t.Errorf("server reads: %v", err)
	}
	return protocol.NewDecoder(b)
}

// request reads a request's header.
func (s *fakeServer) request() protocol.RequestHeader {
	s.t.Helper()
	d := s.read()
	var h protocol.RequestHeader
	h.Decode(&d)
	return h
}

func (s *fakeServer) write(parts ...func([]byte) []byte) {
	s.t.Helper()
	b, mark := protocol.BeginFrame(nil)
	for _, p := range parts {
		b = p(b)
	}
	if _, err := s.nc.Write(protocol.EndFrame(b, mark)); err != nil {
		s.t.Errorf("server writes: %v", err)
	}
}

func (s *fakeServer) reply(xid int32, zxid int64, code protocol.ErrCode, body ...func([]byte) []byte) {
	s.t.Helper()
	h := protocol.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}
	s.write(append([]func([]byte) []byte{h.Append}, body...)...)
}

func (s *fakeServer) event(zxid int64, e protocol.WatcherEvent) {
	s.t.Helper()
	h := protocol.ReplyHeader{Xid: protocol.XidNotification, Zxid: zxid}
	s.write(h.Append, e.Append)
}

// newPair is a client and, for each of its connections, a server end.
func newPair(t *testing.T) (*Client, chan *fakeServer) {
	servers := make(chan *fakeServer, 4)
	began := time.Now()
	c := New(Options{Name: "c", Clock: func() time.Duration { return time.Since(began) },
		Dial: func(context.Context, string) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { far.Close() })
			servers <- &fakeServer{t, far}
			return near, nil
		}})
	t.Cleanup(c.Disconnect)
	return c, servers
}

// accept answers the handshake of the next connection, and returns its server end and what the client asked.
func accept(t *testing.T, c *Client, servers chan *fakeServer, r protocol.ConnectResponse) (*fakeServer,
	protocol.ConnectRequest, error) {
	t.Helper()
	type result struct {
		s *fakeServer
		q protocol.ConnectRequest
	}
	done := make(chan result, 1)
	go func() {
		s := <-servers
		d := s.read()
		var q protocol.ConnectRequest
		q.Decode(&d)
		s.write(r.Append)
		done <- result{s, q}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := c.Connect(ctx, Server{SID: 3, Addr: "here"})
	got := <-done
	return got.s, got.q, err
}

var granted = protocol.ConnectResponse{Timeout: 4000, SessionID: 0x77, Passwd: []byte("0123456789abcdef"), HasReadOnly: true}

func kinds(c *Client) string {
	var out []history.Kind
	for _, r := range c.History().Records {
		out = append(out, r.Kind)
	}
	return fmt.Sprint(out)
}

func TestRequestsAndReplies(t *testing.T) {
	c, servers := newPair(t)
	s, q, err := accept(t, c, servers, granted)
	if err != nil || q.SessionID != 0 {
		t.Fatalf("connect: %v, asked for session %v", err, q.SessionID)
	}
	go func() { // net.Pipe has no buffer: requests are read as they are sent
		for range 3 {
			s.request()
		}
		stat := protocol.Stat{Czxid: 5, Mzxid: 6}
		path := protocol.PathRequest{Path: "/a0000000000"}
		s.reply(1, 5, protocol.ErrOK, path.Append, stat.Append)
		s.event(6, protocol.WatcherEvent{Type: protocol.EventNodeDataChanged, State: protocol.StateSyncConnected, Path: "/a"})
		s.reply(2, 6, protocol.ErrNoNode)
		s.reply(protocol.XidPing, 6, protocol.ErrOK)
	}()
	create, get, ping := c.Create("/a", "v", protocol.CreateModePersistentSequential), c.GetData("/b", false), c.Ping()
	if r, err := create.Reply(); err != nil || r.Path != "/a0000000000" || r.Stat == nil || r.Stat.Mzxid != 6 || r.Zxid != 5 {
		t.Errorf("create: got %+v, %v", r, err)
	}
	if _, err := get.Reply(); !errors.Is(err, protocol.ErrNoNode) {
		t.Errorf("get: got %v, want NoNode", err)
	}
	if _, err := ping.Reply(); err != nil {
		t.Errorf("ping: %v", err)
	}
	if got, want := kinds(c), "[connected call call call reply event reply reply]"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
	for i, r := range c.History().Records {
		if r.Kind == history.Reply && c.History().Records[r.Call].Xid != r.Xid {
			t.Errorf("record %d is of xid %d and points at xid %d", i, r.Xid, c.History().Records[r.Call].Xid)
		}
	}
}

func TestLossAndReconnect(t *testing.T) {
	c, servers := newPair(t)
	s, _, err := accept(t, c, servers, granted)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 4 {
			s.request()
		}
		s.reply(1, 9, protocol.ErrOK, protocolStat(4))
		s.reply(2, 9, protocol.ErrNoNode)
		s.reply(3, 9, protocol.ErrOK, func(b []byte) []byte { return protocol.AppendStrings(b, nil) }, protocolStat(4))
		s.nc.Close()
	}()
	requests := []*Request{c.Exists("/data", true), c.Exists("/exist", true), c.GetChildren("/child", true)}
	lost := c.SetData("/data", "x", -1)
	for _, r := range requests {
		<-r.Done()
	}
	if _, err := lost.Reply(); !errors.Is(err, ErrLost) {
		t.Errorf("request under way: got %v, want %v", err, ErrLost)
	}
	<-c.Ended()
	if _, err := c.Ping().Reply(); !errors.Is(err, ErrNotConnected) {
		t.Errorf("request without a connection: got %v, want %v", err, ErrNotConnected)
	}

	s, q, err := accept(t, c, servers, granted)
	if err != nil || q.SessionID != 0x77 || string(q.Passwd) != "0123456789abcdef" || q.LastZxidSeen != 9 {
		t.Errorf("reconnect: got %+v, %v", q, err)
	}
	watches := make(chan protocol.SetWatches, 1)
	go func() {
		d := s.read()
		var h protocol.RequestHeader
		var w protocol.SetWatches
		h.Decode(&d)
		w.Decode(&d)
		watches <- w
		s.event(-1, protocol.WatcherEvent{Type: protocol.EventNodeDeleted, State: protocol.StateSyncConnected, Path: "/data"})
		s.reply(h.Xid, 9, protocol.ErrOK)
	}()
	if _, err := c.Rewatch().Reply(); err != nil {
		t.Errorf("setWatches: %v", err)
	}
	w := <-watches
	if w.RelativeZxid != 9 || !slices.Equal(w.Data, []string{"/data"}) || !slices.Equal(w.Exist, []string{"/exist"}) ||
		!slices.Equal(w.Child, []string{"/child"}) {
		t.Errorf("setWatches: got %+v", w)
	}
	c.Disconnect()
	if got, want := kinds(c), "[connected call call call call reply reply reply lost connected call event reply left]"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
}

func protocolStat(zxid int64) func([]byte) []byte {
	return (&protocol.Stat{Czxid: zxid, Mzxid: zxid, Pzxid: zxid}).Append
}

func TestEndOfSession(t *testing.T) {
	c, servers := newPair(t)
	s, _, err := accept(t, c, servers, granted)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		s.reply(s.request().Xid, 4, protocol.ErrOK)
		s.nc.Close()
	}()
	if _, err := c.CloseSession().Reply(); err != nil {
		t.Error(err)
	}
	<-c.Ended()
	if _, _, err := accept(t, c, servers, protocol.ConnectResponse{HasReadOnly: true}); !errors.Is(err, ErrExpired) {
		t.Errorf("connect after the end: got %v, want %v", err, ErrExpired)
	}
	c.Renew()
	if _, q, err := accept(t, c, servers, granted); err != nil || q.SessionID != 0 || q.LastZxidSeen != 0 {
		t.Errorf("connect after Renew: got %+v, %v", q, err)
	}
	if got, want := kinds(c), "[connected call reply left expired connected]"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
}

func TestRefused(t *testing.T) {
	c, servers := newPair(t)
	go func() { s := <-servers; s.read(); s.nc.Close() }()
	if err := c.Connect(t.Context(), Server{SID: 1}); !errors.Is(err, ErrRefused) {
		t.Errorf("closed without an answer: got %v, want %v", err, ErrRefused)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	go func() { s := <-servers; s.read() }()
	if err := c.Connect(ctx, Server{SID: 1}); !errors.Is(err, ErrRefused) {
		t.Errorf("no answer: got %v, want %v", err, ErrRefused)
	}
	if got, want := kinds(c), "[refused refused]"; got != want {
		t.Errorf("history: got %s, want %s", got, want)
	}
}

func TestBrokenStreams(t *testing.T) {
	tests := []struct {
		name string
		send func(s *fakeServer)
	}{
		{"another's xid", func(s *fakeServer) { s.reply(2, 5, protocol.ErrOK, protocolStat(1)) }},
		{"no reply was due", func(s *fakeServer) {
			s.reply(1, 5, protocol.ErrOK, protocolStat(1))
			s.reply(1, 5, protocol.ErrOK, protocolStat(1))
		}},
		{"body too short", func(s *fakeServer) { s.reply(1, 5, protocol.ErrOK) }},
		{"body too long", func(s *fakeServer) { s.reply(1, 5, protocol.ErrOK, protocolStat(1), protocolStat(1)) }},
		{"body with an error", func(s *fakeServer) { s.reply(1, 5, protocol.ErrNoNode, protocolStat(1)) }},
		{"no header", func(s *fakeServer) { s.write(func(b []byte) []byte { return append(b, 1, 2, 3) }) }},
		{"negative length", func(s *fakeServer) { s.nc.Write([]byte{0xff, 0xff, 0xff, 0xfe}) }},
		{"bad event", func(s *fakeServer) { s.event(5, protocol.WatcherEvent{Type: 1, State: 0, Path: "/x"}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, servers := newPair(t)
			s, _, err := accept(t, c, servers, granted)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				s.request()
				tt.send(s)
			}()
			c.Exists("/x", false)
			<-c.Ended()
			records := c.History().Records
			if last := records[len(records)-1]; last.Kind != history.Broken {
				t.Errorf("last record: got %+v, want a broken stream", last)
			}
		})
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, byte(4))
	f.Add((&protocol.WatcherEvent{Type: 1, State: 3, Path: "/x"}).Append(
		(&protocol.ReplyHeader{Xid: protocol.XidNotification}).Append(nil)), byte(0))
	ops := []protocol.OpCode{protocol.OpCreate2, protocol.OpSetData, protocol.OpGetData, protocol.OpGetChildren2,
		protocol.OpSync, protocol.OpCloseSession, protocol.OpSetWatches}
	f.Fuzz(func(t *testing.T, frame []byte, op byte) {
		c := New(Options{Name: "c", Clock: func() time.Duration { return 0 }})
		r := &Request{done: make(chan struct{})}
		c.records = []history.Record{{Kind: history.Call, Xid: 1, Op: ops[int(op)%len(ops)], Path: "/x", Watch: true}}
		cn := &conn{c: c, pending: []*Request{r}}
		if err := cn.take(frame); err != nil && !errors.Is(err, errBroken) {
			t.Errorf("take: got %v, want nil or %v", err, errBroken)
		}
	})
}
