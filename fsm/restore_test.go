package fsm

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"zooraft/fsm/watch"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// saved is the state as a snapshot's bytes.
func (m *machine) saved() []byte {
	m.t.Helper()
	s, err := m.f.Snapshot()
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.Release()
	var sink memorySink
	if err := s.Persist(&sink); err != nil {
		m.t.Fatal(err)
	}
	return sink.Bytes()
}

// stage hands over a snapshot in pieces of a size.
func (m *machine) stage(b []byte, size int) {
	m.t.Helper()
	first := true
	for piece := range slices.Chunk(b, size) {
		if r := m.do((&Stage{First: first, Data: piece}).Append(nil)); r.Err != protocol.ErrOK {
			m.t.Fatalf("stage: %v", r.Err)
		}
		first = false
	}
}

func (m *machine) swap() Result {
	m.t.Helper()
	return m.do((&Restore{Swap: true}).Append(nil))
}

func (m *machine) owner(id protocol.SessionID) (o Owner, ok bool) {
	_, o, ok = View{m.f}.Session(id)
	return o, ok
}

func (m *machine) treeDigest() uint64 { return View{m.f}.Digest() }

// replayed applies a log to a new machine.
func (m *machine) replayed(log []*raft.Log) *machine {
	c := &machine{t: m.t, f: New(localSID, hclog.NewNullLogger()), term: m.term, now: m.now, seq: m.seq}
	c.f.Observe(c)
	c.f.ApplyBatch(log)
	return c
}

// A restore among other requests leaves the same state with every server, wherever
// one has begun from a snapshot; none is taken while something is staged.
func TestRestoreEverywhere(t *testing.T) {
	m := ensemble(t)
	m.open(100, 1)
	m.open(101, 2)
	m.create("/a", 0)
	m.create("/a/e", 1)
	m.create("/c", 4)
	m.with(ExtendedTypes, protocol.OpCreateTTL, ttlBody("/ttl", 5, 5000))
	was := m.saved()
	digest := m.treeDigest()
	m.create("/b", 0)
	m.delete("/c", -1)
	m.set("/a", "later", -1)
	m.open(102, 3)
	m.do((&CloseSession{Session: 101, Conn: 2}).Append(nil))
	last := m.f.clock.Last()
	for i, piece := range [][]byte{was[:100], was[100:101], was[101:]} {
		m.do((&Stage{First: i == 0, Data: piece}).Append(nil))
		m.create("/between", 2)
	}
	m.closed = nil
	r := m.swap()
	if r.Err != protocol.ErrOK || zabcompat.Zxid(r.Zxid) != last+4 || m.restored != 1 {
		t.Fatalf("swap: %v at %#x behind %v, %d told", r.Err, r.Zxid, last, m.restored)
	}
	if got := m.treeDigest(); got != digest {
		t.Errorf("digest %x, want that of the snapshot, %x", got, digest)
	}
	if !slices.Equal(m.closed, []protocol.SessionID{102}) {
		t.Errorf("sessions ended: %v", m.closed)
	}
	for _, id := range []protocol.SessionID{100, 101} {
		if o, ok := m.owner(id); !ok || o != (Owner{}) {
			t.Errorf("session %v: owner %v, %v", id, o, ok)
		}
	}
	if r := m.create("/late", 0); r.Err != protocol.ErrSessionMoved {
		t.Errorf("a write of a connection of before: %v", r.Err)
	}
	m.do((*AttachSession)(&OpenSession{Session: 100, Timeout: 6000, Passwd: password, Conn: 1}).Append(nil))
	if r := m.create("/after", 0); r.Err != protocol.ErrOK || r.Zxid <= int64(last)+4 {
		t.Errorf("a write after it: %v at %#x", r.Err, r.Zxid)
	}
	want := m.f.Digest()
	refused := 0
	for i := 0; i <= len(m.log); i++ {
		c := m.replayed(m.log[:i])
		s, err := c.f.Snapshot()
		if errors.Is(err, ErrStaged) {
			refused++
		} else {
			var sink memorySink
			if err := s.Persist(&sink); err != nil {
				t.Fatal(err)
			}
			s.Release()
			c = m.replayed(nil)
			if err := c.f.Restore(io.NopCloser(&sink)); err != nil {
				t.Fatal(err)
			}
		}
		c.f.ApplyBatch(m.log[i:])
		if got := c.f.Digest(); got != want {
			t.Errorf("with a snapshot at entry %d: digest %x, want %x", i, got, want)
		}
	}
	if refused != 6 {
		t.Errorf("%d snapshots refused, want 6", refused)
	}
}

// What is staged goes without a trace when its server starts anew, drops it, begins
// again or waits too long; others cannot take part in it.
func TestStagedIsDropped(t *testing.T) {
	m := newMachine(t)
	m.register(2, 1)
	m.open(100, 1)
	m.create("/a", 0)
	was := m.saved()
	m.create("/b", 0)
	other := Origin{SID: 2, Incarnation: 1}
	stage := func(first bool) []byte { return (&Stage{First: first, Data: was}).Append(nil) }

	for _, test := range []struct {
		name string
		do   func()
		want protocol.ErrCode
	}{
		{"nothing", func() {}, protocol.ErrNoNode},
		{"a piece that is not the first", func() {
			if r := m.do(stage(false)); r.Err != protocol.ErrNoNode {
				t.Errorf("it is taken: %v", r.Err)
			}
		}, protocol.ErrNoNode},
		{"that of another server", func() {
			m.entry(raw(other, 1, stage(true)))
			if r := m.do(stage(true)); r.Err != protocol.ErrReconfigInProgress {
				t.Errorf("a second one is taken: %v", r.Err)
			}
		}, protocol.ErrNoNode},
		{"that of a server that has started anew", func() { m.register(2, 2) }, protocol.ErrNoNode},
		{"dropped", func() {
			m.stage(was, 50)
			m.do((&Restore{}).Append(nil))
		}, protocol.ErrNoNode},
		{"too late", func() {
			m.stage(was, 50)
			m.now += stageLimit + 1
		}, protocol.ErrNoNode},
		{"torn", func() { m.stage(was[:len(was)-1], 50) }, protocol.ErrDataInconsistency},
		{"too long", func() { m.stage(append(slices.Clone(was), 0), 50) }, protocol.ErrDataInconsistency},
		{"not a snapshot", func() { m.stage([]byte("{}"), 1) }, protocol.ErrDataInconsistency},
		{"begun again", func() {
			m.stage(was[:70], 50)
			m.stage(was, 1)
		}, protocol.ErrOK},
	} {
		test.do()
		before := m.f.clock.Last()
		if r := m.swap(); r.Err != test.want || zabcompat.Zxid(r.Zxid) != before+1 {
			t.Errorf("%s: %v at %#x behind %v, want %v", test.name, r.Err, r.Zxid, before, test.want)
		}
		if there := m.exists("/b"); there == (test.want == protocol.ErrOK) {
			t.Errorf("%s: /b is there: %v", test.name, there)
		}
		if staged := m.f.Staging(); staged != (test.name == "that of another server") {
			t.Errorf("%s: something is staged: %v", test.name, staged)
		}
	}
}

// Zxids grow on behind those of the snapshot, which may be of another ensemble.
func TestRestoreOfTheFuture(t *testing.T) {
	m := ensemble(t)
	m.open(100, 1)
	m.create("/a", 0)
	_, config := m.config()
	for _, test := range []struct {
		term uint64 // of what is restored
		ok   bool
	}{{1, true}, {40, true}, {maxEpoch + 1, false}} {
		from := newMachine(t)
		from.term = test.term
		from.open(200, 1)
		for range 20 {
			from.do((&ClientRequest{Session: 200, Conn: 1, Op: protocol.OpCreate, Body: createBody("/from", "x", 2)}).Append(nil))
		}
		before, theirs := m.f.clock.Last(), from.f.clock.Last()
		m.stage(from.saved(), 64)
		r := m.swap()
		if ok := r.Err == protocol.ErrOK; ok != test.ok {
			t.Errorf("term %d: %v", test.term, r.Err)
			continue
		}
		if z := zabcompat.Zxid(r.Zxid); z <= before || test.ok && z <= theirs {
			t.Errorf("term %d: zxid %v, want one behind %v and %v", test.term, z, before, theirs)
		}
		next := m.open(300+protocol.SessionID(test.term), 1)
		if next.Zxid != r.Zxid+1 {
			t.Errorf("term %d: %#x after %#x", test.term, next.Zxid, r.Zxid)
		}
		if _, stat := m.config(); stat.Mzxid != config.Mzxid || stat.Version != config.Version {
			t.Errorf("/zookeeper/config: %+v, want %+v", stat, config)
		}
	}
	if got := m.f.clock.Epoch; got != 41 {
		t.Errorf("epoch %d, want 41", got)
	}
	m.term++
	if r := m.open(400, 1); zabcompat.Zxid(r.Zxid) != zabcompat.MakeZxid(42, 1) {
		t.Errorf("first zxid of the next term: %#x", r.Zxid)
	}
}

// A client that has seen what was before a restore hears of all that it watches,
// though the zxids of the znodes are old ones.
func TestWatchesAfterRestore(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	was := m.saved()
	m.create("/x", 0)
	m.set("/a", "later", -1)
	seen := int64(m.f.clock.Last())
	m.stage(was, 1000)
	r := m.swap()
	for _, test := range []struct {
		seen int64
		want []watch.Event
	}{
		{seen, []watch.Event{
			{Type: protocol.EventNodeDataChanged, Path: "/a", Zxid: -1},
			{Type: protocol.EventNodeDeleted, Path: "/x", Zxid: -1},
			{Type: protocol.EventNodeChildrenChanged, Path: "/a", Zxid: -1},
		}},
		{r.Zxid, []watch.Event{{Type: protocol.EventNodeDeleted, Path: "/x", Zxid: -1}}},
	} {
		for _, c := range []*machine{m, m.snapshot()} {
			var s sink
			reader := Reader{Sink: &s, Watcher: c.f.Watches().NewWatcher(&s)}
			body := (&protocol.SetWatches{RelativeZxid: test.seen, Data: []string{"/a", "/x"}, Child: []string{"/a"}}).Append(nil)
			c.f.View(func(v View) { v.Read(nil, protocol.OpSetWatches, body, &reader) })
			if !slices.EqualFunc(s.events, test.want, func(a, b watch.Event) bool { return a.Type == b.Type && a.Path == b.Path }) {
				t.Errorf("having seen %#x: %v, want %v", test.seen, s.events, test.want)
			}
		}
	}
}

// Any damage to a snapshot is found without building the tree.
func TestCheckSnapshot(t *testing.T) {
	m := newMachine(t)
	m.open(100, 1)
	m.create("/a", 0)
	was := m.saved()
	check := func(b []byte) (zabcompat.Zxid, error) { return CheckSnapshot(bytes.NewReader(b), int64(len(b))) }
	if zxid, err := check(was); err != nil || zxid != m.f.clock.Last() {
		t.Errorf("%v, %v, want %v", zxid, err, m.f.clock.Last())
	}
	if zxid, err := SnapshotZxid(bytes.NewReader(was)); err != nil || zxid != m.f.clock.Last() {
		t.Errorf("%v, %v, want %v", zxid, err, m.f.clock.Last())
	}
	for i := range was {
		b := slices.Clone(was)
		b[i] ^= 4
		if _, err := check(b); !errors.Is(err, ErrCorruptSnapshot) {
			t.Errorf("byte %d is another: %v", i, err)
		}
		if _, err := check(was[:i]); !errors.Is(err, ErrCorruptSnapshot) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	if _, err := check(append(slices.Clone(was), 1)); !errors.Is(err, ErrCorruptSnapshot) {
		t.Errorf("one byte more: %v", err)
	}
}

// A state that was never restored is written as the release before reads it.
func TestSnapshotVersions(t *testing.T) {
	m := newMachine(t)
	was := m.saved()
	if was[11] != 2 {
		t.Errorf("version %d, want 2", was[11])
	}
	m.stage(was, 100)
	m.swap()
	if b := m.saved(); b[11] != 3 {
		t.Errorf("version %d after a restore, want 3", b[11])
	}
	if c := m.snapshot(); c.f.replaced != m.f.replaced || c.f.Digest() != m.f.Digest() {
		t.Error("another state after a snapshot")
	}
}

// Whatever is staged, in whatever pieces, ends as it would if it was read at once.
func FuzzStage(f *testing.F) {
	m := newMachine(f)
	m.open(100, 1)
	m.create("/a", 0)
	was := m.saved()
	f.Add(was, uint8(1))
	f.Add(was, uint8(200))
	f.Add(was[:len(was)-2], uint8(7))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		m := newMachine(t)
		m.do((&Stage{First: true}).Append(nil))
		for piece := range slices.Chunk(b, 16*int(size)+1) {
			m.do((&Stage{Data: piece}).Append(nil))
		}
		want := protocol.ErrOK
		whole, err := readState(bytes.NewReader(b))
		if err != nil || whole.restorable() != nil {
			want = protocol.ErrDataInconsistency
		}
		if _, err := CheckSnapshot(bytes.NewReader(b), int64(len(b))); want == protocol.ErrOK && err != nil {
			t.Errorf("it is no snapshot: %v", err)
		}
		if r := m.swap(); r.Err != want {
			t.Errorf("%v, want %v: %v", r.Err, want, err)
		}
		if want == protocol.ErrOK && m.treeDigest() != (View{&FSM{state: *whole}}).Digest() {
			t.Error("another tree")
		}
	})
}
