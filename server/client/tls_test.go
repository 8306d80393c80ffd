package client

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/tests/testkit"
	"zooraft/zabcompat/metrics"
)

// authority is what a test needs to speak TLS.
type authority struct {
	*testkit.CA
	own testkit.Certificate
}

func newAuthority(t testing.TB) *authority {
	ca := testkit.NewCA(t)
	return &authority{ca, ca.Issue("localhost")}
}

// secure is a Config.Secure that takes clients with certificates and without.
func (a *authority) secure(nc net.Conn) (net.Conn, string, error) {
	c := tls.Server(nc, a.Server(a.own, tls.VerifyClientCertIfGiven))
	if err := c.Handshake(); err != nil {
		return nil, "", err
	}
	if shown := c.ConnectionState().PeerCertificates; len(shown) > 0 {
		return c, shown[0].Subject.String(), nil
	}
	return c, "", nil
}

// start starts a fixture with a port for TLS besides the other one.
func (a *authority) start(t testing.TB, change func(*Config), prepare ...func(*Server)) *fixture {
	return start(t, func(c *Config) {
		c.SecureAddr, c.Secure, c.X509SuperUser, c.Options = "127.0.0.1:0", a.secure, "CN=chief", fsm.X509
		c.Metrics = new(metrics.Metrics)
		if change != nil {
			change(c)
		}
	}, prepare...)
}

// dial speaks TLS, with a certificate unless client is "".
func (a *authority) dial(f *fixture, client string) *peer {
	f.t.Helper()
	var own []testkit.Certificate
	if client != "" {
		own = append(own, a.IssueTo(pkix.Name{CommonName: client}))
	}
	nc, err := tls.Dial("tcp", f.s.SecureAddr().String(), a.Client("localhost", own...))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { nc.NetConn().Close() })
	nc.SetDeadline(time.Now().Add(2 * time.Minute))
	return &peer{t: f.t, nc: nc}
}

// connect opens a session.
func (a *authority) connect(f *fixture, client string) *peer {
	f.t.Helper()
	p := a.dial(f, client)
	if p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true}); p.session == 0 {
		f.t.Fatal("session refused")
	}
	return p
}

// Clients are who their certificates say, and what comes in large parts over TLS
// arrives.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, nil)
	alice, bob, nobody, chief, plain := a.connect(f, "alice"), a.connect(f, "bob"), a.connect(f, ""), a.connect(f, "chief"), f.connect()

	big := strings.Repeat("x", 900<<10)
	if h, _ := alice.call(1, protocol.OpCreate, &protocol.CreateRequest{
		Path: "/a", Data: []byte(big), ACL: []protocol.ACL{{Perms: protocol.PermAll, Scheme: "x509", ID: "CN=alice"}},
	}); h.Err != protocol.ErrOK {
		t.Fatal(h.Err)
	}
	for _, tt := range []struct {
		name string
		p    *peer
		ids  []string
		want protocol.ErrCode
	}{
		{"alice", alice, []string{"ip", "x509"}, protocol.ErrOK},
		{"bob", bob, []string{"ip", "x509"}, protocol.ErrNoAuth},
		{"nobody", nobody, []string{"ip"}, protocol.ErrNoAuth},
		{"chief", chief, []string{"ip", "x509", "super"}, protocol.ErrOK},
		{"plain", plain, []string{"ip"}, protocol.ErrNoAuth},
	} {
		f.s.mu.Lock()
		c := f.s.sessions[tt.p.session]
		f.s.mu.Unlock()
		var ids []string
		for _, id := range c.identities() {
			ids = append(ids, id.Scheme)
		}
		if !slices.Equal(ids, tt.ids) {
			t.Errorf("%s is %v, want %v", tt.name, ids, tt.ids)
		}
		h, body := tt.p.call(2, protocol.OpGetData, get("/a"))
		if h.Err != tt.want || h.Err == protocol.ErrOK && !strings.Contains(string(body), big) {
			t.Errorf("%s reads: %v, %d bytes; want %v", tt.name, h.Err, len(body), tt.want)
		}
	}
	secure := 0
	for _, info := range f.s.Connections() {
		if info.Secure {
			secure++
		}
	}
	if st := f.s.Stats(); secure != 4 || st.Local != 2 || st.Handshakes != 0 {
		t.Errorf("%d connections are secure, %d have no certificate, %d handshakes are under way; want 4, 2 and 0", secure, st.Local, st.Handshakes)
	}

	// Events, and the end with all that was to be said before.
	if h, _ := alice.call(3, protocol.OpExists, watched("/b")); h.Err != protocol.ErrNoNode {
		t.Fatal(h.Err)
	}
	plain.call(3, protocol.OpCreate, create("/b", ""))
	if h, _ := alice.reply(); h.Xid != protocol.XidNotification {
		t.Errorf("got %+v, want an event", h)
	}
	if h, _ := alice.call(4, protocol.OpCloseSession, nil); h.Err != protocol.ErrOK {
		t.Error(h.Err)
	}
	if n, err := alice.nc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end of the session: %d bytes, %v; want the end of the stream", n, err)
	}

	// A session goes from one port to the other.
	plain.nc.Close()
	again := a.dial(f, "alice")
	if r := again.handshake(&protocol.ConnectRequest{Timeout: 10000, SessionID: plain.session, Passwd: plain.passwd}); r.SessionID != plain.session {
		t.Errorf("the session is not taken up over TLS: %+v", r)
	}
}

// Four-letter words are answered within TLS.
func TestWordsOverTLS(t *testing.T) {
	a := newAuthority(t)
	p := a.dial(a.start(t, nil), "")
	p.write([]byte("ruok"))
	if b, err := io.ReadAll(p.nc); string(b) != "I am ruok" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// Who cannot speak TLS loses the connection, and the others feel nothing of it.
func TestUnsuccessfulHandshakes(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, nil, func(s *Server) { s.handshakeTimeout = 100 * time.Millisecond })
	m := f.s.cfg.Metrics
	tcp := func() *peer {
		nc, err := net.Dial("tcp", f.s.SecureAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return &peer{t: t, nc: nc}
	}
	tcp().closed() // it has nothing to say
	if n := m.UnsuccessfulHandshakes.Value(); n != 1 {
		t.Errorf("%d unsuccessful handshakes, want 1", n)
	}
	plain := tcp()
	plain.write(frameOf((&protocol.ConnectRequest{Timeout: 10000, Passwd: make([]byte, 16)}).Append(nil)))
	// It may be told why, in TLS.
	plain.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, plain.nc); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("plain text on the port for TLS: the connection lives on")
	}
	eventually(t, "both have failed", func() bool { return m.UnsuccessfulHandshakes.Value() == 2 })
	f.logs("Unsuccessful handshake")
	a.connect(f, "alice")
}

func TestHandshakesAreBounded(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, func(c *Config) {
		c.Limits = DefaultLimits()
		c.Limits.Handshakes = 1
	})
	slow, err := net.Dial("tcp", f.s.SecureAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is under way", func() bool { return f.s.Stats().Handshakes == 1 })
	over, err := net.Dial("tcp", f.s.SecureAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	(&peer{t: t, nc: over}).closed()
	if n := f.s.cfg.Metrics.TLSHandshakesExceeded.Value(); n != 1 {
		t.Errorf("%d connections beyond the limit, want 1", n)
	}
	f.connect() // plain text has no part in it
	slow.Close()
	eventually(t, "none is under way", func() bool { return f.s.Stats().Handshakes == 0 })
	a.connect(f, "")
}

// On a port for both, who has said nothing yet, or speaks plain text, has no part in
// the bound on handshakes.
func TestOnlyTLSCountsAsHandshake(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, func(c *Config) {
		c.Limits = DefaultLimits()
		c.Limits.Handshakes = 1
		c.Unified, c.SecureAddr = true, ""
		// One letter says what follows it.
		c.BeginsTLS = func(nc net.Conn) (bool, error) {
			var first [1]byte
			_, err := io.ReadFull(nc, first[:])
			return first[0] == 'T', err
		}
	}, func(s *Server) { s.handshakeTimeout = time.Minute })
	begin := func(first string) net.Conn {
		nc, err := net.Dial("tcp", f.s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		if _, err := io.WriteString(nc, first); err != nil {
			t.Fatal(err)
		}
		return nc
	}
	idle := []net.Conn{begin(""), begin(""), begin("")}
	eventually(t, "they are there", func() bool { return len(f.s.Connections()) == len(idle) })
	for _, first := range []string{"P", "T"} {
		nc := begin(first)
		if first == "T" {
			nc = tls.Client(nc, a.Client("localhost"))
		}
		p := &peer{t: t, nc: nc}
		if p.handshake(&protocol.ConnectRequest{Timeout: 10000, HasReadOnly: true}); p.session == 0 {
			t.Errorf("session refused after %q", first)
		}
	}
	if st := f.s.Stats(); st.Handshakes != 0 {
		t.Errorf("%d handshakes are under way, want none", st.Handshakes)
	}
	for _, nc := range idle {
		nc.Close()
	}
	eventually(t, "they are gone", func() bool { return len(f.s.Connections()) == 2 })
	m := f.s.cfg.Metrics
	if bad, over := m.UnsuccessfulHandshakes.Value(), m.TLSHandshakesExceeded.Value(); bad != 0 || over != 0 {
		t.Errorf("%d handshakes were unsuccessful, %d beyond the limit; want 0 and 0", bad, over)
	}
}

// A subject that would be too much for an identity is none, nor does its client stay.
func TestLongSubject(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, func(c *Config) {
		c.Secure = func(nc net.Conn) (net.Conn, string, error) {
			secured, _, err := a.secure(nc)
			return secured, "CN=" + strings.Repeat("x", maxIdentityBytes), err
		}
	})
	a.dial(f, "").closed()
	if n := f.s.cfg.Metrics.UnsuccessfulHandshakes.Value(); n != 1 {
		t.Errorf("%d unsuccessful handshakes, want 1", n)
	}
	f.logs(errSubject.Error())
}

// A client that takes nothing is ended by its session's timeout.
func TestSlowClientOverTLS(t *testing.T) {
	a := newAuthority(t)
	f := a.start(t, func(c *Config) { c.MinSessionTimeout = 300 * time.Millisecond })
	p := a.dial(f, "")
	p.handshake(&protocol.ConnectRequest{Timeout: 300})
	p.call(1, protocol.OpCreate, create("/a", strings.Repeat("x", 900<<10)))
	for xid := range int32(40) {
		p.send(xid+2, protocol.OpGetData, get("/a"))
	}
	f.logs(causeSlowWrite.text)
}

// A client that is slow, but takes a record of TLS within its session's timeout each
// time, is sent all; one that has stopped is ended.
func TestSlowReaderOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, records = 10 * time.Second, 12
		a := newAuthority(t)
		near, far := net.Pipe()
		client := tls.Client(far, a.Client("localhost"))
		shaken := make(chan error, 1)
		go func() { shaken <- client.Handshake() }()
		s := New(Config{}, Deps{}, hclog.NewNullLogger())
		c := newConn(s, near, netip.AddrPort{}, 1, entryTLS)
		c.timeout = timeout
		var err error
		if c.stream, _, err = a.secure(near); err != nil {
			t.Fatal(err)
		}
		if err := <-shaken; err != nil {
			t.Fatal(err)
		}
		c.out.append(make([]byte, records*tlsChunk))
		c.flush()
		record := make([]byte, tlsChunk)
		far.SetReadDeadline(time.Now().Add(time.Hour))
		for i := range records {
			time.Sleep(timeout * 6 / 10)
			if _, err := io.ReadFull(client, record); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
		}
		synctest.Wait()
		if c.isDead() || c.out.size.Load() != 0 {
			t.Errorf("dead %v, %d bytes are left", c.isDead(), c.out.size.Load())
		}
		c.out.append(record)
		c.flush()
		time.Sleep(timeout + time.Second)
		s.wg.Wait()
		if c.cause.Load() != causeSlowWrite {
			t.Errorf("one that takes nothing: %v", c.cause.Load())
		}
	})
}
