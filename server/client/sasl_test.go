package client

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"zooraft/fsm"
	"zooraft/protocol"
)

// plainSASL is a mechanism of a test: a first token is answered by "who?", and one that
// is "I am NAME" proves it. To "more" it asks again; all else is an error.
type plainSASL struct{ asked bool }

func (s *plainSASL) Step(token []byte) (reply []byte, user string, err error) {
	name, proved := strings.CutPrefix(string(token), "I am ")
	switch {
	case !s.asked, string(token) == "more":
		s.asked = true
		return []byte("who?"), "", nil
	case string(token) == "quietly":
		return nil, "quiet", nil
	case proved:
		return []byte("hello " + name), name, nil
	}
	return []byte("not told"), "", errors.New("no name")
}

func startSASL(t *testing.T, change func(*Config)) *fixture {
	return start(t, func(c *Config) {
		c.SASL = func() SASLServer { return new(plainSASL) }
		c.SASLSuperUsers = []string{"root", "chief"}
		c.Options = fsm.SASL
		if change != nil {
			change(c)
		}
	})
}

// token sends one and tells what comes back: the code and the token, null for none.
func (p *peer) token(token string) (protocol.ErrCode, string) {
	p.t.Helper()
	h, b := p.call(9, protocol.OpSASL, &protocol.SASLPacket{Token: []byte(token)})
	if h.Zxid != 0 {
		p.t.Errorf("zxid %x", h.Zxid)
	}
	d := protocol.NewDecoder(b)
	back := d.Buffer()
	if d.Err() != nil || d.Remaining() != 0 {
		p.t.Fatalf("reply %x", b)
	}
	if back == nil {
		return h.Err, "null"
	}
	return h.Err, string(back)
}

// logIn goes through a negotiation that succeeds.
func (p *peer) logIn(name string) {
	p.t.Helper()
	for _, step := range [][2]string{{"", "who?"}, {"I am " + name, "hello " + name}} {
		if code, back := p.token(step[0]); code != protocol.ErrOK || back != step[1] {
			p.t.Fatalf("token %q is answered by %v %q", step[0], code, back)
		}
	}
}

// names lists who a connection is, as whoAmI tells.
func (p *peer) names() string {
	p.t.Helper()
	_, b := p.call(10, protocol.OpWhoAmI, nil)
	d := protocol.NewDecoder(b)
	var all []string
	for range d.Int32() {
		all = append(all, d.String()+":"+d.String())
	}
	return strings.Join(all, " ")
}

func TestSASL(t *testing.T) {
	const failed, lives = protocol.ErrAuthFailed, protocol.ErrOK
	long := strings.Repeat("x", maxSASLToken+1)
	for _, tt := range []struct {
		name   string
		change func(*Config)
		tokens []string
		want   []string
		end    protocol.ErrCode // of the last one
		ids    string           // where it lives
	}{
		{"bob", nil, []string{"", "I am bob"}, []string{"who?", "hello bob"}, lives, "ip:127.0.0.1 sasl:bob"},
		{"super", nil, []string{"", "I am chief"}, []string{"who?", "hello chief"}, lives, "ip:127.0.0.1 sasl:chief super:"},
		{"null at the end", nil, []string{"", "quietly"}, []string{"who?", "null"}, lives, "ip:127.0.0.1 sasl:quiet"},
		{"more steps", nil, []string{"", "more", "more", "I am bob"}, []string{"who?", "who?", "who?", "hello bob"}, lives, "ip:127.0.0.1 sasl:bob"},
		{"under way", nil, []string{""}, []string{"who?"}, lives, "ip:127.0.0.1"},
		{"wrong", nil, []string{"", "x"}, []string{"who?", "null"}, failed, ""},
		{"again", nil, []string{"", "I am bob", ""}, []string{"who?", "hello bob", "null"}, failed, ""},
		{"long", nil, []string{long}, []string{"null"}, failed, ""},
		{"endless", nil, append(slicesOf("more", maxSASLSteps), "I am bob"), append(slicesOf("who?", maxSASLSteps), "null"), failed, ""},
		{"a name too long", nil, []string{"", "I am " + long[maxSASLToken-maxIdentityBytes+5:]}, []string{"who?", "null"}, failed, ""},
		{"allowed", allowFailed, []string{"", "x"}, []string{"who?", "null"}, lives, "ip:127.0.0.1"},
		{"allowed, again", allowFailed, []string{"", "x", "", "I am bob"}, []string{"who?", "null", "null", "null"}, lives, "ip:127.0.0.1"},
		{"allowed, again after success", allowFailed, []string{"", "I am bob", "", "I am chief"}, []string{"who?", "hello bob", "null", "null"}, lives, "ip:127.0.0.1 sasl:bob"},
		{"allowed, endless", allowFailed, append(slicesOf("more", maxSASLSteps), "I am bob", "I am bob"), append(slicesOf("who?", maxSASLSteps), "null", "null"), lives, "ip:127.0.0.1"},
		{"enforced", enforceSASL, []string{"", "I am bob"}, []string{"who?", "hello bob"}, lives, "ip:127.0.0.1 sasl:bob"},
		{"enforced, wrong", enforceSASL, []string{"", "x"}, []string{"who?", "null"}, protocol.ErrSessionClosedRequireAuth, ""},
		{"enforced and allowed, wrong", func(c *Config) { allowFailed(c); enforceSASL(c) }, []string{"", "x"}, []string{"who?", "null"}, protocol.ErrSessionClosedRequireAuth, ""},
		{"enforced something else, and allowed", func(c *Config) { allowFailed(c); c.EnforceAuth = []string{"ip"} }, []string{"", "x"}, []string{"who?", "null"}, lives, "ip:127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := startSASL(t, tt.change)
			p := f.connect()
			for i, token := range tt.tokens {
				want := protocol.ErrOK
				if i == len(tt.tokens)-1 {
					want = tt.end
				}
				if code, back := p.token(token); code != want || back != tt.want[i] {
					t.Errorf("token %d: got %v %.20q, want %v %q", i, code, back, want, tt.want[i])
				}
			}
			if tt.ids == "" {
				p.closed()
				f.logs("failed to SASL authenticate")
				if n := f.s.Stats().AuthFailures; n != 1 {
					t.Errorf("%d failures counted, want 1", n)
				}
			} else if got := p.names(); got != tt.ids {
				t.Errorf("got %q, want %q", got, tt.ids)
			}
		})
	}
}

func allowFailed(c *Config) { c.AllowSASLFailed = true }

func enforceSASL(c *Config) { c.EnforceAuth = []string{"sasl"} }

func slicesOf(s string, n int) (all []string) {
	for range n {
		all = append(all, s)
	}
	return all
}

// What SASL has proved opens what ACLs keep for it, from the next request on, and goes
// with the connection.
func TestSASLAccess(t *testing.T) {
	f := startSASL(t, nil)
	bob, other, chief := f.connect(), f.connect(), f.connect()
	bob.logIn("bob")
	other.logIn("alice")
	chief.logIn("chief")
	secret := create("/secret", "x")
	secret.ACL = []protocol.ACL{{Perms: protocol.PermAll, Scheme: "sasl", ID: "bob"}}
	bob.mustCall(1, protocol.OpCreate, secret)
	for _, tt := range []struct {
		name string
		p    *peer
		want protocol.ErrCode
	}{{"bob", bob, 0}, {"super", chief, 0}, {"other", other, protocol.ErrNoAuth}, {"nobody", f.connect(), protocol.ErrNoAuth}} {
		if h, _ := tt.p.call(2, protocol.OpGetData, get("/secret")); h.Err != tt.want {
			t.Errorf("%s reads: %v, want %v", tt.name, h.Err, tt.want)
		}
		if h, _ := tt.p.call(3, protocol.OpSetData, &protocol.SetDataRequest{Path: "/secret", Version: -1}); h.Err != tt.want {
			t.Errorf("%s writes: %v, want %v", tt.name, h.Err, tt.want)
		}
	}
	// The replies to a negotiation come ahead of those that wait, whose identities are
	// the ones of their arrival.
	late := f.connect()
	f.b.hold(true)
	late.send(1, protocol.OpSetData, &protocol.SetDataRequest{Path: "/secret", Version: -1})
	late.send(2, protocol.OpGetData, get("/secret"))
	late.logIn("bob")
	f.b.hold(false)
	for xid := int32(1); xid <= 2; xid++ {
		if h, _ := late.reply(); h.Xid != xid || h.Err != protocol.ErrNoAuth {
			t.Errorf("got %+v, want NoAuth for xid %d", h, xid)
		}
	}
	late.mustCall(3, protocol.OpGetData, get("/secret"))
	// Another connection of the session has to prove it again.
	again := f.dial()
	again.handshake(&protocol.ConnectRequest{Timeout: 10000, SessionID: bob.session, Passwd: bob.passwd})
	if h, _ := again.call(1, protocol.OpGetData, get("/secret")); h.Err != protocol.ErrNoAuth {
		t.Errorf("the session elsewhere reads: %v", h.Err)
	}
	again.logIn("bob")
	again.mustCall(2, protocol.OpGetData, get("/secret"))
}

// Enforced, only those who have proved something get in, and only packets that prove
// something come before.
func TestSASLEnforced(t *testing.T) {
	f := startSASL(t, enforceSASL)
	p := f.connect()
	p.token("")
	if h, b := p.call(1, protocol.OpExists, get("/")); h.Err != protocol.ErrSessionClosedRequireAuth || len(b) != 0 {
		t.Errorf("half-way through: %+v %x", h, b)
	}
	p.closed()
	q := f.connect()
	q.logIn("bob")
	q.mustCall(1, protocol.OpExists, get("/"))
}

// A mechanism is made for who begins a negotiation, once, and goes when it is over.
func TestSASLServers(t *testing.T) {
	var made atomic.Int32
	f := startSASL(t, func(c *Config) {
		c.AllowSASLFailed = true
		c.SASL = func() SASLServer {
			made.Add(1)
			return new(plainSASL)
		}
	})
	f.connect().mustCall(1, protocol.OpExists, get("/"))
	if made.Load() != 0 {
		t.Error("made for who asks for none")
	}
	p, q := f.connect(), f.connect()
	p.logIn("bob")
	q.token("")
	q.token("x")
	q.token("")
	p.token("")
	if n := made.Load(); n != 2 {
		t.Errorf("made %d times for 2 connections", n)
	}
	for _, end := range []string{"I am bob", "x"} {
		var n negotiation
		n.step(f.s.cfg.SASL, nil)
		if n.server == nil {
			t.Fatal("gone before it was over")
		}
		n.step(f.s.cfg.SASL, []byte(end))
		if n.server != nil {
			t.Errorf("kept after %q, which ends it", end)
		}
	}
}

// The codec's null is no token, with a mechanism either.
func TestSASLMalformed(t *testing.T) {
	f := startSASL(t, nil)
	for _, body := range [][]byte{{255, 255, 255, 255}, {0, 0}, {0, 0, 0, 9, 1}, binary.BigEndian.AppendUint32(nil, 1<<31)} {
		p := f.connect()
		h := protocol.RequestHeader{Xid: 1, Op: protocol.OpSASL}
		p.write(frameOf(append(h.Append(nil), body...)))
		p.closed()
	}
}
