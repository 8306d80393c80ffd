package store

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/hashicorp/go-hclog"
)

const (
	// directBlock is what a direct write begins, ends and lies in memory at a
	// multiple of: no disk in use has larger blocks, and a page is as large.
	directBlock = 4096
	// directBytes is how much is written at a time. The buffer for it stays.
	directBytes = 1 << 20
	// directLeast is what the buffer begins with.
	directLeast = 64 << 10
)

// direct is what the files of one directory share that are written past the
// page cache. To copy what is written into pages that are fresh each time costs
// more than to write it, and nobody reads it before a restart: what Raft and a
// follower that lags ask for is in memory (../logcache.go).
type direct struct {
	log  hclog.Logger
	told sync.Once
	buf  []byte // of the log's writer alone
}

// directFile is a file that is read, synced and, where the file system refuses
// direct writes, written through the page cache. The system keeps both ways
// coherent.
type directFile struct {
	*os.File
	by writerAtCloser // for direct writes; nil without them
	d  *direct
}

type writerAtCloser interface {
	io.WriterAt
	io.Closer
}

// open wraps f, which has to be open for writing.
func (d *direct) open(f *os.File) *directFile {
	df := &directFile{File: f, d: d}
	if by, err := openDirect(f.Name(), os.O_WRONLY); err != nil {
		d.refused(f, err)
	} else {
		df.by = by
	}
	return df
}

// refused tells, once, that it is done the usual way.
func (d *direct) refused(f *os.File, err error) {
	d.told.Do(func() { d.log.Debug("no direct writes here", "path", f.Name(), "error", err) })
}

// writeBlocks writes whole blocks from a buffer of alignedBytes at a multiple
// of directBlock. What a file system says EINVAL to (its blocks are larger, or
// it took the flag for nothing) is written through the page cache, and so is all
// that follows: the bytes and their place are the same.
func (f *directFile) writeBlocks(b []byte, at int64) error {
	if f.by != nil {
		_, err := f.by.WriteAt(b, at)
		if !errors.Is(err, syscall.EINVAL) {
			return err
		}
		f.d.refused(f.File, err)
		_ = f.by.Close()
		f.by = nil
	}
	_, err := f.File.WriteAt(b, at)
	return err
}

// flush has what waits in the page cache written to the disk. What went past it is
// there, and the next sync of any file has the disk keep it.
func (f *directFile) flush() error {
	if f.by != nil {
		return nil
	}
	return syncData(f.File)
}

// Close closes both ways.
func (f *directFile) Close() error {
	err := f.File.Close()
	if f.by != nil {
		err = errors.Join(err, f.by.Close())
	}
	return err
}

// buffer returns the shared buffer, grown towards n bytes and to no more than
// directBytes.
func (d *direct) buffer(n int) []byte {
	size := max(len(d.buf), directLeast)
	for size < min(n, directBytes) {
		size *= 2
	}
	if size > len(d.buf) {
		d.buf = alignedBytes(size)
	}
	return d.buf
}

// wholeBlocks rounds n up to a multiple of directBlock.
func wholeBlocks(n int) int { return (n + directBlock - 1) &^ (directBlock - 1) }

// alignedBytes returns n zeros at a multiple of directBlock in memory.
func alignedBytes(n int) []byte {
	b := make([]byte, n+directBlock)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (directBlock - 1)
	return b[skip:][:n:n]
}

// appended is the end of a directFile of sectors (sector.go) whose content grows
// in pieces of any length.
//
// A piece is written as whole blocks: what stood before it in its first block
// comes again as it was, and behind it the last block is filled up with zeros.
// So a write touches bytes that have been acknowledged. If it is torn, each
// sector holds what it held or what was written, and the two are the same in
// those bytes: they stay. It is no more than the page cache would do, which
// writes back whole pages too.
//
// REQUIRES: behind the end there is no content of this segment. The padding of
// the last write may make the file longer than it was made.
type appended struct {
	tag  tag
	end  int64             // of the last write, in the content; -1 before the first
	last [directBlock]byte // the block of the file that end lies in
}

// write writes b to f at offset at of the content.
func (a *appended) write(f *directFile, b []byte, at int64) (int, error) {
	block, keep := at/blockContent*directBlock, int(at%blockContent)
	if at != a.end && keep > 0 {
		n, err := f.ReadAt(a.last[:], block)
		if err != nil && err != io.EOF {
			return 0, err
		}
		clear(a.last[n:])
	}
	a.end = -1
	written := 0
	for written < len(b) {
		buf := f.d.buffer(int(sectoredSize(int64(keep + len(b) - written))))
		if keep > 0 {
			copy(buf, a.last[:])
		}
		n, size := a.tag.fill(buf, keep, b[written:])
		if err := f.writeBlocks(buf[:size], block); err != nil {
			return written, err
		}
		written += n
		block += int64(keep+n) / blockContent * directBlock
		keep = (keep + n) % blockContent
		copy(a.last[:], buf[size-directBlock:size])
	}
	a.end = at + int64(written)
	return written, nil
}
