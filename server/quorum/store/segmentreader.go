package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	// entryWindow is how much is read of a segment's entries at a time, and
	// indexWindow of its index.
	entryWindow = 64 << 10
	indexWindow = 4 << 10
)

// window is the piece of a file's content that was read last. Who reads a log
// reads on, so most of what is asked for next is in it.
type window struct {
	at int64
	b  []byte
}

// read returns n bytes of f from offset at on, valid until the next call. It
// reads size bytes, if so many come before settled: what is behind that may yet
// change, and is not kept.
func (w *window) read(f io.ReaderAt, at int64, n, size int, settled int64) ([]byte, error) {
	if from := at - w.at; from >= 0 && from+int64(n) <= int64(len(w.b)) {
		return w.b[from:][:n], nil
	}
	kept := int(min(int64(size), settled-at))
	if kept < n {
		b := make([]byte, n)
		if got, err := f.ReadAt(b, at); got < n {
			return nil, err
		}
		return b, nil
	}
	if cap(w.b) < size {
		w.b = make([]byte, 0, size)
	}
	w.at, w.b = at, w.b[:0] // if it cannot be read
	got, err := f.ReadAt(w.b[:kept], at)
	if got < n {
		return nil, err
	}
	w.b = w.b[:got]
	return w.b[:n], nil
}

// frames reads the entries of one segment. raft-wal's own reader reads 64 KiB for
// each of them. It is safe for concurrent use.
type frames struct {
	f    io.ReaderAt // the content
	path string

	mu      sync.Mutex
	entries window
	index   window // of the index on disk
}

// entryLocked returns the entry whose frame is at offset, and releases mu with
// it: raft-wal decodes an entry and closes it at once. See window.read for
// settled.
func (r *frames) entryLocked(offset, settled int64) (*types.PooledBuffer, error) {
	head, err := r.entries.read(r.f, offset, frameHead, entryWindow, settled)
	if err == nil {
		n := binary.LittleEndian.Uint32(head[4:])
		if head[0] != frameEntry || n > MaxEntryBytes {
			err = fmt.Errorf("%w: no entry", ErrCorrupt)
		} else if head, err = r.entries.read(r.f, offset+frameHead, int(n), entryWindow, settled); err == nil {
			return &types.PooledBuffer{Bs: head, CloseFn: r.mu.Unlock}, nil
		}
	}
	r.mu.Unlock()
	return nil, fmt.Errorf("%s: offset %d: %w", r.path, offset, err)
}

// sealedReader reads a segment that is not written to any more.
type sealedReader struct {
	frames
	io.Closer
	info types.SegmentInfo
	// offsets of the frames from BaseIndex on, of a segment that was sealed by a
	// truncation and so has no index on disk.
	offsets []uint32
}

func openSealed(fs types.VFS, dir string, info types.SegmentInfo, offsets []uint32) (*sealedReader, error) {
	name := segment.FileName(info)
	f, err := fs.OpenReader(dir, name)
	if err != nil {
		return nil, err
	}
	return &sealedReader{frames: frames{f: f, path: filepath.Join(dir, name)}, Closer: f, info: info, offsets: offsets}, nil
}

// GetLog implements types.SegmentReader.
func (r *sealedReader) GetLog(index uint64) (*types.PooledBuffer, error) {
	if index < r.info.MinIndex || index > r.info.MaxIndex {
		return nil, types.ErrNotFound
	}
	r.mu.Lock()
	offset, err := r.offsetLocked(index - r.info.BaseIndex)
	if err != nil {
		r.mu.Unlock()
		return nil, err
	}
	return r.entryLocked(offset, maxSegmentBytes)
}

// offsetLocked returns where the frame of the i-th entry is.
func (r *sealedReader) offsetLocked(i uint64) (int64, error) {
	if r.info.IndexStart == 0 {
		if i >= uint64(len(r.offsets)) {
			return 0, types.ErrNotFound
		}
		return int64(r.offsets[i]), nil
	}
	at := int64(r.info.IndexStart + 4*i)
	b, err := r.index.read(r.f, at, 4, indexWindow, maxSegmentBytes)
	if err != nil {
		return 0, fmt.Errorf("%s: offset %d: %w", r.path, at, err)
	}
	return int64(binary.LittleEndian.Uint32(b)), nil
}

// segmentWriter is raft-wal's tail. It also reads a segment that was rotated or
// truncated, until the next start.
type segmentWriter struct {
	*segment.Writer
	frames
	filer *segmentFiler
}

// Sealed implements types.SegmentWriter. It notes when raft-wal learns that the
// tail is sealed, for it starts a rotation then, under the same lock.
func (w *segmentWriter) Sealed() (bool, uint64, error) {
	sealed, start, err := w.Writer.Sealed()
	if sealed && err == nil {
		w.filer.mu.Lock()
		if w.filer.rotation == nil {
			w.filer.rotation = make(chan struct{})
		}
		w.filer.mu.Unlock()
	}
	return sealed, start, err
}

// GetLog implements types.SegmentReader. What stands before the last entry that
// is committed does not change any more.
func (w *segmentWriter) GetLog(index uint64) (*types.PooledBuffer, error) {
	settled, err := w.OffsetForFrame(w.LastIndex())
	if err != nil {
		return nil, err
	}
	offset, err := w.OffsetForFrame(index)
	if err != nil {
		return nil, err
	}
	w.frames.mu.Lock()
	return w.entryLocked(int64(offset), int64(settled))
}
