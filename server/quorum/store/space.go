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

func space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := uint64(st.Bsize)
	return Space{Free: uint64(st.Bavail) * size, Total: uint64(st.Blocks) * size}, nil
}
