package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// The segment format, after raft-wal: segment/format.go. A file is a header and
// frames; a frame is a header of 8 bytes and a payload padded to 8. A batch is
// entries, at the end of a sealed segment an index, and a commit whose CRC-32C
// is over all since the commit before, for the first one since the beginning
// of the file. The rest of the file reads as zero: it is made at its full size, and
// verifyLog clears what an interrupted write leaves. All offsets are those of
// the content (sector.go), but in what is told to the operator.
const (
	segmentHead  = 32
	segmentMagic = 0x58eb6b0d
	frameHead    = 8
	// maxSegmentBytes is more than a segment can have: 64 MiB and one write.
	maxSegmentBytes = 1 << 30

	frameEntry  = segment.FrameEntry
	frameIndex  = segment.FrameIndex
	frameCommit = segment.FrameCommit
)

// content is what a segment file holds.
type content struct {
	offsets    []uint32 // of the frames of committed entries, from BaseIndex on
	indexStart uint64   // file offset of the index array, 0 without one
	end        int      // end of the last valid commit, 0 without one
	torn       int      // bytes of an incomplete write that begins at end
	heads      []byte   // of the frames before end, of a tail; see segmentFile
}

// verifyLog reads all segments that the table names, and refuses damage with
// file and offset. It clears a torn tail and tells so, and completes a rotation
// that the end of the process interrupted. A tail that is no file of sectors is
// sealed, so that none is written to. It returns the offsets of the entries in
// sealed segments that have no index, by segment id, and the heads of the frames
// of the tail.
func verifyLog(dir string, table *segmentTable, v visitor, logger hclog.Logger) (offsets map[uint64][]uint32, heads []byte, err error) {
	if err := verifyStrangers(dir, table.state); err != nil {
		return nil, nil, err
	}
	offsets = map[uint64][]uint32{}
	var s segmentScan
	defer s.release()
	for _, info := range table.state.Segments {
		path := filepath.Join(dir, segment.FileName(info))
		if err := s.open(path, info); err != nil {
			return nil, nil, err
		}
		c, err := verifySegment(&s, info, v)
		s.close()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if !info.SealTime.IsZero() {
			if info.IndexStart == 0 {
				offsets[info.ID] = c.offsets
			}
			continue
		}
		if c.torn > 0 {
			logger.Warn("cut an incomplete write from the end of the log", "path", path, "offset", fileOffset(info, c.end), "bytes", c.torn)
			if err := clearRange(path, info, int64(c.end), c.torn, logger); err != nil {
				return nil, nil, fmt.Errorf("cut torn tail of %s: %w", path, err)
			}
		}
		if sectored(info) && c.indexStart == 0 {
			heads = c.heads
			continue
		}
		if c.indexStart == 0 {
			offsets[info.ID] = c.offsets
		}
		if err := table.CommitState(rotate(table.state, c)); err != nil {
			return nil, nil, err
		}
	}
	return offsets, heads, nil
}

// visitor is told of the entries behind an index, in their order, while the log
// is verified, and how far that is.
type visitor struct {
	behind uint64
	f      func(*raft.Log) // see Config.OnEntry; may be nil
	onRead func()          // see Config.OnRead; may be nil
}

// read says that there is a pause between two pieces.
func (v visitor) read() {
	if v.onRead != nil {
		v.onRead()
	}
}

// wants says whether it is to be told of an entry.
func (v visitor) wants(index uint64) bool { return v.f != nil && index > v.behind }

// visit tells of the entries of a batch, the first of which is next. b begins
// where the batch does, at offset start of the segment's content.
func (v visitor) visit(b []byte, start int, info types.SegmentInfo, next uint64, offsets []uint32) {
	for i, at := range offsets {
		index := next + uint64(i)
		gone := !info.SealTime.IsZero() && index > info.MaxIndex // by a truncation
		if v.wants(index) && !gone {
			l := viewEntry(payload(b, int(at)-start))
			v.f(&l)
		}
	}
}

// verifyStrangers looks at segment files that the table does not name. A blank
// one was made for a table that was never written, and is removed. One with
// entries is a truncated one that a crash kept from being removed (raft-wal
// does it when it opens), unless it is younger than the table.
func verifyStrangers(dir string, s types.PersistentState) error {
	paths, err := segmentPaths(dir)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, info := range s.Segments {
		known[segment.FileName(info)] = true
	}
	for _, path := range paths {
		if known[filepath.Base(path)] {
			continue
		}
		info, ok := segmentOf(path)
		if !ok {
			return fmt.Errorf("%s is not a segment", path)
		}
		blank, err := blankFiles([]string{path})
		switch {
		case err != nil:
			return err
		case blank:
			if err := errors.Join(os.Remove(path), syncDir(dir)); err != nil {
				return err
			}
		case info.ID >= s.NextSegmentID:
			return fmt.Errorf("%s has entries, but %s is older than it", path, filepath.Join(dir, tableName))
		}
	}
	return nil
}

// rotate returns the table after the rotation of the tail. One without entries
// gives its place to its successor.
func rotate(s types.PersistentState, c content) types.PersistentState {
	n := len(s.Segments)
	next := types.PersistentState{NextSegmentID: s.NextSegmentID + 1}
	next.Segments = append(next.Segments, s.Segments...)
	tail := &next.Segments[n-1]
	if len(c.offsets) == 0 {
		tail.ID = s.NextSegmentID
		return next
	}
	tail.SealTime = time.Now()
	tail.MaxIndex = tail.BaseIndex + uint64(len(c.offsets)) - 1
	tail.IndexStart = c.indexStart
	next.Segments = append(next.Segments, types.SegmentInfo{
		ID: s.NextSegmentID, BaseIndex: tail.MaxIndex + 1, MinIndex: tail.MaxIndex + 1,
		CreateTime: tail.SealTime, SizeLimit: tail.SizeLimit,
	})
	return next
}

// clearRange writes zeros over an incomplete write. A crash meanwhile leaves
// an incomplete write.
func clearRange(path string, info types.SegmentInfo, offset int64, n int, logger hclog.Logger) error {
	if sectored(info) {
		f, err := openSegmentFile(path, &direct{log: logger})
		if err != nil {
			return err
		}
		_, err = f.WriteAt(make([]byte, n), offset)
		return errors.Join(err, syncFile(f.File), f.Close())
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, n), offset)
	return errors.Join(err, syncFile(f), f.Close())
}

// verifySegment checks the bytes of one segment, but for zeros at its end,
// against its line in the table. v is told of each batch that is right.
//
// A tail may end in a write that a crash interrupted. Such a write has no valid
// commit after it, and since the file read as zero there before, some sector of
// it still does, or its end is missing. So what is left over after the last
// valid commit is damage, not a torn write, if
//
//   - a valid batch follows somewhere, or
//   - it ends in a commit frame and no sector of it is zero: it was all written.
//
// A complete last write that holds a whole sector of zeros and is then damaged
// counts as torn. That is the one case of damage that is cut; it takes bit rot
// in the very last write. The rule is that of etcd (wal/decoder.go).
func verifySegment(s *segmentScan, info types.SegmentInfo, v visitor) (content, error) {
	var c content
	tail := info.SealTime.IsZero()
	for c.indexStart == 0 {
		next := info.BaseIndex + uint64(len(c.offsets))
		batch, bad, why := readBatch(s.b, c.end, info, next)
		if why == nil {
			v.visit(s.b, c.end, info, next, batch.offsets)
			if tail {
				c.heads = batch.appendHeads(c.heads, s.b, c.end)
			}
			c.offsets = append(c.offsets, batch.offsets...)
			if batch.indexStart > 0 {
				if err := checkIndex(payload(s.b, batch.indexStart-frameHead-c.end), c.offsets); err != nil {
					return c, fmt.Errorf("offset %d: %w", fileOffset(info, batch.indexStart), err)
				}
				c.indexStart = uint64(batch.indexStart)
			}
			s.pass(batch.end - c.end)
			c.end = batch.end
			continue
		}
		if errors.Is(why, errCut) {
			more, err := s.more()
			if err != nil {
				return c, err
			}
			if more {
				v.read()
				continue
			}
		}
		blank, err := s.blank()
		if err != nil {
			return c, err
		}
		if blank {
			break
		}
		damage := fmt.Errorf("offset %d: %w", fileOffset(info, bad), why)
		if !tail {
			return c, damage
		}
		b, err := s.whole()
		if err != nil {
			return c, err
		}
		left := leftover(b, c.end)
		if damaged(b, c.end, left, info, next) {
			return c, damage
		}
		c.torn = left
		break
	}
	if c.indexStart > 0 {
		if blank, err := s.blank(); err != nil {
			return c, err
		} else if !blank {
			return c, fmt.Errorf("offset %d: %w: bytes after the end of a sealed segment", fileOffset(info, c.end), ErrCorrupt)
		}
	}
	if tail {
		return c, nil
	}
	if info.IndexStart != c.indexStart {
		return c, fmt.Errorf("%w: index at offset %d, expected at %d", ErrCorrupt, fileOffset(info, int(c.indexStart)), fileOffset(info, int(info.IndexStart)))
	}
	if have := info.BaseIndex + uint64(len(c.offsets)); have <= info.MaxIndex {
		return c, fmt.Errorf("offset %d: %w: entries %d to %d are missing", fileOffset(info, c.end), ErrCorrupt, have, info.MaxIndex)
	}
	return c, nil
}

type batch struct {
	offsets    []uint32
	indexStart int
	end        int // the commit is the last frame before it
}

// appendHeads appends the heads of a batch's frames, but for an index. b begins
// where the batch does, at offset start.
func (r batch) appendHeads(heads, b []byte, start int) []byte {
	for _, at := range r.offsets {
		heads = append(heads, b[int(at)-start:][:frameHead]...)
	}
	return append(heads, b[r.end-frameHead-start:][:frameHead]...)
}

// errCut says that what was looked at ends in a batch.
var errCut = fmt.Errorf("%w: the file ends in a batch", ErrCorrupt)

// readBatch reads the batch that b begins with and whose first entry must be
// next. start is where that is in the segment's content, as all offsets in the
// result are. If it is not a valid one, it says where and why.
func readBatch(b []byte, start int, info types.SegmentInfo, next uint64) (r batch, bad int, why error) {
	pos := 0
	if start == 0 {
		if len(b) < segmentHead {
			return r, 0, errCut
		}
		if !bytes.Equal(b[:segmentHead], segmentHeader(info)) {
			return r, 0, fmt.Errorf("%w segment header", ErrCorrupt)
		}
		pos = segmentHead
	}
	commit, err := walkBatch(b, pos, func(kind byte, at int, payload []byte) error {
		if kind == frameIndex {
			r.indexStart = start + at + frameHead
			return nil
		}
		r.offsets = append(r.offsets, uint32(start+at))
		return nil
	})
	if err != nil {
		return r, start + commit, err
	}
	r.end = start + commit + frameHead
	if len(r.offsets) == 0 {
		return r, start + commit, fmt.Errorf("%w: a commit of nothing", ErrCorrupt)
	}
	if got, want := checksum(b[:commit]), binary.LittleEndian.Uint32(b[commit+4:]); got != want {
		return r, start, fmt.Errorf("%w batch from offset %d to %d: checksum", ErrCorrupt, fileOffset(info, start), fileOffset(info, r.end))
	}
	for i, at := range r.offsets {
		index, err := checkEntry(payload(b, int(at)-start))
		if err != nil {
			return r, int(at), err
		}
		if index != next+uint64(i) {
			return r, int(at), fmt.Errorf("%w: entry %d stands in the place of %d", ErrCorrupt, index, next+uint64(i))
		}
	}
	return r, 0, nil
}

// walkBatch calls f for each frame from pos to the next commit and returns the
// offset of that, or that of the frame that is not one, and errCut if b ends
// before.
func walkBatch(b []byte, pos int, f func(kind byte, at int, payload []byte) error) (int, error) {
	for seenIndex := false; ; {
		if pos+frameHead > len(b) {
			return pos, errCut
		}
		kind := b[pos]
		if b[pos+1]|b[pos+2]|b[pos+3] != 0 {
			return pos, fmt.Errorf("%w frame header", ErrCorrupt)
		}
		if kind == frameCommit {
			return pos, nil
		}
		n := binary.LittleEndian.Uint32(b[pos+4:])
		if (kind != frameEntry && kind != frameIndex) || seenIndex || n > MaxEntryBytes {
			return pos, fmt.Errorf("%w frame header", ErrCorrupt)
		}
		if pos+frameLen(n) > len(b) {
			return pos, errCut
		}
		seenIndex = kind == frameIndex
		if err := f(kind, pos, b[pos+frameHead:pos+frameHead+int(n)]); err != nil {
			return pos, err
		}
		pos += frameLen(n)
	}
}

// frameLen returns the length of a frame with n bytes of payload, padded.
func frameLen(n uint32) int { return (frameHead + int(n) + 7) &^ 7 }

// headedLen returns the length of a frame with this head.
func headedLen(head []byte) int {
	if head[0] == frameCommit {
		return frameHead // the rest of it is the checksum
	}
	return frameLen(binary.LittleEndian.Uint32(head[4:]))
}

func payload(b []byte, at int) []byte {
	return b[at+frameHead:][:binary.LittleEndian.Uint32(b[at+4:])]
}

func segmentHeader(info types.SegmentInfo) []byte {
	h := make([]byte, segmentHead)
	binary.LittleEndian.PutUint32(h, segmentMagic)
	binary.LittleEndian.PutUint64(h[8:], info.BaseIndex)
	binary.LittleEndian.PutUint64(h[16:], info.ID)
	binary.LittleEndian.PutUint64(h[24:], entryCodecID)
	return h
}

func checkIndex(index []byte, offsets []uint32) error {
	for i, o := range offsets {
		if len(index) != 4*len(offsets) || binary.LittleEndian.Uint32(index[4*i:]) != o {
			return fmt.Errorf("%w index", ErrCorrupt)
		}
	}
	return nil
}

// leftover returns how many bytes there are from start to the last one that is
// not zero.
func leftover(b []byte, start int) int {
	end := len(b)
	for end-start > len(zeros) && bytes.Equal(b[end-len(zeros):end], zeros[:]) {
		end -= len(zeros)
	}
	for end > start && b[end-1] == 0 {
		end--
	}
	return end - start
}

var zeros [4 << 10]byte

// zero reports whether there is nothing but zeros in b.
func zero(b []byte) bool {
	for n := 0; len(b) > 0; b = b[n:] {
		if n = min(len(b), len(zeros)); !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
	}
	return true
}

// damaged tells damage from a torn write in the n bytes from start on, which
// are not a valid batch. The first entry there would be next.
func damaged(b []byte, start, n int, info types.SegmentInfo, next uint64) bool {
	end := min((start+n+7)&^7, len(b))
	return followed(b, max(start, segmentHead), end, next) || complete(b, start, end, sectorStep(info))
}

// followed reports whether a valid batch begins after start.
func followed(b []byte, start, end int, next uint64) bool {
	for pos := start; pos+frameHead+entryHead <= end; pos += 8 {
		n := binary.LittleEndian.Uint32(b[pos+4:])
		if b[pos] != frameEntry || n < entryHead || n > MaxEntryBytes || pos+frameLen(n) > end {
			continue
		}
		if index, err := checkEntry(payload(b, pos)); err != nil || index <= next {
			continue
		}
		commit, err := walkBatch(b, pos, func(byte, int, []byte) error { return nil })
		if err == nil && checksum(b[pos:commit]) == binary.LittleEndian.Uint32(b[commit+4:]) {
			return true
		}
	}
	return false
}

// complete reports whether the write from start to end has arrived in full: its
// last word is a commit frame and no sector was left zero, or the checksum in
// its last word is right.
func complete(b []byte, start, end, sector int) bool {
	commit := end - frameHead
	if commit-start < frameHead+entryHead {
		return false
	}
	if checksum(b[start:commit]) == binary.LittleEndian.Uint32(b[commit+4:]) {
		return true
	}
	if !bytes.Equal(b[commit:commit+4], []byte{frameCommit, 0, 0, 0}) || zero(b[commit+4:end]) {
		return false
	}
	for at := start; at < end; {
		to := min((at/sector+1)*sector, end)
		if zero(b[at:to]) {
			return false
		}
		at = to
	}
	return true
}
