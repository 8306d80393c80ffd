package peer

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

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
func (m *member) Up(id Identity, _ string)             { m.up <- id.SID }
func (m *member) Down(_ int64, gone bool)              { m.down <- gone }
func (m *member) Refused(int64, error)                 {}
func (m *member) Status() []byte                       { return []byte(`{"sid":1}`) }

// pair starts two connected meshes.
func pair(t *testing.T) (a, b *member) {
	t.Helper()
	var ln [2]net.Listener
	var m [2]*member
	for i := range ln {
		var err error
		if ln[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		m[i] = &member{
			callee: callee{id: Identity{SID: int64(i + 1)}, members: []int64{1, 2}},
			got:    make(chan uint64, 1<<16), up: make(chan int64, 16), down: make(chan bool, 16),
		}
	}
	for i := range m {
		other := []Member{{SID: int64(2 - i), Addr: ln[1-i].Addr().String()}}
		m[i].mesh = New(ln[i], other, m[i], hclog.NewNullLogger())
		t.Cleanup(m[i].mesh.Close)
	}
	m[0].mesh.Start()
	m[1].mesh.Start()
	for i := range m {
		if sid := await(t, m[i].up, "stream up"); sid != int64(2-i) {
			t.Fatalf("up: %d", sid)
		}
	}
	return m[0], m[1]
}

func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func TestStreamKeepsOrder(t *testing.T) {
	a, b := pair(t)
	const n = 20000
	body := make([]byte, 200)
	for i := range uint64(n) {
		binary.BigEndian.PutUint64(body, i)
		if !a.mesh.Send(2, 9, body) {
			t.Fatalf("frame %d not taken", i)
		}
	}
	for i := range uint64(n) {
		if got := await(t, b.got, "frame"); got != i {
			t.Fatalf("frame %d came as number %d", got, i)
		}
	}
	if a.mesh.Send(5, 9, body) {
		t.Errorf("a frame for nobody was taken")
	}
}

func TestStreamEnd(t *testing.T) {
	a, b := pair(t)
	b.mesh.Close()
	if gone := await(t, a.down, "end of the stream"); !gone {
		t.Errorf("the end of a process was not told from a silent host")
	}
	if a.mesh.Connected(2) || a.mesh.Send(2, 9, make([]byte, 8)) {
		t.Errorf("a broken stream takes frames")
	}
	a.mesh.Close()
	a.mesh.Close()
}

func TestStatus(t *testing.T) {
	a, _ := pair(t)
	got, err := Status(a.mesh.ln.Addr().String())
	if err != nil || !bytes.Equal(got, a.Status()) {
		t.Errorf("status %q, %v", got, err)
	}
}
