package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// indexless reads a segment that was sealed by a truncation and so has no index
// on disk. It is immutable and safe for concurrent use.
type indexless struct {
	f       types.ReadableFile
	path    string
	info    types.SegmentInfo
	offsets []uint32 // of the frames, from BaseIndex on
}

func openIndexless(fs types.VFS, dir string, info types.SegmentInfo, offsets []uint32) (*indexless, error) {
	name := segment.FileName(info)
	f, err := fs.OpenReader(dir, name)
	if err != nil {
		return nil, err
	}
	return &indexless{f, filepath.Join(dir, name), info, offsets}, nil
}

// GetLog implements types.SegmentReader.
func (r *indexless) GetLog(index uint64) (*types.PooledBuffer, error) {
	if index < r.info.MinIndex || index > r.info.MaxIndex || index-r.info.BaseIndex >= uint64(len(r.offsets)) {
		return nil, types.ErrNotFound
	}
	offset := int64(r.offsets[index-r.info.BaseIndex])
	var head [frameHead]byte
	if _, err := r.f.ReadAt(head[:], offset); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if head[0] != frameEntry || n > MaxEntryBytes {
		return nil, fmt.Errorf("%w: %s: no entry at offset %d", ErrCorrupt, r.path, offset)
	}
	b := make([]byte, n)
	if _, err := r.f.ReadAt(b, offset+frameHead); err != nil && err != io.EOF {
		return nil, err
	}
	return &types.PooledBuffer{Bs: b}, nil
}

// Close implements types.SegmentReader.
func (r *indexless) Close() error { return r.f.Close() }
