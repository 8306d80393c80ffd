package fsm

import (
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/protocol"
	"zooraft/zabcompat"
)

// machine is a state machine with a log of its own, and an observer that notes
// what it hears.
type machine struct {
	t    testing.TB
	f    *FSM
	log  []*raft.Log
	term uint64
	now  int64
	seq  map[Origin]uint64

	results   []Result
	gaps      []uint64
	closed    []protocol.SessionID
	gone      []string // ephemerals that went with a session
	attached  []Owner
	registers []uint64
	over      []Excess
	wrote     []string // path and bytes
	applied   uint64
	installed int
	restored  int
	pending   []zabcompat.Membership
	members   []zabcompat.Membership
	outcomes  []outcome
}

type outcome struct {
	owner  Owner
	result Result
}

const localSID = 1

var local = Origin{SID: localSID, Incarnation: 1}

// newMachine makes a machine whose server 1 is registered.
func newMachine(t testing.TB) *machine {
	m := &machine{t: t, f: New(localSID, hclog.NewNullLogger()), term: 1, now: 1_000_000, seq: map[Origin]uint64{}}
	m.f.Observe(m)
	m.register(localSID, 1)
	return m
}

func (m *machine) Completed(v View, _ uint64, r *Result) {
	if r.Pending {
		m.pending = append(m.pending, v.Pending().Target)
	}
	c := *r
	c.Multi = append([]SubResult(nil), r.Multi...)
	m.results = append(m.results, c)
}
func (m *machine) OutOfSequence(want uint64)                      { m.gaps = append(m.gaps, want) }
func (m *machine) Registered(_ int64, inc uint64, _ [16]byte)     { m.registers = append(m.registers, inc) }
func (m *machine) SessionOpened(protocol.SessionID, int32, Owner) {}
func (m *machine) SessionAttached(_ protocol.SessionID, _ int32, o Owner) {
	m.attached = append(m.attached, o)
}
func (m *machine) SessionClosed(id protocol.SessionID, _ bool) { m.closed = append(m.closed, id) }
func (m *machine) Led(uint64)                                  {}
func (m *machine) Wrote(path string, bytes int) {
	m.wrote = append(m.wrote, path+" "+strconv.Itoa(bytes))
}
func (m *machine) EphemeralsDeleted(id protocol.SessionID, paths []string) {
	m.gone = append(m.gone, paths...)
}
func (m *machine) OverQuota(x *Excess) { m.over = append(m.over, *x) }
func (m *machine) Membership(v View)   { m.members = append(m.members, v.Membership()) }
func (m *machine) Reconfigured(_ View, o Owner, r *Result) {
	m.outcomes = append(m.outcomes, outcome{o, *r})
}
func (m *machine) SnapshotInstalled(View)       { m.installed++ }
func (m *machine) EnsembleRestored(View)        { m.restored++ }
func (m *machine) Applied(_ View, index uint64) { m.applied = index }
func (m *machine) Flush()                       {}

// entry applies one entry of raw requests.
func (m *machine) entry(requests ...func(b []byte) []byte) {
	m.now++
	b := AppendEntryHeader(nil, m.now)
	for _, r := range requests {
		b = r(b)
	}
	SetEntryCount(b, len(requests))
	l := &raft.Log{Index: uint64(len(m.log) + 1), Term: m.term, Type: raft.LogCommand, Data: b}
	m.log = append(m.log, l)
	m.f.ApplyBatch([]*raft.Log{l})
}

func raw(o Origin, seq uint64, payload []byte) func([]byte) []byte {
	return func(b []byte) []byte { return AppendRequest(b, o, seq, payload) }
}

func (m *machine) register(sid int64, boots byte) {
	r := Register{SID: sid, Disk: [16]byte{byte(sid)}}
	r.Nonce[7] = boots
	m.entry(raw(Origin{}, 0, r.Append(nil)))
}

// do applies a request of server 1 and returns its result.
func (m *machine) do(payload []byte) Result {
	m.t.Helper()
	m.seq[local]++
	before := len(m.results)
	m.entry(raw(local, m.seq[local], payload))
	if len(m.results) != before+1 {
		m.t.Fatalf("%d results of one request", len(m.results)-before)
	}
	return m.results[before]
}

var password = [protocol.PasswdBytes]byte{7, 7, 7}

func (m *machine) open(id protocol.SessionID, conn uint64) Result {
	return m.do((&OpenSession{Session: id, Timeout: 6000, Passwd: password, Conn: conn}).Append(nil))
}

// client applies a client's request for session 100 on connection 1.
func (m *machine) client(op protocol.OpCode, body []byte) Result {
	m.t.Helper()
	return m.do((&ClientRequest{Session: 100, Conn: 1, Op: op, Body: body, IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}}).Append(nil))
}

func createBody(path, data string, flags int32) []byte {
	return (&protocol.CreateRequest{Path: path, Data: []byte(data), ACL: protocol.OpenACL, Flags: flags}).Append(nil)
}

func (m *machine) create(path string, flags int32) Result {
	m.t.Helper()
	return m.client(protocol.OpCreate2, createBody(path, "x", flags))
}

func (m *machine) delete(path string, version int32) Result {
	m.t.Helper()
	return m.client(protocol.OpDelete, (&protocol.DeleteRequest{Path: path, Version: version}).Append(nil))
}

func (m *machine) set(path, data string, version int32) Result {
	m.t.Helper()
	return m.client(protocol.OpSetData, (&protocol.SetDataRequest{Path: path, Data: []byte(data), Version: version}).Append(nil))
}

func (m *machine) exists(path string) bool {
	var code protocol.ErrCode
	m.f.View(func(v View) {
		_, code = v.Read(nil, protocol.OpExists, (&protocol.PathWatchRequest{Path: path}).Append(nil), &Reader{})
	})
	return code == protocol.ErrOK
}

// snapshot writes the state and reads it into a new machine.
func (m *machine) snapshot() *machine {
	m.t.Helper()
	saved := m.saved()
	c := &machine{t: m.t, f: New(localSID, hclog.NewNullLogger()), term: m.term, now: m.now, seq: m.seq, log: m.log}
	c.f.Observe(c)
	if err := c.f.Restore(io.NopCloser(bytes.NewReader(saved))); err != nil {
		m.t.Fatal(err)
	}
	return c
}

type memorySink struct{ bytes.Buffer }

func (*memorySink) ID() string    { return "memory" }
func (*memorySink) Cancel() error { return nil }
func (*memorySink) Close() error  { return nil }
