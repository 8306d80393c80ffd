package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"zooraft/protocol"
)

func snapshotBytes(t testing.TB, tr *Tree) []byte {
	t.Helper()
	s, err := tr.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var b bytes.Buffer
	n, err := s.Write(&b, new(sync.Mutex))
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("Write = %d, %v; %d bytes written", n, err, b.Len())
	}
	return b.Bytes()
}

// betweenSlices is a lock that lets somebody change the tree before it is taken.
type betweenSlices struct {
	sync.Mutex
	change func()
}

func (l *betweenSlices) Lock() {
	l.change()
	l.Mutex.Lock()
}

func TestSnapshotShowsItsMoment(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		p := newPlayer(seed)
		for range 5000 {
			p.step(7)
		}
		for round := range 3 {
			moment := p.model.clone()
			digest := p.tree.Digest()
			s, err := p.tree.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if got := s.NodeCount(); got != len(moment.nodes) {
				t.Fatalf("seed %d: NodeCount() = %d, want %d", seed, got, len(moment.nodes))
			}
			var b bytes.Buffer
			slices := 0
			_, err = s.Write(&b, &betweenSlices{change: func() {
				slices++
				for range 150 {
					if p.rng.IntN(100) == 0 {
						p.multi(2 + 4*round)
					} else {
						p.step(2 + 4*round)
					}
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if slices < 3 {
				t.Fatalf("seed %d: only %d slices", seed, slices)
			}
			if len(s.saved) != 0 {
				t.Errorf("seed %d: %d slots still saved after Write", seed, len(s.saved))
			}
			s.Release()
			s.Release()
			if err := p.model.compare(p.tree); err != nil {
				t.Fatalf("seed %d: the tree itself: %v", seed, err)
			}
			checkInvariants(t, p.tree)

			in := io.MultiReader(&b, strings.NewReader("rest"))
			back, err := Read(in)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rest, _ := io.ReadAll(in); string(rest) != "rest" {
				t.Fatalf("seed %d: Read left %q", seed, rest)
			}
			if err := moment.compare(back); err != nil {
				t.Fatalf("seed %d: restored: %v", seed, err)
			}
			checkInvariants(t, back)
			if back.Digest() != digest {
				t.Fatalf("seed %d: digest after restore %#x, want %#x", seed, back.Digest(), digest)
			}
			// A restored tree goes on like any other.
			p.tree, p.model = back, moment
			for range 500 {
				p.step(5)
			}
			if err := p.model.compare(p.tree); err != nil {
				t.Fatalf("seed %d: after going on: %v", seed, err)
			}
		}
	}
}

func TestSnapshotBesideWritersAndReaders(t *testing.T) {
	var (
		mu   sync.RWMutex
		tr   = New()
		done = make(chan struct{})
		wg   sync.WaitGroup
	)
	for i := range 4000 {
		tr.Create(Root, fmt.Sprint(i), []byte("0"), protocol.OpenACL, int64(i%3), 1, 1)
	}
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(1, 1))
		for zxid := int64(2); ; zxid++ {
			select {
			case <-done:
				return
			default:
			}
			mu.Lock()
			path := fmt.Sprint("/", rng.IntN(5000))
			switch r := tr.Lookup(path); {
			case r == None:
				tr.Create(Root, path[1:], []byte("new"), protocol.OpenACL, 0, zxid, zxid)
			case zxid%3 == 0:
				tr.Delete(r, zxid)
			default:
				tr.SetData(r, []byte("changed"), zxid, zxid)
			}
			mu.Unlock()
		}
	})
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(2, 2))
		var b []byte
		for {
			select {
			case <-done:
				return
			default:
			}
			mu.RLock()
			if r := tr.Lookup(fmt.Sprint("/", rng.IntN(5000))); r != None {
				b = append(append(b[:0], tr.Path(r)...), tr.Data(r)...)
				_, _ = tr.Stat(r), tr.ACL(r)
			}
			mu.RUnlock()
		}
	})
	for range 5 {
		mu.Lock()
		digest := tr.Digest()
		s, err := tr.Snapshot()
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, err = s.Write(&b, mu.RLocker())
		mu.Lock()
		s.Release()
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Digest(); got != digest {
			t.Errorf("digest %#x, want %#x", got, digest)
		}
	}
	close(done)
	wg.Wait()
	checkInvariants(t, tr)
}

func TestSnapshotRefusals(t *testing.T) {
	tr := New()
	tr.Begin()
	if _, err := tr.Snapshot(); !errors.Is(err, ErrInTransaction) {
		t.Errorf("in a transaction: %v", err)
	}
	tr.Rollback()
	s, err := tr.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Snapshot(); !errors.Is(err, ErrSnapshotOpen) {
		t.Errorf("while one is open: %v", err)
	}
	full := errors.New("disk full")
	if _, err := s.Write(failingWriter{full}, new(sync.Mutex)); !errors.Is(err, full) {
		t.Errorf("Write to a full disk: %v", err)
	}
	if _, err := s.Write(io.Discard, new(sync.Mutex)); !errors.Is(err, ErrSnapshotOpen) {
		t.Errorf("second Write: %v", err)
	}
	s.Release()
	next, err := tr.Snapshot()
	if err != nil {
		t.Fatalf("after Release: %v", err)
	}
	s.Release() // the old one, again: the new one stays open
	if tr.snapshot != next {
		t.Error("a second Release closed somebody else's snapshot")
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// sample is a small tree of all kinds, and where its nodes begin.
func sample(t testing.TB) (tr *Tree, b []byte, nodes []int) {
	tr = New()
	a := tr.Create(Root, "a", []byte("data of a"), protocol.OpenACL, 0, 1, 2)
	tr.Create(a, "e1", nil, []protocol.ACL{{Perms: 5, Scheme: "digest", ID: "u:h"}, {Perms: 1, Scheme: "auth", NullID: true}}, 7, 3, 4)
	tr.Create(a, "e2", []byte{}, protocol.OpenACL, 7, 3, 4)
	tr.Create(a, "c", []byte("x"), protocol.OpenACL, ContainerOwner, 5, 6)
	b = snapshotBytes(t, tr)
	offset := len(b)
	for r := Ref(tr.NodeCount()); r >= Root; r-- { // no slot is free, so numbers are Refs
		offset -= nodeSize + int(tr.at(r).nameLen) + int(tr.at(r).dataSize())
		nodes = append(nodes, offset)
	}
	nodes = append(nodes, 0) // so that nodes[r] is that of Ref r
	slices.Reverse(nodes)
	return tr, b, nodes
}

func TestReadRefusesDamage(t *testing.T) {
	_, good, at := sample(t)
	const (
		parent, next, ownerNext, acl, nameLen, dataLen, created, owner = 0, 4, 8, 12, 16, 20, 28, 76

		a, e1, e2, c = 5, 6, 7, 8
	)
	put := func(offset int, v uint32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[offset:], v) }
	}
	tests := []struct {
		name   string
		damage func([]byte)
		want   string // in the error
	}{
		{"magic", put(0, 0), "byte 0: not a snapshot"},
		{"version", put(4, 2), "byte 4: version 2"},
		{"no nodes", put(8, 0), "byte 8: 0 nodes"},
		{"too few nodes", put(8, 7), "next sibling 8 of 7"},
		{"too many nodes", put(8, 9), fmt.Sprintf("byte %d: unexpected end", len(good))},
		{"no ACLs", put(12, 0), "byte 12: no ACLs"},
		{"first ACL is another", put(20, 1), "byte 16: ACL 0 is out of place"},
		{"root with a parent", put(at[1]+parent, 2), "node 1: parent 2"},
		{"second root", put(at[a]+parent, 0), fmt.Sprintf("byte %d: node 5: parent 0", at[a])},
		{"own parent", put(at[a]+parent, a), "node 5: parent 5"},
		{"parent out of range", put(at[a]+parent, 9), "node 5: parent 9 of 8"},
		{"circle of parents", put(at[a]+parent, c), "node 2 at byte"},
		{"next out of range", put(at[e1]+next, 9), "next sibling 9"},
		{"next of another parent", put(at[e1]+next, 2), fmt.Sprintf("node 6 at byte %d: next sibling 2", at[e1])},
		{"two before one", put(at[e1]+next, c), "next sibling 8"},
		{"broken list", put(at[e1]+next, 0), "another first child"},
		{"circle of parents, apart from the rest", func(b []byte) {
			put(at[2]+next, 0)(b)
			put(at[a]+parent, c)(b)
		}, "it is its own ancestor"},
		{"circle of siblings", put(at[c]+next, e1), fmt.Sprintf("node 5 at byte %d: 0 of 3 children", at[a])},
		{"circle of siblings behind the first", func(b []byte) {
			put(at[e1]+next, 0)(b)
			put(at[c]+next, e2)(b)
		}, "node 5 at byte"},
		{"sibling of itself", put(at[c]+next, c), "another before it"},
		{"owner list broken", put(at[e1]+ownerNext, 0), "another first node"},
		{"owner list of itself", put(at[e2]+ownerNext, e2), "another before it"},
		{"owner list in a circle", put(at[e2]+ownerNext, e1), "2 nodes are in no owner's list"},
		{"owner list of two owners", put(at[e1]+owner, 1), "another owner"},
		{"owner list without owner", put(at[a]+ownerNext, c), "node 5: next of owner"},
		{"ACL out of range", put(at[e1]+acl, 3), "node 6: ACL 3 of 3"},
		{"ACL of nobody", put(at[e1]+acl, 0), "nobody has ACL"},
		{"root with a name", put(at[1]+nameLen, 1), "node 1: name of 1 bytes"},
		{"node without a name", put(at[e1]+nameLen, 0), "node 6: name of 0 bytes"},
		{"slash in a name", func(b []byte) { b[at[e1]+nodeSize] = '/' }, "node 6: a slash"},
		{"same name twice", func(b []byte) { b[at[e2]+nodeSize+1] = '1' }, `child "e1" is there twice`},
		{"negative count", put(at[a]+created, 1<<31), "node 5: -2147483648 creations"},
		{"data too long", put(at[c]+dataLen, 1<<31), "unexpected end"},
		{"no config", func(b []byte) { b[at[4]+nodeSize] = 'C' }, "/zookeeper/config"},
	}
	for _, tt := range tests {
		b := slices.Clone(good)
		tt.damage(b)
		if tr, err := Read(bytes.NewReader(b)); err == nil || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (tree %v), want ErrCorrupt with %q", tt.name, err, tr != nil, tt.want)
		}
	}
	for n := range good {
		if _, err := Read(bytes.NewReader(good[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	broken := errors.New("cable pulled")
	if _, err := Read(io.MultiReader(bytes.NewReader(good[:50]), failingReader{broken})); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Errorf("broken reader: %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestReadLargeData(t *testing.T) {
	tr := New()
	data := bytes.Repeat([]byte("0123456789"), 70_000)
	tr.Create(Root, "big", data, protocol.OpenACL, 0, 1, 1)
	back, err := Read(bytes.NewReader(snapshotBytes(t, tr)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Data(back.Lookup("/big")), data) {
		t.Error("data differs")
	}
}

// FuzzRead: whatever the bytes, Read returns a sound tree or an error, and what
// it has read comes out the same again.
func FuzzRead(f *testing.F) {
	_, good, at := sample(f)
	f.Add(good)
	f.Add(snapshotBytes(f, New()))
	for _, offset := range at[1:] {
		for field := 0; field < 24; field += 4 {
			b := slices.Clone(good)
			b[offset+field+3] ^= 3
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := Read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("not ErrCorrupt: %v", err)
			}
			return
		}
		checkInvariants(t, tr)
		again := snapshotBytes(t, tr)
		if len(again) > len(b) || !bytes.Equal(again, b[:len(again)]) {
			t.Fatalf("%d bytes read, other %d bytes written", len(b), len(again))
		}
	})
}
