//go:build interop

package interop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/tests/harness"
	"zooraft/tests/interop/differ"
)

// rawConn is a connection on which a test says exactly what goes over it.
type rawConn struct {
	t  *testing.T
	nc net.Conn
}

// dialRaw connects; to be cut off at once is no error.
func dialRaw(t *testing.T, addr string) *rawConn {
	t.Helper()
	nc, err := differ.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(15 * time.Second))
	return &rawConn{t, nc}
}

// bytes sends b as it is. A server that has closed already is not the sender's fault.
func (w *rawConn) bytes(b ...byte) { w.nc.Write(b) }

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

func requestFrame(xid int32, op protocol.OpCode, body interface{ Append([]byte) []byte }) []byte {
	h := protocol.RequestHeader{Xid: xid, Op: op}
	b := h.Append(nil)
	if body != nil {
		b = body.Append(b)
	}
	return framed(b)
}

func (w *rawConn) send(xid int32, op protocol.OpCode, body interface{ Append([]byte) []byte }) {
	w.bytes(requestFrame(xid, op, body)...)
}

// next says in a word what comes: a reply as "xid:code", "closed", or "silent" after a moment.
func (w *rawConn) next() string {
	h, _, end := w.reply()
	if end != "" {
		return end
	}
	return fmt.Sprintf("%d:%d", h.Xid, h.Err)
}

func (w *rawConn) reply() (h protocol.ReplyHeader, body []byte, end string) {
	b, end := w.frame()
	if end != "" {
		return h, nil, end
	}
	d := protocol.NewDecoder(b)
	h.Decode(&d)
	return h, b[16:], ""
}

func (w *rawConn) frame() ([]byte, string) {
	var head [4]byte
	if _, err := io.ReadFull(w.nc, head[:]); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return nil, "silent"
		}
		return nil, "closed"
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(w.nc, b); err != nil {
		w.t.Fatalf("half a frame: %v", err)
	}
	return b, ""
}

// session opens or renews a session and says whether that came off.
func (w *rawConn) session(of protocol.ConnectResponse) (protocol.ConnectResponse, bool) {
	w.t.Helper()
	req := protocol.ConnectRequest{Timeout: 10000, SessionID: of.SessionID, Passwd: of.Passwd, HasReadOnly: true}
	if req.Passwd == nil {
		req.Passwd = make([]byte, 16)
	}
	w.bytes(framed(req.Append(nil))...)
	b, end := w.frame()
	if end != "" {
		return protocol.ConnectResponse{}, false
	}
	var r protocol.ConnectResponse
	d := protocol.NewDecoder(b)
	if r.Decode(&d); d.Err() != nil {
		w.t.Fatal(d.Err())
	}
	r.Passwd = slices.Clone(r.Passwd)
	return r, r.SessionID != 0
}

func openWire(t *testing.T, addr string) *rawConn {
	t.Helper()
	w := dialRaw(t, addr)
	if _, ok := w.session(protocol.ConnectResponse{}); !ok {
		t.Fatal("no session")
	}
	return w
}

// opens says how many of n new sessions are given.
func opens(t *testing.T, addr string, n int) (given int) {
	for range n {
		if _, ok := dialRaw(t, addr).session(protocol.ConnectResponse{}); ok {
			given++
		}
	}
	return given
}

// awaitOpen opens a session as soon as it is given: the server may not have seen yet that another connection has gone.
func awaitOpen(t *testing.T, addr string) (w *rawConn) {
	t.Helper()
	eventually(t, "one more session", func() error {
		w = dialRaw(t, addr)
		if _, ok := w.session(protocol.ConnectResponse{}); !ok {
			return errors.New("refused")
		}
		return nil
	})
	return w
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func openCreate(path string, size int) *protocol.CreateRequest {
	return &protocol.CreateRequest{Path: path, Data: make([]byte, size), ACL: protocol.OpenACL}
}

// TestLimits sets each limit and meets it.
func TestLimits(t *testing.T) {
	const ensembleProvider = "authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider"
	ping := func(w *rawConn, xid int32) { w.send(xid, protocol.OpPing, nil) }
	root := &protocol.PathWatchRequest{Path: "/"}
	for _, tt := range []struct {
		name  string
		lines []string
		defs  []string
		test  func(t *testing.T, addr string)
	}{
		{"maxClientCnxns", []string{"maxClientCnxns=2"}, nil, func(t *testing.T, addr string) {
			a, b := awaitOpen(t, addr), awaitOpen(t, addr)
			expect(t, "third", dialRaw(t, addr).next(), "closed")
			b.nc.Close()
			awaitOpen(t, addr)
			expect(t, "third again", opens(t, addr, 1), 0)
			ping(a, 1)
			expect(t, "the first", a.next(), "-2:0")
		}},
		{"maxCnxns, the file over a property", []string{"maxCnxns=2"}, []string{"zookeeper.maxCnxns=1"}, func(t *testing.T, addr string) {
			awaitOpen(t, addr)
			awaitOpen(t, addr)
			expect(t, "more sessions", opens(t, addr, 2), 0)
		}},
		{"keys that are no properties", nil, []string{"zookeeper.maxClientCnxns=1", "zookeeper.maxSessionTimeout=5000"}, func(t *testing.T, addr string) {
			expect(t, "sessions", opens(t, addr, 3), 3)
			r, _ := dialRaw(t, addr).session(protocol.ConnectResponse{})
			expect(t, "timeout", r.Timeout, 10000)
		}},
		{"connection throttle", []string{"connection_throttle_tokens=3", "connection_throttle_fill_time=1000000"}, nil, func(t *testing.T, addr string) {
			w := dialRaw(t, addr)
			s, _ := w.session(protocol.ConnectResponse{})
			expect(t, "new sessions", opens(t, addr, 5), 2)
			_, ok := dialRaw(t, addr).session(s)
			expect(t, "renewed", ok, false)
			ping(w, 1)
			expect(t, "the first", w.next(), "-2:0")
		}},
		{"connection throttle, refilled", []string{"connection_throttle_tokens=1", "connection_throttle_fill_time=300"}, nil, func(t *testing.T, addr string) {
			time.Sleep(700 * time.Millisecond) // the first fill time counts from the server's start, the next from a session
			for _, when := range []string{"at first", "after two fill times"} {
				began := time.Now()
				given := opens(t, addr, 3)
				most := 1 + int(time.Since(began)/(300*time.Millisecond)) // a busy machine takes its time, and tokens come meanwhile
				if given < 1 || given > most {
					t.Errorf("%s: got %d sessions, want 1 to %d", when, given, most)
				}
				time.Sleep(700 * time.Millisecond)
			}
		}},
		{"connection throttle, weighted", []string{"connection_throttle_tokens=2", "connection_throttle_fill_time=1000000",
			"connection_throttle_weight_enabled=true"}, nil, func(t *testing.T, addr string) {
			s, _ := dialRaw(t, addr).session(protocol.ConnectResponse{}) // 3 of 6
			_, ok := dialRaw(t, addr).session(s)                         // 2
			expect(t, "renewed", ok, true)
			expect(t, "new", opens(t, addr, 1), 0)
			_, ok = dialRaw(t, addr).session(s)
			expect(t, "renewed again", ok, false)
		}},
		{"large requests", []string{"largeRequestThreshold=100", "largeRequestMaxBytes=300"}, nil, func(t *testing.T, addr string) {
			w := openWire(t, addr)
			w.send(1, protocol.OpCreate, openCreate("/a", 150))
			expect(t, "one", w.next(), "1:0")
			whole := requestFrame(2, protocol.OpCreate, openCreate("/b", 0))
			w.send(2, protocol.OpCreate, openCreate("/b", 300+4-len(whole)))
			expect(t, "all there is", w.next(), "2:0")
			w.send(3, protocol.OpCreate, openCreate("/c", 301+4-len(whole)))
			expect(t, "one more", w.next(), "closed")
			w = openWire(t, addr)
			w.bytes(0, 0, 1, 45) // 301
			expect(t, "announced", w.next(), "closed")
			w = dialRaw(t, addr)
			w.bytes(0, 0, 1, 45)
			expect(t, "announced as the first", w.next(), "closed")
		}},
		{"sessionless", []string{"nio.sessionlessCnxnTimeout=1000"}, nil, func(t *testing.T, addr string) {
			for _, sent := range []string{"", "ru", "\x00\x00\x00\x2d\x00"} {
				begin := time.Now()
				w := dialRaw(t, addr)
				w.bytes([]byte(sent)...)
				expect(t, fmt.Sprintf("after %q", sent), w.next(), "closed")
				if d := time.Since(begin); d < 900*time.Millisecond || d > 7*time.Second { // without the line it would be 10 s
					t.Errorf("after %q: closed in %v", sent, d)
				}
			}
		}},
		{"jute.maxbuffer", nil, []string{"jute.maxbuffer=100"}, func(t *testing.T, addr string) {
			whole := requestFrame(1, protocol.OpCreate, openCreate("/a", 0))
			w := openWire(t, addr)
			w.send(1, protocol.OpCreate, openCreate("/a", 100+4-len(whole)))
			expect(t, "as much as may be", w.next(), "1:0")
			w.send(2, protocol.OpGetData, &protocol.PathWatchRequest{Path: "/a"})
			expect(t, "a longer reply", w.next(), "2:0")
			w.send(3, protocol.OpCreate, openCreate("/b", 101+4-len(whole)))
			expect(t, "one byte more", w.next(), "closed")
		}},
		{"jute.maxbuffer below a handshake", nil, []string{"jute.maxbuffer=44"}, func(t *testing.T, addr string) {
			expect(t, "sessions", opens(t, addr, 1), 0)
		}},
		{"throttled operations", []string{"request_throttle_max_requests=1", "throttled_op_wait_time=2"}, nil, func(t *testing.T, addr string) {
			w := openWire(t, addr)
			var all []byte
			const n = 1000
			for xid := int32(1); xid <= n; xid++ {
				all = append(all, requestFrame(xid, protocol.OpCreate, openCreate(fmt.Sprint("/t", xid), 20))...)
			}
			all = append(all, requestFrame(-2, protocol.OpPing, nil)...)
			all = append(all, requestFrame(n+1, protocol.OpCloseSession, nil)...)
			go w.nc.Write(all)
			done, late := 0, 0
			for xid := int32(1); xid <= n; xid++ {
				h, body, end := w.reply()
				switch {
				case end != "" || h.Xid != xid || h.Err == protocol.ErrThrottledOp && len(body) > 0:
					t.Fatalf("got %+v %x %s, want xid %d", h, body, end, xid)
				case h.Err == protocol.ErrThrottledOp:
					late++
				default:
					done++
				}
			}
			if late == 0 {
				t.Error("nothing was late")
			}
			expect(t, "ping", w.next(), "-2:0")
			expect(t, "close", w.next(), fmt.Sprintf("%d:0", n+1))
			expect(t, "end", w.next(), "closed")
			v := openWire(t, addr)
			var body []byte
			eventually(t, "a count that is not late itself", func() error {
				v.send(1, protocol.OpGetAllChildrenNumber, &protocol.PathRequest{Path: "/"})
				h, b, end := v.reply()
				if body = b; end != "" || h.Err != protocol.ErrOK {
					return fmt.Errorf("%+v %s", h, end)
				}
				return nil
			})
			expect(t, "nodes", int(binary.BigEndian.Uint32(body)), 3+done)
		}},
		{"enforced authentication", []string{"enforce.auth.enabled=true", "enforce.auth.schemes=digest", ensembleProvider}, nil, func(t *testing.T, addr string) {
			for _, op := range []protocol.OpCode{protocol.OpPing, protocol.OpExists, protocol.OpCreate, protocol.OpCloseSession, protocol.OpSetWatches, 99} {
				w := openWire(t, addr)
				w.bytes(append(requestFrame(9, op, root), requestFrame(10, protocol.OpExists, root)...)...)
				expect(t, op.String(), w.next(), "9:-124")
				expect(t, op.String()+", then", w.next(), "closed")
			}
			w := openWire(t, addr)
			w.send(1, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}})
			w.send(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ip"})
			w.send(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ensemble"})
			w.send(2, protocol.OpExists, root)
			var all []string
			for range 5 {
				all = append(all, w.next())
			}
			expect(t, "sasl, ip, ensemble", strings.Join(all, " "), "1:0 -4:0 -4:0 2:-124 closed")
			w = openWire(t, addr)
			w.send(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "digest", Auth: []byte("u:p")})
			w.send(2, protocol.OpExists, root)
			expect(t, "digest", w.next()+" "+w.next(), "-4:0 2:0")
		}},
		{"enforced, and everybody has it", []string{"enforce.auth.enabled=true", "enforce.auth.schemes= digest , ip"}, nil, func(t *testing.T, addr string) {
			w := openWire(t, addr)
			w.send(2, protocol.OpExists, root)
			expect(t, "ip", w.next(), "2:0")
		}},
		{"SASL required", []string{"sessionRequireClientSASLAuth=true", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}, nil,
			func(t *testing.T, addr string) {
				w := openWire(t, addr)
				w.send(1, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}})
				w.send(2, protocol.OpExists, root)
				expect(t, "without a login", w.next()+" "+w.next()+" "+w.next(), "1:0 2:-124 closed")
			}},
		{"ensemble", []string{ensembleProvider, "ensembleAuthName=a, b"}, nil, func(t *testing.T, addr string) {
			for _, c := range []struct {
				auth []byte
				want string
			}{{nil, "-4:0"}, {[]byte{}, "-4:0"}, {[]byte("a"), "-4:0"}, {[]byte("b"), "-4:0"}, {[]byte("c"), "closed"}, {[]byte(" b"), "closed"}} {
				w := openWire(t, addr)
				w.send(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ensemble", Auth: c.auth})
				expect(t, fmt.Sprintf("%q", c.auth), w.next(), c.want)
			}
		}},
		{"ensemble without its provider", []string{"ensembleAuthName=a"}, nil, func(t *testing.T, addr string) {
			w := openWire(t, addr)
			w.send(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "ensemble", Auth: []byte("a")})
			expect(t, "auth", w.next()+" "+w.next(), "-4:-115 closed")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := startWith(t, harness.Options{Lines: tt.lines, Defines: tt.defs})
			tt.test(t, e.Server(1).ClientAddr)
		})
	}
}

// TestPortEdges asks what a server without any of these limits makes of odd words, packets and orders.
func TestPortEdges(t *testing.T) {
	e := startWith(t, harness.Options{})
	addr := e.Server(1).ClientAddr
	root := &protocol.PathWatchRequest{Path: "/"}

	for _, tt := range []struct{ name, send, want string }{
		{"word", "ruok", "imok"}, {"line", "ruok\n", "imok"}, {"two words", "ruoksrvr", "imok"}, {"upper case", "RUOK", ""},
		{"telnet", "\xff\xf4\xff\xfd", ""}, {"half a word", "ruo", ""}, {"nothing", "", ""},
	} {
		w := dialRaw(t, addr)
		w.bytes([]byte(tt.send)...)
		w.nc.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(w.nc)
		expect(t, tt.name, string(got), tt.want)
	}
	w := dialRaw(t, addr)
	w.bytes('r', 'u')
	time.Sleep(50 * time.Millisecond)
	w.bytes('o', 'k')
	got, _ := io.ReadAll(w.nc)
	expect(t, "a word in two parts", string(got), "imok")
	w = openWire(t, addr)
	w.bytes('r', 'u', 'o', 'k')
	expect(t, "a word in a session", w.next(), "closed")

	raw := func(op protocol.OpCode, body ...byte) []byte {
		return framed(append(requestFrame(7, op, nil)[4:], body...))
	}
	auth := func(scheme string, data []byte) []byte {
		return requestFrame(7, protocol.OpAuth, &protocol.AuthPacket{Scheme: scheme, Auth: data})
	}
	for _, tt := range []struct {
		name string
		send []byte
		want string // what comes before the reply to a request behind it, or closed
	}{
		{"digest", auth("digest", []byte("u:p")), "7:0 9:0"},
		{"digest, empty", auth("digest", []byte{}), "7:0 9:0"},
		{"digest, null", auth("digest", nil), "7:-115 closed"},
		{"digest, another case", auth("Digest", []byte("u:p")), "7:-115 closed"},
		{"digest, another type", raw(protocol.OpAuth, append([]byte{0, 0, 0, 9}, auth("digest", []byte("u:p"))[16:]...)...), "7:0 9:0"},
		{"digest and more bytes", raw(protocol.OpAuth, append(auth("digest", []byte("u:p"))[12:], 1, 2)...), "7:0 9:0"},
		{"ip", auth("ip", nil), "7:0 9:0"},
		{"ip with data", auth("ip", []byte("1.2.3.4")), "7:0 9:0"},
		{"world", auth("world", []byte("anyone")), "7:-115 closed"},
		{"auth", auth("auth", []byte{}), "7:-115 closed"},
		{"super", auth("super", []byte("x")), "7:-115 closed"},
		{"sasl", auth("sasl", []byte("x")), "7:-115 closed"},
		{"x509", auth("x509", nil), "7:-115 closed"},
		{"ensemble", auth("ensemble", []byte("x")), "7:-115 closed"},
		{"empty scheme", auth("", []byte("x")), "7:-115 closed"},
		{"null scheme", raw(protocol.OpAuth, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1, 'x'), "7:-115 closed"},
		{"scheme of negative length", raw(protocol.OpAuth, 0, 0, 0, 0, 255, 255, 255, 254), "closed"},
		{"no data", raw(protocol.OpAuth, 0, 0, 0, 0, 0, 0, 0, 2, 'i', 'p'), "closed"},
		{"no body", raw(protocol.OpAuth), "closed"},
		{"sasl token", requestFrame(7, protocol.OpSASL, &protocol.SASLPacket{Token: []byte("x")}), "7:0 9:0"},
		{"sasl, null token", requestFrame(7, protocol.OpSASL, &protocol.SASLPacket{}), "closed"},
		{"sasl, half a token", raw(protocol.OpSASL, 0, 0), "closed"},
		{"short header", framed([]byte{0, 0, 0, 1}), "closed"},
		{"empty frame", framed(nil), "closed"},
	} {
		w := openWire(t, addr)
		w.bytes(tt.send...)
		got := w.next()
		if got != "closed" {
			w.send(9, protocol.OpExists, root)
			got += " " + w.next()
		}
		expect(t, tt.name, got, tt.want)
	}

	// A failed auth ends the connection whatever stands behind it.
	w = openWire(t, addr)
	w.bytes(slices.Concat(requestFrame(-2, protocol.OpPing, nil), auth("nope", nil), requestFrame(9, protocol.OpExists, root))...)
	var all []string
	for end := ""; end != "closed"; {
		end = w.next()
		all = append(all, end)
	}
	if s := strings.Join(all, " "); s != "-2:0 7:-115 closed" && s != "7:-115 -2:0 closed" && s != "7:-115 closed" {
		t.Errorf("behind a failed auth: %s", s)
	}
}

// TestLeaderServesNot: with leaderServes=no the leader takes no clients and the followers do, also when another leads.
func TestLeaderServesNot(t *testing.T) {
	e := harness.NewZooraft(t, harness.Options{Size: 3, Lines: []string{"leaderServes=no"}})
	if os.Getenv("ZOORAFT_ORACLE") == "1" {
		e = harness.NewZooKeeper(t, zooKeeperJars(t), harness.Options{Size: 3, Lines: []string{"leaderServes=no"}})
	}
	for sid := 1; sid <= 3; sid++ {
		e.Start(sid)
	}
	const refuses = "This ZooKeeper instance is not currently serving requests\n"
	word := func(sid int, word string) string {
		nc, err := net.DialTimeout("tcp", e.Server(sid).ClientAddr, 10*time.Second)
		if err != nil {
			return ""
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(nc, word)
		b, _ := io.ReadAll(nc)
		return string(b)
	}
	// leader waits until all that live but one follow, and returns that one.
	leader := func(live ...int) int {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			followers, one := 0, 0
			for _, sid := range live {
				switch s := word(sid, "srvr"); {
				case strings.Contains(s, "Mode: follower"):
					followers++
				case s == refuses:
					one = sid
				}
			}
			if followers == len(live)-1 && one != 0 {
				return one
			}
		}
		t.Fatal("no leader that takes no clients")
		return 0
	}
	check := func(live ...int) int {
		t.Helper()
		lead := 0
		// Who still takes itself for a follower of a dead leader gives no session.
		harness.Eventually(t, clientTimeout, "sessions of all but the leader", func() error {
			lead = leader(live...)
			for _, sid := range live {
				if sid != lead && opens(t, e.Server(sid).ClientAddr, 1) != 1 {
					return fmt.Errorf("none of %d", sid)
				}
			}
			return nil
		})
		expect(t, "ruok", word(lead, "ruok"), "imok")
		expect(t, "isro", word(lead, "isro"), "null")
		expect(t, "sessions of the leader", opens(t, e.Server(lead).ClientAddr, 1), 0)
		return lead
	}
	first := check(1, 2, 3)
	var rest []int
	held := map[int]*rawConn{}
	for sid := 1; sid <= 3; sid++ {
		if sid != first {
			rest = append(rest, sid)
			held[sid] = openWire(t, e.Server(sid).ClientAddr)
		}
	}
	e.Kill(first)
	second := check(rest...)
	held[second].nc.SetDeadline(time.Now().Add(15 * time.Second))
	expect(t, "a connection of who leads now", held[second].next(), "closed")
}
