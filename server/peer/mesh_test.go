package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"

	"zooraft/tests/testkit"

	"github.com/hashicorp/go-hclog"
)

// member is a handler that notes what it hears.
type member struct {
	callee
	mesh *Mesh
	got  chan uint64
	up   chan int64
	down chan bool
}

func (m *member) Receive(_ int64, _ byte, body []byte) { m.got <- binary.BigEndian.Uint64(body) }
func (m *member) Up(id Identity)                       { m.up <- id.SID }
func (m *member) Down(_ int64, gone bool)              { m.down <- gone }
func (m *member) Status() []byte                       { return []byte(`{"sid":1}`) }

// newMember is server sid, without a mesh yet.
func newMember(sid int64, ln net.Listener, s Security) *member {
	return &member{
		callee: callee{id: Identity{SID: sid, Disk: fmt.Sprint("d", sid), QuorumAddr: ln.Addr().String()}, security: s},
		got:    make(chan uint64, 1<<16), up: make(chan int64, 16), down: make(chan bool, 16),
	}
}

// pair starts two connected meshes.
func pair(t *testing.T) (a, b *member) {
	t.Helper()
	return pairWith(t, nil)
}

// pairWith starts two connected meshes with the same security.
func pairWith(t *testing.T, s Security) (a, b *member) {
	t.Helper()
	var ln [2]net.Listener
	var m [2]*member
	for i := range ln {
		var err error
		if ln[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		m[i] = newMember(int64(i+1), ln[i], s)
	}
	for i := range m {
		other := []Member{{SID: int64(2 - i), Addr: ln[1-i].Addr().String()}}
		m[i].mesh = New(ln[i], other, m[i], hclog.NewNullLogger())
		t.Cleanup(m[i].mesh.Close)
	}
	m[0].mesh.Start()
	m[1].mesh.Start()
	for i := range m {
		if sid := testkit.Await(t, m[i].up, "stream up"); sid != int64(2-i) {
			t.Fatalf("up: %d", sid)
		}
	}
	return m[0], m[1]
}

// single starts a mesh with an id that nobody knows and that knows some others.
func single(t *testing.T, sid int64, others ...*member) *member {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := newMember(sid, ln, nil)
	var known []Member
	for _, o := range others {
		known = append(known, o.place())
	}
	m.mesh = New(ln, known, m, hclog.NewNullLogger())
	t.Cleanup(m.mesh.Close)
	m.mesh.Start()
	return m
}

func (m *member) place() Member { return Member{SID: m.id.SID, Addr: m.mesh.ln.Addr().String()} }

func TestStreamKeepsOrder(t *testing.T) {
	a, b := pair(t)
	wantOrder(t, a, b, 200)
	if a.mesh.Send(5, 9, make([]byte, 8)) {
		t.Errorf("a frame for nobody was taken")
	}
}

// wantOrder sends many frames of a size, which have to arrive one after the other.
func wantOrder(t *testing.T, a, b *member, size int) {
	t.Helper()
	const n = 20000
	body := make([]byte, size)
	for i := range uint64(n) {
		binary.BigEndian.PutUint64(body, i)
		if !a.mesh.Send(b.id.SID, 9, body) {
			t.Fatalf("frame %d not taken", i)
		}
	}
	for i := range uint64(n) {
		if got := testkit.Await(t, b.got, "frame"); got != i {
			t.Fatalf("frame %d came as number %d", got, i)
		}
	}
}

func TestStreamEnd(t *testing.T) {
	a, b := pair(t)
	b.mesh.Close()
	if gone := testkit.Await(t, a.down, "end of the stream"); !gone {
		t.Errorf("the end of a process was not told from a silent host")
	}
	if a.mesh.Connected(2) || a.mesh.Send(2, 9, make([]byte, 8)) {
		t.Errorf("a broken stream takes frames")
	}
	a.mesh.Close()
	a.mesh.Close()
}

// TestGuest: a server that nobody has heard of calls, is called back, and is
// forgotten when it is gone. Streams between the others go on meanwhile.
func TestGuest(t *testing.T) {
	a, b := pair(t)
	g := single(t, 7, a, b)
	for _, m := range []*member{a, b} {
		if sid := testkit.Await(t, m.up, "stream to the guest"); sid != 7 {
			t.Errorf("up: %d", sid)
		}
		if id, ok := m.mesh.Caller(7); !ok || id.Disk != "d7" {
			t.Errorf("the guest calls as %+v, %v", id, ok)
		}
	}
	if !a.mesh.Send(7, 9, make([]byte, 8)) {
		t.Fatal("the guest is not to be reached")
	}
	testkit.Await(t, g.got, "frame to the guest")
	g.mesh.Close()
	for _, m := range []*member{a, b} {
		testkit.Until(t, "the guest is forgotten", func() bool { return !slices.Contains(m.mesh.Others(), 7) })
		if id, ok := m.mesh.Caller(7); ok || id.QuorumAddr != g.id.QuorumAddr {
			t.Errorf("the guest that has gone: %+v, %v", id, ok)
		}
	}
	for m, other := range map[*member]int64{a: 2, b: 1} {
		touched := !m.mesh.Connected(other)
		for len(m.up) > 0 { // the guest may have been called once more while it closed
			touched = touched || <-m.up == other
		}
		if touched {
			t.Errorf("the stream to member %d was touched", other)
		}
	}
}

// TestSet: members come, move and go, and nobody else's stream is touched.
func TestSet(t *testing.T) {
	a, b := pair(t)
	c := single(t, 3)
	a.mesh.Set([]Member{b.place(), c.place()})
	if sid := testkit.Await(t, a.up, "stream to the new member"); sid != 3 {
		t.Fatalf("up: %d", sid)
	}
	testkit.Await(t, c.up, "stream to the guest")
	c.mesh.Close()
	moved := single(t, 3)
	a.mesh.Set([]Member{b.place(), moved.place()})
	testkit.Await(t, a.up, "stream to the place where it is now")
	testkit.Await(t, moved.up, "stream to the guest")
	a.mesh.Send(3, 9, make([]byte, 8))
	testkit.Await(t, moved.got, "frame")

	a.mesh.Set([]Member{b.place()})
	if !a.mesh.Connected(3) {
		t.Error("a server that is a member no more, but is there, was cut off")
	}
	moved.mesh.Close()
	testkit.Until(t, "it is forgotten", func() bool { return !slices.Contains(a.mesh.Others(), 3) })
	if !a.mesh.Connected(2) || len(b.up) > 0 {
		t.Error("the stream to the other member was touched")
	}
}

func TestCallBack(t *testing.T) {
	near, _ := testkit.TCPPair(t)
	for addr, want := range map[string]string{
		"host:1": "host:1", "0.0.0.0:2": "127.0.0.1:2", "[::]:3": "127.0.0.1:3", "10.0.0.1:4": "10.0.0.1:4", "nothing": "nothing",
	} {
		if got := callBack(addr, near); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	a, _ := pair(t)
	got, err := Status(t.Context(), a.mesh.ln.Addr().String(), nil)
	if err != nil || !bytes.Equal(got, a.Status()) {
		t.Errorf("status %q, %v", got, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Status(over, a.mesh.ln.Addr().String(), nil); err == nil {
		t.Errorf("status for nobody: %q", got)
	}
}
