package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/types"
	"golang.org/x/sys/unix"
)

const (
	// scanBytes is what is read at a time.
	scanBytes = 1 << 20
	// stepBytes is what of that is looked at at a time, in the processor's cache.
	stepBytes = 64 << 10
	// behindBytes is what is read in any case behind the last one.
	behindBytes = 64 << 10
)

// segmentScan reads the content of segments, one after the other and each from
// its beginning, without what was never written to at its end, but for so much of
// that that who reads on behind the last frame meets zeros there and not the end.
//
// It reads a piece at a time, with one read under way and nothing read ahead: a
// disk that is asked for as much as it can bring keeps the syncs of others
// waiting, who may be the rest of the ensemble. It reads past the page cache, as
// the log is written, where the file system lets it. And it keeps no more than
// what is being looked at: fresh memory for all of a segment costs more than to
// read it.
//
// The zero value is ready for open, and each open needs a close. release gives
// back what all of them have used.
type segmentScan struct {
	b []byte // what has been read and not been passed

	file *os.File
	by   *os.File    // file past the page cache; nil without
	from io.ReaderAt // one of both
	size int64       // how much is read of it
	at   int64       // how much has been read
	// put appends what a piece holds.
	put   func(content, raw []byte) []byte
	raw   []byte // what has been read and is not in b
	piece []byte // for raw: whole blocks, at a multiple of directBlock
	free  func() // gives it back
	buf   []byte // for b
}

// open begins with the segment at path. A file is never shorter than it was made,
// unless someone cut it.
func (s *segmentScan) open(path string, info types.SegmentInfo) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: entries from %d on are lost", path, info.MinIndex)
	}
	if err != nil {
		return err
	}
	st, err := f.Stat()
	var end int64
	switch made := fileSize(info); {
	case err != nil:
	case st.Size() < made:
		err = fmt.Errorf("%w: %s was made with %d bytes and ends at offset %d", ErrCorrupt, path, made, st.Size())
	case st.Size() > maxSegmentBytes:
		err = fmt.Errorf("%w: %s has %d bytes, too many for a segment", ErrCorrupt, path, st.Size())
	default:
		end, err = dataEnd(f, st.Size())
	}
	if err != nil {
		f.Close()
		return err
	}
	readAhead(f, false)
	s.file, s.from, s.size = f, f, min(st.Size(), end+directBlock)
	if s.by, err = openDirect(path, os.O_RDONLY); err == nil {
		s.from = s.by
	}
	s.put = asIs
	if sectored(info) {
		s.put = tagOf(info.ID).appendContent
	}
	if n := wholeBlocks(int(min(s.size, scanBytes))); n > len(s.piece) {
		s.release()
		s.piece, s.free = directMemory(n)
	}
	s.rewind()
	return nil
}

// asIs is how content is appended that stands in its file as it is.
func asIs(content, raw []byte) []byte { return append(content, raw...) }

// close closes the segment.
func (s *segmentScan) close() {
	s.file.Close()
	if s.by != nil {
		s.by.Close()
	}
}

// release gives memory back; nothing is read after it but by open.
func (s *segmentScan) release() {
	if s.free != nil {
		s.free()
	}
	s.piece, s.free = nil, nil
}

// rewind goes back to the beginning.
func (s *segmentScan) rewind() { s.at, s.raw, s.b = 0, nil, s.buf[:0] }

// read has something in raw, and returns false if there is nothing left.
func (s *segmentScan) read() (bool, error) {
	want := int(min(int64(len(s.piece)), s.size-s.at))
	if len(s.raw) > 0 || want == 0 {
		return len(s.raw) > 0, nil
	}
	n, err := s.from.ReadAt(s.piece[:wholeBlocks(want)], s.at)
	if n < want && s.from != io.ReaderAt(s.file) {
		// It is not for this file system, and neither is the rest.
		s.from = s.file
		n, err = s.from.ReadAt(s.piece[:want], s.at)
	}
	if n < want {
		return false, err
	}
	s.raw = s.piece[:want]
	s.at += int64(want)
	return true, nil
}

// more has at least as much again in b if raw does, and returns false if there is
// nothing left: who looks at b anew after each call has looked at little twice.
func (s *segmentScan) more() (bool, error) {
	if ok, err := s.read(); !ok {
		return false, err
	}
	n := min(len(s.raw), max(stepBytes, wholeBlocks(len(s.b))))
	if cap(s.b)-len(s.b) < n {
		if 2*(len(s.b)+n) > cap(s.buf) { // else it would be moved too often
			s.buf = make([]byte, 0, 4*(len(s.b)+n))
		}
		s.b = append(s.buf[:0], s.b...)
	}
	s.b = s.put(s.b, s.raw[:n])
	s.raw = s.raw[n:]
	return true, nil
}

// pass goes on behind the first n bytes of b.
func (s *segmentScan) pass(n int) { s.b = s.b[n:] }

// blank reads on to the end, and reports whether there is nothing but zeros. b is
// lost.
func (s *segmentScan) blank() (bool, error) {
	for zero(s.b) {
		s.pass(len(s.b))
		ok, err := s.read()
		if !ok {
			return err == nil, err
		}
		if zero(s.raw) {
			s.raw = nil // and need not be put together
			continue
		}
		if _, err := s.more(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// whole returns all content.
func (s *segmentScan) whole() ([]byte, error) {
	s.rewind()
	for {
		if more, err := s.more(); !more {
			return s.b, err
		}
	}
}

// segmentPaths returns the paths of what has a name like a segment's.
func segmentPaths(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	var paths []string
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".wal" {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, err
}

// blankFiles reports whether there is no content in any of the files, but for
// what another segment left there that a file belonged to before.
func blankFiles(paths []string) (bool, error) {
	for _, p := range paths {
		blank, err := blankFile(p)
		if !blank || err != nil {
			return false, err
		}
	}
	return true, nil
}

func blankFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	end, err := dataEnd(f, st.Size())
	info, ok := segmentOf(path)
	if end == 0 || err != nil || !ok {
		return end == 0, err
	}
	buf := make([]byte, scanBytes)
	for at := int64(0); at < end; at += int64(len(buf)) {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return false, err
		}
		// A part of a sector at the end has no tag.
		if !zero(tagOf(info.ID).content(buf[:n])) || !zero(buf[n/sectorBytes*sectorBytes:n]) {
			return false, nil
		}
	}
	return true, nil
}

// dataEnd returns an offset behind which f has only what the file system calls a
// hole, as preallocated blocks are that were never written to.
//
// File systems have been wrong about holes for files just written to, and one
// at the end of the log would be entries that are forgotten. But a log has no
// gaps: if anything is behind the end that was found, it begins there. So that
// place is read whatever it is called.
func dataEnd(f *os.File, size int64) (int64, error) { return dataEndBy(f, size, dataFrom) }

func dataEndBy(f *os.File, size int64, dataFrom func(f *os.File, at, size int64) (from, to int64, err error)) (int64, error) {
	end := int64(0)
	for at := int64(0); at < size; {
		from, to, err := dataFrom(f, at, size)
		if err != nil {
			return 0, err
		}
		if at = to; from < to {
			end = to
		}
	}
	// What is read ahead would be no hole at the next start.
	readAhead(f, false)
	defer readAhead(f, true)
	behind := make([]byte, min(size-end, behindBytes))
	if _, err := f.ReadAt(behind, end); err != nil {
		return 0, err
	}
	if zero(behind) {
		return end, nil
	}
	return size, nil
}

// dataFrom returns the first region from offset at on that is not a hole. It is
// empty at the end of the file if there is none, and all of the rest if the
// file system does not say.
func dataFrom(f *os.File, at, size int64) (from, to int64, err error) {
	from, err = f.Seek(at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil
	}
	if err == nil {
		to, err = f.Seek(from, unix.SEEK_HOLE)
	}
	if err == nil && from >= at && to > from {
		return from, min(to, size), nil
	}
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return at, size, nil
	}
	return 0, 0, err
}
