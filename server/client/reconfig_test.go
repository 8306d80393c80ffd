package client

import (
	"testing"

	"github.com/hashicorp/raft"

	"zooraft/fsm"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// ensembleOf has server.1 to server.n.
func ensembleOf(n int) (servers []zabcompat.ServerSpec, c raft.Configuration) {
	for id := 1; id <= n; id++ {
		s := zabcompat.ServerSpec{ID: id, Host: "zk" + string(rune('0'+id)), QuorumPort: 2888, ElectionPort: 3888, ClientHost: "0.0.0.0", ClientPort: 2181}
		servers = append(servers, s)
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(rune('0' + id)), Address: raft.ServerAddress(s.ElectionAddr())})
	}
	return servers, c
}

// startEnsemble is start with two servers in the membership, and with
// reconfiguration for everybody.
func startEnsemble(t *testing.T) *fixture {
	f := start(t, func(c *Config) { c.Options = fsm.Reconfig | fsm.SkipACL })
	servers, _ := ensembleOf(2)
	f.b.duty((&fsm.Lead{Cluster: "c", Servers: servers, Versioned: true}).Append(nil))
	return f
}

func addThree() *protocol.ReconfigRequest {
	servers, _ := ensembleOf(3)
	return &protocol.ReconfigRequest{Joining: "server.3=" + servers[2].String(), NewMembersNull: true, ConfigID: -1}
}

func (f *fixture) pending() (p *fsm.Pending) {
	f.b.View(func(v fsm.View) { p = v.Pending() })
	return p
}

func configOf(t *testing.T, body []byte) (string, protocol.Stat) {
	t.Helper()
	d := protocol.NewDecoder(body)
	text := string(d.Buffer())
	var stat protocol.Stat
	if stat.Decode(&d); d.Err() != nil || d.Remaining() > 0 {
		t.Fatalf("reply to reconfig: %x: %v", body, d.Err())
	}
	return text, stat
}

// What comes behind a reconfig waits until it has been carried out; only pings
// are answered meanwhile.
func TestReconfigWaits(t *testing.T) {
	f := startEnsemble(t)
	p, other := f.connect(), f.connect()
	if h, _ := p.call(1, protocol.OpGetData, watched("/zookeeper/config")); h.Err != 0 {
		t.Fatalf("getConfig: %v", h.Err)
	}
	p.send(2, protocol.OpReconfig, addThree())
	p.send(3, protocol.OpGetData, get("/zookeeper/config"))
	p.send(protocol.XidPing, protocol.OpPing, nil) // before the change is pending, or behind it
	p.send(4, protocol.OpCreate, create("/a", ""))
	p.send(5, protocol.OpExists, get("/a"))
	eventually(t, "the change is pending", func() bool { return f.pending() != nil })

	if h, _ := p.reply(); h.Xid != protocol.XidPing {
		t.Fatalf("reply to xid %d while a reconfig is carried out, want that to the ping", h.Xid)
	}
	if h, _ := other.call(1, protocol.OpReconfig, addThree()); h.Err != protocol.ErrReconfigInProgress {
		t.Errorf("another reconfig meanwhile: %v", h.Err)
	}
	h, _ := other.call(2, protocol.OpCreate, create("/b", ""))
	if h.Err != 0 {
		t.Errorf("another client's write meanwhile: %v", h.Err)
	}
	before := h.Zxid
	if h, _ := other.call(3, protocol.OpExists, get("/a")); h.Err != protocol.ErrNoNode {
		t.Errorf("a write behind the reconfig has been applied: %v", h.Err)
	}
	_, c := ensembleOf(3)
	f.b.configure(c)

	if h, _ := p.reply(); h.Xid != protocol.XidNotification {
		t.Fatalf("reply to xid %d, want the event before it", h.Xid)
	}
	h, body := p.reply()
	if h.Xid != 2 || h.Err != 0 || h.Zxid <= before {
		t.Fatalf("reply to the reconfig: %+v, want a zxid above %#x", h, before)
	}
	text, stat := configOf(t, body)
	servers, _ := ensembleOf(3)
	if want := (zabcompat.Membership{Servers: servers, Version: h.Zxid}).String(); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if stat.Mzxid != h.Zxid || stat.Version != -1 || stat.Aversion != -1 || int(stat.DataLength) != len(text) {
		t.Errorf("stat %+v of zxid %#x", stat, h.Zxid)
	}
	h, body = p.reply()
	if again, _ := configOf(t, body); h.Xid != 3 || again != text {
		t.Errorf("read behind the reconfig: %+v, %q", h, again)
	}
	for _, xid := range []int32{4, 5} {
		if h, _ := p.reply(); h.Xid != xid || h.Err != 0 {
			t.Errorf("got %+v, want the reply to xid %d", h, xid)
		}
	}
}

func TestReconfigAbandoned(t *testing.T) {
	f := startEnsemble(t)
	p := f.connect()
	p.send(1, protocol.OpReconfig, addThree())
	eventually(t, "the change is pending", func() bool { return f.pending() != nil })
	f.b.duty((&fsm.Abandon{Zxid: f.pending().Target.Version, Code: protocol.ErrNewConfigNoQuorum}).Append(nil))
	if h, body := p.reply(); h.Xid != 1 || h.Err != protocol.ErrNewConfigNoQuorum || len(body) > 0 {
		t.Errorf("got %+v, %x", h, body)
	}
	if h, _ := p.call(2, protocol.OpCreate, create("/a", "")); h.Err != 0 {
		t.Errorf("write afterwards: %v", h.Err)
	}
}

// The change goes on without the connection or session that asked for it, and
// its outcome is nobody else's.
func TestReconfigOfTheDead(t *testing.T) {
	for name, end := range map[string]func(f *fixture, p *peer){
		"connection": func(_ *fixture, p *peer) { p.nc.Close() },
		"dropped":    func(f *fixture, _ *peer) { f.s.DropAll("test") },
		"session": func(f *fixture, p *peer) {
			var owner fsm.Owner
			f.b.View(func(v fsm.View) { _, owner, _ = v.Session(p.session) })
			f.b.duty((&fsm.Expire{Sessions: []fsm.ExpiredSession{{Session: p.session, Owner: owner}}}).Append(nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startEnsemble(t)
			p := f.connect()
			p.send(1, protocol.OpReconfig, addThree())
			if name != "connection" { // else nobody would read on and see the end
				p.send(2, protocol.OpCreate, create("/never", ""))
			}
			eventually(t, "the change is pending", func() bool { return f.pending() != nil })
			end(f, p)
			eventually(t, "the connection is gone", func() bool { return f.s.numbered(f.pending().Owner.Conn) == nil })
			other := f.connect()
			_, c := ensembleOf(3)
			f.b.configure(c)
			if f.pending() != nil {
				t.Error("still pending")
			}
			if h, _ := other.call(1, protocol.OpExists, get("/never")); h.Err != protocol.ErrNoNode {
				t.Errorf("a write of the dead connection was applied: %v", h.Err)
			}
			if h, _ := other.call(2, protocol.OpReconfig, addThree()); h.Err != 0 {
				t.Errorf("another reconfig afterwards: %v", h.Err)
			}
		})
	}
}

// A session does not die of a reconfig that takes longer than its timeout while
// nothing of its connection is read.
func TestReconfigKeepsSession(t *testing.T) {
	f := startEnsemble(t)
	p := f.dial()
	p.handshake(&protocol.ConnectRequest{Timeout: 1}) // the least is taken
	p.send(1, protocol.OpReconfig, addThree())
	p.send(2, protocol.OpCreate, create("/a", ""))
	eventually(t, "the change is pending", func() bool { return f.pending() != nil })
	c := f.s.numbered(f.pending().Owner.Conn)
	eventually(t, "all is read", func() bool { return c.counts.received.Load() >= 2 })
	before := f.b.touches(p.session)
	eventually(t, "the session is touched by itself", func() bool { return f.b.touches(p.session) > before })
}
