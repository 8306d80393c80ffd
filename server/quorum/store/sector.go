package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	// sectorBytes is what a disk writes as a whole or not at all.
	sectorBytes   = 512
	tagBytes      = 8
	sectorContent = sectorBytes - tagBytes
	// blockContent is the content of a block of direct writes.
	blockContent = directBlock / sectorBytes * sectorContent

	// sectorCodecID is what the table calls a segment whose file consists of
	// tagged sectors. One with entryCodecID was made before there were any, and
	// its file is its content.
	sectorCodecID = entryCodecID + 1
)

// tag is the last word of a sector: the id of the segment in whose life it was
// written, and a CRC-32C of that. A segment's file may have been another one's
// before, and what that left there must neither be taken for entries nor hide
// that a write is incomplete. So a sector whose tag is another segment's reads
// as zeros, as if it had never been written.
//
// A damaged tag is no segment's. Such a sector reads as it is, and is judged by
// the checksums of what is in it.
type tag uint64

func tagOf(id uint64) tag {
	// Nobody fills 2^32 segments. hash/crc32 would have the four bytes on the heap.
	sum := ^uint32(0)
	for shift := 0; shift < 32; shift += 8 {
		sum = castagnoli[byte(sum)^byte(id>>shift)] ^ sum>>8
	}
	return tag(^sum)<<32 | tag(uint32(id))
}

// foreign reports whether a sector was written in the life of another segment.
func (t tag) foreign(sector []byte) bool {
	got := tag(binary.LittleEndian.Uint64(sector[sectorContent:]))
	return got != t && got == tagOf(uint64(got))
}

// fill puts content into buf, whole blocks of a file, behind the first keep
// bytes of content that are there. The last block ends in sectors of zeros
// without a tag. It returns how much content it took, and how much of buf is to
// be written.
func (t tag) fill(buf []byte, keep int, content []byte) (taken, size int) {
	full := keep
	for taken < len(content) {
		at, in := full/sectorContent*sectorBytes, full%sectorContent
		if at == len(buf) {
			break
		}
		n := copy(buf[at+in:at+sectorContent], content[taken:])
		binary.LittleEndian.PutUint64(buf[at+sectorContent:], uint64(t))
		taken += n
		full += n
	}
	end := full / sectorContent * sectorBytes
	if in := full % sectorContent; in > 0 {
		clear(buf[end+in : end+sectorContent])
		end += sectorBytes
	}
	size = wholeBlocks(end)
	clear(buf[end:size])
	return taken, size
}

// content turns the sectors of a file, read from its beginning, into what they
// hold. It works in place, and leaves out a part of a sector at the end.
func (t tag) content(b []byte) []byte { return t.appendContent(b[:0], b) }

// appendContent appends what sectors of a file hold, but for a part of one at the
// end. content may begin where the sectors do: of each no more is overwritten than
// has been looked at.
func (t tag) appendContent(content, sectors []byte) []byte {
	for ; len(sectors) >= sectorBytes; sectors = sectors[sectorBytes:] {
		holds := sectors[:sectorContent]
		if t.foreign(sectors) {
			holds = zeros[:sectorContent]
		}
		content = append(content, holds...)
	}
	return content
}

// sectored says whether a segment's file consists of sectors.
func sectored(info types.SegmentInfo) bool { return info.Codec == sectorCodecID }

// sectorStep is how much content comes in one sector.
func sectorStep(info types.SegmentInfo) int {
	if sectored(info) {
		return sectorContent
	}
	return sectorBytes
}

// fileOffset is where in a segment's file the content at offset at stands.
func fileOffset(info types.SegmentInfo, at int) int64 {
	if sectored(info) {
		return int64(at/sectorContent)*sectorBytes + int64(at%sectorContent)
	}
	return int64(at)
}

// fileSize is the size that a segment's file is made with.
func fileSize(info types.SegmentInfo) int64 {
	if sectored(info) {
		return sectoredSize(int64(info.SizeLimit))
	}
	return int64(info.SizeLimit)
}

// sectoredSize is the size of a file of whole blocks for so much content.
func sectoredSize(content int64) int64 {
	return (content + blockContent - 1) / blockContent * directBlock
}

// sectorFile is the content of a file of sectors. It is safe for concurrent use.
type sectorFile struct {
	f   *os.File
	tag tag
}

// openSectorFile opens a segment for reading; its name says which one it is.
func openSectorFile(path string) (sectorFile, error) {
	info, ok := segmentOf(path)
	if !ok {
		return sectorFile{}, fmt.Errorf("%s is not a segment", path)
	}
	f, err := os.Open(path)
	return sectorFile{f, tagOf(info.ID)}, err
}

// Close closes the file.
func (f sectorFile) Close() error { return f.f.Close() }

// ReadAt implements io.ReaderAt.
func (f sectorFile) ReadAt(p []byte, at int64) (n int, err error) { return f.tag.readAt(f.f, p, at) }

// readBuffer is for as much content as a window takes.
type readBuffer [(entryWindow/sectorContent + 2) * sectorBytes]byte

var readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}

// readAt is io.ReaderAt for the content of the sectors of f.
func (t tag) readAt(f io.ReaderAt, p []byte, at int64) (n int, err error) {
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for n < len(p) && err == nil {
		from, skip := (at+int64(n))/sectorContent*sectorBytes, int((at+int64(n))%sectorContent)
		span := (skip + len(p) - n + sectorContent - 1) / sectorContent * sectorBytes
		var got int
		got, err = f.ReadAt(buf[:min(span, len(buf))], from)
		n += copy(p[n:], t.content(buf[:got])[min(skip, got/sectorBytes*sectorContent):])
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// segmentOf returns what the name of a segment's file says of it.
func segmentOf(path string) (info types.SegmentInfo, ok bool) {
	n, err := fmt.Sscanf(filepath.Base(path), "%020d-%016x.wal", &info.BaseIndex, &info.ID)
	return info, n == 2 && err == nil && segment.FileName(info) == filepath.Base(path)
}
