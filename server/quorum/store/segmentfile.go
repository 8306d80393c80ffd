package store

import (
	"errors"
	"os"
	"path/filepath"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// segmentFS is raft-wal's file system, but for the files it writes to: the
// table has made them, and a write needs no more than its data on the disk.
type segmentFS struct{ *walfs.FS }

func newSegmentFS() segmentFS { return segmentFS{walfs.New()} }

// Create implements types.VFS. It opens what the table made.
func (v segmentFS) Create(dir, name string, _ uint64) (types.WritableFile, error) {
	return v.OpenWriter(dir, name)
}

// OpenWriter implements types.VFS.
func (segmentFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &segmentFile{File: f}, nil
}

// segmentFile is a segment that is written to. Its name and its size are
// durable since it was made.
type segmentFile struct{ *os.File }

// Sync implements types.WritableFile. It does without the times of the inode.
// What reading needs is durable with the data, a last write that ends behind
// the size the file was made with included: fdatasync(2) has it so.
func (f *segmentFile) Sync() error { return dataSync(f.File) }

// makeSegment makes an empty segment file of its full size, durably.
func makeSegment(dir string, info types.SegmentInfo) error {
	f, err := walfs.New().Create(dir, segment.FileName(info), uint64(info.SizeLimit))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
