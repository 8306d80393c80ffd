package fsm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"zooraft/zabcompat"
)

// CheckSnapshot says whether so many bytes are a snapshot that can be restored, as far
// as that can be said without building the tree: what it begins with, that nothing
// is missing, the checksum of it all. The error wraps ErrCorruptSnapshot or
// ErrForeignZxid.
func CheckSnapshot(in io.Reader, size int64) (zxid zabcompat.Zxid, err error) {
	r := &summed{r: bufio.NewReaderSize(in, 256<<10), sum: crc32.New(castagnoli)}
	state, err := r.head()
	if err != nil {
		return 0, err
	}
	if state.clock.Epoch > maxEpoch {
		return 0, fmt.Errorf("%w: the last one is %v", ErrForeignZxid, state.clock.Last())
	}
	const tail = 4
	if _, err := io.CopyN(io.Discard, r, size-r.n-tail); err != nil || size < r.n+tail {
		return 0, r.corrupt("it ends too early", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return state.clock.Last(), r.tail()
}

// SnapshotZxid is the last zxid that a snapshot holds. It reads the beginning alone.
func SnapshotZxid(in io.Reader) (zabcompat.Zxid, error) {
	r := &summed{r: in, sum: crc32.New(castagnoli)}
	state, err := r.head()
	if err != nil {
		return 0, err
	}
	return state.clock.Last(), nil
}

// ReadSnapshot reads a snapshot into a state machine of its own, checksum included,
// for those who want to look at it. Nothing may be applied to it.
func ReadSnapshot(r io.Reader) (*FSM, error) {
	s, err := readState(r)
	if err != nil {
		return nil, err
	}
	return &FSM{state: *s}, nil
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
