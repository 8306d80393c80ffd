package fsm

import (
	"testing"

	"zooraft/protocol"
)

// A local session stands in no table here: its writes are applied without one,
// and it can own nothing.
func TestLocalSession(t *testing.T) {
	m := newMachine(t)
	local := func(op protocol.OpCode, body []byte) Result {
		t.Helper()
		return m.do((&ClientRequest{Session: 77, Conn: 9, Op: op, Options: LocalSession, Body: body, IDs: []protocol.ID{{Scheme: "ip", ID: "127.0.0.1"}}}).Append(nil))
	}
	for _, tt := range []struct {
		name string
		op   protocol.OpCode
		body []byte
		want protocol.ErrCode
	}{
		{"create", protocol.OpCreate, createBody("/a", "", protocol.CreateModePersistent), protocol.ErrOK},
		{"sequential", protocol.OpCreate, createBody("/a/s", "", protocol.CreateModePersistentSequential), protocol.ErrOK},
		{"ephemeral", protocol.OpCreate, createBody("/e", "", protocol.CreateModeEphemeral), protocol.ErrEphemeralOnLocalSession},
		{"ephemeral, told before what else is wrong", protocol.OpCreate2, createBody("/no/e", "", protocol.CreateModeEphemeralSequential), protocol.ErrEphemeralOnLocalSession},
		{"no mode at all", protocol.OpCreate, createBody("/e", "", 99), protocol.ErrBadArguments},
		{"container with an ephemeral's flag", protocol.OpCreateContainer, createBody("/c", "", protocol.CreateModeEphemeral), protocol.ErrSessionExpired},
		{"set", protocol.OpSetData, (&protocol.SetDataRequest{Path: "/a", Version: 0}).Append(nil), protocol.ErrOK},
		{"delete", protocol.OpDelete, (&protocol.DeleteRequest{Path: "/a/s0000000000", Version: -1}).Append(nil), protocol.ErrOK},
	} {
		before := m.f.clock.Last()
		if r := local(tt.op, tt.body); r.Err != tt.want || r.Zxid != int64(before)+1 {
			t.Errorf("%s: %v with zxid %#x, want %v and %#x", tt.name, r.Err, r.Zxid, tt.want, int64(before)+1)
		}
	}
	for _, path := range []string{"/e", "/c"} {
		if m.exists(path) {
			t.Errorf("%s was created", path)
		}
	}

	// The same session as one of the ensemble, and an old write that comes late.
	m.open(77, 9)
	if r := m.do((&ClientRequest{Session: 77, Conn: 9, Op: protocol.OpCreate, Body: createBody("/e", "", protocol.CreateModeEphemeral)}).Append(nil)); r.Err != protocol.ErrOK {
		t.Errorf("ephemeral of the upgraded session: %v", r.Err)
	}
	if r := local(protocol.OpSetData, (&protocol.SetDataRequest{Path: "/e", Version: 0}).Append(nil)); r.Err != protocol.ErrOK {
		t.Errorf("a write from before the upgrade: %v", r.Err)
	}
	if m.do((&CloseSession{Session: 77, Conn: 9}).Append(nil)); m.exists("/e") {
		t.Error("the ephemeral has outlived its session")
	}
}

func TestLocalSessionMulti(t *testing.T) {
	m := newMachine(t)
	body := multiBody(&protocol.CreateRequest{Path: "/a", ACL: protocol.OpenACL},
		&protocol.CreateRequest{Path: "/e", ACL: protocol.OpenACL, Flags: protocol.CreateModeEphemeral},
		&protocol.DeleteRequest{Path: "/a", Version: -1})
	r := m.do((&ClientRequest{Session: 77, Op: protocol.OpMulti, Options: LocalSession, Body: body}).Append(nil))
	want := []protocol.ErrCode{protocol.ErrOK, protocol.ErrEphemeralOnLocalSession, protocol.ErrRuntimeInconsistency}
	if r.Err != protocol.ErrOK || len(r.Multi) != len(want) {
		t.Fatalf("%v with %d results, want %d", r.Err, len(r.Multi), len(want))
	}
	for i, w := range want {
		if r.Multi[i].Err != w {
			t.Errorf("result %d: %v, want %v", i, r.Multi[i].Err, w)
		}
	}
	if m.exists("/a") {
		t.Error("the multi was not undone")
	}
}
