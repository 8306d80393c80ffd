package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// Space is what a file system can take, in bytes: what an ordinary user may still
// write on it, and how large it is.
type Space struct{ Free, Total uint64 }

// Space measures the file systems of the snapshots and of the log, which may be
// one. It asks the system, and may block for as long as that takes.
func (s *Stores) Space() (data, log Space, err error) {
	if data, err = space(s.cfg.DataDir); err == nil {
		log, err = space(s.cfg.DataLogDir)
	}
	return data, log, err
}

// SegmentBytes is what the log takes at a time when it grows.
func (s *Stores) SegmentBytes() uint64 { return uint64(s.cfg.segmentBytes) }

// SpareBytes is what Thrift gives back at most, but for what a segment has grown by
// its last write.
func (s *Stores) SpareBytes() uint64 {
	return (maxKept + 1) * uint64(sectoredSize(int64(s.cfg.segmentBytes)))
}

// Thrift has no files kept or made for later segments, and removes those that
// there are, or ends that. It blocks while they are removed.
func (s *Stores) Thrift(on bool) {
	if l, ok := s.log.inner.(*walLog); ok {
		l.spare.thrift(on)
	}
}

func space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := uint64(st.Bsize)
	return Space{Free: uint64(st.Bavail) * size, Total: uint64(st.Blocks) * size}, nil
}
