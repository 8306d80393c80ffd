package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// entryVersion is the first byte of every Raft log entry. The release before
// must be able to read what this one writes, or a rolling upgrade stops.
const entryVersion = 1

// Entry sizes. The header is fixed so that a packer can reserve it up front.
const (
	entryHeaderSize = 1 + 8 + 4
	// RequestOverhead is the most that one request adds to its payload.
	RequestOverhead = 4 * binary.MaxVarintLen64
)

// ErrBadEntry reports a log entry that this release cannot read.
var ErrBadEntry = errors.New("unreadable log entry")

// Origin names the process that a request came from: a server and its
// incarnation, which the log hands out at registration. The zero Origin stands
// for requests outside any sequence (registration, the leader's duties).
type Origin struct {
	SID         int64
	Incarnation uint64
}

// AppendEntryHeader starts a Raft log entry: version, the leader's wall clock
// in milliseconds since 1970, and a count that SetEntryCount fills.
func AppendEntryHeader(b []byte, nowMillis int64) []byte {
	b = append(b, entryVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(nowMillis))
	return binary.BigEndian.AppendUint32(b, 0)
}

// SetEntryCount writes the number of requests into an entry that began with
// AppendEntryHeader at offset 0.
func SetEntryCount(entry []byte, n int) {
	binary.BigEndian.PutUint32(entry[9:], uint32(n))
}

// CountZxids is the number of zxids that an entry takes when it is applied, if
// none of its requests is a duplicate. An entry that cannot be read takes none.
func CountZxids(entry []byte) int {
	n := 0
	r, err := readEntry(entry)
	for err == nil && r.left > 0 {
		var payload []byte
		if _, _, payload, err = r.next(); err == nil && len(payload) > 0 {
			switch kind(payload[0]) {
			case kindClient, kindOpen, kindClose, kindRestore:
				n++
			}
		}
	}
	return n
}

// Registrations are the registrations in an entry, in order. An entry that cannot
// be read has none.
func Registrations(entry []byte) (all []Register) {
	r, err := readEntry(entry)
	for err == nil && r.left > 0 {
		var payload []byte
		if _, _, payload, err = r.next(); err == nil {
			if reg, ok := Registration(payload); ok {
				all = append(all, reg)
			}
		}
	}
	return all
}

// Registration reads a request, if it is a registration.
func Registration(payload []byte) (r Register, ok bool) {
	if len(payload) == 0 || kind(payload[0]) != kindRegister {
		return r, false
	}
	return r, r.decode(&payloadReader{b: payload[1:]}) == nil
}

// AppendRequest adds one request to an entry.
func AppendRequest(b []byte, o Origin, seq uint64, payload []byte) []byte {
	b = binary.AppendUvarint(b, uint64(o.SID))
	b = binary.AppendUvarint(b, o.Incarnation)
	b = binary.AppendUvarint(b, seq)
	b = binary.AppendUvarint(b, uint64(len(payload)))
	return append(b, payload...)
}

// entryReader walks the requests of one entry without copying.
type entryReader struct {
	now  int64 // ms since 1970
	left int
	rest []byte
}

func readEntry(data []byte) (entryReader, error) {
	if len(data) < entryHeaderSize {
		return entryReader{}, fmt.Errorf("%w: %d bytes", ErrBadEntry, len(data))
	}
	if data[0] != entryVersion {
		return entryReader{}, fmt.Errorf("%w: version %d, this release reads %d", ErrBadEntry, data[0], entryVersion)
	}
	return entryReader{
		now:  int64(binary.BigEndian.Uint64(data[1:])),
		left: int(binary.BigEndian.Uint32(data[9:])),
		rest: data[entryHeaderSize:],
	}, nil
}

// next returns the next request; payload aliases the entry.
func (r *entryReader) next() (o Origin, seq uint64, payload []byte, err error) {
	var f [4]uint64
	for i := range f {
		v, n := binary.Uvarint(r.rest)
		if n <= 0 {
			return o, 0, nil, fmt.Errorf("%w: torn request", ErrBadEntry)
		}
		f[i], r.rest = v, r.rest[n:]
	}
	if f[3] > uint64(len(r.rest)) {
		return o, 0, nil, fmt.Errorf("%w: request of %d bytes, %d left", ErrBadEntry, f[3], len(r.rest))
	}
	payload, r.rest = r.rest[:f[3]], r.rest[f[3]:]
	r.left--
	return Origin{SID: int64(f[0]), Incarnation: f[1]}, f[2], payload, nil
}
