package fsm

import (
	"bufio"
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
