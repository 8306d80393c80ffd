package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/protocol"
	"zooraft/zabcompat"
)

func members(lines ...string) []zabcompat.ServerSpec {
	var list []zabcompat.ServerSpec
	for _, line := range lines {
		id, value, _ := strings.Cut(line, "=")
		n, _ := strconv.Atoi(id)
		s, err := zabcompat.ParseServerSpec(n, value, false)
		if err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	return list
}

// trio is the membership of most tests; server 3 has no client part.
var trio = members("1=10.0.0.1:2888:3888;2181", "2=10.0.0.2:2888:3888;2181", "3=10.0.0.3:2888:3888")

// lead has a leader take office in a new term.
func (m *machine) lead(servers []zabcompat.ServerSpec) {
	m.term++
	m.entry(raw(Origin{}, 0, (&Lead{Cluster: "c", Servers: servers, Versioned: true}).Append(nil)))
}

// leadFixed does so with a leader that allows no changes of the membership.
func (m *machine) leadFixed(servers []zabcompat.ServerSpec) {
	m.term++
	m.entry(raw(Origin{}, 0, (&Lead{Cluster: "c", Servers: servers}).Append(nil)))
}

// ensemble is a machine of an ensemble with a session of a client that may
// reconfigure.
func ensemble(t testing.TB) *machine {
	m := newMachine(t)
	m.lead(trio)
	m.open(100, 1)
	return m
}

func (m *machine) configure(servers ...raft.Server) {
	l := &raft.Log{Index: uint64(len(m.log) + 1), Term: m.term, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: servers})}
	m.log = append(m.log, l)
	m.f.ApplyBatch([]*raft.Log{l})
}

func raftServers(list []zabcompat.ServerSpec) (servers []raft.Server) {
	for _, s := range list {
		r := raft.Server{ID: raft.ServerID(strconv.Itoa(s.ID)), Address: raft.ServerAddress(s.ElectionAddr())}
		if s.Observer {
			r.Suffrage = raft.Nonvoter
		}
		servers = append(servers, r)
	}
	return servers
}

func (m *machine) reconfig(o Options, c protocol.ReconfigRequest) Result {
	m.t.Helper()
	return m.do((&ClientRequest{Session: 100, Conn: 1, Op: protocol.OpReconfig, Options: o, Body: c.Append(nil)}).Append(nil))
}

func (m *machine) published() zabcompat.Membership { return View{m.f}.Membership() }

func (m *machine) config() (data []byte, stat protocol.Stat) {
	m.t.Helper()
	m.f.View(func(v View) {
		b, code := v.Read(nil, protocol.OpGetData, (&protocol.PathWatchRequest{Path: "/zookeeper/config"}).Append(nil), &Reader{IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}})
		if code != protocol.ErrOK {
			m.t.Fatalf("get the config: %v", code)
		}
		d := protocol.NewDecoder(b)
		data = d.Buffer()
		stat.Decode(&d)
	})
	return data, stat
}

func incremental(joining, leaving string) protocol.ReconfigRequest {
	return protocol.ReconfigRequest{Joining: joining, Leaving: leaving, NewMembersNull: true, ConfigID: -1}
}

func full(text string) protocol.ReconfigRequest {
	return protocol.ReconfigRequest{NewMembers: text, ConfigID: -1}
}

func TestFirstMembership(t *testing.T) {
	m := newMachine(t)
	if data, _ := m.config(); len(data) > 0 {
		t.Errorf("config without an ensemble: %q", data)
	}
	m.lead(nil)
	if data, _ := m.config(); len(data) > 0 || len(m.members) > 0 {
		t.Errorf("config of a standalone server: %q", data)
	}
	m.lead(trio)
	want := zabcompat.Membership{Servers: trio, Version: int64(zabcompat.MakeZxid(3, 0))}
	data, stat := m.config()
	if string(data) != want.String() {
		t.Errorf("got %q, want %q", data, want)
	}
	if stat.Mzxid != want.Version || stat.Version != -1 || stat.Aversion != -1 || stat.Mtime != m.now || stat.Czxid != 0 {
		t.Errorf("stat %+v", stat)
	}
	m.lead(trio[:2])
	if got := m.published(); got.String() != want.String() || len(m.members) != 1 {
		t.Errorf("another leader's zoo.cfg has changed the membership: %v", got)
	}
}

// Until a leader allows changes, clients are shown version 0, snapshots included.
func TestUnversionedMembership(t *testing.T) {
	m := newMachine(t)
	m.leadFixed(trio)
	want := zabcompat.Membership{Servers: trio}
	check := func(when string, version int64) {
		t.Helper()
		want.Version = version
		data, stat := m.config()
		if string(data) != want.String() || stat.Mzxid != version || stat.Version != -1 {
			t.Errorf("%s: got %q, %+v, want %q", when, data, stat, want)
		}
	}
	check("first leader", 0)
	if m.published().Version == 0 {
		t.Error("the membership itself has no version")
	}
	fresh := New(1, nil)
	snap, err := m.f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := snap.(*snapshot).write(&b); err != nil {
		t.Fatal(err)
	}
	snap.Release()
	if err := fresh.Restore(io.NopCloser(&b)); err != nil {
		t.Fatal(err)
	}
	if got := (View{fresh}).Shown(); got.Version != 0 || len(got.Servers) != 3 {
		t.Errorf("restored: %v", got)
	}
	m.leadFixed(trio)
	check("another", 0)
	m.lead(trio)
	check("a leader that allows changes", int64(zabcompat.MakeZxid(uint32(m.term), 0)))
	version := want.Version
	m.leadFixed(trio)
	check("one that does not, later", version)
}

func TestReconfigErrors(t *testing.T) {
	const all = Reconfig | SkipACL
	four := "server.4=10.0.0.4:2888:3888;2181"
	ask := func(o Options, c protocol.ReconfigRequest) func(*machine) Result {
		return func(m *machine) Result { return m.reconfig(o, c) }
	}
	version := func(id int64) protocol.ReconfigRequest {
		c := incremental(four, "")
		c.ConfigID = id
		return c
	}
	for _, c := range []struct {
		name string
		do   func(*machine) Result
		want protocol.ErrCode
	}{
		{"disabled comes first", func(m *machine) Result {
			m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
			return m.reconfig(0, incremental("x", "x"))
		}, protocol.ErrReconfigDisabled},
		{"session", func(m *machine) Result {
			m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
			return m.reconfig(all, incremental("x", "x"))
		}, protocol.ErrSessionExpired},
		{"pending before version", func(m *machine) Result {
			m.reconfig(all, incremental(four, ""))
			return m.reconfig(all, version(77))
		}, protocol.ErrReconfigInProgress},
		{"version before the lists", func(m *machine) Result {
			c := version(77)
			c.Joining = "x"
			return m.reconfig(all, c)
		}, protocol.ErrBadVersion},
		{"list before permission", ask(Reconfig, incremental("x", "")), protocol.ErrBadArguments},
		{"voters before permission", ask(Reconfig, incremental("", "1,2")), protocol.ErrBadArguments},
		{"permission", ask(Reconfig, incremental(four, "")), protocol.ErrNoAuth},
		{"permission before the range of ids", ask(Reconfig, incremental("server.999=0.0.0.0:1234:2345:observer;3456", "")), protocol.ErrNoAuth},

		{"id of a leaver", ask(all, incremental("", "x")), protocol.ErrMarshalling},
		{"id of a joiner", ask(all, incremental("server.x=h:1:2;3", "")), protocol.ErrMarshalling},
		{"too large an id", ask(all, incremental("server.256=h:1:2;3", "")), protocol.ErrBadArguments},
		{"no spec", ask(all, incremental("server.4", "")), protocol.ErrBadArguments},
		{"no client port", ask(all, incremental("server.4=h:1:2", "")), protocol.ErrBadArguments},
		{"one port", ask(all, incremental("server.4=h:1;3", "")), protocol.ErrBadArguments},
		{"equal ports", ask(all, incremental("server.4=h:1:1;3", "")), protocol.ErrBadArguments},
		{"port out of range", ask(all, incremental("server.4=h:1:65536;3", "")), protocol.ErrMarshalling},
		{"nothing but separators", ask(all, incremental("server.4=;", "")), protocol.ErrMarshalling},
		{"several addresses", ask(all, incremental("server.4=h:1:2|i:1:2;3", "")), protocol.ErrBadArguments},
		{"address of another", ask(all, incremental("server.4=10.0.0.1:2888:9;3", "")), protocol.ErrBadArguments},
		{"client address of another", ask(all, incremental("server.4=h:1:2;10.0.0.1:3888", "")), protocol.ErrBadArguments},
		{"peer address on the loopback", ask(all, incremental("server.4=localhost:1:2;3,server.5=localhost:2:3;4", "")), protocol.ErrBadArguments},
		{"one voter", ask(all, incremental("", "1,2")), protocol.ErrBadArguments},
		{"no voter", ask(all|NoStandalone, incremental("", "1,2,3")), protocol.ErrBadArguments},

		{"full: group", ask(all, full("server.1=a:1:2,server.2=b:1:2,group.1=1:2")), protocol.ErrBadArguments},
		{"full: weight", ask(all, full("server.1=a:1:2,server.2=b:1:2,weight.1=1")), protocol.ErrBadArguments},
		{"full: another key", ask(all, full("server.1=a:1:2,server.2=b:1:2,tickTime=1")), protocol.ErrBadArguments},
		{"full: id", ask(all, full("server.x=a:1:2")), protocol.ErrMarshalling},
		{"full: version", ask(all, full("server.1=a:1:2,server.2=b:1:2,version=z")), protocol.ErrMarshalling},
		{"full: escape", ask(all, full(`server.1=a\u1`)), protocol.ErrMarshalling},
		{"full: nothing", ask(all, full("")), protocol.ErrBadArguments},
		{"full: nothing, one voter would do", ask(all|NoStandalone, full("")), protocol.ErrMarshalling},
		{"full: one voter", ask(all, full("server.1=a:1:2")), protocol.ErrBadArguments},
		{"full: an observer alone", ask(all, full("server.1=a:1:2:observer")), protocol.ErrMarshalling},
		{"full: a voter and an observer", ask(all, full("server.1=a:1:2,server.2=b:1:2:observer")), protocol.ErrMarshalling},
		{"full: two at one address", ask(all, full("server.1=a:1:2,server.2=a:1:3")), protocol.ErrBadArguments},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ensemble(t)
			before := m.published()
			r := c.do(m)
			if r.Err != c.want || r.Pending || r.Zxid == 0 {
				t.Errorf("got %+v, want %v and a zxid", r, c.want)
			}
			if m.published().String() != before.String() {
				t.Errorf("the membership has changed to %v", m.published())
			}
		})
	}
	t.Run("standalone", func(t *testing.T) {
		m := newMachine(t)
		m.open(100, 1)
		if r := m.reconfig(all, version(77)); r.Err != protocol.ErrUnimplemented {
			t.Errorf("got %v", r.Err)
		}
	})
	t.Run("in a multi", func(t *testing.T) {
		m := ensemble(t)
		body := (&protocol.MultiHeader{Type: protocol.OpReconfig, Err: -1}).Append(nil)
		if r := m.client(protocol.OpMulti, append(body, 0)); r.Err != protocol.ErrMarshalling {
			t.Errorf("got %v", r.Err)
		}
	})
}

func TestReconfigAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  protocol.ReconfigRequest
		want []zabcompat.ServerSpec
	}{
		{"empty", incremental("", ""), trio},
		{"unknown leaver", incremental("", "9,,-1"), trio},
		{"client port", incremental("server.3=10.0.0.3:2888:3888;2182", ""), append(slices.Clone(trio[:2]), members("3=10.0.0.3:2888:3888;2182")...)},
		{"full, as it is", full("server.3=10.0.0.3:2888:3888\nserver.1=10.0.0.1:2888:3888;2181,server.2=10.0.0.2:2888:3888;2181,version=5"), trio},
		{"full, in Java's syntax", full("# a comment\n  server.1 : 10.0.0.1:2888:\\\n 3888;2181, server.2 10.0.0.2:2888:3888;2181,server.3=10.0.0.3:2888:3888"), trio},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ensemble(t)
			r := m.reconfig(Reconfig|SkipACL, c.ask)
			want := zabcompat.Membership{Servers: c.want, Version: r.Zxid}
			if r.Err != 0 || r.Pending || string(r.Data) != want.String() || r.Stat.Mzxid != r.Zxid {
				t.Errorf("got %+v %q, want %q", r, r.Data, want)
			}
			if data, stat := m.config(); string(data) != want.String() || stat != r.Stat {
				t.Errorf("config %q %+v", data, stat)
			}
			if len(m.pending) > 0 || len(m.outcomes) > 0 || len(m.members) != 2 {
				t.Errorf("pending %v, outcomes %v, memberships %v", m.pending, m.outcomes, m.members)
			}
		})
	}
}

func TestReconfigCarriedOut(t *testing.T) {
	m := ensemble(t)
	asked := m.reconfig(Reconfig|SkipACL, incremental("server.4=10.0.0.4:2888:3888:observer;2181,server.2=10.0.0.2:2888:3888:observer;2181", "9"))
	if asked.Err != 0 || !asked.Pending || len(asked.Data) > 0 {
		t.Fatalf("got %+v", asked)
	}
	target := members("1=10.0.0.1:2888:3888;2181", "2=10.0.0.2:2888:3888:observer;2181", "3=10.0.0.3:2888:3888", "4=10.0.0.4:2888:3888:observer;2181")
	if len(m.pending) != 1 || m.pending[0].Version != asked.Zxid || !slices.Equal(m.pending[0].Servers, target) {
		t.Fatalf("pending %+v", m.pending)
	}
	m.create("/between", 0)
	all := raftServers(target)
	learner := raft.Server{ID: "7", Address: "x:1", Suffrage: raft.Nonvoter}
	for name, c := range map[string][]raft.Server{
		"as before":                raftServers(trio),
		"one is missing":           all[:3],
		"another role":             {all[0], raftServers(trio)[1], all[2], all[3]},
		"another voter":            append(slices.Clone(all), raft.Server{ID: "7", Address: "x:1"}),
		"a voter without a number": append(slices.Clone(all), raft.Server{ID: "x", Address: "x:1"}),
	} {
		if m.configure(c...); len(m.outcomes) > 0 {
			t.Fatalf("%s: carried out", name)
		}
	}
	m = m.snapshot()     // in the middle
	all[2].Address = "3" // a mere label
	m.configure(append(slices.Clone(all), learner)...)
	if len(m.outcomes) != 1 {
		t.Fatalf("outcomes %+v", m.outcomes)
	}
	o := m.outcomes[0]
	want := zabcompat.Membership{Servers: target, Version: o.result.Zxid}
	if o.owner != (Owner{local, 1}) || o.result.Err != 0 || string(o.result.Data) != want.String() || o.result.Zxid <= asked.Zxid+1 {
		t.Errorf("outcome %+v %q, want %q", o, o.result.Data, want)
	}
	if v := (View{m.f}); v.LastZxid() != o.result.Zxid || v.Pending() != nil || v.Membership().String() != want.String() || len(v.Actual().Servers) != 5 {
		t.Errorf("afterwards zxid %#x, pending %v, %v, actual %v", v.LastZxid(), v.Pending(), v.Membership(), v.Actual())
	}
	if m.configure(all...); len(m.outcomes) != 1 {
		t.Error("carried out twice")
	}
}

func TestAbandon(t *testing.T) {
	m := ensemble(t)
	before := m.published()
	zxid := m.reconfig(Reconfig|SkipACL, incremental("server.4=10.0.0.4:2888:3888;2181", "")).Zxid
	abandon := func(term uint64, zxid int64, code protocol.ErrCode) {
		m.entry(raw(Origin{}, 0, (&Abandon{Term: term, Zxid: zxid, Code: code}).Append(nil)))
	}
	abandon(m.term-1, zxid, protocol.ErrNewConfigNoQuorum)
	abandon(m.term, zxid-1, protocol.ErrNewConfigNoQuorum)
	if len(m.outcomes) > 0 {
		t.Fatalf("abandoned in another term, or another change: %+v", m.outcomes)
	}
	abandon(m.term, zxid, protocol.ErrNewConfigNoQuorum)
	if len(m.outcomes) != 1 || m.outcomes[0].result.Err != protocol.ErrNewConfigNoQuorum || m.published().String() != before.String() {
		t.Fatalf("outcomes %+v, membership %v", m.outcomes, m.published())
	}
	zxid = m.reconfig(Reconfig|SkipACL, incremental("server.4=10.0.0.4:2888:3888;2181", "")).Zxid
	abandon(m.term, zxid, protocol.ErrOK)
	if len(m.outcomes) != 2 || m.outcomes[1].result.Err != 0 || len(m.published().Servers) != 4 {
		t.Errorf("finished: outcomes %+v, membership %v", m.outcomes, m.published())
	}
}

// Snapshots of the release before have no membership; the next leader brings it.
func TestSnapshotWithoutMembership(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	head := m.f.appendHead(nil)
	head = head[:len(head)-len(m.f.members.append(nil))]
	b := append([]byte(snapshotMagic), 0, 0, 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)))
	b = append(b, head...)
	pinned, err := m.f.tree.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := pinned.Write(&out, m.f.mu.RLocker()); err != nil {
		t.Fatal(err)
	}
	b = append(b, out.Bytes()...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	c := &machine{t: t, f: New(localSID, hclog.NewNullLogger()), term: m.term, now: m.now, seq: m.seq, log: m.log}
	c.f.Observe(c)
	if err := c.f.Restore(io.NopCloser(bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	if c.f.Digest() != m.f.Digest() {
		t.Error("another state")
	}
	if c.lead(trio); len(c.published().Servers) != 3 {
		t.Errorf("membership %v", c.published())
	}
}

func TestLeadOfTheReleaseBefore(t *testing.T) {
	var r Lead
	if err := r.decode(&payloadReader{b: appendBytes(nil, "c")}); err != nil || r.Cluster != "c" || r.Servers != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := r.decode(&payloadReader{b: appendBytes(appendBytes(nil, "c"), "server.1=")}); !errors.Is(err, ErrBadEntry) {
		t.Errorf("a torn membership: %v", err)
	}
}

// Whatever a client asks for, what comes of it can be published, read back and
// used.
func FuzzReconfig(f *testing.F) {
	f.Add("server.4=h:1:2;3, server.5=[::1]:1:2:observer;h:3", "1,2", "", false)
	f.Add("", "", "server.1=a:1:2,server.2=b:1:2;3\\\n4", true)
	f.Fuzz(func(t *testing.T, joining, leaving, whole string, isWhole bool) {
		next, code := changed(trio, joining, leaving)
		if isWhole {
			next, code = replaced(whole, 2)
		}
		if code != protocol.ErrOK {
			if code != protocol.ErrBadArguments && code != protocol.ErrMarshalling {
				t.Fatalf("code %v", code)
			}
			return
		}
		if !slices.IsSortedFunc(next, func(a, b zabcompat.ServerSpec) int { return a.ID - b.ID }) {
			t.Fatalf("not in order: %v", next)
		}
		for i, s := range next {
			if s.ID < 1 || s.ID > zabcompat.MaxSID || s.Host == "" || i > 0 && next[i-1].ID == s.ID {
				t.Fatalf("server %+v of %v", s, next)
			}
		}
		m := zabcompat.Membership{Servers: next, Version: 7}
		if len(next) == 0 {
			return
		}
		again, err := zabcompat.ParseMembership(m.String())
		if err != nil || !slices.Equal(again.Servers, next) {
			t.Fatalf("%q reads as %v, %v", m, again, err)
		}
	})
}
