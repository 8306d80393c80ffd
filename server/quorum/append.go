package quorum

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// The frames on an append stream, each behind its length in four bytes:
//
//	leader to follower   kind | term | previous index and term | commit index | leader's id and address | entries
//	follower to leader   flags | term | last index | error
//
// Numbers are varints, strings and data have their length before them. Entries
// are consecutive, so only what is behind their index is sent. Raft's stock
// transport encodes by reflection, into one more buffer, and copies each entry
// again as it decodes.

// Kinds of frames to a follower.
const (
	appendEntries byte = iota + 1 // answered
	appendNotice                  // a commit index and no entries; not answered
)

// Flags of an answer.
const (
	answerSuccess = 1 << iota
	answerNoRetryBackoff
)

const (
	// maxAppendFrame bounds what a peer can make this server allocate: some
	// entries of the largest size.
	maxAppendFrame = 256 << 20
	// maxAppendBytes is about how much goes into one message, one entry at least:
	// each is one write and one sync at the follower.
	maxAppendBytes = 4 << 20
	// entryOverhead is the most that an entry takes beside its data.
	entryOverhead = 1 + 5*binary.MaxVarintLen64
	// leastEntry is the least that an entry takes: a byte for each number and length.
	leastEntry = 6
	// maxAppendCount bounds the entries of a message, each of which is many times
	// leastEntry in memory. Raft's own bound is 1024, or one more.
	maxAppendCount = 2048
	// maxConfiguration bounds a configuration of Raft's: 255 servers take a tenth.
	maxConfiguration = 1 << 20
)

var (
	errAppendFrame = errors.New("malformed append frame")
	// errStrangeEntry refuses what Raft would store, and end the process for when it
	// is committed, or when it starts.
	errStrangeEntry = errors.New("an entry of an unknown type, or a configuration that cannot be read")
)

// fitting returns how many of the entries go into one message.
func fitting(entries []*raft.Log) int {
	n, size := 0, 0
	for n < len(entries) && (n == 0 || size+len(entries[n].Data) <= maxAppendBytes) {
		size += len(entries[n].Data)
		n++
	}
	return n
}

// commitIn is what a message may say of a commit index: no more than it brings, or
// follows. Raft at the follower applies its own log as far as it is told, and what
// that has behind the message's last entry may be another leader's (Raft, figure 2,
// has the follower look to it).
func commitIn(commit, prev uint64, entries int) uint64 {
	return min(commit, prev+uint64(entries))
}

// encodeAppend makes the frame of a request, in parts that follow each other.
// entries may differ from the request's own. What is long in them is not copied:
// the parts alias it. That is safe because nobody changes an entry's data once
// Raft has it, nor takes its memory for anything else: it is the collector's.
func encodeAppend(kind byte, q *raft.AppendEntriesRequest, prev, prevTerm uint64, entries []*raft.Log) [][]byte {
	size, long := 4+1+6*binary.MaxVarintLen64+len(q.ID)+len(q.Addr), 0
	for _, l := range entries {
		size += entryOverhead + len(l.Extensions)
		if len(l.Data) > shortData {
			long++
		} else {
			size += len(l.Data)
		}
	}
	parts := make([][]byte, 0, 2*long+1)
	b := make([]byte, 4, size)
	lead, length := b, 0
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(q.ProtocolVersion))
	for _, v := range [...]uint64{q.Term, prev, prevTerm, q.LeaderCommitIndex} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendSized(b, q.ID)
	b = appendSized(b, q.Addr)
	b = binary.AppendUvarint(b, uint64(len(entries)))
	for _, l := range entries {
		b = binary.AppendUvarint(b, l.Term)
		b = append(b, byte(l.Type))
		b = binary.AppendVarint(b, l.AppendedAt.Unix())
		b = binary.AppendUvarint(b, uint64(l.AppendedAt.Nanosecond()))
		b = appendSized(b, l.Extensions)
		if len(l.Data) <= shortData {
			b = appendSized(b, l.Data)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(l.Data)))
		parts = append(parts, b, l.Data)
		length += len(b) + len(l.Data)
		b = b[len(b):]
	}
	if len(b) > 0 {
		parts = append(parts, b)
		length += len(b)
	}
	binary.BigEndian.PutUint32(lead, uint32(length-4))
	return parts
}

// shortData is up to what length an entry's data is rather copied than made a
// part of a frame.
const shortData = 512

func appendSized(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// decodeAppend reads a frame without its length. What it returns aliases frame.
func decodeAppend(frame []byte) (kind byte, q *raft.AppendEntriesRequest, err error) {
	r := frameReader{b: frame}
	kind = r.byte()
	q = &raft.AppendEntriesRequest{}
	q.ProtocolVersion = raft.ProtocolVersion(r.uvarint())
	q.Term, q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex = r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	q.ID, q.Addr = r.sized(), r.sized()
	n := r.uvarint()
	if n > min(uint64(len(r.b))/leastEntry, maxAppendCount) || kind != appendEntries && (kind != appendNotice || n > 0) {
		return 0, nil, errAppendFrame
	}
	if n > 0 {
		logs := make([]raft.Log, n)
		q.Entries = make([]*raft.Log, n)
		for i := range logs {
			l := &logs[i]
			l.Index = q.PrevLogEntry + 1 + uint64(i)
			l.Term = r.uvarint()
			l.Type = raft.LogType(r.byte())
			l.AppendedAt = time.Unix(r.varint(), int64(r.uvarint())).UTC()
			l.Extensions, l.Data = r.sized(), r.sized()
			q.Entries[i] = l
			if r.bad {
				return 0, nil, errAppendFrame
			}
			if !familiar(l) {
				return 0, nil, errStrangeEntry
			}
		}
	}
	if r.bad || len(r.b) > 0 {
		return 0, nil, errAppendFrame
	}
	return kind, q, nil
}

// familiar says whether an entry is of those that Raft and this package make: of the
// others it stores all, and then ends the process for them, at each start.
func familiar(l *raft.Log) bool {
	switch l.Type {
	case raft.LogCommand, raft.LogNoop, raft.LogBarrier: // a barrier may be in a log of before
		return true
	case raft.LogConfiguration:
		return configures(l.Data)
	}
	return false
}

// configures says whether b is a configuration. Raft's decoder panics if it is not.
func configures(b []byte) (ok bool) {
	if len(b) > maxConfiguration {
		return false
	}
	defer func() { ok = recover() == nil }()
	raft.DecodeConfiguration(b)
	return true
}

// encodeAnswer appends the frame of an answer to b.
func encodeAnswer(b []byte, a *raft.AppendEntriesResponse, failure error) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	var flags byte
	if a.Success {
		flags |= answerSuccess
	}
	if a.NoRetryBackoff {
		flags |= answerNoRetryBackoff
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, a.Term)
	b = binary.AppendUvarint(b, a.LastLog)
	if failure != nil {
		b = append(b, failure.Error()...)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// decodeAnswer reads an answer; failure is what the follower could not do.
func decodeAnswer(frame []byte) (a raft.AppendEntriesResponse, failure, err error) {
	r := frameReader{b: frame}
	flags := r.byte()
	a.Success, a.NoRetryBackoff = flags&answerSuccess != 0, flags&answerNoRetryBackoff != 0
	a.Term, a.LastLog = r.uvarint(), r.uvarint()
	if r.bad {
		return a, nil, errAppendFrame
	}
	if len(r.b) > 0 {
		failure = fmt.Errorf("follower: %q", r.b)
	}
	return a, failure, nil
}

// readFrame reads one frame of at most limit bytes into buf, or into a new
// buffer if buf is too small.
func readFrame(r *bufio.Reader, buf []byte, limit uint32) ([]byte, error) {
	var lead [4]byte
	if _, err := io.ReadFull(r, lead[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(lead[:])
	if n > limit {
		return nil, fmt.Errorf("%w: %d bytes", errAppendFrame, n)
	}
	if uint32(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// frameReader decodes a frame; its first failure sticks.
type frameReader struct {
	b   []byte
	bad bool
}

func (r *frameReader) fail() { r.bad, r.b = true, nil }

func (r *frameReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *frameReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *frameReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// sized reads bytes behind their length; nil for none.
func (r *frameReader) sized() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
	}
	if n == 0 || r.bad {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
