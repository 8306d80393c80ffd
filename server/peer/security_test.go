package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/tests/testkit"
)

// TestHandshakeSecurity: server 1 calls server 2, at zoo2, from 127.0.0.1. Names but
// localhost are at 127.0.0.9.
func TestHandshakeSecurity(t *testing.T) {
	resolve(t, 0, [4]byte{127, 0, 0, 9})
	ca, other := testkit.NewCA(t), testkit.NewCA(t)
	of := func(ca *testkit.CA, hosts ...string) testkit.PeerTLS {
		return testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue(hosts...).TLS}
	}
	plain := func(s testkit.PeerTLS) testkit.PeerTLS { s.PlainToo = true; return s }
	insecure := func(s testkit.PeerTLS) testkit.PeerTLS { s.DialPlain = true; return s }
	one, two := of(ca, "zoo1"), of(ca, "zoo2")
	const wrongName, elsewhere = "not zoo1", "alice, is not at 127.0.0.1"
	for _, c := range []struct {
		name           string
		caller, callee Security
		sid            int64    // of the caller; 0 for 1
		said           string   // where the caller says that it is dialled
		hosts          []string // where the callee has server 1; nil for zoo1
		purpose        Purpose  // "" for a stream
		calling        string   // a part of the caller's error, "" for none
		answering      string   // and of the callee's
	}{
		{name: "TLS", caller: one, callee: two},
		{name: "plain text", caller: nil, callee: nil},
		{name: "while it moves", caller: one, callee: two, hosts: []string{"zoo9", "zoo1"}},
		{name: "plain text where both are taken", caller: nil, callee: plain(two)},
		{name: "TLS where both are taken", caller: one, callee: plain(two)},
		{name: "before TLS is dialled", caller: insecure(plain(one)), callee: insecure(plain(two))},
		{name: "TLS before the other dials it", caller: plain(one), callee: insecure(plain(two))},
		{name: "plain text where only TLS is taken", caller: nil, callee: two,
			calling: "refused by server 2: the caller speaks plain text, and this server takes only TLS", answering: "the caller speaks plain text, and this server takes only TLS"},
		{name: "TLS where that is not spoken", caller: one, callee: nil,
			calling: "it speaks plain text, and this server TLS: set sslQuorum=true", answering: "the caller speaks TLS, and this server plain text: set sslQuorum=true"},
		{name: "a caller of another authority", caller: testkit.PeerTLS{Trust: ca.Pool, Own: other.Issue("zoo1").TLS}, callee: two,
			calling: "it does not take this server's certificate", answering: "unknown authority"},
		{name: "a callee of another authority", caller: one, callee: testkit.PeerTLS{Trust: ca.Pool, Own: other.Issue("zoo2").TLS},
			calling: "unknown authority", answering: "bad certificate"},
		{name: "a callee that is another server", caller: one, callee: of(ca, "zoo3"), calling: "not zoo2", answering: "bad certificate"},
		{name: "another server's certificate", caller: of(ca, "zoo3"), callee: two, calling: wrongName, answering: wrongName},
		{name: "another server's certificate, with its address", caller: of(ca, "zoo3", "127.0.0.1"), callee: two, calling: wrongName, answering: wrongName},
		{name: "another server's certificate for entries", caller: of(ca, "zoo3"), callee: two, purpose: PurposeAppend, calling: wrongName, answering: wrongName},
		{name: "a member that says where it is", caller: of(ca, "zoo3"), callee: two, said: "zoo3:2888", calling: wrongName, answering: wrongName},
		{name: "another server's certificate where both are taken", caller: of(ca, "zoo3"), callee: plain(two), calling: wrongName, answering: wrongName},
		{name: "a guest", caller: of(ca, "localhost"), callee: two, sid: 7, said: "localhost:2888"},
		{name: "a guest with an address", caller: of(ca, "127.0.0.1"), callee: two, sid: 7, said: "0.0.0.0:2888"},
		{name: "a guest with an address, wherever it says that it is", caller: of(ca, "127.0.0.1"), callee: two, sid: 7, said: "zoo7:2888"},
		{name: "a guest from another host", caller: of(ca, "alice"), callee: two, sid: 250, said: "alice:1", calling: elsewhere, answering: elsewhere},
		{name: "a guest from another host, for Raft", caller: of(ca, "alice"), callee: two, sid: 250, said: "alice:1", purpose: PurposeRaft, calling: elsewhere, answering: elsewhere},
		{name: "a guest from another address", caller: of(ca, "127.0.0.9"), callee: two, sid: 250, said: "127.0.0.9:1",
			calling: "127.0.0.9, is not at 127.0.0.1", answering: "127.0.0.9, is not at 127.0.0.1"},
		{name: "a guest from anywhere", caller: of(ca, "0.0.0.0"), callee: two, sid: 250, said: "0.0.0.0:1", calling: "127.0.0.1", answering: "127.0.0.1"},
		{name: "a member of no known host", caller: of(ca, "localhost"), callee: two, hosts: []string{}, said: "localhost:2888"},
		{name: "a member of no known host, from another", caller: of(ca, "alice"), callee: two, hosts: []string{}, said: "alice:1", calling: elsewhere, answering: elsewhere},
		{name: "a guest with another's name", caller: of(ca, "zoo3"), callee: two, sid: 7, said: "zoo7:2888", calling: "not", answering: "not"},
		{name: "a guest that says nothing", caller: of(ca, "zoo3"), callee: two, sid: 7, calling: "127.0.0.1", answering: "127.0.0.1"},
		{name: "a question", caller: of(ca, "operator"), callee: two, purpose: PurposeStatus},
		{name: "a question of another authority", caller: testkit.PeerTLS{Trust: ca.Pool, Own: other.Issue("operator").TLS}, callee: two, purpose: PurposeStatus,
			calling: "it does not take", answering: "unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.hosts == nil {
				c.hosts = []string{"zoo1"}
			}
			if c.sid == 0 {
				c.sid = 1
			}
			if c.purpose == "" {
				c.purpose = PurposeStream
			}
			own := Identity{SID: c.sid, QuorumAddr: c.said}
			here, there := testkit.TCPPair(t)
			answering := make(chan error, 1)
			go func() {
				conn, id, _, err := Answer(t.Context(), there, callee{
					id: Identity{Cluster: "secret", SID: 2, Disk: "secret"}, hosts: map[int64][]string{1: c.hosts}, security: c.callee,
				})
				if err == nil && id.SID != c.sid {
					err = fmt.Errorf("took the caller for %+v", id)
				}
				if err == nil {
					_, err = conn.Write([]byte("frame"))
				}
				there.Close()
				answering <- err
			}()
			conn, id, err := Call(here, "zoo2", callee{id: own, security: c.caller}, 2, c.purpose)
			if err != nil {
				here.Close()
			}
			answerErr := testkit.Await(t, answering, "answer")
			if c.calling == "" {
				if err != nil || answerErr != nil {
					t.Fatalf("got errors %v and %v, want none", err, answerErr)
				}
				if got, err := io.ReadAll(conn); string(got) != "frame" || err != nil {
					t.Errorf("behind the handshake came %q, %v", got, err)
				}
				return
			}
			for _, e := range []struct {
				side, want string
				got        error
			}{{"caller", c.calling, err}, {"callee", c.answering, answerErr}} {
				if !errors.Is(e.got, ErrRefused) || !strings.Contains(e.got.Error(), e.want) {
					t.Errorf("%s: got error %v, want a refusal with %q", e.side, e.got, e.want)
				}
			}
			if id.Disk != "" || id.Cluster != "" {
				t.Errorf("whoever is refused is told %+v", id)
			}
		})
	}
}

// TestHandshakeBehindSilentNames: a guest hears that its name cannot be looked up.
func TestHandshakeBehindSilentNames(t *testing.T) {
	resolve(t, time.Hour)
	ca := testkit.NewCA(t)
	here, there := testkit.TCPPair(t)
	answering := make(chan error, 1)
	go func() {
		_, _, _, err := Answer(t.Context(), there, callee{id: Identity{SID: 2}, security: testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("zoo2").TLS}})
		there.Close()
		answering <- err
	}()
	own := callee{id: Identity{SID: 7, QuorumAddr: "zoo7:2888"}, security: testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("zoo7").TLS}}
	_, _, err := Call(here, "zoo2", own, 2, PurposeStream)
	for side, err := range map[string]error{"caller": err, "callee": testkit.Await(t, answering, "answer")} {
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "lookup zoo7") {
			t.Errorf("%s: got error %v, want a refusal that names zoo7", side, err)
		}
	}
}

// TestHandshakeSilence: whatever a stranger does not say, it is not waited for beyond the
// handshake's time.
func TestHandshakeSilence(t *testing.T) {
	ca := testkit.NewCA(t)
	s := testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("zoo1").TLS}
	unified := s
	unified.PlainToo = true
	for _, c := range []struct {
		name     string
		security Security
		say      func(net.Conn)
	}{
		{"nothing", s, func(net.Conn) {}},
		{"nothing where plain text is taken", unified, func(net.Conn) {}},
		{"half a record", s, func(conn net.Conn) { conn.Write([]byte(beginsTLS + "\x01\x02\x00half")) }},
		{"plain text", s, func(conn net.Conn) { conn.Write([]byte("stat\n")) }},
		{"nothing behind TLS", s, func(conn net.Conn) { s.Dial(conn, "zoo1") }},
		{"half a hello", s, func(conn net.Conn) {
			if secured, err := s.Dial(conn, "zoo1"); err == nil {
				secured.Write([]byte(handshakeMagic))
			}
		}},
		{"TLS where that is not spoken", nil, func(conn net.Conn) { conn.Write([]byte(beginsTLS + "\x01\x02\x00half a record")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				go func() {
					c.say(here)
					io.Copy(io.Discard, here)
				}()
				start := time.Now()
				_, _, _, err := Answer(t.Context(), there, callee{id: Identity{SID: 2}, security: c.security})
				if err == nil {
					t.Error("it was taken for a server")
				}
				if took := time.Since(start); took != handshakeTimeout {
					t.Errorf("it was waited for %v, want %v", took, handshakeTimeout)
				}
				here.Close()
				there.Close()
			})
		})
	}
}

// securePair is two connected meshes that speak TLS.
func securePair(t *testing.T) (a, b *member) {
	t.Helper()
	ca := testkit.NewCA(t)
	return pairWith(t, testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("127.0.0.1").TLS})
}

func TestMeshSecurity(t *testing.T) {
	a, b := securePair(t)
	wantOrder(t, a, b, 2000)
	s := a.mesh.stream(2)
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if _, ok := conn.(secured); !ok {
		t.Fatalf("the stream is a %T", conn)
	}
	if runtime.GOOS == "linux" {
		testkit.Until(t, "what the kernel says of acknowledgements is seen", func() bool {
			silence, up := a.mesh.Silence(2)
			return up && silence > 0
		})
	}
	b.mesh.Close()
	if gone := testkit.Await(t, a.down, "end of the stream"); !gone {
		t.Errorf("the end of a process was not told from a silent host")
	}
	if got, err := Status(t.Context(), a.mesh.ln.Addr().String(), a.security); err != nil || string(got) != string(a.Status()) {
		t.Errorf("status %q, %v", got, err)
	}
	if got, err := Status(t.Context(), a.mesh.ln.Addr().String(), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("status in plain text %q, %v", got, err)
	}
}

// TestMeshSecurityDiffers: where one side speaks TLS and the other does not, both logs say
// what to set.
func TestMeshSecurityDiffers(t *testing.T) {
	ca := testkit.NewCA(t)
	a, aLog := loggedMember(t, 1, testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("127.0.0.1").TLS})
	b, bLog := loggedMember(t, 2, nil)
	a.mesh.Set([]Member{b.place()})
	b.mesh.Set([]Member{a.place()})
	for log, wants := range map[*testkit.Buffer][]string{
		aLog: {"cannot join a peer: sid=2", "it speaks plain text, and this server TLS: set sslQuorum=true", "refusing a peer: ", "the caller speaks plain text"},
		bLog: {"cannot join a peer: sid=1", "refused by server 1: the caller speaks plain text", "refusing a peer: ", "the caller speaks TLS, and this server plain text: set sslQuorum=true"},
	} {
		for _, want := range wants {
			testkit.Until(t, fmt.Sprintf("%q stands in the log", want), func() bool { return strings.Contains(log.String(), want) })
		}
	}
}

// loggedMember starts a mesh that knows nobody, and returns its log.
func loggedMember(t *testing.T, sid int64, s Security) (*member, *testkit.Buffer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := newMember(sid, ln, s)
	log := new(testkit.Buffer)
	m.mesh = New(ln, nil, m, hclog.New(&hclog.LoggerOptions{Output: log}))
	t.Cleanup(m.mesh.Close)
	m.mesh.Start()
	return m, log
}

// TestSecuredClose: who does not read does not hold up who closes.
func TestSecuredClose(t *testing.T) {
	conn, _ := tlsPair(t)
	tcp := conn.(secured).NetConn()
	for size := 64 << 20; size > 0; size /= 2 { // down to the last byte that the sockets hold
		tcp.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := tcp.Write(make([]byte, size)); err == nil && size > 1<<20 {
			t.Fatalf("%d bytes were taken", size)
		}
	}
	start := time.Now()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second { // tls.Conn takes 5
		t.Errorf("closing took %v", took)
	}
}

// tlsPair is a connection with TLS over the loopback.
func tlsPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ca := testkit.NewCA(t)
	s := testkit.PeerTLS{Trust: ca.Pool, Own: ca.Issue("zoo").TLS}
	dialled, accepted := testkit.TCPPair(t)
	type outcome struct {
		conn net.Conn
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		conn, err := hard(s.Accept(accepted))
		done <- outcome{conn, err}
	}()
	near, err := hard(s.Dial(dialled, "zoo"))
	if err != nil {
		t.Fatal(err)
	}
	o := testkit.Await(t, done, "handshake")
	if o.err != nil {
		t.Fatal(o.err)
	}
	return near, o.conn
}
