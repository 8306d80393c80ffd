package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	"zooraft/zabcompat/metrics"
)

// segmentFS is raft-wal's file system, but for what is in its files, which
// consist of sectors (sector.go).
type segmentFS struct {
	*walfs.FS
	spare   *spare // hears of each write; may be nil
	direct  *direct
	metrics *metrics.Metrics
}

func newSegmentFS(s *spare, m *metrics.Metrics, log hclog.Logger) segmentFS {
	return segmentFS{walfs.New(), s, &direct{log: log}, m}
}

// OpenReader implements types.VFS.
func (v segmentFS) OpenReader(dir, name string) (types.ReadableFile, error) {
	return openSectorFile(filepath.Join(dir, name))
}

// Create and OpenWriter are tailFS's.
func (segmentFS) Create(string, string, uint64) (types.WritableFile, error) {
	return nil, errors.ErrUnsupported
}

func (segmentFS) OpenWriter(string, string) (types.WritableFile, error) {
	return nil, errors.ErrUnsupported
}

// tailFS opens one segment for writing. The table has made it, and a write needs
// no more than its data on the disk.
type tailFS struct {
	segmentFS
	heads []byte       // for the file; see segmentFile
	limit int64        // as well
	file  *segmentFile // once it is open
}

// Create implements types.VFS. It opens what the table made.
func (v *tailFS) Create(dir, name string, _ uint64) (types.WritableFile, error) {
	return v.OpenWriter(dir, name)
}

// OpenWriter implements types.VFS.
func (v *tailFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := openSegmentFile(filepath.Join(dir, name), v.direct)
	if err != nil {
		return nil, err
	}
	f.spare, f.metrics, f.limit = v.spare, v.metrics, v.limit
	f.heads, v.heads = v.heads, nil // raft-wal keeps v
	v.file = f
	return f, nil
}

// segmentFile is a segment that is written to. Its name and its size are
// durable since it was made. Only one goroutine at a time may write to and sync
// any of a file system: raft-wal writes to its tail alone, under a lock.
type segmentFile struct {
	*directFile
	appended appended
	spare    *spare // may be nil
	metrics  *metrics.Metrics
	// written is how much content came since the last sync, and end where it
	// ends.
	written, end int64
	limit        int64 // of the content, roughly
	// heads are those of the next frames that raft-wal reads while it opens the
	// file, one by one and in their order. The first of them is at headsAt.
	heads   []byte
	headsAt int64
}

// openSegmentFile opens a segment for writing; its name says which one it is.
func openSegmentFile(path string, d *direct) (*segmentFile, error) {
	info, ok := segmentOf(path)
	if !ok {
		return nil, fmt.Errorf("%s is not a segment", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &segmentFile{directFile: d.open(f), appended: appended{tag: tagOf(info.ID), end: -1}, headsAt: segmentHead}, nil
}

// ReadAt implements types.WritableFile.
func (f *segmentFile) ReadAt(b []byte, offset int64) (int, error) {
	if len(b) == frameHead && offset == f.headsAt && len(f.heads) > 0 {
		n := copy(b, f.heads)
		f.heads = f.heads[n:]
		f.headsAt += int64(headedLen(b))
		return n, nil
	}
	return f.appended.tag.readAt(f.File, b, offset)
}

// WriteAt implements types.WritableFile. raft-wal appends: a write begins where
// the one before ended, or, in a segment that was opened again, where the last
// commit ends, behind which verifyLog has left only zeros.
func (f *segmentFile) WriteAt(b []byte, offset int64) (int, error) {
	n, err := f.appended.write(f.directFile, b, offset)
	f.written += int64(n)
	f.end = offset + int64(n)
	return n, err
}

// Sync implements types.WritableFile. It does without the times of the inode.
// What reading needs is durable with the data, a last write that ends behind
// the size the file was made with included: fdatasync(2) has it so.
func (f *segmentFile) Sync() error {
	start := time.Now()
	if err := syncData(f.File); err != nil {
		return err
	}
	f.metrics.FsyncTime.Time(time.Since(start))
	if f.spare != nil {
		f.spare.grew(f.written, f.end, f.limit)
	}
	f.written = 0
	return nil
}

// makeSegment makes an empty segment file of its full size, durably. If there
// is a spare, which may be nil, it takes that.
func makeSegment(dir string, info types.SegmentInfo, s *spare) error {
	if s != nil {
		if ok, err := s.take(segment.FileName(info), fileSize(info)); ok || err != nil {
			return err
		}
	}
	f, err := walfs.New().Create(dir, segment.FileName(info), uint64(fileSize(info)))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
