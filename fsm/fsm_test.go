package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/hashicorp/raft"

	"zooraft/fsm/tree"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

func TestSequence(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	body := func(path string) []byte {
		return (&ClientRequest{Session: 100, Conn: 1, Op: protocol.OpCreate, Body: createBody(path, "", 0)}).Append(nil)
	}
	zxid := func() (z int64) { m.f.View(func(v View) { z = v.LastZxid() }); return z }

	m.entry(raw(local, 2, body("/a")), raw(local, 2, body("/dup")))
	if !m.exists("/a") || m.exists("/dup") {
		t.Errorf("a resent request was applied twice")
	}
	before := zxid()
	m.entry(raw(local, 4, body("/gap")), raw(local, 5, body("/gap2")))
	if m.exists("/gap") || m.exists("/gap2") || zxid() != before {
		t.Errorf("a request beyond a gap was applied")
	}
	if len(m.gaps) != 2 || m.gaps[0] != 3 {
		t.Errorf("gaps told: %v, want 3 twice", m.gaps)
	}
	m.entry(raw(local, 3, body("/b")), raw(local, 4, body("/c")), raw(local, 5, body("/d")))
	for _, p := range []string{"/b", "/c", "/d"} {
		if !m.exists(p) {
			t.Errorf("%s was not applied after the gap was filled", p)
		}
	}
	old := Origin{SID: localSID, Incarnation: 7}
	m.entry(raw(old, 6, body("/old")))
	if m.exists("/old") {
		t.Errorf("a request of another incarnation was applied")
	}
}

func TestRegister(t *testing.T) {
	m := newMachine(t)
	m.register(localSID, 1) // resent
	m.register(localSID, 2) // the next start
	m.register(localSID, 1) // a straggler of the first
	want := []uint64{1, 1, 2, 2}
	if fmt.Sprint(m.registers) != fmt.Sprint(want) {
		t.Errorf("incarnations %v, want %v", m.registers, want)
	}
	r := Register{SID: localSID, Disk: [16]byte{99}}
	m.entry(raw(Origin{}, 0, r.Append(nil)))
	if got := m.registers[len(m.registers)-1]; got != 3 {
		t.Errorf("another disk got incarnation %d, want 3", got)
	}
}

func TestSessions(t *testing.T) {
	m := newMachine(t)
	if r := m.open(100, 1); r.Err != protocol.ErrOK || r.Zxid == 0 {
		t.Fatalf("open: %+v", r)
	}
	if r := m.open(100, 2); r.Err != protocol.ErrSessionMoved {
		t.Errorf("a taken session id: %v, want ErrSessionMoved", r.Err)
	}
	m.create("/e", protocol.CreateModeEphemeral)

	attach := func(conn uint64, pw [protocol.PasswdBytes]byte) Result {
		return m.do((&AttachSession{Session: 100, Timeout: 9000, Passwd: pw, Conn: conn}).Append(nil))
	}
	if r := attach(5, [protocol.PasswdBytes]byte{1}); r.Err != protocol.ErrSessionExpired || r.Zxid != 0 {
		t.Errorf("attach with a wrong password: %+v", r)
	}
	if r := attach(5, password); r.Err != protocol.ErrOK || r.Zxid != 0 {
		t.Errorf("attach: %+v", r)
	}
	if r := m.create("/late", 0); r.Err != protocol.ErrSessionMoved || r.Zxid == 0 {
		t.Errorf("a write of the old connection: %+v", r)
	}
	if m.exists("/late") {
		t.Errorf("a write of a moved session was applied")
	}

	_, owner, _ := View{m.f}.Session(100)
	expire := func(term uint64, o Owner) {
		m.entry(raw(Origin{}, 0, (&Expire{Term: term, Sessions: []ExpiredSession{{100, o}}}).Append(nil)))
	}
	expire(m.term+1, owner)
	expire(m.term, Owner{local, 1})
	if len(m.closed) != 0 || !m.exists("/e") {
		t.Fatalf("expired by another term or for another owner")
	}
	expire(m.term, owner)
	if len(m.closed) != 1 || len(m.gone) != 1 || m.gone[0] != "/e" || m.exists("/e") {
		t.Fatalf("not expired")
	}
	if r := attach(6, password); r.Err != protocol.ErrSessionExpired {
		t.Errorf("attach after expiry: %v", r.Err)
	}
	if r := m.create("/x", 0); r.Err != protocol.ErrSessionExpired {
		t.Errorf("a write after expiry: %v", r.Err)
	}
}

func TestCloseSession(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/e1", protocol.CreateModeEphemeral)
	m.create("/e2", protocol.CreateModeEphemeral)
	m.create("/p", 0)
	r := m.do((&CloseSession{Session: 100, Conn: 1}).Append(nil))
	if r.Err != protocol.ErrOK || m.exists("/e1") || m.exists("/e2") || !m.exists("/p") {
		t.Errorf("close left the wrong nodes: %+v", r)
	}
}

func TestZxids(t *testing.T) {
	m := newMachine(t)
	if r := m.open(100, 1); r.Zxid != int64(zabcompat.MakeZxid(1, 1)) {
		t.Errorf("first zxid %#x", r.Zxid)
	}
	if r := m.create("/no/parent", 0); r.Zxid != int64(zabcompat.MakeZxid(1, 2)) || r.Err != protocol.ErrNoNode {
		t.Errorf("a refused write takes a zxid too: %+v", r)
	}
	m.term = 4
	m.entry(raw(Origin{}, 0, (&Lead{Cluster: "c"}).Append(nil)))
	if z := (View{m.f}).LastZxid(); z != int64(zabcompat.MakeZxid(4, 0)) {
		t.Errorf("zxid %#x when a leader has taken office", z)
	}
	if r := m.create("/a", 0); r.Zxid != int64(zabcompat.MakeZxid(4, 1)) {
		t.Errorf("first zxid of a term %#x", r.Zxid)
	}
}

func TestClientErrors(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	m.create("/a/b", 0)
	m.create("/e", protocol.CreateModeEphemeral)
	for _, c := range []struct {
		name string
		do   func() Result
		want protocol.ErrCode
	}{
		{"parent before path syntax", func() Result { return m.create("/nope/", 0) }, protocol.ErrNoNode},
		{"no leading slash", func() Result { return m.create("a/b", 0) }, protocol.ErrNoNode},
		{"no slash", func() Result { return m.create("foo", 0) }, protocol.ErrBadArguments},
		{"root", func() Result { return m.create("/", 0) }, protocol.ErrNodeExists},
		{"trailing slash", func() Result { return m.create("/a/", 0) }, protocol.ErrBadArguments},
		{"exists", func() Result { return m.create("/a", 0) }, protocol.ErrNodeExists},
		{"below an ephemeral", func() Result { return m.create("/e/x", 0) }, protocol.ErrNoChildrenForEphemerals},
		{"flags", func() Result { return m.create("/f", 7) }, protocol.ErrBadArguments},
		{"ttl while off", func() Result { return m.create("/f", protocol.CreateModePersistentTTL) }, protocol.ErrUnimplemented},
		{"empty acl before parent", func() Result {
			return m.client(protocol.OpCreate, (&protocol.CreateRequest{Path: "/nope/x"}).Append(nil))
		}, protocol.ErrInvalidACL},
		{"delete root", func() Result { return m.delete("/", -1) }, protocol.ErrBadArguments},
		{"delete system", func() Result { return m.delete("/zookeeper/quota", -1) }, protocol.ErrBadArguments},
		{"delete version before children", func() Result { return m.delete("/a", 3) }, protocol.ErrBadVersion},
		{"delete with children", func() Result { return m.delete("/a", 0) }, protocol.ErrNotEmpty},
		{"delete missing", func() Result { return m.delete("/zz", -1) }, protocol.ErrNoNode},
		{"set missing", func() Result { return m.set("/zz", "", -1) }, protocol.ErrNoNode},
		{"set bad path", func() Result { return m.set("/a//b", "", -1) }, protocol.ErrBadArguments},
		{"set version", func() Result { return m.set("/a", "", 5) }, protocol.ErrBadVersion},
		{"config is read-only", func() Result { return m.set("/zookeeper/config", "", -1) }, protocol.ErrNoAuth},
		{"garbage", func() Result { return m.client(protocol.OpSetData, []byte{1, 2}) }, protocol.ErrMarshalling},
		{"reconfig while off", func() Result {
			return m.client(protocol.OpReconfig, (&protocol.ReconfigRequest{Leaving: "3", ConfigID: -1}).Append(nil))
		}, protocol.ErrReconfigDisabled},
		{"reconfig garbage", func() Result { return m.client(protocol.OpReconfig, []byte{1, 2}) }, protocol.ErrMarshalling},
		{"multi garbage", func() Result { return m.client(protocol.OpMulti, []byte{1, 2}) }, protocol.ErrMarshalling},
	} {
		if r := c.do(); r.Err != c.want {
			t.Errorf("%s: %v, want %v", c.name, r.Err, c.want)
		}
	}
	if r := m.create("/", protocol.CreateModePersistentSequential); r.Path != "/0000000002" {
		t.Errorf("sequential child of the root: %q, %v", r.Path, r.Err)
	}
	if r := m.create("/a/", protocol.CreateModePersistentSequential); r.Path != "/a/0000000001" {
		t.Errorf("sequential name: %q, %v", r.Path, r.Err)
	}
}

// TestWritable looks at all operations: what is let into the log is what apply
// knows.
func TestWritable(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	for op := protocol.OpCode(-20); op < 200; op++ {
		r := ClientRequest{Session: 100, Conn: 1, Op: op}
		p := payloadReader{b: r.Append(nil)[1:]}
		err := m.f.applyClient(m.term, local, &p, new(Result))
		if (err == nil) != Writable(op) || err != nil && !errors.Is(err, ErrBadEntry) {
			t.Errorf("%v: writable %v, but applying it gives %v", op, Writable(op), err)
		}
		if check := CheckRequest(local, r.Append(nil)); (check == nil) != Writable(op) {
			t.Errorf("%v: writable %v, but from a peer it gives %v", op, Writable(op), check)
		}
	}
}

func multiBody(ops ...any) []byte {
	var b []byte
	for _, op := range ops {
		switch r := op.(type) {
		case *protocol.CreateRequest:
			b = r.Append((&protocol.MultiHeader{Type: protocol.OpCreate, Err: -1}).Append(b))
		case *protocol.DeleteRequest:
			b = r.Append((&protocol.MultiHeader{Type: protocol.OpDelete, Err: -1}).Append(b))
		case *protocol.SetDataRequest:
			b = r.Append((&protocol.MultiHeader{Type: protocol.OpSetData, Err: -1}).Append(b))
		case *protocol.CheckVersionRequest:
			b = r.Append((&protocol.MultiHeader{Type: protocol.OpCheck, Err: -1}).Append(b))
		}
	}
	return protocol.AppendMultiEnd(b)
}

func TestMulti(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	create := func(path string) *protocol.CreateRequest {
		return &protocol.CreateRequest{Path: path, Data: []byte{1}, ACL: protocol.OpenACL}
	}
	r := m.client(protocol.OpMulti, multiBody(create("/m"), create("/m/1"), &protocol.SetDataRequest{Path: "/m", Data: []byte("new"), Version: 0},
		&protocol.CheckVersionRequest{Path: "/m", Version: 1}, &protocol.DeleteRequest{Path: "/m/1", Version: -1}))
	if r.Err != protocol.ErrOK || len(r.Multi) != 5 || r.Multi[2].Stat.Version != 1 || r.Multi[0].Stat.Czxid != r.Multi[2].Stat.Mzxid {
		t.Fatalf("multi: %+v", r)
	}
	digest := m.f.tree.Digest()
	r = m.client(protocol.OpMulti, multiBody(create("/m/2"), &protocol.SetDataRequest{Path: "/m", Version: -1},
		&protocol.CheckVersionRequest{Path: "/m", Version: 9}, create("/n")))
	want := []protocol.ErrCode{0, 0, protocol.ErrBadVersion, protocol.ErrRuntimeInconsistency}
	for i, w := range want {
		if r.Multi[i].Err != w || r.Multi[i].Op != protocol.OpError {
			t.Errorf("result %d of a failed multi: %+v, want %v", i, r.Multi[i], w)
		}
	}
	if m.f.tree.Digest() != digest {
		t.Errorf("a failed multi left traces")
	}
}

// What is kept of the last multi's storage must not hold on to its entry, of which
// its paths are parts.
func TestEntryIsLetGo(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/m", 0)
	ops := make([]any, 100)
	for i := range ops {
		ops[i] = &protocol.SetDataRequest{Path: "/m", Data: []byte("new"), Version: -1}
	}
	broken := append(slices.Clone(ops), &protocol.CheckVersionRequest{Path: "/m", Version: 99})
	for _, ops := range [][]any{ops, broken} {
		m.client(protocol.OpMulti, multiBody(ops...))
		last := m.log[len(m.log)-1]
		entry := weak.Make(&last.Data[0])
		last.Data, m.results, m.wrote = nil, nil, nil
		m.client(protocol.OpMulti, multiBody(ops[0]))
		for deadline := time.Now().Add(time.Minute); entry.Value() != nil; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("an entry with a multi of %d is still held after the next one", len(ops))
			}
		}
	}
}

// TestReplay gives one random log to two machines, one of them restored from a
// snapshot half-way: their states must be equal.
func TestReplay(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	m := newMachine(t)
	m.open(100, 1)
	m.open(200, 2)
	path := func() string {
		p := ""
		for range 1 + rnd.IntN(3) {
			p += fmt.Sprintf("/%c", 'a'+rnd.IntN(4))
		}
		return p
	}
	random := func(m *machine) {
		// Each server may say otherwise of its clients' requests.
		options := Options(rnd.IntN(int(knownOptions) + 1))
		switch rnd.IntN(13) {
		case 0, 1, 2:
			m.create(path(), int32(rnd.IntN(4)))
		case 8:
			m.with(options, protocol.OpCreateTTL, ttlBody(path(), 5+int32(rnd.IntN(2)), 1+rnd.Int64N(200)))
		case 9:
			m.with(options, protocol.OpCreateContainer, createBody(path(), "", 4))
		case 10: // a quota, or a change of one
			at := tree.QuotaPath + path()
			limits := fmt.Sprintf("count=1,bytes=9=;countHardLimit=%d;byteHardLimit=%d", rnd.IntN(9)-1, rnd.IntN(30)-1)
			m.create(at, 0)
			m.with(options, protocol.OpCreate, createBody(at+"/"+tree.LimitsName, limits, 0))
			m.with(options, protocol.OpSetData, setBody(at+"/"+tree.LimitsName, limits, -1))
			m.with(options, protocol.OpCreate, createBody(at+"/"+tree.StatsName, "", 0))
		case 11:
			m.with(options, protocol.OpMulti, multiBody(
				&protocol.CreateRequest{Path: path(), Data: []byte("12345"), ACL: protocol.OpenACL},
				&protocol.SetDataRequest{Path: path(), Data: []byte("1234567890"), Version: -1}))
		case 12:
			m.now += rnd.Int64N(100)
			never := rnd.Int64N(2) * 50
			m.reap(never, append(m.spent(never), path())...)
		case 3:
			m.delete(path(), -1)
		case 4:
			m.set(path(), fmt.Sprint(rnd.IntN(1000)), int32(rnd.IntN(4)-1))
		case 5:
			m.client(protocol.OpMulti, multiBody(&protocol.CreateRequest{Path: path(), ACL: protocol.OpenACL}, &protocol.DeleteRequest{Path: path(), Version: -1}))
		case 6:
			m.term += uint64(rnd.IntN(2))
		case 7:
			id := protocol.SessionID(300 + rnd.IntN(3))
			m.open(id, 9)
			m.do((&ClientRequest{Session: id, Conn: 9, Op: protocol.OpCreate, Body: createBody(path(), "", 1)}).Append(nil))
			if rnd.IntN(3) == 0 {
				m.do((&CloseSession{Session: id, Conn: 9}).Append(nil))
			}
		}
	}
	for range 300 {
		random(m)
	}
	half := len(m.log)
	other := m.snapshot()
	if other.f.Digest() != m.f.Digest() {
		t.Fatalf("a restored state differs")
	}
	for range 300 {
		random(m)
	}
	other.f.ApplyBatch(m.log[half:])
	if other.f.Digest() != m.f.Digest() {
		t.Fatalf("states differ after the same log (seed %d)", seed)
	}
	if other.installed != 1 {
		t.Errorf("SnapshotInstalled told %d times", other.installed)
	}
}

func TestCorruptSnapshot(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	whole := m.saved()
	if _, err := ReadSnapshot(bytes.NewReader(whole)); err != nil {
		t.Fatalf("a good snapshot: %v", err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		if _, err := ReadSnapshot(bytes.NewReader(bad)); !errors.Is(err, ErrCorruptSnapshot) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if _, err := ReadSnapshot(bytes.NewReader(whole[:i])); !errors.Is(err, ErrCorruptSnapshot) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	digest := m.f.Digest()
	if err := m.f.Restore(io.NopCloser(bytes.NewReader(whole[:20]))); err == nil || m.f.Digest() != digest {
		t.Errorf("a failed restore changed the state (%v)", err)
	}
}

// A server may be sent a snapshot that has been under way for long.
func TestRestoreGoesForward(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	take := func() (b []byte, digest uint64) { return m.saved(), m.f.Digest() }
	restore := func(b []byte) error { return m.f.Restore(io.NopCloser(bytes.NewReader(b))) }
	m.create("/a", 0)
	past, _ := take()
	m.create("/b", 0)
	now, digest := take()
	if err := restore(past); !errors.Is(err, ErrPastSnapshot) || m.f.Digest() != digest {
		t.Errorf("a snapshot of the past: %v; digest %x, want %x", err, m.f.Digest(), digest)
	}
	if err := restore(now); err != nil || m.f.Digest() != digest {
		t.Errorf("a snapshot of now: %v; digest %x, want %x", err, m.f.Digest(), digest)
	}
	m.f = New(localSID, m.f.log)
	m.f.Observe(m)
	for _, b := range [][]byte{past, now} {
		if err := restore(b); err != nil {
			t.Errorf("into a state that is behind: %v", err)
		}
	}
	if got := m.f.Digest(); got != digest {
		t.Errorf("digest %x, want %x", got, digest)
	}
}

func FuzzEntry(f *testing.F) {
	m := newMachine(f)
	m.open(100, 1)
	m.create("/a", 0)
	for _, l := range m.log {
		f.Add(l.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readEntry(data)
		for err == nil && r.left > 0 {
			var payload []byte
			if _, _, payload, err = r.next(); err != nil || len(payload) == 0 {
				break
			}
			p := payloadReader{b: payload[1:]}
			switch kind(payload[0]) {
			case kindClient:
				err = new(ClientRequest).decode(&p)
			case kindOpen, kindAttach:
				err = new(OpenSession).decode(&p)
			case kindClose:
				err = new(CloseSession).decode(&p)
			case kindRegister:
				err = new(Register).decode(&p)
			case kindExpire:
				err = new(Expire).decode(&p)
			case kindLead:
				err = new(Lead).decode(&p)
			case kindReap:
				err = new(Reap).decode(&p)
			case kindAbandon:
				err = new(Abandon).decode(&p)
			}
		}
		if err != nil && !errors.Is(err, ErrBadEntry) {
			t.Errorf("error %v is not ErrBadEntry", err)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	m := newMachine(f)
	m.open(100, 1)
	f.Add(m.saved())
	f.Fuzz(func(t *testing.T, data []byte) { ReadSnapshot(bytes.NewReader(data)) })
}

func BenchmarkApply(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprintf("op=set/bytes=%d", size), func(b *testing.B) {
			m := newMachine(b)
			m.open(100, 1)
			m.create("/a", 0)
			m.applyOften(b, protocol.OpSetData, (&protocol.SetDataRequest{Path: "/a", Data: make([]byte, size), Version: -1}).Append(nil))
		})
	}
	b.Run("op=multi/sets=10/bytes=1024", func(b *testing.B) {
		m := newMachine(b)
		m.open(100, 1)
		ops := make([]any, 10)
		for i := range ops {
			path := fmt.Sprintf("/a%d", i)
			m.create(path, 0)
			ops[i] = &protocol.SetDataRequest{Path: path, Data: make([]byte, 1024), Version: -1}
		}
		m.applyOften(b, protocol.OpMulti, multiBody(ops...))
	})
}

// applyOften measures the application of a request of session 100, each time as an
// entry of its own.
func (m *machine) applyOften(b *testing.B, op protocol.OpCode, body []byte) {
	payload := (&ClientRequest{Session: 100, Conn: 1, Op: op, Body: body, IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}}).Append(nil)
	seq := m.seq[local]
	b.ReportAllocs()
	for b.Loop() {
		seq++
		e := AppendRequest(AppendEntryHeader(nil, 1), local, seq, payload)
		SetEntryCount(e, 1)
		m.f.ApplyBatch([]*raft.Log{{Index: m.f.applied + 1, Term: 1, Type: raft.LogCommand, Data: e}})
		m.results, m.wrote = m.results[:0], m.wrote[:0]
	}
	if m.f.servers[localSID].lastSeq != seq {
		b.Errorf("applied up to %d of %d", m.f.servers[localSID].lastSeq, seq)
	}
}
