package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// ErrCorrupt is wrapped by errors about bytes that are not what was written.
var ErrCorrupt = errors.New("corrupt")

// MaxEntryBytes is the size of the largest log entry that can be stored, its
// own fields included. raft-wal writes a larger one but never reads it again.
const MaxEntryBytes = 64 << 20

const (
	entryVersion = 1
	entryHead    = 1 + 4 + 8 + 8 + 1 + 8 + 4 + 4
	// entryCodecID marks the segments of this codec; raft-wal reserves what is
	// below 1<<16.
	entryCodecID = 0x7a6f6f_7261667401
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// entryCodec writes a log entry as
//
//	version 1 | crc 4 | index 8 | term 8 | type 1 | seconds 8 | nanos 4 | extensions 4+n | data
//
// little-endian, the CRC-32C over all but itself. raft-wal has checksums for
// batches only and looks at them only in the segment it was writing to; this
// one is verified at each read. It implements wal.Codec.
type entryCodec struct{}

func (entryCodec) ID() uint64 { return entryCodecID }

func entryLen(l *raft.Log) int { return entryHead + len(l.Extensions) + len(l.Data) }

// growing is what Encode uses of a bytes.Buffer.
type growing interface {
	Grow(n int)
	AvailableBuffer() []byte
}

// Encode implements wal.Codec. raft-wal gives it an empty bytes.Buffer for each
// entry, which would grow with each of the parts.
func (entryCodec) Encode(l *raft.Log, w io.Writer) error {
	var head []byte
	if b, ok := w.(growing); ok {
		b.Grow(entryLen(l))
		head = b.AvailableBuffer()
	}
	head = append(head, make([]byte, entryHead)...)
	head[0] = entryVersion
	binary.LittleEndian.PutUint64(head[5:], l.Index)
	binary.LittleEndian.PutUint64(head[13:], l.Term)
	head[21] = byte(l.Type)
	binary.LittleEndian.PutUint64(head[22:], uint64(l.AppendedAt.Unix()))
	binary.LittleEndian.PutUint32(head[30:], uint32(l.AppendedAt.Nanosecond()))
	binary.LittleEndian.PutUint32(head[34:], uint32(len(l.Extensions)))
	sum := entrySum(head)
	sum = crc32.Update(sum, castagnoli, l.Extensions)
	sum = crc32.Update(sum, castagnoli, l.Data)
	binary.LittleEndian.PutUint32(head[1:], sum)
	for _, part := range [][]byte{head, l.Extensions, l.Data} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// entrySum sums the version and all that follows the sum in b.
func entrySum(b []byte) uint32 {
	return crc32.Update(checksum(b[:1]), castagnoli, b[5:])
}

// checkEntry verifies an encoded entry and returns its index.
func checkEntry(b []byte) (index uint64, err error) {
	if len(b) < entryHead {
		return 0, fmt.Errorf("%w entry: %d bytes", ErrCorrupt, len(b))
	}
	if b[0] != entryVersion {
		return 0, fmt.Errorf("%w entry: version %d", ErrCorrupt, b[0])
	}
	if binary.LittleEndian.Uint32(b[1:]) != entrySum(b) {
		return 0, fmt.Errorf("%w entry: checksum", ErrCorrupt)
	}
	if uint64(binary.LittleEndian.Uint32(b[34:])) > uint64(len(b)-entryHead) {
		return 0, fmt.Errorf("%w entry: extensions are longer than the entry", ErrCorrupt)
	}
	return binary.LittleEndian.Uint64(b[5:]), nil
}

// viewEntry returns an encoded entry that checkEntry has passed. It refers to b.
func viewEntry(b []byte) raft.Log {
	data := entryHead + int(binary.LittleEndian.Uint32(b[34:]))
	return raft.Log{
		Index: binary.LittleEndian.Uint64(b[5:]),
		Term:  binary.LittleEndian.Uint64(b[13:]),
		Type:  raft.LogType(b[21]),
		AppendedAt: time.Unix(int64(binary.LittleEndian.Uint64(b[22:])),
			int64(binary.LittleEndian.Uint32(b[30:]))).UTC(),
		Extensions: b[entryHead:data],
		Data:       b[data:],
	}
}

// Decode fills l with copies. An empty field becomes nil, as raft-wal's own
// codec has it.
func (entryCodec) Decode(b []byte, l *raft.Log) error {
	if _, err := checkEntry(b); err != nil {
		return err
	}
	*l = viewEntry(b)
	l.Extensions, l.Data = cloneOrNil(l.Extensions), cloneOrNil(l.Data)
	return nil
}

func cloneOrNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return slices.Clone(b)
}
