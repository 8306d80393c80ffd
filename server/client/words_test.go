package client

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"zooraft/protocol"
)

func readAll(t *testing.T, p *peer) string {
	t.Helper()
	b, err := io.ReadAll(p.nc)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

func TestFourLetterWords(t *testing.T) {
	f := start(t, nil)
	for _, tt := range []struct{ name, send, want string }{
		{"word", "ruok", "I am ruok"},
		{"line", "ruok\n", "I am ruok"},
		{"dos line and more", "ruok\r\n" + strings.Repeat("x", 10000), "I am ruok"},
		{"unknown word", "nope", ""},
		{"upper case", "RUOK", ""},
		{"telnet break", "\xff\xf4\xff\xfd", ""},
		{"nothing", "", ""},
		{"half a word", "ru", ""},
		{"word with an argument", "echoabcdef", "abcd"},
		{"word without its argument", "echoab", ""},
		{"http", "GET / HTTP/1.1\r\n\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := f.dial()
			p.write([]byte(tt.send))
			p.nc.(*net.TCPConn).CloseWrite()
			if b, err := io.ReadAll(p.nc); string(b) != tt.want {
				t.Errorf("answer %q, %v, want %q", b, err, tt.want)
			}
		})
	}
	// The argument may come later than the word.
	p := f.dial()
	p.write([]byte("echo"))
	eventually(t, "the word is there", func() bool { return f.s.Stats().PacketsReceived == 6 })
	p.write([]byte("abcd"))
	if got := readAll(t, p); got != "abcd" {
		t.Errorf("argument in a packet of its own: %q", got)
	}
	if st := f.s.Stats(); st.PacketsReceived != 6 { // what are no words are no packets
		t.Errorf("%d packets received, want the 6 words", st.PacketsReceived)
	}
	f.logs("Processing ruok command from /127.0.0.1:")
	f.logs("with advertised length of 1852797029 is either a malformed message or too large to process (length is greater than jute.maxbuffer=1048575)")
	// Behind the handshake it is a length like any other.
	p = f.connect()
	p.write([]byte("ruok"))
	p.closed()
}

func TestConnectionLimits(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxClientCnxns, c.MaxCnxns = 2, 3 })
	p, q := f.connect(), f.dial() // sockets without a session count
	eventually(t, "both accepted", func() bool { return f.s.Stats().Connections == 2 })
	f.dial().closed()
	f.dial().closed()
	const line = "Too many connections from /127.0.0.1 - max is 2"
	f.logs(line)
	if n := strings.Count(f.log.String(), line); n != 1 {
		t.Errorf("%d lines about the limit, want 1", n)
	}
	q.nc.Close()
	eventually(t, "room again", func() bool { return f.s.Stats().Connections == 1 })
	f.connect()
	p.mustCall(1, protocol.OpExists, get("/"))
}

func TestStats(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	p.mustCall(2, protocol.OpExists, watched("/a"))
	p.send(3, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1})
	p.reply()
	p.reply()
	st := f.s.Stats()
	if st.PacketsReceived != 4 || st.PacketsSent != 5 || st.Connections != 1 || st.Outstanding != 0 {
		t.Errorf("stats %+v, want 4 received, 5 sent, 1 connection", st)
	}
	// header and Stat; header and path: the frames' lengths do not count
	if st.SizeLast != 16+68 || st.SizeMax != 16+68 || st.SizeMin != 16+4+2 {
		t.Errorf("reply sizes %d, %d to %d", st.SizeLast, st.SizeMin, st.SizeMax)
	}
	infos := f.s.Connections()
	if len(infos) != 1 || infos[0].Received != 4 || infos[0].Sent != 5 || infos[0].Session != p.session ||
		infos[0].Remote != "/"+p.nc.LocalAddr().String() {
		t.Errorf("connections %+v", infos)
	}
	q := f.dial()
	q.write([]byte("ruok"))
	readAll(t, q)
	if st := f.s.Stats(); st.PacketsReceived != 5 || st.PacketsSent != 6 {
		t.Errorf("stats after a four-letter word %+v, want 5 received, 6 sent", st)
	}
}

// What is known of a connection's last reply follows ZooKeeper's ServerCnxn and
// FinalRequestProcessor.
func TestLastReply(t *testing.T) {
	f := start(t, nil)
	p := f.connect()
	check := func(name string, op protocol.OpCode, refused bool, xid int32, zxid int64) {
		t.Helper()
		got := f.s.Connections()[0]
		if got.Op != op || got.Refused != refused || got.LastXid != xid || got.LastZxid != zxid || got.Replied != (zxid > 0) || got.LastReply.IsZero() != (zxid <= 0) {
			t.Errorf("%s: %+v, want %v, refused %v, xid %d, zxid %#x", name, got, op, refused, xid, zxid)
		}
	}
	last := func() int64 { return f.s.lastZxid() }
	check("a new session", protocol.OpCreateSession, false, 0, last())
	p.mustCall(protocol.XidPing, protocol.OpPing, nil)
	check("a ping", protocol.OpPing, false, 0, last())
	p.mustCall(1, protocol.OpCreate, create("/a", ""))
	check("a write", protocol.OpCreate, false, 1, last())
	p.call(2, protocol.OpCreate, create("/a", ""))
	check("a write that fails", protocol.OpCreate, true, 2, last())
	p.call(3, protocol.OpGetData, get("/none"))
	check("a read that fails", protocol.OpGetData, false, 3, last())
	p.call(4, protocol.OpSetData, rawBody("x"))
	check("a write that does not decode", protocol.OpSetData, true, 4, last())
	p.mustCall(5, protocol.OpMulti, rawBody(protocol.AppendMulti(nil, []protocol.MultiOp{{Type: protocol.OpDelete, Delete: protocol.DeleteRequest{Path: "/none"}}})))
	check("a multi that fails", protocol.OpMulti, false, 5, last())
	f.s.ResetConnections()
	check("begun anew", protocol.OpError, false, -1, -1)
	f.dial().handshake(p.resume(false))
	eventually(t, "the connection before is gone", func() bool { return len(f.s.Connections()) == 1 })
	check("a session taken up", protocol.OpNotify, false, 0, 0)
}

func TestAddrText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"127.0.0.1:57482", "/127.0.0.1:57482"},
		{"[::1]:2181", "/[0:0:0:0:0:0:0:1]:2181"},
	} {
		if got := addrText(netip.MustParseAddrPort(tt.in)); got != tt.want {
			t.Errorf("addrText(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}
