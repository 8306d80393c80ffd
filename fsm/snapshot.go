package fsm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"github.com/hashicorp/raft"

	"zooraft/fsm/tree"
	"zooraft/protocol"
	"zooraft/zabcompat"
)

// A snapshot is: magic, version, the length of the head and the head (all but
// the tree), the tree as fsm/tree writes it, and a CRC-32C of all before it.
const (
	snapshotMagic = "ZRSNAP\r\n"
	// 1 has no membership. 3 has the zxid of the last restore: a state without one is
	// written as 2, which the release before reads.
	snapshotVersion = 3
	maxHead         = 1 << 30
)

var (
	// ErrCorruptSnapshot reports a snapshot that cannot be restored; the error that
	// wraps it names the byte offset.
	ErrCorruptSnapshot = errors.New("corrupt snapshot")
	// ErrPastSnapshot refuses a snapshot that lacks what is applied.
	ErrPastSnapshot = errors.New("the snapshot lacks entries that are applied")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapshot is a pinned version of the state.
type snapshot struct {
	f    *FSM
	head []byte
	tree *tree.Snapshot
	zxid int64
	// version of the head
	version uint32
}

// Snapshot implements raft.FSM. Raft applies nothing while it runs, so it only
// pins the tree and copies the small tables; Persist writes beside applies.
//
// While something is staged it fails with ErrStaged: the log behind the last
// snapshot is what holds it.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.staged != nil {
		return nil, ErrStaged
	}
	t, err := f.tree.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("pin the tree: %w", err)
	}
	return &snapshot{f: f, head: f.appendHead(nil), tree: t, zxid: int64(f.clock.Last()), version: f.headVersion()}, nil
}

// Persist implements raft.FSMSnapshot.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	s.f.snapshotZxid.Store(s.zxid)
	return nil
}

func (s *snapshot) write(out io.Writer) error {
	sum := crc32.New(castagnoli)
	w := io.MultiWriter(out, sum)
	b := append([]byte(nil), snapshotMagic...)
	b = binary.BigEndian.AppendUint32(b, s.version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.head)))
	if _, err := w.Write(append(b, s.head...)); err != nil {
		return err
	}
	if _, err := s.tree.Write(w, s.f.mu.RLocker()); err != nil {
		return err
	}
	_, err := out.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// Release implements raft.FSMSnapshot.
func (s *snapshot) Release() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.tree.Release()
}

// appendHead encodes all but the tree, in an order that equal states share.
func (f *state) appendHead(b []byte) []byte {
	b = appendBytes(b, f.cluster)
	b = binary.AppendUvarint(b, uint64(f.clock.Offset))
	b = binary.AppendUvarint(b, uint64(f.clock.Epoch))
	b = binary.AppendUvarint(b, uint64(f.clock.Counter))
	b = binary.AppendVarint(b, f.now)
	b = binary.AppendUvarint(b, f.applied)

	b = binary.AppendUvarint(b, uint64(len(f.servers)))
	for _, sid := range sortedKeys(f.servers) {
		s := f.servers[sid]
		b = binary.AppendUvarint(b, uint64(sid))
		b = binary.AppendUvarint(b, s.incarnation)
		b = binary.AppendUvarint(b, s.lastSeq)
		b = append(b, s.nonce[:]...)
		b = append(b, s.disk[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(f.sessions)))
	for _, id := range sortedKeys(f.sessions) {
		s := f.sessions[id]
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint32(b, uint32(s.timeout))
		b = append(b, s.passwd[:]...)
		b = appendOwner(b, s.owner)
	}
	b = f.members.append(b)
	if f.headVersion() >= 3 {
		b = binary.AppendVarint(b, f.replaced)
	}
	return b
}

// headVersion is the oldest version that can hold the state.
func (f *state) headVersion() uint32 {
	if f.replaced != 0 {
		return 3
	}
	return 2
}

func sortedKeys[K protocol.SessionID | int64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// readHead is the inverse of appendHead, into an empty state. It takes the heads of
// earlier versions too.
func (f *state) readHead(version uint32, b []byte) error {
	p := payloadReader{b: b}
	f.cluster = string(p.bytes())
	f.clock = zabcompat.Clock{Offset: uint32(p.uvarint()), Epoch: uint32(p.uvarint()), Counter: uint32(p.uvarint())}
	f.now = p.varint()
	f.applied = p.uvarint()
	f.servers = make(map[int64]*server)
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		sid, s := int64(p.uvarint()), &server{}
		s.incarnation, s.lastSeq = p.uvarint(), p.uvarint()
		copy(s.nonce[:], p.take(16))
		copy(s.disk[:], p.take(16))
		f.servers[sid] = s
	}
	f.sessions = make(map[protocol.SessionID]*session)
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		id, s := protocol.SessionID(p.uint64()), &session{timeout: int32(p.uint32())}
		copy(s.passwd[:], p.take(protocol.PasswdBytes))
		s.owner = p.owner()
		f.sessions[id] = s
	}
	if version >= 2 {
		if err := f.members.read(&p); err != nil {
			return err
		}
	}
	if version >= 3 {
		f.replaced = p.varint()
	}
	if p.bad || len(p.b) > 0 {
		return errors.New("torn session or server table")
	}
	return nil
}

// Restore implements raft.FSM: it fills a new state beside the old one and
// swaps them once all of it, checksum included, has been read. It refuses to go
// back: Raft would then cut the log to where the snapshot ends, and take from the
// ensemble what this server has acknowledged.
func (f *FSM) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	fresh, err := readState(rc)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fresh.applied < f.applied {
		return fmt.Errorf("%w: it ends at index %d, the state at %d", ErrPastSnapshot, fresh.applied, f.applied)
	}
	f.state = *fresh
	f.unstage(func(Origin) bool { return true })
	f.snapshotZxid.Store(int64(f.clock.Last()))
	if f.obs != nil {
		f.obs.SnapshotInstalled(View{f})
	}
	return nil
}

// summed counts and sums what is read through it.
type summed struct {
	r   io.Reader
	n   int64
	sum hash.Hash32
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	s.sum.Write(p[:n])
	return n, err
}

// corrupt says where something is wrong, and what.
func (s *summed) corrupt(what string, err error) error {
	return fmt.Errorf("%w: %s, at byte %d: %w", ErrCorruptSnapshot, what, s.n, err)
}

// readState reads a snapshot, checksum included.
func readState(in io.Reader) (*state, error) {
	buf := bufio.NewReaderSize(in, 256<<10)
	r := &summed{r: buf, sum: crc32.New(castagnoli)}
	f, err := r.head()
	if err != nil {
		return nil, err
	}
	if f.tree, err = tree.Read(r); err != nil {
		return nil, r.corrupt("tree", err)
	}
	if err := r.tail(); err != nil {
		return nil, err
	}
	if _, err := buf.ReadByte(); err != io.EOF {
		return nil, r.corrupt("end", errors.Join(errors.New("more follows"), err))
	}
	return f, nil
}

// head reads what stands before the tree.
func (s *summed) head() (*state, error) {
	var lead [len(snapshotMagic) + 8]byte
	if _, err := io.ReadFull(s, lead[:]); err != nil {
		return nil, s.corrupt("short header", err)
	}
	if string(lead[:len(snapshotMagic)]) != snapshotMagic {
		return nil, s.corrupt("magic number", fmt.Errorf("%q", lead[:len(snapshotMagic)]))
	}
	version := binary.BigEndian.Uint32(lead[len(snapshotMagic):])
	if version < 1 || version > snapshotVersion {
		return nil, s.corrupt("version", fmt.Errorf("%d, this release reads 1 to %d", version, snapshotVersion))
	}
	n := binary.BigEndian.Uint32(lead[len(snapshotMagic)+4:])
	if n > maxHead {
		return nil, s.corrupt("head length", fmt.Errorf("%d", n))
	}
	var head bytes.Buffer
	if _, err := io.CopyN(&head, s, int64(n)); err != nil {
		return nil, s.corrupt("short head", err)
	}
	f := new(state)
	if err := f.readHead(version, head.Bytes()); err != nil {
		return nil, s.corrupt("head", err)
	}
	return f, nil
}

// tail reads the checksum and compares it with that of what has been read.
func (s *summed) tail() error {
	want := s.sum.Sum32()
	var tail [4]byte
	if _, err := io.ReadFull(s, tail[:]); err != nil {
		return s.corrupt("short checksum", err)
	}
	if got := binary.BigEndian.Uint32(tail[:]); got != want {
		return s.corrupt("checksum", fmt.Errorf("file says %08x, content gives %08x", got, want))
	}
	return nil
}

// Digest sums up the whole replicated state, for tests: equal states give equal
// digests.
func (f *FSM) Digest() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.tree.Digest() ^ uint64(crc32.Checksum(f.appendHead(nil), castagnoli))<<32
}
