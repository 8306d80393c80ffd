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
	// behindBytes is what is read in any case behind the last one.
	behindBytes = 64 << 10
)

// pages are memory outside of the heap, which would be large and garbage at once
// in it. The zero value is ready for use.
type pages struct {
	b    []byte
	free func()
}

// take returns n bytes that begin at a multiple of directBlock, in the place of
// those it returned before. What is in them is no matter.
func (p *pages) take(n int) []byte {
	if n > len(p.b) {
		p.release()
		p.b, p.free = mapPages(n)
	}
	return p.b[:n]
}

// release gives all back.
func (p *pages) release() {
	if p.free != nil {
		p.free()
	}
	*p = pages{}
}

// readSegment reads the content of a segment without what was never written to
// at its end, but for so much of that that whoever reads on behind the last frame
// meets zeros there and not the end. It reads into mem, which belongs to the
// result. A file is never shorter than it was made, unless someone cut it.
func readSegment(path string, info types.SegmentInfo, mem *pages) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: entries from %d on are lost", path, info.MinIndex)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if made := fileSize(info); st.Size() < made {
		return nil, fmt.Errorf("%w: %s was made with %d bytes and ends at offset %d", ErrCorrupt, path, made, st.Size())
	}
	if st.Size() > maxSegmentBytes {
		return nil, fmt.Errorf("%w: %s has %d bytes, too many for a segment", ErrCorrupt, path, st.Size())
	}
	end, err := dataEnd(f, st.Size())
	if err != nil {
		return nil, err
	}
	n := int(min(st.Size(), end+directBlock))
	buf := mem.take(wholeBlocks(n))[:n]
	if err := readGently(f, buf); err != nil || !sectored(info) {
		return buf, err
	}
	// What was written as zeros ahead need not be put together.
	buf = buf[:min(n, (leftover(buf, 0)/sectorBytes+2)*sectorBytes)]
	return tagOf(info.ID).content(buf), nil
}

// readGently fills buf, which begins at a multiple of directBlock and has room
// for whole blocks, from the beginning of f, with one read under way at a time and nothing
// read ahead: a disk that is asked for as much as it can bring keeps the syncs of
// others waiting, who may be the rest of the ensemble. It reads past the page
// cache, as the log is written, where the file system lets it. f is left without
// reading ahead.
func readGently(f *os.File, buf []byte) error {
	readAhead(f, false)
	by, err := openDirect(f.Name(), os.O_RDONLY)
	if err == nil {
		defer by.Close()
	}
	for at := 0; at < len(buf); at += scanBytes {
		end := min(at+scanBytes, len(buf))
		if by != nil {
			if n, _ := by.ReadAt(buf[at:wholeBlocks(end)], int64(at)); n >= end-at {
				continue
			}
			by = nil
		}
		if _, err := f.ReadAt(buf[at:end], int64(at)); err != nil {
			return err
		}
	}
	return nil
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
